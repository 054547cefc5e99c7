//! Producer ids and producer states over restarts: `gantry/producer-ids` and `gantry/producers`.
//!
//! States are saved from time to time with the commit offset they cover; the frames behind it are read at start.
//! Entries beyond the end of their queue (the log was cut) are left out, lest a batch that is gone counts as there.

use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use gantry_store::disk::Disk;
use gantry_store::format::{CommitOffset, FrameView};
use gantry_store::{ReadLimits, Unit};
use serde::{Deserialize, Serialize};
use tracing::{error, info};

use super::Broker;
use super::durability::Durability;
use super::side_json::SideJson;
use super::topic::{Partition, Topic};
use crate::mapping::producer_mark;
use crate::semantics::Millis;
use crate::semantics::producer_ids::{AllocateError, ProducerIds};
use crate::semantics::producers::{AppendedBatch, ProducerId, ProducerState, Producers};

/// The id allocator and both files.
#[derive(Debug)]
pub(super) struct ProducerDesk {
    ids: Mutex<ProducerIds>,
    id_file: SideJson<IdFile>,
    state_file: SideJson<StateFile>,
    /// Commit offset that the saved states cover.
    saved: AtomicI64,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct IdFile {
    reserved_end: i64,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct StateFile {
    covered: i64,
    partitions: Vec<PartitionProducers>,
}

#[derive(Debug, Serialize, Deserialize)]
struct PartitionProducers {
    topic: String,
    queue: i32,
    producers: Vec<SavedProducer>,
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedProducer {
    id: i64,
    epoch: i16,
    last_append: i64,
    /// First sequence, last sequence, base offset, timestamp.
    batches: Vec<(i32, i32, i64, i64)>,
}

impl SavedProducer {
    fn of(state: &ProducerState) -> Self {
        let batches = state.batches().iter();
        Self {
            id: state.producer.0,
            epoch: state.epoch,
            last_append: state.last_append.0,
            batches: batches
                .map(|b| (b.first_sequence, b.last_sequence, b.base_offset, b.timestamp))
                .collect(),
        }
    }

    /// The state, without batches at or behind `end`.
    fn state(&self, end: i64) -> Option<ProducerState> {
        let kept = self.batches.iter().filter(|(_, _, base_offset, _)| *base_offset < end);
        let batches: Vec<_> = kept
            .map(|&(first_sequence, last_sequence, base_offset, timestamp)| AppendedBatch {
                first_sequence,
                last_sequence,
                base_offset,
                timestamp,
            })
            .collect();
        let state = ProducerState::new(ProducerId(self.id), self.epoch, Millis(self.last_append), &batches);
        (!batches.is_empty()).then_some(state)
    }
}

impl ProducerDesk {
    /// Reads the ids; states follow with [`Broker::restore_producers`]. Blocks.
    pub(super) fn load(disk: &Arc<dyn Disk>, own: &Path) -> io::Result<Self> {
        let id_file = SideJson::<IdFile>::new(disk, own.join("producer-ids"), *b"GPRODID1");
        let ids = ProducerIds::new(id_file.load()?.reserved_end);
        let state_file = SideJson::new(disk, own.join("producers"), *b"GPRODST1");
        Ok(Self { ids: Mutex::new(ids), id_file, state_file, saved: AtomicI64::new(-1) })
    }
}

impl Broker {
    /// A producer id that was never given before, also not before a kill. Blocks for a small file once in a
    /// thousand ids.
    ///
    /// # Errors
    /// The disk's, or that all ids are used up.
    pub fn allocate_producer_id(&self) -> io::Result<(i64, Durability)> {
        let mut ids = self.producers.ids.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match ids.allocate() {
                Ok(id) => return Ok((id.0, Durability::NONE)),
                Err(AllocateError::ReserveFirst { block }) => {
                    self.producers.id_file.save(&IdFile { reserved_end: block.end })?;
                    ids.reserved(block);
                }
                Err(exhausted) => return Err(io::Error::other(exhausted)),
            }
        }
    }

    /// What a partition remembers of its producers, by id; `None` when there is no such partition.
    #[must_use]
    pub fn producers_of(&self, topic: &Topic, index: i32) -> Option<Vec<ProducerState>> {
        if !(0..topic.partitions()).contains(&index) {
            return None;
        }
        let Some(partition) = self.existing_partition(topic, index) else { return Some(Vec::new()) };
        let mut state = partition.state();
        state.producers.expire(self.now());
        let mut known: Vec<_> = state.producers.iter().cloned().collect();
        known.sort_unstable_by_key(|producer| producer.producer.0);
        Some(known)
    }

    /// Writes the states of all producers; nothing when the log did not grow. Blocks.
    pub(super) fn save_producers(&self) -> io::Result<()> {
        // Frames appended while the states are collected are covered twice, which replay does not mind.
        let covered = self.store.watermarks().written.0;
        if self.producers.saved.load(Ordering::Relaxed) == covered {
            return Ok(());
        }
        let mut partitions = Vec::new();
        for topic in self.topics() {
            for index in 0..topic.partitions() {
                let Some(partition) = self.existing_partition(&topic, index) else { continue };
                let mut state = partition.state();
                state.producers.expire(self.now());
                let producers: Vec<_> = state.producers.iter().map(SavedProducer::of).collect();
                drop(state);
                if !producers.is_empty() {
                    let topic = topic.name().to_owned();
                    partitions.push(PartitionProducers { topic, queue: index, producers });
                }
            }
        }
        self.producers.state_file.save(&StateFile { covered, partitions })?;
        self.producers.saved.store(covered, Ordering::Relaxed);
        Ok(())
    }

    /// Puts the states back and reads the frames behind them. Blocks; before the first request.
    pub(super) fn restore_producers(&self) -> io::Result<()> {
        let file = self.producers.state_file.load()?;
        for saved in &file.partitions {
            let topic = self.topic(&saved.topic);
            let Some(partition) = topic.and_then(|topic| self.existing_partition(&topic, saved.queue)) else {
                continue;
            };
            let end = partition.queue.next().0;
            let states = saved.producers.iter().filter_map(|producer| producer.state(end));
            let expiration_ms = self.settings.producer_id_expiration_ms;
            partition.state().producers = Producers::new(states).expiring_after(expiration_ms);
        }
        let from = CommitOffset(file.covered).max(self.store.watermarks().min);
        let mut batches = 0_u64;
        let visited = self.store.visit(from, &mut |frame| {
            batches += u64::from(self.replay_frame(frame));
            ControlFlow::Continue(())
        });
        match visited {
            Ok(end) => info!(from = from.0, to = end.0, batches, "producer states restored"),
            // Damage is fenced and reported by the store; what stands before it is restored.
            Err(error) => error!(%error, "producer states are restored up to damaged messages only"),
        }
        Ok(())
    }

    /// Whether the partition holds this very frame: a topic of the same name may have been deleted since.
    fn is_indexed(&self, partition: &Partition, frame: &FrameView<'_>) -> bool {
        let limits = ReadLimits { max_units: 1, max_bytes: 1, max_scanned: 1, upto: partition.queue.next() };
        let mut found = false;
        let mut look = |unit: &Unit| {
            found = unit.commit_offset == frame.commit_offset();
            false
        };
        self.store.read(&partition.queue, frame.queue_offset(), &limits, &mut look).is_ok() && found
    }

    fn replay_frame(&self, frame: &FrameView<'_>) -> bool {
        let Some(marked) = producer_mark::read(frame) else { return false };
        let Ok(topic) = frame.topic() else { return false };
        let topic = self.topic(topic);
        let Some(partition) = topic.and_then(|topic| self.existing_partition(&topic, frame.queue_id()))
        else {
            return false;
        };
        if !self.is_indexed(&partition, frame) {
            return false;
        }
        let mut state = partition.state();
        let known = state.producers.iter().find(|state| state.producer == marked.batch.producer);
        let seen = known
            .and_then(|known| known.batches().last())
            .is_some_and(|last| last.base_offset >= marked.base_offset);
        if !seen {
            let stored = Millis(frame.store_timestamp());
            state.producers.record(stored, &marked.batch, marked.base_offset, marked.timestamp);
        }
        !seen
    }
}
