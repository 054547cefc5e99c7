//! One ConsumeQueue unit: 20 bytes per message of a queue, written once.
//!
//! |  0 | 8 | offset   | commit offset of the frame                                            |
//! |  8 | 4 | size     | bytes of the whole frame                                              |
//! | 12 | 8 | tagsCode | hash of the tag; due time in ms inside `SCHEDULE_TOPIC_XXXX`          |
//!
//! The unit of queue offset n stands at byte n * 20 of the queue's files, taken as one. In a queue that does not
//! begin at 0 the units before its first one are [`Unit::FILLER`].
//!
//! Source: RocketMQ 5.3.3 `store/ConsumeQueue.java`.

use super::be::{i32_at, i64_at, put};
use super::{CommitOffset, QueueOffset};

/// Bytes of a unit.
pub const LEN: usize = 20;
/// Units of one file unless configured otherwise (`mappedFileSizeConsumeQueue`).
pub const UNITS_PER_FILE: u32 = 300_000;

const COMMIT_OFFSET: usize = 0;
const SIZE: usize = COMMIT_OFFSET + 8;
const TAGS_CODE: usize = SIZE + 4;
const _: () = assert!(TAGS_CODE + 8 == LEN);

/// Where one message of a queue stands in the CommitLog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Of the frame.
    pub commit_offset: CommitOffset,
    /// Bytes of the frame.
    pub size: i32,
    /// Hash of the tag, or due time.
    pub tags_code: i64,
}

impl Unit {
    /// Stands for each message before the first one of a queue that does not begin at 0.
    pub const FILLER: Unit = Unit { commit_offset: CommitOffset(0), size: i32::MAX, tags_code: 0 };

    /// `None` where nothing was written yet: files have their full length from birth and end in zeros.
    #[must_use]
    pub fn decode(unit: &[u8; LEN]) -> Option<Unit> {
        let commit_offset = CommitOffset(i64_at::<COMMIT_OFFSET, LEN>(unit));
        let size = i32_at::<SIZE, LEN>(unit);
        let written = commit_offset.0 >= 0 && size > 0;
        written.then(|| Unit { commit_offset, size, tags_code: i64_at::<TAGS_CODE, LEN>(unit) })
    }

    /// The 20 bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; LEN] {
        let mut unit = [0; LEN];
        put::<COMMIT_OFFSET, 8, LEN>(&mut unit, self.commit_offset.0.to_be_bytes());
        put::<SIZE, 4, LEN>(&mut unit, self.size.to_be_bytes());
        put::<TAGS_CODE, 8, LEN>(&mut unit, self.tags_code.to_be_bytes());
        unit
    }

    /// Whether this is [`Unit::FILLER`] and points at no frame.
    #[must_use]
    pub fn is_filler(&self) -> bool {
        *self == Unit::FILLER
    }
}

/// At which byte of the queue's files, taken as one, the unit of `offset` stands.
#[must_use]
pub const fn position(offset: QueueOffset) -> i64 {
    offset.0.saturating_mul(LEN as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_and_reads_the_same_unit() {
        let unit = Unit { commit_offset: CommitOffset(1_757_954), size: 384, tags_code: -2_598_936 };
        assert_eq!(Unit::decode(&unit.encode()), Some(unit));
        assert!(Unit::decode(&Unit::FILLER.encode()).is_some_and(|unit| unit.is_filler()));
    }

    #[test]
    fn unwritten_and_negative_units_are_none() {
        assert_eq!(Unit::decode(&[0; LEN]), None);
        assert_eq!(Unit::decode(&[0xFF; LEN]), None);
    }
}
