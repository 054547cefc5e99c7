//! Native pulls: checked, filtered by tag, answered with frames as they are stored, or with the records of Kafka
//! batches one by one.
//!
//! Source: RocketMQ 5.3.3 `PullMessageProcessor`, `DefaultMessageStore.getMessage`; bridge rules 1.5, G4.

use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use gantry_store::format::{BatchKind, FrameView, QueueOffset};
use gantry_store::{Extract, ReadError, ReadLimits, ReadStatus, Unit};
use tracing::error;

use super::Broker;
use super::counters::{Flow, Reason};
use super::group_settings::GroupRefusal;
use super::mailbox::ConnectionId;
use super::statistics::FlowCells;
use super::topic::{Partition, Topic};
use crate::filter::tag::{TagFilter, TagFilterError};
use crate::limits;
use crate::mapping::address::QueueOrdinal;
use crate::mapping::native_view;
use crate::mapping::tag_bloom::{self, TagBloom};
use crate::mapping::unwrap::{DecodedBatch, Delivered, Delivery, DeliveryScratch, RecordFrameError};
use crate::semantics::groups::HeldBy;
use crate::semantics::topics::Perm;
use crate::semantics::{Dialect, Millis};

/// What a native client asks for.
#[derive(Clone, Copy, Debug)]
pub struct PullAsk<'a> {
    /// The consumer group.
    pub group: &'a str,
    /// Topic as the client names it.
    pub topic: &'a str,
    /// Queue id.
    pub queue_id: i32,
    /// Queue offset of the first message wanted.
    pub offset: i64,
    /// Messages at most.
    pub max_messages: i32,
    /// Version of the client's subscription.
    pub sub_version: i64,
    /// The filter that came with the request; `None`: the one of the group's heartbeat.
    pub expression: Option<Expression<'a>>,
    /// The connection that asks.
    pub client: ConnectionId,
}

/// A filter as the client writes it.
#[derive(Clone, Copy, Debug)]
pub struct Expression<'a> {
    /// Its text.
    pub text: &'a str,
    /// `TAG` or `SQL92`; empty means `TAG`.
    pub kind: &'a str,
}

/// A pull that passed its checks: may be tried now and again later.
#[derive(Debug)]
pub struct Pull {
    /// The topic.
    pub topic: Arc<Topic>,
    /// Queue id.
    pub queue_id: i32,
    /// Where to begin.
    pub offset: i64,
    /// The tags wanted.
    pub filter: TagFilter,
    name: Box<str>,
    group: Box<str>,
    max_messages: usize,
    reader: Option<Arc<FlowCells>>,
}

/// What a pull found.
#[derive(Debug)]
pub struct Pulled {
    /// How it ended.
    pub status: PullStatus,
    /// Where to pull next.
    pub next: i64,
    /// First offset of the queue.
    pub min: i64,
    /// Behind its last offset.
    pub max: i64,
    /// Frames in stored form, in as many pieces as they come in.
    pub frames: Vec<Bytes>,
    /// Why storage failed.
    pub error: Option<String>,
}

/// How a pull ended, in RocketMQ's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PullStatus {
    /// At least one message.
    Found,
    /// Messages were there, none matched.
    NoMatchedMessage,
    /// The messages were deleted meanwhile.
    MessageWasRemoving,
    /// There is no such queue.
    NoMatchedLogicQueue,
    /// Nothing was ever stored in it.
    NoMessageInQueue,
    /// The offset's unit is not readable.
    OffsetFoundNull,
    /// The offset is the next one.
    OffsetOverflowOne,
    /// The offset is far beyond the end.
    OffsetOverflowBadly,
    /// The offset is below the first.
    OffsetTooSmall,
    /// An administrator moved the group's offset.
    OffsetReset,
    /// The disk failed, or damaged messages stand there.
    StorageError,
}

