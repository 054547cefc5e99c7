//! Native sends into the log: checked, staged, appended together, and the readers that wait are told.
//!
//! A [`Submission`] belongs to one connection and is reused; once warm, staging a message allocates nothing
//! but its share of the answer. Features that do not exist yet (delay, timer, transactions) are refused, never
//! stored as ordinary messages. Source: RocketMQ 5.3.3 `AbstractSendMessageProcessor.msgCheck`,
//! `SendMessageProcessor.sendMessage`.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use gantry_store::format::hash::index_key_hash;
use gantry_store::format::properties::{extract, properties};
use gantry_store::format::{CommitOffset, HostAddr, QueueOffset, SysFlag, message_id, sysflag};
use gantry_store::{AppendBatch, AppendError, CreateQueueError, Entry, PushError, TagsCode};

use super::Broker;
use super::counters::{Flow, Reason, count};
use super::durability::Durability;
use super::group_settings::GroupRefusal;
use super::park::QueueKey;
use super::persist::Version;
use super::topic::{Partition, Topic};
use super::unique_ids;
use crate::semantics::topics::Perm;
use crate::semantics::{Dialect, Millis, topic_names};

/// Messages of one connection on their way into the log.
#[derive(Debug, Default)]
pub struct Submission {
    batch: Option<AppendBatch>,
    staged: Vec<StagedItem>,
    scratch: Vec<u8>,
    keys: Vec<i32>,
    sends: u64,
    version: Option<Version>,
}

#[derive(Debug)]
struct StagedItem {
    partition: Arc<Partition>,
    tags_code: i64,
    size: i64,
}

/// What a native client asks to store.
pub struct NativeSend<'a> {
    /// Group of the producer.
    pub producer_group: &'a str,
    /// Topic as the client names it.
    pub topic: &'a str,
    /// Topic whose settings a missing one is created from (`TBW102`).
    pub default_topic: &'a str,
    /// Queues that the client wants of a created topic.
    pub default_topic_queue_nums: i32,
    /// Negative: the broker chooses.
    pub queue_id: i32,
    /// As sent; bits that a client may not set are cleared.
    pub sys_flag: i32,
    /// Milliseconds since 1970.
    pub born_timestamp: i64,
    /// The client's address.
    pub born_host: SocketAddr,
    /// The application's flag (of a single message; items of a batch bring their own).
    pub flag: i32,
    /// Property block of the message, or of the whole batch.
    pub properties: &'a [u8],
    /// Attempts so far.
    pub reconsume_times: i32,
    /// Attempts after which the client wants dead letters; `None`: what the group's settings say.
    pub max_reconsume_times: Option<i32>,
    /// Whether the producer is in unit mode.
    pub unit_mode: bool,
    /// The message or messages.
    pub body: SendBody,
}

/// One message or a client batch.
pub enum SendBody {
    /// The body of one message.
    One(Bytes),
    /// The items of a client batch: all or nothing.
    Batch(Vec<SendItem>),
}

/// One message of a client batch.
pub struct SendItem {
    /// The application's flag.
    pub flag: i32,
    /// The body.
    pub body: Bytes,
    /// The item's own properties.
    pub properties: Bytes,
}

/// Where a staged send stands in its submission.
#[derive(Debug)]
pub struct StagedSend {
    first: usize,
    count: usize,
    queue_id: i32,
    unique_key: Option<Box<str>>,
    /// Whether a client batch is stored as one message.
    one_batch: bool,
}

/// Where a send was stored.
#[derive(Debug)]
pub struct Located {
    /// The queue.
    pub queue_id: i32,
    /// Of the first message.
    pub queue_offset: QueueOffset,
    /// `UNIQ_KEY` of the message or batch.
    pub unique_key: Option<Box<str>>,
    commit_offsets: Vec<CommitOffset>,
    one_batch: bool,
}

