//! Every call the store makes to the file system, as one trait.
//!
//! What it is for: the store's logic runs unchanged on the operating system (`RealDisk`) and on a
//! simulated disk (`SimDisk`) that loses, tears and refuses. It is not an abstraction over other kinds
//! of storage: the calls are POSIX calls with their POSIX meaning, and all of them may block.

mod real;
mod sim;
mod sim_state;

use std::fmt::Debug;
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;

pub use real::RealDisk;
pub use sim::{Fault, SimDisk};

use crate::mapped::Region;

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// Existing file, reading only.
    Read,
    /// Existing file, reading and writing.
    Write,
    /// Reading and writing; created empty when missing.
    Create,
    /// Reading and writing; emptied when it exists.
    Truncate,
}

/// One name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The last component of the path; names that are not UTF-8 are left out of listings.
    pub name: String,
    /// Whether it is a directory.
    pub is_dir: bool,
}

/// Room on the file system, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Used and available together: what is kept for others is not part of it.
    pub total: u64,
    /// What an ordinary process may still use.
    pub available: u64,
}

/// Why the lock file could not be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds it.
    #[error("held by process {pid}")]
    Held {
        /// Process id of the holder, 0 when the system does not tell.
        pid: i32,
    },
    /// The file system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Held as long as the lock shall be held.
pub trait Lock: Send + Sync + Debug {}

/// A file system.
pub trait Disk: Send + Sync + Debug {
    /// Opens a file.
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>>;
    /// Renames within the file system, replacing the target.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file's name. Open files and mappings stay usable.
    fn unlink(&self, path: &Path) -> io::Result<()>;
    /// Removes an empty directory.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;
    /// Creates a directory and its missing parents; each new name is made durable.
    fn create_dirs(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a directory durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// The names in a directory, sorted; empty when the directory is missing.
    fn list(&self, path: &Path) -> io::Result<Vec<Entry>>;
    /// Whether a file or directory of this name exists.
    fn exists(&self, path: &Path) -> bool;
    /// Room on the file system that holds `path`.
    fn space(&self, path: &Path) -> io::Result<Space>;
    /// Takes the POSIX record lock (`fcntl`) on a file, created when missing, as Java's `FileLock` does.
    fn lock(&self, path: &Path) -> Result<Box<dyn Lock>, LockError>;
}

/// An open file. All methods may be called from several threads.
pub trait DiskFile: Send + Sync + Debug {
    /// Length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Whether the length is zero.
    fn is_empty(&self) -> io::Result<bool> {
        self.len().map(|len| len == 0)
    }
    /// Time of the last modification, milliseconds since 1970.
    fn modified_ms(&self) -> io::Result<i64>;
    /// Reads at an offset; fewer bytes than asked at the end of the file.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize>;
    /// `pwritev`: writes at an offset; may write less than asked. At most 1024 slices a call.
    fn write_vectored_at(&self, offset: u64, from: &[IoSlice<'_>]) -> io::Result<usize>;
    /// Reserves blocks so that writes below `len` need no more room, and sets the length.
    fn allocate(&self, len: u64) -> io::Result<()>;
    /// Sets the length; a longer file gets a hole.
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// `fdatasync`: content and length are durable when it returns.
    fn sync(&self) -> io::Result<()>;
    /// First byte at or after `from` that may be other than zero, `None` when there is none.
    fn next_data(&self, from: u64) -> io::Result<Option<u64>>;
    /// A read-only view of the first `len` bytes, coherent with later writes.
    fn map(&self, len: u64) -> io::Result<Region>;
}

/// Reads exactly `into.len()` bytes.
pub fn read_exact(file: &dyn DiskFile, offset: u64, into: &mut [u8]) -> io::Result<()> {
    let mut done = 0;
    while let Some(rest) = into.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match file.read_at(offset + done as u64, rest)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => done += n,
        }
    }
    Ok(())
}

/// Writes all of `from`.
pub fn write_all(file: &dyn DiskFile, offset: u64, from: &[u8]) -> io::Result<()> {
    write_all_vectored(file, offset, &mut [IoSlice::new(from)])
}

/// Writes all slices one after the other; short writes are continued.
pub fn write_all_vectored(file: &dyn DiskFile, mut offset: u64, from: &mut [IoSlice<'_>]) -> io::Result<()> {
    let mut rest = from;
    IoSlice::advance_slices(&mut rest, 0);
    while !rest.is_empty() {
        let some = rest.get(..MAX_SLICES).unwrap_or(rest);
        let n = file.write_vectored_at(offset, some)?;
        if n == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        offset += n as u64;
        IoSlice::advance_slices(&mut rest, n);
    }
    Ok(())
}

/// Most slices one `pwritev` takes (`IOV_MAX`).
pub const MAX_SLICES: usize = 1024;

/// Reads a whole file.
pub fn read_file(disk: &dyn Disk, path: &Path) -> io::Result<Vec<u8>> {
    let file = disk.open(path, Open::Read)?;
    let len = usize::try_from(file.len()?).map_err(|_| io::ErrorKind::FileTooLarge)?;
    let mut content = vec![0; len];
    read_exact(&*file, 0, &mut content)?;
    Ok(content)
}

/// Replaces a file atomically and durably: temporary name, sync, rename, sync of the directory.
pub fn replace_file(disk: &dyn Disk, path: &Path, content: &[u8]) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    let temporary = Path::new(&temporary);
    let file = disk.open(temporary, Open::Truncate)?;
    write_all(&*file, 0, content)?;
    file.sync()?;
    disk.rename(temporary, path)?;
    path.parent().map_or(Ok(()), |dir| disk.sync_dir(dir))
}
