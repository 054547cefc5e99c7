//! Topics: looking them up, creating and deleting them, automatically or by order.
//!
//! A topic is visible from the moment it is in the table; its answers, and the first frame of a topic whose
//! kind RocketMQ must know before it sees one (`queue.type=BatchCQ`), wait until the state files hold it.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use tracing::{info, warn};
use uuid::Uuid;

use super::append::{NativeSend, SendError};
use super::configs::DescribedConfig;
use super::persist::{StateFile, Version};
use super::topic::Topic;
use super::topic_files::{TopicFiles, TopicSnapshot, TopicState};
use super::{Broker, Durability, Identity};
use crate::mapping::names::{self, OwnNames, Visibility};
use crate::semantics::Millis;
use crate::semantics::data_version::DataVersion;
use crate::semantics::kafka_configs::{ConfigError, KafkaConfigs};
use crate::semantics::kafka_topics::{KafkaTopic, TopicId};
use crate::semantics::topic_attributes::{MESSAGE_TYPES, QUEUE_TYPES};
use crate::semantics::topic_names::{self, NameError};
use crate::semantics::topics::{
    AutoCreateError, ChangeError, MESSAGE_TYPE, QUEUE_TYPE, QUEUES_MAX, SendTemplate, SystemTopics,
    TopicConfig, Topics,
};

/// The table, and the view of it that requests read.
#[derive(Debug)]
pub(super) struct TopicDesk {
    state: Mutex<TopicState>,
    by_name: RwLock<HashMap<Arc<str>, Arc<Topic>>>,
    by_id: RwLock<HashMap<Uuid, Arc<str>>>,
    files: TopicFiles,
}

/// A topic that a Kafka client wants.
#[derive(Clone, Copy, Debug)]
pub struct NewTopic<'a> {
    /// Name as the client says it.
    pub name: &'a str,
    /// `None`: the broker's default.
    pub partitions: Option<i32>,
    /// Settings, Kafka's and the attributes `queue.type` and `message.type`.
    pub configs: &'a [(&'a str, &'a str)],
    /// Only say whether it would work.
    pub validate_only: bool,
}

/// A topic that was created, or would be.
#[derive(Clone, Debug)]
pub struct CreatedTopic {
    /// Its id; nil when it was only validated.
    pub id: Uuid,
    /// How many partitions it has.
    pub partitions: i32,
    /// Its settings in force.
    pub configs: Vec<DescribedConfig>,
    /// When the creation cannot be lost any more.
    pub durability: Durability,
}

