//! Reading partitions: bounds, Kafka fetches, offsets by time, and what every read may be refused for.
//!
//! Mode B frames go out as they are behind 16 bytes of our own; native frames are packed into batches.

use bytes::{Bytes, BytesMut};
use gantry_store::format::{BatchKind, FrameView, QueueOffset};
use gantry_store::{CreateQueueError, ReadError, ReadLimits};

use super::Broker;
use super::counters::{Reason, count};
use super::time_index::TimeIndex;
use super::topic::{Partition, Topic};
use crate::limits;
use crate::mapping::native_record::NativeHeaders;
use crate::mapping::pack::{Fit, PackRules, Packer};
use crate::mapping::wire_batch;
use crate::semantics::Dialect;
use crate::semantics::topics::Perm;

/// First offset, and the one behind the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// First offset a reader may ask for.
    pub start: i64,
    /// The next offset to be written.
    pub end: i64,
}

/// What a Kafka fetch of one partition gives.
#[derive(Debug)]
pub struct KafkaRead {
    /// Whole record batches, in as many pieces as they come in.
    pub segments: Vec<Bytes>,
    /// Records in them.
    pub messages: u64,
    /// Bytes of all segments.
    pub bytes: i64,
    /// The partition's bounds.
    pub bounds: Bounds,
}

/// What a Kafka client asks an offset for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetAsk {
    /// The next offset to be written.
    Latest,
    /// The first offset.
    Earliest,
    /// The record with the greatest timestamp.
    MaxTimestamp,
    /// The first record at or after this time, ms.
    AtOrAfter(i64),
}

/// Which message of a time is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeBoundary {
    /// The first at or after it.
    Lower,
    /// The last at or before it.
    Upper,
}

/// Why nothing can be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadRefusal {
    /// No such topic or partition.
    #[error("this broker does not have the partition")]
    UnknownPartition,
    /// The topic may not be read.
    #[error("the topic is not readable")]
    NotReadable,
    /// Outside of the partition.
    #[error("offset {offset} is outside of {start} to {end}")]
    OutOfRange {
        /// As asked.
        offset: i64,
        /// First offset.
        start: i64,
        /// Behind the last offset.
        end: i64,
    },
    /// The client's epoch is old.
    #[error("leader epoch {asked} is below the current epoch {current}")]
    FencedEpoch {
        /// As asked.
        asked: i32,
        /// Ours.
        current: i32,
    },
    /// The client's epoch is newer than ours.
    #[error("leader epoch {asked} is above the current epoch {current}")]
    UnknownEpoch {
        /// As asked.
        asked: i32,
        /// Ours.
        current: i32,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] ReadError),
    /// The queue cannot be made.
    #[error(transparent)]
    Queue(#[from] CreateQueueError),
    /// A stored message cannot be turned into what the client reads.
    #[error("the message at offset {offset} cannot be converted: {cause}")]
    Convert {
        /// Of the message.
        offset: i64,
        /// What is wrong with it.
        cause: String,
    },
}

/// Frames a fetch looks at in one go: enough for a megabyte of small messages.
const FETCH_UNITS: usize = 4096;
/// Bytes of a batch that native messages are packed into, before compression.
const PACKED_BATCH_BYTES: usize = 64 << 10;

impl Broker {
    /// Kafka's view of a partition's bounds.
    ///
    /// # Errors
    /// An unknown partition.
    pub fn kafka_bounds(&self, topic: &Topic, index: i32) -> Result<Bounds, ReadRefusal> {
        if !(0..topic.partitions()).contains(&index) {
            return Err(ReadRefusal::UnknownPartition);
        }
        Ok(match self.existing_partition(topic, index) {
            None => Bounds::default(),
            Some(partition) => Bounds { start: partition.log_start(), end: partition.queue.next().0 },
        })
    }

    /// The leader epoch: raised whenever recovery cut the log.
    #[must_use]
    pub fn leader_epoch(&self) -> i32 {
        self.store.leader_epoch()
    }

    /// Compares the epoch that a client believes in; -1 says nothing.
    ///
    /// # Errors
    /// It is not ours.
    pub fn check_leader_epoch(&self, asked: i32) -> Result<(), ReadRefusal> {
        let current = self.leader_epoch();
        match asked {
            ..0 => Ok(()),
            _ if asked < current => Err(ReadRefusal::FencedEpoch { asked, current }),
            _ if asked > current => Err(ReadRefusal::UnknownEpoch { asked, current }),
            _ => Ok(()),
        }
    }

