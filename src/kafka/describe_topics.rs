//! DescribeTopicPartitions (75): topics page by page.
//!
//! Topics come in the order of their names; a page that ends inside or before a topic says with which partition of
//! it the next one begins. Source: Kafka 4.1 `DescribeTopicPartitionsRequestHandler.java`, KIP-966.

use std::collections::BTreeSet;
use std::ops::Range;

use gantry_protocols::kafka::error_code::ErrorCode;
use gantry_protocols::kafka::messages::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use gantry_protocols::kafka::messages::{
    BrokerId, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, StrBytes, TopicName,
};

use super::call::{Answer, Call, CallError};
use super::{Lane, Route, names};
use crate::broker::{Broker, Topic};

pub(super) const ROUTES: &[Route] = &[Route::new(75, (0, 0), Lane::Admin, describe_topic_partitions)];

/// Partitions of one page at most: Kafka's `max.request.partition.size.limit`.
const PAGE: i32 = 2_000;

/// Everything a client may do with a topic without access control: read, write, create, delete, alter, describe it,
/// and describe and alter its settings.
pub(super) const TOPIC_OPERATIONS: i32 =
    1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 10 | 1 << 11;

fn describe_topic_partitions(call: &mut Call<'_>) -> Result<Answer, CallError> {
    let request: DescribeTopicPartitionsRequest = call.decode()?;
    let broker = call.broker();
    let every = request.topics.is_empty();
    let asked: BTreeSet<String> = if every {
        names::all(broker).iter().filter_map(|topic| topic.kafka_name().map(str::to_owned)).collect()
    } else {
        request.topics.iter().map(|topic| topic.name.to_string()).collect()
    };
    let cursor = request.cursor.map(|cursor| (cursor.topic_name.to_string(), cursor.partition_index));
    if cursor.as_ref().is_some_and(|(_, partition)| *partition < 0) {
        let refused = asked.iter().map(|name| without(name, ErrorCode::INVALID_REQUEST));
        let response = DescribeTopicPartitionsResponse::default().with_topics(refused.collect());
        return call.answer(&response);
    }
    let begin = cursor.as_ref().map_or("", |(topic, _)| topic);
    let mut left = request.response_partition_limit.clamp(1, PAGE);
    let mut response = DescribeTopicPartitionsResponse::default();
    for name in asked.iter().filter(|name| begin <= name.as_str()) {
        let topic = match names::existing(broker, name) {
            Ok(topic) => topic,
            Err(_) if every => continue,
            Err((code, _)) => {
                response.topics.push(without(name, code));
                continue;
            }
        };
        let first = cursor.as_ref().filter(|(topic, _)| topic == name).map_or(0, |(_, partition)| *partition);
        let page = page(first, left, topic.partitions());
        left -= page.end - page.start;
        let next = page.end;
        response.topics.push(described(broker, &topic, page));
        if next < topic.partitions() {
            let cursor = Cursor::default().with_topic_name(named(name)).with_partition_index(next);
            response.next_cursor = Some(cursor);
            break;
        }
    }
    call.answer(&response)
}

/// The partitions of a topic that still fit.
fn page(first: i32, left: i32, partitions: i32) -> Range<i32> {
    let first = first.min(partitions);
    first..first.saturating_add(left).min(partitions)
}

fn named(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}

fn without(name: &str, code: ErrorCode) -> DescribeTopicPartitionsResponseTopic {
    DescribeTopicPartitionsResponseTopic::default().with_name(Some(named(name))).with_error_code(code.0)
}

fn described(broker: &Broker, topic: &Topic, page: Range<i32>) -> DescribeTopicPartitionsResponseTopic {
    let (node, epoch) = (BrokerId(broker.identity().node_id), broker.leader_epoch());
    let partitions = page.map(|index| {
        DescribeTopicPartitionsResponsePartition::default()
            .with_partition_index(index)
            .with_leader_id(node)
            .with_leader_epoch(epoch)
            .with_replica_nodes(vec![node])
            .with_isr_nodes(vec![node])
            .with_eligible_leader_replicas(Some(Vec::new()))
            .with_last_known_elr(Some(Vec::new()))
    });
    DescribeTopicPartitionsResponseTopic::default()
        .with_name(Some(names::name_of(topic)))
        .with_topic_id(topic.id())
        .with_is_internal(topic.is_internal_to_kafka())
        .with_partitions(partitions.collect())
        .with_topic_authorized_operations(TOPIC_OPERATIONS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_ends_where_it_or_the_topic_does() {
        assert_eq!(page(0, 10, 4), 0..4);
        assert_eq!(page(0, 3, 4), 0..3);
        assert_eq!(page(3, 3, 4), 3..4);
        assert_eq!(page(0, 0, 4), 0..0);
        assert_eq!(page(9, 3, 4), 4..4);
        assert_eq!(page(i32::MAX, i32::MAX, 4), 4..4);
    }
}
