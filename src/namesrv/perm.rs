//! Write permission of a whole broker: WIPE_WRITE_PERM_OF_BROKER (205), ADD_WRITE_PERM_OF_BROKER (327).
//!
//! Producers leave a broker without it within 30 s, which empties it before maintenance; consumers stay.
//! Source: RocketMQ 5.3.3 `namesrv/routeinfo/RouteInfoManager.java`.

use bytes::Bytes;
use gantry_protocols::remoting::RequestCode;
use gantry_protocols::remoting::headers::route::{
    AddWritePermResponse, WipeWritePermResponse, WritePermRequest,
};

use super::call::{Answer, Call, Refusal};
use super::{Lane, Route};

pub(super) const ROUTES: &[Route] = &[
    Route::new(RequestCode::WIPE_WRITE_PERM_OF_BROKER, Lane::Admin, wipe),
    Route::new(RequestCode::ADD_WRITE_PERM_OF_BROKER, Lane::Admin, add),
];

fn wipe(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: WritePermRequest<'_> = call.header()?;
    let wipe_topic_count = count(call.server.wipe_write_perm(&request.broker_name));
    call.answer(&WipeWritePermResponse { wipe_topic_count }, Bytes::new())
}

fn add(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: WritePermRequest<'_> = call.header()?;
    let add_topic_count = count(call.server.add_write_perm(&request.broker_name));
    call.answer(&AddWritePermResponse { add_topic_count }, Bytes::new())
}

fn count(topics: usize) -> i32 {
    i32::try_from(topics).unwrap_or(i32::MAX)
}
