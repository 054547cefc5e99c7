//! Committed offsets: per group, topic and queue the next offset to consume, one truth for both dialects.
//!
//! A commit may go back: clients rewind. What only Kafka knows of a commit (leader epoch, metadata, time) is
//! kept while the offset it was made with is the committed one; a native commit of another offset drops it.
//! A reset that is pending wins over the committed offset, and commits are ignored until it is taken.
//!
//! Keys of consumerOffset.json are `topic@group`, with `@broadcast` behind the group for the shared entry of
//! broadcasting consumers; here that entry is simply the group `<group>@broadcast`.
//!
//! Source: RocketMQ 5.3.3 `broker/offset/ConsumerOffsetManager.java`; Kafka 4.1 `OffsetMetadataManager`.

mod by_queue;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Millis;
use super::data_version::DataVersion;
use by_queue::{ByQueue, Topics};

/// Bytes a commit's metadata may have unless configured (`offset.metadata.max.bytes`).
pub const METADATA_MAX_BYTES: usize = 4096;

/// Follows the group name in the entry that broadcasting consumers share.
pub const BROADCAST_SUFFIX: &str = "@broadcast";

/// After so many commits the data version changes (`consumerOffsetUpdateVersionStep`).
const COMMITS_PER_VERSION: u64 = 500;

/// Which offset is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetKey<'a> {
    /// The group; `<group>@broadcast` for the entry of broadcasting consumers.
    pub group: &'a str,
    /// The topic.
    pub topic: &'a str,
    /// The queue (Kafka: partition).
    pub queue: i32,
}

/// What Kafka tells with a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KafkaFacts<'a> {
    /// Epoch of the last consumed record; -1 when the client did not say.
    pub leader_epoch: i32,
    /// The client's own text, byte for byte.
    pub metadata: &'a str,
    /// When the commit was made.
    pub commit_time: Millis,
}

/// A committed offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The next offset to consume.
    pub offset: i64,
    leader_epoch: i32,
    metadata: Box<str>,
    commit_time: Option<Millis>,
}

impl Committed {
    /// What a Kafka commit of this very offset told.
    pub fn kafka_facts(&self) -> Option<KafkaFacts<'_>> {
        let commit_time = self.commit_time?;
        Some(KafkaFacts { leader_epoch: self.leader_epoch, metadata: &self.metadata, commit_time })
    }

    fn native(offset: i64) -> Self {
        Self { offset, leader_epoch: -1, metadata: Box::default(), commit_time: None }
    }

    fn set_native(&mut self, offset: i64) {
        if self.offset != offset {
            *self = Self::native(offset);
        }
    }

    /// Allocates only when the metadata changed and is not empty.
    fn set_kafka(&mut self, offset: i64, facts: KafkaFacts<'_>) {
        self.offset = offset;
        self.leader_epoch = facts.leader_epoch;
        self.commit_time = Some(facts.commit_time);
        if *self.metadata != *facts.metadata {
            self.metadata = Box::from(facts.metadata);
        }
    }
}

/// Why a commit is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// The metadata is too long.
    #[error("the metadata of the commit has {bytes} bytes; {limit} are allowed (offset.metadata.max.bytes)")]
    MetadataTooLarge {
        /// Its length.
        bytes: usize,
        /// Most bytes allowed.
        limit: usize,
    },
    /// A reset is pending for the queue; the commit is ignored.
    #[error("the offset was reset before; the commit is ignored until the client takes the new one")]
    ResetPending,
}

/// The table of committed offsets.
#[derive(Debug)]
pub struct Offsets {
    committed: ByQueue<Committed>,
    resets: ByQueue<i64>,
    data_version: DataVersion,
    commits: u64,
    metadata_max_bytes: usize,
}

impl Default for Offsets {
    fn default() -> Self {
        Self::new(DataVersion::default())
    }
}

impl Offsets {
    /// An empty table of this version; fill it with [`Offsets::restore`].
    pub fn new(data_version: DataVersion) -> Self {
        Self {
            committed: ByQueue::default(),
            resets: ByQueue::default(),
            data_version,
            commits: 0,
            metadata_max_bytes: METADATA_MAX_BYTES,
        }
    }

    /// With another bound than [`METADATA_MAX_BYTES`].
    #[must_use]
    pub fn metadata_up_to(self, metadata_max_bytes: usize) -> Self {
        Self { metadata_max_bytes, ..self }
    }

