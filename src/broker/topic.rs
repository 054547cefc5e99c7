//! One topic as the hot paths see it: settings that do not change under a reader, and its partitions.
//!
//! A `Topic` is immutable; a change makes a new one that shares the partitions. Queues of the store are made
//! with the first message or reader that needs them.

use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use gantry_store::{CreateQueueError, Queue, QueueKind as StoreKind};
use uuid::Uuid;

use super::Broker;
use super::park::Watchers;
use super::partition_size::CountedBytes;
use super::persist::Version;
use super::statistics::{FlowCells, Readers};
use super::time_index::TimeIndex;
use crate::mapping::names::Visibility;
use crate::semantics::kafka_configs::EffectiveConfigs;
use crate::semantics::kafka_topics::KafkaTopic;
use crate::semantics::producers::Producers;
use crate::semantics::statistics::Flow;
use crate::semantics::topic_defaults::TopicDefaults;
use crate::semantics::topics::{Perm, QueueKind, TopicConfig};

/// A topic and what both dialects need to know of it.
#[derive(Debug)]
pub struct Topic {
    config: Arc<TopicConfig>,
    kafka: Option<KafkaFace>,
    /// The state files hold the topic from this version on.
    pub(super) version: Version,
    /// They hold it as it is from this one on.
    pub(super) changed: Version,
    /// The slots are shared with former and later forms of the topic: a queue has one partition.
    partitions: Box<[Arc<OnceLock<Arc<Partition>>>]>,
    readers: Arc<Readers>,
    round_robin: AtomicU32,
}

#[derive(Debug)]
struct KafkaFace {
    name: Box<str>,
    internal: bool,
    facts: KafkaTopic,
    settings: EffectiveConfigs,
}

/// One queue, which is one Kafka partition.
#[derive(Debug)]
pub struct Partition {
    /// The store's queue.
    pub queue: Queue,
    /// Who waits for its next message.
    pub watchers: Arc<Watchers>,
    /// What producers stored in it since the start.
    pub(super) stored: FlowCells,
    state: Mutex<PartitionState>,
    /// Offsets below were deleted by order or by age; the store may begin later.
    moved_start: AtomicI64,
    size: Mutex<CountedBytes>,
}

/// What a partition remembers beside its messages; taken before the store's own lock.
#[derive(Debug, Default)]
pub(super) struct PartitionState {
    pub(super) producers: Producers,
    pub(super) times: TimeIndex,
}

impl Partition {
    fn new(queue: Queue, producer_expiration_ms: i64, moved_start: i64) -> Self {
        let producers = Producers::default().expiring_after(producer_expiration_ms);
        let state = PartitionState { producers, times: TimeIndex::default() };
        Self {
            queue,
            watchers: Arc::default(),
            stored: FlowCells::default(),
            state: Mutex::new(state),
            moved_start: AtomicI64::new(moved_start),
            size: Mutex::default(),
        }
    }

    /// The first offset clients may read: where the store begins, or where the beginning was moved.
    pub(super) fn log_start(&self) -> i64 {
        let moved = self.moved_start.load(Ordering::Acquire);
        self.queue.min().0.max(moved).min(self.queue.next().0)
    }

    /// Moves the beginning forward, never back.
    pub(super) fn raise_log_start(&self, offset: i64) {
        self.moved_start.fetch_max(offset, Ordering::AcqRel);
    }

    pub(super) fn size(&self) -> MutexGuard<'_, CountedBytes> {
        self.size.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, PartitionState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Topic {
    /// The topic with `config` and all the partitions it ever had; those of `before` are shared. `changed`: the
    /// state files hold it as it is from this version on.
    pub(super) fn new(
        config: Arc<TopicConfig>,
        partitions: i32,
        facts: Option<(String, Visibility, KafkaTopic)>,
        changed: Version,
        before: Option<&Topic>,
        defaults: &TopicDefaults,
    ) -> Self {
        let shared =
            |at: usize| before.and_then(|topic| topic.partitions.get(at)).cloned().unwrap_or_default();
        let kafka = facts.map(|(name, visibility, facts)| KafkaFace {
            name: name.into(),
            internal: visibility == Visibility::Internal,
            settings: facts.configs().effective(defaults),
            facts,
        });
        let partitions = (0..usize::try_from(partitions).unwrap_or(0)).map(shared).collect();
        let readers = before.map(|topic| Arc::clone(&topic.readers)).unwrap_or_default();
        let version = before.map_or(changed, |topic| topic.version);
        Self { config, kafka, version, changed, partitions, readers, round_robin: AtomicU32::new(0) }
    }

    /// The stored name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// Queues, permissions and attributes.
    #[must_use]
    pub fn config(&self) -> &Arc<TopicConfig> {
        &self.config
    }

    /// The name that Kafka clients use; `None` for topics that they never see.
    #[must_use]
    pub fn kafka_name(&self) -> Option<&str> {
        self.kafka.as_ref().map(|face| &*face.name)
    }

    /// Whether Kafka clients leave it out of pattern subscriptions.
    #[must_use]
    pub fn is_internal_to_kafka(&self) -> bool {
        self.kafka.as_ref().is_some_and(|face| face.internal)
    }

    /// The topic's id; nil for topics that Kafka clients never see.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.kafka.as_ref().map_or(Uuid::nil(), |face| Uuid::from_u128(face.facts.id.0))
    }

