//! Partitions: CreatePartitions (37), DeleteRecords (21), ElectLeaders (43), reassignments (45, 46).
//!
//! One broker leads every partition and holds its only replica, which is what elections and reassignments are told.
//! Source: Kafka 4.1 `ReplicationControlManager.java`, `KafkaApis.handleDeleteRecordsRequest`, KIP-107, KIP-455, KIP-460.

use gantry_protocols::kafka::error_code::ErrorCode;
use gantry_protocols::kafka::messages::alter_partition_reassignments_request::ReassignablePartition;
use gantry_protocols::kafka::messages::alter_partition_reassignments_response::{
    ReassignablePartitionResponse, ReassignableTopicResponse,
};
use gantry_protocols::kafka::messages::create_partitions_request::CreatePartitionsTopic;
use gantry_protocols::kafka::messages::create_partitions_response::CreatePartitionsTopicResult;
use gantry_protocols::kafka::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsTopicResult,
};
use gantry_protocols::kafka::messages::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use gantry_protocols::kafka::messages::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse, CreatePartitionsRequest,
    CreatePartitionsResponse, DeleteRecordsRequest, DeleteRecordsResponse, ElectLeadersRequest,
    ElectLeadersResponse, ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse, StrBytes,
};

use super::call::{Answer, Call, CallError};
use super::{Lane, Route, errors, names};
use crate::broker::delete_records::DeleteBefore;
use crate::broker::{Broker, Durability, Topic};

pub(super) const ROUTES: &[Route] = &[
    Route::new(21, (0, 2), Lane::Admin, delete_records),
    Route::new(37, (0, 3), Lane::Admin, create_partitions),
    Route::new(43, (0, 2), Lane::Admin, elect_leaders),
    Route::new(45, (0, 1), Lane::Admin, alter_partition_reassignments),
    Route::new(46, (0, 0), Lane::Admin, list_partition_reassignments),
];

/// In DeleteRecords: all that are there.
const HIGH_WATERMARK: i64 = -1;

type Refusal = (ErrorCode, String);

fn delete_records(call: &mut Call<'_>) -> Result<Answer, CallError> {
    let request: DeleteRecordsRequest = call.decode()?;
    let broker = call.broker();
    let mut durability = Durability::NONE;
    let topics = request.topics.into_iter().map(|asked| {
        let topic = names::existing(broker, &asked.name);
        let partitions = asked.partitions.into_iter().map(|one| {
            let before = if one.offset == HIGH_WATERMARK {
                DeleteBefore::End
            } else {
                DeleteBefore::Offset(one.offset)
            };
            let deleted = match &topic {
                Err((code, _)) => Err(*code),
                Ok(topic) if topic.is_internal_to_kafka() => Err(ErrorCode::INVALID_TOPIC_EXCEPTION),
                Ok(topic) => broker
                    .delete_records(topic, one.partition_index, before)
                    .map_err(|error| errors::delete_records(&error)),
            };
            let result = DeleteRecordsPartitionResult::default().with_partition_index(one.partition_index);
            match deleted {
                Ok((low_watermark, promised)) => {
                    durability = durability.and(promised);
                    result.with_low_watermark(low_watermark)
                }
                Err(code) => result.with_error_code(code.0).with_low_watermark(-1),
            }
        });
        let partitions = partitions.collect();
        DeleteRecordsTopicResult::default().with_name(asked.name).with_partitions(partitions)
    });
    let response = DeleteRecordsResponse::default().with_topics(topics.collect());
    let durability = durability.within(i64::from(request.timeout_ms.max(0)));
    call.answer_when(durability, response, |mut response, cause| {
        let partitions = response.topics.iter_mut().flat_map(|topic| &mut topic.partitions);
        for partition in partitions.filter(|partition| partition.error_code == 0) {
            partition.error_code = errors::durability(cause).0;
            partition.low_watermark = -1;
        }
        response
    })
}

fn create_partitions(call: &mut Call<'_>) -> Result<Answer, CallError> {
    let request: CreatePartitionsRequest = call.decode()?;
    let broker = call.broker();
    let mut durability = Durability::NONE;
    let mut results: Vec<CreatePartitionsTopicResult> = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        if results.iter().any(|result| result.name == topic.name) {
            continue;
        }
        let twice = request.topics.iter().filter(|other| other.name == topic.name).count() > 1;
        let grown = if twice {
            Err((ErrorCode::INVALID_REQUEST, "the request names this topic more than once".to_owned()))
        } else {
            grow(broker, topic, request.validate_only)
        };
        let result = CreatePartitionsTopicResult::default().with_name(topic.name.clone());
        results.push(match grown {
            Ok(promised) => {
                durability = durability.and(promised);
                result.with_error_message(None)
            }
            Err((code, words)) => {
                result.with_error_code(code.0).with_error_message(Some(StrBytes::from_string(words)))
            }
        });
    }
    let durability = durability.within(i64::from(request.timeout_ms.max(0)));
    let response = CreatePartitionsResponse::default().with_results(results);
    call.answer_when(durability, response, |mut response, cause| {
        let done = response.results.iter_mut().filter(|result| result.error_code == 0);
        done.for_each(|result| result.error_code = errors::durability(cause).0);
        response
    })
}

