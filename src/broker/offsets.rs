//! Committed offsets of both dialects: one table, a journal that survives a kill, `consumerOffset.json`.
//!
//! A commit is in the journal before its answer leaves; every few seconds the table is folded into RocketMQ's
//! JSON file (and the Kafka-only facts into a side file). After power loss a commit may go back, never forward:
//! offsets beyond the end of their queue are clamped at start.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gantry_store::disk::Disk;
use gantry_store::journal::Journal;
use gantry_store::state_file::StateFile as JsonFile;
use serde::{Deserialize, Serialize};
use tracing::{error, info, warn};

use super::gauges::Lag;
use super::offset_record::OffsetRecord;
use super::side_json::SideJson;
use super::state_json::DataVersionJson;
use super::{Broker, Durability, Topic};
use crate::semantics::Millis;
use crate::semantics::groups::HeldBy;
use crate::semantics::offsets::{CommitError, KafkaFacts, OffsetKey, Offsets, split_key};

/// The table with its journal, under one lock: a journal line and the change it stands for keep one order.
#[derive(Debug)]
pub(super) struct Ledger {
    table: Offsets,
    journal: Journal,
    record: Vec<u8>,
}

/// `config/consumerOffset.json`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct OffsetFile {
    data_version: DataVersionJson,
    offset_table: BTreeMap<String, BTreeMap<i32, i64>>,
}

/// `gantry/group-facts`: what Kafka clients said with commits; valid while the offset is the same.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct FactFile {
    facts: Vec<Fact>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Fact {
    group: String,
    topic: String,
    queue: i32,
    offset: i64,
    leader_epoch: i32,
    commit_time: i64,
    metadata: String,
}

/// A commit of a Kafka client for one partition.
#[derive(Clone, Copy, Debug)]
pub struct KafkaCommit<'a> {
    /// The partition.
    pub partition: i32,
    /// Next offset to consume.
    pub offset: i64,
    /// Epoch of the last consumed record, -1 unknown.
    pub leader_epoch: i32,
    /// The client's own text.
    pub metadata: &'a str,
}

/// What is committed for one partition, in Kafka's terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// -1 when nothing is.
    pub offset: i64,
    /// -1 unknown.
    pub leader_epoch: i32,
    /// The client's own text.
    pub metadata: String,
}

impl Committed {
    /// Nothing is committed.
    #[must_use]
    pub fn none() -> Self {
        Self { offset: -1, leader_epoch: -1, metadata: String::new() }
    }
}

/// Why a commit is refused.
#[derive(Debug, thiserror::Error)]
pub enum OffsetError {
    /// The table's rules.
    #[error(transparent)]
    Rule(#[from] CommitError),
    /// No such partition.
    #[error("topic {topic} has no partition {partition}")]
    UnknownPartition {
        /// The topic.
        topic: String,
        /// As asked.
        partition: i32,
    },
    /// No such group.
    #[error("Group {0} not exist! mqadmin updateSubGroup makes it, and so does a heartbeat or a pull")]
    UnknownGroup(String),
    /// Kafka members hold the group.
    #[error("group {group}: {held}")]
    Held {
        /// The group.
        group: String,
        /// Who holds it.
        held: HeldBy,
    },
    /// No such topic.
    #[error("topic[{0}] not exist")]
    UnknownTopic(String),
    /// The journal could not be written; nothing is committed.
    #[error("the offset journal could not be written: {0}")]
    Journal(#[source] io::Error),
}

/// The files of the ledger.
#[derive(Debug)]
pub(super) struct OffsetFiles {
    offsets: JsonFile,
    facts: SideJson<FactFile>,
}

impl OffsetFiles {
    pub(super) fn new(disk: &Arc<dyn Disk>, config: &Path, own: &Path) -> Self {
        Self {
            offsets: JsonFile::new(Arc::clone(disk), config.join("consumerOffset.json")),
            facts: SideJson::new(disk, own.join("group-facts"), *b"GFACTS01"),
        }
    }

    /// Loads the table: JSON first, then what the journal holds beyond it. Blocks.
    pub(super) fn load(
        &self,
        disk: Arc<dyn Disk>,
        own: &Path,
        metadata_max_bytes: usize,
    ) -> io::Result<Ledger> {
        let file: OffsetFile =
            self.offsets.load().map_err(io::Error::other)?.map(|(file, _)| file).unwrap_or_default();
        let facts = self.facts.load()?;
        let mut table = Offsets::new(file.data_version.into()).metadata_up_to(metadata_max_bytes);
        for (key, queues) in &file.offset_table {
            let Some((topic, group)) = split_key(key) else {
                warn!(key, "consumerOffset.json has an entry that is not topic@group; it is left out");
                continue;
            };
            queues
                .iter()
                .for_each(|(&queue, &offset)| table.restore(OffsetKey { group, topic, queue }, offset));
        }
        for fact in &facts.facts {
            let key = OffsetKey { group: &fact.group, topic: &fact.topic, queue: fact.queue };
            table.restore_facts(key, fact.offset, fact.facts());
        }
        let mut strange = 0;
        let journal =
            Journal::open(disk, own.join("offsets.journal"), |record| match OffsetRecord::decode(record) {
                Some(record) => replay(&mut table, record),
                None => strange += 1,
            })?;
        if strange > 0 {
            warn!(
                records = strange,
                "the offset journal holds records of another version; they are left out"
            );
        }
        Ok(Ledger { table, journal, record: Vec::new() })
    }

    /// Writes the table and drops the journal that it makes superfluous; nothing when no commit came. Blocks.
    pub(super) fn save(&self, ledger: &Mutex<Ledger>) -> io::Result<()> {
        let (offsets, facts) = {
            let mut ledger = lock(ledger);
            if ledger.journal.is_empty() {
                return Ok(());
            }
            ledger.journal.begin_fold()?;
            snapshot(&ledger.table)
        };
        self.facts.save(&facts)?;
        self.offsets.save(&offsets).map_err(io::Error::other)?;
        lock(ledger).journal.end_fold()
    }
}

impl Fact {
    fn facts(&self) -> KafkaFacts<'_> {
        KafkaFacts {
            leader_epoch: self.leader_epoch,
            metadata: &self.metadata,
            commit_time: Millis(self.commit_time),
        }
    }
}

fn lock(ledger: &Mutex<Ledger>) -> MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}

