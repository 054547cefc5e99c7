//! The age and size that a topic allows its messages: the beginning of each partition moves, for readers of both
//! dialects. The messages leave the disk with their log file, by the store's own rules.
//!
//! Age counts from the arrival of a message (its store time), not from the time its producer gave it: an order of
//! messages by arrival is what a partition has, and a time from the future would keep everything behind it.
//! Source: Kafka 4.1 `UnifiedLog.deleteOldSegments`, applied to messages instead of segments.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use gantry_store::{Boundary, ReadError};
use tracing::{info, warn};

use super::Broker;
use super::topic::{Partition, Topic};
use crate::semantics::Millis;
use crate::semantics::kafka_configs::EffectiveConfigs;

/// When to look again.
#[derive(Debug, Default)]
pub(super) struct RetentionClock {
    asked: AtomicBool,
    last: AtomicI64,
}

impl RetentionClock {
    /// Settings changed: the next round of state files looks, whatever the time.
    pub(super) fn ask(&self) {
        self.asked.store(true, Ordering::Release);
    }

    fn is_due(&self, now: Millis, interval_ms: i64) -> bool {
        let asked = self.asked.swap(false, Ordering::AcqRel);
        let due = asked || interval_ms <= now.since(Millis(self.last.load(Ordering::Relaxed)));
        if due {
            self.last.store(now.0, Ordering::Relaxed);
        }
        due
    }
}

impl Broker {
    /// Moves the beginnings that age or size demand, where it is time to; whether any moved. Blocks for reads.
    pub(super) fn apply_topic_retention(&self) -> bool {
        let now = self.now();
        if !self.retention.is_due(now, self.settings.retention_check_interval_ms) {
            return false;
        }
        let mut moved = false;
        for topic in self.topics() {
            let settings = topic.kafka_settings().copied().filter(limits);
            let Some(settings) = settings else { continue };
            for index in 0..topic.partitions() {
                let Some(partition) = self.existing_partition(&topic, index) else { continue };
                match self.due_start(&partition, &settings, now) {
                    Ok(start) => moved |= self.retire(&topic, &partition, start),
                    Err(error) => {
                        warn!(topic = topic.name(), index, %error, "retention of a partition is put off");
                    }
                }
            }
        }
        moved
    }

    /// Where the partition shall begin.
    fn due_start(
        &self,
        partition: &Partition,
        settings: &EffectiveConfigs,
        now: Millis,
    ) -> Result<i64, ReadError> {
        let mut start = partition.log_start();
        if let Some(age_ms) = settings.retention_ms {
            let oldest = now.0.saturating_sub(age_ms);
            let kept = self.store.offset_by_time(&partition.queue, oldest, Boundary::First)?;
            start = start.max(kept.0);
        }
        if let Some(bytes) = settings.retention_bytes {
            start = start.max(self.start_by_size(partition, bytes.unsigned_abs())?);
        }
        Ok(start)
    }

    /// The oldest messages go as long as what stays is not below `bytes`.
    fn start_by_size(&self, partition: &Partition, bytes: u64) -> Result<i64, ReadError> {
        let mut left = self.partition_bytes(partition)?;
        let mut start = partition.log_start();
        if left <= bytes {
            return Ok(start);
        }
        self.store.visit_units(&partition.queue, gantry_store::format::QueueOffset(start), &mut |unit| {
            let size = u64::from(unit.size);
            if left < bytes.saturating_add(size) {
                return ControlFlow::Break(());
            }
            left -= size;
            start = unit.next_offset().0;
            ControlFlow::Continue(())
        })?;
        Ok(start)
    }

    /// Whether the beginning moved.
    fn retire(&self, topic: &Topic, partition: &Partition, start: i64) -> bool {
        let before = partition.log_start();
        if start <= before {
            return false;
        }
        let index = partition.queue.id();
        let raised = self.topics.state().kafka.raise_log_start(topic.name(), index, start);
        if raised.is_none() {
            return false;
        }
        partition.raise_log_start(start);
        info!(
            topic = topic.name(),
            index,
            from = before,
            to = start,
            "messages reached the end of their retention"
        );
        true
    }
}

fn limits(settings: &EffectiveConfigs) -> bool {
    settings.retention_ms.is_some() || settings.retention_bytes.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_due_when_asked_and_after_each_interval() {
        let clock = RetentionClock::default();
        assert!(clock.is_due(Millis(1_000), 100));
        assert!(!clock.is_due(Millis(1_099), 100));
        clock.ask();
        assert!(clock.is_due(Millis(1_099), 100));
        assert!(!clock.is_due(Millis(1_198), 100));
        assert!(clock.is_due(Millis(1_199), 100));
    }
}
