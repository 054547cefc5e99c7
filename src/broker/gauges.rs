//! What can be seen of the broker at one moment: sizes of its tables, places of its log, room on its disk.
//!
//! Everything is looked up when it is asked for; nothing here costs a request anything. What has to be counted as
//! it happens stands in `counters`.

use std::collections::{HashMap, HashSet};
use std::sync::PoisonError;

use gantry_store::{FlushTimes, Watermarks};

use super::Broker;
use crate::mapping::decoded_cache::CacheCounters;
use crate::semantics::Dialect;

/// The broker at one moment.
#[derive(Clone, Debug)]
pub struct Gauges {
    /// Topics, the broker's own among them.
    pub topics: usize,
    /// Queues (Kafka: partitions) that topics have.
    pub queues: usize,
    /// Queues that hold messages or are waited for.
    pub queues_in_use: usize,
    /// Consumer groups with members or committed offsets.
    pub groups: usize,
    /// Groups with live native consumers.
    pub native_groups: usize,
    /// Groups with live Kafka members.
    pub kafka_groups: usize,
    /// Connections of native producers, one a group.
    pub producer_connections: usize,
    /// Connections of native consumers, one a group.
    pub consumer_connections: usize,
    /// Requests that wait for a message, a flush or a point in time.
    pub parked_requests: usize,
    /// Places of the log.
    pub watermarks: Watermarks,
    /// How long syncs took.
    pub flush_times: FlushTimes,
    /// Whether messages are taken.
    pub is_writable: bool,
    /// Damaged ranges of the log that no operator accepted.
    pub damaged_ranges: usize,
    /// Size of the disk and what of it is used, bytes; `None` when the system does not say.
    pub disk: Option<Disk>,
    /// Bytes of decoded batches.
    pub decoded_bytes: usize,
    /// How often the decoded batches helped.
    pub decoded: CacheCounters,
}

/// Room on the file system of the data directory, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disk {
    /// All of it.
    pub total: u64,
    /// What is not available any more.
    pub used: u64,
}

/// How far a group is behind in a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lag {
    /// The group.
    pub group: String,
    /// The stored name of the topic.
    pub topic: String,
    /// Messages behind the committed offsets, over all queues for which one is committed.
    pub messages: i64,
}

/// How far a topic got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicEnd {
    /// The stored name.
    pub topic: String,
    /// Offsets that were ever given in it, over all queues.
    pub messages: i64,
}

impl Broker {
    /// Looks at everything. Takes each lock for a moment; asks the file system once.
    #[must_use]
    pub fn gauges(&self) -> Gauges {
        let topics = self.topics();
        let (native_groups, producer_connections, consumer_connections) = self.clients.sizes();
        let cache = self.decoded.lock().unwrap_or_else(PoisonError::into_inner);
        let (decoded_bytes, decoded) = (cache.bytes(), cache.counters());
        drop(cache);
        let kafka_groups = self.groups.names(Dialect::Kafka);
        let mut groups: HashSet<String> = self.committed_groups();
        groups.extend(native_groups.iter().map(|group| group.to_string()));
        groups.extend(kafka_groups.iter().map(|group| group.to_string()));
        let disk = self.store.disk_usage().ok();
        Gauges {
            queues: topics.iter().filter_map(|topic| usize::try_from(topic.partitions()).ok()).sum(),
            topics: topics.len(),
            queues_in_use: self.store.queues().len(),
            groups: groups.len(),
            native_groups: native_groups.len(),
            kafka_groups: kafka_groups.len(),
            producer_connections,
            consumer_connections,
            parked_requests: self.parked_requests(),
            watermarks: self.store.watermarks(),
            flush_times: self.store.flush_times(),
            is_writable: self.store.is_writable().is_ok(),
            damaged_ranges: self.store.fences().iter().filter(|fence| !fence.accepted).count(),
            disk: disk
                .map(|space| Disk { total: space.total, used: space.total.saturating_sub(space.available) }),
            decoded_bytes,
            decoded,
        }
    }

    /// How far each topic got, those with most messages first, at most `max` of them; empty ones are left out.
    #[must_use]
    pub fn topic_ends(&self, max: usize) -> Vec<TopicEnd> {
        let mut ends: HashMap<String, i64> = HashMap::new();
        for queue in self.store.queues() {
            let end = queue.next().0;
            match ends.get_mut(queue.topic()) {
                Some(messages) => *messages = messages.saturating_add(end),
                None => drop(ends.insert(queue.topic().to_owned(), end)),
            }
        }
        let ends = ends.into_iter().filter(|(_, messages)| *messages > 0);
        let mut ends: Vec<_> = ends.map(|(topic, messages)| TopicEnd { topic, messages }).collect();
        ends.sort_unstable_by(|a, b| b.messages.cmp(&a.messages).then_with(|| a.topic.cmp(&b.topic)));
        ends.truncate(max);
        ends
    }

    /// How far each group is behind, the farthest first, at most `max` of them.
    #[must_use]
    pub fn lags(&self, max: usize) -> Vec<Lag> {
        let end_of = |topic: &str, queue: i32| self.store.queue(topic, queue).map(|queue| queue.next().0);
        let mut lags = self.lags_behind(end_of);
        lags.sort_unstable_by(|a, b| b.messages.cmp(&a.messages).then_with(|| a.group.cmp(&b.group)));
        lags.truncate(max);
        lags
    }
}