impl PullStatus {
    /// RocketMQ's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Found => "FOUND",
            Self::NoMatchedMessage => "NO_MATCHED_MESSAGE",
            Self::MessageWasRemoving => "MESSAGE_WAS_REMOVING",
            Self::NoMatchedLogicQueue => "NO_MATCHED_LOGIC_QUEUE",
            Self::NoMessageInQueue => "NO_MESSAGE_IN_QUEUE",
            Self::OffsetFoundNull => "OFFSET_FOUND_NULL",
            Self::OffsetOverflowOne => "OFFSET_OVERFLOW_ONE",
            Self::OffsetOverflowBadly => "OFFSET_OVERFLOW_BADLY",
            Self::OffsetTooSmall => "OFFSET_TOO_SMALL",
            Self::OffsetReset => "OFFSET_RESET",
            Self::StorageError => "STORAGE_ERROR",
        }
    }

    /// Whether a later message would help, so that a long poll may wait.
    #[must_use]
    pub fn may_wait(self) -> bool {
        matches!(self, Self::OffsetOverflowOne | Self::NoMessageInQueue | Self::NoMatchedLogicQueue)
    }
}

/// Why a pull is refused.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// No such topic.
    #[error("topic[{0}] not exist, apply first please: send to it, or mqadmin updateTopic")]
    NoTopic(String),
    /// The topic may not be read.
    #[error("the topic[{0}] pulling message is forbidden: its perm lacks READ")]
    NotReadable(String),
    /// The queue id is out of range.
    #[error("queueId[{queue_id}] is illegal, topic:[{topic}] readQueueNums:[{queues}]")]
    QueueId {
        /// The topic.
        topic: String,
        /// As asked.
        queue_id: i32,
        /// How many queues are read.
        queues: i32,
    },
    /// The broker gives no messages (`brokerPermission`).
    #[error("the broker's pulling message is forbidden (brokerPermission={0})")]
    NoPermission(i32),
    /// The filter cannot be read.
    #[error("parse the consumer's subscription failed: {0}")]
    Subscription(#[from] TagFilterError),
    /// A kind of filter that does not exist here.
    #[error("the broker does not support consumers to filter messages by {0}; use tags")]
    FilterKind(String),
    /// The group is not known, and the request brought no filter.
    #[error("the consumer's group[{0}] is not here, wait for its heartbeat")]
    NoSubscription(String),
    /// The group's subscription is older than the request's.
    #[error("the consumer's subscription not latest")]
    OldSubscription,
    /// The group's settings.
    #[error(transparent)]
    Group(#[from] GroupRefusal),
    /// Kafka clients hold the group.
    #[error("group {group}: {held}")]
    Held {
        /// The group.
        group: String,
        /// Who holds it.
        held: HeldBy,
    },
}

/// Units looked at before a pull in which nothing matches is answered.
const SCAN_UNITS: usize = 800;

impl Broker {
    /// Checks a pull and prepares it.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn plan_pull(&self, ask: &PullAsk<'_>) -> Result<Pull, PullError> {
        let planned = self.check_pull(ask);
        planned.inspect_err(|error| self.counters.read_refused(Dialect::Native, Reason::from(error)))
    }

    fn check_pull(&self, ask: &PullAsk<'_>) -> Result<Pull, PullError> {
        if !self.live().permission.has(Perm::READ) {
            return Err(PullError::NoPermission(self.live().permission.0));
        }
        let stored = self.resolve_native(ask.topic);
        self.native_may_consume(ask.group)
            .map_err(|held| PullError::Held { group: ask.group.to_owned(), held })?;
        self.check_group(ask.group, &stored, self.now())?;
        let topic = self.topic(&stored).ok_or_else(|| PullError::NoTopic(ask.topic.to_owned()))?;
        if !topic.permits(Perm::READ) {
            return Err(PullError::NotReadable(ask.topic.to_owned()));
        }
        let queues = topic.config().read_queues;
        if !(0..queues).contains(&ask.queue_id) {
            return Err(PullError::QueueId { topic: ask.topic.to_owned(), queue_id: ask.queue_id, queues });
        }
        let filter = match ask.expression {
            Some(expression) => parse_filter(expression.text, expression.kind)?,
            None => self.subscribed_filter(ask, &stored)?,
        };
        Ok(Pull {
            reader: topic.readers().of(ask.group),
            topic,
            queue_id: ask.queue_id,
            offset: ask.offset,
            filter,
            name: ask.topic.into(),
            group: ask.group.into(),
            max_messages: usize::try_from(ask.max_messages)
                .unwrap_or(0)
                .clamp(1, self.live().pulls.max_messages),
        })
    }

    fn subscribed_filter(&self, ask: &PullAsk<'_>, stored: &str) -> Result<TagFilter, PullError> {
        self.check_broadcast(ask.group)?;
        let missing = || PullError::NoSubscription(ask.group.to_owned());
        let found =
            self.subscription_of(ask.group, ask.topic).or_else(|| self.subscription_of(ask.group, stored));
        let (expression, kind, version) = found.ok_or_else(missing)?;
        if version < ask.sub_version {
            return Err(PullError::OldSubscription);
        }
        parse_filter(&expression, &kind)
    }

    /// Commits the offset that came with a pull; a failure is logged, the pull goes on.
    pub fn commit_with_pull(&self, ask: &PullAsk<'_>, offset: i64, now: Millis) {
        if let Err(error) = self.commit_offset(ask.group, ask.topic, ask.queue_id, offset, now) {
            error!(%error, group = ask.group, topic = ask.topic, "an offset that came with a pull is not committed");
        }
    }

    /// How long a pull may be held when its client allows `asked_ms`; 0: not at all.
    #[must_use]
    pub fn pull_hold_ms(&self, asked_ms: i64) -> i64 {
        let pulls = self.live().pulls;
        let hold_ms = if pulls.long_polling || asked_ms == 0 { asked_ms } else { pulls.short_polling_ms };
        hold_ms.min(limits::PULL_HOLD_MS)
    }

    /// Tries a pull. Blocks for the disk where messages are not in memory.
    #[must_use]
    pub fn pull(&self, pull: &Pull) -> Pulled {
        let (pulled, messages) = self.try_pull(pull);
        if pulled.status == PullStatus::Found {
            let bytes = pulled.frames.iter().map(|piece| piece.len() as u64).sum();
            let flow = Flow { requests: 1, messages: messages as u64, bytes };
            self.counters.read(Dialect::Native, flow);
            if let Some(reader) = &pull.reader {
                reader.add(flow);
            }
        } else {
            self.counters.missed(Dialect::Native);
        }
        pulled
    }

    /// What was found, and how many messages that is.
    fn try_pull(&self, pull: &Pull) -> (Pulled, usize) {
        let Some(partition) = self.existing_partition(&pull.topic, pull.queue_id) else {
            let status = PullStatus::NoMatchedLogicQueue;
            return (Pulled { status, next: 0, min: 0, max: 0, frames: Vec::new(), error: None }, 0);
        };
        if let Some(next) = self.take_reset(&pull.group, pull.topic.name(), pull.queue_id) {
            let (min, max) = (partition.queue.min().0, partition.queue.next().0);
            let status = PullStatus::OffsetReset;
            return (Pulled { status, next, min, max, frames: Vec::new(), error: None }, 0);
        }
        let (start, max) = (partition.log_start(), partition.queue.next().0);
        if pull.offset < start {
            let status = PullStatus::OffsetTooSmall;
            return (Pulled { status, next: start, min: start, max, frames: Vec::new(), error: None }, 0);
        }
        let (mut pulled, messages) = self.pull_from(pull, &partition);
        pulled.min = start;
        (pulled, messages)
    }

    fn pull_from(&self, pull: &Pull, partition: &Partition) -> (Pulled, usize) {
        let limits = ReadLimits {
            max_units: pull.max_messages,
            max_bytes: self.live().pulls.max_bytes,
            max_scanned: SCAN_UNITS,
            upto: partition.queue.next(),
        };
        // A batch whose records differ in their tags has no code of its own.
        let batches = pull.topic.stores_batches();
        let mut accept = |unit: &Unit| batches || pull.filter.matches_code(unit.tags_code);
        match self.store.read(&partition.queue, QueueOffset(pull.offset), &limits, &mut accept) {
            Ok(extract) if batches => self.deliver(pull, partition, &extract),
            Ok(extract) => (unmarked(&extract), extract.units.len()),
            Err(error) => {
                self.counters.read_refused(Dialect::Native, Reason::Storage);
                (failed(pull, partition, &error), 0)
            }
        }
    }

    /// Turns what was read of a mode B topic into native frames, one a record.
    fn deliver(&self, pull: &Pull, partition: &Partition, extract: &Extract) -> (Pulled, usize) {
        let mut pulled = whole(extract);
        if pulled.status != PullStatus::Found {
            return (pulled, 0);
        }
        pulled.frames.clear();
        let mut answer = Answer { out: Vec::new(), messages: 0, next: QueueOffset(pull.offset) };
        for (unit, frame) in extract.frames() {
            if answer.messages >= pull.max_messages || answer.out.len() >= self.live().pulls.max_bytes {
                break;
            }
            if let Err(cause) = self.deliver_frame(pull, partition, unit, &frame, &mut answer) {
                error!(
                    topic = pull.topic.name(),
                    offset = unit.queue_offset.0,
                    error = cause,
                    "a batch cannot be shown"
                );
                if answer.messages == 0 {
                    pulled.status = PullStatus::StorageError;
                    pulled.error = Some(cause);
                    self.counters.read_refused(Dialect::Native, Reason::Storage);
                    return (pulled, 0);
                }
                break;
            }
        }
        pulled.next = answer.next.0;
        if answer.messages == 0 {
            pulled.status = PullStatus::NoMatchedMessage;
        } else {
            pulled.frames.push(Bytes::from(answer.out));
        }
        (pulled, answer.messages)
    }

    fn deliver_frame(
        &self,
        pull: &Pull,
        partition: &Partition,
        unit: &Unit,
        frame: &Bytes,
        answer: &mut Answer,
    ) -> Result<(), String> {
        let view = FrameView::parse(frame).map_err(|error| error.to_string())?;
        if view.sys_flag().batch_kind() == BatchKind::Native {
            if pull.filter.matches_code(unit.tags_code) {
                answer.out.extend_from_slice(&native_view::shown(frame.clone()));
                answer.messages += 1;
            }
            answer.next = unit.next_offset();
            return Ok(());
        }
        if !bloom_of(&view).may_match(pull.filter.codes()) && !pull.filter.wants_all() {
            answer.next = unit.next_offset();
            return Ok(());
        }
        let batch = self.decoded(&view)?;
        let (start, mut scratch) = (batch.index_at(answer.next), DeliveryScratch::default());
        for index in start..batch.len() {
            if answer.messages >= pull.max_messages || answer.out.len() >= self.live().pulls.max_bytes {
                return Ok(());
            }
            let at = batch.offset_of(index).unwrap_or(answer.next);
            if pull.filter.matches_tag(batch.tag_of(index)) {
                answer.messages += usize::from(self.deliver_record(
                    pull,
                    partition,
                    &batch,
                    index,
                    &mut scratch,
                    &mut answer.out,
                )?);
            }
            answer.next = at.plus(1);
        }
        answer.next = unit.next_offset();
        Ok(())
    }

    /// Whether a frame was written; records that no answer can hold are passed by, and said so.
    fn deliver_record(
        &self,
        pull: &Pull,
        partition: &Partition,
        batch: &DecodedBatch,
        index: usize,
        scratch: &mut DeliveryScratch,
        out: &mut Vec<u8>,
    ) -> Result<bool, String> {
        let delivery = self.delivery(&pull.name, partition).ok_or("the queue has no record addresses")?;
        match batch.native_frame(index, &delivery, scratch, out) {
            Ok(Delivered::Frame { .. }) => Ok(true),
            Ok(Delivered::Control) => Ok(false),
            Err(RecordFrameError::TooLarge { len, max }) => {
                let topic = pull.topic.name();
                error!(
                    topic,
                    index, len, max, "a record is larger than a remoting frame; native readers pass it by"
                );
                Ok(false)
            }
            Err(error) => Err(error.to_string()),
        }
    }

    /// Where single records of a batch are handed to.
    pub(super) fn delivery<'d>(&'d self, name: &'d str, partition: &'d Partition) -> Option<Delivery<'d>> {
        Some(Delivery {
            topic: name,
            stored_topic: partition.queue.topic(),
            broker: &self.identity.broker,
            queue_id: u16::try_from(partition.queue.id()).ok()?,
            ordinal: QueueOrdinal::new(partition.queue.ordinal())?,
            frame_max: u32::try_from(limits::REMOTING_FRAME_SIZE - (64 << 10)).unwrap_or(u32::MAX),
        })
    }

    /// The records of a batch frame, decoded once while it is being read.
    pub(super) fn decoded(&self, view: &FrameView<'_>) -> Result<Arc<DecodedBatch>, String> {
        let at = view.commit_offset();
        let cache = || self.decoded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = cache().find(at) {
            return Ok(found);
        }
        let batch =
            DecodedBatch::decode(view, limits::DECOMPRESSED_SIZE).map_err(|error| error.to_string())?;
        let batch = Arc::new(batch);
        cache().insert(at, Arc::clone(&batch));
        Ok(batch)
    }
}

