//! Topics as RocketMQ's administrators handle them: create, change, delete, look at.
//!
//! Source: RocketMQ 5.3.3 `broker/processor/AdminBrokerProcessor.java`, `broker/topic/TopicConfigManager.java`.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use gantry_store::ReadLimits;
use gantry_store::format::{FrameView, QueueOffset};
use tracing::info;

use super::read::Bounds;
use super::topic::{Partition, Topic};
use super::topic_files::TopicState;
use super::topics::DeleteTopicError;
use super::{Broker, Durability};
use crate::limits;
use crate::mapping::names::{self, OwnNames};
use crate::semantics::topic_attributes::{self, AttributeChange, AttributeError};
use crate::semantics::topic_names::{self, NameError, SystemNames};
use crate::semantics::topics::{ChangeError, FilterType, Perm, TopicConfig};

/// A topic as an administrator wants it to be. Attributes that are not named stay.
#[derive(Clone, Debug)]
pub struct TopicWish<'a> {
    /// Name as the client says it.
    pub name: &'a str,
    /// Queues to read.
    pub read_queues: i32,
    /// Queues to write to.
    pub write_queues: i32,
    /// What may be done.
    pub perm: Perm,
    /// How many tags a message may have.
    pub filter_type: FilterType,
    /// `topicSysFlag`.
    pub sys_flag: i32,
    /// Whether messages of one key stay in one queue while brokers fail.
    pub order: bool,
    /// What becomes of the attributes.
    pub attributes: Vec<AttributeChange<'a>>,
}

/// Why a topic is not created or changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopicWishError {
    /// The name breaks the rules.
    #[error("topic name `{name}` cannot be used: {reason}")]
    Name {
        /// As asked.
        name: String,
        /// What is wrong.
        reason: NameError,
    },
    /// The broker needs it as it is.
    #[error("The topic[{0}] is conflict with system topic.")]
    System(String),
    /// Kafka clients know another topic by the same name.
    #[error("topic `{name}` would have the same name for Kafka clients as topic `{rival}`; use another name")]
    Rival {
        /// As asked.
        name: String,
        /// The topic that is there.
        rival: String,
    },
    /// The request names it twice.
    #[error("topic `{0}` is named more than once in the list")]
    NamedTwice(String),
    /// More than one request may ask for.
    #[error("the list asks for {0} queues; {max} are possible in one request", max = limits::QUEUES_PER_TOPIC_LIST)]
    TooManyQueues(i64),
    /// An attribute cannot be as asked.
    #[error(transparent)]
    Attribute(#[from] AttributeError),
    /// The table's rules.
    #[error(transparent)]
    Change(#[from] ChangeError),
}

/// What a queue holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueStats {
    /// Its first offset and the one behind the last.
    pub bounds: Bounds,
    /// Store time of the last message, ms; 0 when it has none.
    pub last_store_time: i64,
}

impl Broker {
    /// Creates topics and changes those that are there; all of them, or none when one is refused.
    ///
    /// # Errors
    /// Why the first that is refused is.
    pub fn put_topics(&self, wishes: &[TopicWish<'_>]) -> Result<Durability, TopicWishError> {
        let queues = wishes.iter().map(|wish| i64::from(wish.read_queues.max(wish.write_queues))).sum();
        if wishes.len() > 1 && limits::QUEUES_PER_TOPIC_LIST < queues {
            return Err(TopicWishError::TooManyQueues(queues));
        }
        let mut state = self.topics.state();
        let mut named = HashSet::new();
        let mut wanted = Vec::with_capacity(wishes.len());
        for wish in wishes {
            let config = self.wished_config(&state, wish)?;
            state.topics.check(&config)?;
            if !named.insert(Arc::clone(&config.name)) {
                return Err(TopicWishError::NamedTwice(wish.name.to_owned()));
            }
            wanted.push(config);
        }
        let mut durability = Durability::NONE;
        for config in wanted {
            durability = durability.and(self.put_topic(&mut state, config)?);
        }
        Ok(durability)
    }

    fn put_topic(&self, state: &mut TopicState, config: TopicConfig) -> Result<Durability, TopicWishError> {
        let name = Arc::clone(&config.name);
        let (read_queues, write_queues, perm) = (config.read_queues, config.write_queues, config.perm.0);
        if state.topics.put(self.now(), config)?
            && let Some(config) = state.topics.find(&name).cloned()
        {
            let topic = self.settle(state, config);
            info!(topic = %name, read_queues, write_queues, perm, "topic set by an administrator");
            return Ok(Durability::written(topic.changed));
        }
        Ok(self.topic(&name).map_or(Durability::NONE, |topic| Durability::written(topic.changed)))
    }

    fn wished_config(&self, state: &TopicState, wish: &TopicWish<'_>) -> Result<TopicConfig, TopicWishError> {
        let stored = self.resolve_native(wish.name);
        let known = state.topics.find(&stored);
        if known.is_none() {
            topic_names::check_native_topic(wish.name)
                .map_err(|reason| TopicWishError::Name { name: wish.name.to_owned(), reason })?;
            if let Some(rival) = names::rival(&stored).filter(|rival| state.topics.find(rival).is_some()) {
                return Err(TopicWishError::Rival { name: wish.name.to_owned(), rival });
            }
        }
        if names::is_system(&stored, self.own_names()) {
            return Err(TopicWishError::System(wish.name.to_owned()));
        }
        let current = known.map(|topic| &topic.attributes);
        Ok(TopicConfig {
            name: stored.as_ref().into(),
            read_queues: wish.read_queues,
            write_queues: wish.write_queues,
            perm: wish.perm,
            filter_type: wish.filter_type,
            sys_flag: wish.sys_flag,
            order: wish.order,
            attributes: topic_attributes::alter(current, &wish.attributes)?,
        })
    }

    pub(super) fn own_names(&self) -> OwnNames<'_> {
        OwnNames { cluster: &self.identity.cluster, broker: &self.identity.broker }
    }