    /// The version of the table; it changes every 500 commits and with every removal.
    pub const fn data_version(&self) -> DataVersion {
        self.data_version
    }

    /// A native client commits. The last write wins, even when it is smaller.
    ///
    /// # Errors
    /// [`CommitError::ResetPending`].
    pub fn commit(&mut self, now: Millis, key: OffsetKey<'_>, offset: i64) -> Result<(), CommitError> {
        self.check_reset(key)?;
        self.committed.change(key, || Committed::native(offset), |committed| committed.set_native(offset));
        self.count(now);
        Ok(())
    }

    /// A Kafka client commits.
    ///
    /// # Errors
    /// [`CommitError`].
    pub fn commit_kafka(
        &mut self,
        key: OffsetKey<'_>,
        offset: i64,
        facts: KafkaFacts<'_>,
    ) -> Result<(), CommitError> {
        let (bytes, limit) = (facts.metadata.len(), self.metadata_max_bytes);
        if limit < bytes {
            return Err(CommitError::MetadataTooLarge { bytes, limit });
        }
        self.check_reset(key)?;
        self.committed.change(
            key,
            || Committed::native(offset),
            |committed| committed.set_kafka(offset, facts),
        );
        self.count(facts.commit_time);
        Ok(())
    }

    /// Puts back what was saved; no commit, so the version stays.
    pub fn restore(&mut self, key: OffsetKey<'_>, offset: i64) {
        self.committed.change(key, || Committed::native(offset), |committed| committed.set_native(offset));
    }

    /// Puts back saved Kafka facts; false, and nothing done, when another offset is committed by now.
    pub fn restore_facts(&mut self, key: OffsetKey<'_>, offset: i64, facts: KafkaFacts<'_>) -> bool {
        let committed = self.committed.get_mut(key).filter(|committed| committed.offset == offset);
        committed.map(|committed| committed.set_kafka(offset, facts)).is_some()
    }

    /// The pending reset, else the committed offset. `None` when the group never committed there.
    pub fn query(&self, key: OffsetKey<'_>) -> Option<i64> {
        self.resets.get(key).copied().or_else(|| self.committed.get(key).map(|committed| committed.offset))
    }

    /// The committed offset with its Kafka facts; no pending reset.
    pub fn committed(&self, key: OffsetKey<'_>) -> Option<&Committed> {
        self.committed.get(key)
    }

    /// An administrator moves a queue on the broker's side: the next query or pull takes this offset.
    pub fn reset(&mut self, key: OffsetKey<'_>, offset: i64) {
        self.resets.change(key, || offset, |pending| *pending = offset);
    }

    /// How many queues have a pending reset.
    pub fn pending_resets(&self) -> usize {
        self.resets.0.values().flat_map(|topics| topics.values()).map(BTreeMap::len).sum()
    }

    /// Nobody of the group is left to take its resets; the committed offsets stay.
    pub fn drop_resets(&mut self, group: &str) {
        self.resets.0.remove(group);
    }

    /// A pull takes the pending reset; it becomes the committed offset.
    pub fn take_reset(&mut self, key: OffsetKey<'_>) -> Option<i64> {
        let offset = self.resets.remove(key)?;
        self.restore(key, offset);
        Some(offset)
    }

    /// Topic, queue and offset of everything the group committed; queues ascending, topics in no order.
    pub fn of_group(&self, group: &str) -> impl Iterator<Item = (&str, i32, &Committed)> {
        let topics = self.committed.0.get(group).into_iter().flatten();
        topics
            .flat_map(|(topic, queues)| queues.iter().map(|(queue, committed)| (&**topic, *queue, committed)))
    }

    /// Whether every offset of the group was last committed by a Kafka client; true when it has none.
    pub fn is_only_kafkas(&self, group: &str) -> bool {
        self.of_group(group).all(|(_, _, committed)| committed.commit_time.is_some())
    }

    /// When the group committed last; `None` when a native client made one of its commits, or it has none.
    pub fn latest_kafka_commit(&self, group: &str) -> Option<Millis> {
        let times = self.of_group(group).map(|(_, _, committed)| committed.commit_time);
        times.reduce(|latest, time| Some(latest?.max(time?))).flatten()
    }

    /// Topics the group committed to, in no order.
    pub fn topics_of(&self, group: &str) -> impl Iterator<Item = &str> {
        self.committed.0.get(group).into_iter().flat_map(|topics| topics.keys().map(|topic| &**topic))
    }

