//! Fetch (1): whole batches from the one that contains the asked offset on, payload by reference.
//!
//! Answers at once when there are `min_bytes`, an error or no time to wait; otherwise the request waits on all
//! its queues and is planned again when the bytes arrive or the time is up. A request names its partitions, or goes on
//! with those of its session (KIP-227), whose answers leave out what is as it was.
//! There is one replica, so none is preferred, whatever rack a client names.
//! Source: Kafka 4.1 `ReplicaManager.readFromLog`, `DelayedFetch`, `FetchSession.scala`, KIP-951 (leaders in answers).

use std::sync::Arc;

use gantry_protocols::kafka::error_code::ErrorCode;
use gantry_protocols::kafka::fetch_response::{
    FetchResponse, FetchedPartition, FetchedTopic, LeaderEpoch, NodeEndpoint,
};
use gantry_protocols::kafka::messages::FetchRequest;
use uuid::Uuid;

use super::call::{Answer, Call, CallError, Progress, Reply, Waiting};
use super::fetch_source::{Asked, Continued, FIRST_VERSION_BY_ID, Named, Source, name_and_id};
use super::{Lane, Route, errors};
use crate::broker::mailbox::Signal;
use crate::broker::park::{Interest, WaitKey};
use crate::broker::read::{KafkaRead, ReadRefusal};
use crate::broker::{Broker, Topic};
use crate::semantics::Millis;
use crate::semantics::fetch_session::{Bounds, SessionRefusal, Told, Wish};

pub(super) const ROUTES: &[Route] = &[Route::new(1, (4, 17), Lane::Fetch, fetch)];

const FIRST_VERSION_WITH_LEADERS: i16 = 16;
const READ_COMMITTED: i8 = 1;

fn fetch(call: &mut Call<'_>) -> Result<Answer, CallError> {
    let request: FetchRequest = call.decode()?;
    let (version, now) = (call.version(), call.reply.now);
    let bounds = PlanBounds::new(call.broker(), &request, version, now);
    let source = match Source::new(call.broker(), request, version >= FIRST_VERSION_BY_ID, now) {
        Ok(source) => source,
        Err(refusal) => {
            refuse(&mut call.reply, errors::fetch_session(refusal))?;
            return Ok(Answer::Done);
        }
    };
    let mut plan = Plan { source, bounds, wait: None };
    match plan.resume(&mut call.reply, None)? {
        Progress::Done => Ok(Answer::Done),
        Progress::Waits => Ok(Answer::Parked(Box::new(plan))),
    }
}

fn refuse(reply: &mut Reply<'_>, error: ErrorCode) -> Result<(), CallError> {
    write(reply, &FetchResponse { error_code: error, ..FetchResponse::default() })
}

fn write(reply: &mut Reply<'_>, response: &FetchResponse<'_>) -> Result<(), CallError> {
    let mut segments = Vec::new();
    response.encode(reply.head.version, reply.head.correlation_id, &mut segments)?;
    segments.into_iter().for_each(|segment| reply.out.push(segment));
    Ok(())
}

/// A fetch request: what is needed to answer it now or later.
struct Plan {
    source: Source,
    bounds: PlanBounds,
    wait: Option<WaitKey>,
}

/// What is left of a request beside its partitions.
struct PlanBounds {
    min_bytes: i64,
    max_bytes: i64,
    deadline: Millis,
    read_committed: bool,
    names_leaders: bool,
}

/// What one pass over the partitions gave; only those that the answer names.
#[derive(Default)]
struct Pass {
    groups: Vec<Group>,
    messages: u64,
    bytes: i64,
    error: bool,
}

/// Neighbours of one topic.
struct Group {
    /// Where the source has the topic.
    topic: usize,
    partitions: Vec<FetchedPartition>,
    /// The place of each among all.
    places: Vec<usize>,
}