/// Why a topic is not created.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreateTopicError {
    /// The name breaks the rules.
    #[error("topic name is invalid: {0}")]
    Name(#[from] NameError),
    /// It exists, or one that native clients know under another spelling does.
    #[error("topic '{0}' already exists")]
    Exists(String),
    /// The request names it twice.
    #[error("the request names this topic more than once")]
    NamedTwice,
    /// Zero, negative or far too many.
    #[error("number of partitions must be 1 to {QUEUES_MAX}, not {0}; or -1 for the broker's default")]
    Partitions(i32),
    /// There is one broker.
    #[error("replication factor {0} is not possible with one broker; use 1, or -1 for the default")]
    ReplicationFactor(i16),
    /// Both a replica assignment and counts.
    #[error("both a replica assignment and partition or replication counts were given; use one of them")]
    AssignmentWithCounts,
    /// Not every partition once, each on this broker.
    #[error("the replica assignment must name partitions 0, 1, 2 … once each, each on broker {0}")]
    Assignment(i32),
    /// A setting without value.
    #[error("config '{0}' has no value")]
    NullConfig(String),
    /// A setting that does not exist or does not fit.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// An attribute that does not fit.
    #[error("invalid value `{value}` for topic attribute {name}; use one of {allowed}")]
    Attribute {
        /// The attribute.
        name: &'static str,
        /// As asked.
        value: String,
        /// What fits.
        allowed: &'static str,
    },
    /// Automatic creation by the rules of native clients.
    #[error(transparent)]
    Automatic(#[from] AutoCreateError),
    /// The table's rules.
    #[error(transparent)]
    Change(#[from] ChangeError),
}

/// Why a topic is not deleted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeleteTopicError {
    /// It is gone already.
    #[error("topic '{0}' does not exist")]
    Missing(String),
    /// The broker needs it.
    #[error("topic '{0}' belongs to the broker and cannot be deleted")]
    System(String),
    /// Its queues could not be removed.
    #[error("the queues of topic '{0}' could not be removed; the log names the cause")]
    Store(String),
}

impl TopicDesk {
    pub(super) fn new(state: TopicState, files: TopicFiles) -> Self {
        Self { state: Mutex::new(state), by_name: RwLock::default(), by_id: RwLock::default(), files }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, TopicState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the state files; gives the version of the table that they hold now, and the topics whose new form
    /// they hold. Blocks.
    fn save(&self) -> std::io::Result<(DataVersion, BTreeSet<Arc<str>>)> {
        let (version, snapshot, changed): (_, TopicSnapshot, _) = {
            let mut state = self.state();
            (state.topics.data_version(), state.snapshot(), std::mem::take(&mut state.changed))
        };
        match self.files.save(&snapshot) {
            Ok(()) => Ok((version, changed)),
            Err(error) => {
                self.state().changed.extend(changed);
                Err(error)
            }
        }
    }

    fn publish(&self, topic: Arc<Topic>) {
        if !topic.id().is_nil() {
            let mut by_id = self.by_id.write().unwrap_or_else(PoisonError::into_inner);
            by_id.insert(topic.id(), Arc::clone(&topic.config().name));
        }
        let mut by_name = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        by_name.insert(Arc::clone(&topic.config().name), topic);
    }

    fn retract(&self, name: &str) -> Option<Arc<Topic>> {
        let topic = self.by_name.write().unwrap_or_else(PoisonError::into_inner).remove(name)?;
        self.by_id.write().unwrap_or_else(PoisonError::into_inner).remove(&topic.id());
        Some(topic)
    }
}

impl Broker {
    /// The topic of that stored name.
    #[must_use]
    pub fn topic(&self, stored: &str) -> Option<Arc<Topic>> {
        self.topics.by_name.read().unwrap_or_else(PoisonError::into_inner).get(stored).cloned()
    }

    /// The topic with that id.
    #[must_use]
    pub fn topic_by_id(&self, id: Uuid) -> Option<Arc<Topic>> {
        let name = self.topics.by_id.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()?;
        self.topic(&name)
    }

    /// All topics, sorted by stored name.
    #[must_use]
    pub fn topics(&self) -> Vec<Arc<Topic>> {
        let mut all: Vec<_> =
            self.topics.by_name.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        all.sort_unstable_by(|a, b| a.name().cmp(b.name()));
        all
    }

    /// The version of the topic table, as name servers compare it.
    #[must_use]
    pub fn topics_version(&self) -> DataVersion {
        self.topics.state().topics.data_version()
    }

    /// Whether the state files hold the topic, so that clients may be told and frames may be written.
    #[must_use]
    pub fn is_durable(&self, topic: &Topic) -> bool {
        self.persist.is_done(topic.version)
    }

    /// The stored name that a native client means.
    pub(super) fn resolve_native<'n>(&self, name: &'n str) -> Cow<'n, str> {
        names::from_native(name, |stored| self.topic(stored).is_some())
    }

    /// Publishes every topic of the table; at start.
    pub(super) fn publish_all_topics(&self) {
        let configs: Vec<_> = self.topics.state().topics.iter().cloned().collect();
        for config in configs {
            let topic = self.assemble(&mut self.topics.state(), config, Version::NONE);
            self.topics.publish(topic);
        }
    }

    /// Creates the broker's own topics when missing.
    pub(super) fn create_system_topics(&self, now: Millis) {
        let identity = self.identity();
        let system = SystemTopics {
            cluster: &identity.cluster,
            broker: &identity.broker,
            auto_create_topic: self.live().auto_create_topic,
            default_topic_queues: self.settings.default_topic_queues,
            cluster_topic: self.settings.cluster_topic,
            broker_topic: self.settings.broker_topic,
            trace_topic: false,
            timer_wheel: true,
            revive_queues: 8,
        };
        if self.topics.state().topics.create_system(now, &system) {
            self.persist.request(StateFile::Topics);
        }
    }

    fn assemble(&self, state: &mut TopicState, config: Arc<TopicConfig>, version: Version) -> Arc<Topic> {
        let broker: Arc<str> = self.identity.broker.as_str().into();
        state.partitions.extend(&config.name, &broker, config.queues());
        let facts = kafka_face(&self.identity, state, &config);
        let before = self.topic(&config.name);
        let partitions = state.partitions.queues(&config.name, &broker);
        Arc::new(Topic::new(config, partitions, facts, version, before.as_deref(), &state.defaults))
    }

    /// Writes the state files; what changed in topics is in force from then on. Blocks.
    pub(super) fn save_topics(&self) -> std::io::Result<()> {
        let (version, changed) = self.topics.save()?;
        let mut state = self.topics.state();
        // One that changed again meanwhile follows with the next write.
        for name in changed.iter().filter(|name| !state.changed.contains(*name)).collect::<Vec<_>>() {
            let Some((config, before)) = state.topics.find(name).cloned().zip(self.topic(name)) else {
                continue;
            };
            let topic = self.assemble(&mut state, config, before.changed);
            self.topics.publish(topic);
            self.retention.ask();
        }
        drop(state);
        self.topic_news.saved(version);
        Ok(())
    }

    /// Makes a changed or new topic visible and asks for the state files.
    pub(super) fn settle(&self, state: &mut TopicState, config: Arc<TopicConfig>) -> Arc<Topic> {
        let version = self.persist.request(StateFile::Topics);
        let topic = self.assemble(state, config, version);
        self.topics.publish(Arc::clone(&topic));
        topic
    }

    /// Changes settings of existing topics; gives the names of those that changed.
    pub(super) fn change_topics(
        &self,
        change: impl FnOnce(&mut Topics) -> Vec<Arc<TopicConfig>>,
    ) -> Vec<Arc<str>> {
        let mut state = self.topics.state();
        let changed = change(&mut state.topics);
        changed.into_iter().map(|config| Arc::clone(&self.settle(&mut state, config).config().name)).collect()
    }

    /// The topic that a native send goes to, created by the TBW102 rules when missing.
    pub(super) fn topic_for_send(
        &self,
        send: &NativeSend<'_>,
        now: Millis,
    ) -> Result<(Arc<Topic>, Version), SendError> {
        let name = self.resolve_native(send.topic);
        if let Some(topic) = self.topic(&name) {
            if topic_names::is_not_sendable(&name) {
                return Err(SendError::SystemTopic(name.into_owned()));
            }
            let version = topic.version;
            return Ok((topic, version));
        }
        topic_names::check_native_topic(send.topic).map_err(|error| SendError::TopicName {
            name: send.topic.to_owned(),
            reason: error.to_string(),
        })?;
        if topic_names::is_not_sendable(&name) {
            return Err(SendError::SystemTopic(name.into_owned()));
        }
        let template = SendTemplate {
            default_topic: send.default_topic,
            queues: send.default_topic_queue_nums,
            is_unit: send.unit_mode,
        };
        let mut state = self.topics.state();
        let found = state.topics.find_or_create(now, &name, template);
        let (config, created) = found.map_err(|_| SendError::NoTopic(send.topic.to_owned()))?;
        if !created && let Some(topic) = self.topic(&name) {
            let version = topic.version;
            return Ok((topic, version));
        }
        let topic = self.settle(&mut state, config);
        info!(topic = %name, queues = topic.partitions(), producer_group = send.producer_group, "topic created by a send");
        let version = topic.version;
        Ok((topic, version))
    }

    /// Creates `%RETRY%<group>` when missing; tools look groups up by it.
    pub fn ensure_retry_topic(&self, group: &str, now: Millis) {
        let queues = self.group_settings(group).map_or(1, |settings| settings.retry_queues);
        let name = topic_names::retry_topic(group);
        // A Kafka group may have any name; one that is too long for a topic is unknown to native tools.
        if self.topic(&name).is_some() || topic_names::check_native_topic(&name).is_err() {
            return;
        }
        let mut state = self.topics.state();
        let (config, created) = state.topics.ensure_retry(now, group, queues);
        if created {
            self.settle(&mut state, config);
        }
    }

    /// Creates `%DLQ%<group>` when missing.
    pub(super) fn ensure_dead_letter_topic(&self, group: &str, now: Millis) {
        let name = topic_names::dlq_topic(group);
        if self.topic(&name).is_some() || topic_names::check_native_topic(&name).is_err() {
            return;
        }
        let mut state = self.topics.state();
        let (config, created) = state.topics.ensure_dead_letters(now, group);
        if created {
            self.settle(&mut state, config);
        }
    }

    /// Whether a Kafka client may create a topic of this name.
    ///
    /// # Errors
    /// What is wrong with the name.
    pub fn validate_kafka_topic_name(&self, name: &str) -> Result<(), NameError> {
        topic_names::check_kafka_topic(name)
    }

    /// Creates a topic because a Kafka client asked for its metadata; visible once durable.
    ///
    /// # Errors
    /// Why not.
    pub fn create_kafka_topic_automatically(&self, name: &str) -> Result<(), CreateTopicError> {
        match self.create_kafka_topic(&NewTopic {
            name,
            partitions: None,
            configs: &[],
            validate_only: false,
        }) {
            // Created by an earlier request and not durable yet.
            Ok(_) | Err(CreateTopicError::Exists(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Creates a topic for a Kafka client: mode B unless a setting says otherwise.
    ///
    /// # Errors
    /// Why not; nothing is created then.
    pub fn create_kafka_topic(&self, new: &NewTopic<'_>) -> Result<CreatedTopic, CreateTopicError> {
        topic_names::check_kafka_topic(new.name)?;
        let stored = names::from_kafka(new.name, |stored| self.topic(stored).is_some());
        let stored = stored.unwrap_or(Cow::Borrowed(new.name));
        let partitions = new.partitions.unwrap_or(self.settings.num_partitions);
        if !(1..=QUEUES_MAX).contains(&partitions) {
            return Err(CreateTopicError::Partitions(partitions));
        }
        let (attributes, settings): (Vec<_>, Vec<_>) =
            new.configs.iter().copied().partition(|(name, _)| matches!(*name, QUEUE_TYPE | MESSAGE_TYPE));
        let configs = KafkaConfigs::new(settings)?;
        configs.check_together()?;
        let mut config = TopicConfig::created_by_kafka(&stored, partitions, configs.is_compacted());
        for (name, value) in &attributes {
            set_attribute(&mut config, name, value)?;
        }
        let listed = self.configs_of(&configs);
        let mut state = self.topics.state();
        let rival = names::rival(&stored).filter(|rival| state.topics.find(rival).is_some());
        if state.topics.find(&stored).is_some() || rival.is_some() {
            return Err(CreateTopicError::Exists(new.name.to_owned()));
        }
        if new.validate_only {
            return Ok(CreatedTopic {
                id: Uuid::nil(),
                partitions,
                configs: listed,
                durability: Durability::NONE,
            });
        }
        let id = Uuid::new_v4();
        let facts = KafkaTopic::new(TopicId(id.as_u128()), configs);
        state.kafka.remove(&stored);
        if state.kafka.add(&stored, facts).is_err() {
            return Err(CreateTopicError::Exists(new.name.to_owned()));
        }
        state.topics.put(self.now(), config)?;
        let Some(config) = state.topics.find(&stored).cloned() else {
            return Err(CreateTopicError::Exists(new.name.to_owned()));
        };
        let topic = self.settle(&mut state, config);
        info!(topic = %stored, partitions, "topic created by a Kafka client");
        Ok(CreatedTopic { id, partitions, configs: listed, durability: Durability::written(topic.version) })
    }

    /// Deletes a topic with its queues and its committed offsets. Its frames leave with the log files.
    ///
    /// # Errors
    /// Why not.
    pub fn delete_topic(&self, stored: &str) -> Result<Durability, DeleteTopicError> {
        let own = OwnNames { cluster: &self.identity.cluster, broker: &self.identity.broker };
        if names::is_system(stored, own) {
            return Err(DeleteTopicError::System(stored.to_owned()));
        }
        let now = self.now();
        let mut state = self.topics.state();
        let missing = || DeleteTopicError::Missing(stored.to_owned());
        state.topics.remove(now, stored).ok_or_else(missing)?;
        state.kafka.remove(stored);
        state.partitions.remove(stored);
        self.topics.retract(stored);
        let version = self.persist.request(StateFile::Topics);
        drop(state);
        self.forget_offsets_of(stored, now);
        if let Err(error) = self.store.remove_topic(stored) {
            warn!(topic = stored, %error, "queues of a deleted topic could not be removed");
            return Err(DeleteTopicError::Store(stored.to_owned()));
        }
        info!(topic = stored, "topic deleted");
        Ok(Durability::written(version))
    }
}

/// Name, visibility and facts for Kafka clients; a topic that has none yet (made by a native client) gets an id.
fn kafka_face(
    identity: &Identity,
    state: &mut TopicState,
    config: &TopicConfig,
) -> Option<(String, Visibility, KafkaTopic)> {
    let stored = &*config.name;
    let own = OwnNames { cluster: &identity.cluster, broker: &identity.broker };
    let visibility = names::visibility(stored, own);
    if visibility == Visibility::Hidden {
        return None;
    }
    let name = names::kafka_view(stored)?.into_owned();
    if state.kafka.find(stored).is_none() {
        let id = TopicId(Uuid::new_v4().as_u128());
        let configs = if config.is_compacted() { KafkaConfigs::compacted() } else { KafkaConfigs::default() };
        if let Err(error) = state.kafka.add(stored, KafkaTopic::new(id, configs)) {
            warn!(topic = stored, %error, "topic stays hidden from Kafka clients");
            return None;
        }
    }
    Some((name, visibility, state.kafka.find(stored)?.clone()))
}

pub(super) fn set_attribute(
    config: &mut TopicConfig,
    name: &str,
    value: &str,
) -> Result<(), CreateTopicError> {
    let (name, allowed) =
        if name == QUEUE_TYPE { (QUEUE_TYPE, QUEUE_TYPES) } else { (MESSAGE_TYPE, MESSAGE_TYPES) };
    if !allowed.split(", ").any(|one| one == value) {
        return Err(CreateTopicError::Attribute { name, value: value.to_owned(), allowed });
    }
    config.attributes.insert(name.to_owned(), value.to_owned());
    Ok(())
}
