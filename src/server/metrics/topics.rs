//! Topics and groups: the busiest topics, what groups take from them, and the groups farthest behind.
//!
//! Labels are those of RocketMQ 5.3.3 `broker/metrics/BrokerMetricsManager.java`; bounds keep a scrape small however
//! many topics and groups there are.

use std::fmt;

use super::rows::{Labels, Rows};
use crate::broker::Broker;
use crate::broker::topic_traffic::TopicTraffic;
use crate::limits;
use crate::semantics::statistics::Flow;

pub(super) fn write(rows: &mut Rows<'_, '_>, broker: &Broker) -> fmt::Result {
    let traffic = broker.topic_traffic(limits::METRIC_ROWS);
    let stored =
        |pick: fn(&Flow) -> u64| traffic.iter().map(move |one| (topic_labels(one), pick(&one.stored)));
    rows.counters("rocketmq_messages_in", "Messages stored in a topic", stored(|flow| flow.messages))?;
    rows.counters("rocketmq_throughput_in", "Bytes of bodies stored in a topic", stored(|flow| flow.bytes))?;
    let read = |pick: fn(&Flow) -> u64| {
        let readers = traffic.iter().flat_map(|one| one.readers.iter().map(move |reader| (one, reader)));
        readers
            .take(limits::METRIC_ROWS)
            .map(move |(one, (group, flow))| (group_labels(one, group), pick(flow)))
    };
    let help = "Messages given to a group of RocketMQ clients";
    rows.counters("rocketmq_messages_out", help, read(|flow| flow.messages))?;
    let help = "Bytes of frames given to a group of RocketMQ clients";
    rows.counters("rocketmq_throughput_out", help, read(|flow| flow.bytes))?;
    write_ends(rows, broker)?;
    write_lags(rows, broker)
}

fn is(holds: bool) -> &'static str {
    if holds { "true" } else { "false" }
}

fn topic_labels(one: &TopicTraffic) -> Labels<'_> {
    vec![("topic", &*one.topic), ("message_type", &one.message_type), ("is_system", is(one.is_system))]
}

fn group_labels<'l>(one: &'l TopicTraffic, group: &'l str) -> Labels<'l> {
    let is_retry = is(one.topic.starts_with("%RETRY%"));
    let is_system = is(one.is_system);
    vec![("topic", &*one.topic), ("consumer_group", group), ("is_retry", is_retry), ("is_system", is_system)]
}

/// As RocketMQ's exporter names it; what was ever written to the topics with most messages.
fn write_ends(rows: &mut Rows<'_, '_>, broker: &Broker) -> fmt::Result {
    let ends = broker.topic_ends(limits::METRIC_ROWS);
    let labelled = ends.iter().map(|end| (vec![("topic", &*end.topic)], end.messages));
    rows.gauges("rocketmq_producer_offset", "Offsets given in a topic, over all queues", labelled)
}

/// The groups that are farthest behind, of both dialects.
fn write_lags(rows: &mut Rows<'_, '_>, broker: &Broker) -> fmt::Result {
    let lags = broker.lags(limits::METRIC_ROWS);
    let labelled = |group, topic| vec![("consumer_group", group), ("topic", topic)];
    let messages = lags.iter().map(|lag| (labelled(&*lag.group, &*lag.topic), lag.messages));
    let help = "Messages behind the committed offsets of a group in a topic";
    rows.gauges("rocketmq_consumer_lag_messages", help, messages)?;
    let farthest = lags.iter().take(limits::METRIC_LATENCY_ROWS);
    let now = broker.now();
    let ages = farthest.map(|lag| (labelled(&*lag.group, &*lag.topic), broker.lag_latency(lag, now)));
    let help = "Age of the oldest message that a group has not consumed in a topic";
    rows.gauges("rocketmq_consumer_lag_latency_milliseconds", help, ages)
}