    /// Deletes the topic that a native client names. One that is gone is deleted already: an administrator asks
    /// every broker of a cluster, whether it has the topic or not.
    ///
    /// # Errors
    /// Why not.
    pub fn delete_native_topic(&self, name: &str) -> Result<Durability, DeleteTopicError> {
        match self.delete_topic(&self.resolve_native(name)) {
            Err(DeleteTopicError::Missing(_)) => Ok(Durability::NONE),
            deleted => deleted,
        }
    }

    /// The topic that a native client names.
    #[must_use]
    pub fn native_topic(&self, name: &str) -> Option<Arc<Topic>> {
        self.topic(&self.resolve_native(name))
    }

    /// What the queues of a topic hold, by queue id. Reads one message of each.
    #[must_use]
    pub fn topic_stats(&self, topic: &Topic) -> Vec<QueueStats> {
        let stats = |queue| {
            let Some(partition) = self.existing_partition(topic, queue) else { return QueueStats::default() };
            let bounds = self.kafka_bounds(topic, queue).unwrap_or_default();
            let last = QueueOffset(bounds.end - 1);
            let is_empty = bounds.start == bounds.end;
            let time = if is_empty { None } else { self.store_time(&partition, last) };
            QueueStats { bounds, last_store_time: time.unwrap_or(0) }
        };
        (0..topic.config().queues()).map(stats).collect()
    }

    /// Store time of the message at an offset, ms.
    pub(super) fn store_time(&self, partition: &Partition, at: QueueOffset) -> Option<i64> {
        let limits = ReadLimits { max_units: 1, max_bytes: 1, max_scanned: 1, upto: partition.queue.next() };
        let extract = self.store.read(&partition.queue, at, &limits, &mut |_| true).ok()?;
        let (_, frame) = extract.frames().next()?;
        FrameView::parse(&frame).ok().map(|view| view.store_timestamp())
    }

    /// Names of the topics that belong to the broker, sorted; whether they exist already or not.
    #[must_use]
    pub fn system_topics(&self) -> Vec<String> {
        let reserved = SystemNames::new(&self.identity.cluster, &self.identity.broker);
        let existing = self.topics();
        let existing = existing.iter().map(|topic| topic.name());
        let existing = existing.filter(|name| names::is_system(name, self.own_names())).map(str::to_owned);
        let all: BTreeSet<_> = reserved.iter().map(str::to_owned).chain(existing).collect();
        all.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::BrokerSettings;
    use crate::broker::append::SendError;
    use crate::broker::test_broker::TestBroker;

    fn wish(name: &str, read_queues: i32, write_queues: i32) -> TopicWish<'_> {
        TopicWish {
            name,
            read_queues,
            write_queues,
            perm: Perm::READ_WRITE,
            filter_type: FilterType::SingleTag,
            sys_flag: 0,
            order: false,
            attributes: Vec::new(),
        }
    }

    fn open() -> TestBroker {
        TestBroker::open(BrokerSettings::default())
    }

    #[test]
    fn a_topic_that_shrinks_keeps_its_partitions_for_kafka() {
        let test = open();
        test.broker.put_topics(&[wish("t", 4, 4)]).unwrap();
        test.broker.put_topics(&[wish("t", 2, 1)]).unwrap();
        let topic = test.broker.topic("t").unwrap();
        assert_eq!((topic.partitions(), topic.config().queues()), (4, 2));
        assert_eq!(test.broker.topic_stats(&topic).len(), 2);
        test.broker.put_topics(&[wish("t", 6, 6)]).unwrap();
        assert_eq!(test.broker.topic("t").unwrap().partitions(), 6);
    }

