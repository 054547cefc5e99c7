//! Metadata (3): brokers, topics and their partitions, as the asking client must dial them.
//!
//! Creates missing topics when the client allows it (answered UNKNOWN_TOPIC_OR_PARTITION until the topic is
//! durable; clients poll). Source: Kafka 4.1 `KafkaApis.handleTopicMetadataRequest`.

use gantry_protocols::kafka::error_code::ErrorCode;
use gantry_protocols::kafka::messages::metadata_request::MetadataRequestTopic;
use gantry_protocols::kafka::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use gantry_protocols::kafka::messages::{BrokerId, MetadataRequest, MetadataResponse, StrBytes, TopicName};

use super::call::{Answer, Call, CallError};
use super::cluster::CLUSTER_OPERATIONS;
use super::describe_topics::TOPIC_OPERATIONS;
use super::{Lane, Route, errors, names};
use crate::broker::{Broker, Topic};

pub(super) const ROUTES: &[Route] = &[Route::new(3, (0, 13), Lane::Admin, metadata)];

fn metadata(call: &mut Call<'_>) -> Result<Answer, CallError> {
    let request: MetadataRequest = call.decode()?;
    let version = call.version();
    let broker = call.broker();
    let create =
        (version < 4 || request.allow_auto_topic_creation) && broker.settings().auto_create_kafka_topics;
    let mut topics: Vec<_> = match request.topics {
        Some(asked) if !(asked.is_empty() && version == 0) => {
            asked.into_iter().map(|topic| one(broker, topic, create, version)).collect()
        }
        _ => names::all(broker).iter().map(|topic| describe(broker, topic, version)).collect(),
    };
    if version >= 8 && request.include_topic_authorized_operations {
        let found = topics.iter_mut().filter(|topic| topic.error_code == 0);
        found.for_each(|topic| topic.topic_authorized_operations = TOPIC_OPERATIONS);
    }
    let identity = broker.identity();
    let (host, port) = broker.kafka_address(call.reply.mailbox);
    let me = MetadataResponseBroker::default()
        .with_node_id(BrokerId(identity.node_id))
        .with_host(StrBytes::from_string(host))
        .with_port(i32::from(port))
        .with_rack(identity.rack.clone().filter(|_| version >= 1).map(StrBytes::from_string));
    let mut response = MetadataResponse::default()
        .with_brokers(vec![me])
        .with_cluster_id((version >= 2).then(|| StrBytes::from_string(identity.cluster_id.clone())))
        .with_controller_id(BrokerId(if version >= 1 { identity.node_id } else { -1 }))
        .with_topics(topics);
    if (8..=10).contains(&version) && request.include_cluster_authorized_operations {
        response.cluster_authorized_operations = CLUSTER_OPERATIONS;
    }
    call.answer(&response)
}

fn one(broker: &Broker, asked: MetadataRequestTopic, create: bool, version: i16) -> MetadataResponseTopic {
    let Some(name) = asked.name else {
        return match names::topic_by_id(broker, asked.topic_id) {
            Some(topic) => describe(broker, &topic, version),
            None => MetadataResponseTopic::default()
                .with_topic_id(asked.topic_id)
                .with_error_code(ErrorCode::UNKNOWN_TOPIC_ID.0),
        };
    };
    if let Some(topic) = names::topic(broker, &name) {
        return describe(broker, &topic, version);
    }
    let error = match broker.validate_kafka_topic_name(&name) {
        Err(_) => ErrorCode::INVALID_TOPIC_EXCEPTION,
        Ok(()) if create => match broker.create_kafka_topic_automatically(&name) {
            Ok(()) => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            Err(error) => errors::create_topic(&error),
        },
        Ok(()) => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
    };
    unknown(name, error)
}

fn unknown(name: TopicName, error: ErrorCode) -> MetadataResponseTopic {
    MetadataResponseTopic::default().with_name(Some(name)).with_error_code(error.0)
}

fn describe(broker: &Broker, topic: &Topic, version: i16) -> MetadataResponseTopic {
    let node = BrokerId(broker.identity().node_id);
    let epoch = if version >= 7 { broker.leader_epoch() } else { -1 };
    let partitions = (0..topic.partitions()).map(|index| {
        MetadataResponsePartition::default()
            .with_partition_index(index)
            .with_leader_id(node)
            .with_leader_epoch(epoch)
            .with_replica_nodes(vec![node])
            .with_isr_nodes(vec![node])
    });
    let mut described = MetadataResponseTopic::default()
        .with_name(Some(names::name_of(topic)))
        .with_partitions(partitions.collect())
        .with_is_internal(version >= 1 && topic.is_internal_to_kafka());
    if version >= 10 {
        described.topic_id = topic.id();
    }
    described
}
