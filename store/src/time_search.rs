//! Queue offset by time: a binary search over store timestamps, which never descend.
//!
//! 20-byte units hold no time, so the heads of their frames are read. Source: RocketMQ 5.3.3
//! `store/ConsumeQueue.java` (`getOffsetInQueueByTime`), `store/queue/BatchConsumeQueue.java`; KIP-79.

use crate::config::QueueKind;
use crate::error::ReadError;
use crate::format::{FrameHead, QueueOffset};
use crate::queue_index::{QueueState, Unit};
use crate::read::Reader;

/// Which message a timestamp means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Boundary {
    /// `LOWER`: the first message stored at that time or later. When there is none: behind the last message,
    /// but in a queue of kind Batch the first message of the last batch, as the original answers.
    Lower,
    /// `UPPER`: the last message stored at that time or earlier; the lower bound when there is none. In a queue
    /// of kind Batch the same as `Lower`: the original's answer there is 0 for most timestamps between two
    /// batches, which nobody can want.
    Upper,
    /// As Kafka asks: the first message (batch) stored at that time or later, else behind the last message.
    First,
}

impl Reader<'_> {
    /// See `Store::offset_by_time`; `None` for behind the last message.
    pub(crate) fn offset_by_time(
        &self,
        queue: &QueueState,
        timestamp: i64,
        boundary: Boundary,
    ) -> Result<Option<QueueOffset>, ReadError> {
        let at = queue.tail().position();
        if at.first == at.next {
            return Ok(None);
        }
        let stock_batch = boundary != Boundary::First && queue.kind == QueueKind::Batch;
        let upper = boundary == Boundary::Upper && !stock_batch;
        let index = queue.partition(|unit| {
            let stored = self.stored_at(unit);
            Ok(if upper { stored <= timestamp } else { stored < timestamp })
        })?;
        let index = match boundary {
            _ if stock_batch => index.min(at.next - 1),
            Boundary::Upper => (index - 1).max(at.first),
            Boundary::Lower | Boundary::First => index,
        };
        Ok(queue.unit(index)?.map(|unit| unit.queue_offset))
    }

    /// storeTimestamp of a unit's frame; damaged and deleted frames count as old, as in the original.
    fn stored_at(&self, unit: &Unit) -> i64 {
        if unit.store_timestamp > 0 {
            return unit.store_timestamp;
        }
        let len = i64::from(unit.size).min(FrameHead::STORE_TIMESTAMP_LEN as i64);
        let head = self.bytes(unit.commit_offset, len).ok();
        head.and_then(|head| FrameHead::store_timestamp(&head)).unwrap_or(0)
    }
}
