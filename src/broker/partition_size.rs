//! How many bytes the messages of a partition take in the log.
//!
//! Counted when somebody asks, by walking the queue's units; what was counted is kept, so that each unit is looked
//! at once when it is new and once when it is gone.

use std::ops::ControlFlow;

use gantry_store::ReadError;
use gantry_store::format::QueueOffset;

use super::Broker;
use super::read::ReadRefusal;
use super::topic::{Partition, Topic};

/// Bytes of the frames between two queue offsets.
#[derive(Debug, Default)]
pub(super) struct CountedBytes {
    from: i64,
    to: i64,
    bytes: u64,
}

/// Room of the file system that holds the log, bytes.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// In all.
    pub total: u64,
    /// Free for us.
    pub usable: u64,
}

impl Broker {
    /// Bytes of the messages that clients can read, their frames included. Blocks for reads of the queue's files.
    pub(super) fn partition_bytes(&self, partition: &Partition) -> Result<u64, ReadError> {
        let mut counted = partition.size();
        let (start, end) = (partition.log_start(), partition.queue.next().0);
        if counted.from < partition.queue.min().0 || counted.to < start {
            // What was counted is deleted: it cannot be taken away unit by unit.
            *counted = CountedBytes { from: start, to: start, bytes: 0 };
        }
        let CountedBytes { from, to, bytes } = &mut *counted;
        if *from < start {
            self.store.visit_units(&partition.queue, QueueOffset(*from), &mut |unit| {
                if start < unit.next_offset().0 {
                    return ControlFlow::Break(());
                }
                *bytes = bytes.saturating_sub(u64::from(unit.size));
                *from = unit.next_offset().0;
                ControlFlow::Continue(())
            })?;
        }
        if *to < end {
            self.store.visit_units(&partition.queue, QueueOffset(*to), &mut |unit| {
                *bytes += u64::from(unit.size);
                *to = unit.next_offset().0;
                ControlFlow::Continue(())
            })?;
        }
        Ok(*bytes)
    }

    /// The same of a partition that a Kafka client names; `None` when there is no such partition.
    ///
    /// # Errors
    /// The store's.
    pub fn partition_size(&self, topic: &Topic, index: i32) -> Result<Option<u64>, ReadRefusal> {
        if !(0..topic.partitions()).contains(&index) {
            return Ok(None);
        }
        let partition = self.existing_partition(topic, index);
        Ok(Some(partition.map_or(Ok(0), |partition| self.partition_bytes(&partition))?))
    }

    /// Room on the disk of the log; `None` when the system does not say.
    #[must_use]
    pub fn room(&self) -> Option<Room> {
        self.store.disk_usage().ok().map(|space| Room { total: space.total, usable: space.available })
    }
}
