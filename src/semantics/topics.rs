//! The table of topics: queues, permissions, attributes; what is created when, and by whom.
//!
//! Not here: names ([`super::topic_names`]), what only Kafka knows of a topic ([`super::kafka_topics`]).
//! A change bumps the data version: name servers ignore a table whose version is the known one. Nothing else
//! bumps it, since slaves fetch the whole table for every new version.
//!
//! Source: RocketMQ 5.3.3 `broker/topic/TopicConfigManager.java`, `common/TopicConfig.java`.

mod system;

use std::sync::Arc;

use indexmap::IndexMap;

use super::Millis;
use super::data_version::DataVersion;
use super::topic_names::{self as names, RETRY_PREFIX};
pub use system::SystemTopics;

/// Queues a topic may have; more is refused before anything is made.
pub const QUEUES_MAX: i32 = 65_536;

/// Permissions are below this: read, write, inherit.
const PERM_END: i32 = 8;

/// The attribute that tells how queues are indexed; it never changes while the topic lives.
pub const QUEUE_TYPE: &str = "queue.type";
/// The attribute that tells which kinds of messages the topic takes.
pub const MESSAGE_TYPE: &str = "message.type";
/// The attribute `DELETE` or `COMPACTION`.
pub const CLEANUP_POLICY: &str = "cleanup.policy";

/// What may be done with the queues of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Perm(pub i32);

impl Perm {
    /// Topics created automatically take their form from this one.
    pub const INHERIT: Self = Self(1);
    /// Producers may write.
    pub const WRITE: Self = Self(2);
    /// Consumers may read.
    pub const READ: Self = Self(4);
    /// Read and write.
    pub const READ_WRITE: Self = Self(6);

    /// Whether all bits of `other` are set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The bits of both.
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Without the bits of `other`.
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

/// How many tags a message may have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FilterType {
    /// `SINGLE_TAG`.
    #[default]
    SingleTag,
    /// `MULTI_TAG`.
    MultiTag,
}

/// How the queues of a topic are indexed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueKind {
    /// One 20-byte unit a message (mode S).
    Simple,
    /// One 46-byte unit a batch (mode B).
    Batch,
}

/// One topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicConfig {
    /// The literal name.
    pub name: Arc<str>,
    /// Queues that consumers read.
    pub read_queues: i32,
    /// Queues that producers write to; may be fewer, while a topic shrinks.
    pub write_queues: i32,
    /// What may be done.
    pub perm: Perm,
    /// How many tags a message may have.
    pub filter_type: FilterType,
    /// Bit 0: unit; bit 1: subscribed by a unit.
    pub sys_flag: i32,
    /// Messages of one key stay in one queue, also while brokers fail.
    pub order: bool,
    /// `queue.type`, `message.type` ...
    pub attributes: IndexMap<String, String>,
}

impl TopicConfig {
    /// A topic with equal read and write queues, read and write permission, and nothing special.
    pub fn new(name: &str, queues: i32) -> Self {
        Self {
            name: Arc::from(name),
            read_queues: queues,
            write_queues: queues,
            perm: Perm::READ_WRITE,
            filter_type: FilterType::SingleTag,
            sys_flag: 0,
            order: false,
            attributes: IndexMap::new(),
        }
    }

    fn with_perm(mut self, perm: Perm) -> Self {
        self.perm = perm;
        self
    }

    /// A topic as Kafka clients create it: mode B, any kind of message; compacted topics are mode S.
    pub fn created_by_kafka(name: &str, partitions: i32, is_compacted: bool) -> Self {
        let attributes: &[(&str, &str)] = if is_compacted {
            &[(CLEANUP_POLICY, "COMPACTION")]
        } else {
            &[(QUEUE_TYPE, "BatchCQ"), (MESSAGE_TYPE, "MIXED")]
        };
        let mut topic = Self::new(name, partitions);
        topic.attributes =
            attributes.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        topic
    }

    /// How the queues are indexed; anything but `BatchCQ` is simple, as Java reads it.
    pub fn queue_kind(&self) -> QueueKind {
        match self.attributes.get(QUEUE_TYPE) {
            Some(kind) if kind.eq_ignore_ascii_case("BatchCQ") => QueueKind::Batch,
            _ => QueueKind::Simple,
        }
    }

    /// Queues that native clients may name: one that is only read or only written still is one.
    pub fn queues(&self) -> i32 {
        self.read_queues.max(self.write_queues)
    }

    /// Whether only the last message of each key is kept.
    pub fn is_compacted(&self) -> bool {
        self.attributes.get(CLEANUP_POLICY).is_some_and(|policy| policy == "COMPACTION")
    }
}

/// Why a topic that is missing was not created by a send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AutoCreateError {
    /// The request named a template that does not exist.
    #[error("the topic does not exist, and neither does the template topic; create the topic first")]
    TemplateMissing,
    /// The template may not be inherited: automatic creation is off.
    #[error("the topic does not exist and may not be created by sending; create it first")]
    NotInheritable,
}