impl PlanBounds {
    fn new(broker: &Broker, request: &FetchRequest, version: i16, now: Millis) -> Self {
        let max_bytes = i64::from(request.max_bytes.max(0)).min(broker.settings().fetch_max_bytes);
        Self {
            min_bytes: i64::from(request.min_bytes.max(0)),
            max_bytes,
            deadline: now.plus(i64::from(request.max_wait_ms.max(0))),
            read_committed: request.isolation_level == READ_COMMITTED,
            names_leaders: version >= FIRST_VERSION_WITH_LEADERS,
        }
    }
}

impl Pass {
    fn partitions(&self) -> impl Iterator<Item = &FetchedPartition> {
        self.groups.iter().flat_map(|group| &group.partitions)
    }

    fn places(&self) -> impl Iterator<Item = usize> {
        self.groups.iter().flat_map(|group| &group.places).copied()
    }

    fn take(&mut self, topic: usize, place: usize, fetched: FetchedPartition) {
        if self.groups.last().is_none_or(|group| group.topic != topic) {
            self.groups.push(Group { topic, partitions: Vec::new(), places: Vec::new() });
        }
        if let Some(group) = self.groups.last_mut() {
            group.partitions.push(fetched);
            group.places.push(place);
        }
    }
}

impl Plan {
    /// Reads all partitions in their order, until the bytes are spent.
    fn pass(&self, broker: &Broker) -> Pass {
        let mut pass = Pass::default();
        self.source.visit(broker, |asked| {
            let fetched = self.partition(broker, asked.found, asked.partition, asked.wish, &mut pass);
            pass.error |= fetched.error_code != ErrorCode::NONE;
            let Asked { topic, place, .. } = asked;
            if asked.session.is_none_or(|session| session.is_news(place, told(&fetched))) {
                pass.take(topic, place, fetched);
            }
        });
        pass
    }

    fn partition(
        &self,
        broker: &Broker,
        found: Result<&Arc<Topic>, ErrorCode>,
        index: i32,
        wish: Wish,
        pass: &mut Pass,
    ) -> FetchedPartition {
        let mut fetched = FetchedPartition::new(index);
        let left = (self.bounds.max_bytes - pass.bytes).max(0).min(i64::from(wish.max_bytes.max(0)));
        let read = found.and_then(|topic| {
            let epoch = broker.check_leader_epoch(wish.leader_epoch);
            let read =
                epoch.and_then(|()| broker.read_kafka(topic, index, wish.offset, left, pass.bytes == 0));
            read.map_err(|error: ReadRefusal| errors::fetch(&error))
        });
        match read {
            Ok(KafkaRead { segments, messages, bytes, bounds }) => {
                pass.messages += messages;
                pass.bytes += bytes;
                fetched.records = segments;
                fetched.high_watermark = bounds.end;
                fetched.last_stable_offset = bounds.end;
                fetched.log_start_offset = bounds.start;
                fetched.aborted_transactions = self.bounds.read_committed.then(Vec::new);
            }
            Err(error) => fetched.error_code = error,
        }
        if self.bounds.names_leaders && fetched.error_code == ErrorCode::FENCED_LEADER_EPOCH {
            let (leader_id, leader_epoch) = (broker.identity().node_id, broker.leader_epoch());
            fetched.current_leader = Some(LeaderEpoch { leader_id, leader_epoch });
        }
        fetched
    }

    fn is_complete(&self, pass: &Pass, now: Millis) -> bool {
        pass.error
            || pass.bytes >= self.bounds.min_bytes
            || now >= self.bounds.deadline
            || self.source.is_empty()
    }

    /// Registers on every queue; the caller looks at them once more after this.
    fn park(&mut self, reply: &Reply<'_>, missing: i64) {
        let interest = Interest { min_bytes: missing.max(1), tags: None };
        let mut queues: Vec<(Arc<Topic>, i32)> = Vec::new();
        self.source.visit(reply.broker, |asked| {
            queues.extend(asked.found.ok().map(|topic| (Arc::clone(topic), asked.partition)));
        });
        let queues = queues.iter().map(|(topic, index)| (&**topic, *index));
        let (mailbox, token) = (reply.mailbox, reply.head.token);
        self.wait = Some(reply.broker.park(mailbox, token, self.bounds.deadline, interest, queues));
    }

