//! Offsets moved by administrators: reset to a time or an offset, and copied from one group to another.
//!
//! Live native clients learn of a reset by their next pull, which answers "offset moved" once; commits of what they still
//! work on are passed over until then. A group without members just has other offsets afterwards. Live Kafka members
//! would never look: their group is refused.
//! Source: RocketMQ 5.3.3 `AdminBrokerProcessor.resetOffsetInner`, `cloneGroupOffset`.

use std::sync::atomic::Ordering;

use super::Broker;
use super::offsets::OffsetError;
use super::park::QueueKey;
use super::read::{ReadRefusal, TimeBoundary};
use super::topic::Topic;
use crate::semantics::groups::HeldBy;
use crate::semantics::{Dialect, Millis};

/// Where a group shall go on.
#[derive(Clone, Copy, Debug)]
pub struct ResetAsk<'a> {
    /// The group.
    pub group: &'a str,
    /// Topic as the client names it.
    pub topic: &'a str,
    /// `None`: every queue.
    pub queue: Option<i32>,
    /// For one queue: the offset; `None`: by time.
    pub offset: Option<i64>,
    /// Store time of the next message, ms; negative: the end.
    pub timestamp: i64,
}

/// Why nothing is reset.
#[derive(Debug, thiserror::Error)]
pub enum ResetError {
    /// No such topic.
    #[error("Topic {0} does not exist")]
    UnknownTopic(String),
    /// No such group.
    #[error("Group {0} does not exist")]
    UnknownGroup(String),
    /// No such queue.
    #[error("queueId[{queue}] is illegal, topic:[{topic}] readQueueNums:[{queues}]")]
    UnknownQueue {
        /// The topic.
        topic: String,
        /// As asked.
        queue: i32,
        /// How many there are.
        queues: i32,
    },
    /// The queue does not reach there.
    #[error("Target offset {offset} not in consume queue range [{min}-{max}]")]
    OutOfRange {
        /// As asked.
        offset: i64,
        /// First offset.
        min: i64,
        /// One above the last.
        max: i64,
    },
    /// Kafka members, or the journal.
    #[error(transparent)]
    Offset(#[from] OffsetError),
    /// The store.
    #[error(transparent)]
    Read(#[from] ReadRefusal),
}

impl Broker {
    /// Moves the offsets of a group; gives queue and new offset of each. Survives a kill once this returns.
    ///
    /// # Errors
    /// Why not; nothing is moved then.
    pub fn reset_offsets(&self, ask: &ResetAsk<'_>, now: Millis) -> Result<Vec<(i32, i64)>, ResetError> {
        let stored = self.resolve_native(ask.topic);
        let topic = self.topic(&stored).ok_or_else(|| ResetError::UnknownTopic(ask.topic.to_owned()))?;
        if !self.knows_group(ask.group) {
            return Err(ResetError::UnknownGroup(ask.group.to_owned()));
        }
        self.refuse_kafka_members(ask.group)?;
        let queues = topic.config().read_queues;
        let wanted = match ask.queue {
            Some(queue) if !(0..queues).contains(&queue) => {
                return Err(ResetError::UnknownQueue { topic: ask.topic.to_owned(), queue, queues });
            }
            Some(queue) => vec![(queue, self.target(&topic, queue, ask.offset, ask.timestamp)?)],
            None => (0..queues)
                .map(|queue| Ok((queue, self.target(&topic, queue, None, ask.timestamp)?)))
                .collect::<Result<_, ResetError>>()?,
        };
        let is_live = self.is_group_online(ask.group);
        for &(queue, offset) in &wanted {
            self.move_offset(ask.group, topic.name(), queue, offset, is_live, now)?;
        }
        tracing::info!(group = ask.group, topic = topic.name(), is_live, "offsets of a group were reset");
        wanted.iter().for_each(|(queue, _)| self.wake_pulls(&topic, *queue));
        Ok(wanted)
    }

    /// Gives `to` the offsets of `from`, in one topic or in all; in those that live members of `from` do not subscribe
    /// only when `offline` is set. Survives a kill once this returns.
    ///
    /// # Errors
    /// Kafka members in `to`, or the journal's failure.
    pub fn clone_offsets(
        &self,
        from: &str,
        to: &str,
        topic: Option<&str>,
        offline: bool,
        now: Millis,
    ) -> Result<(), OffsetError> {
        self.refuse_kafka_members(to)?;
        let topics = match topic {
            Some(topic) => vec![self.resolve_native(topic).into_owned()],
            None => self.committed_topics(from).into_keys().collect(),
        };
        for topic in topics.iter().filter(|topic| self.topic(topic).is_some()) {
            if !offline && self.subscribes_others_only(from, topic) {
                continue;
            }
            for (queue, offset) in self.committed_in(from, topic) {
                self.move_offset(to, topic, queue, offset, false, now)?;
            }
        }
        Ok(())
    }

    /// The offset that the next pull of the queue has to be sent to, once.
    pub(super) fn take_reset(&self, group: &str, topic: &str, queue: i32) -> Option<i64> {
        if self.pending_resets.load(Ordering::Relaxed) == 0 {
            return None;
        }
        self.take_pending_reset(group, topic, queue)
    }

    fn refuse_kafka_members(&self, group: &str) -> Result<(), OffsetError> {
        match self.groups.holder(group) {
            Some(dialect @ Dialect::Kafka) => {
                Err(OffsetError::Held { group: group.to_owned(), held: HeldBy { dialect } })
            }
            Some(Dialect::Native) | None => Ok(()),
        }
    }

    fn target(
        &self,
        topic: &Topic,
        queue: i32,
        offset: Option<i64>,
        timestamp: i64,
    ) -> Result<i64, ResetError> {
        let bounds = self.queue_bounds(topic.name(), queue);
        match offset {
            Some(offset) if offset < bounds.start || offset > bounds.end => {
                Err(ResetError::OutOfRange { offset, min: bounds.start, max: bounds.end })
            }
            Some(offset) => Ok(offset),
            None if timestamp < 0 => Ok(bounds.end),
            None => Ok(self.search_offset(topic.name(), queue, timestamp, TimeBoundary::Lower)?),
        }
    }

    /// Pulls that wait for a message look again, and find the reset.
    fn wake_pulls(&self, topic: &Topic, queue: i32) {
        if let Some(partition) = self.existing_partition(topic, queue) {
            let key = QueueKey(partition.queue.ordinal());
            self.parked.arrived(key, &partition.watchers, 1, std::iter::once(None));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::BrokerSettings;
    use crate::broker::pull::PullStatus;
    use crate::broker::test_broker::TestBroker;

    fn filled() -> TestBroker {
        let test = TestBroker::open(BrokerSettings::default());
        for _ in 0..4 {
            test.send("T", b"x", b"").unwrap();
            test.pass(1_000);
        }
        test.broker.commit_offset("CG", "T", 0, 4, test.broker.now()).unwrap();
        test
    }

    fn by_time(timestamp: i64) -> ResetAsk<'static> {
        ResetAsk { group: "CG", topic: "T", queue: None, offset: None, timestamp }
    }

    fn committed(test: &TestBroker, group: &str) -> Option<i64> {
        test.broker.committed_offset(group, "T", 0, false)
    }

    #[test]
    fn a_group_without_members_has_other_offsets_at_once() {
        let test = filled();
        let now = test.broker.now();
        let moved = test.broker.reset_offsets(&by_time(now.0 - 2_500), now).unwrap();
        assert_eq!(moved, [(0, 2), (1, 0), (2, 0), (3, 0)]);
        assert_eq!(committed(&test, "CG"), Some(2));
        test.broker.commit_offset("CG", "T", 0, 3, now).unwrap();
        assert_eq!(committed(&test, "CG"), Some(3));
        assert_eq!(test.broker.pull(&test.plan_pull("T", 1).unwrap()).status, PullStatus::Found);
    }

    #[test]
    fn a_live_client_is_sent_to_the_new_offset_once_and_its_commits_wait_for_that() {
        let test = filled();
        test.heartbeat();
        let now = test.broker.now();
        let ask = ResetAsk { queue: Some(0), offset: Some(1), ..by_time(0) };
        assert_eq!(test.broker.reset_offsets(&ask, now).unwrap(), [(0, 1)]);
        test.broker.commit_offset("CG", "T", 0, 4, now).unwrap();
        assert_eq!(committed(&test, "CG"), Some(1));
        let pull = test.plan_pull("T", 1).unwrap();
        let moved = test.broker.pull(&pull);
        assert_eq!((moved.status, moved.next), (PullStatus::OffsetReset, 1));
        assert_eq!(test.broker.pull(&pull).status, PullStatus::Found);
        test.broker.commit_offset("CG", "T", 0, 4, now).unwrap();
        assert_eq!(committed(&test, "CG"), Some(4));
    }

    #[test]
    fn a_reset_that_no_client_took_is_over_when_the_last_one_went() {
        let test = filled();
        test.heartbeat();
        let now = test.broker.now();
        test.broker.reset_offsets(&by_time(0), now).unwrap();
        test.pass(200_000);
        test.broker.commit_offset("CG", "T", 0, 4, test.broker.now()).unwrap();
        assert_eq!(committed(&test, "CG"), Some(4));
        assert_eq!(test.broker.pull(&test.plan_pull("T", 1).unwrap()).status, PullStatus::Found);
    }

    #[test]
    fn what_cannot_be_reset_is_refused_whole() {
        let test = filled();
        let now = test.broker.now();
        let reset = |ask: ResetAsk<'_>| test.broker.reset_offsets(&ask, now);
        assert!(matches!(
            reset(ResetAsk { topic: "nobody", ..by_time(0) }),
            Err(ResetError::UnknownTopic(_))
        ));
        assert!(matches!(
            reset(ResetAsk { group: "nobody", ..by_time(0) }),
            Err(ResetError::UnknownGroup(_))
        ));
        let queue = ResetAsk { queue: Some(4), ..by_time(0) };
        assert!(matches!(reset(queue), Err(ResetError::UnknownQueue { queue: 4, .. })));
        for offset in [-1, 5] {
            let ask = ResetAsk { queue: Some(0), offset: Some(offset), ..by_time(0) };
            assert!(matches!(reset(ask), Err(ResetError::OutOfRange { .. })), "{offset}");
        }
        assert_eq!(committed(&test, "CG"), Some(4));
    }

    #[test]
    fn offsets_are_copied_to_another_group() {
        let test = filled();
        let now = test.broker.now();
        test.broker.clone_offsets("CG", "H", None, false, now).unwrap();
        assert_eq!(committed(&test, "H"), Some(4));
        test.broker.clone_offsets("nobody", "I", Some("T"), true, now).unwrap();
        assert_eq!(committed(&test, "I"), None);
    }
}
