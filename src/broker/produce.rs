//! Kafka batches into partitions: checked, deduplicated, stored as they are (mode B) or record by record (mode S).
//!
//! Order of locks: the partition (sequence check, producer state), then the store's own. What is answered is
//! what stands in the log: a batch that was appended before gets its original offset.
//! Source: Kafka 4.1 `UnifiedLog.append`, `ProducerAppendInfo`; bridge rules D2, D3, T9.

use std::sync::Arc;

use bytes::Bytes;
use gantry_store::format::HostAddr;
use gantry_store::format::inner::INNER_LEN;
use gantry_store::format::sysflag::SysFlag;
use gantry_store::{AppendBatch, AppendError, CreateQueueError, Entry, PushError, TagsCode};

use super::Broker;
use super::counters::{self, Flow, Reason};
use super::durability::Durability;
use super::park::QueueKey;
use super::topic::{Partition, Topic};
use crate::limits;
use crate::mapping::explode::{self, ExplodeError};
use crate::mapping::frame_parts::FrameParts;
use crate::mapping::incoming::{IncomingBatch, ProduceRules, ProducerFacts};
use crate::mapping::incoming_error::IncomingError;
use crate::mapping::record_properties::Scratch;
use crate::mapping::verbatim::{self, VerbatimError};
use crate::semantics::producers::{ProducerBatch, ProducerId, SequenceError, Verdict};
use crate::semantics::topics::{MESSAGE_TYPE, Perm};
use crate::semantics::{Dialect, Millis};

/// One partition of a produce request, and what became of it.
#[derive(Debug)]
pub struct PartitionAppend {
    topic: Option<Arc<Topic>>,
    index: i32,
    records: Bytes,
    wants_all: bool,
    result: Option<Result<Produced, ProduceError>>,
}

/// Where a batch stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Produced {
    /// Offset of its first record.
    pub base_offset: i64,
    /// Store time in ms when the topic stamps batches, else -1.
    pub log_append_time: i64,
    /// First offset of the partition.
    pub log_start_offset: i64,
    /// When the append is as durable as the flush mode promises.
    pub durability: Durability,
}