    fn answer(&self, reply: &mut Reply<'_>, pass: Pass) -> Result<(), CallError> {
        reply.broker.fetch_answered(pass.messages, pass.bytes.unsigned_abs());
        match &self.source {
            Source::Request(named) => answer_request(reply, named, pass),
            Source::Session(continued) => answer_session(reply, continued, pass),
        }
    }
}

fn answer_request(reply: &mut Reply<'_>, named: &Named, pass: Pass) -> Result<(), CallError> {
    let session_id = named.keep_session(reply.broker, reply.now, pass.partitions().map(told));
    answer(reply, session_id, pass, |topic| {
        named.topics.get(topic).map_or(("", Uuid::nil()), |topic| (topic.name.as_str(), topic.id))
    })
}

fn answer_session(reply: &mut Reply<'_>, continued: &Continued, pass: Pass) -> Result<(), CallError> {
    let mut session = continued.shared.lock();
    if session.epoch() != continued.next_epoch {
        // Another connection went on with the session while this fetch waited.
        return refuse(reply, errors::fetch_session(SessionRefusal::Epoch));
    }
    let mut gave = Vec::new();
    for (place, told) in pass.places().zip(pass.partitions().map(told)) {
        session.tell(place, told);
        gave.extend(told.has_records.then_some(place));
    }
    let session_id = if session.is_empty() { 0 } else { continued.id };
    answer(reply, session_id, pass, |place| session.topic_at(place).map_or(("", Uuid::nil()), name_and_id))?;
    session.rotate(&gave);
    Ok(())
}

/// Writes the answer; `name_of` gives name and id of a group's topic.
fn answer<'n>(
    reply: &mut Reply<'_>,
    session_id: i32,
    pass: Pass,
    name_of: impl Fn(usize) -> (&'n str, Uuid),
) -> Result<(), CallError> {
    let (host, port) = match pass.partitions().any(|one| one.current_leader.is_some()) {
        true => reply.broker.kafka_address(reply.mailbox),
        false => (String::new(), 0),
    };
    let node_id = reply.broker.identity().node_id;
    let node = NodeEndpoint { node_id, host: &host, port: port.into(), rack: None };
    let node_endpoints = if host.is_empty() { Vec::new() } else { vec![node] };
    let topics = pass.groups.into_iter().map(|group| {
        let (name, id) = name_of(group.topic);
        FetchedTopic { name, topic_id: id.into_bytes(), partitions: group.partitions }
    });
    let topics = topics.collect();
    write(reply, &FetchResponse { session_id, topics, node_endpoints, ..FetchResponse::default() })
}

fn told(fetched: &FetchedPartition) -> Told {
    let (high_watermark, log_start) = (fetched.high_watermark, fetched.log_start_offset);
    Told {
        bounds: Bounds { high_watermark, log_start },
        has_records: !fetched.records.is_empty(),
        is_error: fetched.error_code != ErrorCode::NONE,
    }
}

impl Waiting for Plan {
    fn resume(&mut self, reply: &mut Reply<'_>, signal: Option<Signal>) -> Result<Progress, CallError> {
        if self.wait.is_some() && signal.is_none() {
            return Ok(Progress::Waits);
        }
        self.wait = None;
        let mut pass = self.pass(reply.broker);
        if !self.is_complete(&pass, reply.now) {
            self.park(reply, self.bounds.min_bytes - pass.bytes);
            // What arrived between the pass and the registration woke nobody: look again.
            pass = self.pass(reply.broker);
            if !self.is_complete(&pass, reply.now) {
                return Ok(Progress::Waits);
            }
            self.abandon(reply.broker);
        }
        self.answer(reply, pass)?;
        Ok(Progress::Done)
    }

    fn abandon(&mut self, broker: &Broker) {
        if let Some(wait) = self.wait.take() {
            broker.cancel_wait(wait);
        }
    }
}
