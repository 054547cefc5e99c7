//! Kafka partitions of a topic: index to (broker, queue), append-only.
//!
//! On one broker the map is the identity. When brokers join or queues grow, slots are appended: Kafka sees a
//! partition count that rises and nothing else. A broker that leaves keeps its slots (they have no leader), and
//! shrinking queues take none away: producers still hash over all of them.

use std::collections::HashMap;
use std::sync::Arc;

/// Where a partition lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Name of the broker.
    pub broker: Arc<str>,
    /// Its queue.
    pub queue: i32,
}

/// The map of all topics.
#[derive(Clone, Debug, Default)]
pub struct PartitionMap {
    topics: HashMap<Arc<str>, Vec<Slot>>,
}

impl PartitionMap {
    /// The broker has so many queues of the topic: appends those that are new. Returns how many were, so that
    /// the caller saves the map when it changed.
    pub fn extend(&mut self, topic: &str, broker: &Arc<str>, queues: i32) -> usize {
        let new = self.queues(topic, broker)..queues.max(0);
        let added = new.len();
        if 0 < added {
            let slots = self.topics.entry(Arc::from(topic)).or_default();
            slots.extend(new.map(|queue| Slot { broker: Arc::clone(broker), queue }));
        }
        added
    }

    /// The most queues of the topic that the broker ever had.
    pub fn queues(&self, topic: &str, broker: &str) -> i32 {
        let own = self.slots(topic).iter().filter(|slot| &*slot.broker == broker);
        own.map(|slot| slot.queue.saturating_add(1)).max().unwrap_or(0)
    }

    /// Puts back the slots of a topic as they were saved.
    pub fn restore(&mut self, topic: &str, slots: Vec<Slot>) {
        self.topics.insert(Arc::from(topic), slots);
    }

    /// All partitions of a topic, by index; none when the topic is not there.
    pub fn slots(&self, topic: &str) -> &[Slot] {
        self.topics.get(topic).map_or(&[], Vec::as_slice)
    }

    /// How many partitions Kafka sees.
    pub fn partitions(&self, topic: &str) -> usize {
        self.slots(topic).len()
    }

    /// Where a partition lives.
    pub fn slot(&self, topic: &str, partition: i32) -> Option<&Slot> {
        usize::try_from(partition).ok().and_then(|index| self.slots(topic).get(index))
    }

    /// The partition that a queue is.
    pub fn partition(&self, topic: &str, broker: &str, queue: i32) -> Option<i32> {
        let is_it = |slot: &Slot| slot.queue == queue && &*slot.broker == broker;
        // On one broker the queue is its own index.
        let slots = self.slots(topic);
        let direct = usize::try_from(queue).ok().filter(|index| slots.get(*index).is_some_and(is_it));
        direct.or_else(|| slots.iter().position(is_it)).and_then(|index| i32::try_from(index).ok())
    }

    /// The topic was deleted; a new one of that name begins at partition 0.
    pub fn remove(&mut self, topic: &str) -> bool {
        self.topics.remove(topic).is_some()
    }

    /// All topics with their slots, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[Slot])> {
        self.topics.iter().map(|(topic, slots)| (&**topic, slots.as_slice()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_identity_on_one_broker() {
        let (mut map, a) = (PartitionMap::default(), Arc::from("a"));
        assert_eq!(map.extend("t", &a, 3), 3);
        for queue in 0..3 {
            assert_eq!(map.partition("t", "a", queue), Some(queue));
            assert_eq!(map.slot("t", queue), Some(&Slot { broker: Arc::clone(&a), queue }));
        }
        assert_eq!((map.slot("t", 3), map.slot("t", -1), map.partition("t", "b", 0)), (None, None, None));
    }

    #[test]
    fn only_appends() {
        let (mut map, a, b) = (PartitionMap::default(), Arc::from("a"), Arc::from("b"));
        map.extend("t", &a, 2);
        map.extend("t", &b, 2);
        assert_eq!(map.extend("t", &a, 3), 1);
        let queues: Vec<_> = map.slots("t").iter().map(|slot| (&*slot.broker, slot.queue)).collect();
        assert_eq!(queues, [("a", 0), ("a", 1), ("b", 0), ("b", 1), ("a", 2)]);
        assert_eq!(map.partition("t", "a", 2), Some(4));
        assert_eq!(map.extend("t", &a, 1), 0);
        assert_eq!(map.partitions("t"), 5);
    }

    #[test]
    fn begins_anew_after_a_topic_was_deleted() {
        let (mut map, a) = (PartitionMap::default(), Arc::from("a"));
        map.extend("t", &a, 2);
        assert!(map.remove("t"));
        assert_eq!(map.extend("t", &a, 1), 1);
    }
}