    /// The largest epoch at or below `asked` and the offset behind its last record.
    ///
    /// # Errors
    /// An unknown partition.
    pub fn epoch_end(
        &self,
        topic: &Topic,
        index: i32,
        asked: i32,
    ) -> Result<Option<(i32, i64)>, ReadRefusal> {
        let bounds = self.kafka_bounds(topic, index)?;
        let epochs = self.store.epochs();
        let known = epochs.iter().rposition(|epoch| epoch.epoch <= asked);
        let Some(at) = known.filter(|_| asked <= self.leader_epoch()) else { return Ok(None) };
        let epoch = epochs.get(at).map_or(0, |epoch| epoch.epoch);
        let Some(next) = epochs.get(at + 1) else { return Ok(Some((epoch, bounds.end))) };
        let partition = self.existing_partition(topic, index);
        let end = partition
            .map_or(Ok(QueueOffset(bounds.end)), |p| self.store.offset_at_commit(&p.queue, next.begin));
        Ok(Some((epoch, end?.0)))
    }

    /// Whole batches from the one that contains `offset` on, up to `max_bytes`; the first one whatever its size
    /// when `at_least_one`.
    ///
    /// # Errors
    /// Why nothing can be read.
    pub fn read_kafka(
        &self,
        topic: &Topic,
        index: i32,
        offset: i64,
        max_bytes: i64,
        at_least_one: bool,
    ) -> Result<KafkaRead, ReadRefusal> {
        let read = self.read_batches(topic, index, offset, max_bytes, at_least_one);
        read.inspect_err(|error| self.counters.read_refused(Dialect::Kafka, Reason::from(error)))
    }

    fn read_batches(
        &self,
        topic: &Topic,
        index: i32,
        offset: i64,
        max_bytes: i64,
        at_least_one: bool,
    ) -> Result<KafkaRead, ReadRefusal> {
        let bounds = self.kafka_bounds(topic, index)?;
        if !(topic.permits(Perm::READ) && self.live().permission.has(Perm::READ)) {
            return Err(ReadRefusal::NotReadable);
        }
        let Bounds { start, end } = bounds;
        if !(start..=end).contains(&offset) {
            return Err(ReadRefusal::OutOfRange { offset, start, end });
        }
        let empty = KafkaRead { segments: Vec::new(), messages: 0, bytes: 0, bounds };
        if offset == end || (max_bytes <= 0 && !at_least_one) {
            return Ok(empty);
        }
        let Some(partition) = self.existing_partition(topic, index) else { return Ok(empty) };
        self.read_frames(topic, &partition, offset, max_bytes, at_least_one, empty)
    }

    fn read_frames(
        &self,
        topic: &Topic,
        partition: &Partition,
        offset: i64,
        max_bytes: i64,
        at_least_one: bool,
        mut read: KafkaRead,
    ) -> Result<KafkaRead, ReadRefusal> {
        let limit = usize::try_from(max_bytes).unwrap_or(0);
        let limits = ReadLimits {
            max_units: FETCH_UNITS,
            max_bytes: limit,
            max_scanned: FETCH_UNITS,
            upto: QueueOffset(read.bounds.end),
        };
        let extract = self.store.read(&partition.queue, QueueOffset(offset), &limits, &mut |_| true)?;
        let mut packing = Packing::new(self, topic, QueueOffset(offset), limit);
        for (unit, frame) in extract.frames() {
            let view = FrameView::parse(&frame).map_err(|error| convert(unit.queue_offset, &error))?;
            if view.sys_flag().batch_kind() != BatchKind::KafkaBatch {
                if !packing.push(&view, read.bytes, &mut read.segments)? {
                    break;
                }
                read.messages += 1;
                continue;
            }
            packing.flush(unit.queue_offset, &mut read)?;
            let body = frame.slice(view.body_at()..view.body_at() + view.body().len());
            let fits = read.bytes + i64::try_from(body.len()).unwrap_or(i64::MAX) <= max_bytes;
            if !(fits || (at_least_one && read.bytes == 0)) {
                break;
            }
            read.bytes += i64::try_from(body.len()).unwrap_or(i64::MAX);
            read.messages += count(i64::from(unit.records));
            let (head, rest) = wire_batch::with_base(&body, unit.queue_offset.0, self.leader_epoch())
                .map_err(|error| convert(unit.queue_offset, &error))?;
            read.segments.push(Bytes::copy_from_slice(&head));
            read.segments.push(rest);
        }
        packing.flush(extract.next, &mut read)?;
        Ok(read)
    }

