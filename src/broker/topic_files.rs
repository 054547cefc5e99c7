//! `config/topics.json` as RocketMQ writes it, and `gantry/topics` with what only Kafka and we know of topics.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::Arc;

use gantry_store::disk::Disk;
use gantry_store::state_file::StateFile as JsonFile;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use tracing::warn;
use uuid::Uuid;

use super::side_json::SideJson;
use super::state_json::DataVersionJson;
use crate::semantics::kafka_configs::KafkaConfigs;
use crate::semantics::kafka_topics::{KafkaTopic, KafkaTopics, TopicId};
use crate::semantics::partition_map::{PartitionMap, Slot};
use crate::semantics::topic_defaults::{Scope, TopicDefaults};
use crate::semantics::topics::{FilterType, Perm, TopicConfig, Topics};

/// Everything about topics that outlives a restart.
#[derive(Debug, Default)]
pub(super) struct TopicState {
    pub(super) topics: Topics,
    pub(super) kafka: KafkaTopics,
    pub(super) partitions: PartitionMap,
    pub(super) defaults: TopicDefaults,
    /// Topics whose new form clients see once the files hold it.
    pub(super) changed: BTreeSet<Arc<str>>,
}

/// The two files.
#[derive(Debug)]
pub(super) struct TopicFiles {
    topics: JsonFile,
    own: SideJson<OwnFile>,
}

/// What is written, taken under the lock and saved outside of it.
#[derive(Debug)]
pub(super) struct TopicSnapshot(TopicFile, OwnFile);

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct TopicFile {
    data_version: DataVersionJson,
    topic_config_table: IndexMap<String, TopicJson>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct TopicJson {
    attributes: IndexMap<String, String>,
    order: bool,
    perm: i32,
    read_queue_nums: i32,
    topic_filter_type: String,
    topic_name: String,
    topic_sys_flag: i32,
    write_queue_nums: i32,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct OwnFile {
    topics: Vec<OwnTopic>,
    partitions: BTreeMap<String, Vec<(String, i32)>>,
    /// Defaults of topics altered for this broker, and for all.
    broker_defaults: BTreeMap<String, String>,
    cluster_defaults: BTreeMap<String, String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct OwnTopic {
    name: String,
    id: Uuid,
    configs: IndexMap<String, String>,
    log_starts: BTreeMap<i32, i64>,
}

impl TopicFiles {
    pub(super) fn new(disk: &Arc<dyn Disk>, config: &Path, own: &Path) -> Self {
        Self {
            topics: JsonFile::new(Arc::clone(disk), config.join("topics.json")),
            own: SideJson::new(disk, own.join("topics"), *b"GTOPICS1"),
        }
    }

    /// Reads both. Topics that a Java broker deleted since take their Kafka facts with them. Blocks.
    pub(super) fn load(&self) -> io::Result<TopicState> {
        let file: TopicFile =
            self.topics.load().map_err(io::Error::other)?.map(|(file, _)| file).unwrap_or_default();
        let own = self.own.load()?;
        let version = file.data_version.into();
        let configs = file.topic_config_table.into_iter().map(|(name, json)| json.config(&name));
        let topics = Topics::new(version, configs);
        let mut state = TopicState { topics, ..TopicState::default() };
        for topic in own.topics {
            if state.topics.find(&topic.name).is_some() {
                state.restore(topic);
            }
        }
        for (topic, slots) in own.partitions {
            let slots = slots.into_iter().map(|(broker, queue)| Slot { broker: broker.into(), queue });
            state.partitions.restore(&topic, slots.collect());
        }
        let scopes = [(Scope::Broker, own.broker_defaults), (Scope::Cluster, own.cluster_defaults)];
        for (scope, saved) in scopes {
            for (name, value) in saved {
                if let Err(error) = state.defaults.restore(scope, &name, &value) {
                    warn!(name, %error, "a saved default of topics is left out");
                }
            }
        }
        Ok(state)
    }

    /// Writes what `snapshot` holds; RocketMQ's file first. Blocks.
    pub(super) fn save(&self, snapshot: &TopicSnapshot) -> io::Result<()> {
        self.topics.save(&snapshot.0).map_err(io::Error::other)?;
        self.own.save(&snapshot.1)
    }
}

impl TopicState {
    fn restore(&mut self, own: OwnTopic) {
        let mut configs = KafkaConfigs::default();
        for (name, value) in &own.configs {
            let set = crate::semantics::kafka_configs::Alteration::Set(value);
            if let Err(error) = configs.alter(name, set) {
                warn!(topic = own.name, %error, "a saved topic setting is left out");
            }
        }
        let added = self.kafka.add(&own.name, KafkaTopic::new(TopicId(own.id.as_u128()), configs));
        if let Err(error) = added {
            warn!(topic = own.name, %error, "saved facts of a topic are left out");
        }
        for (partition, offset) in own.log_starts {
            self.kafka.raise_log_start(&own.name, partition, offset);
        }
    }

    /// What the files shall hold.
    pub(super) fn snapshot(&self) -> TopicSnapshot {
        let table = self.topics.iter().map(|topic| (topic.name.to_string(), TopicJson::of(topic)));
        let file = TopicFile {
            data_version: self.topics.data_version().into(),
            topic_config_table: table.collect(),
        };
        let topics = self.kafka.iter().map(|(name, topic)| OwnTopic {
            name: name.to_owned(),
            id: Uuid::from_u128(topic.id.0),
            configs: topic.configs().set().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
            log_starts: topic.log_starts().collect(),
        });
        let slots = |slots: &[Slot]| slots.iter().map(|slot| (slot.broker.to_string(), slot.queue)).collect();
        let partitions = self.partitions.iter().map(|(topic, list)| (topic.to_owned(), slots(list)));
        let altered = |scope| {
            let altered = self.defaults.altered(scope);
            altered.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
        };
        let own = OwnFile {
            topics: topics.collect(),
            partitions: partitions.collect(),
            broker_defaults: altered(Scope::Broker),
            cluster_defaults: altered(Scope::Cluster),
        };
        TopicSnapshot(file, own)
    }
}

impl TopicJson {
    fn of(topic: &TopicConfig) -> Self {
        Self {
            attributes: topic.attributes.clone(),
            order: topic.order,
            perm: topic.perm.0,
            read_queue_nums: topic.read_queues,
            topic_filter_type: match topic.filter_type {
                FilterType::SingleTag => "SINGLE_TAG".to_owned(),
                FilterType::MultiTag => "MULTI_TAG".to_owned(),
            },
            topic_name: topic.name.to_string(),
            topic_sys_flag: topic.sys_flag,
            write_queue_nums: topic.write_queues,
        }
    }

    fn config(self, name: &str) -> TopicConfig {
        let mut config = TopicConfig::new(name, self.read_queue_nums);
        config.write_queues = self.write_queue_nums;
        config.perm = Perm(self.perm);
        config.order = self.order;
        config.sys_flag = self.topic_sys_flag;
        config.attributes = self.attributes;
        if self.topic_filter_type == "MULTI_TAG" {
            config.filter_type = FilterType::MultiTag;
        }
        config
    }
}
