//! `gantry/snapshot`: where every queue stood when all files were durable up to one place of the log.
//!
//! Payload, after the envelope of `format::side_file`:
//!
//! |  0 | 8 | end         | commit offset; queue files hold exactly what lies below   |
//! |  8 | 8 | last        | commit offset of the last frame below, -1 for none        |
//! | 16 | 4 | last CRC    | CRC-32 over that whole frame                              |
//! | 20 | 8 | clock       | newest storeTimestamp, ms                                 |
//! | 28 | 8 | indexed     | commit offset; keys of frames below are in the key index  |
//! | 36 | 8 | put from    | commit offset; where the key index itself would go on     |
//! | 44 | 4 | queues      | how many follow                                           |
//!
//! then 36 bytes each: u32 ordinal, i64 min, i64 next, i64 first unit, i64 next unit.
//!
//! It is believed only when the frame it names is still there: a Java broker may have run in between.

use std::io;
use std::path::Path;

use crate::disk::Disk;
use crate::format::{CommitOffset, QueueOffset, Reader};
use crate::queue_index::Position;
use crate::side;

const MAGIC: [u8; 8] = *b"GNTYSNAP";
const VERSION: u16 = 1;

/// Where one queue stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct QueueSnapshot {
    pub(crate) ordinal: u32,
    pub(crate) min: QueueOffset,
    pub(crate) next: QueueOffset,
    pub(crate) at: Position,
}

/// The last frame below a place of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LastFrame {
    pub(crate) at: CommitOffset,
    pub(crate) crc: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub(crate) end: CommitOffset,
    pub(crate) last: Option<LastFrame>,
    pub(crate) clock_ms: i64,
    pub(crate) indexed: CommitOffset,
    pub(crate) put_from: CommitOffset,
    pub(crate) queues: Vec<QueueSnapshot>,
}

impl Snapshot {
    pub(crate) fn load(disk: &dyn Disk, path: &Path) -> io::Result<Option<Snapshot>> {
        Ok(side::load(disk, path, MAGIC, VERSION)?.and_then(|payload| Snapshot::decode(&payload)))
    }

    pub(crate) fn save(&self, disk: &dyn Disk, path: &Path) -> io::Result<()> {
        side::save(disk, path, MAGIC, VERSION, &self.encode())
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend_from_slice(&self.end.0.to_be_bytes());
        out.extend_from_slice(&self.last.map_or(-1, |last| last.at.0).to_be_bytes());
        out.extend_from_slice(&self.last.map_or(0, |last| last.crc).to_be_bytes());
        out.extend_from_slice(&self.clock_ms.to_be_bytes());
        out.extend_from_slice(&self.indexed.0.to_be_bytes());
        out.extend_from_slice(&self.put_from.0.to_be_bytes());
        out.extend_from_slice(&u32::try_from(self.queues.len()).unwrap_or(u32::MAX).to_be_bytes());
        for queue in &self.queues {
            out.extend_from_slice(&queue.ordinal.to_be_bytes());
            for number in [queue.min.0, queue.next.0, queue.at.first, queue.at.next] {
                out.extend_from_slice(&number.to_be_bytes());
            }
        }
        out
    }

    fn decode(payload: &[u8]) -> Option<Snapshot> {
        let mut reader = Reader::new(payload);
        let end = CommitOffset(reader.i64()?);
        let (last_at, crc) = (reader.i64()?, u32::from_be_bytes(reader.array()?));
        let last = (last_at >= 0).then_some(LastFrame { at: CommitOffset(last_at), crc });
        let clock_ms = reader.i64()?;
        let (indexed, put_from) = (CommitOffset(reader.i64()?), CommitOffset(reader.i64()?));
        let count = u32::from_be_bytes(reader.array()?);
        let mut queues = Vec::new();
        for _ in 0..count {
            queues.push(decode_queue(&mut reader)?);
        }
        reader.rest().is_empty().then_some(Snapshot { end, last, clock_ms, indexed, put_from, queues })
    }
}

fn decode_queue(reader: &mut Reader<'_>) -> Option<QueueSnapshot> {
    Some(QueueSnapshot {
        ordinal: u32::from_be_bytes(reader.array()?),
        min: QueueOffset(reader.i64()?),
        next: QueueOffset(reader.i64()?),
        at: Position { first: reader.i64()?, next: reader.i64()? },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_wrote_and_rejects_every_truncation() {
        let queue = QueueSnapshot {
            ordinal: 3,
            min: QueueOffset(1),
            next: QueueOffset(9),
            at: Position { first: 1, next: 4 },
        };
        let last = Some(LastFrame { at: CommitOffset(77), crc: 5 });
        let snapshot = Snapshot {
            end: CommitOffset(100),
            last,
            clock_ms: 8,
            indexed: CommitOffset(90),
            put_from: CommitOffset(80),
            queues: vec![queue],
        };
        let payload = snapshot.encode();
        assert_eq!(Snapshot::decode(&payload), Some(snapshot));
        assert!((0..payload.len()).all(|len| Snapshot::decode(&payload[..len]).is_none()));
    }
}
