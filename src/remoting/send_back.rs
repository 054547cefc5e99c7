//! CONSUMER_SEND_MSG_BACK (36): a consumer gives a message back that it could not handle.
//!
//! Source: RocketMQ 5.3.3 `broker/processor/AbstractSendMessageProcessor.java`.

use gantry_protocols::remoting::RequestCode;
use gantry_protocols::remoting::headers::send::ConsumerSendMsgBackRequest;

use super::call::{Answer, Call, Refusal};
use super::{Lane, Route, errors};
use crate::broker::send_back::SendBack;

pub(super) const ROUTES: &[Route] = &[Route::new(RequestCode::CONSUMER_SEND_MSG_BACK, Lane::Send, send_back)];

/// Clients before this version (V3_4_9) do not know what they ask for with a number of attempts.
const KNOWS_ATTEMPTS: i32 = 121;

fn send_back(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: ConsumerSendMsgBackRequest<'_> = call.header()?;
    let back = SendBack {
        group: &request.group,
        offset: request.offset,
        delay_level: request.delay_level,
        max_attempts: request.max_reconsume_times.filter(|_| call.view.version >= KNOWS_ATTEMPTS),
    };
    let stored = call.broker().send_back(call.submission, &back, call.reply.now);
    call.success_when(stored.map_err(|error| errors::send_back(&error))?)
}