/// Why a batch is refused; nothing of it is stored.
#[derive(Debug, thiserror::Error)]
pub enum ProduceError {
    /// acks is not 0, 1 or -1.
    #[error("acks must be 0, 1 or -1 (all), not {0}")]
    RequiredAcks(i16),
    /// No such topic or partition.
    #[error("this broker does not have the partition")]
    UnknownPartition,
    /// The topic takes no writes.
    #[error("the topic is not writable")]
    NotWritable,
    /// Too few replicas are configured to be there.
    #[error("the topic wants {wanted} in-sync replicas (min.insync.replicas), there is 1")]
    NotEnoughReplicas {
        /// `min.insync.replicas`.
        wanted: i32,
    },
    /// The batch breaks a rule.
    #[error(transparent)]
    Batch(#[from] IncomingError),
    /// Part of a transaction; there are none yet.
    #[error("transactional batches are not served by this broker yet")]
    Transactional,
    /// A producer id without a sequence, or the reverse.
    #[error("the batch has a producer id but no sequence")]
    NoSequence,
    /// Its place in the producer's sequence is wrong.
    #[error(transparent)]
    Sequence(#[from] SequenceError),
    /// It cannot be stored record by record.
    #[error(transparent)]
    Explode(#[from] ExplodeError),
    /// It cannot be stored as it is.
    #[error(transparent)]
    Verbatim(#[from] VerbatimError),
    /// A frame cannot be written.
    #[error(transparent)]
    Frame(#[from] PushError),
    /// The queue cannot be made.
    #[error(transparent)]
    Queue(#[from] CreateQueueError),
    /// The log cannot be written.
    #[error(transparent)]
    Append(#[from] AppendError),
}

impl ProduceError {
    /// The record at fault and why, where a single one is.
    #[must_use]
    pub fn bad_record(&self) -> Vec<(i32, String)> {
        match self {
            Self::Batch(IncomingError::InvalidRecords(faults)) => {
                faults.iter().map(|fault| (fault.batch_index, fault.cause.to_string())).collect()
            }
            Self::Explode(ExplodeError::PropertiesTooLong { batch_index, .. }) => {
                vec![(*batch_index, self.to_string())]
            }
            _ => Vec::new(),
        }
    }
}

impl PartitionAppend {
    /// `records` for partition `index` of `topic`, if there is one; `wants_all` is acks=all.
    #[must_use]
    pub fn new(topic: Option<Arc<Topic>>, index: i32, records: Bytes, wants_all: bool) -> Self {
        Self { topic, index, records, wants_all, result: None }
    }

    /// Refuses it without looking.
    pub fn refuse(&mut self, error: ProduceError) {
        self.result = Some(Err(error));
    }

    /// What became of it.
    ///
    /// # Errors
    /// Why it was refused.
    pub fn into_result(self) -> Result<Produced, ProduceError> {
        self.result.unwrap_or(Err(ProduceError::UnknownPartition))
    }
}

/// Who produces, how and when: the same for all partitions of a request.
#[derive(Clone, Copy, Debug)]
pub struct ProduceAsk {
    /// The client's address.
    pub client: HostAddr,
    /// Version of the produce request.
    pub api_version: i16,
    /// The time of the request.
    pub now: Millis,
}

/// Buffers of one connection's produce requests; once warm, a batch allocates nothing here.
#[derive(Debug, Default)]
pub struct ProduceScratch {
    batch: Option<AppendBatch>,
    properties: Vec<u8>,
    parts: Vec<FrameParts>,
    keys: Vec<i32>,
    record: Scratch,
}

impl Broker {
    /// Appends every partition that is not refused yet and wakes who waits for it. Blocks for the write only.
    pub fn produce(&self, appends: &mut [PartitionAppend], scratch: &mut ProduceScratch, ask: ProduceAsk) {
        for append in appends.iter_mut().filter(|append| append.result.is_none()) {
            let records = std::mem::take(&mut append.records);
            let topic = append.topic.take();
            let result = match topic {
                None => Err(ProduceError::UnknownPartition),
                Some(topic) => enough_replicas(&topic, append.wants_all)
                    .and_then(|()| self.produce_one(&topic, append.index, records, scratch, ask)),
            };
            if let Err(error) = &result {
                self.counters.send_refused(Dialect::Kafka, Reason::from(error));
            }
            append.result = Some(result);
        }
    }

    fn produce_one(
        &self,
        topic: &Topic,
        index: i32,
        records: Bytes,
        scratch: &mut ProduceScratch,
        ask: ProduceAsk,
    ) -> Result<Produced, ProduceError> {
        let ProduceAsk { client, api_version, now } = ask;
        if !(0..topic.partitions()).contains(&index) {
            return Err(ProduceError::UnknownPartition);
        }
        if !(topic.permits(Perm::WRITE) && self.live().permission.has(Perm::WRITE)) {
            return Err(ProduceError::NotWritable);
        }
        let rules = self.produce_rules(topic, api_version, now);
        let batch = IncomingBatch::check(records, &rules)?;
        let facts = batch.producer().map_err(IncomingError::from)?;
        let producer = sequence_of(&facts, batch.count().messages())?;
        self.stage_batch(topic, &batch, scratch)?;
        let partition = self.partition(topic, index)?;
        let mut state = partition.state();
        if let Some(producer) = &producer
            && let Verdict::Duplicate { base_offset, timestamp } = state.producers.check(now, producer)?
        {
            let log_append_time = if rules.log_append_time { timestamp } else { -1 };
            let durability = self.promise(self.store.watermarks().written);
            return Ok(produced(&partition, base_offset, log_append_time, durability));
        }
        let written = self.append_staged(&partition, scratch, client)?;
        let max_timestamp = batch.view().map_or(-1, |view| view.max_timestamp());
        let time = if rules.log_append_time { now.0 } else { -1 };
        if let Some(producer) = &producer {
            state.producers.record(now, producer, written.base_offset, time);
        }
        let count = batch.count().messages();
        state.times.push(written.base, count, max_timestamp, written.base == partition.queue.min());
        drop(state);
        let flow = Flow { requests: 1, messages: counters::count(count), bytes: batch.bytes().len() as u64 };
        self.counters.stored(Dialect::Kafka, flow);
        partition.stored.add(flow);
        self.announce_batch(&partition, scratch, batch.bytes().len());
        let durability = self.promise(written.end);
        Ok(produced(&partition, written.base_offset, time, durability))
    }

    fn produce_rules(&self, topic: &Topic, api_version: i16, now: Millis) -> ProduceRules {
        let settings = topic.kafka_settings().copied().unwrap_or(self.kafka_defaults);
        let topic_max = usize::try_from(settings.max_message_bytes).unwrap_or(usize::MAX);
        let normal = topic.config().attributes.get(MESSAGE_TYPE).is_some_and(|kind| kind == "NORMAL");
        ProduceRules {
            api_version,
            max_message_bytes: topic_max.min(self.settings.max_message_size),
            max_decompressed_bytes: limits::DECOMPRESSED_SIZE,
            search: !normal,
            compacted: settings.is_compacted,
            explode: !topic.stores_batches(),
            index_record_keys: false,
            now_ms: now.0,
            timestamp_before_max_ms: settings.timestamp_before_max_ms,
            timestamp_after_max_ms: settings.timestamp_after_max_ms,
            log_append_time: settings.is_log_append_time,
        }
    }

    /// Turns the batch into the parts of its frames, one or one a record.
    fn stage_batch(
        &self,
        topic: &Topic,
        batch: &IncomingBatch,
        scratch: &mut ProduceScratch,
    ) -> Result<(), ProduceError> {
        scratch.properties.clear();
        scratch.parts.clear();
        if topic.stores_batches() {
            scratch.parts.push(verbatim::frame(batch, &mut scratch.properties)?);
            return Ok(());
        }
        let parts = &mut scratch.parts;
        explode::frames(batch, &mut scratch.record, &mut scratch.properties, |part| parts.push(part))?;
        Ok(())
    }

    fn append_staged(
        &self,
        partition: &Partition,
        scratch: &mut ProduceScratch,
        born_host: HostAddr,
    ) -> Result<Written, ProduceError> {
        let batch = scratch.batch.get_or_insert_with(|| self.store.batch());
        batch.clear();
        for (at, part) in scratch.parts.iter().enumerate() {
            scratch.keys.clear();
            let keys = &mut scratch.keys;
            if self.settings.index_keys {
                part.visit_key_hashes(partition.queue.topic(), &scratch.properties, |hash| keys.push(hash));
            }
            // The store writes the two properties of a batch frame itself: it knows the base.
            let own = part.properties(&scratch.properties);
            let verbatim = part.sys_flag != SysFlag(0);
            let own = if verbatim { own.get(INNER_LEN..).unwrap_or_default() } else { own };
            let entry = Entry {
                flag: part.flag,
                sys_flag: part.sys_flag,
                born_timestamp: part.born_timestamp,
                born_host,
                reconsume_times: 0,
                prepared_transaction_offset: 0,
                body: &part.body,
                properties: &[own],
                records: i32::try_from(part.count.messages()).unwrap_or(i32::MAX),
                tags_code: TagsCode::Hash(part.tags_code),
                keys: &scratch.keys,
                joined: at > 0,
            };
            batch.push(&partition.queue, &entry)?;
        }
        let appended = self.store.append(batch)?;
        let base = batch.placed().first().map_or(partition.queue.next(), |place| place.queue_offset);
        let written = Written { base, base_offset: base.0, end: appended.end };
        batch.clear();
        Ok(written)
    }

    fn announce_batch(&self, partition: &Partition, scratch: &ProduceScratch, bytes: usize) {
        // A batch whose records may have several tags wakes everyone: its records are looked at then.
        let codes = scratch
            .parts
            .iter()
            .map(|part| if part.count.messages() > 1 { None } else { Some(part.tags_code) });
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.parked.arrived(QueueKey(partition.queue.ordinal()), &partition.watchers, bytes, codes);
    }
}

#[derive(Debug)]
struct Written {
    base: gantry_store::format::QueueOffset,
    base_offset: i64,
    end: gantry_store::format::CommitOffset,
}

fn produced(
    partition: &Partition,
    base_offset: i64,
    log_append_time: i64,
    durability: Durability,
) -> Produced {
    Produced { base_offset, log_append_time, log_start_offset: partition.log_start(), durability }
}

/// acks=all promises copies that a single broker does not have.
fn enough_replicas(topic: &Topic, wants_all: bool) -> Result<(), ProduceError> {
    let wanted = topic.kafka_settings().map_or(1, |settings| settings.min_insync_replicas);
    if wants_all && wanted > 1 { Err(ProduceError::NotEnoughReplicas { wanted }) } else { Ok(()) }
}

/// The batch's place in its producer's sequence; `None` for producers without an id.
fn sequence_of(facts: &ProducerFacts, count: i64) -> Result<Option<ProducerBatch>, ProduceError> {
    if facts.transactional {
        return Err(ProduceError::Transactional);
    }
    if facts.producer_id < 0 {
        return Ok(None);
    }
    if facts.base_sequence < 0 || facts.producer_epoch < 0 {
        return Err(ProduceError::NoSequence);
    }
    Ok(Some(ProducerBatch {
        producer: ProducerId(facts.producer_id),
        epoch: facts.producer_epoch,
        first_sequence: facts.base_sequence,
        count: i32::try_from(count).unwrap_or(i32::MAX),
    }))
}