impl Located {
    /// The offset message ids, separated by commas.
    #[must_use]
    pub fn message_ids(&self, store_host: HostAddr) -> String {
        let mut ids = String::with_capacity(self.commit_offsets.len() * 33);
        for (at, commit_offset) in self.commit_offsets.iter().enumerate() {
            if at > 0 {
                ids.push(',');
            }
            ids.push_str(&message_id::encode(store_host, *commit_offset));
        }
        ids
    }

    /// The unique key of a client batch that is one message of the log, by which clients tell it from one stored as many.
    #[must_use]
    pub fn batch_unique_key(&self) -> Option<&str> {
        self.unique_key.as_deref().filter(|_| self.one_batch)
    }
}

/// Why a send is refused before anything is stored.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The name breaks the rules.
    #[error("the specified topic[{name}] is illegal: {reason}")]
    TopicName {
        /// The name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Only the broker writes there.
    #[error("sending message to topic[{0}] is forbidden: the broker alone writes there")]
    SystemTopic(String),
    /// The broker takes no writes (`brokerPermission`).
    #[error("the broker's sending message is forbidden (brokerPermission={0})")]
    NoPermission(i32),
    /// No such topic, and it may not be created.
    #[error("topic[{0}] not exist, create it first: mqadmin updateTopic, or set autoCreateTopicEnable=true")]
    NoTopic(String),
    /// The queue id is above what the topic has.
    #[error("queueId[{queue_id}] is illegal, topic {topic} has {queues} queues")]
    QueueId {
        /// The topic.
        topic: String,
        /// As asked.
        queue_id: i32,
        /// How many there are.
        queues: i32,
    },
    /// A single message without a body.
    #[error("the message body is empty")]
    EmptyBody,
    /// The body is larger than allowed.
    #[error("the message body of {size} bytes is above maxMessageSize={limit}")]
    BodySize {
        /// Bytes.
        size: usize,
        /// Most bytes allowed.
        limit: usize,
    },
    /// A batch to a retry topic, or an empty one.
    #[error("a batch cannot be sent: {0}")]
    Batch(&'static str),
    /// A property that only the broker may write.
    #[error("property {0} is reserved for the broker")]
    ReservedProperty(&'static str),
    /// A request that this broker cannot fulfil yet.
    #[error("{0} messages are not served by this broker yet; they are refused rather than delivered at once")]
    NotServed(&'static str),
    /// The topic is being created; RocketMQ must know its kind before it sees a message of it.
    #[error("topic {0} is being created, try again")]
    NotDurable(String),
    /// It is a retry of a group that is not known.
    #[error(transparent)]
    Group(#[from] GroupRefusal),
    /// The frame cannot be written.
    #[error(transparent)]
    Frame(#[from] PushError),
    /// The queue cannot be made.
    #[error(transparent)]
    Queue(#[from] CreateQueueError),
}

impl Submission {
    /// Memory for the unescaped properties of one message; give it back with [`Submission::return_scratch`].
    pub fn take_scratch(&mut self) -> Vec<u8> {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        scratch
    }

    /// Takes the memory back for the next message.
    pub fn return_scratch(&mut self, scratch: Vec<u8>) {
        self.scratch = scratch;
    }

    /// Where a staged send was stored; right after [`Broker::submit`].
    #[must_use]
    pub fn locate(&self, staged: StagedSend) -> Located {
        let placed = self.batch.as_ref().map(AppendBatch::placed).unwrap_or_default();
        let mine = placed.get(staged.first..staged.first + staged.count).unwrap_or_default();
        Located {
            queue_id: staged.queue_id,
            queue_offset: mine.first().map_or(QueueOffset(0), |place| place.queue_offset),
            unique_key: staged.unique_key,
            commit_offsets: mine.iter().map(|place| place.commit_offset).collect(),
            one_batch: staged.one_batch,
        }
    }

    /// Forgets the messages and keeps the memory.
    pub fn clear(&mut self) {
        if let Some(batch) = &mut self.batch {
            batch.clear();
        }
        self.staged.clear();
        self.sends = 0;
        self.version = None;
    }
}

/// sysFlag bits that a native client may set; the rest would forge a frame of another kind.
const CLIENT_BITS: i32 = sysflag::COMPRESSED | sysflag::MULTI_TAGS | sysflag::COMPRESSION_MASK;

impl Broker {
    /// Checks a send and adds it to `submission`; a missing topic is created by the TBW102 rules.
    ///
    /// # Errors
    /// Why it is refused; nothing is staged then.
    pub fn stage(
        &self,
        submission: &mut Submission,
        send: NativeSend<'_>,
        now: Millis,
    ) -> Result<StagedSend, SendError> {
        let staged = self.stage_checked(submission, send, now);
        staged.inspect_err(|error| self.counters.send_refused(Dialect::Native, Reason::from(error)))
    }

    fn stage_checked(
        &self,
        submission: &mut Submission,
        mut send: NativeSend<'_>,
        now: Millis,
    ) -> Result<StagedSend, SendError> {
        if !self.live().permission.has(Perm::WRITE) {
            return Err(SendError::NoPermission(self.live().permission.0));
        }
        self.check_body(&send)?;
        let is_retry = send.topic.starts_with(topic_names::RETRY_PREFIX);
        check_properties(send.properties, is_retry)?;
        let (topic, version) = match self.retry_target(&send, now)? {
            Some(dead_letters) => {
                send.queue_id = -1;
                let version = dead_letters.version;
                (dead_letters, version)
            }
            None => self.topic_for_send(&send, now)?,
        };
        if topic.stores_batches() && !self.is_durable(&topic) {
            return Err(SendError::NotDurable(send.topic.to_owned()));
        }
        submission.version = submission.version.max(Some(version));
        let queue_id = self.pick_queue(&topic, send.queue_id)?;
        let partition = self.partition(&topic, queue_id)?;
        let first = submission.staged.len();
        let sent_key = extract(send.properties, b"").unique_key;
        let is_batch = matches!(send.body, SendBody::Batch(_));
        let made = (sent_key.is_none() && !is_batch).then(|| self.unique_ids.next());
        let staged = match &send.body {
            SendBody::One(body) => self.stage_one(submission, &send, &partition, body, made.as_deref()),
            SendBody::Batch(items) => self.stage_items(submission, &send, &partition, items),
        };
        if let Err(error) = staged {
            submission.truncate(first);
            return Err(error);
        }
        submission.sends += 1;
        let unique_key =
            made.or_else(|| sent_key.and_then(|key| std::str::from_utf8(key).ok()).map(Into::into));
        let one_batch = is_batch && topic.stores_batches();
        Ok(StagedSend { first, count: submission.staged.len() - first, queue_id, unique_key, one_batch })
    }

    /// Appends everything staged and wakes who waits for it. Blocks for the write, not for the flush.
    ///
    /// # Errors
    /// Nothing of the submission is visible then.
    pub fn submit(&self, submission: &mut Submission) -> Result<Durability, AppendError> {
        let Some(batch) = &mut submission.batch else { return Ok(Durability::NONE) };
        if batch.is_empty() {
            return Ok(Durability::NONE);
        }
        let appended = self.store.append(batch).inspect_err(|error| {
            self.counters.send_refused(Dialect::Native, Reason::from(error));
        })?;
        let bytes = submission.staged.iter().map(|item| count(item.size)).sum();
        let messages = submission.staged.len() as u64;
        self.counters.stored(Dialect::Native, Flow { requests: submission.sends, messages, bytes });
        for item in &submission.staged {
            item.partition.stored.add(Flow { requests: 1, messages: 1, bytes: count(item.size) });
            let key = QueueKey(item.partition.queue.ordinal());
            self.parked.arrived(
                key,
                &item.partition.watchers,
                item.size,
                std::iter::once(Some(item.tags_code)),
            );
        }
        let version = submission.version.unwrap_or(Version::NONE);
        Ok(self.promise(appended.end).and(Durability::written(version)))
    }

    /// What an acknowledgement promises under the configured flush mode.
    pub(super) fn promise(&self, end: CommitOffset) -> Durability {
        if self.settings.sync_flush { Durability::flushed(end) } else { Durability::NONE }
    }

    /// Stages a message with exactly these properties, in a queue of the topic.
    pub(super) fn stage_as_is(
        &self,
        submission: &mut Submission,
        send: &NativeSend<'_>,
        topic: &Topic,
    ) -> Result<(), SendError> {
        if topic.stores_batches() && !self.is_durable(topic) {
            return Err(SendError::NotDurable(send.topic.to_owned()));
        }
        submission.version = submission.version.max(Some(topic.version));
        let partition = self.partition(topic, self.pick_queue(topic, send.queue_id)?)?;
        let SendBody::One(body) = &send.body else { return Err(SendError::EmptyBody) };
        submission.sends += 1;
        let keys_of = [send.properties, &[]];
        self.push(submission, &partition, send, send.flag, body, &[send.properties], &keys_of, false)
    }

    fn stage_one(
        &self,
        submission: &mut Submission,
        send: &NativeSend<'_>,
        partition: &Arc<Partition>,
        body: &Bytes,
        made: Option<&str>,
    ) -> Result<(), SendError> {
        let own = separated(send.properties);
        let key = made.map(unique_ids::property).unwrap_or_default();
        let parts = [own.0, own.1, &key, &self.send_properties];
        let keys_of = [send.properties, &key];
        self.push(submission, partition, send, send.flag, body, &parts, &keys_of, false)
    }

    fn stage_items(
        &self,
        submission: &mut Submission,
        send: &NativeSend<'_>,
        partition: &Arc<Partition>,
        items: &[SendItem],
    ) -> Result<(), SendError> {
        if send.topic.starts_with(topic_names::RETRY_PREFIX) {
            return Err(SendError::Batch("a retry topic takes single messages only"));
        }
        if items.is_empty() {
            return Err(SendError::Batch("it holds no message"));
        }
        let shared = separated(send.properties);
        for (at, item) in items.iter().enumerate() {
            check_properties(&item.properties, false)?;
            let own = separated(&item.properties);
            let parts = [own.0, own.1, shared.0, shared.1, &self.send_properties];
            let keys_of = [&*item.properties, send.properties];
            self.push(submission, partition, send, item.flag, &item.body, &parts, &keys_of, at > 0)?;
        }
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one frame, named by their caller")]
    fn push(
        &self,
        submission: &mut Submission,
        partition: &Arc<Partition>,
        send: &NativeSend<'_>,
        flag: i32,
        body: &Bytes,
        parts: &[&[u8]],
        keys_of: &[&[u8]; 2],
        joined: bool,
    ) -> Result<(), SendError> {
        let topic = partition.queue.topic().as_bytes();
        let [first, second] = keys_of.map(|block| extract(block, topic));
        let keys = &mut submission.keys;
        keys.clear();
        let unique = second.unique_key.or(first.unique_key);
        let words = second.keys_value.map_or(first, |_| second);
        if self.settings.index_keys {
            keys.extend(unique.into_iter().chain(words.keys()).map(|key| index_key_hash(topic, key)));
        }
        let tags_code = if second.tags.is_some() { second.tags_code } else { first.tags_code };
        let batch = submission.batch.get_or_insert_with(|| self.store.batch());
        let entry = Entry {
            flag,
            sys_flag: SysFlag(send.sys_flag & CLIENT_BITS),
            born_timestamp: send.born_timestamp,
            born_host: HostAddr::from(send.born_host),
            reconsume_times: send.reconsume_times,
            prepared_transaction_offset: 0,
            body,
            properties: parts,
            records: 1,
            tags_code: TagsCode::Hash(tags_code),
            keys,
            joined,
        };
        batch.push(&partition.queue, &entry)?;
        let size = i64::try_from(body.len()).unwrap_or(i64::MAX);
        submission.staged.push(StagedItem { partition: Arc::clone(partition), tags_code, size });
        Ok(())
    }

    fn check_body(&self, send: &NativeSend<'_>) -> Result<(), SendError> {
        let limit = self.settings.max_message_size;
        let size = match &send.body {
            SendBody::One(body) if body.is_empty() => return Err(SendError::EmptyBody),
            SendBody::One(body) => body.len(),
            SendBody::Batch(items) => items.iter().map(|item| item.body.len()).sum(),
        };
        if size > limit { Err(SendError::BodySize { size, limit }) } else { Ok(()) }
    }

    fn pick_queue(&self, topic: &Topic, asked: i32) -> Result<i32, SendError> {
        let queues = topic.config().queues();
        if asked >= queues {
            let topic = topic.name().to_owned();
            return Err(SendError::QueueId { topic, queue_id: asked, queues });
        }
        Ok(if asked < 0 { topic.next_write_queue() } else { asked })
    }
}

impl Submission {
    fn truncate(&mut self, to: usize) {
        self.staged.truncate(to);
        if let Some(batch) = &mut self.batch {
            batch.truncate(to);
        }
    }
}

/// The block and what separates it from the next one: old clients leave the last separator out.
fn separated(block: &[u8]) -> (&[u8], &[u8]) {
    const SEPARATOR: u8 = 2;
    match block.last() {
        None | Some(&SEPARATOR) => (block, &[]),
        Some(_) => (block, &[SEPARATOR]),
    }
}

/// Properties that only the broker may write, and those whose feature does not exist yet. A delay in front of a retry
/// is passed over: refused, the message could not be tried again at all.
fn check_properties(block: &[u8], is_retry: bool) -> Result<(), SendError> {
    for property in properties(block) {
        match property.name {
            b"INNER_NUM" => return Err(SendError::ReservedProperty("INNER_NUM")),
            b"INNER_BASE" => return Err(SendError::ReservedProperty("INNER_BASE")),
            b"__KP" => return Err(SendError::ReservedProperty("__KP")),
            b"__KC" => return Err(SendError::ReservedProperty("__KC")),
            b"DELAY" if property.value != b"0" && !is_retry => return Err(SendError::NotServed("delayed")),
            b"TIMER_DELAY_SEC" | b"TIMER_DELAY_MS" | b"TIMER_DELIVER_MS" | b"TIMER_DEL_UNIQKEY" => {
                return Err(SendError::NotServed("timer"));
            }
            b"TRAN_MSG" if property.value.eq_ignore_ascii_case(b"true") => {
                return Err(SendError::NotServed("transactional"));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_without_its_last_separator_gets_one() {
        assert_eq!(separated(b"a\x01b\x02"), (&b"a\x01b\x02"[..], &b""[..]));
        assert_eq!(separated(b"a\x01b"), (&b"a\x01b"[..], &b"\x02"[..]));
        assert_eq!(separated(b""), (&b""[..], &b""[..]));
    }

    #[test]
    fn refuses_what_it_could_only_pretend_to_do() {
        for (block, served) in [
            (&b"DELAY\x013\x02"[..], false),
            (b"DELAY\x010\x02", true),
            (b"TIMER_DELIVER_MS\x0117\x02", false),
            (b"TRAN_MSG\x01true\x02", false),
            (b"TRAN_MSG\x01false\x02", true),
            (b"INNER_NUM\x01007\x02", false),
            (b"__KP\x01x\x02", false),
            (b"KEYS\x01k\x02TAGS\x01t\x02", true),
        ] {
            assert_eq!(check_properties(block, false).is_ok(), served, "{block:?}");
        }
    }
}
