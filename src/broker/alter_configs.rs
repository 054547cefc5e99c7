//! Altering settings of a topic or of the broker: checked as a whole, in force once they are durable.
//!
//! Source: Kafka 4.1 `ConfigurationControlManager.java`, `ConfigAdminManager.scala`, KIP-339.

use std::sync::Arc;

use tracing::info;

use super::persist::StateFile;
use super::topic_files::TopicState;
use super::topics::{CreateTopicError, set_attribute};
use super::{Broker, Durability};
use crate::semantics::kafka_configs::{Alteration, ConfigError, KafkaConfigs};
use crate::semantics::topic_defaults::{BrokerConfigError, Scope, TopicDefaults};
use crate::semantics::topics::{CLEANUP_POLICY, MESSAGE_TYPE, QUEUE_TYPE, QueueKind, TopicConfig};

/// A setting and what becomes of it.
pub type Change<'a> = (&'a str, Alteration<'a>);

/// Which settings an alteration leaves as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    /// Those it does not name.
    Stay,
    /// None: what it does not name goes back to its default.
    Reset,
}

/// Why settings are not altered; all of them stay as they were.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AlterConfigsError {
    /// No such topic.
    #[error("this broker does not have the topic")]
    UnknownTopic,
    /// A setting that does not exist or does not fit.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// An attribute of the topic that does not fit.
    #[error(transparent)]
    Attribute(#[from] CreateTopicError),
    /// The topic's storage mode.
    #[error("queue.type cannot change while the topic exists; delete it or use another name")]
    QueueType,
    /// A setting of the broker.
    #[error(transparent)]
    Broker(#[from] BrokerConfigError),
}

impl Broker {
    /// Alters settings of the topic with this stored name; `validate_only` says whether it would work.
    ///
    /// # Errors
    /// [`AlterConfigsError`].
    pub fn alter_topic_configs(
        &self,
        stored: &str,
        changes: &[Change<'_>],
        others: Others,
        validate_only: bool,
    ) -> Result<Durability, AlterConfigsError> {
        let mut state = self.topics.state();
        let (configs, config) = altered(&state, stored, changes, others)?;
        if validate_only {
            return Ok(Durability::NONE);
        }
        state.kafka.replace(stored, configs);
        let name = Arc::clone(&config.name);
        // The kind of queue is the old one, and so are the counts: the table takes it.
        let _ = state.topics.put(self.now(), config);
        state.changed.insert(name);
        let version = self.persist.request(StateFile::Topics);
        info!(topic = stored, ?changes, "topic settings altered");
        Ok(Durability::written(version))
    }

    /// Alters defaults of topics, by the broker's names of them.
    ///
    /// # Errors
    /// [`AlterConfigsError`].
    pub fn alter_broker_configs(
        &self,
        scope: Scope,
        changes: &[Change<'_>],
        others: Others,
        validate_only: bool,
    ) -> Result<Durability, AlterConfigsError> {
        let mut state = self.topics.state();
        let mut defaults: TopicDefaults = state.defaults.clone();
        if others == Others::Reset {
            defaults.clear(scope);
        }
        for (name, alteration) in changes {
            defaults.alter(scope, name, *alteration)?;
        }
        if validate_only {
            return Ok(Durability::NONE);
        }
        state.defaults = defaults;
        let all: Vec<_> = state.topics.iter().map(|topic| Arc::clone(&topic.name)).collect();
        state.changed.extend(all);
        let version = self.persist.request(StateFile::Topics);
        info!(?changes, ?scope, "defaults of topics altered");
        Ok(Durability::written(version))
    }
}

/// The settings and the topic as the changes leave them.
fn altered(
    state: &TopicState,
    stored: &str,
    changes: &[Change<'_>],
    others: Others,
) -> Result<(KafkaConfigs, TopicConfig), AlterConfigsError> {
    let known = state.kafka.find(stored).zip(state.topics.find(stored));
    let (facts, config) = known.ok_or(AlterConfigsError::UnknownTopic)?;
    let mut configs = if others == Others::Stay { facts.configs().clone() } else { KafkaConfigs::default() };
    let mut config = TopicConfig::clone(config);
    for (name, alteration) in changes {
        match *name {
            QUEUE_TYPE | MESSAGE_TYPE => alter_attribute(&mut config, name, *alteration)?,
            _ => configs.alter(name, *alteration)?,
        }
    }
    configs.check_together()?;
    if config.queue_kind() == QueueKind::Simple {
        follow_policy(&mut config, configs.is_compacted());
    }
    Ok((configs, config))
}

fn alter_attribute(
    config: &mut TopicConfig,
    name: &str,
    alteration: Alteration<'_>,
) -> Result<(), AlterConfigsError> {
    let before = config.queue_kind();
    match alteration {
        Alteration::Set(value) => set_attribute(config, name, value)?,
        Alteration::Delete if name == MESSAGE_TYPE => {
            config.attributes.shift_remove(name);
        }
        Alteration::Delete => return Err(AlterConfigsError::QueueType),
        Alteration::Append(_) | Alteration::Subtract(_) => {
            let name = if name == QUEUE_TYPE { QUEUE_TYPE } else { MESSAGE_TYPE };
            return Err(ConfigError::NotAList { name }.into());
        }
    }
    if config.queue_kind() == before { Ok(()) } else { Err(AlterConfigsError::QueueType) }
}

/// RocketMQ's attribute says the same as Kafka's setting.
fn follow_policy(config: &mut TopicConfig, is_compacted: bool) {
    if is_compacted {
        config.attributes.insert(CLEANUP_POLICY.to_owned(), "COMPACTION".to_owned());
    } else {
        config.attributes.shift_remove(CLEANUP_POLICY);
    }
}