fn replay(table: &mut Offsets, record: OffsetRecord<'_>) {
    let never = Millis(0);
    match record {
        OffsetRecord::Native { group, topic, queue, offset } => {
            table.restore(OffsetKey { group, topic, queue }, offset);
        }
        OffsetRecord::Kafka { group, topic, queue, offset, leader_epoch, commit_time, metadata } => {
            let key = OffsetKey { group, topic, queue };
            table.restore(key, offset);
            let commit_time = Millis(commit_time);
            table.restore_facts(key, offset, KafkaFacts { leader_epoch, metadata, commit_time });
        }
        OffsetRecord::TopicRemoved { topic } => {
            table.remove_topic(never, topic);
        }
        OffsetRecord::GroupRemoved { group } => {
            table.remove_group(never, group);
        }
        OffsetRecord::Removed { group, topic, queue } => {
            table.remove(never, OffsetKey { group, topic, queue });
        }
    }
}

fn snapshot(table: &Offsets) -> (OffsetFile, FactFile) {
    let mut offsets = OffsetFile { data_version: table.data_version().into(), ..OffsetFile::default() };
    let mut facts = Vec::new();
    for (group, topic, queues) in table.entries() {
        let committed = queues.iter().map(|(&queue, committed)| (queue, committed.offset));
        offsets.offset_table.insert(format!("{topic}@{group}"), committed.collect());
        for (&queue, committed) in queues {
            let Some(said) = committed.kafka_facts() else { continue };
            facts.push(Fact {
                group: group.to_owned(),
                topic: topic.to_owned(),
                queue,
                offset: committed.offset,
                leader_epoch: said.leader_epoch,
                commit_time: said.commit_time.0,
                metadata: said.metadata.to_owned(),
            });
        }
    }
    (offsets, FactFile { facts })
}

impl Ledger {
    /// Offsets beyond what the queue holds after recovery go back to its end.
    pub(super) fn clamp(&mut self, end_of: impl FnMut(&str, i32) -> Option<i64>) {
        let moved = self.table.clamp(end_of);
        if moved > 0 {
            info!(offsets = moved, "committed offsets beyond the end of their queue were moved back to it");
        }
    }

    fn write(&mut self, record: OffsetRecord<'_>) -> io::Result<()> {
        self.record.clear();
        record.encode(&mut self.record);
        self.journal.append(&self.record)
    }
}

