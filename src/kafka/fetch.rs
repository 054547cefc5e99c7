//! Fetch (1): whole batches from the one that contains the asked offset on, payload by reference.
//!
//! Answers at once when there are `min_bytes`, an error or no time to wait; otherwise the request waits on all
//! its queues and is planned again when the bytes arrive or the time is up. Sessions are not kept: session id 0
//! is always answered, with every partition of the request (KIP-227 allows it, all clients accept it).
//! Source: Kafka 4.1 `ReplicaManager.readFromLog`, `DelayedFetch`.

use std::sync::Arc;

use gantry_protocols::kafka::error_code::ErrorCode;
use gantry_protocols::kafka::fetch_response::{FetchResponse, FetchedPartition, FetchedTopic};
use gantry_protocols::kafka::messages::fetch_request::{FetchPartition, FetchTopic};
use gantry_protocols::kafka::messages::{FetchRequest, TopicName};
use uuid::Uuid;

use super::call::{Answer, Call, CallError, Progress, Reply, Waiting};
use super::{Lane, Route, errors, names};
use crate::broker::mailbox::Signal;
use crate::broker::park::{Interest, WaitKey};
use crate::broker::read::{KafkaRead, ReadRefusal};
use crate::broker::{Broker, Topic};
use crate::semantics::Millis;

pub(super) const ROUTES: &[Route] = &[Route::new(1, (4, 17), Lane::Fetch, fetch)];

const FIRST_VERSION_BY_ID: i16 = 13;
const NO_SESSION_EPOCH: i32 = -1;
const NEW_SESSION_EPOCH: i32 = 0;

fn fetch(call: &mut Call<'_>) -> Result<Answer, CallError> {
    let request: FetchRequest = call.decode()?;
    if !matches!(request.session_epoch, NO_SESSION_EPOCH | NEW_SESSION_EPOCH) {
        return answer_error(&mut call.reply, ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
    }
    let mut plan = Plan::new(call.broker(), request, call.version(), call.reply.now);
    match plan.resume(&mut call.reply, None)? {
        Progress::Done => Ok(Answer::Done),
        Progress::Waits => Ok(Answer::Parked(Box::new(plan))),
    }
}

fn answer_error(reply: &mut Reply<'_>, error: ErrorCode) -> Result<Answer, CallError> {
    write(reply, &FetchResponse { error_code: error, ..FetchResponse::default() })?;
    Ok(Answer::Done)
}

fn write(reply: &mut Reply<'_>, response: &FetchResponse<'_>) -> Result<(), CallError> {
    let mut segments = Vec::new();
    response.encode(reply.head.version, reply.head.correlation_id, &mut segments)?;
    segments.into_iter().for_each(|segment| reply.out.push(segment));
    Ok(())
}

/// A fetch request with its topics looked up: what is needed to answer it now or later.
struct Plan {
    topics: Vec<AskedTopic>,
    min_bytes: i64,
    max_bytes: i64,
    deadline: Millis,
    wait: Option<WaitKey>,
}

struct AskedTopic {
    name: TopicName,
    id: Uuid,
    found: Result<Arc<Topic>, ErrorCode>,
    partitions: Vec<FetchPartition>,
}

/// What one pass over the partitions gave.
struct Pass {
    topics: Vec<Vec<FetchedPartition>>,
    messages: u64,
    bytes: i64,
    error: bool,
}

impl Plan {
    fn new(broker: &Broker, request: FetchRequest, version: i16, now: Millis) -> Self {
        let wait_ms = i64::from(request.max_wait_ms.max(0));
        let topics =
            request.topics.into_iter().map(|topic| AskedTopic::look_up(broker, topic, version)).collect();
        Self {
            topics,
            min_bytes: i64::from(request.min_bytes),
            max_bytes: i64::from(request.max_bytes.max(0)).min(broker.settings().fetch_max_bytes),
            deadline: Millis(now.0 + wait_ms),
            wait: None,
        }
    }

    /// Reads all partitions in the order of the request, until the bytes are spent.
    fn pass(&self, broker: &Broker) -> Pass {
        let mut pass =
            Pass { topics: Vec::with_capacity(self.topics.len()), messages: 0, bytes: 0, error: false };
        for topic in &self.topics {
            let partitions =
                topic.partitions.iter().map(|asked| self.partition(broker, topic, asked, &mut pass));
            let partitions: Vec<_> = partitions.collect();
            pass.error |= partitions.iter().any(|partition| partition.error_code != ErrorCode::NONE);
            pass.topics.push(partitions);
        }
        pass
    }

    fn partition(
        &self,
        broker: &Broker,
        topic: &AskedTopic,
        asked: &FetchPartition,
        pass: &mut Pass,
    ) -> FetchedPartition {
        let mut fetched = FetchedPartition::new(asked.partition);
        let left = (self.max_bytes - pass.bytes).max(0).min(i64::from(asked.partition_max_bytes.max(0)));
        let read = topic.found.clone().and_then(|topic| {
            let epoch = broker.check_leader_epoch(asked.current_leader_epoch);
            let read = epoch.and_then(|()| {
                broker.read_kafka(&topic, asked.partition, asked.fetch_offset, left, pass.bytes == 0)
            });
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
            }
            Err(error) => fetched.error_code = error,
        }
        fetched
    }

    fn is_complete(&self, pass: &Pass, now: Millis) -> bool {
        pass.error || pass.bytes >= self.min_bytes.max(0) || now >= self.deadline || self.topics.is_empty()
    }

    /// Registers on every queue; the caller looks at them once more after this.
    fn park(&mut self, reply: &Reply<'_>, missing: i64) {
        let interest = Interest { min_bytes: missing.max(1), tags: None };
        let topics =
            self.topics.iter().filter_map(|asked| asked.found.as_ref().ok().map(|topic| (topic, asked)));
        let queues =
            topics.flat_map(|(topic, asked)| asked.partitions.iter().map(move |p| (&**topic, p.partition)));
        self.wait = Some(reply.broker.park(reply.mailbox, reply.head.token, self.deadline, interest, queues));
    }

    fn answer(&self, reply: &mut Reply<'_>, pass: Pass) -> Result<(), CallError> {
        reply.broker.fetch_answered(pass.messages, pass.bytes.unsigned_abs());
        let topics = self.topics.iter().zip(pass.topics).map(|(asked, partitions)| FetchedTopic {
            name: asked.name.as_str(),
            topic_id: asked.id.into_bytes(),
            partitions,
        });
        let response = FetchResponse { topics: topics.collect(), ..FetchResponse::default() };
        write(reply, &response)
    }
}

impl AskedTopic {
    fn look_up(broker: &Broker, topic: FetchTopic, version: i16) -> Self {
        let found = if version >= FIRST_VERSION_BY_ID {
            names::topic_by_id(broker, topic.topic_id).ok_or(ErrorCode::UNKNOWN_TOPIC_ID)
        } else {
            names::topic(broker, &topic.topic).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
        };
        Self { name: topic.topic, id: topic.topic_id, found, partitions: topic.partitions }
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
            self.park(reply, self.min_bytes - pass.bytes);
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