/// Why an administrator's change of a topic is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// A count of queues is below 0 or above [`QUEUES_MAX`].
    #[error("{queues} queues are not possible; use 0 to {QUEUES_MAX}")]
    QueueCount {
        /// What was asked for.
        queues: i32,
    },
    /// No queue at all.
    #[error("a topic needs a queue to read or to write; ask for at least 1")]
    NoQueue,
    /// Bits that are no permission.
    #[error("{perm} is no permission; use 2 (write), 4 (read) or 6 (both)")]
    Perm {
        /// What was asked for.
        perm: i32,
    },
    /// Batches cannot be compacted.
    #[error("a compacted topic keeps messages one by one; leave queue.type=BatchCQ out")]
    CompactedBatches,
    /// `queue.type` of an existing topic.
    #[error("queue.type cannot change while the topic exists; delete it or use another name")]
    QueueTypeChanged,
}

/// What a send says about a topic that may have to be created.
#[derive(Clone, Copy, Debug)]
pub struct SendTemplate<'a> {
    /// The template, usually `TBW102`.
    pub default_topic: &'a str,
    /// Queues the client counts on.
    pub queues: i32,
    /// The client is in a unit.
    pub is_unit: bool,
}

/// The table of topics. Cloning a topic out of it is a reference count.
#[derive(Clone, Debug, Default)]
pub struct Topics {
    table: IndexMap<Arc<str>, Arc<TopicConfig>>,
    data_version: DataVersion,
}

impl Topics {
    /// The table as it was saved.
    pub fn new(data_version: DataVersion, topics: impl IntoIterator<Item = TopicConfig>) -> Self {
        let table = topics.into_iter().map(|topic| (Arc::clone(&topic.name), Arc::new(topic))).collect();
        Self { table, data_version }
    }

    /// The version of the table.
    pub const fn data_version(&self) -> DataVersion {
        self.data_version
    }

    /// The topic of that literal name.
    pub fn find(&self, topic: &str) -> Option<&Arc<TopicConfig>> {
        self.table.get(topic)
    }

