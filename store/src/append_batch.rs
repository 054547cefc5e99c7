//! What one append writes: the messages of one socket read, encoded but for their offsets.
//!
//! A batch is reused: once warm, pushing allocates nothing. Small bodies are copied beside their head and
//! tail, so that a run of small messages is one piece of memory; large ones are referenced. The rules that
//! keep a stock broker able to read the log (mode B) are enforced here, before anything is written.

use std::ops::Range;

use bytes::Bytes;

use crate::config::QueueKind;
use crate::error::PushError;
use crate::format::frame::{self, FrameFields, Placement};
use crate::format::inner::{InnerNum, inner_properties, patch_inner_base};
use crate::format::{BatchKind, HostAddr, QueueOffset, SysFlag, properties, sysflag};
use crate::queue_index::{Queue, Unit};

/// Bodies from this size on are written from where they lie.
const COPY_LIMIT: usize = 4096;

/// What the queue's unit holds for the tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagsCode {
    /// Hash of the tag, 0 for none.
    Hash(i64),
    /// A message of a delay level: due this many milliseconds after it is stored.
    DueAfter(i64),
}

/// One frame to append. Offsets and the store timestamp are decided by the append.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// The application's flag.
    pub flag: i32,
    /// sysFlag; the bits of the host families are set from the hosts.
    pub sys_flag: SysFlag,
    /// bornTimestamp, ms.
    pub born_timestamp: i64,
    /// Address of the producer.
    pub born_host: HostAddr,
    /// reconsumeTimes.
    pub reconsume_times: i32,
    /// preparedTransactionOffset.
    pub prepared_transaction_offset: i64,
    /// The body as stored.
    pub body: &'a Bytes,
    /// The properties in parts, which are joined as they are; without `INNER_NUM` and `INNER_BASE`.
    pub properties: &'a [&'a [u8]],
    /// Records in the body: 1, or 1 to 32,767 for a Kafka `RecordBatch`.
    pub records: i32,
    /// For the queue's unit.
    pub tags_code: TagsCode,
    /// Hashes of `topic#key` (`format::hash::index_key_hash`) for the key index, unique key first.
    pub keys: &'a [i32],
    /// Whether this frame is written together with the one before it or not at all, in the same file.
    pub joined: bool,
}

/// Frames that are appended together.
#[derive(Debug)]
pub struct AppendBatch {
    store_host: HostAddr,
    max_frame_size: u32,
    pub(crate) items: Vec<Item>,
    pub(crate) scratch: Vec<u8>,
    pub(crate) keys: Vec<i32>,
    placed: Vec<Placement>,
}

/// One encoded frame.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) queue: Queue,
    /// Its bytes in `scratch`, without a referenced body.
    pub(crate) scratch: Range<usize>,
    /// A referenced body and where in `scratch` it is inserted.
    pub(crate) body: Option<(usize, Bytes)>,
    tail_at: usize,
    pub(crate) size: u32,
    pub(crate) records: InnerNum,
    is_batch: bool,
    tags_code: TagsCode,
    pub(crate) keys: Range<usize>,
    pub(crate) joined: bool,
}

impl AppendBatch {
    pub(crate) fn new(store_host: HostAddr, max_frame_size: u32) -> AppendBatch {
        let (items, scratch, keys, placed) = Default::default();
        AppendBatch { store_host, max_frame_size, items, scratch, keys, placed }
    }

    /// Adds a frame for `queue`.
    ///
    /// # Errors
    /// Anything that must not enter the log; the batch is unchanged then.
    pub fn push(&mut self, queue: &Queue, entry: &Entry<'_>) -> Result<(), PushError> {
        let records = check_rules(queue, entry)?;
        let is_batch = entry.sys_flag.batch_kind() == BatchKind::KafkaBatch;
        let inner = inner_properties(records, QueueOffset(0));
        let inner = if is_batch { inner.as_slice() } else { &[] };
        let properties_len = inner.len() + entry.properties.iter().map(|part| part.len()).sum::<usize>();
        let fields = self.fields(queue, entry);
        let size = frame::frame_len(&fields, properties_len)?;
        if size > self.max_frame_size {
            return Err(PushError::TooLarge { size, limit: self.max_frame_size });
        }
        let start = self.scratch.len();
        frame::encode_head(&fields, properties_len, &mut self.scratch)?;
        let body = self.place_body(entry.body);
        let tail_at = self.scratch.len();
        encode_tail(queue.topic(), inner, entry.properties, &mut self.scratch);
        let properties = self.scratch.len().checked_sub(properties_len).and_then(|at| self.scratch.get(at..));
        if !properties.is_some_and(properties::is_well_formed) {
            self.scratch.truncate(start);
            return Err(PushError::Properties);
        }
        let keys = self.keys.len();
        self.keys.extend_from_slice(entry.keys);
        self.items.push(Item {
            queue: queue.clone(),
            scratch: start..self.scratch.len(),
            body,
            tail_at,
            size,
            records,
            is_batch,
            tags_code: entry.tags_code,
            keys: keys..self.keys.len(),
            joined: entry.joined,
        });
        Ok(())
    }

