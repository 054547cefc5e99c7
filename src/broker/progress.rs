//! How far groups have come: committed offsets beside the ends of their queues, and when the messages there were stored.
//!
//! The same figures for groups of either dialect: lag is the end of a queue minus the committed offset.
//! Source: RocketMQ 5.3.3 `AdminBrokerProcessor.getConsumeStats`, `fetchAllConsumeStatsInBroker`,
//! `queryConsumeTimeSpan`, `ConsumerOffsetManager.queryMinOffsetInAllGroup`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gantry_store::ReadLimits;
use gantry_store::format::{FrameView, QueueOffset};

use super::Broker;
use super::topic::{Partition, Topic};

/// How far a group has come in a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueProgress {
    /// The queue.
    pub queue: i32,
    /// One above its last offset.
    pub end: i64,
    /// The committed offset; 0 when there is none.
    pub committed: i64,
    /// When the last consumed message was stored, ms; 0 unknown.
    pub last_stored: i64,
}

/// How far a group has come in a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicProgress {
    /// The stored name.
    pub topic: String,
    /// Whether messages of one key stay in one queue (`order`).
    pub is_order: bool,
    /// Its queues, ascending.
    pub queues: Vec<QueueProgress>,
}

/// When the messages of a queue were stored, ms; -1 where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueTimes {
    /// The queue.
    pub queue: i32,
    /// Its first message.
    pub first: i64,
    /// Its last message.
    pub last: i64,
    /// The last consumed message, or the first one.
    pub consumed: i64,
    /// How long the next message has been waiting, ms; 0 when there is none.
    pub delay_ms: i64,
}

impl Broker {
    /// Progress of a group in `topics`, as clients name them; when none is named in all that it committed to and (when
    /// it has live members) subscribes. Unknown topics are left out. Blocks for reads.
    #[must_use]
    pub fn progress(&self, group: &str, topics: &[&str]) -> Vec<TopicProgress> {
        let stored: BTreeSet<String> = if topics.is_empty() {
            let committed = self.committed_topics(group).into_keys();
            committed.filter(|topic| !self.subscribes_others_only(group, topic)).collect()
        } else {
            topics.iter().map(|topic| self.resolve_native(topic).into_owned()).collect()
        };
        let known = stored.iter().filter_map(|name| self.topic(name));
        known.map(|topic| self.progress_in(group, &topic)).collect()
    }

    /// Progress in a topic that the group's live members may not subscribe: nothing then. Blocks for reads.
    #[must_use]
    pub fn progress_if_subscribed(&self, group: &str, topic: &str) -> Vec<TopicProgress> {
        let stored = self.resolve_native(topic);
        if self.subscribes_others_only(group, &stored) { Vec::new() } else { self.progress(group, &[topic]) }
    }

    /// Progress of every group that has settings or committed something. Blocks for reads.
    #[must_use]
    pub fn progress_of_all(&self) -> Vec<(String, Vec<TopicProgress>)> {
        let mut groups: BTreeSet<String> = self.committed_groups().into_iter().collect();
        groups.extend(self.all_group_settings().groups.iter().map(|group| group.name.to_string()));
        let progress = |group: String| {
            let found = self.progress(&group, &[]);
            (group, found)
        };
        groups.into_iter().map(progress).collect()
    }

    fn progress_in(&self, group: &str, topic: &Topic) -> TopicProgress {
        let queues = (0..topic.config().read_queues).map(|queue| {
            let committed = self.kafka_committed(group, topic.name(), queue).offset.max(0);
            let partition = self.existing_partition(topic, queue);
            let end = partition.as_ref().map_or(0, |partition| partition.queue.next().0);
            let stored = |partition: &Arc<Partition>| self.stored_at(partition, committed - 1);
            let last_stored = partition.as_ref().and_then(stored).unwrap_or(0);
            QueueProgress { queue, end, committed, last_stored }
        });
        TopicProgress {
            topic: topic.name().to_owned(),
            is_order: topic.config().order,
            queues: queues.collect(),
        }
    }

    /// When the messages of a topic were stored, and where the group is among them; `None` for an unknown topic. Blocks
    /// for reads.
    #[must_use]
    pub fn time_span(&self, group: &str, topic: &str) -> Option<Vec<QueueTimes>> {
        let topic = self.topic(&self.resolve_native(topic))?;
        let now = self.now().0;
        let times = |queue: i32| {
            let none = QueueTimes { queue, first: -1, last: -1, consumed: -1, delay_ms: 0 };
            let Some(partition) = self.existing_partition(&topic, queue) else { return none };
            let committed = self.kafka_committed(group, topic.name(), queue).offset.max(0);
            let (min, end) = (partition.queue.min().0, partition.queue.next().0);
            let at = |offset: i64| self.stored_at(&partition, offset).unwrap_or(-1);
            let first = at(min);
            let waiting = at(committed);
            QueueTimes {
                queue,
                first,
                last: at(end - 1),
                consumed: if committed > 0 { at(committed - 1) } else { first },
                delay_ms: if committed < end && waiting >= 0 { now - waiting } else { 0 },
            }
        };
        Some((0..topic.config().write_queues).map(times).collect())
    }

