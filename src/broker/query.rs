//! Looking messages up: by commit offset (or record address), by key, by unique key.

use std::ops::ControlFlow;

use bytes::Bytes;
use gantry_store::format::{BatchKind, CommitOffset, FrameView, QueueOffset};
use gantry_store::{ReadError, ReadLimits};

use super::Broker;
use super::read::{Bounds, ReadRefusal};
use super::topic::Partition;
use crate::limits;
use crate::mapping::address::{RecordAddress, RecordKey};
use crate::mapping::native_view;
use crate::mapping::unwrap::{Delivered, DeliveryScratch};

/// A question by key.
#[derive(Clone, Copy, Debug)]
pub struct KeyQuery<'a> {
    /// Topic as the client names it.
    pub topic: &'a str,
    /// The key, or the unique key.
    pub key: &'a str,
    /// Messages at most.
    pub max: usize,
    /// Store time from, ms.
    pub begin: i64,
    /// Store time to, ms.
    pub end: i64,
    /// Whether `key` is a client message id.
    pub unique_key: bool,
}

/// What a question by key found.
#[derive(Debug, Default)]
pub struct KeyAnswer {
    /// Stored frames; the client compares the keys again, hashes may collide.
    pub frames: Vec<Bytes>,
    /// Store time of the newest message found, ms.
    pub index_timestamp: i64,
    /// Its commit offset.
    pub index_commit_offset: i64,
}

/// One unit of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueUnit {
    /// Queue offset of its first message.
    pub offset: i64,
    /// How many messages the frame holds.
    pub messages: i16,
    /// Where the frame stands.
    pub commit_offset: i64,
    /// Bytes of the frame.
    pub size: u32,
    /// Hash of the tag.
    pub tags_code: i64,
}

