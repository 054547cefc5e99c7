//! Where a record time stands in a queue: running maxima of the record timestamps, block by block.
//!
//! Record times of Kafka need not rise, and queue units hold the store time only. The first record at or after a
//! time is where the running maximum first reaches it, so one maximum per block finds the block; its frames are
//! then read. Lives in memory; after a start it is empty and catches up with the first question.

use gantry_store::format::QueueOffset;

/// Frames a block holds: 16 bytes of memory for so many.
const BLOCK_FRAMES: u32 = 256;

/// The index of one queue.
#[derive(Debug, Default)]
pub(super) struct TimeIndex {
    blocks: Vec<Block>,
    frames_in_last: u32,
    next: Option<QueueOffset>,
}

#[derive(Clone, Copy, Debug)]
struct Block {
    start: QueueOffset,
    /// Of everything up to the end of this block.
    max_timestamp: i64,
}

impl TimeIndex {
    /// First offset that is not covered, `None` while nothing is.
    #[must_use]
    pub(super) fn next(&self) -> Option<QueueOffset> {
        self.next
    }

    /// Takes a frame in; ignored unless it continues what is covered (or `first` says that it begins the index).
    pub(super) fn push(&mut self, offset: QueueOffset, records: i64, max_timestamp: i64, first: bool) {
        if self.next != Some(offset) && !(first && self.next.is_none()) {
            return;
        }
        let before = self.blocks.last().map_or(i64::MIN, |block| block.max_timestamp);
        let max_timestamp = max_timestamp.max(before);
        match self.blocks.last_mut() {
            Some(last) if self.frames_in_last < BLOCK_FRAMES => last.max_timestamp = max_timestamp,
            _ => {
                self.blocks.push(Block { start: offset, max_timestamp });
                self.frames_in_last = 0;
            }
        }
        self.frames_in_last += 1;
        self.next = Some(offset.plus(records));
    }

    /// Where to look for the first record at or after `timestamp`; `None` when there is none.
    #[must_use]
    pub(super) fn block_of(&self, timestamp: i64) -> Option<QueueOffset> {
        let at = self.blocks.partition_point(|block| block.max_timestamp < timestamp);
        self.blocks.get(at).map(|block| block.start)
    }

    /// The greatest timestamp seen.
    #[must_use]
    pub(super) fn max_timestamp(&self) -> Option<i64> {
        self.blocks.last().map(|block| block.max_timestamp)
    }

    /// Forgets blocks that lie wholly below `min`: their records were deleted.
    pub(super) fn trim(&mut self, min: QueueOffset) {
        let keep = self.blocks.partition_point(|block| block.start <= min).saturating_sub(1);
        self.blocks.drain(..keep);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_block_in_which_the_running_maximum_reaches_the_time() {
        let mut index = TimeIndex::default();
        for at in 0..1000_i64 {
            // Falls back now and then: the maximum counts.
            let time = if at % 10 == 9 { at - 500 } else { at };
            index.push(QueueOffset(at), 1, time, at == 0);
        }
        assert_eq!(index.block_of(0), Some(QueueOffset(0)));
        assert_eq!(index.block_of(255), Some(QueueOffset(0)));
        assert_eq!(index.block_of(256), Some(QueueOffset(256)));
        assert_eq!(index.block_of(2000), None);
        assert_eq!(index.max_timestamp(), Some(998));
        index.trim(QueueOffset(300));
        assert_eq!(index.block_of(0), Some(QueueOffset(256)));
    }

    #[test]
    fn ignores_frames_that_leave_a_gap() {
        let mut index = TimeIndex::default();
        index.push(QueueOffset(5), 2, 1, false);
        assert_eq!(index.next(), None);
        index.push(QueueOffset(5), 2, 1, true);
        index.push(QueueOffset(9), 1, 9, false);
        assert_eq!(index.next(), Some(QueueOffset(7)));
    }
}
