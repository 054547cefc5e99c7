//! CreateTopics (19) and DeleteTopics (20).
//!
//! Answered when every later Metadata names the topic and a kill cannot lose it.
//! Source: Kafka 4.1 `ReplicationControlManager`, KIP-195, KIP-525 (configs in the answer).

use std::collections::HashMap;

use gantry_protocols::kafka::error_code::ErrorCode;
use gantry_protocols::kafka::messages::create_topics_request::CreatableTopic;
use gantry_protocols::kafka::messages::create_topics_response::{
    CreatableTopicConfigs, CreatableTopicResult,
};
use gantry_protocols::kafka::messages::delete_topics_request::DeleteTopicState;
use gantry_protocols::kafka::messages::delete_topics_response::DeletableTopicResult;
use gantry_protocols::kafka::messages::{
    CreateTopicsRequest, CreateTopicsResponse, DeleteTopicsRequest, DeleteTopicsResponse, StrBytes,
};

use super::call::{Answer, Call, CallError};
use super::{Lane, Route, configs, errors, names};
use crate::broker::configs::DescribedConfig;
use crate::broker::topics::{CreateTopicError, CreatedTopic, NewTopic};
use crate::broker::{Broker, Durability};

pub(super) const ROUTES: &[Route] =
    &[Route::new(19, (2, 7), Lane::Admin, create_topics), Route::new(20, (1, 6), Lane::Admin, delete_topics)];

fn create_topics(call: &mut Call<'_>) -> Result<Answer, CallError> {
    let request: CreateTopicsRequest = call.decode()?;
    let (broker, version) = (call.broker(), call.version());
    let mut durability = Durability::NONE;
    let mut asked = HashMap::new();
    for topic in &request.topics {
        *asked.entry(topic.name.clone()).or_insert(0) += 1;
    }
    let mut results = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let twice = asked.get(&topic.name).is_some_and(|times| *times > 1);
        let created = if twice {
            Err(CreateTopicError::NamedTwice)
        } else {
            create(broker, topic, request.validate_only)
        };
        if let Ok(created) = &created {
            durability = durability.and(created.durability);
        }
        if !(twice && results.iter().any(|result: &CreatableTopicResult| result.name == topic.name)) {
            results.push(creation_result(topic, created, version));
        }
    }
    let durability = durability.within(i64::from(request.timeout_ms.max(0)));
    call.answer_when(
        durability,
        CreateTopicsResponse::default().with_topics(results),
        |mut response, cause| {
            let done = response.topics.iter_mut().filter(|topic| topic.error_code == 0);
            done.for_each(|topic| topic.error_code = errors::durability(cause).0);
            response
        },
    )
}

fn create(
    broker: &Broker,
    topic: &CreatableTopic,
    validate_only: bool,
) -> Result<CreatedTopic, CreateTopicError> {
    let mut partitions = Some(topic.num_partitions).filter(|count| *count != -1);
    let counts_given = topic.num_partitions != -1 || topic.replication_factor != -1;
    if !topic.assignments.is_empty() {
        if counts_given {
            return Err(CreateTopicError::AssignmentWithCounts);
        }
        check_assignment(broker, topic)?;
        partitions = i32::try_from(topic.assignments.len()).ok();
    } else if !matches!(topic.replication_factor, -1 | 1) {
        return Err(CreateTopicError::ReplicationFactor(topic.replication_factor));
    }
    let configs = topic.configs.iter().map(|config| {
        let value =
            config.value.as_ref().ok_or_else(|| CreateTopicError::NullConfig(config.name.to_string()))?;
        Ok((config.name.as_str(), value.as_str()))
    });
    let configs = configs.collect::<Result<Vec<_>, CreateTopicError>>()?;
    broker.create_kafka_topic(&NewTopic {
        name: topic.name.as_str(),
        partitions,
        configs: &configs,
        validate_only,
    })
}

fn check_assignment(broker: &Broker, topic: &CreatableTopic) -> Result<(), CreateTopicError> {
    let node = broker.identity().node_id;
    let mut indexes: Vec<_> = topic.assignments.iter().map(|one| one.partition_index).collect();
    indexes.sort_unstable();
    let dense = indexes.iter().enumerate().all(|(at, index)| i32::try_from(at) == Ok(*index));
    let here = topic.assignments.iter().all(|one| matches!(one.broker_ids.as_slice(), [id] if id.0 == node));
    if dense && here { Ok(()) } else { Err(CreateTopicError::Assignment(node)) }
}

