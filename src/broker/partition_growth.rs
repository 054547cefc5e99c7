//! More partitions for a topic. Clients see them once the state files hold them: what is stored in one of them
//! before that would be nobody's after a kill.
//!
//! Source: Kafka 4.1 `ReplicationControlManager.createPartitions`; bridge rules P1 to P3.

use std::sync::Arc;

use tracing::info;

use super::persist::StateFile;
use super::{Broker, Durability};
use crate::semantics::topics::{QUEUES_MAX, TopicConfig};

/// Why a topic does not get more partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrowError {
    /// No such topic.
    #[error("this broker does not have the topic")]
    UnknownTopic,
    /// It has as many, or more.
    #[error("the topic has {current} partitions; {asked} would not be an increase")]
    NotMore {
        /// As they are.
        current: i32,
        /// As asked.
        asked: i32,
    },
    /// Far too many.
    #[error("a topic has at most {QUEUES_MAX} partitions, not {0}")]
    TooMany(i32),
}

impl Broker {
    /// How many partitions the topic with this stored name has, those included that clients do not see yet.
    #[must_use]
    pub fn partitions_of(&self, stored: &str) -> Option<i32> {
        let state = self.topics.state();
        let known = state.topics.find(stored).is_some();
        known.then(|| state.partitions.queues(stored, &self.identity.broker))
    }

    /// Gives the topic with this stored name `partitions` partitions, as many read and write queues.
    ///
    /// # Errors
    /// [`GrowError`].
    pub fn grow_topic(
        &self,
        stored: &str,
        partitions: i32,
        validate_only: bool,
    ) -> Result<Durability, GrowError> {
        let mut state = self.topics.state();
        let mut config = state
            .topics
            .find(stored)
            .map(|known| TopicConfig::clone(known))
            .ok_or(GrowError::UnknownTopic)?;
        let current = state.partitions.queues(stored, &self.identity.broker);
        if partitions <= current {
            return Err(GrowError::NotMore { current, asked: partitions });
        }
        (config.read_queues, config.write_queues) = (partitions, partitions);
        let name = Arc::clone(&config.name);
        if QUEUES_MAX < partitions {
            return Err(GrowError::TooMany(partitions));
        }
        if validate_only {
            return Ok(Durability::NONE);
        }
        let _ = state.topics.put(self.now(), config);
        let broker: Arc<str> = self.identity.broker.as_str().into();
        state.partitions.extend(stored, &broker, partitions);
        state.changed.insert(name);
        let version = self.persist.request(StateFile::Topics);
        info!(topic = stored, from = current, to = partitions, "partitions added");
        Ok(Durability::written(version))
    }
}
