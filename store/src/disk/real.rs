//! The operating system's file calls, through rustix.
//!
//! No policy here: retries, durability order and error handling are the caller's.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, IoSlice};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use rustix::fs::{FallocateFlags, FlockOperation, SeekFrom};
use rustix::process::{Flock, FlockType};

use super::{Disk, DiskFile, Entry, Lock, LockError, Open, Space};
use crate::mapped::Region;

/// The file system of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        let mut options = File::options();
        options.read(true);
        match how {
            Open::Read => &mut options,
            Open::Write => options.write(true),
            Open::Create => options.write(true).create(true).truncate(false),
            Open::Truncate => options.write(true).create(true).truncate(true),
        };
        Ok(Arc::new(RealFile { file: options.open(path)?, name: Arc::from(path.display().to_string()) }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_dir(path)
    }

    fn create_dirs(&self, path: &Path) -> io::Result<()> {
        if path.is_dir() {
            return Ok(());
        }
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        if let Some(parent) = parent {
            self.create_dirs(parent)?;
        }
        match std::fs::create_dir(path) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(e) => Err(e),
            Ok(()) => self.sync_dir(parent.unwrap_or(Path::new("."))),
        }
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let names = match std::fs::read_dir(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        let mut entries = Vec::new();
        for entry in names {
            let entry = entry?;
            if let Ok(name) = entry.file_name().into_string() {
                entries.push(Entry { name, is_dir: entry.file_type()?.is_dir() });
            }
        }
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        let stat = rustix::fs::statvfs(path)?;
        // Blocks kept for others count neither as used nor as room, in `df` and in the original as well.
        let used = stat.f_blocks.saturating_sub(stat.f_bfree);
        let total = used.saturating_add(stat.f_bavail);
        Ok(Space { total: total * stat.f_frsize, available: stat.f_bavail * stat.f_frsize })
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn Lock>, LockError> {
        // Record locks do not exclude the process that holds them, and closing a second descriptor of the
        // file would drop the first one's lock: so a path is looked up here first.
        let entered = Entered::new(path)?;
        let file = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
        match rustix::fs::fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {
                file.write_all_at(b"lock", 0)?;
                Ok(Box::new(RealLock { _file: file, _entered: entered }))
            }
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::ACCESS) => {
                Err(LockError::Held { pid: lock_holder(&file) })
            }
            Err(e) => Err(LockError::Io(e.into())),
        }
    }
}

/// Process id of the lock's holder, 0 when unknown.
fn lock_holder(file: &File) -> i32 {
    let holder = rustix::process::fcntl_getlk(file, &Flock::from(FlockType::WriteLock));
    holder.ok().flatten().and_then(|lock| lock.pid).map_or(0, |pid| pid.as_raw_nonzero().get())
}

/// A POSIX record lock goes away when any descriptor of the file is closed: nothing else opens it.
#[derive(Debug)]
struct RealLock {
    _file: File,
    _entered: Entered,
}

/// Lock files that this process holds.
static HELD: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// A row of [`HELD`].
#[derive(Debug)]
struct Entered(PathBuf);

impl Entered {
    fn new(path: &Path) -> Result<Entered, LockError> {
        let dir = path.parent().unwrap_or(Path::new(".")).canonicalize()?;
        let path = dir.join(path.file_name().unwrap_or_default());
        let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        if !held.insert(path.clone()) {
            return Err(LockError::Held { pid: i32::try_from(std::process::id()).unwrap_or(0) });
        }
        Ok(Entered(path))
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        HELD.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

impl Lock for RealLock {}

#[derive(Debug)]
struct RealFile {
    file: File,
    name: Arc<str>,
}

impl DiskFile for RealFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn modified_ms(&self) -> io::Result<i64> {
        let since = self.file.metadata()?.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.file.read_at(into, offset) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    fn write_vectored_at(&self, offset: u64, from: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(rustix::io::retry_on_intr(|| rustix::io::pwritev(&self.file, from, offset))?)
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        match rustix::io::retry_on_intr(|| rustix::fs::fallocate(&self.file, FallocateFlags::empty(), 0, len))
        {
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => self.set_len(len),
            other => Ok(other?),
        }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn next_data(&self, from: u64) -> io::Result<Option<u64>> {
        match rustix::fs::seek(&self.file, SeekFrom::Data(from)) {
            Ok(at) => Ok(Some(at.max(from))),
            Err(rustix::io::Errno::NXIO) => Ok(None),
            Err(_) => Ok((from < self.len()?).then_some(from)),
        }
    }

    fn map(&self, len: u64) -> io::Result<Region> {
        Region::map(&self.file, len, Arc::clone(&self.name))
    }
}
