//! One BatchConsumeQueue unit: 46 bytes per frame of a queue whose frames may hold several messages.
//!
//! |  0 | 8 | offset          | commit offset of the frame                                                |
//! |  8 | 4 | size            | bytes of the whole frame                                                  |
//! | 12 | 8 | tagsCode        | hash of the tag that all messages of the frame have, else 0               |
//! | 20 | 8 | storeTime       | storeTimestamp of the frame, ms                                           |
//! | 28 | 8 | msgBaseOffset   | queue offset of the first message                                         |
//! | 36 | 2 | batchSize       | messages in the frame                                                     |
//! | 38 | 4 | compactedOffset | -1                                                                        |
//! | 42 | 4 | reserved        | the original writes 0; ours may hold a bloom of tag hashes, 0 is unknown  |
//!
//! Units stand one behind the other, so the unit of a queue offset is found by search, not by position.
//!
//! Source: RocketMQ 5.3.3 `store/queue/BatchConsumeQueue.java`.

use super::be::{i16_at, i32_at, i64_at, put};
use super::{CommitOffset, QueueOffset};

/// Bytes of a unit.
pub const LEN: usize = 46;
/// Units of one file unless configured otherwise (`mapperFileSizeBatchConsumeQueue`).
pub const UNITS_PER_FILE: u32 = 300_000;
/// compactedOffset of a unit that was never compacted.
pub const NOT_COMPACTED: i32 = -1;

const COMMIT_OFFSET: usize = 0;
const SIZE: usize = COMMIT_OFFSET + 8;
const TAGS_CODE: usize = SIZE + 4;
const STORE_TIME: usize = TAGS_CODE + 8;
const BASE_OFFSET: usize = STORE_TIME + 8;
const BATCH_SIZE: usize = BASE_OFFSET + 8;
const COMPACTED_OFFSET: usize = BATCH_SIZE + 2;
const RESERVED: usize = COMPACTED_OFFSET + 4;
const _: () = assert!(RESERVED + 4 == LEN);

/// Where the messages of one frame stand, in the CommitLog and in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchUnit {
    /// Of the frame.
    pub commit_offset: CommitOffset,
    /// Bytes of the frame.
    pub size: i32,
    /// Hash of the one tag, or 0.
    pub tags_code: i64,
    /// storeTimestamp of the frame, ms.
    pub store_time: i64,
    /// Of the first message.
    pub base_offset: QueueOffset,
    /// Messages in the frame.
    pub batch_size: i16,
    /// [`NOT_COMPACTED`].
    pub compacted_offset: i32,
    /// Bloom of tag hashes, or 0.
    pub reserved: i32,
}

impl BatchUnit {
    /// `None` where nothing was written yet: files have their full length from birth and end in zeros.
    #[must_use]
    pub fn decode(unit: &[u8; LEN]) -> Option<BatchUnit> {
        let commit_offset = CommitOffset(i64_at::<COMMIT_OFFSET, LEN>(unit));
        let size = i32_at::<SIZE, LEN>(unit);
        let base_offset = QueueOffset(i64_at::<BASE_OFFSET, LEN>(unit));
        let batch_size = i16_at::<BATCH_SIZE, LEN>(unit);
        let written = commit_offset.0 >= 0 && size > 0 && base_offset.0 >= 0 && batch_size > 0;
        written.then(|| BatchUnit {
            commit_offset,
            size,
            tags_code: i64_at::<TAGS_CODE, LEN>(unit),
            store_time: i64_at::<STORE_TIME, LEN>(unit),
            base_offset,
            batch_size,
            compacted_offset: i32_at::<COMPACTED_OFFSET, LEN>(unit),
            reserved: i32_at::<RESERVED, LEN>(unit),
        })
    }

    /// The 46 bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; LEN] {
        let mut unit = [0; LEN];
        put::<COMMIT_OFFSET, 8, LEN>(&mut unit, self.commit_offset.0.to_be_bytes());
        put::<SIZE, 4, LEN>(&mut unit, self.size.to_be_bytes());
        put::<TAGS_CODE, 8, LEN>(&mut unit, self.tags_code.to_be_bytes());
        put::<STORE_TIME, 8, LEN>(&mut unit, self.store_time.to_be_bytes());
        put::<BASE_OFFSET, 8, LEN>(&mut unit, self.base_offset.0.to_be_bytes());
        put::<BATCH_SIZE, 2, LEN>(&mut unit, self.batch_size.to_be_bytes());
        put::<COMPACTED_OFFSET, 4, LEN>(&mut unit, self.compacted_offset.to_be_bytes());
        put::<RESERVED, 4, LEN>(&mut unit, self.reserved.to_be_bytes());
        unit
    }

    /// The queue offset behind the last message.
    #[must_use]
    pub const fn next_offset(&self) -> QueueOffset {
        self.base_offset.plus(self.batch_size as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_and_reads_the_same_unit() {
        let unit = BatchUnit {
            commit_offset: CommitOffset(924),
            size: 1329,
            tags_code: -7,
            store_time: 1_795_252_107_177,
            base_offset: QueueOffset(4),
            batch_size: 10,
            compacted_offset: NOT_COMPACTED,
            reserved: 3,
        };
        assert_eq!(BatchUnit::decode(&unit.encode()), Some(unit));
        assert_eq!(unit.next_offset(), QueueOffset(14));
    }

    #[test]
    fn unwritten_and_negative_units_are_none() {
        assert_eq!(BatchUnit::decode(&[0; LEN]), None);
        assert_eq!(BatchUnit::decode(&[0xFF; LEN]), None);
    }
}
