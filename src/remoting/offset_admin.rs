//! Offsets moved by administrators: INVOKE_BROKER_TO_RESET_OFFSET (222), CLONE_GROUP_OFFSET (314).
//!
//! A reset is done by the broker (`useServerSideResetOffset`, the default of RocketMQ 5.3); clients are not told, their
//! next pull is answered "offset moved".
//! Source: RocketMQ 5.3.3 `AdminBrokerProcessor.resetOffset`, `cloneGroupOffset`.

use gantry_protocols::remoting::RequestCode;
use gantry_protocols::remoting::bodies::encode_fastjson;
use gantry_protocols::remoting::bodies::message_queue::{ByQueue, MessageQueue};
use gantry_protocols::remoting::bodies::stats::ResetOffsetBody;
use gantry_protocols::remoting::headers::consumer_admin::CloneGroupOffsetRequest;
use gantry_protocols::remoting::headers::offset::ResetOffsetRequest;

use super::call::{Answer, Call, Refusal};
use super::{Lane, Route, errors};
use crate::broker::reset::ResetAsk;

pub(super) const ROUTES: &[Route] = &[
    Route::new(RequestCode::INVOKE_BROKER_TO_RESET_OFFSET, Lane::Admin, reset),
    Route::new(RequestCode::CLONE_GROUP_OFFSET, Lane::Admin, clone),
];

fn reset(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: ResetOffsetRequest<'_> = call.header()?;
    let ask = ResetAsk {
        group: &request.group,
        topic: &request.topic,
        queue: (request.queue_id >= 0).then_some(request.queue_id),
        offset: request.offset.filter(|offset| *offset != -1),
        timestamp: request.timestamp,
    };
    let moved = call.broker().reset_offsets(&ask, call.reply.now);
    let moved = moved.map_err(|error| errors::reset(&error))?;
    let broker_name = &call.broker().identity().broker;
    let place = |queue_id| MessageQueue {
        broker_name: broker_name.clone(),
        queue_id,
        topic: request.topic.to_string(),
    };
    let table = moved.into_iter().map(|(queue, offset)| (place(queue), offset));
    let body = ResetOffsetBody { offset_table: ByQueue(table.collect()) };
    call.answer_body(encode_fastjson(&body))
}

fn clone(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: CloneGroupOffsetRequest<'_> = call.header()?;
    let topic = request.topic.as_deref().filter(|topic| !topic.trim().is_empty());
    let (from, to) = (&request.src_group, &request.dest_group);
    let cloned = call.broker().clone_offsets(from, to, topic, request.offline, call.reply.now);
    cloned.map_err(|error| errors::commit(&error))?;
    call.success()
}
