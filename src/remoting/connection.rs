//! Who is connected and subscribes what: GET_CONSUMER_CONNECTION_LIST (203), GET_PRODUCER_CONNECTION_LIST (204),
//! QUERY_TOPIC_CONSUME_BY_WHO (300), GET_ALL_PRODUCER_INFO (328), QUERY_TOPICS_BY_CONSUMER (343),
//! QUERY_SUBSCRIPTION_BY_CONSUMER (345).
//!
//! Groups of Kafka members are shown like native ones; their language is OTHER, their version none that RocketMQ has.
//! Source: RocketMQ 5.3.3 `AdminBrokerProcessor.java`.

use gantry_protocols::remoting::bodies::client::{Connection, ConsumerConnection, ProducerConnection};
use gantry_protocols::remoting::bodies::group::GroupList;
use gantry_protocols::remoting::bodies::heartbeat::{self as body, SubscriptionData, TagCode};
use gantry_protocols::remoting::bodies::progress::{
    ProducerInfo, ProducerTableInfo, QuerySubscriptionResponseBody,
};
use gantry_protocols::remoting::bodies::topic::TopicList;
use gantry_protocols::remoting::headers::client::{ConsumerGroupRequest, ProducerConnectionRequest};
use gantry_protocols::remoting::headers::consumer_admin::TopicOfGroupRequest;
use gantry_protocols::remoting::headers::group::SubscriptionGroupRequest;
use gantry_protocols::remoting::headers::topic::TopicRequest;
use gantry_protocols::remoting::{Language, RequestCode, ResponseCode};

use super::call::{Answer, Call, Refusal};
use super::{Lane, Route};
use crate::broker::connections::ClientConnection;
use crate::semantics::subscriptions::{ConsumeFrom, ConsumeType, MessageModel, Subscription};

pub(super) const ROUTES: &[Route] = &[
    Route::new(RequestCode::GET_CONSUMER_CONNECTION_LIST, Lane::Admin, consumers),
    Route::new(RequestCode::GET_PRODUCER_CONNECTION_LIST, Lane::Admin, producers),
    Route::new(RequestCode::QUERY_TOPIC_CONSUME_BY_WHO, Lane::Admin, groups_of_topic),
    Route::new(RequestCode::GET_ALL_PRODUCER_INFO, Lane::Admin, all_producers),
    Route::new(RequestCode::QUERY_TOPICS_BY_CONSUMER, Lane::Admin, topics_of_group),
    Route::new(RequestCode::QUERY_SUBSCRIPTION_BY_CONSUMER, Lane::Admin, subscription_of_group),
];

/// A version above all that RocketMQ has: tools print HIGHER_VERSION.
const NO_VERSION: i32 = i32::MAX;

fn consumers(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: ConsumerGroupRequest<'_> = call.header()?;
    let group = &request.consumer_group;
    let offline =
        || Refusal::new(ResponseCode::CONSUMER_NOT_ONLINE, format!("the consumer group[{group}] not online"));
    let found = call.broker().consumer_connections(group).ok_or_else(offline)?;
    let table = found.subscriptions.iter().map(|one| (one.topic.to_string(), subscription(one)));
    let answer = ConsumerConnection {
        connection_set: found.connections.iter().map(connection).collect(),
        consume_from_where: match found.consume_from {
            ConsumeFrom::LastOffset => body::ConsumeFromWhere::LastOffset,
            ConsumeFrom::FirstOffset => body::ConsumeFromWhere::FirstOffset,
            ConsumeFrom::Timestamp => body::ConsumeFromWhere::Timestamp,
        },
        consume_type: match found.consume_type {
            ConsumeType::Actively => body::ConsumeType::Actively,
            ConsumeType::Passively => body::ConsumeType::Passively,
            ConsumeType::Pop => body::ConsumeType::Pop,
        },
        message_model: match found.message_model {
            MessageModel::Clustering => body::MessageModel::Clustering,
            MessageModel::Broadcasting => body::MessageModel::Broadcasting,
        },
        subscription_table: table.collect(),
    };
    call.answer_json(&answer)
}

fn producers(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: ProducerConnectionRequest<'_> = call.header()?;
    let group = &request.producer_group;
    let unknown =
        || Refusal::new(ResponseCode::SYSTEM_ERROR, format!("the producer group[{group}] not exist"));
    let found = call.broker().producer_connections(group).ok_or_else(unknown)?;
    call.answer_json(&ProducerConnection { connection_set: found.iter().map(connection).collect() })
}

fn all_producers(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let detail = |one: &ClientConnection| ProducerInfo {
        client_id: one.client_id.to_string(),
        language: language(one).to_owned(),
        last_update_timestamp: one.last_heartbeat.0,
        remote_ip: one.address.clone(),
        version: version(one),
    };
    let groups = call.broker().all_producers().into_iter();
    let data = groups.map(|(group, all)| (group.to_string(), all.iter().map(detail).collect()));
    call.answer_json(&ProducerTableInfo { data: data.collect() })
}

fn groups_of_topic(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: TopicRequest<'_> = call.header()?;
    let group_list = call.broker().groups_of_topic(&request.topic);
    call.answer_json(&GroupList { group_list })
}

fn topics_of_group(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: SubscriptionGroupRequest<'_> = call.header()?;
    let topics = call.broker().committed_topics(&request.group);
    let local = call.reply.mailbox.local();
    call.answer_json(&TopicList {
        broker_addr: Some(local.to_string()),
        topic_list: topics.into_keys().collect(),
    })
}

fn subscription_of_group(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: TopicOfGroupRequest<'_> = call.header()?;
    let found = call.broker().subscription(&request.group, &request.topic);
    call.answer_json(&QuerySubscriptionResponseBody {
        group: request.group.to_string(),
        subscription_data: found.as_ref().map(subscription),
        topic: request.topic.to_string(),
    })
}

fn connection(one: &ClientConnection) -> Connection {
    Connection {
        client_addr: one.address.clone(),
        client_id: one.client_id.to_string(),
        language: language(one).to_owned(),
        version: version(one),
    }
}

fn language(one: &ClientConnection) -> &'static str {
    one.language.map_or(Language::OTHER, Language).name()
}

fn version(one: &ClientConnection) -> i32 {
    if one.language.is_some() { one.version } else { NO_VERSION }
}

fn subscription(one: &Subscription) -> SubscriptionData {
    SubscriptionData {
        class_filter_mode: one.is_class_filter,
        code_set: one.codes.iter().map(|code| TagCode(*code)).collect(),
        expression_type: one.expression_type.to_string(),
        sub_string: one.expression.to_string(),
        sub_version: one.sub_version,
        tags_set: one.tags.iter().map(|tag| tag.to_string()).collect(),
        topic: one.topic.to_string(),
        filter_class_source: None,
    }
}
