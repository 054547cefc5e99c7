//! A disk in memory that can be filled, broken, killed and cut from power, for tests.
//!
//! It counts every call that changes or syncs something; a fault is planned for the Nth of them. After
//! a crash all calls fail until `after_kill` or `after_power_loss` makes the disk of the next start.

use std::collections::BTreeSet;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::sim_state::{Inode, Node, State};
use super::{Disk, DiskFile, Entry, Lock, LockError, Open, Space};
use crate::mapped::{Region, SharedBytes};

/// What goes wrong at a planned call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The call fails with ENOSPC.
    NoSpace,
    /// The call fails with EIO; a sync also loses the dirty pages.
    Io,
    /// A write does half of its work and says so; other calls succeed.
    ShortWrite,
    /// The process ends at this call; a write may have happened in part.
    Crash,
}

/// The simulated disk. Clones are the same disk.
#[derive(Clone, Debug)]
pub struct SimDisk {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    state: State,
    calls: u64,
    faults: Vec<(u64, Fault)>,
    crashed: bool,
    locks: BTreeSet<PathBuf>,
}

impl SimDisk {
    /// An empty disk; `seed` chooses what the kernel writes back on its own.
    pub fn new(seed: u64) -> SimDisk {
        SimDisk::over(State::new(seed))
    }

    fn over(state: State) -> SimDisk {
        let inner = Inner { state, calls: 0, faults: Vec::new(), crashed: false, locks: BTreeSet::new() };
        SimDisk { inner: Arc::new(Mutex::new(inner)) }
    }

    /// Plans a fault for the call numbered `call`, counted from 0.
    pub fn fail_at(&self, call: u64, fault: Fault) {
        self.inner().faults.push((call, fault));
    }

    /// Calls counted so far.
    pub fn calls(&self) -> u64 {
        self.inner().calls
    }

    /// Ends the process now: every later call on this disk fails.
    pub fn crash(&self) {
        self.inner().crashed = true;
    }

    /// Whether a crash happened.
    pub fn is_crashed(&self) -> bool {
        self.inner().crashed
    }

    /// Room of the disk in bytes.
    pub fn set_capacity(&self, bytes: u64) {
        self.inner().state.capacity = bytes;
    }

    /// Time that modified files get.
    pub fn set_time(&self, now_ms: i64) {
        self.inner().state.now_ms = now_ms;
    }

    /// The disk as the next process finds it when only the process ended: the page cache survives.
    pub fn after_kill(&self) -> SimDisk {
        SimDisk::over(self.inner().state.clone())
    }

    /// The disk as the next process finds it after a power loss; `seed` chooses what survived.
    pub fn after_power_loss(&self, seed: u64) -> SimDisk {
        let mut state = self.inner().state.clone();
        state.lose_power(seed);
        SimDisk::over(state)
    }

