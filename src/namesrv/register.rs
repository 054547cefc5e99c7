//! Brokers of other processes: REGISTER_BROKER (103), UNREGISTER_BROKER (104), QUERY_DATA_VERSION (322),
//! BROKER_HEARTBEAT (904), REGISTER_TOPIC_IN_NAMESRV (217).
//!
//! A registration lives until its time is up, its connection closes, or the broker takes it back. Its body names
//! every topic of the broker; it is guarded by a CRC-32 that 0 leaves out.
//! Source: RocketMQ 5.3.3 `namesrv/processor/DefaultRequestProcessor.java`.

use std::sync::Arc;

use bytes::Bytes;
use gantry_protocols::remoting::bodies::encode;
use gantry_protocols::remoting::bodies::register::RegisterBrokerBody;
use gantry_protocols::remoting::bodies::route::TopicRouteData;
use gantry_protocols::remoting::bodies::table::KvTable;
use gantry_protocols::remoting::bodies::topic::DataVersion;
use gantry_protocols::remoting::headers::Text;
use gantry_protocols::remoting::headers::broker::{
    BrokerHeartbeatRequest, BrokerIdentityRequest, QueryDataVersionResponse, RegisterBrokerRequest,
    RegisterBrokerResponse,
};
use gantry_protocols::remoting::headers::route::RegisterTopicRequest;
use gantry_protocols::remoting::{RequestCode, ResponseCode};

use super::bodies::{queues_of, queues_on, version_body, version_of};
use tracing::warn;

use super::call::{Answer, Call, Refusal};
use super::{Lane, Route};
use crate::semantics::routes::Registration;

pub(super) const ROUTES: &[Route] = &[
    Route::new(RequestCode::REGISTER_BROKER, Lane::Broker, register),
    Route::new(RequestCode::UNREGISTER_BROKER, Lane::Broker, unregister),
    Route::new(RequestCode::QUERY_DATA_VERSION, Lane::Broker, query_data_version),
    Route::new(RequestCode::BROKER_HEARTBEAT, Lane::Broker, heartbeat),
    Route::new(RequestCode::REGISTER_TOPIC_IN_NAMESRV, Lane::Broker, register_topic),
];

fn register(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: RegisterBrokerRequest<'_> = call.header()?;
    let crc = u32::from_ne_bytes(request.body_crc32.to_ne_bytes());
    if crc != 0 && crc & CRC_MASK != crc32fast::hash(call.body) & CRC_MASK {
        return Err(Refusal::new(ResponseCode::SYSTEM_ERROR, "crc32 not match"));
    }
    let identity = [&request.cluster_name, &request.broker_name, &request.broker_addr];
    if !identity.into_iter().all(|name| is_name(name)) {
        let remark = "clusterName, brokerName and brokerAddr have to be 1 to 255 characters without control characters";
        return Err(Refusal::new(ResponseCode::INVALID_PARAMETER, remark));
    }
    let body = RegisterBrokerBody::decode(call.body, request.compressed)?;
    let registered = call.server.register(call.now, registration(call, request, body));
    let registered =
        registered.map_err(|error| Refusal::new(ResponseCode::SYSTEM_ERROR, error.to_string()))?;
    let header = RegisterBrokerResponse {
        ha_server_addr: named(&registered.ha_address),
        master_addr: named(&registered.master_address),
    };
    let orders = call.server.orders().map(|table| encode(&KvTable { table })).transpose()?;
    call.answer(&header, orders.unwrap_or_default())
}

/// What names a cluster, a broker, its address or a topic; anything may be registered otherwise, as in the original.
fn is_name(name: &str) -> bool {
    (1..=NAME_MAX).contains(&name.len()) && !name.chars().any(char::is_control)
}

/// Longest name that fits RocketMQ's formats.
const NAME_MAX: usize = 255;

/// Java's `UtilAll.crc32` clears the sign.
const CRC_MASK: u32 = 0x7fff_ffff;

fn named(address: &str) -> Option<Text<'_>> {
    (!address.is_empty()).then_some(Text::Borrowed(address))
}

fn registration(
    call: &Call<'_>,
    request: RegisterBrokerRequest<'_>,
    body: RegisterBrokerBody,
) -> Registration {
    let wrapper = body.topic_config_serialize_wrapper;
    let topics: Vec<_> = wrapper
        .topic_config_table
        .iter()
        .filter(|(name, _)| is_name(name))
        .map(|(name, config)| (Arc::from(name.as_str()), queues_of(config)))
        .collect();
    let unnamed = wrapper.topic_config_table.len() - topics.len();
    if unnamed != 0 {
        warn!(broker = %request.broker_name, unnamed, "topics of a broker are left out: no client could name them");
    }
    Registration {
        cluster: request.cluster_name.as_ref().into(),
        broker: request.broker_name.as_ref().into(),
        broker_id: request.broker_id,
        address: request.broker_addr.as_ref().into(),
        ha_address: request.ha_server_addr.as_ref().into(),
        zone: request.zone_name.as_deref().map(Arc::from),
        timeout_ms: request.heartbeat_timeout_millis,
        enable_acting_master: request.enable_acting_master,
        connection: call.connection,
        data_version: version_of(wrapper.data_version),
        topics,
        filter_servers: body.filter_server_list.iter().map(|one| Arc::from(one.as_str())).collect(),
    }
}

fn unregister(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: BrokerIdentityRequest<'_> = call.header()?;
    call.server.unregister(&request.cluster_name, &request.broker_addr, &request.broker_name);
    call.success()
}

/// An unknown broker is told that its topics changed, so that it registers.
fn query_data_version(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: BrokerIdentityRequest<'_> = call.header()?;
    let asked = version_of(call.json_body::<DataVersion>()?);
    let known = call.server.query_data_version(call.now, &request.cluster_name, &request.broker_addr, asked);
    let body = known.map(|known| encode(&version_body(known))).transpose()?;
    call.answer(&QueryDataVersionResponse { changed: known != Some(asked) }, body.unwrap_or(Bytes::new()))
}

fn heartbeat(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: BrokerHeartbeatRequest<'_> = call.header()?;
    call.server.broker_heartbeat(call.now, &request.cluster_name, &request.broker_addr);
    call.success()
}

/// One topic, between two registrations of its brokers. Unlike the original it says when it did nothing.
fn register_topic(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: RegisterTopicRequest<'_> = call.header()?;
    let route: TopicRouteData = call.json_body()?;
    let queues = route.queue_datas.iter().map(|one| (Arc::from(one.broker_name.as_str()), queues_on(one)));
    if !is_name(&request.topic) || !call.server.register_topic(&request.topic, queues.collect()) {
        let remark =
            "nothing registered: a topic and the queues of brokers that are registered here are needed";
        return Err(Refusal::new(ResponseCode::INVALID_PARAMETER, remark));
    }
    call.success()
}
