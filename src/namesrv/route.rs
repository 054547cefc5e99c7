//! Where a topic is: GET_ROUTEINFO_BY_TOPIC (105).
//!
//! Producers ask for `TBW102` when their topic is not there, and create it by sending to the brokers of that
//! route. Keys of the answer are always quoted, whatever `acceptStandardJsonOnly` says: every client reads that.
//! Source: RocketMQ 5.3.3 `namesrv/processor/ClientRequestProcessor.java`, `ZoneRouteRPCHook.java`.

use gantry_protocols::remoting::headers::route::RouteRequest;
use gantry_protocols::remoting::{RequestCode, ResponseCode};

use super::bodies::route_body;
use super::call::{Answer, Call, Refusal};
use super::{Lane, Route};

pub(super) const ROUTES: &[Route] = &[Route::new(RequestCode::GET_ROUTEINFO_BY_TOPIC, Lane::Client, route)];

fn route(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: RouteRequest<'_> = call.header()?;
    let found = call.server.route(&request.topic, call.asked_at);
    let mut route = found.ok_or_else(|| not_found(&request.topic))?;
    if let (Some(true), Some(zone)) = (request.zone_mode, &request.zone_name) {
        route = route.in_zone(zone);
    }
    let order = call.server.order_of(&request.topic);
    call.answer_json(&route_body(route, order))
}

fn not_found(topic: &str) -> Refusal {
    let remark = format!(
        "No topic route info in name server for the topic: {topic}\n\
         See whether its broker runs and is registered here, and create the topic or let sending create it."
    );
    Refusal::new(ResponseCode::TOPIC_NOT_EXIST, remark)
}