    /// Changes bytes of a file behind the store's back, on the disk and in the page cache.
    pub fn damage(&self, path: &Path, offset: usize, change: impl Fn(u8) -> u8) -> io::Result<()> {
        let mut inner = self.inner();
        let inode = inner.state.file(path)?;
        let inode = inner.state.inodes.get_mut(inode).ok_or(io::ErrorKind::NotFound)?;
        let old = *inode.live.get(offset).ok_or(io::ErrorKind::UnexpectedEof)?;
        inode.write(offset, &[change(old)]);
        inode.sync();
        Ok(())
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a changing call and applies the planned fault. `Ok(true)`: do half of a write.
    fn call(inner: &mut Inner) -> io::Result<bool> {
        inner.alive()?;
        let call = inner.calls;
        inner.calls += 1;
        inner.state.write_back_something();
        let fault = inner.faults.iter().find(|(at, _)| *at == call).map(|(_, fault)| *fault);
        match fault {
            None => Ok(false),
            Some(Fault::ShortWrite) => Ok(true),
            Some(Fault::NoSpace) => Err(io::ErrorKind::StorageFull.into()),
            Some(Fault::Io) => Err(eio()),
            Some(Fault::Crash) => {
                inner.crashed = true;
                Err(eio())
            }
        }
    }
}

impl Inner {
    fn alive(&self) -> io::Result<()> {
        if self.crashed { Err(eio()) } else { Ok(()) }
    }
}

fn eio() -> io::Error {
    io::Error::from_raw_os_error(libc::EIO)
}

impl Disk for SimDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        let mut inner = self.inner();
        inner.alive()?;
        let inode = match (inner.state.file(path), how) {
            (Err(e), Open::Create | Open::Truncate) if e.kind() == io::ErrorKind::NotFound => {
                SimDisk::call(&mut inner)?;
                let state = &mut inner.state;
                state.inodes.push(Inode::new(state.now_ms));
                let inode = state.inodes.len() - 1;
                state.change_names(vec![(path.to_path_buf(), Some(Node::File(inode)))]);
                inode
            }
            (Ok(inode), Open::Truncate) => {
                SimDisk::call(&mut inner)?;
                if let Some(inode) = inner.state.inodes.get_mut(inode) {
                    inode.set_len(0);
                }
                inode
            }
            (found, _) => found?,
        };
        Ok(Arc::new(SimFile { disk: self.clone(), inode }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut inner = self.inner();
        SimDisk::call(&mut inner)?;
        let node = Node::File(inner.state.file(from)?);
        inner.state.change_names(vec![(from.to_path_buf(), None), (to.to_path_buf(), Some(node))]);
        Ok(())
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        let mut inner = self.inner();
        SimDisk::call(&mut inner)?;
        inner.state.file(path)?;
        inner.state.change_names(vec![(path.to_path_buf(), None)]);
        Ok(())
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        if !self.list(path)?.is_empty() {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        let mut inner = self.inner();
        SimDisk::call(&mut inner)?;
        inner.state.change_names(vec![(path.to_path_buf(), None)]);
        Ok(())
    }

    fn create_dirs(&self, path: &Path) -> io::Result<()> {
        let mut inner = self.inner();
        inner.alive()?;
        let mut missing: Vec<&Path> = path.ancestors().collect();
        missing.retain(|up| up.parent().is_some() && !inner.state.names.contains_key(*up));
        for dir in missing.into_iter().rev() {
            SimDisk::call(&mut inner)?;
            inner.state.change_names(vec![(dir.to_path_buf(), Some(Node::Dir))]);
            if let Some(parent) = dir.parent() {
                inner.state.sync_dir(parent);
            }
        }
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut inner = self.inner();
        SimDisk::call(&mut inner)?;
        inner.state.sync_dir(path);
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let inner = self.inner();
        inner.alive()?;
        let below = inner.state.names.iter().filter(|(name, _)| name.parent() == Some(path));
        Ok(below
            .filter_map(|(name, node)| {
                let name = name.file_name()?.to_str()?.to_owned();
                Some(Entry { name, is_dir: *node == Node::Dir })
            })
            .collect())
    }

    fn exists(&self, path: &Path) -> bool {
        self.inner().state.names.contains_key(path)
    }

    fn space(&self, _: &Path) -> io::Result<Space> {
        let inner = self.inner();
        inner.alive()?;
        let total = inner.state.capacity;
        Ok(Space { total, available: total.saturating_sub(inner.state.used()) })
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn Lock>, LockError> {
        if !self.inner().locks.insert(path.to_path_buf()) {
            return Err(LockError::Held { pid: 1 });
        }
        Ok(Box::new(SimLock { disk: self.clone(), path: path.to_path_buf() }))
    }
}

#[derive(Debug)]
struct SimLock {
    disk: SimDisk,
    path: PathBuf,
}

impl Lock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.disk.inner().locks.remove(&self.path);
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    inode: usize,
}

impl SimFile {
    fn with<T>(&self, inner: &mut Inner, run: impl FnOnce(&mut Inode) -> T) -> io::Result<T> {
        inner.state.inodes.get_mut(self.inode).map(run).ok_or_else(eio)
    }

    fn grow(&self, len: u64, short: bool) -> io::Result<()> {
        let mut inner = self.disk.inner();
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let room = inner.state.capacity.saturating_sub(inner.state.used());
        self.with(&mut inner, |inode| {
            if short && len.saturating_sub(inode.live.len()) as u64 > room {
                return Err(io::ErrorKind::StorageFull.into());
            }
            inode.set_len(len);
            Ok(())
        })?
    }
}

impl DiskFile for SimFile {
    fn len(&self) -> io::Result<u64> {
        let mut inner = self.disk.inner();
        inner.alive()?;
        self.with(&mut inner, |inode| inode.live.len() as u64)
    }

    fn modified_ms(&self) -> io::Result<i64> {
        self.with(&mut self.disk.inner(), |inode| inode.modified_ms)
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut inner = self.disk.inner();
        inner.alive()?;
        self.with(&mut inner, |inode| copy(&inode.live, offset, into))
    }

    fn write_vectored_at(&self, offset: u64, from: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut inner = self.disk.inner();
        let offset = usize::try_from(offset).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let mut content: Vec<u8> = from.iter().flat_map(|slice| slice.iter().copied()).collect();
        let called = SimDisk::call(&mut inner);
        let now_ms = inner.state.now_ms;
        match called {
            Ok(false) => {}
            Ok(true) => content.truncate(content.len().div_ceil(2)),
            Err(e) => {
                let reached = inner.state.random().below(content.len() as u64 + 1) as usize;
                content.truncate(reached);
                self.with(&mut inner, |inode| inode.write(offset, &content))?;
                return Err(e);
            }
        }
        self.with(&mut inner, |inode| {
            inode.write(offset, &content);
            inode.modified_ms = now_ms;
            content.len()
        })
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        SimDisk::call(&mut self.disk.inner())?;
        self.grow(len, true)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        SimDisk::call(&mut self.disk.inner())?;
        self.grow(len, false)
    }

    fn sync(&self) -> io::Result<()> {
        let mut inner = self.disk.inner();
        let called = SimDisk::call(&mut inner);
        let crashed = inner.crashed;
        self.with(&mut inner, |inode| match called {
            Ok(_) => {
                inode.sync();
                Ok(())
            }
            Err(e) => {
                if !crashed {
                    inode.forget_dirty();
                }
                Err(e)
            }
        })?
    }

    fn next_data(&self, from: u64) -> io::Result<Option<u64>> {
        let mut inner = self.disk.inner();
        inner.alive()?;
        self.with(&mut inner, |inode| {
            let from = usize::try_from(from).ok()?;
            let next = inode.live.get(from..)?.iter().position(|byte| *byte != 0)?;
            Some((from + next) as u64)
        })
    }

    fn map(&self, len: u64) -> io::Result<Region> {
        let view = SimMap { disk: self.disk.clone(), inode: self.inode };
        Ok(Region::shared(Arc::new(view), len))
    }
}

#[derive(Debug)]
struct SimMap {
    disk: SimDisk,
    inode: usize,
}

impl SharedBytes for SimMap {
    fn copy_at(&self, offset: u64, into: &mut [u8]) {
        let inner = self.disk.inner();
        if let Some(inode) = inner.state.inodes.get(self.inode) {
            copy(&inode.live, offset, into);
        }
    }
}

fn copy(from: &[u8], offset: u64, into: &mut [u8]) -> usize {
    let rest = usize::try_from(offset).ok().and_then(|offset| from.get(offset..)).unwrap_or_default();
    let n = rest.len().min(into.len());
    for (to, from) in into.iter_mut().zip(rest) {
        *to = *from;
    }
    n
}
