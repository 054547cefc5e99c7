//! Messages that a consumer could not handle: back into the group's retry topic, or to its dead letters.
//!
//! A copy is stored, with one more attempt counted and the origin in its properties; a single record of a Kafka batch
//! becomes a message of its own. There are no delays yet, so the copy is delivered at once.
//! Not here: messages that the client itself sends to the retry topic, beyond saying where those go.
//! Source: RocketMQ 5.3.3 `AbstractSendMessageProcessor.consumerSendMsgBack`, `SendMessageProcessor.handleRetryAndDLQ`.

use std::sync::Arc;

use bytes::Bytes;
use gantry_store::AppendError;
use gantry_store::format::properties::{PropertiesWriter, PropertyError, find, properties};
use gantry_store::format::{BatchKind, FrameView, message_id, names};

use super::append::{NativeSend, SendBody, SendError, Submission};
use super::group_settings::GroupRefusal;
use super::read::ReadRefusal;
use super::topic::Topic;
use super::{Broker, Durability};
use crate::semantics::Millis;
use crate::semantics::topic_names::{self, RETRY_PREFIX};
use crate::semantics::topics::Perm;

/// What a consumer gives back.
#[derive(Clone, Copy, Debug)]
pub struct SendBack<'a> {
    /// The consumer's group.
    pub group: &'a str,
    /// Commit offset, or record address, of the message.
    pub offset: i64,
    /// Negative: to the dead letters at once.
    pub delay_level: i32,
    /// Attempts after which the client wants dead letters; `None`: what the group's settings say.
    pub max_attempts: Option<i32>,
}

