//! Which partitions a fetch reads: those that its request names, or those of its session.

use std::sync::Arc;

use gantry_protocols::kafka::error_code::ErrorCode;
use gantry_protocols::kafka::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use gantry_protocols::kafka::messages::{FetchRequest, TopicName};
use uuid::Uuid;

use super::names;
use crate::broker::fetch_sessions::{Continue, SharedSession};
use crate::broker::{Broker, Topic};
use crate::semantics::Millis;
use crate::semantics::fetch_session::{FetchSession, SessionRefusal, Told, TopicKey, Wish};

/// The first version that names topics by id.
pub(super) const FIRST_VERSION_BY_ID: i16 = 13;

const NO_SESSION_EPOCH: i32 = -1;
const NEW_SESSION_EPOCH: i32 = 0;

/// Where the partitions of a fetch stand.
pub(super) enum Source {
    /// In the request.
    Request(Named),
    /// In a session.
    Session(Continued),
}

/// The partitions that a request names.
pub(super) struct Named {
    pub(super) topics: Vec<AskedTopic>,
    by_id: bool,
    /// The client wants a session.
    keep: bool,
}

/// A topic of a request, looked up.
pub(super) struct AskedTopic {
    pub(super) name: TopicName,
    pub(super) id: Uuid,
    found: Result<Arc<Topic>, ErrorCode>,
    partitions: Vec<FetchPartition>,
}

/// A session and what the request after this one must carry.
pub(super) struct Continued {
    pub(super) id: i32,
    pub(super) shared: SharedSession,
    pub(super) next_epoch: i32,
}

/// One partition of a fetch.
pub(super) struct Asked<'s> {
    /// Where its topic stands: in the request, or its first neighbour in the session.
    pub(super) topic: usize,
    /// Its place among all partitions.
    pub(super) place: usize,
    pub(super) found: Result<&'s Arc<Topic>, ErrorCode>,
    pub(super) partition: i32,
    pub(super) wish: Wish,
    pub(super) session: Option<&'s FetchSession>,
}

impl Source {
    /// Reads the request, and takes it to its session where it has one.
    pub(super) fn new(
        broker: &Broker,
        request: FetchRequest,
        by_id: bool,
        now: Millis,
    ) -> Result<Self, SessionRefusal> {
        let (id, epoch) = (request.session_id, request.session_epoch);
        if !matches!(epoch, NO_SESSION_EPOCH | NEW_SESSION_EPOCH) {
            let ask = Continue { id, epoch, by_id };
            let forgotten = request.forgotten_topics_data.iter().flat_map(|topic| forgotten(topic, by_id));
            let wishes = request.topics.iter().flat_map(|topic| wishes(topic, by_id));
            let (shared, next_epoch) = broker.continue_fetch_session(ask, now, forgotten, wishes)?;
            return Ok(Self::Session(Continued { id, shared, next_epoch }));
        }
        if id != 0 {
            broker.end_fetch_session(id);
        }
        let topics = request.topics.into_iter().map(|topic| AskedTopic::look_up(broker, topic, by_id));
        Ok(Self::Request(Named { topics: topics.collect(), by_id, keep: epoch == NEW_SESSION_EPOCH }))
    }

    /// Whether there is nothing to wait for.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Request(named) => named.topics.is_empty(),
            Self::Session(continued) => continued.shared.lock().is_empty(),
        }
    }

    /// Shows each partition, in the order in which they are served.
    pub(super) fn visit(&self, broker: &Broker, each: impl FnMut(Asked<'_>)) {
        match self {
            Self::Request(named) => named.visit(each),
            Self::Session(continued) => continued.visit(broker, each),
        }
    }
}

