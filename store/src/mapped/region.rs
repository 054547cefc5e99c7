//! A read-only view of a file that other threads append to.
//!
//! The view is a raw map, never a `&[u8]` over bytes still being written: a slice is made only of a
//! range the caller knows to be complete and final (below the published write position).

use std::fmt::Debug;
use std::fs::File;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use memmap2::{MmapOptions, MmapRaw};

use super::{residency, signal};

/// Bytes that are not memory of a file, for simulated disks.
pub trait SharedBytes: Send + Sync + Debug {
    /// Copies `into.len()` bytes at `offset`; bytes beyond the end are zero.
    fn copy_at(&self, offset: u64, into: &mut [u8]);
}

/// A view of the first bytes of one file. Cheap to clone; unmapped when the last clone and the last
/// slice are gone, also when the file's name was removed meanwhile.
#[derive(Clone, Debug)]
pub struct Region(Source);

#[derive(Clone, Debug)]
enum Source {
    Mapped(Arc<Mapped>),
    Shared(Arc<dyn SharedBytes>, u64),
}

#[derive(Debug)]
struct Mapped {
    map: MmapRaw,
    _registered: signal::Registered,
}

impl Region {
    /// Maps the first `len` bytes of `file`; `name` is what the SIGBUS handler prints.
    pub(crate) fn map(file: &File, len: u64, name: Arc<str>) -> io::Result<Region> {
        signal::install();
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let map = MmapOptions::new().len(len).map_raw_read_only(file)?;
        let _registered = signal::register(map.as_ptr() as usize, map.len(), name);
        Ok(Region(Source::Mapped(Arc::new(Mapped { map, _registered }))))
    }

    /// A view of bytes held elsewhere; slices are copies.
    pub fn shared(source: Arc<dyn SharedBytes>, len: u64) -> Region {
        Region(Source::Shared(source, len))
    }

    /// Length of the view in bytes.
    pub fn len(&self) -> u64 {
        match &self.0 {
            Source::Mapped(mapped) => mapped.map.len() as u64,
            Source::Shared(_, len) => *len,
        }
    }

    /// Whether the view has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes `[offset, offset + len)`, or `None` when they reach beyond the view.
    ///
    /// The caller passes only ranges that were published as written: they never change again.
    pub(crate) fn slice(&self, offset: u64, len: usize) -> Option<Bytes> {
        if offset.checked_add(len as u64)? > self.len() {
            return None;
        }
        match &self.0 {
            Source::Mapped(mapped) => {
                let offset = usize::try_from(offset).ok()?;
                Some(Bytes::from_owner(Published { mapped: Arc::clone(mapped), offset, len }))
            }
            Source::Shared(source, _) => {
                let mut copy = vec![0; len];
                source.copy_at(offset, &mut copy);
                Some(Bytes::from(copy))
            }
        }
    }

    /// Whether all pages of a range are in memory, so that reading them needs no disk.
    pub(crate) fn is_resident(&self, offset: u64, len: usize) -> bool {
        match &self.0 {
            Source::Mapped(mapped) => usize::try_from(offset)
                .is_ok_and(|offset| residency::resident(mapped.map.as_ptr() as usize, offset, len)),
            Source::Shared(..) => true,
        }
    }
}

/// A published range of a map, owner of the `Bytes` made from it.
struct Published {
    mapped: Arc<Mapped>,
    offset: usize,
    len: usize,
}

impl AsRef<[u8]> for Published {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: `Region::slice` checked that the range lies inside the map, the map lives as long as
        // `self`, and the store hands out only ranges below its write position, whose bytes nobody
        // writes again; the file is never truncated while it is mapped.
        unsafe { std::slice::from_raw_parts(self.mapped.map.as_ptr().add(self.offset), self.len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn sees_bytes_written_after_it_was_mapped() {
        let mut file = tempfile::tempfile().unwrap();
        file.set_len(8192).unwrap();
        let region = Region::map(&file, 8192, Arc::from("a file")).unwrap();
        file.write_all(b"abcdef").unwrap();
        assert_eq!(&region.slice(2, 3).unwrap()[..], b"cde");
        assert!(region.is_resident(0, 6));
        assert!(region.slice(8190, 3).is_none());
        let kept = region.slice(0, 6).unwrap();
        drop(region);
        assert_eq!(&kept[..], b"abcdef");
    }
}