    /// Groups that committed to the topic, in no order; `@broadcast` entries are left out.
    pub fn groups_of(&self, topic: &str) -> impl Iterator<Item = &str> {
        self.committed
            .0
            .iter()
            .filter(move |(_, topics)| topics.contains_key(topic))
            .filter_map(|(group, _)| plain(group))
    }

    /// All groups that committed, in no order; `@broadcast` entries are left out.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        self.committed.0.keys().filter_map(|group| plain(group))
    }

    /// Everything, to be saved: group (with `@broadcast` where it is), topic, queues ascending.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &str, &BTreeMap<i32, Committed>)> {
        let of_group = |(group, topics)| {
            let (group, topics): (&Arc<str>, &Topics<Committed>) = (group, topics);
            topics.iter().map(move |(topic, queues)| (&**group, &**topic, queues))
        };
        self.committed.0.iter().flat_map(of_group)
    }

    /// Drops all offsets of a topic; false when there were none.
    pub fn remove_topic(&mut self, now: Millis, topic: &str) -> bool {
        self.resets.remove_topic(topic);
        let removed = self.committed.remove_topic(topic);
        self.bump_if(now, removed)
    }

    /// Drops all offsets of a group, its `@broadcast` entry too; false when there were none.
    pub fn remove_group(&mut self, now: Millis, group: &str) -> bool {
        let broadcast = format!("{group}{BROADCAST_SUFFIX}");
        self.resets.0.remove(group);
        let removed =
            self.committed.0.remove(group).is_some() | self.committed.0.remove(&*broadcast).is_some();
        self.bump_if(now, removed)
    }

    /// Drops one offset (Kafka OffsetDelete); false when there was none.
    pub fn remove(&mut self, now: Millis, key: OffsetKey<'_>) -> bool {
        self.resets.remove(key);
        let removed = self.committed.remove(key).is_some();
        self.bump_if(now, removed)
    }

    /// After an unclean start: no offset may lie beyond its queue's end. `end_of` gives the end of a queue, or
    /// `None` for queues that are not here. Returns how many offsets went back.
    pub fn clamp(&mut self, mut end_of: impl FnMut(&str, i32) -> Option<i64>) -> usize {
        let mut clamped = 0;
        for (topic, queues) in self.committed.0.values_mut().flatten() {
            for (queue, committed) in queues {
                if let Some(end) = end_of(topic, *queue).filter(|end| *end < committed.offset) {
                    committed.set_native(end);
                    clamped += 1;
                }
            }
        }
        clamped
    }

    fn check_reset(&self, key: OffsetKey<'_>) -> Result<(), CommitError> {
        if self.resets.get(key).is_some() { Err(CommitError::ResetPending) } else { Ok(()) }
    }

    fn count(&mut self, now: Millis) {
        self.commits += 1;
        if self.commits.is_multiple_of(COMMITS_PER_VERSION) {
            self.data_version.bump(now);
        }
    }

    fn bump_if(&mut self, now: Millis, changed: bool) -> bool {
        if changed {
            self.data_version.bump(now);
        }
        changed
    }
}

/// Splits a key of consumerOffset.json into topic and group (with `@broadcast` where it is).
pub fn split_key(key: &str) -> Option<(&str, &str)> {
    key.split_once('@').filter(|(topic, group)| !topic.is_empty() && !group.is_empty())
}