    /// The smallest committed offset of each queue among all groups but `without`; `i64::MAX` where `compared` is
    /// behind it. Offsets of messages that are gone do not count.
    #[must_use]
    pub fn smallest_committed(&self, topic: &str, compared: &str, without: &[&str]) -> BTreeMap<i32, i64> {
        let stored = self.resolve_native(topic).into_owned();
        let mut smallest: BTreeMap<i32, i64> = BTreeMap::new();
        for group in self.groups_with_offsets_in(&stored) {
            if without.contains(&&*group) {
                continue;
            }
            for (queue, offset) in self.committed_in(&group, &stored) {
                if offset >= self.queue_bounds(&stored, queue).start {
                    smallest.entry(queue).and_modify(|known| *known = offset.min(*known)).or_insert(offset);
                }
            }
        }
        for (queue, offset) in self.committed_in(compared, &stored) {
            if let Some(known) = smallest.get_mut(&queue).filter(|known| **known > offset) {
                *known = i64::MAX;
            }
        }
        smallest
    }

    /// When the message at an offset was stored, ms.
    fn stored_at(&self, partition: &Partition, offset: i64) -> Option<i64> {
        let queue = &partition.queue;
        if offset < queue.min().0 || offset >= queue.next().0 {
            return None;
        }
        let limits = ReadLimits { max_units: 1, max_bytes: 1, max_scanned: 1, upto: queue.next() };
        let extract = self.store.read(queue, QueueOffset(offset), &limits, &mut |_| true).ok()?;
        let (_, frame) = extract.frames().next()?;
        FrameView::parse(&frame).ok().map(|view| view.store_timestamp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::BrokerSettings;
    use crate::broker::test_broker::TestBroker;

    #[test]
    fn progress_is_the_committed_offset_beside_the_end() {
        let test = TestBroker::open(BrokerSettings::default());
        for _ in 0..3 {
            test.send("T", b"x", b"").unwrap();
        }
        let now = test.broker.now();
        test.broker.commit_offset("CG", "T", 0, 2, now).unwrap();
        let found = test.broker.progress("CG", &[]);
        assert_eq!(found.len(), 1);
        let first = found[0].queues[0];
        assert_eq!((first.end, first.committed, first.last_stored), (3, 2, now.0));
        assert_eq!(found[0].queues.len(), 4);
        assert!(test.broker.progress("CG", &["nobody"]).is_empty());
        assert!(test.broker.progress("H", &[]).is_empty());
        let all = test.broker.progress_of_all();
        assert!(all.iter().any(|(group, topics)| group == "CG" && topics.len() == 1));
    }

    #[test]
    fn times_tell_how_long_the_next_message_waits() {
        let test = TestBroker::open(BrokerSettings::default());
        let begun = test.broker.now().0;
        test.send("T", b"x", b"").unwrap();
        test.pass(1_000);
        test.send("T", b"x", b"").unwrap();
        test.pass(500);
        test.broker.commit_offset("CG", "T", 0, 1, test.broker.now()).unwrap();
        let times = test.broker.time_span("CG", "T").unwrap();
        let wanted =
            QueueTimes { queue: 0, first: begun, last: begun + 1_000, consumed: begun, delay_ms: 500 };
        assert_eq!(times[0], wanted);
        assert_eq!(times[1], QueueTimes { queue: 1, first: -1, last: -1, consumed: -1, delay_ms: 0 });
        assert!(test.broker.time_span("CG", "nobody").is_none());
    }

    #[test]
    fn the_smallest_commit_of_all_groups_is_found() {
        let test = TestBroker::open(BrokerSettings::default());
        for _ in 0..9 {
            test.send("T", b"x", b"").unwrap();
        }
        for (group, offset) in [("A", 5), ("B", 3), ("C", 8)] {
            test.broker.commit_offset(group, "T", 0, offset, test.broker.now()).unwrap();
        }
        let smallest =
            |compared: &str, without: &[&str]| test.broker.smallest_committed("T", compared, without)[&0];
        assert_eq!(smallest("C", &[]), 3);
        assert_eq!(smallest("C", &["B"]), 5);
        assert_eq!(smallest("B", &["B"]), i64::MAX);
    }
}
