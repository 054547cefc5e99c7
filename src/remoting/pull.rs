//! Pulling: PULL_MESSAGE (11), LITE_PULL_MESSAGE (361), with long polling.
//!
//! Every answer, whatever its code, carries the four offsets; code 21 makes a client drop its queue, so it is
//! given only where RocketMQ gives it. A pull that finds nothing new waits on its queue if the client allows it
//! and is planned again when a message that may match arrives or the time is up.
//! Source: RocketMQ 5.3.3 `broker/processor/PullMessageProcessor.java`, `longpolling/PullRequestHoldService.java`.

use std::sync::Arc;

use gantry_protocols::remoting::headers::CustomHeader;
use gantry_protocols::remoting::headers::pull::{PullFlag, PullMessageRequest, PullMessageResponse};
use gantry_protocols::remoting::{RequestCode, ResponseCode};

use super::call::{Answer, Call, Refusal, Reply, Waiting};
use super::{Lane, Route, errors};
use crate::broker::mailbox::Signal;
use crate::broker::park::{Interest, WaitKey};
use crate::broker::pull::{Expression, Pull, PullAsk, PullStatus, Pulled};
use crate::broker::{Broker, Topic};
use crate::filter::tag::TagFilter;
use crate::semantics::Millis;

pub(super) const ROUTES: &[Route] = &[
    Route::new(RequestCode::PULL_MESSAGE, Lane::Pull, pull),
    Route::new(RequestCode::LITE_PULL_MESSAGE, Lane::Pull, pull),
];

fn pull(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: PullMessageRequest<'_> = call.header()?;
    let flag = PullFlag(request.sys_flag);
    let ask = PullAsk {
        group: &request.consumer_group,
        topic: &request.topic,
        queue_id: request.queue_id,
        offset: request.queue_offset,
        max_messages: request.max_msg_nums,
        sub_version: request.sub_version,
        expression: flag.has(PullFlag::SUBSCRIPTION).then(|| Expression {
            text: request.subscription.as_deref().unwrap_or_default(),
            kind: request.expression_type.as_deref().unwrap_or_default(),
        }),
        client: call.reply.mailbox.id(),
    };
    let (broker, now) = (call.broker(), call.reply.now);
    let pull = broker.plan_pull(&ask).map_err(|error| errors::pull(&error))?;
    if flag.has(PullFlag::COMMIT_OFFSET) && request.commit_offset >= 0 {
        broker.commit_with_pull(&ask, request.commit_offset, now);
    }
    let may_hold = call.may_hold && flag.has(PullFlag::SUSPEND);
    let hold_ms = if may_hold { request.suspend_timeout_millis.max(0) } else { 0 };
    let mut held = Held { pull, deadline: now.plus(broker.pull_hold_ms(hold_ms)), wait: None };
    if held.resume(&mut call.reply, None) { Ok(Answer::Done) } else { Ok(Answer::Parked(Box::new(held))) }
}

/// A pull that may wait for a message.
struct Held {
    pull: Pull,
    deadline: Millis,
    wait: Option<WaitKey>,
}

impl Held {
    fn park(&mut self, reply: &Reply<'_>) {
        let interest = Interest { min_bytes: 1, tags: tags_of(&self.pull) };
        let topic: &Arc<Topic> = &self.pull.topic;
        let queue = std::iter::once((&**topic, self.pull.queue_id));
        self.wait = Some(reply.broker.park(reply.mailbox, reply.to.token, self.deadline, interest, queue));
    }
}

fn tags_of(pull: &Pull) -> Option<TagFilter> {
    Some(pull.filter.clone()).filter(|filter| !filter.wants_all())
}

impl Waiting for Held {
    fn resume(&mut self, reply: &mut Reply<'_>, signal: Option<Signal>) -> bool {
        if self.wait.is_some() && signal.is_none() {
            return false;
        }
        self.wait = None;
        let mut pulled = reply.broker.pull(&self.pull);
        if pulled.status.may_wait() && reply.now < self.deadline {
            self.park(reply);
            // What arrived between the read and the registration woke nobody: look again.
            pulled = reply.broker.pull(&self.pull);
            if pulled.status.may_wait() {
                return false;
            }
            self.abandon(reply.broker);
        }
        answer(reply, &self.pull, pulled);
        true
    }

    fn abandon(&mut self, broker: &Broker) {
        if let Some(wait) = self.wait.take() {
            broker.cancel_wait(wait);
        }
    }
}

fn answer(reply: &mut Reply<'_>, pull: &Pull, mut pulled: Pulled) {
    let header = PullMessageResponse {
        suggest_which_broker_id: 0,
        next_begin_offset: pulled.next,
        min_offset: pulled.min,
        max_offset: pulled.max,
        offset_delta: None,
        topic_sys_flag: Some(pull.topic.sys_flag()),
        group_sys_flag: Some(0),
        forbidden_type: None,
    };
    let code = response_code(pulled.status, pull.offset);
    let remark = pulled.error.take().unwrap_or_else(|| pulled.status.name().to_owned());
    reply.write(code, Some(&remark), &mut pulled.frames, |ext| header.write(ext));
}

/// RocketMQ 5.3.3 `PullMessageProcessor.composeResponseHeader`.
fn response_code(status: PullStatus, asked: i64) -> ResponseCode {
    match status {
        PullStatus::Found => ResponseCode::SUCCESS,
        PullStatus::NoMatchedMessage | PullStatus::MessageWasRemoving => ResponseCode::PULL_RETRY_IMMEDIATELY,
        PullStatus::NoMatchedLogicQueue | PullStatus::NoMessageInQueue if asked != 0 => {
            ResponseCode::PULL_OFFSET_MOVED
        }
        PullStatus::NoMatchedLogicQueue
        | PullStatus::NoMessageInQueue
        | PullStatus::OffsetFoundNull
        | PullStatus::OffsetOverflowOne => ResponseCode::PULL_NOT_FOUND,
        PullStatus::OffsetOverflowBadly | PullStatus::OffsetTooSmall | PullStatus::OffsetReset => {
            ResponseCode::PULL_OFFSET_MOVED
        }
        PullStatus::StorageError => ResponseCode::SYSTEM_ERROR,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_queue_moves_the_offset_only_of_a_client_that_is_elsewhere() {
        assert_eq!(response_code(PullStatus::NoMessageInQueue, 0), ResponseCode::PULL_NOT_FOUND);
        assert_eq!(response_code(PullStatus::NoMessageInQueue, 7), ResponseCode::PULL_OFFSET_MOVED);
        assert_eq!(response_code(PullStatus::OffsetOverflowOne, 7), ResponseCode::PULL_NOT_FOUND);
    }
}
