//! ListOffsets (2) and OffsetForLeaderEpoch (23): where a partition begins, ends, and what a time or an epoch
//! means in it.
//!
//! Look-ups by time are exact per record, also inside compressed batches.
//! Source: Kafka 4.1 `KafkaApis.handleListOffsetRequest`, KIP-79, KIP-320, KIP-734 (-3), KIP-405 (-4, -5).

use gantry_protocols::kafka::error_code::ErrorCode;
use gantry_protocols::kafka::messages::list_offsets_request::ListOffsetsPartition;
use gantry_protocols::kafka::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use gantry_protocols::kafka::messages::offset_for_leader_epoch_request::OffsetForLeaderPartition;
use gantry_protocols::kafka::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderTopicResult,
};
use gantry_protocols::kafka::messages::{
    ListOffsetsRequest, ListOffsetsResponse, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
    TopicName,
};

use super::call::{Answer, Call, CallError};
use super::{Lane, Route, errors, names};
use crate::broker::read::{OffsetAsk, ReadRefusal};
use crate::broker::{Broker, Topic};

pub(super) const ROUTES: &[Route] = &[
    Route::new(2, (1, 10), Lane::Fetch, list_offsets),
    Route::new(23, (2, 4), Lane::Fetch, offset_for_leader_epoch),
];

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;

fn list_offsets(call: &mut Call<'_>) -> Result<Answer, CallError> {
    let request: ListOffsetsRequest = call.decode()?;
    let (broker, version) = (call.broker(), call.version());
    let topics = request.topics.into_iter().map(|topic| {
        let found = names::topic(broker, &topic.name);
        let twice = |index: i32| topic.partitions.iter().filter(|p| p.partition_index == index).count() > 1;
        let partitions = topic.partitions.iter().map(|asked| {
            let answer = if twice(asked.partition_index) {
                Err(ErrorCode::INVALID_REQUEST)
            } else {
                position(broker, found.as_deref(), asked, version)
            };
            list_response(broker, asked.partition_index, answer, version)
        });
        let partitions = partitions.collect();
        ListOffsetsTopicResponse::default().with_name(topic.name).with_partitions(partitions)
    });
    let topics = topics.collect();
    call.answer(&ListOffsetsResponse::default().with_topics(topics))
}

/// What the timestamp of a request means in `version`.
fn meaning(timestamp: i64, version: i16) -> Result<Option<OffsetAsk>, ErrorCode> {
    match timestamp {
        LATEST => Ok(Some(OffsetAsk::Latest)),
        EARLIEST => Ok(Some(OffsetAsk::Earliest)),
        MAX_TIMESTAMP if version >= 7 => Ok(Some(OffsetAsk::MaxTimestamp)),
        EARLIEST_LOCAL if version >= 8 => Ok(Some(OffsetAsk::Earliest)),
        LATEST_TIERED if version >= 9 => Ok(None),
        0.. => Ok(Some(OffsetAsk::AtOrAfter(timestamp))),
        _ => Err(ErrorCode::UNSUPPORTED_VERSION),
    }
}

/// (offset, timestamp); -1 where there is none.
fn position(
    broker: &Broker,
    topic: Option<&Topic>,
    asked: &ListOffsetsPartition,
    version: i16,
) -> Result<(i64, i64), ErrorCode> {
    let topic = topic.ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    let read_error = |error: ReadRefusal| errors::read(&error);
    broker.check_leader_epoch(asked.current_leader_epoch).map_err(read_error)?;
    match meaning(asked.timestamp, version)? {
        None => broker.kafka_bounds(topic, asked.partition_index).map(|_| (-1, -1)).map_err(read_error),
        Some(ask) => broker.kafka_offset(topic, asked.partition_index, ask).map_err(read_error),
    }
}

fn list_response(
    broker: &Broker,
    index: i32,
    answer: Result<(i64, i64), ErrorCode>,
    version: i16,
) -> ListOffsetsPartitionResponse {
    let response = ListOffsetsPartitionResponse::default().with_partition_index(index);
    match answer {
        Ok((offset, timestamp)) => {
            let mut response = response.with_offset(offset).with_timestamp(timestamp);
            if version >= 4 {
                response.leader_epoch = if offset >= 0 { broker.leader_epoch() } else { -1 };
            }
            response
        }
        Err(error) => response.with_error_code(error.0).with_offset(-1).with_timestamp(-1),
    }
}

fn offset_for_leader_epoch(call: &mut Call<'_>) -> Result<Answer, CallError> {
    let request: OffsetForLeaderEpochRequest = call.decode()?;
    let broker = call.broker();
    let topics = request.topics.into_iter().map(|topic| {
        let found = names::topic(broker, &topic.topic);
        let partitions =
            topic.partitions.iter().map(|asked| epoch_end(broker, found.as_deref(), asked)).collect();
        OffsetForLeaderTopicResult::default().with_topic(TopicName(topic.topic.0)).with_partitions(partitions)
    });
    let topics = topics.collect();
    call.answer(&OffsetForLeaderEpochResponse::default().with_topics(topics))
}

fn epoch_end(broker: &Broker, topic: Option<&Topic>, asked: &OffsetForLeaderPartition) -> EpochEndOffset {
    let response = EpochEndOffset::default().with_partition(asked.partition);
    let found = topic.ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION).and_then(|topic| {
        broker.check_leader_epoch(asked.current_leader_epoch).map_err(|error| errors::read(&error))?;
        let end = broker.epoch_end(topic, asked.partition, asked.leader_epoch);
        end.map_err(|error| errors::read(&error))
    });
    match found {
        Ok(Some((epoch, end))) => response.with_leader_epoch(epoch).with_end_offset(end),
        Ok(None) => response.with_leader_epoch(-1).with_end_offset(-1),
        Err(error) => response.with_error_code(error.0).with_leader_epoch(-1).with_end_offset(-1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_times_exist_from_their_version_on() {
        assert_eq!(meaning(LATEST, 1), Ok(Some(OffsetAsk::Latest)));
        assert_eq!(meaning(MAX_TIMESTAMP, 6), Err(ErrorCode::UNSUPPORTED_VERSION));
        assert_eq!(meaning(MAX_TIMESTAMP, 7), Ok(Some(OffsetAsk::MaxTimestamp)));
        assert_eq!(meaning(LATEST_TIERED, 9), Ok(None));
        assert_eq!(meaning(-6, 10), Err(ErrorCode::UNSUPPORTED_VERSION));
        assert_eq!(meaning(0, 1), Ok(Some(OffsetAsk::AtOrAfter(0))));
    }
}