fn plain(group: &str) -> Option<&str> {
    (!group.ends_with(BROADCAST_SUFFIX)).then_some(group)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(1_000);

    fn key<'a>(group: &'a str, topic: &'a str, queue: i32) -> OffsetKey<'a> {
        OffsetKey { group, topic, queue }
    }

    fn facts(metadata: &str) -> KafkaFacts<'_> {
        KafkaFacts { leader_epoch: 3, metadata, commit_time: NOW }
    }

    #[test]
    fn takes_the_last_commit_even_when_it_goes_back() {
        let mut offsets = Offsets::default();
        assert_eq!(offsets.query(key("g", "t", 0)), None);
        assert_eq!(offsets.commit(NOW, key("g", "t", 0), 10), Ok(()));
        assert_eq!(offsets.commit(NOW, key("g", "t", 0), 4), Ok(()));
        assert_eq!(offsets.query(key("g", "t", 0)), Some(4));
        assert_eq!(offsets.query(key("g", "t", 1)), None);
    }

    #[test]
    fn keeps_kafka_facts_while_their_offset_is_the_committed_one() {
        let mut offsets = Offsets::default();
        let key = key("g", "t", 0);
        assert_eq!(offsets.commit_kafka(key, 7, facts("state")), Ok(()));
        assert_eq!(offsets.commit(NOW, key, 7), Ok(()));
        assert_eq!(offsets.committed(key).and_then(Committed::kafka_facts), Some(facts("state")));
        assert_eq!(offsets.commit(NOW, key, 8), Ok(()));
        assert_eq!(offsets.committed(key).and_then(Committed::kafka_facts), None);
        assert!(!offsets.restore_facts(key, 7, facts("state")));
        assert!(offsets.restore_facts(key, 8, facts("state")));
    }

    #[test]
    fn refuses_metadata_over_the_configured_size() {
        let mut offsets = Offsets::default();
        let long = "x".repeat(METADATA_MAX_BYTES + 1);
        let refused = offsets.commit_kafka(key("g", "t", 0), 1, facts(&long));
        assert_eq!(refused, Err(CommitError::MetadataTooLarge { bytes: 4097, limit: 4096 }));
        assert_eq!(offsets.commit_kafka(key("g", "t", 0), 1, facts(&long[1..])), Ok(()));
        let mut offsets = Offsets::default().metadata_up_to(2);
        let refused = offsets.commit_kafka(key("g", "t", 0), 1, facts("abc"));
        assert_eq!(refused, Err(CommitError::MetadataTooLarge { bytes: 3, limit: 2 }));
    }

    #[test]
    fn ignores_commits_until_a_pending_reset_is_taken() {
        let mut offsets = Offsets::default();
        let key = key("g", "t", 0);
        offsets.restore(key, 50);
        offsets.reset(key, 5);
        assert_eq!(offsets.query(key), Some(5));
        assert_eq!(offsets.commit(NOW, key, 51), Err(CommitError::ResetPending));
        assert_eq!(offsets.take_reset(key), Some(5));
        assert_eq!(offsets.commit(NOW, key, 6), Ok(()));
        assert_eq!(offsets.take_reset(key), None);
    }

    #[test]
    fn splits_keys_with_two_and_three_parts() {
        assert_eq!(split_key("T@G"), Some(("T", "G")));
        assert_eq!(split_key("GoldenPlain@CG_bcast@broadcast"), Some(("GoldenPlain", "CG_bcast@broadcast")));
        assert_eq!(split_key("T"), None);
        assert_eq!(split_key("@G"), None);
    }

    #[test]
    fn lists_and_removes_by_group_and_topic() {
        let mut offsets = Offsets::default();
        for (group, topic, queue) in
            [("g", "t", 1), ("g", "t", 0), ("g", "u", 0), ("h", "t", 0), ("g@broadcast", "t", 0)]
        {
            offsets.restore(key(group, topic, queue), 1);
        }
        assert_eq!(offsets.of_group("g").count(), 3);
        assert_eq!(offsets.groups().count(), 2);
        assert_eq!(offsets.groups_of("u").collect::<Vec<_>>(), ["g"]);
        assert_eq!(offsets.entries().count(), 4);
        assert!(offsets.remove_topic(NOW, "u"));
        assert_eq!(offsets.topics_of("g").collect::<Vec<_>>(), ["t"]);
        assert!(offsets.remove(NOW, key("h", "t", 0)));
        assert!(offsets.remove_group(NOW, "g"));
        assert_eq!(offsets.entries().count(), 0);
        assert!(!offsets.remove_group(NOW, "g"));
        assert_eq!(offsets.data_version().counter, 3);
    }

    #[test]
    fn clamps_offsets_to_the_end_of_their_queues() {
        let mut offsets = Offsets::default();
        offsets.restore(key("g", "t", 0), 10);
        offsets.restore(key("g", "t", 1), 10);
        offsets.restore(key("g", "gone", 0), 10);
        let clamped = offsets.clamp(|topic, queue| (topic == "t").then_some(if queue == 0 { 6 } else { 10 }));
        assert_eq!(clamped, 1);
        assert_eq!(offsets.query(key("g", "t", 0)), Some(6));
        assert_eq!(offsets.query(key("g", "gone", 0)), Some(10));
    }

    #[test]
    fn changes_the_version_every_500_commits() {
        let mut offsets = Offsets::default();
        for offset in 0..1_000 {
            assert_eq!(offsets.commit(NOW, key("g", "t", 0), offset), Ok(()));
        }
        assert_eq!(offsets.data_version().counter, 2);
    }
}