/// Why a message is not taken back; the client keeps it then.
#[derive(Debug, thiserror::Error)]
pub enum SendBackError {
    /// The group's settings.
    #[error(transparent)]
    Group(#[from] GroupRefusal),
    /// The broker takes no writes (`brokerPermission`).
    #[error("the broker's sending message is forbidden (brokerPermission={0})")]
    NoPermission(i32),
    /// The retry or dead-letter topic takes no writes.
    #[error("the topic[{0}] sending message is forbidden: its perm lacks WRITE")]
    NotWritable(String),
    /// The retry or dead-letter topic cannot be made.
    #[error("topic[{0}] not exist and cannot be made: its name is no topic's")]
    NoTopic(String),
    /// No message stands there.
    #[error("look message by offset failed, {0}")]
    NoMessage(i64),
    /// The message cannot be read.
    #[error(transparent)]
    Read(#[from] ReadRefusal),
    /// With its origin, the properties are larger than a frame takes.
    #[error("the message's properties leave no room for its origin: {0}")]
    Properties(#[from] PropertyError),
    /// The copy cannot be staged.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The copy cannot be written.
    #[error(transparent)]
    Append(#[from] AppendError),
}

/// Properties that a copy does not take over: it waits for nothing and belongs to no batch.
const LEFT_BEHIND: [&str; 9] = [
    names::WAIT,
    names::DELAY,
    names::TIMER_DELAY_SEC,
    names::TIMER_DELAY_MS,
    names::TIMER_DELIVER_MS,
    names::INNER_NUM,
    names::INNER_BASE,
    names::KAFKA_PRODUCER,
    names::KAFKA_CONTROL,
];

impl Broker {
    /// Stores a copy of the message for its group's next attempt, or with its dead letters once it was tried often
    /// enough; `submission` is left empty. Blocks for the read and the write.
    ///
    /// # Errors
    /// Why not; nothing is stored then.
    pub fn send_back(
        &self,
        submission: &mut Submission,
        back: &SendBack<'_>,
        now: Millis,
    ) -> Result<Durability, SendBackError> {
        let settings = self.settings_in_use(back.group, now)?;
        if !self.live().permission.has(Perm::WRITE) {
            return Err(SendBackError::NoPermission(self.live().permission.0));
        }
        if settings.retry_queues == 0 {
            return Ok(Durability::NONE);
        }
        let frame = self.view_message(back.offset)?.ok_or(SendBackError::NoMessage(back.offset))?;
        let view = FrameView::parse(&frame).map_err(|_| SendBackError::NoMessage(back.offset))?;
        if view.sys_flag().batch_kind() != BatchKind::Native {
            return Err(SendBackError::NoMessage(back.offset));
        }
        let max_attempts = back.max_attempts.unwrap_or(settings.retry_max);
        let is_dead = view.reconsume_times() >= max_attempts || back.delay_level < 0;
        let topic = if is_dead {
            self.dead_letter_topic(back.group, now)?
        } else {
            self.retry_topic(back.group, now)?
        };
        let copied = self.stage_copy(submission, &topic, &frame, &view);
        let stored = copied.and_then(|()| Ok(self.submit(submission)?));
        submission.clear();
        stored
    }

    fn stage_copy(
        &self,
        submission: &mut Submission,
        topic: &Topic,
        frame: &Bytes,
        view: &FrameView<'_>,
    ) -> Result<(), SendBackError> {
        let properties = copied_properties(view)?;
        let body = frame.slice_ref(view.body());
        let send = NativeSend {
            producer_group: "",
            topic: topic.name(),
            default_topic: "",
            default_topic_queue_nums: 0,
            queue_id: -1,
            sys_flag: view.sys_flag().0,
            born_timestamp: view.born_timestamp(),
            born_host: std::net::SocketAddr::new(
                view.born_host().ip,
                u16::try_from(view.born_host().port).unwrap_or(0),
            ),
            flag: view.flag(),
            properties: &properties,
            reconsume_times: view.reconsume_times().saturating_add(1),
            max_reconsume_times: None,
            unit_mode: false,
            body: SendBody::One(body),
        };
        Ok(self.stage_as_is(submission, &send, topic)?)
    }

    /// Where a message goes that a client sends to a retry topic itself: `None` for the topic it named. Those that
    /// were tried too often, and all of a group that consumes in order now, are dead letters.
    pub(super) fn retry_target(
        &self,
        send: &NativeSend<'_>,
        now: Millis,
    ) -> Result<Option<Arc<Topic>>, SendError> {
        let Some(group) = send.topic.strip_prefix(RETRY_PREFIX) else { return Ok(None) };
        let settings = self.settings_in_use(group, now)?;
        let max_attempts = send.max_reconsume_times.unwrap_or(settings.retry_max);
        if send.reconsume_times <= max_attempts && !self.locks.holds_any(group, now) {
            return Ok(None);
        }
        let topic = self.dead_letter_topic(group, now);
        topic.map(Some).map_err(|_| SendError::NoTopic(topic_names::dlq_topic(group)))
    }

    fn retry_topic(&self, group: &str, now: Millis) -> Result<Arc<Topic>, SendBackError> {
        self.ensure_retry_topic(group, now);
        self.writable(topic_names::retry_topic(group))
    }

    fn dead_letter_topic(&self, group: &str, now: Millis) -> Result<Arc<Topic>, SendBackError> {
        self.ensure_dead_letter_topic(group, now);
        self.writable(topic_names::dlq_topic(group))
    }

    fn writable(&self, name: String) -> Result<Arc<Topic>, SendBackError> {
        match self.topic(&name) {
            Some(topic) if topic.permits(Perm::WRITE) => Ok(topic),
            Some(_) => Err(SendBackError::NotWritable(name)),
            None => Err(SendBackError::NoTopic(name)),
        }
    }
}

/// The properties of the copy: those of the message, then where it comes from.
fn copied_properties(view: &FrameView<'_>) -> Result<Vec<u8>, PropertyError> {
    let mut block = Vec::with_capacity(view.properties().len() + 128);
    let mut writer = PropertiesWriter::new(&mut block);
    for property in properties(view.properties()) {
        let name = String::from_utf8_lossy(property.name);
        if !LEFT_BEHIND.contains(&&*name) {
            writer.put(&name, property.value)?;
        }
    }
    if find(view.properties(), names::RETRY_TOPIC).is_none() {
        writer.put(names::RETRY_TOPIC, view.topic_bytes())?;
    }
    writer.put(names::WAIT, b"false")?;
    if find(view.properties(), names::ORIGIN_MESSAGE_ID).is_none() {
        let id = message_id::encode(view.store_host(), view.commit_offset());
        writer.put(names::ORIGIN_MESSAGE_ID, id.as_bytes())?;
    }
    Ok(block)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::BrokerSettings;
    use crate::broker::test_broker::TestBroker;
    use crate::semantics::subscription_groups::GroupSettings;

    fn back(offset: i64) -> SendBack<'static> {
        SendBack { group: "CG", offset, delay_level: 0, max_attempts: None }
    }

    /// The only message of a topic as (commit offset, reconsume times, body, properties as text).
    fn only_message(test: &TestBroker, topic: &str) -> (i64, i32, Vec<u8>, String) {
        let pull = test.plan_pull(topic, 32).unwrap();
        let pulled = test.broker.pull(&pull);
        let bytes = pulled.frames.concat();
        let view = FrameView::parse(&bytes).unwrap();
        assert_eq!(view.bytes().len(), bytes.len(), "more than one message in {topic}");
        let properties = String::from_utf8_lossy(view.properties()).into_owned();
        (view.commit_offset().0, view.reconsume_times(), view.body().to_vec(), properties)
    }

    fn send_back(test: &TestBroker, back: &SendBack<'_>) -> Result<Durability, SendBackError> {
        test.broker.send_back(&mut Submission::default(), back, test.broker.now())
    }

    #[test]
    fn a_message_comes_back_with_one_more_attempt_and_its_origin() {
        let test = TestBroker::open(BrokerSettings::default());
        test.send("T", b"body", b"TAGS\x01a\x02DELAY\x010\x02UNIQ_KEY\x01U\x02").unwrap();
        let (offset, ..) = only_message(&test, "T");
        send_back(&test, &back(offset)).unwrap();
        let (again, attempts, body, properties) = only_message(&test, "%RETRY%CG");
        assert_eq!((attempts, &*body), (1, &b"body"[..]));
        let id =
            message_id::encode(test.broker.identity().store_host, gantry_store::format::CommitOffset(offset));
        for part in ["TAGS\x01a\x02", "UNIQ_KEY\x01U\x02", "RETRY_TOPIC\x01T\x02", "WAIT\x01false\x02"] {
            assert!(properties.contains(part), "{properties}");
        }
        assert!(properties.contains(&format!("ORIGIN_MESSAGE_ID\x01{id}\x02")), "{properties}");
        assert!(!properties.contains("DELAY"), "{properties}");
        let last = SendBack { max_attempts: Some(1), ..back(again) };
        send_back(&test, &last).unwrap();
        let (_, attempts, body, dead) = only_message(&test, "%DLQ%CG");
        assert_eq!((attempts, &*body), (2, &b"body"[..]));
        assert!(dead.contains("RETRY_TOPIC\x01T\x02") && dead.contains(&id), "{dead}");
    }

    #[test]
    fn one_record_of_a_kafka_batch_comes_back_alone() {
        let test = TestBroker::open(BrokerSettings::default());
        test.create("k.t");
        test.pass(0);
        test.produce("k.t", &[b"one", b"two", b"three"]).unwrap();
        let pulled = test.broker.pull(&test.plan_pull("k.t", 32).unwrap());
        let bytes = pulled.frames.concat();
        let first = FrameView::parse(&bytes).unwrap();
        let rest = &bytes[first.bytes().len()..];
        let second = FrameView::parse(rest).unwrap();
        send_back(&test, &back(second.commit_offset().0)).unwrap();
        let (_, attempts, body, properties) = only_message(&test, "%RETRY%CG");
        assert_eq!((attempts, &*body), (1, &b"two"[..]));
        assert!(properties.contains("RETRY_TOPIC\x01k.t\x02"), "{properties}");
    }

    #[test]
    fn what_is_no_message_is_not_taken_back() {
        let test = TestBroker::open(BrokerSettings::default());
        test.send("T", b"body", b"").unwrap();
        let refused = send_back(&test, &back(7));
        assert!(matches!(refused, Err(SendBackError::NoMessage(7))), "{refused:?}");
        let refused = send_back(&test, &back(i64::MAX));
        assert!(matches!(refused, Err(SendBackError::NoMessage(_))), "{refused:?}");
        let none = GroupSettings { retry_queues: 0, ..GroupSettings::new("CG") };
        test.broker.put_group_settings(vec![none], Millis(1)).unwrap();
        assert!(send_back(&test, &back(7)).is_ok());
        assert!(test.broker.topic("%RETRY%CG").is_none());
    }

    #[test]
    fn what_a_client_sends_to_the_retry_topic_too_often_is_a_dead_letter() {
        let test = TestBroker::open(BrokerSettings::default());
        test.heartbeat();
        test.retry_by_client("CG", b"again", 16).unwrap();
        assert_eq!(only_message(&test, "%RETRY%CG").2, b"again");
        test.retry_by_client("CG", b"dead", 17).unwrap();
        assert_eq!(only_message(&test, "%DLQ%CG").2, b"dead");
    }

    #[test]
    fn a_group_that_consumes_in_order_sends_dead_letters_only() {
        let test = TestBroker::open(BrokerSettings::default());
        test.heartbeat();
        let granted = test.broker.lock_queues(
            "CG",
            &"c".into(),
            &[("%RETRY%CG", 0), ("%RETRY%CG", 9)],
            test.broker.now(),
        );
        assert_eq!(granted, [0]);
        test.retry_by_client("CG", b"dead", 1).unwrap();
        assert_eq!(only_message(&test, "%DLQ%CG").2, b"dead");
    }
}
