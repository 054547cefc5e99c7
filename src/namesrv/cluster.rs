//! What there is: GET_BROKER_CLUSTER_INFO (106), GET_ALL_TOPIC_LIST_FROM_NAMESERVER (206),
//! DELETE_TOPIC_IN_NAMESRV (216), GET_TOPICS_BY_CLUSTER (224), GET_SYSTEM_TOPIC_LIST_FROM_NS (304),
//! GET_BROKER_MEMBER_GROUP (901).
//!
//! Topics of the broker in this process are gone from here as soon as they are deleted there.
//! Source: RocketMQ 5.3.3 `namesrv/processor/DefaultRequestProcessor.java`, `RouteInfoManager.java`.

use gantry_protocols::remoting::bodies::route::{BrokerMemberGroup, BrokerMemberGroupResponse, ClusterInfo};
use gantry_protocols::remoting::headers::broker::BrokerMemberGroupRequest;
use gantry_protocols::remoting::headers::route::TopicsByClusterRequest;
use gantry_protocols::remoting::headers::topic::DeleteTopicInNamesrvRequest;
use gantry_protocols::remoting::{RequestCode, ResponseCode};

use super::bodies::{broker_body, topic_list};
use super::call::{Answer, Call, Refusal};
use super::{Lane, Route};

pub(super) const ROUTES: &[Route] = &[
    Route::new(RequestCode::GET_BROKER_CLUSTER_INFO, Lane::Admin, clusters),
    Route::new(RequestCode::GET_ALL_TOPIC_LIST_FROM_NAMESERVER, Lane::Admin, topics),
    Route::new(RequestCode::DELETE_TOPIC_IN_NAMESRV, Lane::Admin, delete_topic),
    Route::new(RequestCode::GET_TOPICS_BY_CLUSTER, Lane::Admin, topics_of_cluster),
    Route::new(RequestCode::GET_SYSTEM_TOPIC_LIST_FROM_NS, Lane::Admin, system_topics),
    Route::new(RequestCode::GET_BROKER_MEMBER_GROUP, Lane::Broker, members),
];

fn clusters(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let brokers = call.server.brokers(call.asked_at);
    let clusters = call.server.clusters();
    call.answer_json(&ClusterInfo {
        broker_addr_table: brokers.iter().map(|(name, data)| (name.to_string(), broker_body(data))).collect(),
        cluster_addr_table: clusters
            .iter()
            .map(|(cluster, names)| {
                (cluster.to_string(), names.iter().map(|name| name.to_string()).collect())
            })
            .collect(),
    })
}

fn topics(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    demand(call.server.switches().all_topic_list)?;
    let topics = call.server.topics();
    call.answer_json(&topic_list(&topics, None))
}

fn delete_topic(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: DeleteTopicInNamesrvRequest<'_> = call.header()?;
    call.server.delete_topic(&request.topic, request.cluster_name.as_deref().filter(|name| !name.is_empty()));
    call.success()
}

fn topics_of_cluster(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    demand(call.server.switches().topic_list)?;
    let request: TopicsByClusterRequest<'_> = call.header()?;
    let topics = call.server.topics_of_cluster(&request.cluster);
    call.answer_json(&topic_list(&topics, None))
}

/// The names of clusters and brokers, which are topics too, and some broker to ask further.
fn system_topics(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    demand(call.server.switches().topic_list)?;
    let clusters = call.server.clusters();
    let brokers = call.server.brokers(call.asked_at);
    let some_address = brokers.values().find_map(|data| data.addresses.values().next());
    let names = clusters.iter().flat_map(|(cluster, names)| std::iter::once(cluster).chain(names));
    call.answer_json(&topic_list(names, some_address.map(|address| address.to_string())))
}

/// What a list that is switched off is answered with.
pub(super) fn demand(is_enabled: bool) -> Result<(), Refusal> {
    if is_enabled { Ok(()) } else { Err(Refusal::new(ResponseCode::SYSTEM_ERROR, "disable")) }
}

fn members(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: BrokerMemberGroupRequest<'_> = call.header()?;
    let members = call.server.members(&request.cluster_name, &request.broker_name, call.asked_at);
    let broker_addrs = members.as_ref().map(|data| broker_body(data).broker_addrs).unwrap_or_default();
    call.answer_json(&BrokerMemberGroupResponse {
        broker_member_group: BrokerMemberGroup {
            broker_addrs,
            broker_name: request.broker_name.into_owned(),
            cluster: request.cluster_name.into_owned(),
        },
    })
}
