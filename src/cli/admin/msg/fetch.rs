//! Messages as Kafka clients read them: Fetch (1), all partitions at once.

use std::collections::HashMap;

use bytes::Bytes;
use gantry_protocols::kafka::batch::{BatchView, Batches};
use gantry_protocols::kafka::messages::fetch_request::{FetchPartition, FetchTopic};
use gantry_protocols::kafka::messages::fetch_response::PartitionData;
use gantry_protocols::kafka::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use gantry_protocols::kafka::messages::{FetchRequest, ListOffsetsRequest, StrBytes, TopicName};

use super::super::wire::{kafka_failure, kafka_refusal};
use super::message::{Kafka, Message};
use crate::cli::failure::Failure;
use crate::limits;
use crate::peer_kafka::KafkaPeer;

const FETCH_BYTES: i32 = 1 << 20;
const NO_EPOCH: i32 = -1;

/// Kafka's words for places in time.
pub(super) const EARLIEST: i64 = -2;
pub(super) const LATEST: i64 = -1;

fn name(topic: &str) -> TopicName {
    StrBytes::from_string(topic.to_owned()).into()
}

/// Offsets of partitions at a time, or at [`EARLIEST`] or [`LATEST`]; -1 where nothing is that late.
pub(super) fn offsets(
    peer: &mut KafkaPeer,
    topic: &str,
    partitions: &[i32],
    at: i64,
) -> Result<Vec<(i32, i64)>, Failure> {
    let asked = partitions
        .iter()
        .map(|index| ListOffsetsPartition::default().with_partition_index(*index).with_timestamp(at));
    let asked = ListOffsetsTopic::default().with_name(name(topic)).with_partitions(asked.collect());
    let (_, response) = peer
        .call(7, |_| ListOffsetsRequest::default().with_replica_id((-1).into()).with_topics(vec![asked]))
        .map_err(|error| kafka_failure(&error))?;
    let mut found = Vec::new();
    for one in response.topics.iter().flat_map(|topic| &topic.partitions) {
        kafka_refusal(&format!("offsets of {topic}/{}", one.partition_index), one.error_code, None)?;
        found.push((one.partition_index, one.offset));
    }
    Ok(found)
}

/// Reads what is at these places, by partition, and moves them on; holds up to `hold_ms` where there is nothing.
/// Blocks.
pub(super) fn fetch(
    peer: &mut KafkaPeer,
    topic: &str,
    places: &mut HashMap<i32, i64>,
    hold_ms: i32,
) -> Result<Vec<Message>, Failure> {
    let partitions = places.iter().map(|(partition, offset)| {
        FetchPartition::default()
            .with_partition(*partition)
            .with_current_leader_epoch(NO_EPOCH)
            .with_fetch_offset(*offset)
            .with_partition_max_bytes(FETCH_BYTES)
    });
    let asked = FetchTopic::default().with_topic(name(topic)).with_partitions(partitions.collect());
    let request = FetchRequest::default()
        .with_replica_id((-1).into())
        .with_max_wait_ms(hold_ms)
        .with_min_bytes(1)
        .with_max_bytes(4 * FETCH_BYTES)
        .with_session_epoch(-1)
        .with_topics(vec![asked]);
    let (_, response) = peer.call(12, |_| request).map_err(|error| kafka_failure(&error))?;
    kafka_refusal(&format!("a fetch of {topic}"), response.error_code, None)?;
    let mut messages = Vec::new();
    for one in response.responses.into_iter().flat_map(|topic| topic.partitions) {
        let Some(at) = places.get_mut(&one.partition_index) else { continue };
        *at = read_partition(topic, one, *at, &mut messages)?;
    }
    Ok(messages)
}

/// Appends the records from `at` on; returns where to go on.
fn read_partition(
    topic: &str,
    data: PartitionData,
    mut at: i64,
    messages: &mut Vec<Message>,
) -> Result<i64, Failure> {
    let partition = data.partition_index;
    kafka_refusal(&format!("a fetch of {topic}/{partition} at {at}"), data.error_code, None)?;
    let records: Bytes = data.records.unwrap_or_default();
    for batch in Batches::new(&records) {
        // The last batch may be cut by the limit of the answer.
        let Ok(batch) = batch else { break };
        if !batch.is_control() {
            read_batch(topic, partition, &batch, at, messages)?;
        }
        at = at.max(batch.last_offset() + 1);
    }
    Ok(at)
}

fn read_batch(
    topic: &str,
    partition: i32,
    batch: &BatchView<'_>,
    at: i64,
    messages: &mut Vec<Message>,
) -> Result<(), Failure> {
    batch.check_crc()?;
    let block = batch.decompressed(limits::DECOMPRESSED_SIZE)?;
    for record in batch.records(&block) {
        let message = Message::of_record(topic, partition, batch, &record?);
        if message.offset >= at {
            messages.push(message);
        }
    }
    Ok(())
}

/// What Kafka says of messages that were read in RocketMQ's dialect; keeps the last fetch of each partition, since
/// neighbours come next.
pub(super) struct Lookup {
    peer: KafkaPeer,
    kept: HashMap<(String, i32), HashMap<i64, Kafka>>,
}

impl Lookup {
    pub(super) fn new(peer: KafkaPeer) -> Lookup {
        Lookup { peer, kept: HashMap::new() }
    }

    /// The record at the message's place; `None` when Kafka shows none there.
    pub(super) fn find(&mut self, topic: &str, queue: i32, offset: i64) -> Option<Kafka> {
        let place = (topic.to_owned(), queue);
        if let Some(found) = self.kept.get_mut(&place).and_then(|kept| kept.remove(&offset)) {
            return Some(found);
        }
        let read = fetch(&mut self.peer, topic, &mut HashMap::from([(queue, offset)]), 0).ok()?;
        let by_offset = read.into_iter().filter_map(|message| Some((message.offset, message.kafka?)));
        let mut kept: HashMap<i64, Kafka> = by_offset.collect();
        let found = kept.remove(&offset);
        self.kept.insert(place, kept);
        found
    }
}
