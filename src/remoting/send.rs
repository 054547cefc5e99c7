//! Sending: SEND_MESSAGE (10), SEND_MESSAGE_V2 (310), SEND_BATCH_MESSAGE (320).
//!
//! A send is staged; the session appends all sends of one read together and answers them here, at once or when
//! they are as durable as the flush mode promises. The answer always carries message id, queue and queue
//! offset, also when the flush was late (FLUSH_DISK_TIMEOUT): clients read them without looking at the code.
//! Source: RocketMQ 5.3.3 `broker/processor/SendMessageProcessor.java`.

use std::task::Poll;

use gantry_protocols::remoting::batch::BatchItems;
use gantry_protocols::remoting::headers::CustomHeader;
use gantry_protocols::remoting::headers::send::{SendMessageRequest, SendMessageResponse};
use gantry_protocols::remoting::{RequestCode, ResponseCode};

use super::call::{Answer, Call, Refusal, Reply, ReplyTo, Waiting};
use super::{Lane, Route, errors};
use crate::broker::append::{Located, NativeSend, SendBody, SendItem, StagedSend, Submission};
use crate::broker::mailbox::Signal;
use crate::broker::{Broker, DurabilityError, DurableWait};
use crate::semantics::Dialect;

pub(super) const ROUTES: &[Route] = &[
    Route::new(RequestCode::SEND_MESSAGE, Lane::Send, send),
    Route::new(RequestCode::SEND_MESSAGE_V2, Lane::Send, send),
    Route::new(RequestCode::SEND_BATCH_MESSAGE, Lane::Send, send_batch),
];

/// Whether requests of this code are staged; all others make the session append what is staged first.
pub(super) fn is_send(code: RequestCode) -> bool {
    ROUTES.iter().any(|route| route.code == code)
}

fn send(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: SendMessageRequest<'_> = call.header()?;
    if request.batch == Some(true) {
        return stage_batch(call, &request);
    }
    let body = call.body.clone();
    stage(call, &request, SendBody::One(body))
}

fn send_batch(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: SendMessageRequest<'_> = call.header()?;
    stage_batch(call, &request)
}

fn stage_batch(call: &mut Call<'_>, request: &SendMessageRequest<'_>) -> Result<Answer, Refusal> {
    let mut items = Vec::new();
    for item in BatchItems::new(&call.body) {
        let item = item.map_err(|error| Refusal::new(ResponseCode::MESSAGE_ILLEGAL, error.to_string()))?;
        items.push(SendItem {
            flag: item.flag,
            body: call.body.slice_ref(item.body),
            properties: call.body.slice_ref(item.properties),
        });
    }
    stage(call, request, SendBody::Batch(items))
}

fn stage(call: &mut Call<'_>, request: &SendMessageRequest<'_>, body: SendBody) -> Result<Answer, Refusal> {
    let mut properties = call.submission.take_scratch();
    if let Some(text) = &request.properties {
        text.append_to(&mut properties);
    }
    let send = NativeSend {
        producer_group: &request.producer_group,
        topic: &request.topic,
        default_topic: &request.default_topic,
        default_topic_queue_nums: request.default_topic_queue_nums,
        queue_id: request.queue_id,
        sys_flag: request.sys_flag,
        born_timestamp: request.born_timestamp,
        born_host: call.reply.mailbox.remote(),
        flag: request.flag,
        properties: &properties,
        reconsume_times: request.reconsume_times.unwrap_or(0),
        max_reconsume_times: request.max_reconsume_times,
        unit_mode: request.unit_mode.unwrap_or(false),
        body,
    };
    let staged = call.broker().stage(call.submission, send, call.reply.now);
    call.submission.return_scratch(properties);
    Ok(Answer::Staged(staged.map_err(|error| errors::send(&error))?))
}

/// Appends the staged sends and answers them; gives what waits when they are not durable yet.
pub(super) fn submit(
    reply: &mut Reply<'_>,
    submission: &mut Submission,
    staged: Vec<(ReplyTo, StagedSend)>,
) -> Option<Box<dyn Waiting>> {
    let durability = match reply.broker.submit(submission) {
        Ok(durability) => durability,
        Err(error) => {
            let refusal = errors::append(&error);
            count(reply.broker, &staged, false);
            for (to, _) in staged {
                reply.to = to;
                reply.refuse(&refusal);
            }
            submission.clear();
            return None;
        }
    };
    let answers = staged.into_iter().map(|(to, staged)| (to, submission.locate(staged)));
    let answers: Vec<_> = answers.collect();
    submission.clear();
    let mut waiting = Sends { answers, wait: DurableWait::new(durability), waited: false };
    if waiting.resume(reply, None) { None } else { Some(Box::new(waiting)) }
}

/// Counts the sends of one append, by kind.
fn count<T>(broker: &Broker, sends: &[(ReplyTo, T)], waited: bool) {
    for group in sends.chunk_by(|(one, _), (other, _)| one.kind == other.kind) {
        if let Some((to, _)) = group.first()
            && let Some(kind) = to.kind
        {
            broker.answered(Dialect::Native, kind.into(), waited, to.begun.elapsed(), group.len() as u64);
        }
    }
}

/// Sends that are written but not as durable as promised.
struct Sends {
    answers: Vec<(ReplyTo, Located)>,
    wait: DurableWait,
    waited: bool,
}

impl Sends {
    fn answer(&mut self, reply: &mut Reply<'_>, code: ResponseCode, remark: Option<&str>) {
        count(reply.broker, &self.answers, self.waited);
        for (to, located) in self.answers.drain(..) {
            reply.to = to;
            let broker = reply.broker;
            let response = SendMessageResponse {
                msg_id: located.message_ids(broker.identity().store_host).into(),
                queue_id: located.queue_id,
                queue_offset: located.queue_offset.0,
                transaction_id: located.unique_key.as_deref().map(Into::into),
                batch_uniq_id: located.batch_unique_key().map(Into::into),
                recall_handle: None,
                region: Some(broker.settings().region.as_str().into()),
                trace_on: Some(broker.settings().trace_on),
            };
            reply.write(code, remark, &mut Vec::new(), |ext| response.write(ext));
        }
    }
}

impl Waiting for Sends {
    fn resume(&mut self, reply: &mut Reply<'_>, _: Option<Signal>) -> bool {
        match self.wait.poll(reply.broker, reply.mailbox, reply.to.token, reply.now, reply.waker) {
            Poll::Pending => {
                self.waited = true;
                return false;
            }
            Poll::Ready(Ok(())) => self.answer(reply, ResponseCode::SUCCESS, None),
            Poll::Ready(Err(DurabilityError::TimedOut)) => {
                self.answer(
                    reply,
                    ResponseCode::FLUSH_DISK_TIMEOUT,
                    Some("the flush took too long; the message is stored"),
                );
            }
            Poll::Ready(Err(error)) => {
                let refusal = errors::durability(error);
                self.answer(reply, refusal.code, Some(&refusal.remark));
            }
        }
        true
    }

    fn polls(&self) -> bool {
        true
    }

    fn abandon(&mut self, broker: &Broker) {
        self.wait.abandon(broker);
    }
}
