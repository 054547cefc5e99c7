//! One IndexFile: entries go to its end, slots point at the newest entry of their chain.
//!
//! The header in the file says what is complete. A flush writes and syncs entries, then slots, then the header, so
//! that after a crash slots may point behind the header's count but never at an entry that is not there.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::KeyIndexError;
use super::slots::Slots;
use crate::disk::{Disk, DiskFile, Open, read_exact, write_all};
use crate::format::CommitOffset;
use crate::format::index::{ENTRY_LEN, Entry, FIRST_ENTRY, HEADER_LEN, Header, SLOT_LEN, Shape};

/// Entries are written to the file in blocks of about this many bytes.
const BLOCK_LEN: usize = 64 * 1024;

/// An open file.
#[derive(Debug)]
pub(super) struct IndexFile {
    file: Arc<dyn DiskFile>,
    path: PathBuf,
    shape: Shape,
    header: Header,
    /// The header as it is durable in the file.
    flushed: Header,
    slots: Slots,
    /// Entries not yet written to the file; the first one has number `pending_from`.
    pending: Vec<u8>,
    pending_from: u32,
}

impl IndexFile {
    /// Opens an existing file.
    pub(super) fn open(disk: &dyn Disk, path: PathBuf, shape: Shape) -> Result<IndexFile, KeyIndexError> {
        let refused = |source| KeyIndexError::Disk { path: path.clone(), source };
        let file = disk.open(&path, Open::Write).map_err(refused)?;
        let (len, expected) = (file.len().map_err(refused)?, shape.file_len());
        if len != expected {
            return Err(KeyIndexError::Length { path, len, expected });
        }
        let mut bytes = [0; HEADER_LEN];
        read_exact(&*file, 0, &mut bytes).map_err(refused)?;
        let mut header = Header::decode(&bytes);
        header.index_count = header.index_count.min(shape.entries.max(FIRST_ENTRY));
        Ok(IndexFile::with_header(file, path, shape, header))
    }

    /// Makes a new file of full length. Until its first entry the header carries on that of `previous`, as the
    /// original does.
    pub(super) fn create(
        disk: &dyn Disk,
        path: PathBuf,
        shape: Shape,
        previous: Option<&Header>,
    ) -> Result<IndexFile, KeyIndexError> {
        let make = || {
            let file = disk.open(&path, Open::Truncate)?;
            file.allocate(shape.file_len())?;
            file.sync()?;
            Ok(file)
        };
        let file = make().map_err(|source| KeyIndexError::Disk { path: path.clone(), source })?;
        let header = previous.map_or(Header::EMPTY, |previous| Header {
            begin_timestamp: previous.end_timestamp,
            end_timestamp: previous.end_timestamp,
            begin_commit_offset: previous.end_commit_offset,
            end_commit_offset: previous.end_commit_offset,
            ..Header::EMPTY
        });
        let mut created = IndexFile::with_header(file, path, shape, header);
        created.flushed = Header::EMPTY;
        Ok(created)
    }

