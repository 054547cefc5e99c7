//! Looking messages up: QUERY_MESSAGE (12) by key, VIEW_MESSAGE_BY_ID (33) by commit offset, and the units of a
//! queue: QUERY_CONSUME_QUEUE (321).
//!
//! A single record inside a Kafka batch has an address of its own, which is answered like any other.
//! Source: RocketMQ 5.3.3 `broker/processor/QueryMessageProcessor.java`.

use gantry_protocols::remoting::bodies::stats::{ConsumeQueueBody, ConsumeQueueUnit};
use gantry_protocols::remoting::headers::CustomHeader;
use gantry_protocols::remoting::headers::query::{
    QueryConsumeQueueRequest, QueryMessageRequest, QueryMessageResponse, ViewMessageRequest,
};
use gantry_protocols::remoting::{RequestCode, ResponseCode};

use super::call::{Answer, Call, Refusal};
use super::{Lane, Route, errors};
use crate::broker::query::{KeyQuery, QueueUnit};

pub(super) const ROUTES: &[Route] = &[
    Route::new(RequestCode::QUERY_MESSAGE, Lane::Admin, query),
    Route::new(RequestCode::VIEW_MESSAGE_BY_ID, Lane::Admin, view),
    Route::new(RequestCode::QUERY_CONSUME_QUEUE, Lane::Admin, units),
];

fn query(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: QueryMessageRequest<'_> = call.header()?;
    let query = KeyQuery {
        topic: &request.topic,
        key: &request.key,
        max: usize::try_from(request.max_num).unwrap_or(0),
        begin: request.begin_timestamp,
        end: request.end_timestamp,
        unique_key: request.unique_key_query.unwrap_or(false),
    };
    let mut found = call.broker().query_messages(&query).map_err(|error| errors::read(&error))?;
    // Found or not: clients read these two before they look at the code.
    let header = QueryMessageResponse {
        index_last_update_timestamp: found.index_timestamp,
        index_last_update_phyoffset: found.index_commit_offset,
    };
    let (code, remark) = if found.frames.is_empty() {
        (ResponseCode::QUERY_NOT_FOUND, Some("can not find message, maybe time range not correct"))
    } else {
        (ResponseCode::SUCCESS, None)
    };
    call.reply.write(code, remark, &mut found.frames, |ext| header.write(ext));
    Ok(Answer::Done)
}

fn view(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: ViewMessageRequest<'_> = call.header()?;
    let frame = call.broker().view_message(request.offset).map_err(|error| errors::read(&error))?;
    let frame = frame.ok_or_else(|| {
        let remark = format!("can not find message by the offset, {}", request.offset);
        Refusal::new(ResponseCode::SYSTEM_ERROR, remark)
    })?;
    call.reply.write(ResponseCode::SUCCESS, None, &mut vec![frame], |_| {});
    Ok(Answer::Done)
}

/// A unit of a batch stands for all of its messages, and says for how many.
fn units(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: QueryConsumeQueueRequest<'_> = call.header()?;
    let count = usize::try_from(request.count).unwrap_or(0);
    let found = call.broker().queue_units(&request.topic, request.queue_id, request.index, count);
    let (bounds, units) = found.map_err(|error| errors::read(&error))?.ok_or_else(|| {
        let remark = format!("{}@{} is not exist!", request.queue_id, request.topic);
        Refusal::new(ResponseCode::SYSTEM_ERROR, remark)
    })?;
    let unit = |unit: &QueueUnit| ConsumeQueueUnit {
        eval: false,
        msg: (unit.messages > 1)
            .then(|| format!("a batch of {} messages from offset {}", unit.messages, unit.offset)),
        physic_offset: unit.commit_offset,
        physic_size: i32::try_from(unit.size).unwrap_or(i32::MAX),
        tags_code: unit.tags_code,
    };
    let group = request.consumer_group.as_deref();
    call.answer_json(&ConsumeQueueBody {
        filter_data: group
            .map(|group| format!("{group}@{}: subscriptions are not shown here", request.topic)),
        max_queue_index: bounds.end,
        min_queue_index: bounds.start,
        queue_data: units.iter().map(unit).collect(),
    })
}
