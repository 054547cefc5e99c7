//! What Kafka knows of topics: names, ids, bounds of partitions, topic settings.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gantry_protocols::kafka::messages::describe_configs_request::DescribeConfigsResource;
use gantry_protocols::kafka::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use gantry_protocols::kafka::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use gantry_protocols::kafka::messages::metadata_request::MetadataRequestTopic;
use gantry_protocols::kafka::messages::metadata_response::MetadataResponseTopic;
use gantry_protocols::kafka::messages::{
    DescribeConfigsRequest, IncrementalAlterConfigsRequest, ListOffsetsRequest, MetadataRequest, StrBytes,
    TopicName,
};
use serde::Serialize;

use super::super::wire::{Wire, kafka_refusal};
use super::TopicRow;
use crate::cli::failure::Failure;
use crate::mapping::names::kafka_view;

/// Resource type of a topic.
const TOPIC: i8 = 2;
const SET: i8 = 0;
const DELETE: i8 = 1;
const EARLIEST: i64 = -2;
const LATEST: i64 = -1;

/// A topic setting with its value in effect.
#[derive(Debug, Serialize)]
pub(super) struct Config {
    pub(super) name: String,
    pub(super) value: Option<String>,
    /// Whether somebody set it on the topic.
    pub(super) set: bool,
}

/// Adds Kafka's names, ids and numbers of messages.
pub(super) fn add(wire: &mut Wire, rows: &mut [TopicRow]) -> Result<(), Failure> {
    let topics = metadata(wire, None)?;
    let bounds = bounds(wire, &topics)?;
    let by_name: HashMap<&str, &MetadataResponseTopic> =
        topics.iter().filter_map(|topic| Some((topic.name.as_ref()?.as_str(), topic))).collect();
    for row in rows {
        let Some(name) = kafka_view(&row.topic) else { continue };
        let Some(topic) = by_name.get(&*name) else { continue };
        row.messages = bounds.get(&*name).copied();
        row.topic_id = id_text(topic);
        row.kafka_name = Some(name.into_owned());
    }
    Ok(())
}

/// A topic's id as Kafka's tools write it; `None` from brokers that have none.
pub(super) fn id_text(topic: &MetadataResponseTopic) -> Option<String> {
    let id = topic.topic_id;
    (!id.is_nil()).then(|| URL_SAFE_NO_PAD.encode(id.as_bytes()))
}

/// One topic by its Kafka name, or all.
pub(super) fn metadata(wire: &mut Wire, name: Option<&str>) -> Result<Vec<MetadataResponseTopic>, Failure> {
    let topics = name.map(|name| vec![MetadataRequestTopic::default().with_name(Some(topic_name(name)))]);
    let response = wire.kafka(12, |version| {
        let all = (version == 0).then(Vec::new);
        MetadataRequest::default().with_topics(topics.or(all)).with_allow_auto_topic_creation(false)
    })?;
    Ok(response.topics)
}

pub(super) fn topic_name(name: &str) -> TopicName {
    StrBytes::from_string(name.to_owned()).into()
}

/// Messages by topic: what lies between the first and the last offset of each partition.
fn bounds(wire: &mut Wire, topics: &[MetadataResponseTopic]) -> Result<HashMap<String, i64>, Failure> {
    let mut sums: HashMap<String, i64> = HashMap::new();
    for (timestamp, sign) in [(LATEST, 1), (EARLIEST, -1)] {
        let asked = topics.iter().filter_map(|topic| {
            let partition = |index: i32| {
                ListOffsetsPartition::default().with_partition_index(index).with_timestamp(timestamp)
            };
            let partitions = topic.partitions.iter().map(|one| partition(one.partition_index)).collect();
            Some(ListOffsetsTopic::default().with_name(topic.name.clone()?).with_partitions(partitions))
        });
        let asked: Vec<_> = asked.collect();
        let response =
            wire.kafka(7, |_| ListOffsetsRequest::default().with_replica_id((-1).into()).with_topics(asked))?;
        for topic in &response.topics {
            let offsets =
                topic.partitions.iter().filter(|one| one.error_code == 0).map(|one| one.offset.max(0));
            *sums.entry(topic.name.to_string()).or_insert(0) += sign * offsets.sum::<i64>();
        }
    }
    Ok(sums)
}

/// The topic settings in effect.
pub(super) fn configs(wire: &mut Wire, name: &str) -> Result<Vec<Config>, Failure> {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(TOPIC)
        .with_resource_name(StrBytes::from_string(name.to_owned()))
        .with_configuration_keys(None);
    let response = wire.kafka(4, |_| DescribeConfigsRequest::default().with_resources(vec![resource]))?;
    let mut found = Vec::new();
    for result in response.results {
        kafka_refusal(
            &format!("settings of topic {name}"),
            result.error_code,
            result.error_message.as_deref(),
        )?;
        found.extend(result.configs.into_iter().map(|config| Config {
            name: config.name.to_string(),
            value: config.value.map(|value| value.to_string()),
            // 1 is DYNAMIC_TOPIC_CONFIG.
            set: config.config_source == 1,
        }));
    }
    Ok(found)
}

/// Sets some topic settings and gives others their default again, all or none.
pub(super) fn alter_configs(
    wire: &mut Wire,
    stored: &str,
    set: &[(String, String)],
    unset: &[String],
) -> Result<(), Failure> {
    let name = kafka_view(stored).ok_or_else(|| {
        Failure::failed(format!("topic {stored} has no Kafka name, and so no settings of Kafka's"))
    })?;
    let one = |name: &String, operation: i8, value: Option<&String>| {
        AlterableConfig::default()
            .with_name(StrBytes::from_string(name.clone()))
            .with_config_operation(operation)
            .with_value(value.map(|value| StrBytes::from_string(value.clone())))
    };
    let set = set.iter().map(|(name, value)| one(name, SET, Some(value)));
    let configs = set.chain(unset.iter().map(|name| one(name, DELETE, None))).collect();
    let resource = AlterConfigsResource::default()
        .with_resource_type(TOPIC)
        .with_resource_name(StrBytes::from_string(name.to_string()))
        .with_configs(configs);
    let response =
        wire.kafka(1, |_| IncrementalAlterConfigsRequest::default().with_resources(vec![resource]))?;
    let what = format!("topic {stored} was not altered");
    response
        .responses
        .iter()
        .try_for_each(|one| kafka_refusal(&what, one.error_code, one.error_message.as_deref()))
}