    fn fields<'a>(&self, queue: &'a Queue, entry: &Entry<'_>) -> FrameFields<'a> {
        FrameFields {
            topic: queue.topic(),
            queue_id: queue.id(),
            flag: entry.flag,
            sys_flag: entry.sys_flag,
            born_timestamp: entry.born_timestamp,
            born_host: entry.born_host,
            store_host: self.store_host,
            reconsume_times: entry.reconsume_times,
            prepared_transaction_offset: entry.prepared_transaction_offset,
            body_len: u32::try_from(entry.body.len()).unwrap_or(u32::MAX),
            body_crc: frame::body_crc(entry.body),
        }
    }

    fn place_body(&mut self, body: &Bytes) -> Option<(usize, Bytes)> {
        if body.len() >= COPY_LIMIT {
            return Some((self.scratch.len(), body.clone()));
        }
        self.scratch.extend_from_slice(body);
        None
    }

    /// Takes the frames from `len` on out again.
    pub fn truncate(&mut self, len: usize) {
        let Some(first) = self.items.get(len) else { return };
        self.scratch.truncate(first.scratch.start);
        self.keys.truncate(first.keys.start);
        self.items.truncate(len);
    }

    /// Number of frames.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is nothing to append.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Where each frame was put, in the order of the pushes; empty before a successful append.
    pub fn placed(&self) -> &[Placement] {
        &self.placed
    }

    /// Forgets the frames and keeps the memory.
    pub fn clear(&mut self) {
        self.items.clear();
        self.scratch.clear();
        self.keys.clear();
        self.placed.clear();
    }

    /// Writes offsets into an encoded frame and remembers them.
    pub(crate) fn place(&mut self, index: usize, at: Placement) {
        let Some(item) = self.items.get(index) else { return };
        let patched = self
            .scratch
            .get_mut(item.scratch.clone())
            .map(|bytes| frame::patch_offsets(bytes, at.queue_offset, at.commit_offset, at.store_timestamp));
        debug_assert!(patched.is_some_and(|patched| patched.is_ok()), "the head was made by push");
        if item.is_batch {
            let tail = self.scratch.get_mut(item.tail_at..item.scratch.end);
            let patched = tail.map(|tail| patch_inner_base(tail, item.queue.topic(), at.queue_offset));
            debug_assert!(patched.is_some_and(|patched| patched.is_ok()), "the tail was made by push");
        }
        self.placed.push(at);
    }

    pub(crate) fn unplace(&mut self) {
        self.placed.clear();
    }

    /// The queue unit of a placed frame.
    pub(crate) fn unit(item: &Item, at: &Placement) -> Unit {
        Unit {
            queue_offset: at.queue_offset,
            records: item.records.value(),
            commit_offset: at.commit_offset,
            size: item.size,
            tags_code: match item.tags_code {
                TagsCode::Hash(hash) => hash,
                TagsCode::DueAfter(delay_ms) => at.store_timestamp.saturating_add(delay_ms),
            },
            store_timestamp: at.store_timestamp,
        }
    }
}

/// The rules of mode B: a frame that breaks one destroys other topics' data on a stock broker.
fn check_rules(queue: &Queue, entry: &Entry<'_>) -> Result<InnerNum, PushError> {
    let Entry { records, sys_flag: SysFlag(sys_flag), .. } = *entry;
    let count = InnerNum::new(i64::from(records)).ok_or(PushError::RecordCount { records })?;
    match sys_flag & sysflag::BATCH_MASK {
        0 if records == 1 => Ok(count),
        sysflag::INNER_BATCH if queue.kind() == QueueKind::Batch => Ok(count),
        sysflag::INNER_BATCH => Err(PushError::QueueKind { kind: queue.kind() }),
        _ => Err(PushError::SysFlag { sys_flag, records }),
    }
}

/// The lengths were checked with the head, so this cannot fail.
fn encode_tail(topic: &str, inner: &[u8], properties: &[&[u8]], out: &mut Vec<u8>) {
    let mut parts = [inner; MAX_PARTS];
    let encoded = match parts.get_mut(1..=properties.len()) {
        Some(place) => {
            place.copy_from_slice(properties);
            frame::encode_tail(topic, parts.get(..=properties.len()).unwrap_or_default(), out)
        }
        None => frame::encode_tail(topic, &[inner, &properties.concat()], out),
    };
    debug_assert!(encoded.is_ok(), "checked by encode_head");
}

/// Parts of properties that are joined without an allocation.
const MAX_PARTS: usize = 9;
