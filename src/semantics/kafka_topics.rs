//! What only Kafka knows of a topic: its id, its settings, where each partition begins.
//!
//! The id is new whenever a topic is created again: clients tell by it that the former topic is gone. A topic
//! that native clients created gets an id when the broker first sees it.
//!
//! Source: Kafka 4.1 `TopicsImage`, KIP-516 (topic ids).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::kafka_configs::KafkaConfigs;

/// Id of a topic; zero means none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicId(pub u128);

/// What Kafka knows of one topic.
#[derive(Clone, Debug)]
pub struct KafkaTopic {
    /// Its id.
    pub id: TopicId,
    configs: KafkaConfigs,
    /// Only partitions whose beginning was moved, by DeleteRecords or by the topic's retention.
    log_starts: BTreeMap<i32, i64>,
}

impl KafkaTopic {
    /// A topic whose partitions begin where the store begins.
    pub fn new(id: TopicId, configs: KafkaConfigs) -> Self {
        Self { id, configs, log_starts: BTreeMap::new() }
    }

    /// The settings that were set.
    pub const fn configs(&self) -> &KafkaConfigs {
        &self.configs
    }

    /// The first offset clients may read, if it was moved; the store may begin later.
    pub fn log_start(&self, partition: i32) -> Option<i64> {
        self.log_starts.get(&partition).copied()
    }

    /// All moved beginnings, by partition.
    pub fn log_starts(&self) -> impl Iterator<Item = (i32, i64)> {
        self.log_starts.iter().map(|(partition, offset)| (*partition, *offset))
    }
}

/// Why a topic cannot be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddError {
    /// The name is there.
    #[error("the topic exists")]
    NameExists,
    /// The id is there, or is zero.
    #[error("the topic id is zero or belongs to another topic; draw another")]
    IdTaken,
}

/// The table, by name and by id.
#[derive(Clone, Debug, Default)]
pub struct KafkaTopics {
    topics: HashMap<Arc<str>, KafkaTopic>,
    names: HashMap<TopicId, Arc<str>>,
}

impl KafkaTopics {
    /// Adds a topic.
    ///
    /// # Errors
    /// [`AddError`].
    pub fn add(&mut self, name: &str, topic: KafkaTopic) -> Result<(), AddError> {
        if self.topics.contains_key(name) {
            return Err(AddError::NameExists);
        }
        if topic.id == TopicId(0) || self.names.contains_key(&topic.id) {
            return Err(AddError::IdTaken);
        }
        let name: Arc<str> = Arc::from(name);
        self.names.insert(topic.id, Arc::clone(&name));
        self.topics.insert(name, topic);
        Ok(())
    }

    /// Removes a topic with its id.
    pub fn remove(&mut self, name: &str) -> Option<KafkaTopic> {
        let topic = self.topics.remove(name)?;
        self.names.remove(&topic.id);
        Some(topic)
    }

    /// The topic of that literal name.
    pub fn find(&self, name: &str) -> Option<&KafkaTopic> {
        self.topics.get(name)
    }

    /// The literal name of a topic.
    pub fn name_of(&self, id: TopicId) -> Option<&Arc<str>> {
        self.names.get(&id)
    }

    /// All topics, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &KafkaTopic)> {
        self.topics.iter().map(|(name, topic)| (&**name, topic))
    }

    /// Replaces all settings of a topic. False when the topic is not there.
    pub fn replace(&mut self, name: &str, configs: KafkaConfigs) -> bool {
        let Some(topic) = self.topics.get_mut(name) else { return false };
        topic.configs = configs;
        true
    }

    /// Moves the beginning of a partition forward, never back; the beginning that holds now. `None` when the
    /// topic is not there.
    pub fn raise_log_start(&mut self, name: &str, partition: i32, offset: i64) -> Option<i64> {
        let starts = &mut self.topics.get_mut(name)?.log_starts;
        let start = starts.entry(partition).or_insert(offset);
        *start = offset.max(*start);
        Some(*start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> KafkaTopics {
        let mut topics = KafkaTopics::default();
        assert_eq!(topics.add("t", KafkaTopic::new(TopicId(7), KafkaConfigs::default())), Ok(()));
        topics
    }

    #[test]
    fn finds_by_name_and_by_id() {
        let mut topics = table();
        assert_eq!(topics.name_of(TopicId(7)).map(|name| &**name), Some("t"));
        assert!(topics.remove("t").is_some());
        assert_eq!(topics.name_of(TopicId(7)), None);
        assert!(topics.find("t").is_none());
    }

    #[test]
    fn refuses_names_and_ids_that_are_taken() {
        let mut topics = table();
        let topic = |id| KafkaTopic::new(TopicId(id), KafkaConfigs::default());
        assert_eq!(topics.add("t", topic(8)), Err(AddError::NameExists));
        assert_eq!(topics.add("u", topic(7)), Err(AddError::IdTaken));
        assert_eq!(topics.add("u", topic(0)), Err(AddError::IdTaken));
    }

    #[test]
    fn replaces_settings_of_topics_that_are_there() {
        let mut topics = table();
        let configs = KafkaConfigs::new([("max.message.bytes", "10")]).unwrap();
        assert!(topics.replace("t", configs.clone()));
        assert_eq!(topics.find("t").unwrap().configs(), &configs);
        assert!(!topics.replace("none", configs));
    }

    #[test]
    fn never_moves_a_log_start_back() {
        let mut topics = table();
        assert_eq!(topics.raise_log_start("t", 0, 5), Some(5));
        assert_eq!(topics.raise_log_start("t", 0, 3), Some(5));
        assert_eq!(topics.find("t").unwrap().log_start(0), Some(5));
        assert_eq!(topics.find("t").unwrap().log_start(1), None);
        assert_eq!(topics.raise_log_start("none", 0, 3), None);
    }
}
