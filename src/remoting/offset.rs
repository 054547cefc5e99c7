//! Offsets: QUERY_CONSUMER_OFFSET (14), UPDATE_CONSUMER_OFFSET (15), SEARCH_OFFSET_BY_TIMESTAMP (29),
//! GET_MAX_OFFSET (30), GET_MIN_OFFSET (31), GET_EARLIEST_MSG_STORETIME (32), GET_ALL_CONSUMER_OFFSET (43).
//!
//! An offset is a queue offset: the index of the next message to consume, never bytes. An unknown queue has the
//! bounds 0 and 0; only a group that never committed is "not found" (22), which makes its client start where
//! its ConsumeFromWhere says.
//! Source: RocketMQ 5.3.3 `broker/processor/ConsumerManageProcessor.java`, `AdminBrokerProcessor.java`.

use gantry_protocols::remoting::headers::Boundary;
use gantry_protocols::remoting::headers::offset::{
    EarliestStoreTimeRequest, EarliestStoreTimeResponse, MaxOffsetRequest, MinOffsetRequest, OffsetResponse,
    QueryConsumerOffsetRequest, SearchOffsetRequest, UpdateConsumerOffsetRequest,
};
use gantry_protocols::remoting::{RequestCode, ResponseCode};

use super::call::{Answer, Call, Refusal};
use super::{Lane, Route, errors};
use crate::broker::read::TimeBoundary;

pub(super) const ROUTES: &[Route] = &[
    Route::new(RequestCode::QUERY_CONSUMER_OFFSET, Lane::Client, query),
    Route::new(RequestCode::UPDATE_CONSUMER_OFFSET, Lane::Client, update),
    Route::new(RequestCode::SEARCH_OFFSET_BY_TIMESTAMP, Lane::Client, search),
    Route::new(RequestCode::GET_MAX_OFFSET, Lane::Client, max),
    Route::new(RequestCode::GET_MIN_OFFSET, Lane::Client, min),
    Route::new(RequestCode::GET_EARLIEST_MSG_STORETIME, Lane::Client, earliest_store_time),
    Route::new(RequestCode::GET_ALL_CONSUMER_OFFSET, Lane::Admin, all),
];

fn query(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: QueryConsumerOffsetRequest<'_> = call.header()?;
    let zero = request.set_zero_if_not_found.unwrap_or(true);
    let found =
        call.broker().committed_offset(&request.consumer_group, &request.topic, request.queue_id, zero);
    let offset = found.ok_or_else(|| {
        let remark = "Not found, maybe this group consumer boot first";
        Refusal::new(ResponseCode::QUERY_NOT_FOUND, remark)
    })?;
    call.answer(&OffsetResponse { offset })
}

/// The last write wins, even when it is smaller: a client may rewind.
fn update(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: UpdateConsumerOffsetRequest<'_> = call.header()?;
    let (group, topic) = (&request.consumer_group, &request.topic);
    call.broker().check_native_commit(group).map_err(|error| errors::commit(&error))?;
    let committed =
        call.broker().commit_offset(group, topic, request.queue_id, request.commit_offset, call.reply.now);
    committed.map_err(|error| errors::commit(&error))?;
    call.success()
}

fn search(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: SearchOffsetRequest<'_> = call.header()?;
    let boundary = match request.boundary {
        Boundary::Lower => TimeBoundary::Lower,
        Boundary::Upper => TimeBoundary::Upper,
    };
    let found = call.broker().search_offset(&request.topic, request.queue_id, request.timestamp, boundary);
    let offset = found.map_err(|error| errors::read(&error))?;
    call.answer(&OffsetResponse { offset })
}

fn max(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: MaxOffsetRequest<'_> = call.header()?;
    let offset = call.broker().queue_bounds(&request.topic, request.queue_id).end;
    call.answer(&OffsetResponse { offset })
}

fn min(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: MinOffsetRequest<'_> = call.header()?;
    let offset = call.broker().queue_bounds(&request.topic, request.queue_id).start;
    call.answer(&OffsetResponse { offset })
}

fn earliest_store_time(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: EarliestStoreTimeRequest<'_> = call.header()?;
    let timestamp = call.broker().earliest_store_time(&request.topic, request.queue_id).unwrap_or(-1);
    call.answer(&EarliestStoreTimeResponse { timestamp })
}

/// The text of consumerOffset.json, as replicas and backups ask for it.
fn all(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let text = call.broker().committed_offsets_json();
    let text = text.map_err(|error| Refusal::new(ResponseCode::SYSTEM_ERROR, error.to_string()))?;
    call.reply.write(ResponseCode::SUCCESS, None, &mut vec![text.into()], |_| {});
    Ok(Answer::Done)
}
