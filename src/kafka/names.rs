//! Kafka's names of topics and groups, resolved to what is stored. Not the rules (they are `mapping::names`).

use std::sync::Arc;

use gantry_protocols::kafka::error_code::ErrorCode;
use gantry_protocols::kafka::messages::{GroupId, StrBytes, TopicName};
use uuid::Uuid;

use crate::broker::{Broker, Topic};
use crate::mapping::{group_names, names};

/// The topic that a Kafka client means by `name`.
pub(super) fn topic(broker: &Broker, name: &str) -> Option<Arc<Topic>> {
    let stored = names::from_kafka(name, |stored| broker.topic(stored).is_some())?;
    broker.topic(&stored).filter(|topic| topic.kafka_name().is_some() && broker.is_durable(topic))
}

/// The topic that a Kafka client means by `name`, or why there is none.
pub(super) fn existing(broker: &Broker, name: &str) -> Result<Arc<Topic>, (ErrorCode, String)> {
    topic(broker, name).ok_or_else(|| match broker.validate_kafka_topic_name(name) {
        Err(error) => (ErrorCode::INVALID_TOPIC_EXCEPTION, format!("topic name is invalid: {error}")),
        Ok(()) => (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, "this broker does not have the topic".to_owned()),
    })
}

/// Every topic that Kafka clients see, by stored name.
pub(super) fn all(broker: &Broker) -> Vec<Arc<Topic>> {
    let seen = |topic: &Arc<Topic>| topic.kafka_name().is_some() && broker.is_durable(topic);
    broker.topics().into_iter().filter(seen).collect()
}

/// The topic with this id.
pub(super) fn topic_by_id(broker: &Broker, id: Uuid) -> Option<Arc<Topic>> {
    broker.topic_by_id(id).filter(|topic| topic.kafka_name().is_some() && broker.is_durable(topic))
}

/// The name under which Kafka clients know `topic`.
pub(super) fn name_of(topic: &Topic) -> TopicName {
    TopicName(StrBytes::from_string(topic.kafka_name().unwrap_or_default().to_owned()))
}

/// The stored name of a group.
pub(super) fn group(id: &GroupId) -> String {
    group_names::from_kafka(id.as_str()).into_owned()
}

/// The name under which Kafka clients know a stored group.
pub(super) fn group_id(stored: &str) -> GroupId {
    GroupId(StrBytes::from_string(group_names::kafka_view(stored).into_owned()))
}