    #[test]
    fn a_change_leaves_messages_and_unnamed_attributes() {
        let test = open();
        let fifo = vec![AttributeChange::Set("message.type", "FIFO")];
        test.broker.put_topics(&[TopicWish { attributes: fifo, ..wish("t", 1, 1) }]).unwrap();
        test.send("t", b"body", b"").unwrap();
        test.broker.put_topics(&[TopicWish { perm: Perm::READ, ..wish("t", 1, 1) }]).unwrap();
        let topic = test.broker.topic("t").unwrap();
        assert_eq!(topic.config().attributes["message.type"], "FIFO");
        let stats = test.broker.topic_stats(&topic)[0];
        assert_eq!((stats.bounds.start, stats.bounds.end), (0, 1));
        assert!(stats.last_store_time >= test.broker.now().0 - 1000);
    }

    #[test]
    fn a_list_with_one_wrong_topic_changes_nothing() {
        let test = open();
        let before = test.broker.topics_version();
        let wrong = test.broker.put_topics(&[wish("t", 1, 1), wish("u", -1, 1)]);
        assert!(matches!(wrong, Err(TopicWishError::Change(ChangeError::QueueCount { queues: -1 }))));
        let twice = test.broker.put_topics(&[wish("t", 1, 1), wish("t", 2, 2)]);
        assert_eq!(twice, Err(TopicWishError::NamedTwice("t".to_owned())));
        let many: Vec<_> = ["a", "b", "c", "d", "e"].map(|name| wish(name, 65_536, 0)).into();
        assert_eq!(test.broker.put_topics(&many), Err(TopicWishError::TooManyQueues(5 * 65_536)));
        assert_eq!((test.broker.topic("t").is_none(), test.broker.topics_version()), (true, before));
    }

    #[test]
    fn names_of_the_system_and_of_no_dialect_are_refused() {
        let test = open();
        for system in ["TBW102", "C", "b", "C_REPLY_TOPIC", "rmq_sys_x", "SCHEDULE_TOPIC_XXXX"] {
            let refused = test.broker.put_topics(&[wish(system, 1, 1)]);
            assert_eq!(refused, Err(TopicWishError::System(system.to_owned())));
            let deleted = test.broker.delete_native_topic(system);
            assert_eq!(deleted, Err(DeleteTopicError::System(system.to_owned())));
        }
        for illegal in ["", "a b", "a/b", "a.b"] {
            let refused = test.broker.put_topics(&[wish(illegal, 1, 1)]);
            assert!(matches!(refused, Err(TopicWishError::Name { .. })), "{illegal:?}");
        }
        test.create("a.25b");
        assert!(matches!(test.broker.put_topics(&[wish("a%b", 1, 1)]), Err(TopicWishError::Rival { .. })));
    }

    #[test]
    fn a_dotted_topic_is_changed_and_deleted_by_its_alias() {
        let test = open();
        test.create("orders.v1");
        test.broker.put_topics(&[wish("orders%2Ev1", 3, 3)]).unwrap();
        assert_eq!(test.broker.topic("orders.v1").unwrap().partitions(), 3);
        test.broker.delete_native_topic("orders%2Ev1").unwrap();
        assert!(test.broker.topic("orders.v1").is_none());
        assert_eq!(test.broker.delete_native_topic("orders.v1"), Ok(Durability::NONE));
    }

    #[test]
    fn a_compacted_topic_is_compacted_for_kafka_too() {
        let test = open();
        let compacted = vec![AttributeChange::Set("cleanup.policy", "COMPACTION")];
        test.broker.put_topics(&[TopicWish { attributes: compacted.clone(), ..wish("t", 1, 1) }]).unwrap();
        assert!(test.broker.topic("t").unwrap().kafka_settings().unwrap().is_compacted);
        let mut both = compacted;
        both.push(AttributeChange::Set("queue.type", "BatchCQ"));
        let refused = test.broker.put_topics(&[TopicWish { attributes: both, ..wish("u", 1, 1) }]);
        assert_eq!(refused, Err(TopicWishError::Change(ChangeError::CompactedBatches)));
    }

    #[test]
    fn a_send_beyond_the_queues_that_are_left_is_refused() {
        let test = open();
        test.broker.put_topics(&[wish("t", 2, 2)]).unwrap();
        test.broker.put_topics(&[TopicWish { perm: Perm::WRITE, ..wish("t", 0, 1) }]).unwrap();
        assert!(test.send("t", b"body", b"").is_ok());
        assert!(matches!(test.send_to("t", 1), Err(SendError::QueueId { queue_id: 1, queues: 1, .. })));
    }
}
