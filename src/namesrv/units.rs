//! Topics of units: GET_UNIT_TOPIC_LIST (311), GET_HAS_UNIT_SUB_TOPIC_LIST (312),
//! GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST (313).
//!
//! A unit is a part of an application that runs in several places; its clients mark topics that they make or
//! subscribe. Source: RocketMQ 5.3.3 `namesrv/routeinfo/RouteInfoManager.java`.

use gantry_protocols::remoting::RequestCode;

use super::bodies::topic_list;
use super::call::{Answer, Call, Refusal};
use super::cluster::demand;
use super::{Lane, Route};
use crate::semantics::routes::UnitTopics;

pub(super) const ROUTES: &[Route] = &[
    Route::new(RequestCode::GET_UNIT_TOPIC_LIST, Lane::Admin, made),
    Route::new(RequestCode::GET_HAS_UNIT_SUB_TOPIC_LIST, Lane::Admin, subscribed),
    Route::new(RequestCode::GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST, Lane::Admin, subscribed_only),
];

fn made(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    list(call, UnitTopics::Made)
}

fn subscribed(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    list(call, UnitTopics::Subscribed)
}

fn subscribed_only(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    list(call, UnitTopics::SubscribedOnly)
}

fn list(call: &mut Call<'_>, kind: UnitTopics) -> Result<Answer, Refusal> {
    demand(call.server.switches().topic_list)?;
    let topics = call.server.unit_topics(kind);
    call.answer_json(&topic_list(&topics, None))
}