impl Named {
    fn visit(&self, mut each: impl FnMut(Asked<'_>)) {
        let mut place = 0..;
        for (topic, asked) in self.topics.iter().enumerate() {
            let found = asked.found.as_ref().map_err(|error| *error);
            for one in &asked.partitions {
                let (partition, place) = (one.partition, place.next().unwrap_or(0));
                each(Asked { topic, place, found, partition, wish: wish(one), session: None });
            }
        }
    }

    /// Keeps a session that begins with this request, if the client wants one and there is room: its id, or 0.
    /// `told`: what the answer says of each partition, in the order of the request.
    pub(super) fn keep_session(&self, broker: &Broker, now: Millis, told: impl Iterator<Item = Told>) -> i32 {
        if !self.keep || self.topics.is_empty() {
            return 0;
        }
        let mut session = FetchSession::new(self.by_id);
        for topic in &self.topics {
            let key = key(&topic.name, topic.id, self.by_id);
            topic.partitions.iter().for_each(|one| session.wish(&key, one.partition, wish(one)));
        }
        told.take(session.len()).enumerate().for_each(|(place, told)| session.tell(place, told));
        broker.begin_fetch_session(session, now, || (Uuid::new_v4().as_u128() & 0x7FFF_FFFF) as i32)
    }
}

impl Continued {
    fn visit(&self, broker: &Broker, mut each: impl FnMut(Asked<'_>)) {
        let session = self.shared.lock();
        let mut latest: Option<Run<'_>> = None;
        for (place, (key, partition, wish)) in session.partitions().enumerate() {
            let run = match latest.take() {
                Some(run) if run.key == key => run,
                _ => Run { key, first: place, found: look_up(broker, key) },
            };
            let found = run.found.as_ref().map_err(|error| *error);
            each(Asked { topic: run.first, place, found, partition, wish, session: Some(&session) });
            latest = Some(run);
        }
    }
}

/// Neighbours of one topic in a session, which is looked up once for them.
struct Run<'s> {
    key: &'s TopicKey,
    first: usize,
    found: Result<Arc<Topic>, ErrorCode>,
}

impl AskedTopic {
    fn look_up(broker: &Broker, topic: FetchTopic, by_id: bool) -> Self {
        let found = if by_id { find_id(broker, topic.topic_id) } else { find_name(broker, &topic.topic) };
        Self { name: topic.topic, id: topic.topic_id, found, partitions: topic.partitions }
    }
}

/// Name and id as an answer carries them: one of them, the other is empty.
pub(super) fn name_and_id(key: &TopicKey) -> (&str, Uuid) {
    match key {
        TopicKey::Id(id) => ("", Uuid::from_u128(*id)),
        TopicKey::Name(name) => (name, Uuid::nil()),
    }
}

fn look_up(broker: &Broker, key: &TopicKey) -> Result<Arc<Topic>, ErrorCode> {
    match key {
        TopicKey::Id(id) => find_id(broker, Uuid::from_u128(*id)),
        TopicKey::Name(name) => find_name(broker, name),
    }
}

fn find_id(broker: &Broker, id: Uuid) -> Result<Arc<Topic>, ErrorCode> {
    names::topic_by_id(broker, id).ok_or(ErrorCode::UNKNOWN_TOPIC_ID)
}

fn find_name(broker: &Broker, name: &str) -> Result<Arc<Topic>, ErrorCode> {
    names::topic(broker, name).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
}

/// The name is copied: a session outlives the frame that the request's texts are slices of.
fn key(name: &TopicName, id: Uuid, by_id: bool) -> TopicKey {
    if by_id { TopicKey::Id(id.as_u128()) } else { TopicKey::Name(name.as_str().into()) }
}

fn wish(asked: &FetchPartition) -> Wish {
    let (offset, max_bytes) = (asked.fetch_offset, asked.partition_max_bytes);
    Wish { offset, max_bytes, leader_epoch: asked.current_leader_epoch }
}

fn wishes(topic: &FetchTopic, by_id: bool) -> impl Iterator<Item = (TopicKey, i32, Wish)> {
    let key = key(&topic.topic, topic.topic_id, by_id);
    topic.partitions.iter().map(move |one| (key.clone(), one.partition, wish(one)))
}

fn forgotten(topic: &ForgottenTopic, by_id: bool) -> impl Iterator<Item = (TopicKey, i32)> {
    let key = key(&topic.topic, topic.topic_id, by_id);
    topic.partitions.iter().map(move |partition| (key.clone(), *partition))
}