    /// (offset, timestamp) of what is asked; -1 and -1 where there is none.
    ///
    /// # Errors
    /// Why nothing can be read.
    pub fn kafka_offset(&self, topic: &Topic, index: i32, ask: OffsetAsk) -> Result<(i64, i64), ReadRefusal> {
        let bounds = self.kafka_bounds(topic, index)?;
        let partition = self.existing_partition(topic, index);
        match (ask, partition) {
            (OffsetAsk::Latest, _) => Ok((bounds.end, -1)),
            (OffsetAsk::Earliest, _) => Ok((bounds.start, -1)),
            (_, None) => Ok((-1, -1)),
            (OffsetAsk::AtOrAfter(time), Some(partition)) => self.first_at_or_after(&partition, bounds, time),
            (OffsetAsk::MaxTimestamp, Some(partition)) => self.greatest_time(&partition, bounds),
        }
    }

    /// The index knows the greatest time of everything it ever saw: when that record is deleted, it begins anew.
    fn greatest_time(&self, partition: &Partition, bounds: Bounds) -> Result<(i64, i64), ReadRefusal> {
        for _ in 0..2 {
            self.catch_up_times(partition, bounds)?;
            let Some(time) = partition.state().times.max_timestamp() else { break };
            let found = self.first_at_or_after(partition, bounds, time)?;
            if 0 <= found.0 {
                return Ok(found);
            }
            partition.state().times = TimeIndex::default();
        }
        Ok((-1, -1))
    }

    fn first_at_or_after(
        &self,
        partition: &Partition,
        bounds: Bounds,
        time: i64,
    ) -> Result<(i64, i64), ReadRefusal> {
        self.catch_up_times(partition, bounds)?;
        let Some(block) = partition.state().times.block_of(time) else { return Ok((-1, -1)) };
        let mut at = block.0.max(bounds.start);
        while at < bounds.end {
            let (found, next) = self.scan_times(partition, QueueOffset(at), bounds.end, time)?;
            if let Some(found) = found {
                return Ok(found);
            }
            at = next.max(at + 1);
        }
        Ok((-1, -1))
    }

    fn scan_times(
        &self,
        partition: &Partition,
        from: QueueOffset,
        end: i64,
        time: i64,
    ) -> Result<(Option<(i64, i64)>, i64), ReadRefusal> {
        let extract = self.store.read(&partition.queue, from, &scan_limits(end), &mut |_| true)?;
        for (unit, frame) in extract.frames() {
            let view = FrameView::parse(&frame).map_err(|error| convert(unit.queue_offset, &error))?;
            if view.born_timestamp() < time {
                continue;
            }
            let found = wire_batch::first_at_or_after(&view, from.0, time, limits::DECOMPRESSED_SIZE)
                .map_err(|error| convert(unit.queue_offset, &error))?;
            if found.is_some() {
                return Ok((found, extract.next.0));
            }
        }
        Ok((None, extract.next.0))
    }

    /// Takes the frames into the time index that were there before this process, or passed it by.
    fn catch_up_times(&self, partition: &Partition, bounds: Bounds) -> Result<(), ReadRefusal> {
        partition.state().times.trim(partition.queue.min());
        loop {
            let next = partition.state().times.next();
            let from = next.unwrap_or(QueueOffset(bounds.start)).max(partition.queue.min());
            if from.0 >= bounds.end {
                return Ok(());
            }
            let extract = self.store.read(&partition.queue, from, &scan_limits(bounds.end), &mut |_| true)?;
            let mut state = partition.state();
            for (unit, frame) in extract.frames() {
                let view = FrameView::parse(&frame).map_err(|error| convert(unit.queue_offset, &error))?;
                let first = state.times.next().is_none();
                state.times.push(unit.queue_offset, i64::from(unit.records), view.born_timestamp(), first);
            }
            if extract.is_empty() {
                return Ok(());
            }
        }
    }

    /// Bounds of a native queue; zeros for an unknown one.
    #[must_use]
    pub fn queue_bounds(&self, topic: &str, queue: i32) -> Bounds {
        let topic = self.topic(&self.resolve_native(topic));
        topic.and_then(|topic| self.kafka_bounds(&topic, queue).ok()).unwrap_or_default()
    }