fn creation_result(
    topic: &CreatableTopic,
    created: Result<CreatedTopic, CreateTopicError>,
    version: i16,
) -> CreatableTopicResult {
    let result = CreatableTopicResult::default().with_name(topic.name.clone());
    match created {
        Err(error) => {
            let message = StrBytes::from_string(error.to_string());
            result
                .with_error_code(errors::create_topic(&error).0)
                .with_error_message(Some(message))
                .with_num_partitions(-1)
                .with_replication_factor(-1)
                .with_configs(Some(Vec::new()))
        }
        Ok(created) => {
            let mut result = result.with_error_message(None);
            if version >= 5 {
                result.num_partitions = created.partitions;
                result.replication_factor = 1;
                result.configs = Some(created.configs.into_iter().map(config_entry).collect());
            }
            if version >= 7 {
                result.topic_id = created.id;
            }
            result
        }
    }
}

fn config_entry(config: DescribedConfig) -> CreatableTopicConfigs {
    CreatableTopicConfigs::default()
        .with_name(StrBytes::from_static_str(config.name))
        .with_value(Some(StrBytes::from_string(config.value)))
        .with_read_only(config.read_only)
        .with_config_source(configs::source_code(config.source))
}

fn delete_topics(call: &mut Call<'_>) -> Result<Answer, CallError> {
    let request: DeleteTopicsRequest = call.decode()?;
    let (broker, version) = (call.broker(), call.version());
    let by_name =
        request.topic_names.into_iter().map(|name| DeleteTopicState::default().with_name(Some(name)));
    let asked: Vec<_> = if version >= 6 { request.topics } else { by_name.collect() };
    let mut durability = Durability::NONE;
    let mut results: Vec<DeletableTopicResult> = Vec::with_capacity(asked.len());
    for topic in &asked {
        let same = |other: &&DeleteTopicState| other.name == topic.name && other.topic_id == topic.topic_id;
        let named = topic.name.is_some() == topic.topic_id.is_nil();
        if named && asked.iter().filter(same).count() == 1 {
            results.push(delete(broker, topic.clone(), version, &mut durability));
        } else if !results.iter().any(|told| told.name == topic.name && told.topic_id == topic.topic_id) {
            // Named twice, by name and by id at once, or not at all.
            let refused = DeletableTopicResult::default().with_name(topic.name.clone());
            results.push(refused.with_topic_id(topic.topic_id).with_error_code(ErrorCode::INVALID_REQUEST.0));
        }
    }
    let durability = durability.within(i64::from(request.timeout_ms.max(0)));
    call.answer_when(
        durability,
        DeleteTopicsResponse::default().with_responses(results),
        |mut response, cause| {
            let done = response.responses.iter_mut().filter(|topic| topic.error_code == 0);
            done.for_each(|topic| topic.error_code = errors::durability(cause).0);
            response
        },
    )
}

fn delete(
    broker: &Broker,
    asked: DeleteTopicState,
    version: i16,
    durability: &mut Durability,
) -> DeletableTopicResult {
    let by_id = asked.name.is_none();
    let topic = match &asked.name {
        Some(name) => names::topic(broker, name),
        None => names::topic_by_id(broker, asked.topic_id),
    };
    let name = asked.name.or_else(|| topic.as_ref().map(|topic| names::name_of(topic)));
    let mut result = DeletableTopicResult::default().with_name(name);
    if version >= 6 {
        result.topic_id = topic.as_ref().map_or(asked.topic_id, |topic| topic.id());
    }
    let error = match topic.map(|topic| broker.delete_topic(topic.name())) {
        Some(Ok(deleted)) => {
            *durability = durability.and(deleted);
            return result;
        }
        Some(Err(error)) => errors::delete_topic(&error),
        None if by_id => ErrorCode::UNKNOWN_TOPIC_ID,
        None => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
    };
    result.with_error_code(error.0)
}