impl Broker {
    /// Units of a queue from an offset on, at most `max` of them; `None` when nothing was ever stored in it.
    ///
    /// # Errors
    /// The store's.
    pub fn queue_units(
        &self,
        topic: &str,
        queue: i32,
        from: i64,
        max: usize,
    ) -> Result<Option<(Bounds, Vec<QueueUnit>)>, ReadRefusal> {
        let topic = self.native_topic(topic);
        let partition = topic.and_then(|topic| self.existing_partition(&topic, queue));
        let Some(partition) = partition else { return Ok(None) };
        let bounds = Bounds { start: partition.log_start(), end: partition.queue.next().0 };
        let max = max.min(limits::QUEUE_UNITS);
        let mut units = Vec::new();
        if max > 0 {
            let from = QueueOffset(from.max(bounds.start));
            self.store.visit_units(&partition.queue, from, &mut |unit| {
                units.push(QueueUnit {
                    offset: unit.queue_offset.0,
                    messages: unit.records,
                    commit_offset: unit.commit_offset.0,
                    size: unit.size,
                    tags_code: unit.tags_code,
                });
                if units.len() < max { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })?;
        }
        Ok(Some((bounds, units)))
    }

    /// The frame at a commit offset, or the single record at a record address; `None` where there is none.
    ///
    /// # Errors
    /// The store's, damage among them.
    pub fn view_message(&self, offset: i64) -> Result<Option<Bytes>, ReadRefusal> {
        if let Some(address) = RecordAddress::from_commit_offset(offset) {
            return self.view_record(address);
        }
        match self.store.frame_at(CommitOffset(offset)) {
            Ok(frame) => Ok((!self.is_deleted(&frame)).then(|| native_view::shown(frame))),
            Err(ReadError::NoFrame { .. } | ReadError::OutOfRange { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether the message stands below the beginning of its queue.
    fn is_deleted(&self, frame: &Bytes) -> bool {
        let Ok(view) = FrameView::parse(frame) else { return false };
        let topic = view.topic().ok().and_then(|topic| self.topic(topic));
        let partition = topic.and_then(|topic| self.existing_partition(&topic, view.queue_id()));
        let offset = view.queue_offset().0;
        view.sys_flag().batch_kind() == BatchKind::Native
            && partition.is_some_and(|partition| offset < partition.log_start())
    }

    fn view_record(&self, address: RecordAddress) -> Result<Option<Bytes>, ReadRefusal> {
        let ordinal = address.queue().value();
        let queue = self.store.queues().into_iter().find(|queue| queue.ordinal() == ordinal);
        let Some(queue) = queue else { return Ok(None) };
        let partition =
            self.topic(queue.topic()).and_then(|topic| self.existing_partition(&topic, queue.id()));
        partition.map_or(Ok(None), |partition| self.record_at(&partition, address.offset()))
    }

    /// One record of a partition in stored form, whichever way it is stored.
    fn record_at(&self, partition: &Partition, at: QueueOffset) -> Result<Option<Bytes>, ReadRefusal> {
        if at.0 < partition.log_start() || at >= partition.queue.next() {
            return Ok(None);
        }
        let limits = ReadLimits { max_units: 1, max_bytes: 1, max_scanned: 1, upto: partition.queue.next() };
        let extract = self.store.read(&partition.queue, at, &limits, &mut |_| true)?;
        let Some((_, frame)) = extract.frames().next() else { return Ok(None) };
        let convert = |cause: String| ReadRefusal::Convert { offset: at.0, cause };
        let view = FrameView::parse(&frame).map_err(|error| convert(error.to_string()))?;
        if view.sys_flag().batch_kind() == BatchKind::Native {
            return Ok(Some(native_view::shown(frame)));
        }
        let batch = self.decoded(&view).map_err(convert)?;
        let name = partition.queue.topic().to_owned();
        let Some(delivery) = self.delivery(&name, partition) else { return Ok(None) };
        let mut out = Vec::new();
        let index = batch.index_at(at);
        let delivered = batch.native_frame(index, &delivery, &mut DeliveryScratch::default(), &mut out);
        match delivered.map_err(|error| convert(error.to_string()))? {
            Delivered::Frame { .. } => Ok(Some(Bytes::from(out))),
            Delivered::Control => Ok(None),
        }
    }

    /// Messages by key, newest first. A computed key of a Kafka record is resolved without an index; no other
    /// key is found when keys are not indexed.
    ///
    /// # Errors
    /// The store's.
    pub fn query_messages(&self, query: &KeyQuery<'_>) -> Result<KeyAnswer, ReadRefusal> {
        let stored = self.resolve_native(query.topic);
        let mut answer = KeyAnswer::default();
        if let Some(frame) = self.record_by_key(&stored, query.key)? {
            answer.frames.push(frame);
            return Ok(answer);
        }
        if !self.settings.index_keys {
            return Ok(answer);
        }
        let max = query.max.min(self.live().max_query_messages);
        let found = self.store.query(&stored, query.key, max, query.begin, query.end)?;
        for at in found {
            match self.store.frame_at(at) {
                Ok(frame) if self.is_deleted(&frame) => {}
                Ok(frame) => self.push_matching(&stored, query.key, frame, &mut answer)?,
                // Deleted since it was indexed.
                Err(ReadError::NoFrame { .. } | ReadError::OutOfRange { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(answer)
    }

    /// A native frame as it is; of a batch frame the records that carry the key.
    fn push_matching(
        &self,
        stored: &str,
        key: &str,
        frame: Bytes,
        answer: &mut KeyAnswer,
    ) -> Result<(), ReadRefusal> {
        let Ok(view) = FrameView::parse(&frame) else { return Ok(()) };
        let KeyAnswer { frames: into, index_timestamp, index_commit_offset } = answer;
        *index_timestamp = view.store_timestamp().max(*index_timestamp);
        *index_commit_offset = view.commit_offset().0.max(*index_commit_offset);
        if view.sys_flag().batch_kind() == BatchKind::Native {
            into.push(native_view::shown(frame.clone()));
            return Ok(());
        }
        let partition = self.topic(stored).and_then(|topic| self.existing_partition(&topic, view.queue_id()));
        let Some(partition) = partition else { return Ok(()) };
        let convert = |cause: String| ReadRefusal::Convert { offset: view.queue_offset().0, cause };
        let batch = self.decoded(&view).map_err(convert)?;
        let Some(delivery) = self.delivery(stored, &partition) else { return Ok(()) };
        let mut scratch = DeliveryScratch::default();
        let start = partition.log_start();
        let readable = |index: &usize| batch.offset_of(*index).is_none_or(|offset| start <= offset.0);
        for index in (0..batch.len()).filter(readable) {
            let mut out = Vec::new();
            let written = batch.native_frame(index, &delivery, &mut scratch, &mut out);
            if written.is_ok_and(|written| written != Delivered::Control) && carries(&out, key) {
                into.push(Bytes::from(out));
            }
        }
        Ok(())
    }

    fn record_by_key(&self, stored: &str, key: &str) -> Result<Option<Bytes>, ReadRefusal> {
        let Some(parsed) = RecordKey::parse(key) else { return Ok(None) };
        if !parsed.belongs_to(&self.identity.broker, stored) {
            return Ok(None);
        }
        let topic = self.topic(stored);
        let partition = topic.and_then(|topic| self.existing_partition(&topic, i32::from(parsed.queue_id)));
        partition.map_or(Ok(None), |partition| self.record_at(&partition, parsed.offset))
    }
}

fn carries(frame: &[u8], key: &str) -> bool {
    let Ok(view) = FrameView::parse(frame) else { return false };
    let found = gantry_store::format::properties::extract(view.properties(), view.topic_bytes());
    found.index_keys().any(|one| one == key.as_bytes())
}