    /// All topics, in the order they were made.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<TopicConfig>> {
        self.table.values()
    }

    /// Creates the system topics that are missing; false when all were there. `TBW102` has INHERIT exactly
    /// where automatic creation is on, whatever was saved: no send creates from a template without it.
    pub fn create_system(&mut self, now: Millis, system: &SystemTopics<'_>) -> bool {
        let missing: Vec<_> =
            system.list().into_iter().filter(|topic| !self.table.contains_key(&topic.name)).collect();
        let mut changed = !missing.is_empty();
        for topic in missing {
            self.table.insert(Arc::clone(&topic.name), Arc::new(topic));
        }
        if let Some(template) = self.table.get_mut(names::DEFAULT_TOPIC)
            && template.perm.has(Perm::INHERIT) != system.auto_create_topic
        {
            let template = Arc::make_mut(template);
            let bare = template.perm.without(Perm::INHERIT);
            template.perm = if system.auto_create_topic { bare.with(Perm::INHERIT) } else { bare };
            changed = true;
        }
        self.bump_if(now, changed)
    }

    /// Whether a topic may be put as it is.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub fn check(&self, topic: &TopicConfig) -> Result<(), ChangeError> {
        for queues in [topic.read_queues, topic.write_queues] {
            if !(0..=QUEUES_MAX).contains(&queues) {
                return Err(ChangeError::QueueCount { queues });
            }
        }
        if topic.queues() == 0 {
            return Err(ChangeError::NoQueue);
        }
        if !(0..PERM_END).contains(&topic.perm.0) {
            return Err(ChangeError::Perm { perm: topic.perm.0 });
        }
        if topic.is_compacted() && topic.queue_kind() == QueueKind::Batch {
            return Err(ChangeError::CompactedBatches);
        }
        let known = self.table.get(&topic.name);
        match known.filter(|known| known.queue_kind() != topic.queue_kind()) {
            Some(_) => Err(ChangeError::QueueTypeChanged),
            None => Ok(()),
        }
    }

    /// Creates or replaces a topic; false when it was exactly so already.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub fn put(&mut self, now: Millis, topic: TopicConfig) -> Result<bool, ChangeError> {
        self.check(&topic)?;
        if self.table.get(&topic.name).is_some_and(|known| **known == topic) {
            return Ok(false);
        }
        self.insert(now, topic);
        Ok(true)
    }

    /// Removes a topic.
    pub fn remove(&mut self, now: Millis, topic: &str) -> Option<Arc<TopicConfig>> {
        let removed = self.table.shift_remove(topic)?;
        self.data_version.bump(now);
        Some(removed)
    }

    /// The topic of a send, created from the template where that is allowed; the flag tells that it is new and
    /// must be made durable and registered before the answer.
    ///
    /// # Errors
    /// [`AutoCreateError`]; both are "topic does not exist" to the client.
    pub fn find_or_create(
        &mut self,
        now: Millis,
        topic: &str,
        template: SendTemplate<'_>,
    ) -> Result<(Arc<TopicConfig>, bool), AutoCreateError> {
        if let Some(known) = self.table.get(topic) {
            return Ok((Arc::clone(known), false));
        }
        if topic.starts_with(RETRY_PREFIX) {
            return Ok((self.insert(now, TopicConfig::new(topic, 1)), true));
        }
        let default = self.table.get(template.default_topic).ok_or(AutoCreateError::TemplateMissing)?;
        if !default.perm.has(Perm::INHERIT) {
            return Err(AutoCreateError::NotInheritable);
        }
        let mut created = TopicConfig::new(topic, template.queues.min(default.write_queues).max(0));
        created.perm = default.perm.without(Perm::INHERIT);
        created.filter_type = default.filter_type;
        created.sys_flag = i32::from(template.is_unit);
        Ok((self.insert(now, created), true))
    }

    /// The retry topic of a group, created where it is missing; the flag tells that it is new.
    pub fn ensure_retry(&mut self, now: Millis, group: &str, queues: i32) -> (Arc<TopicConfig>, bool) {
        self.ensure(now, &names::retry_topic(group), queues)
    }

    /// The dead-letter topic of a group, created where it is missing; the flag tells that it is new.
    pub fn ensure_dead_letters(&mut self, now: Millis, group: &str) -> (Arc<TopicConfig>, bool) {
        self.ensure(now, &names::dlq_topic(group), 1)
    }

    fn ensure(&mut self, now: Millis, name: &str, queues: i32) -> (Arc<TopicConfig>, bool) {
        match self.table.get(name) {
            Some(known) => (Arc::clone(known), false),
            None => (self.insert(now, TopicConfig::new(name, queues.clamp(1, QUEUES_MAX))), true),
        }
    }

    /// Marks exactly the topics for which `is_ordered` holds; gives those that changed.
    pub fn set_ordered(&mut self, now: Millis, is_ordered: impl Fn(&str) -> bool) -> Vec<Arc<TopicConfig>> {
        let differing = self.table.values_mut().filter(|topic| topic.order != is_ordered(&topic.name));
        let changed: Vec<_> = differing
            .map(|topic| {
                let config = Arc::make_mut(topic);
                config.order = !config.order;
                Arc::clone(topic)
            })
            .collect();
        self.bump_if(now, !changed.is_empty());
        changed
    }

    fn insert(&mut self, now: Millis, topic: TopicConfig) -> Arc<TopicConfig> {
        let topic = Arc::new(topic);
        self.table.insert(Arc::clone(&topic.name), Arc::clone(&topic));
        self.data_version.bump(now);
        topic
    }

    /// What topics are told to be changed though none of them did: a new version.
    pub fn touch(&mut self, now: Millis) {
        self.data_version.bump(now);
    }

    fn bump_if(&mut self, now: Millis, changed: bool) -> bool {
        if changed {
            self.data_version.bump(now);
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(77);
    const SYSTEM: SystemTopics<'_> = SystemTopics {
        cluster: "DefaultCluster",
        broker: "broker-a",
        auto_create_topic: true,
        default_topic_queues: 8,
        cluster_topic: true,
        broker_topic: true,
        trace_topic: false,
        timer_wheel: true,
        revive_queues: 8,
    };
    const TEMPLATE: SendTemplate<'_> = SendTemplate { default_topic: "TBW102", queues: 4, is_unit: false };

    fn started() -> Topics {
        let mut topics = Topics::default();
        assert!(topics.create_system(NOW, &SYSTEM));
        topics
    }

    #[test]
    fn creates_system_topics_once() {
        let mut topics = started();
        let shape = |topics: &Topics, name: &str| topics.find(name).map(|t| (t.read_queues, t.perm.0));
        for (name, expected) in [
            ("TBW102", (8, 7)),
            ("BenchmarkTest", (1024, 6)),
            ("DefaultCluster", (16, 7)),
            ("broker-a", (1, 7)),
            ("SCHEDULE_TOPIC_XXXX", (18, 6)),
            ("rmq_sys_REVIVE_LOG_DefaultCluster", (8, 6)),
            ("rmq_sys_SYNC_BROKER_MEMBER_broker-a", (1, 1)),
            ("DefaultCluster_REPLY_TOPIC", (1, 6)),
        ] {
            assert_eq!(shape(&topics, name), Some(expected), "{name}");
        }
        assert_eq!(shape(&topics, "RMQ_SYS_TRACE_TOPIC"), None);
        assert_eq!(topics.data_version().counter, 1);
        assert!(!topics.create_system(NOW, &SYSTEM));
        assert_eq!(topics.data_version().counter, 1);
    }

    #[test]
    fn creates_a_topic_from_the_template() {
        let mut topics = started();
        let (topic, is_new) = topics.find_or_create(NOW, "orders", TEMPLATE).unwrap();
        assert!(is_new);
        assert_eq!((topic.read_queues, topic.write_queues, topic.perm.0), (4, 4, 6));
        let many = SendTemplate { queues: 99, is_unit: true, ..TEMPLATE };
        let (topic, _) = topics.find_or_create(NOW, "more", many).unwrap();
        assert_eq!((topic.write_queues, topic.sys_flag), (8, 1));
        assert!(!topics.find_or_create(NOW, "orders", TEMPLATE).unwrap().1);
        assert_eq!(topics.data_version().counter, 3);
    }

    #[test]
    fn refuses_to_create_where_automatic_creation_is_off() {
        let mut topics = started();
        topics.create_system(NOW, &SystemTopics { auto_create_topic: false, ..SYSTEM });
        assert_eq!(topics.find_or_create(NOW, "orders", TEMPLATE), Err(AutoCreateError::NotInheritable));
        let stranger = SendTemplate { default_topic: "none", ..TEMPLATE };
        assert_eq!(topics.find_or_create(NOW, "orders", stranger), Err(AutoCreateError::TemplateMissing));
        assert!(topics.find_or_create(NOW, "%RETRY%g", stranger).unwrap().1);
        assert!(topics.create_system(NOW, &SYSTEM));
        assert!(topics.find_or_create(NOW, "orders", TEMPLATE).is_ok());
    }

    #[test]
    fn creates_a_retry_topic_once() {
        let mut topics = Topics::default();
        let (topic, is_new) = topics.ensure_retry(NOW, "g", 1);
        assert_eq!((&*topic.name, topic.read_queues, topic.perm.0, is_new), ("%RETRY%g", 1, 6, true));
        assert!(!topics.ensure_retry(NOW, "g", 1).1);
    }

    #[test]
    fn leaves_the_version_when_nothing_changes() {
        let mut topics = Topics::default();
        assert_eq!(topics.put(NOW, TopicConfig::new("t", 4)), Ok(true));
        assert_eq!(topics.put(NOW, TopicConfig::new("t", 4)), Ok(false));
        assert_eq!(topics.data_version(), DataVersion { state_version: 0, timestamp: NOW, counter: 1 });
        assert!(topics.remove(NOW, "t").is_some());
        assert!(topics.remove(NOW, "t").is_none());
        assert_eq!(topics.data_version().counter, 2);
    }

    #[test]
    fn refuses_another_queue_type_and_impossible_counts() {
        let mut topics = Topics::default();
        assert_eq!(topics.put(NOW, TopicConfig::created_by_kafka("t", 4, false)), Ok(true));
        assert_eq!(topics.put(NOW, TopicConfig::new("t", 4)), Err(ChangeError::QueueTypeChanged));
        assert_eq!(topics.put(NOW, TopicConfig::new("u", -1)), Err(ChangeError::QueueCount { queues: -1 }));
    }

    #[test]
    fn tells_the_queue_kind_of_kafka_topics() {
        let batch = TopicConfig::created_by_kafka("t", 3, false);
        assert_eq!(
            (batch.queue_kind(), batch.attributes[MESSAGE_TYPE].as_str()),
            (QueueKind::Batch, "MIXED")
        );
        assert_eq!(TopicConfig::created_by_kafka("t", 3, true).queue_kind(), QueueKind::Simple);
        assert_eq!(TopicConfig::new("t", 3).queue_kind(), QueueKind::Simple);
    }

    #[test]
    fn counts_queues_by_the_larger_side() {
        let shrinking = TopicConfig { write_queues: 2, ..TopicConfig::new("t", 4) };
        assert_eq!(shrinking.queues(), 4);
    }

    #[test]
    fn marks_exactly_the_ordered_topics_and_changes_the_version_once() {
        let mut topics = started();
        topics.insert(NOW, TopicConfig { order: true, ..TopicConfig::new("was", 1) });
        topics.insert(NOW, TopicConfig::new("is", 1));
        let before = topics.data_version().counter;
        let names = |changed: Vec<Arc<TopicConfig>>| {
            changed.iter().map(|topic| (topic.name.to_string(), topic.order)).collect::<Vec<_>>()
        };
        let changed = topics.set_ordered(NOW, |topic| topic == "is");
        assert_eq!(names(changed), [("was".to_owned(), false), ("is".to_owned(), true)]);
        assert!(topics.set_ordered(NOW, |topic| topic == "is").is_empty());
        assert_eq!(topics.data_version().counter, before + 1);
    }
}