fn grow(broker: &Broker, asked: &CreatePartitionsTopic, validate_only: bool) -> Result<Durability, Refusal> {
    let unknown =
        || (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, "this broker does not have the topic".to_owned());
    let topic = names::topic(broker, &asked.name).ok_or_else(unknown)?;
    let grown = |only| {
        let grown = broker.grow_topic(topic.name(), asked.count, only);
        grown.map_err(|error| (errors::grow_topic(&error), error.to_string()))
    };
    if let Some(assignments) = &asked.assignments {
        grown(true)?;
        let added =
            broker.partitions_of(topic.name()).map_or(0, |current| asked.count.saturating_sub(current));
        let invalid = |words| Err((ErrorCode::INVALID_REPLICA_ASSIGNMENT, words));
        if i32::try_from(assignments.len()) != Ok(added) {
            let given = assignments.len();
            return invalid(format!("{given} assignments were given for {added} new partitions"));
        }
        let node = broker.identity().node_id;
        if !assignments.iter().all(|one| matches!(one.broker_ids.as_slice(), [id] if id.0 == node)) {
            return invalid(format!("every new partition must be assigned to broker {node} alone"));
        }
    }
    grown(validate_only)
}

fn elect_leaders(call: &mut Call<'_>) -> Result<Answer, CallError> {
    let request: ElectLeadersRequest = call.decode()?;
    let version = call.version();
    let broker = call.broker();
    let mut response = ElectLeadersResponse::default();
    let invalid =
        || (ErrorCode::INVALID_REQUEST, "election types are 0 (preferred) and 1 (unclean)".to_owned());
    let known = version < 1 || matches!(request.election_type, 0 | 1);
    if !known {
        response.error_code = ErrorCode::INVALID_REQUEST.0;
    }
    // Asked for all partitions, Kafka names those only that had an election: none.
    let results = request.topic_partitions.unwrap_or_default().into_iter().map(|asked| {
        let topic = names::topic(broker, &asked.topic);
        let partitions = asked.partitions.into_iter().map(|index| {
            let (code, words) = match exists(topic.as_deref(), index) {
                _ if !known => invalid(),
                Ok(()) => (ErrorCode::ELECTION_NOT_NEEDED, "the only replica leads the partition".to_owned()),
                Err(refusal) => refusal,
            };
            PartitionResult::default()
                .with_partition_id(index)
                .with_error_code(code.0)
                .with_error_message(Some(StrBytes::from_string(words)))
        });
        let partitions = partitions.collect();
        ReplicaElectionResult::default().with_topic(asked.topic).with_partition_result(partitions)
    });
    response.replica_election_results = results.collect();
    call.answer(&response)
}

fn exists(topic: Option<&Topic>, index: i32) -> Result<(), Refusal> {
    let missing = |words: &str| Err((ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, words.to_owned()));
    match topic {
        None => missing("this broker does not have the topic"),
        Some(topic) if !(0..topic.partitions()).contains(&index) => {
            missing("the topic has no such partition")
        }
        Some(_) => Ok(()),
    }
}

fn alter_partition_reassignments(call: &mut Call<'_>) -> Result<Answer, CallError> {
    let request: AlterPartitionReassignmentsRequest = call.decode()?;
    let broker = call.broker();
    let topics = request.topics.into_iter().map(|asked| {
        let topic = names::topic(broker, &asked.name);
        let partitions = asked.partitions.into_iter().map(|one| {
            let (code, words) = match reassign(broker, topic.as_deref(), &one) {
                Ok(()) => (ErrorCode::NONE, None),
                Err((code, words)) => (code, Some(StrBytes::from_string(words))),
            };
            ReassignablePartitionResponse::default()
                .with_partition_index(one.partition_index)
                .with_error_code(code.0)
                .with_error_message(words)
        });
        let partitions = partitions.collect();
        ReassignableTopicResponse::default().with_name(asked.name).with_partitions(partitions)
    });
    let topics = topics.collect();
    let mut response =
        AlterPartitionReassignmentsResponse::default().with_error_message(None).with_responses(topics);
    if call.version() >= 1 {
        response.allow_replication_factor_change = request.allow_replication_factor_change;
    }
    call.answer(&response)
}

/// Done when the partition is asked to be where it is.
fn reassign(broker: &Broker, topic: Option<&Topic>, asked: &ReassignablePartition) -> Result<(), Refusal> {
    exists(topic, asked.partition_index)?;
    let node = broker.identity().node_id;
    match asked.replicas.as_deref() {
        None => Err((ErrorCode::NO_REASSIGNMENT_IN_PROGRESS, "no reassignment is in progress".to_owned())),
        Some([id]) if id.0 == node => Ok(()),
        Some(_) => Err((
            ErrorCode::INVALID_REPLICA_ASSIGNMENT,
            format!("the only replica of every partition is on broker {node}; there is no other broker"),
        )),
    }
}

fn list_partition_reassignments(call: &mut Call<'_>) -> Result<Answer, CallError> {
    let _: ListPartitionReassignmentsRequest = call.decode()?;
    call.answer(&ListPartitionReassignmentsResponse::default().with_error_message(None))
}
