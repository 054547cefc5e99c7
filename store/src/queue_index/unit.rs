//! One unit of either kind, in one shape: which frame holds which messages of a queue.
//!
//! The bytes are `format::consume_queue` and `format::batch_consume_queue`; nothing here knows a file.

use crate::config::QueueKind;
use crate::format::batch_consume_queue::{self, BatchUnit, NOT_COMPACTED};
use crate::format::consume_queue;
use crate::format::{CommitOffset, QueueOffset};

/// Where the messages of one frame stand, in the queue and in the CommitLog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Of the first message in the frame.
    pub queue_offset: QueueOffset,
    /// Messages in the frame, 1 to 32,767.
    pub records: i16,
    /// Of the frame.
    pub commit_offset: CommitOffset,
    /// Bytes of the frame.
    pub size: u32,
    /// Hash of the tag; due time in ms in the schedule topic; 0 for none or several.
    pub tags_code: i64,
    /// storeTimestamp of the frame in ms; 0 where the unit does not tell (20-byte units).
    pub store_timestamp: i64,
}

impl Unit {
    /// The queue offset behind the last message.
    pub const fn next_offset(&self) -> QueueOffset {
        self.queue_offset.plus(self.records as i64)
    }

    /// First byte behind the frame.
    pub const fn frame_end(&self) -> CommitOffset {
        self.commit_offset.plus(self.size as i64)
    }

    /// Bytes of a unit of this kind.
    pub(crate) const fn len(kind: QueueKind) -> usize {
        match kind {
            QueueKind::Simple => consume_queue::LEN,
            QueueKind::Batch => batch_consume_queue::LEN,
        }
    }

    /// Appends the 20 or 46 bytes.
    pub(crate) fn encode(&self, kind: QueueKind, out: &mut Vec<u8>) {
        match kind {
            QueueKind::Simple => out.extend_from_slice(&self.simple().encode()),
            QueueKind::Batch => out.extend_from_slice(&self.batch().encode()),
        }
    }

    fn simple(&self) -> consume_queue::Unit {
        consume_queue::Unit {
            commit_offset: self.commit_offset,
            size: self.size.cast_signed(),
            tags_code: self.tags_code,
        }
    }

    fn batch(&self) -> BatchUnit {
        BatchUnit {
            commit_offset: self.commit_offset,
            size: self.size.cast_signed(),
            tags_code: self.tags_code,
            store_time: self.store_timestamp,
            base_offset: self.queue_offset,
            batch_size: self.records,
            compacted_offset: NOT_COMPACTED,
            reserved: 0,
        }
    }

    /// The unit numbered `index` of its queue; `None` where nothing was written.
    pub(crate) fn decode(kind: QueueKind, index: i64, bytes: &[u8]) -> Option<Unit> {
        match kind {
            QueueKind::Simple => {
                let unit = consume_queue::Unit::decode(bytes.first_chunk()?)?;
                Some(Unit {
                    queue_offset: QueueOffset(index),
                    records: 1,
                    commit_offset: unit.commit_offset,
                    size: unit.size.cast_unsigned(),
                    tags_code: unit.tags_code,
                    store_timestamp: 0,
                })
            }
            QueueKind::Batch => {
                let unit = BatchUnit::decode(bytes.first_chunk()?)?;
                Some(Unit {
                    queue_offset: unit.base_offset,
                    records: unit.batch_size,
                    commit_offset: unit.commit_offset,
                    size: unit.size.cast_unsigned(),
                    tags_code: unit.tags_code,
                    store_timestamp: unit.store_time,
                })
            }
        }
    }

    /// What stands in a 20-byte queue for a message that no frame holds.
    pub(crate) fn filler(index: i64) -> Unit {
        let filler = consume_queue::Unit::FILLER;
        Unit {
            queue_offset: QueueOffset(index),
            records: 1,
            commit_offset: filler.commit_offset,
            size: filler.size.cast_unsigned(),
            tags_code: filler.tags_code,
            store_timestamp: 0,
        }
    }

    /// Whether this stands for a message that no frame holds.
    pub(crate) fn is_filler(&self) -> bool {
        self.simple().is_filler()
    }
}