impl Broker {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        lock(&self.ledger)
    }

    /// The committed offsets of all groups as `config/consumerOffset.json` would hold them now.
    ///
    /// # Errors
    /// A table that has no JSON form.
    pub fn committed_offsets_json(&self) -> serde_json::Result<Vec<u8>> {
        let (offsets, _) = snapshot(&self.ledger().table);
        serde_json::to_vec(&offsets)
    }

    /// What a native group committed; `None` makes the client start where its ConsumeFromWhere says.
    ///
    /// With `zero_if_new` a group without offset starts at 0 when the queue still begins there in memory, as
    /// stock does, so that a consumer started right after the first messages misses none.
    #[must_use]
    pub fn committed_offset(&self, group: &str, topic: &str, queue: i32, zero_if_new: bool) -> Option<i64> {
        let topic = self.resolve_native(topic);
        let found = self.ledger().table.query(OffsetKey { group, topic: &topic, queue });
        found.or_else(|| (zero_if_new && self.begins_in_memory(&topic, queue)).then_some(0))
    }

    /// Whether native clients may commit for the group at all.
    ///
    /// # Errors
    /// Nothing is known of the group, or Kafka members are in it.
    pub fn check_native_commit(&self, group: &str) -> Result<(), OffsetError> {
        if !self.knows_group(group) {
            return Err(OffsetError::UnknownGroup(group.to_owned()));
        }
        let held = |held| OffsetError::Held { group: group.to_owned(), held };
        self.native_may_consume(group).map_err(held)
    }

    /// A native client commits; the last write wins. Survives a kill once this returns.
    ///
    /// # Errors
    /// An unknown topic, or the journal's failure.
    pub fn commit_offset(
        &self,
        group: &str,
        topic: &str,
        queue: i32,
        offset: i64,
        now: Millis,
    ) -> Result<(), OffsetError> {
        let topic = self.resolve_native(topic);
        if self.topic(&topic).is_none() {
            return Err(OffsetError::UnknownTopic(topic.into_owned()));
        }
        let key = OffsetKey { group, topic: &topic, queue };
        let mut ledger = self.ledger();
        if ledger.table.query(key) == Some(offset) {
            return Ok(());
        }
        ledger
            .write(OffsetRecord::Native { group, topic: &topic, queue, offset })
            .map_err(OffsetError::Journal)?;
        match ledger.table.commit(now, key, offset) {
            // Stock answers success and ignores the commit while a reset waits for its client.
            Ok(()) | Err(CommitError::ResetPending) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// A Kafka client commits; its right to do so was checked. Survives a kill once this returns.
    ///
    /// # Errors
    /// An unknown partition, too much metadata, or the journal's failure.
    pub fn commit_kafka_offset(
        &self,
        group: &str,
        topic: &Topic,
        commit: &KafkaCommit<'_>,
        now: Millis,
    ) -> Result<Durability, OffsetError> {
        let &KafkaCommit { partition, offset, leader_epoch, metadata } = commit;
        if !(0..topic.partitions()).contains(&partition) {
            return Err(OffsetError::UnknownPartition { topic: topic.name().to_owned(), partition });
        }
        let key = OffsetKey { group, topic: topic.name(), queue: partition };
        let facts = KafkaFacts { leader_epoch, metadata, commit_time: now };
        let mut ledger = self.ledger();
        ledger.table.commit_kafka(key, offset, facts)?;
        let record = OffsetRecord::Kafka {
            group,
            topic: topic.name(),
            queue: partition,
            offset,
            leader_epoch,
            commit_time: now.0,
            metadata,
        };
        ledger.write(record).map_err(OffsetError::Journal)?;
        drop(ledger);
        self.ensure_retry_topic(group, now);
        Ok(Durability::NONE)
    }

    /// What is committed for a partition, in Kafka's terms.
    #[must_use]
    pub fn kafka_committed(&self, group: &str, topic: &str, queue: i32) -> Committed {
        let ledger = self.ledger();
        let Some(found) = ledger.table.committed(OffsetKey { group, topic, queue }) else {
            return Committed::none();
        };
        let facts = found.kafka_facts();
        Committed {
            offset: found.offset,
            leader_epoch: facts.map_or(-1, |facts| facts.leader_epoch),
            metadata: facts.map(|facts| facts.metadata.to_owned()).unwrap_or_default(),
        }
    }

    /// Stored topic names with the queues for which `group` committed.
    #[must_use]
    pub fn committed_topics(&self, group: &str) -> BTreeMap<String, Vec<i32>> {
        let mut topics: BTreeMap<String, Vec<i32>> = BTreeMap::new();
        for (topic, queue, _) in self.ledger().table.of_group(group) {
            topics.entry(topic.to_owned()).or_default().push(queue);
        }
        topics
    }

    /// Whether the group committed anything.
    pub(super) fn has_committed(&self, group: &str) -> bool {
        self.ledger().table.topics_of(group).next().is_some()
    }

    /// Groups that committed to the topic, which is named as it is stored.
    pub(super) fn groups_with_offsets_in(&self, topic: &str) -> BTreeSet<String> {
        self.ledger().table.groups_of(topic).map(str::to_owned).collect()
    }

    /// What the group committed to the topic, by queue.
    pub(super) fn committed_in(&self, group: &str, topic: &str) -> BTreeMap<i32, i64> {
        let ledger = self.ledger();
        let of_topic = ledger.table.of_group(group).filter(|(name, ..)| *name == topic);
        of_topic.map(|(_, queue, committed)| (queue, committed.offset)).collect()
    }

    /// An administrator moves an offset; live clients have to take it before they may commit again. Survives a kill
    /// once this returns.
    pub(super) fn move_offset(
        &self,
        group: &str,
        topic: &str,
        queue: i32,
        offset: i64,
        is_live: bool,
        now: Millis,
    ) -> Result<(), OffsetError> {
        let key = OffsetKey { group, topic, queue };
        let mut ledger = self.ledger();
        let record = OffsetRecord::Native { group, topic, queue, offset };
        ledger.write(record).map_err(OffsetError::Journal)?;
        ledger.table.take_reset(key);
        ledger.table.commit(now, key, offset)?;
        if is_live {
            ledger.table.reset(key, offset);
        }
        self.count_resets(&ledger);
        Ok(())
    }

    /// The reset of a queue that no client took yet; it is taken now.
    pub(super) fn take_pending_reset(&self, group: &str, topic: &str, queue: i32) -> Option<i64> {
        let mut ledger = self.ledger();
        let taken = ledger.table.take_reset(OffsetKey { group, topic, queue });
        self.count_resets(&ledger);
        taken
    }

    /// The group has no live clients any more.
    pub(super) fn drop_resets(&self, group: &str) {
        if self.pending_resets.load(Ordering::Relaxed) > 0 {
            let mut ledger = self.ledger();
            ledger.table.drop_resets(group);
            self.count_resets(&ledger);
        }
    }

    fn count_resets(&self, ledger: &Ledger) {
        self.pending_resets.store(ledger.table.pending_resets(), Ordering::Relaxed);
    }

    /// Names of the groups that committed.
    pub(super) fn committed_groups(&self) -> HashSet<String> {
        self.ledger().table.groups().map(str::to_owned).collect()
    }

    /// How far each group is behind in each topic, in no order. `end_of` gives the end of a queue.
    pub(super) fn lags_behind(&self, end_of: impl Fn(&str, i32) -> Option<i64>) -> Vec<Lag> {
        let behind = |topic: &str, queue: i32, offset: i64| {
            end_of(topic, queue).map_or(0, |end| end.saturating_sub(offset).max(0))
        };
        let ledger = self.ledger();
        let entries = ledger.table.entries().map(|(group, topic, queues)| Lag {
            group: group.to_owned(),
            topic: topic.to_owned(),
            messages: queues.iter().map(|(&queue, committed)| behind(topic, queue, committed.offset)).sum(),
        });
        entries.collect()
    }

    /// Whether Kafka clients made all commits of the group; `None` when it has none.
    pub(super) fn is_only_kafkas(&self, group: &str) -> Option<bool> {
        let ledger = self.ledger();
        ledger.table.of_group(group).next()?;
        Some(ledger.table.is_only_kafkas(group))
    }

    /// Looks at the table while nobody changes it.
    pub(super) fn with_offsets<R>(&self, look: impl FnOnce(&Offsets) -> R) -> R {
        look(&self.ledger().table)
    }

    /// Drops all offsets of a group; false when it had none. Survives a kill once this returns.
    pub(super) fn remove_offsets_of_group(&self, group: &str, now: Millis) -> Result<bool, OffsetError> {
        let mut ledger = self.ledger();
        if ledger.table.of_group(group).next().is_none() {
            return Ok(false);
        }
        ledger.write(OffsetRecord::GroupRemoved { group }).map_err(OffsetError::Journal)?;
        Ok(ledger.table.remove_group(now, group))
    }

    /// Drops one offset, if it is there. Survives a kill once this returns.
    pub(super) fn remove_offset(&self, key: OffsetKey<'_>, now: Millis) -> Result<(), OffsetError> {
        let mut ledger = self.ledger();
        if ledger.table.committed(key).is_none() {
            return Ok(());
        }
        let OffsetKey { group, topic, queue } = key;
        ledger.write(OffsetRecord::Removed { group, topic, queue }).map_err(OffsetError::Journal)?;
        ledger.table.remove(now, key);
        Ok(())
    }

    /// A deleted topic leaves no offsets behind, lest a topic of that name begins with them.
    pub(super) fn forget_offsets_of(&self, topic: &str, now: Millis) {
        let mut ledger = self.ledger();
        ledger.table.remove_topic(now, topic);
        if let Err(cause) = ledger.write(OffsetRecord::TopicRemoved { topic }) {
            error!(error = %cause, topic, "the offsets of a deleted topic could not be journalled");
        }
    }
}
