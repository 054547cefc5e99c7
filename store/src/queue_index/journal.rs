//! `gantry/queues`: which queues exist, in the order of their birth. A queue's ordinal is the count of
//! creations before it, so it never changes and is never used twice.
//!
//! | 0 | 8 | magic `GNTYQUES` |
//!
//! then rows, appended:
//!
//! |  0 | 2 | length | bytes of the payload                                     |
//! |  2 | n | payload| op 1: u8 kind, i32 queue id, topic                       |
//! |    |   |        | op 2: i64 commit offset, topic (the topic was removed)   |
//! |    | 4 | CRC-32 | over length and payload                                  |
//!
//! A row is written without a sync; the flusher syncs the journal before it syncs frames, so a durable frame
//! has a durable queue. Reading stops at the first row that is not intact.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::config::QueueKind;
use crate::disk::{self, Disk, DiskFile, Open};
use crate::format::{CommitOffset, Reader};

const MAGIC: [u8; 8] = *b"GNTYQUES";
const CREATED: u8 = 1;
const REMOVED: u8 = 2;

/// One row of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Row {
    /// A queue was created.
    Created { kind: QueueKind, id: i32, topic: String },
    /// A topic was removed; frames of it below this place belong to no queue.
    Removed { at: CommitOffset, topic: String },
}

#[derive(Debug)]
pub(crate) struct Journal {
    file: Arc<dyn DiskFile>,
    end: u64,
    unsynced: AtomicBool,
}

impl Journal {
    /// Opens the journal and reads its rows.
    pub(crate) fn open(disk: &dyn Disk, path: &Path) -> io::Result<(Journal, Vec<Row>)> {
        let file = disk.open(path, Open::Create)?;
        let mut content = vec![0; usize::try_from(file.len()?).map_err(|_| io::ErrorKind::FileTooLarge)?];
        disk::read_exact(&*file, 0, &mut content)?;
        let mut rows = Vec::new();
        let end = match content.strip_prefix(&MAGIC) {
            Some(mut rest) => {
                while let Some((row, behind)) = decode(rest) {
                    rows.push(row);
                    rest = behind;
                }
                (content.len() - rest.len()) as u64
            }
            None => {
                disk::write_all(&*file, 0, &MAGIC)?;
                MAGIC.len() as u64
            }
        };
        file.set_len(end)?;
        file.sync()?;
        path.parent().map_or(Ok(()), |dir| disk.sync_dir(dir))?;
        Ok((Journal { file, end, unsynced: AtomicBool::new(false) }, rows))
    }

    /// Appends a row; durable after the next [`Journal::sync`].
    pub(crate) fn append(&mut self, row: &Row) -> io::Result<()> {
        let bytes = encode(row)?;
        disk::write_all(&*self.file, self.end, &bytes)?;
        self.end += bytes.len() as u64;
        self.unsynced.store(true, Ordering::Release);
        Ok(())
    }

    /// Makes all rows durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        if self.unsynced.swap(false, Ordering::AcqRel) { self.file.sync() } else { Ok(()) }
    }
}

fn encode(row: &Row) -> io::Result<Vec<u8>> {
    let mut payload = Vec::new();
    match row {
        Row::Created { kind, id, topic } => {
            payload.extend([CREATED, kind_code(*kind)]);
            payload.extend_from_slice(&id.to_be_bytes());
            payload.extend_from_slice(topic.as_bytes());
        }
        Row::Removed { at, topic } => {
            payload.push(REMOVED);
            payload.extend_from_slice(&at.0.to_be_bytes());
            payload.extend_from_slice(topic.as_bytes());
        }
    }
    let length = u16::try_from(payload.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.append(&mut payload);
    let crc = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&crc.to_be_bytes());
    Ok(bytes)
}

fn decode(bytes: &[u8]) -> Option<(Row, &[u8])> {
    let mut reader = Reader::new(bytes);
    let length = usize::from(u16::from_be_bytes(reader.array()?));
    let mut payload = Reader::new(reader.bytes(length)?);
    let crc = u32::from_be_bytes(reader.array()?);
    if crc32fast::hash(bytes.get(..2 + length)?) != crc {
        return None;
    }
    let row = match payload.array::<1>()? {
        [CREATED] => {
            let kind = kind_of(payload.array::<1>()?)?;
            let id = payload.i32()?;
            Row::Created { kind, id, topic: str::from_utf8(payload.rest()).ok()?.to_owned() }
        }
        [REMOVED] => {
            let at = CommitOffset(payload.i64()?);
            Row::Removed { at, topic: str::from_utf8(payload.rest()).ok()?.to_owned() }
        }
        _ => return None,
    };
    Some((row, reader.rest()))
}

fn kind_code(kind: QueueKind) -> u8 {
    match kind {
        QueueKind::Simple => 0,
        QueueKind::Batch => 1,
    }
}

fn kind_of(code: [u8; 1]) -> Option<QueueKind> {
    match code {
        [0] => Some(QueueKind::Simple),
        [1] => Some(QueueKind::Batch),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::SimDisk;

    #[test]
    fn reads_rows_back_and_stops_at_a_torn_one() {
        let disk = SimDisk::new(1);
        disk.create_dirs(Path::new("/s")).unwrap();
        let path = Path::new("/s/queues");
        let (mut journal, rows) = Journal::open(&disk, path).unwrap();
        assert!(rows.is_empty());
        let created = Row::Created { kind: QueueKind::Batch, id: 7, topic: "t".to_owned() };
        let removed = Row::Removed { at: CommitOffset(99), topic: "t".to_owned() };
        journal.append(&created).unwrap();
        journal.append(&removed).unwrap();
        let last = usize::try_from(journal.end).unwrap() - 1;
        assert_eq!(Journal::open(&disk, path).unwrap().1, [created.clone(), removed]);
        disk.damage(path, last, |byte| !byte).unwrap();
        assert_eq!(Journal::open(&disk, path).unwrap().1, [created]);
    }
}
