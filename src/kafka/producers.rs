//! Producers: InitProducerId (22), an id for an idempotent producer, never given twice; DescribeProducers (61), what
//! a partition remembers of those that wrote to it.
//!
//! Transactional ids are refused until transactions exist; a producer that got an id for one would believe in
//! atomicity that nobody keeps. Source: Kafka 4.1 `TransactionCoordinator.handleInitProducerId`, KIP-98, KIP-360, KIP-664.

use gantry_protocols::kafka::error_code::ErrorCode;
use gantry_protocols::kafka::messages::describe_producers_response::{
    PartitionResponse, ProducerState as DescribedProducer, TopicResponse,
};
use gantry_protocols::kafka::messages::{
    DescribeProducersRequest, DescribeProducersResponse, InitProducerIdRequest, InitProducerIdResponse,
    ProducerId,
};

use super::call::{Answer, Call, CallError};
use super::{Lane, Route, errors, names};
use crate::semantics::producers::ProducerState;

pub(super) const ROUTES: &[Route] = &[
    Route::new(22, (0, 5), Lane::Admin, init_producer_id),
    Route::new(61, (0, 0), Lane::Admin, describe_producers),
];

fn describe_producers(call: &mut Call<'_>) -> Result<Answer, CallError> {
    let request: DescribeProducersRequest = call.decode()?;
    let broker = call.broker();
    let topics = request.topics.into_iter().map(|asked| {
        let topic = names::existing(broker, &asked.name);
        let partitions = asked.partition_indexes.into_iter().map(|index| {
            let known = topic.as_ref().map_err(|(code, _)| *code).and_then(|topic| {
                broker.producers_of(topic, index).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
            });
            let response = PartitionResponse::default().with_partition_index(index).with_error_message(None);
            match known {
                Ok(known) => response.with_active_producers(known.iter().map(producer_state).collect()),
                Err(code) => response.with_error_code(code.0),
            }
        });
        let partitions = partitions.collect();
        TopicResponse::default().with_name(asked.name).with_partitions(partitions)
    });
    let topics = topics.collect();
    call.answer(&DescribeProducersResponse::default().with_topics(topics))
}

/// No transactions yet: no coordinator, and none open.
fn producer_state(known: &ProducerState) -> DescribedProducer {
    DescribedProducer::default()
        .with_producer_id(ProducerId(known.producer.0))
        .with_producer_epoch(i32::from(known.epoch))
        .with_last_sequence(known.last_sequence())
        .with_last_timestamp(known.last_append.0)
        .with_coordinator_epoch(-1)
        .with_current_txn_start_offset(-1)
}

fn init_producer_id(call: &mut Call<'_>) -> Result<Answer, CallError> {
    let request: InitProducerIdRequest = call.decode()?;
    let refused = |error: ErrorCode| {
        InitProducerIdResponse::default()
            .with_error_code(error.0)
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1)
    };
    match request.transactional_id {
        Some(id) if id.is_empty() => call.answer(&refused(ErrorCode::INVALID_REQUEST)),
        Some(_) => call.answer(&refused(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED)),
        None => {
            let Ok((id, durability)) = call.broker().allocate_producer_id() else {
                return call.answer(&refused(ErrorCode::COORDINATOR_NOT_AVAILABLE));
            };
            let response =
                InitProducerIdResponse::default().with_producer_id(ProducerId(id)).with_producer_epoch(0);
            call.answer_when(durability, response, |response, cause| {
                response
                    .with_error_code(errors::durability(cause).0)
                    .with_producer_id(ProducerId(-1))
                    .with_producer_epoch(-1)
            })
        }
    }
}
