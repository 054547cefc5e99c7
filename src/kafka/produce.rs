//! Produce (0): record batches into partitions, one append for all partitions of a request.
//!
//! Served from version 3, advertised from 0 (KAFKA-18659: old librdkafka decides by it which codecs it may use).
//! acks=1 answers once the bytes are written, acks=all once they are as durable as the flush mode promises,
//! acks=0 never answers; a refusal then closes the connection, so that the client asks for metadata again.
//! Source: Kafka 4.1 `KafkaApis.handleProduceRequest`.

use gantry_protocols::kafka::error_code::ErrorCode;
use gantry_protocols::kafka::messages::produce_request::PartitionProduceData;
use gantry_protocols::kafka::messages::produce_response::{
    BatchIndexAndErrorMessage, PartitionProduceResponse, TopicProduceResponse,
};
use gantry_protocols::kafka::messages::{ProduceRequest, ProduceResponse, StrBytes};

use super::call::{Answer, Call, CallError};
use super::{Lane, Route, errors, names};
use crate::broker::Durability;
use crate::broker::produce::{PartitionAppend, ProduceAsk, ProduceError, Produced};

pub(super) const ROUTES: &[Route] = &[Route::new(0, (3, 12), Lane::Produce, produce).advertised_from(0)];

const ACKS_NONE: i16 = 0;
const ACKS_LEADER: i16 = 1;
const ACKS_ALL: i16 = -1;

fn produce(call: &mut Call<'_>) -> Result<Answer, CallError> {
    let request: ProduceRequest = call.decode()?;
    let (broker, version) = (call.broker(), call.version());
    let acks_known = matches!(request.acks, ACKS_NONE | ACKS_LEADER | ACKS_ALL);
    let mut appends = Vec::new();
    for topic in &request.topic_data {
        let found = names::topic(broker, &topic.name);
        for partition in &topic.partition_data {
            let records = partition.records.clone().unwrap_or_default();
            let mut append =
                PartitionAppend::new(found.clone(), partition.index, records, request.acks == ACKS_ALL);
            if !acks_known {
                append.refuse(ProduceError::RequiredAcks(request.acks));
            }
            appends.push(append);
        }
    }
    let client = call.reply.mailbox.remote().into();
    let ask = ProduceAsk { client, api_version: version, now: call.reply.now };
    broker.produce(&mut appends, call.scratch, ask);
    let mut appends = appends.into_iter();
    let mut durability = Durability::NONE;
    let mut first_refusal = None;
    let mut topics = Vec::with_capacity(request.topic_data.len());
    for topic in request.topic_data {
        let partitions = topic.partition_data.iter().zip(appends.by_ref()).map(|(asked, append)| {
            let result = append.into_result();
            match &result {
                Ok(produced) => durability = durability.and(produced.durability),
                Err(error) => first_refusal = first_refusal.or(errors::produce(error).name()),
            }
            partition_response(asked, result, version)
        });
        let partitions = partitions.collect();
        topics
            .push(TopicProduceResponse::default().with_name(topic.name).with_partition_responses(partitions));
    }
    let response = ProduceResponse::default().with_responses(topics);
    match request.acks {
        ACKS_NONE => match first_refusal {
            None => Ok(Answer::Silent),
            Some(name) => Err(CallError::SilentRefusal(name)),
        },
        ACKS_ALL => {
            let durability = durability.within(i64::from(request.timeout_ms.max(0)));
            call.answer_when(durability, response, not_durable)
        }
        _ => call.answer(&response),
    }
}

fn partition_response(
    asked: &PartitionProduceData,
    result: Result<Produced, ProduceError>,
    version: i16,
) -> PartitionProduceResponse {
    let mut response = PartitionProduceResponse::default().with_index(asked.index);
    match result {
        Ok(produced) => {
            response.base_offset = produced.base_offset;
            response.log_append_time_ms = produced.log_append_time;
            if version >= 5 {
                response.log_start_offset = produced.log_start_offset;
            }
        }
        Err(error) => {
            response.error_code = errors::produce(&error).0;
            response.base_offset = -1;
            response.log_append_time_ms = -1;
            if version >= 5 {
                response.log_start_offset = -1;
            }
            if version >= 8 {
                response.record_errors = error.bad_record().into_iter().map(record_error).collect();
                response.error_message = Some(StrBytes::from_string(error.to_string()));
            }
        }
    }
    response
}

fn record_error((index, message): (i32, String)) -> BatchIndexAndErrorMessage {
    BatchIndexAndErrorMessage::default()
        .with_batch_index(index)
        .with_batch_index_error_message(Some(StrBytes::from_string(message)))
}

/// The batches are appended, what was promised about them is not reached: the client must treat them as unknown.
fn not_durable(mut response: ProduceResponse, cause: crate::broker::DurabilityError) -> ProduceResponse {
    let code: ErrorCode = errors::durability(cause);
    for topic in &mut response.responses {
        for partition in topic.partition_responses.iter_mut().filter(|partition| partition.error_code == 0) {
            partition.error_code = code.0;
            partition.base_offset = -1;
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_partition_has_no_offset_and_says_why() {
        let asked = PartitionProduceData::default().with_index(3);
        let response = partition_response(&asked, Err(ProduceError::UnknownPartition), 9);
        assert_eq!((response.index, response.base_offset, response.log_append_time_ms), (3, -1, -1));
        assert_eq!(response.error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.0);
        assert!(response.error_message.is_some());
    }
}
