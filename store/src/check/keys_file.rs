//! One IndexFile beside the log: its entries in their order, its chains and slots, its header.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::{Finding, Report};
use crate::disk::{self, Disk, DiskFile, Open};
use crate::format::index::{ENTRY_LEN, Entry, FIRST_ENTRY, HEADER_LEN, Header, SLOT_LEN, Shape};

/// Entries read at a time.
const PIECE: u32 = 4096;

/// A file that is read entry by entry.
#[derive(Debug)]
pub(super) struct KeysFile {
    pub(super) name: Arc<str>,
    file: Arc<dyn DiskFile>,
    shape: Shape,
    header: Header,
    /// Number of the next entry.
    number: u32,
    entry: Option<Entry>,
    buffer: Vec<u8>,
    buffer_at: u32,
    /// Newest entry of each slot so far.
    newest: HashMap<u64, u32>,
    broken: bool,
}

impl KeysFile {
    /// `None` when the file has another length than `shape` gives; that is a finding after a clean stop.
    pub(super) fn open(
        disk: &dyn Disk,
        dir: &Path,
        name: &str,
        shape: Shape,
        report: &mut Report,
    ) -> io::Result<Option<KeysFile>> {
        let file = disk.open(&dir.join(name), Open::Read)?;
        let (len, expected, name) = (file.len()?, shape.file_len(), Arc::<str>::from(name));
        let mut header = [0; HEADER_LEN];
        // Sizes cannot be read off a file without entries, so its length is not judged.
        if len >= HEADER_LEN as u64 {
            disk::read_exact(&*file, 0, &mut header)?;
        }
        let mut header = Header::decode(&header);
        if len != expected {
            if report.is_clean && header.index_count > FIRST_ENTRY {
                report.add(Finding::KeyFileLength { file: name, len, expected });
            }
            return Ok(None);
        }
        header.index_count = header.index_count.min(shape.entries);
        let (buffer, newest) = (Vec::new(), HashMap::new());
        let mut opened = KeysFile {
            name,
            file,
            shape,
            header,
            number: FIRST_ENTRY,
            entry: None,
            buffer,
            buffer_at: 0,
            newest,
            broken: false,
        };
        opened.entry = opened.read(FIRST_ENTRY)?;
        Ok(Some(opened))
    }

    /// The next entry and its number; `None` at the end of the file.
    pub(super) fn peek(&self) -> Option<(u32, Entry)> {
        self.entry.map(|entry| (self.number, entry))
    }

    /// Goes behind the next entry, after a look at its chain.
    pub(super) fn advance(&mut self, report: &mut Report) -> io::Result<()> {
        let Some((number, entry)) = self.peek() else { return Ok(()) };
        let slot = self.shape.slot_at(entry.key_hash);
        let previous = self.newest.insert(slot, number).unwrap_or(0);
        if u32::try_from(entry.prev_index) != Ok(previous) && !self.broken {
            self.broken = true;
            report.add(Finding::KeyChain { file: Arc::clone(&self.name), number });
        }
        if number == FIRST_ENTRY && self.header.begin_commit_offset != entry.commit_offset {
            self.header_differs("beginPhyOffset", report);
        }
        if number + 1 == self.header.index_count && self.header.end_commit_offset != entry.commit_offset {
            self.header_differs("endPhyOffset", report);
        }
        self.number += 1;
        self.entry = self.read(self.number)?;
        Ok(())
    }

    /// Compares the slots with the chains, once all entries were seen.
    pub(super) fn finish(&mut self, report: &mut Report) -> io::Result<()> {
        if !report.is_clean {
            return Ok(());
        }
        if i64::from(self.header.slot_count) != self.newest.len() as i64 {
            self.header_differs("hashSlotCount", report);
        }
        let mut slots: Vec<(u64, u32)> = self.newest.drain().collect();
        slots.sort_unstable();
        let mut slot = [0; SLOT_LEN];
        for (at, newest) in slots {
            disk::read_exact(&*self.file, at, &mut slot)?;
            if u32::from_be_bytes(slot) != newest && !self.broken {
                self.broken = true;
                report.add(Finding::KeyChain { file: Arc::clone(&self.name), number: newest });
            }
        }
        Ok(())
    }

    fn header_differs(&self, field: &'static str, report: &mut Report) {
        // Until an unclean stop is recovered, the header may lag behind.
        if report.is_clean {
            report.add(Finding::KeyHeader { file: Arc::clone(&self.name), field });
        }
    }

    fn read(&mut self, number: u32) -> io::Result<Option<Entry>> {
        if number >= self.header.index_count {
            return Ok(None);
        }
        let held = (self.buffer.len() / ENTRY_LEN) as u64;
        if number < self.buffer_at || u64::from(number - self.buffer_at) >= held {
            let count = PIECE.min(self.header.index_count - number) as usize;
            self.buffer.resize(count * ENTRY_LEN, 0);
            disk::read_exact(&*self.file, self.shape.entry_at(number), &mut self.buffer)?;
            self.buffer_at = number;
        }
        let skip = (number - self.buffer_at) as usize * ENTRY_LEN;
        Ok(self.buffer.get(skip..).and_then(|rest| rest.first_chunk()).map(Entry::decode))
    }
}