    fn with_header(file: Arc<dyn DiskFile>, path: PathBuf, shape: Shape, header: Header) -> IndexFile {
        let pending_from = header.index_count;
        let slots = Slots::new(shape);
        IndexFile { file, path, shape, header, flushed: header, slots, pending: Vec::new(), pending_from }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn header(&self) -> &Header {
        &self.header
    }

    pub(super) fn is_empty(&self) -> bool {
        self.header.index_count <= FIRST_ENTRY
    }

    pub(super) fn is_full(&self) -> bool {
        self.header.index_count >= self.shape.entries
    }

    pub(super) fn flushed_timestamp(&self) -> i64 {
        self.flushed.end_timestamp
    }

    /// Whether some entry is of a frame before `end`.
    pub(super) fn begins_before(&self, end: CommitOffset) -> bool {
        !self.is_empty() && self.header.begin_commit_offset < end
    }

    /// Whether frames of the file were stored between `begin` and `end`, ms, both included.
    pub(super) fn overlaps(&self, begin: i64, end: i64) -> bool {
        begin <= self.header.end_timestamp && self.header.begin_timestamp <= end
    }

    /// Appends an entry. The file must not be full.
    pub(super) fn put(
        &mut self,
        key_hash: i32,
        commit_offset: CommitOffset,
        store_timestamp: i64,
    ) -> Result<(), KeyIndexError> {
        let number = self.header.index_count;
        let slot = self.slot_of(key_hash);
        let previous =
            self.slots.replace(&*self.file, slot, number).map_err(|source| self.refused(source))?;
        let previous = self.known(previous);
        let entry = Entry {
            key_hash,
            commit_offset,
            time_diff: self.time_diff(store_timestamp),
            prev_index: previous.cast_signed(),
        };
        self.pending.extend_from_slice(&entry.encode());
        if number == FIRST_ENTRY {
            self.header.begin_commit_offset = commit_offset;
            self.header.begin_timestamp = store_timestamp;
        }
        self.header.slot_count = self.header.slot_count.saturating_add(i32::from(previous == 0));
        self.header.index_count = number + 1;
        self.header.end_commit_offset = commit_offset;
        self.header.end_timestamp = store_timestamp;
        if self.pending.len() >= BLOCK_LEN || self.is_full() {
            self.write_entries().map_err(|source| self.refused(source))?;
        }
        Ok(())
    }

    /// Appends to `found`, newest first, the frames with `key_hash` stored between `begin` and `end`, ms.
    pub(super) fn query(
        &self,
        key_hash: i32,
        max: usize,
        begin: i64,
        end: i64,
        found: &mut Vec<CommitOffset>,
    ) -> Result<(), KeyIndexError> {
        let slot = self.slot(key_hash).map_err(|source| self.refused(source))?;
        let mut number = self.known(slot);
        while number > 0 && found.len() < max {
            let entry = self.entry(number).map_err(|source| self.refused(source))?;
            let stored = self.header.begin_timestamp.saturating_add(i64::from(entry.time_diff) * 1000);
            if entry.time_diff < 0 {
                break;
            }
            if entry.key_hash == key_hash && begin <= stored && stored <= end {
                found.push(entry.commit_offset);
            }
            if stored < begin {
                break;
            }
            number = previous(&entry, number);
        }
        Ok(())
    }

    /// Makes everything durable: entries, then slots, then the header.
    pub(super) fn flush(&mut self) -> Result<(), KeyIndexError> {
        if self.flushed == self.header {
            return Ok(());
        }
        self.flush_parts().map_err(|source| self.refused(source))
    }

    fn flush_parts(&mut self) -> io::Result<()> {
        self.write_entries()?;
        self.file.sync()?;
        self.slots.write_out(&*self.file)?;
        self.file.sync()?;
        write_all(&*self.file, 0, &self.header.encode())?;
        self.file.sync()?;
        self.flushed = self.header;
        if self.is_full() {
            self.slots = Slots::new(Shape { slots: 0, ..self.shape });
        }
        Ok(())
    }

    /// Makes slots agree with the header: those that point behind its count go back to an entry before it.
    pub(super) fn repair(&mut self) -> Result<(), KeyIndexError> {
        self.settle_slots().map_err(|source| self.refused(source))
    }

    /// Forgets entries of frames at or behind `end`, durably.
    pub(super) fn truncate(&mut self, end: CommitOffset) -> Result<(), KeyIndexError> {
        if self.is_empty() || self.header.end_commit_offset < end {
            return Ok(());
        }
        self.truncate_parts(end).map_err(|source| self.refused(source))
    }

    fn truncate_parts(&mut self, end: CommitOffset) -> io::Result<()> {
        self.write_entries()?;
        let mut last = None;
        while self.header.index_count > FIRST_ENTRY {
            let entry = self.entry(self.header.index_count - 1)?;
            if entry.commit_offset < end {
                last = Some(entry);
                break;
            }
            self.header.index_count -= 1;
        }
        self.pending_from = self.header.index_count;
        self.header.end_commit_offset =
            last.map_or(self.header.begin_commit_offset, |entry| entry.commit_offset);
        self.header.end_timestamp = self.end_timestamp(last);
        // The header goes first: with fewer entries counted, slots behind it are repaired after any crash.
        write_all(&*self.file, 0, &self.header.encode())?;
        self.file.sync()?;
        self.settle_slots()
    }

    /// The latest time at which the last entry may have been stored; seconds are all the file knows.
    fn end_timestamp(&self, last: Option<Entry>) -> i64 {
        let begin = self.header.begin_timestamp;
        match last {
            Some(entry) if self.header.index_count > FIRST_ENTRY + 1 => {
                let latest = begin.saturating_add(i64::from(entry.time_diff) * 1000).saturating_add(999);
                latest.min(self.header.end_timestamp)
            }
            _ => begin,
        }
    }

    fn settle_slots(&mut self) -> io::Result<()> {
        self.slots = Slots::new(self.shape);
        let mut used = 0;
        for slot in 0..self.slots.len() {
            let pointed = self.slots.read(&*self.file, slot)?;
            let mut number = pointed;
            while number >= self.header.index_count {
                number = if number < self.shape.entries { previous(&self.entry(number)?, number) } else { 0 };
            }
            if number != pointed {
                self.slots.replace(&*self.file, slot, number)?;
            }
            used += i32::from(number > 0);
        }
        self.header.slot_count = used;
        self.flush_parts()?;
        self.slots = Slots::new(self.shape);
        Ok(())
    }

    fn write_entries(&mut self) -> io::Result<()> {
        write_all(&*self.file, self.shape.entry_at(self.pending_from), &self.pending)?;
        self.pending.clear();
        self.pending_from = self.header.index_count;
        Ok(())
    }

    /// What the slot of `key_hash` holds.
    fn slot(&self, key_hash: i32) -> io::Result<u32> {
        if let Some(number) = self.slots.cached(self.slot_of(key_hash)) {
            return Ok(number);
        }
        let mut slot = [0; SLOT_LEN];
        read_exact(&*self.file, self.shape.slot_at(key_hash), &mut slot)?;
        Ok(u32::from_be_bytes(slot))
    }

    fn slot_of(&self, key_hash: i32) -> usize {
        (self.shape.slot_at(key_hash) as usize - HEADER_LEN) / SLOT_LEN
    }

    fn entry(&self, number: u32) -> io::Result<Entry> {
        if let Some(at) = number.checked_sub(self.pending_from)
            && let Some(entry) =
                self.pending.get(at as usize * ENTRY_LEN..).and_then(|rest| rest.first_chunk())
        {
            return Ok(Entry::decode(entry));
        }
        let mut entry = [0; ENTRY_LEN];
        read_exact(&*self.file, self.shape.entry_at(number), &mut entry)?;
        Ok(Entry::decode(&entry))
    }

    /// An entry number from a slot, 0 when there is no such entry.
    fn known(&self, number: u32) -> u32 {
        if number < self.header.index_count { number } else { 0 }
    }

    /// Whole seconds since the first entry; the first entry of a file counts from the end of the previous one.
    fn time_diff(&self, store_timestamp: i64) -> i32 {
        if self.header.begin_timestamp <= 0 {
            return 0;
        }
        let seconds = store_timestamp.saturating_sub(self.header.begin_timestamp) / 1000;
        i32::try_from(seconds.max(0)).unwrap_or(i32::MAX)
    }

    fn refused(&self, source: io::Error) -> KeyIndexError {
        KeyIndexError::Disk { path: self.path.clone(), source }
    }
}

/// The next older entry of the chain, 0 for none. Numbers descend along a chain, so damage cannot make a circle.
fn previous(entry: &Entry, number: u32) -> u32 {
    u32::try_from(entry.prev_index).ok().filter(|previous| *previous < number).unwrap_or(0)
}
