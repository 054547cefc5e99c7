//! A journal of small checksummed records that survives a kill: one `pwrite` a record, no sync.
//!
//! Power loss may take its tail, which the owner's contract must allow (a committed consumer offset may go
//! back, never forward). The owner folds it into a state file from time to time: [`Journal::begin_fold`] sets
//! the records so far aside, and once the state file stands on disk [`Journal::end_fold`] drops them.
//! Replaying a record twice must be harmless; the last one wins.
//!
//! | 0 | 4 | payload length | big-endian, at most [`MAX_RECORD`] |
//! | 4 | 4 | CRC-32 | of the payload |
//! | 8 | n | payload | |

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Disk, DiskFile, Open, read_file, write_all};

/// Largest payload in bytes; a longer length field is the end of what was written whole.
pub const MAX_RECORD: usize = 1 << 20;

const LENGTH: usize = 0;
const CRC: usize = LENGTH + 4;
const HEAD_LEN: usize = CRC + 4;

/// An open journal; dropping it loses nothing.
#[derive(Debug)]
pub struct Journal {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    file: Arc<dyn DiskFile>,
    end: u64,
    frame: Vec<u8>,
}

impl Journal {
    /// Opens the journal at `path`, shows `visit` every record that was written whole, oldest first, and cuts
    /// what follows them. Blocks on the disk.
    ///
    /// # Errors
    /// The disk's.
    pub fn open(disk: Arc<dyn Disk>, path: PathBuf, mut visit: impl FnMut(&[u8])) -> io::Result<Self> {
        let aside = aside(&path);
        if disk.exists(&aside) {
            replay(&read_file(&*disk, &aside)?, &mut visit);
        }
        let file = disk.open(&path, Open::Create)?;
        let end = replay(&read_file(&*disk, &path)?, &mut visit);
        file.set_len(end)?;
        Ok(Self { disk, path, file, end, frame: Vec::new() })
    }

    /// Appends one record; it survives a kill of the process once this returns.
    ///
    /// # Errors
    /// `InvalidInput` for a record above [`MAX_RECORD`], else the disk's; nothing is appended then.
    pub fn append(&mut self, record: &[u8]) -> io::Result<()> {
        let length = u32::try_from(record.len()).ok().filter(|_| record.len() <= MAX_RECORD);
        let length = length.ok_or(io::ErrorKind::InvalidInput)?;
        self.frame.clear();
        self.frame.extend_from_slice(&length.to_be_bytes());
        self.frame.extend_from_slice(&crc32fast::hash(record).to_be_bytes());
        self.frame.extend_from_slice(record);
        write_all(&*self.file, self.end, &self.frame)?;
        self.end += self.frame.len() as u64;
        Ok(())
    }

    /// Whether a restart would find no record: nothing to fold.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.end == 0 && !self.disk.exists(&aside(&self.path))
    }

    /// Sets the records so far aside; later ones go to a fresh file. Call it in the same critical section that
    /// takes the picture of the state. Does nothing while records of an unfinished fold stand aside.
    ///
    /// # Errors
    /// The disk's; the journal goes on as before.
    pub fn begin_fold(&mut self) -> io::Result<()> {
        let aside = aside(&self.path);
        if self.end == 0 || self.disk.exists(&aside) {
            return Ok(());
        }
        self.disk.rename(&self.path, &aside)?;
        self.file = self.disk.open(&self.path, Open::Create)?;
        self.end = 0;
        Ok(())
    }

    /// Drops the records set aside; call it once the state that holds them stands on disk.
    ///
    /// # Errors
    /// The disk's.
    pub fn end_fold(&mut self) -> io::Result<()> {
        let aside = aside(&self.path);
        if self.disk.exists(&aside) { self.disk.unlink(&aside) } else { Ok(()) }
    }
}

fn aside(path: &Path) -> PathBuf {
    path.with_added_extension("old")
}

/// Visits the whole records at the front of `bytes`; gives their length together.
fn replay(bytes: &[u8], visit: &mut impl FnMut(&[u8])) -> u64 {
    let mut rest = bytes;
    while let Some((record, after)) = next_record(rest) {
        visit(record);
        rest = after;
    }
    (bytes.len() - rest.len()) as u64
}

fn next_record(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<HEAD_LEN>()?;
    let length = u32::from_be_bytes(*head.first_chunk::<4>()?) as usize;
    let crc = u32::from_be_bytes(*head.last_chunk::<4>()?);
    let (record, after) = rest.split_at_checked(length).filter(|_| length <= MAX_RECORD)?;
    (crc32fast::hash(record) == crc).then_some((record, after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;

    fn open(dir: &Path) -> (Journal, Vec<Vec<u8>>) {
        let mut seen = Vec::new();
        let journal = Journal::open(Arc::new(RealDisk), dir.join("j"), |r| seen.push(r.to_vec())).unwrap();
        (journal, seen)
    }

    #[test]
    fn gives_back_whole_records_and_cuts_a_torn_one() {
        let dir = tempfile::tempdir().unwrap();
        let (mut journal, _) = open(dir.path());
        journal.append(b"one").unwrap();
        journal.append(b"two").unwrap();
        let whole = std::fs::read(dir.path().join("j")).unwrap();
        for cut in 0..whole.len() {
            std::fs::write(dir.path().join("j"), &whole[..cut]).unwrap();
            let (journal, seen) = open(dir.path());
            assert_eq!(seen.len(), usize::from(cut >= 11), "{cut} bytes");
            assert_eq!(journal.end, seen.len() as u64 * 11);
        }
    }

    #[test]
    fn a_fold_loses_nothing_at_any_point() {
        let dir = tempfile::tempdir().unwrap();
        let (mut journal, _) = open(dir.path());
        journal.append(b"old").unwrap();
        journal.begin_fold().unwrap();
        journal.append(b"new").unwrap();
        assert_eq!(open(dir.path()).1, [b"old".to_vec(), b"new".to_vec()]);
        journal.end_fold().unwrap();
        assert_eq!(open(dir.path()).1, [b"new".to_vec()]);
    }
}
