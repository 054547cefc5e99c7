//! A disk that is read through and never written: what opens a store reads the same bytes, and what it would write
//! is forgotten. Missing files that are to be created are empty ones.

use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;

use crate::disk::{Disk, DiskFile, Entry, Lock, LockError, Open, Space};
use crate::mapped::Region;

#[derive(Debug)]
pub(super) struct Untouched {
    below: Arc<dyn Disk>,
}

impl Untouched {
    pub(super) fn new(below: Arc<dyn Disk>) -> Untouched {
        Untouched { below }
    }
}

impl Disk for Untouched {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        let file = match how {
            Open::Create | Open::Truncate if !self.below.exists(path) => None,
            Open::Truncate => None,
            Open::Read | Open::Write | Open::Create => Some(self.below.open(path, Open::Read)?),
        };
        Ok(Arc::new(ReadThrough { below: file }))
    }

    fn rename(&self, _from: &Path, _to: &Path) -> io::Result<()> {
        Ok(())
    }

    fn unlink(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn remove_dir(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn create_dirs(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn sync_dir(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        self.below.list(path)
    }

    fn exists(&self, path: &Path) -> bool {
        self.below.exists(path)
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        self.below.space(path)
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn Lock>, LockError> {
        self.below.lock(path)
    }
}

/// A file to read; without one, an empty file.
#[derive(Debug)]
struct ReadThrough {
    below: Option<Arc<dyn DiskFile>>,
}

impl DiskFile for ReadThrough {
    fn len(&self) -> io::Result<u64> {
        self.below.as_ref().map_or(Ok(0), |file| file.len())
    }

    fn modified_ms(&self) -> io::Result<i64> {
        self.below.as_ref().map_or(Ok(0), |file| file.modified_ms())
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        self.below.as_ref().map_or(Ok(0), |file| file.read_at(offset, into))
    }

    fn write_vectored_at(&self, _offset: u64, from: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(from.iter().map(|slice| slice.len()).sum())
    }

    fn allocate(&self, _len: u64) -> io::Result<()> {
        Ok(())
    }

    fn set_len(&self, _len: u64) -> io::Result<()> {
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn next_data(&self, from: u64) -> io::Result<Option<u64>> {
        self.below.as_ref().map_or(Ok(None), |file| file.next_data(from))
    }

    fn map(&self, len: u64) -> io::Result<Region> {
        self.below.as_ref().ok_or(io::ErrorKind::NotFound)?.map(len)
    }
}
