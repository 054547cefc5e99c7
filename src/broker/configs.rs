//! Describing settings: of a topic, and of the broker, as Kafka clients name them.
//!
//! Every value comes with its source and with the values it hides. Nothing is changed here ([`super::alter_configs`]).
//! Source: Kafka 4.1 `ConfigHelper.scala`, KIP-226 (synonyms), KIP-569 (types and documentation).

use super::Broker;
use super::topic::Topic;
use crate::semantics::kafka_configs::{CONFIG_KEYS, ConfigKey, Effect, KafkaConfigs, ValueType};
use crate::semantics::topic_defaults::{Scope, Source, TopicDefaults, is_alterable};
use crate::semantics::topics::{MESSAGE_TYPE, QUEUE_TYPE};

/// One setting of the broker that was read at start.
#[derive(Clone, Debug)]
pub struct BrokerConfig {
    /// Kafka's name.
    pub name: &'static str,
    /// As written in a file.
    pub value: String,
    /// Type of the value.
    pub value_type: ValueType,
    /// Whether the configuration names it.
    pub is_set: bool,
    /// One sentence.
    pub doc: &'static str,
}

/// A setting with its value, and where the value comes from.
#[derive(Clone, Debug)]
pub struct DescribedConfig {
    /// Its name.
    pub name: &'static str,
    /// The value that holds.
    pub value: String,
    /// Where that comes from.
    pub source: Source,
    /// All values there are: name, value and source, the one that holds first.
    pub synonyms: Vec<(&'static str, String, Source)>,
    /// Type of the value.
    pub value_type: ValueType,
    /// Whether no request changes it.
    pub read_only: bool,
    /// What it means.
    pub doc: &'static str,
}

impl Broker {
    /// The settings of a topic, defaults included.
    #[must_use]
    pub fn topic_configs(&self, topic: &Topic) -> Vec<DescribedConfig> {
        let set = topic.kafka_facts().map(|facts| facts.configs().clone()).unwrap_or_default();
        let mut configs = self.configs_of(&set);
        let kind = if topic.stores_batches() { "BatchCQ" } else { "SimpleCQ" };
        configs.push(own(
            QUEUE_TYPE,
            kind,
            true,
            "How the topic is stored: BatchCQ is mode B, SimpleCQ mode S.",
        ));
        let accepted = topic.config().attributes.get(MESSAGE_TYPE).map_or("UNSPECIFIED", String::as_str);
        configs.push(own(MESSAGE_TYPE, accepted, false, "Which kinds of messages the topic takes."));
        configs
    }

    /// The settings of a topic that sets `set`, without those that only this broker has.
    pub(super) fn configs_of(&self, set: &KafkaConfigs) -> Vec<DescribedConfig> {
        let state = self.topics.state();
        CONFIG_KEYS.iter().filter_map(|key| describe(key, set, &state.defaults)).collect()
    }

    /// The settings of this broker.
    #[must_use]
    pub fn broker_configs(&self) -> Vec<DescribedConfig> {
        let state = self.topics.state();
        let defaults = CONFIG_KEYS.iter().filter(|key| !key.broker_name.is_empty()).map(|key| {
            let values = state.defaults.values(key).into_iter();
            let synonyms = values.map(|(value, source)| (key.broker_name, value.to_owned(), source));
            described(key.broker_name, synonyms.collect(), key.value_type(), !is_alterable(key), key.doc)
        });
        let read = self.configs.iter().map(|config| {
            let source = if config.is_set { Source::Configured } else { Source::BuiltIn };
            let synonyms = vec![(config.name, config.value.clone(), source)];
            described(config.name, synonyms, config.value_type, true, config.doc)
        });
        let mut all: Vec<_> = defaults.chain(read).collect();
        all.sort_by_key(|config| config.name);
        all
    }

    /// What was altered for all brokers.
    #[must_use]
    pub fn cluster_configs(&self) -> Vec<DescribedConfig> {
        let state = self.topics.state();
        let altered = CONFIG_KEYS.iter().filter_map(|key| {
            let (_, value) = state.defaults.altered(Scope::Cluster).find(|(name, _)| *name == key.name)?;
            let synonyms = vec![(key.broker_name, value.to_owned(), Source::Altered(Scope::Cluster))];
            Some(described(key.broker_name, synonyms, key.value_type(), false, key.doc))
        });
        altered.collect()
    }
}

/// `None` for a setting of Kafka 3 that is not set.
fn describe(
    key: &'static ConfigKey,
    set: &KafkaConfigs,
    defaults: &TopicDefaults,
) -> Option<DescribedConfig> {
    let here = set.set().find(|(name, _)| *name == key.name).map(|(_, value)| value);
    if here.is_none() && key.effect == Effect::Former {
        return None;
    }
    let here = here.map(|value| (key.name, value.to_owned(), Source::Topic));
    let below = defaults.values(key).into_iter();
    let below = below.map(|(value, source)| (key.broker_name, value.to_owned(), source));
    Some(described(key.name, here.into_iter().chain(below).collect(), key.value_type(), false, key.doc))
}

fn described(
    name: &'static str,
    synonyms: Vec<(&'static str, String, Source)>,
    value_type: ValueType,
    read_only: bool,
    doc: &'static str,
) -> DescribedConfig {
    let first = synonyms.first().map(|(_, value, source)| (value.clone(), *source));
    let (value, source) = first.unwrap_or((String::new(), Source::BuiltIn));
    let synonyms = synonyms.into_iter().filter(|(name, _, _)| !name.is_empty()).collect();
    DescribedConfig { name, value, source, synonyms, value_type, read_only, doc }
}

fn own(name: &'static str, value: &str, read_only: bool, doc: &'static str) -> DescribedConfig {
    described(name, vec![(name, value.to_owned(), Source::Topic)], ValueType::Text, read_only, doc)
}