    /// The offset of a store time, as stock answers it: by store time, clamped to the queue's bounds.
    ///
    /// # Errors
    /// The store's.
    pub fn search_offset(
        &self,
        topic: &str,
        queue: i32,
        timestamp: i64,
        boundary: TimeBoundary,
    ) -> Result<i64, ReadRefusal> {
        let topic = self.topic(&self.resolve_native(topic));
        let partition = topic.and_then(|topic| self.existing_partition(&topic, queue));
        let Some(partition) = partition else { return Ok(0) };
        let boundary = match boundary {
            TimeBoundary::Lower => gantry_store::Boundary::Lower,
            TimeBoundary::Upper => gantry_store::Boundary::Upper,
        };
        let found = self.store.offset_by_time(&partition.queue, timestamp, boundary)?;
        Ok(found.0.max(partition.log_start()))
    }

    /// Store time of the first message of a queue, ms.
    #[must_use]
    pub fn earliest_store_time(&self, topic: &str, queue: i32) -> Option<i64> {
        let topic = self.topic(&self.resolve_native(topic))?;
        let partition = self.existing_partition(&topic, queue)?;
        self.store_time(&partition, QueueOffset(partition.log_start()))
    }

    /// Whether a queue still begins at 0 and its first message was written recently enough to be in memory.
    pub(super) fn begins_in_memory(&self, topic: &str, queue: i32) -> bool {
        let Some(partition) = self.topic(topic).and_then(|topic| self.existing_partition(&topic, queue))
        else {
            return self.topic(topic).is_some();
        };
        let limits = ReadLimits { max_units: 1, max_bytes: 1, max_scanned: 1, upto: partition.queue.next() };
        let first = self.store.read(&partition.queue, QueueOffset(0), &limits, &mut |_| true);
        let first = first.ok().and_then(|extract| extract.units.first().copied());
        let written = self.store.watermarks().written;
        partition.log_start() == 0
            && first.is_none_or(|unit| written.bytes_since(unit.commit_offset) < limits::IN_MEMORY_BYTES)
    }
}

fn scan_limits(end: i64) -> ReadLimits {
    ReadLimits {
        max_units: FETCH_UNITS,
        max_bytes: 4 << 20,
        max_scanned: FETCH_UNITS,
        upto: QueueOffset(end),
    }
}

fn convert(offset: QueueOffset, cause: &dyn std::fmt::Display) -> ReadRefusal {
    ReadRefusal::Convert { offset: offset.0, cause: cause.to_string() }
}

/// Native frames of a fetch on their way into batches.
struct Packing {
    packer: Option<Packer>,
    rules: PackRules,
    from: QueueOffset,
    out: BytesMut,
}

impl Packing {
    fn new(broker: &Broker, topic: &Topic, from: QueueOffset, max_bytes: usize) -> Self {
        let rules = PackRules {
            leader_epoch: broker.leader_epoch(),
            codec: wire_batch::UNCOMPRESSED,
            headers: NativeHeaders::Basic,
            body_max_bytes: limits::DECOMPRESSED_SIZE,
            batch_max_bytes: PACKED_BATCH_BYTES,
            max_bytes,
            log_append_time: topic.kafka_settings().is_some_and(|settings| settings.is_log_append_time),
        };
        Self { packer: None, rules, from, out: BytesMut::new() }
    }

    /// False when the fetch is full.
    fn push(&mut self, view: &FrameView<'_>, used: i64, _: &mut [Bytes]) -> Result<bool, ReadRefusal> {
        let used = usize::try_from(used).unwrap_or(usize::MAX);
        let rules = PackRules { max_bytes: self.rules.max_bytes.saturating_sub(used), ..self.rules };
        if used > 0 && rules.max_bytes == 0 {
            return Ok(false);
        }
        let packer = self.packer.get_or_insert_with(|| Packer::new(rules));
        let fit = packer.push(view, self.from, &mut self.out);
        Ok(fit.map_err(|error| convert(view.queue_offset(), &error))? == Fit::Packed)
    }

    /// Closes what is packed and adds it to the fetch.
    fn flush(&mut self, at: QueueOffset, read: &mut KafkaRead) -> Result<(), ReadRefusal> {
        let Some(mut packer) = self.packer.take() else { return Ok(()) };
        packer.finish(&mut self.out).map_err(|error| convert(at, &error))?;
        let packed = self.out.split().freeze();
        read.bytes += i64::try_from(packed.len()).unwrap_or(i64::MAX);
        if !packed.is_empty() {
            read.segments.push(packed);
        }
        Ok(())
    }
}
