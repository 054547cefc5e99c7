//! Traffic of topics: what a monitor shows of each, and how old what a group has not consumed is.
//!
//! Looked up when it is asked for; bounded, so that a scrape stays small however many topics there are.

use std::cmp::Reverse;
use std::sync::Arc;

use gantry_store::format::QueueOffset;

use super::Broker;
use super::gauges::Lag;
use crate::mapping::names;
use crate::semantics::Millis;
use crate::semantics::statistics::Flow;
use crate::semantics::topics::MESSAGE_TYPE;

/// What went through a topic since the start.
#[derive(Clone, Debug)]
pub struct TopicTraffic {
    /// The stored name.
    pub topic: Arc<str>,
    /// What the topic's `message.type` says, in lower case; "normal" when it says nothing.
    pub message_type: String,
    /// Whether the topic is the broker's own.
    pub is_system: bool,
    /// Stored by producers of both dialects.
    pub stored: Flow,
    /// Given to groups of native clients, by name. Kafka's fetches name no group.
    pub readers: Vec<(Box<str>, Flow)>,
}

impl Broker {
    /// The topics that took most messages, at most `max`; those without any traffic are left out.
    #[must_use]
    pub fn topic_traffic(&self, max: usize) -> Vec<TopicTraffic> {
        let traffic = |topic: Arc<super::Topic>| {
            let message_type = topic.config().attributes.get(MESSAGE_TYPE);
            let named = message_type.filter(|name| *name != "UNSPECIFIED");
            TopicTraffic {
                topic: Arc::clone(&topic.config().name),
                message_type: named.map_or("normal".to_owned(), |name| name.to_ascii_lowercase()),
                is_system: names::is_system(topic.name(), self.own_names()),
                stored: topic.stored(),
                readers: topic.readers().read(),
            }
        };
        let all = self.topics().into_iter().map(traffic);
        let mut busy: Vec<_> = all.filter(|one| one.stored.messages > 0 || !one.readers.is_empty()).collect();
        busy.sort_unstable_by_key(|one| Reverse(one.stored.messages));
        busy.truncate(max);
        busy
    }

    /// How long ago the oldest message was stored that a group has not consumed in a topic, ms; 0 when it consumed
    /// all. Reads one frame of each queue that is behind.
    #[must_use]
    pub fn lag_latency(&self, lag: &Lag, now: Millis) -> i64 {
        if lag.messages == 0 {
            return 0;
        }
        let Some(topic) = self.topic(&lag.topic) else { return 0 };
        let committed = self.committed_in(&lag.group, &lag.topic);
        let oldest = committed.into_iter().filter_map(|(queue, offset)| {
            let partition = self.existing_partition(&topic, queue)?;
            let first = QueueOffset(offset.max(partition.queue.min().0));
            if first.0 >= partition.queue.next().0 { None } else { self.store_time(&partition, first) }
        });
        oldest.min().map_or(0, |time| now.since(Millis(time)).max(0))
    }
}
