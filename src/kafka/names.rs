//! Kafka's names of topics and groups, resolved to what is stored. Not the rules (they are `mapping::names`).

use std::sync::Arc;

use gantry_protocols::kafka::messages::{GroupId, StrBytes, TopicName};
use uuid::Uuid;

use crate::broker::{Broker, Topic};
use crate::mapping::{group_names, names};

/// The topic that a Kafka client means by `name`.
pub(super) fn topic(broker: &Broker, name: &str) -> Option<Arc<Topic>> {
    let stored = names::from_kafka(name, |stored| broker.topic(stored).is_some())?;
    broker.topic(&stored).filter(|topic| topic.kafka_name().is_some() && broker.is_durable(topic))
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