struct Answer {
    out: Vec<u8>,
    messages: usize,
    next: QueueOffset,
}

fn parse_filter(text: &str, kind: &str) -> Result<TagFilter, PullError> {
    if !(kind.is_empty() || kind.eq_ignore_ascii_case("TAG")) {
        return Err(PullError::FilterKind(kind.to_owned()));
    }
    Ok(TagFilter::parse(text, |tag| gantry_store::format::hash::tags_code(tag.as_bytes()))?)
}

fn bloom_of(view: &FrameView<'_>) -> TagBloom {
    let found = gantry_store::format::properties::find(view.properties(), tag_bloom::PROPERTY);
    found.map_or(TagBloom::UNKNOWN, TagBloom::parse)
}

fn whole(extract: &Extract) -> Pulled {
    let status = match extract.status {
        ReadStatus::Found => PullStatus::Found,
        ReadStatus::NoMatched => PullStatus::NoMatchedMessage,
        ReadStatus::NoMessage => PullStatus::NoMessageInQueue,
        ReadStatus::TooSmall => PullStatus::OffsetTooSmall,
        ReadStatus::OverflowOne => PullStatus::OffsetOverflowOne,
        ReadStatus::OverflowBadly => PullStatus::OffsetOverflowBadly,
        ReadStatus::Removing => PullStatus::MessageWasRemoving,
    };
    Pulled {
        status,
        next: extract.next.0,
        min: extract.min.0,
        max: extract.max.0,
        frames: extract.extents.iter().map(|extent| extent.bytes.clone()).collect(),
        error: None,
    }
}

/// What was read of a mode S topic: as it is, unless Kafka batches were exploded into it.
fn unmarked(extract: &Extract) -> Pulled {
    let mut pulled = whole(extract);
    let marked = |bytes: &Bytes| FrameView::parse(bytes).is_ok_and(|view| native_view::is_marked(&view));
    if !extract.frames().any(|(_, frame)| marked(&frame)) {
        return pulled;
    }
    pulled.frames = extract.frames().map(|(_, frame)| native_view::shown(frame)).collect();
    pulled
}

fn failed(pull: &Pull, partition: &Partition, error: &ReadError) -> Pulled {
    error!(topic = pull.topic.name(), queue = pull.queue_id, offset = pull.offset, %error, "a pull cannot be answered");
    Pulled {
        status: PullStatus::StorageError,
        next: pull.offset,
        min: partition.queue.min().0,
        max: partition.queue.next().0,
        frames: Vec::new(),
        error: Some(error.to_string()),
    }
}