    /// The Kafka settings in force; `None` for topics that Kafka clients never see.
    #[must_use]
    pub fn kafka_settings(&self) -> Option<&EffectiveConfigs> {
        self.kafka.as_ref().map(|face| &face.settings)
    }

    pub(super) fn kafka_facts(&self) -> Option<&KafkaTopic> {
        self.kafka.as_ref().map(|face| &face.facts)
    }

    /// Kafka's partition count: the most queues that the topic ever had. Native administrators may take queues
    /// away again, which keep their messages and are written to by Kafka clients still.
    #[must_use]
    pub fn partitions(&self) -> i32 {
        i32::try_from(self.partitions.len()).unwrap_or(i32::MAX)
    }

    /// What producers stored since the start.
    pub(super) fn stored(&self) -> Flow {
        let partitions = self.partitions.iter().filter_map(|slot| slot.get());
        partitions.fold(Flow::default(), |sum, partition| sum.with(partition.stored.read()))
    }

    /// What groups of native clients were given since the start.
    pub(super) fn readers(&self) -> &Readers {
        &self.readers
    }

    /// `topicSysFlag`.
    #[must_use]
    pub fn sys_flag(&self) -> i32 {
        self.config.sys_flag
    }

    /// Whether Kafka batches are stored as they come (mode B).
    #[must_use]
    pub fn stores_batches(&self) -> bool {
        self.config.queue_kind() == QueueKind::Batch
    }

    /// Whether `perm` is granted.
    #[must_use]
    pub fn permits(&self, perm: Perm) -> bool {
        self.config.perm.has(perm)
    }

    /// A write queue, one after the other.
    pub(super) fn next_write_queue(&self) -> i32 {
        let turn = self.round_robin.fetch_add(1, Ordering::Relaxed);
        let queues = u32::try_from(self.config.write_queues).unwrap_or(0).max(1);
        i32::try_from(turn % queues).unwrap_or(0)
    }

    fn slot(&self, index: i32) -> Option<&OnceLock<Arc<Partition>>> {
        usize::try_from(index).ok().and_then(|index| self.partitions.get(index)).map(|slot| &**slot)
    }
}

impl Broker {
    /// The partition of a queue id that the topic has, its store queue made when missing.
    ///
    /// # Errors
    /// The store's when the queue cannot be made; `QueueId` when the topic has no such queue.
    pub(super) fn partition(&self, topic: &Topic, index: i32) -> Result<Arc<Partition>, CreateQueueError> {
        let slot = topic.slot(index).ok_or(CreateQueueError::QueueId { id: index })?;
        if let Some(partition) = slot.get() {
            return Ok(Arc::clone(partition));
        }
        let kind = if topic.stores_batches() { StoreKind::Batch } else { StoreKind::Simple };
        let queue = self.store.create_queue(topic.name(), index, kind)?;
        Ok(Arc::clone(slot.get_or_init(|| self.partition_of(topic, queue))))
    }

    fn partition_of(&self, topic: &Topic, queue: Queue) -> Arc<Partition> {
        let moved = topic.kafka_facts().and_then(|facts| facts.log_start(queue.id()));
        Arc::new(Partition::new(queue, self.settings.producer_id_expiration_ms, moved.unwrap_or(0)))
    }

    /// The partition if anything was ever stored in it or waited for.
    pub(super) fn existing_partition(&self, topic: &Topic, index: i32) -> Option<Arc<Partition>> {
        let slot = topic.slot(index)?;
        if let Some(partition) = slot.get() {
            return Some(Arc::clone(partition));
        }
        let queue = self.store.queue(topic.name(), index)?;
        Some(Arc::clone(slot.get_or_init(|| self.partition_of(topic, queue))))
    }
}
