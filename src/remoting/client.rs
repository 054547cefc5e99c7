//! Clients: HEART_BEAT (34), UNREGISTER_CLIENT (35), GET_CONSUMER_LIST_BY_GROUP (38), CHECK_CLIENT_CONFIG (46).
//!
//! A heartbeat counts at once: a push consumer asks for its group's list right after the first one and pulls
//! only when it finds itself there. A group without consumers is an error and never an empty list, by which
//! clients would drop their queues.
//! Source: RocketMQ 5.3.3 `broker/processor/ClientManageProcessor.java`, `ConsumerManageProcessor.java`.

use std::sync::Arc;

use gantry_protocols::remoting::bodies::client::{CheckClientRequest, ConsumerIdList};
use gantry_protocols::remoting::bodies::heartbeat::{self as body, HeartbeatData, SubscriptionData};
use gantry_protocols::remoting::headers::client::{
    ConsumerGroupRequest, HeartbeatResponse, UnregisterClientRequest,
};
use gantry_protocols::remoting::{RequestCode, ResponseCode};

use super::call::{Answer, Call, Refusal};
use super::{Lane, Route};
use crate::broker::clients::Heartbeat;
use crate::semantics::subscriptions::{ConsumeFrom, ConsumeType, ConsumerData, MessageModel, Subscription};
use crate::semantics::topic_names::check_native_group;

pub(super) const ROUTES: &[Route] = &[
    Route::new(RequestCode::HEART_BEAT, Lane::Client, heartbeat),
    Route::new(RequestCode::UNREGISTER_CLIENT, Lane::Client, unregister),
    Route::new(RequestCode::GET_CONSUMER_LIST_BY_GROUP, Lane::Client, consumer_ids),
    Route::new(RequestCode::CHECK_CLIENT_CONFIG, Lane::Client, check_config),
];

fn heartbeat(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let data: HeartbeatData = call.json_body()?;
    // Each consumer group gets a retry topic of its name.
    for consumer in &data.consumer_data_set {
        check_native_group(&consumer.group_name).map_err(|error| {
            let remark = format!("consumer group `{}` cannot be used: {error}", consumer.group_name);
            Refusal::new(ResponseCode::INVALID_PARAMETER, remark)
        })?;
    }
    let beat = Heartbeat {
        client_id: data.client_id.into(),
        language: call.view.language.0,
        version: call.view.version,
        producers: data.producer_data_set.into_iter().map(|producer| producer.group_name.into()).collect(),
        consumers: data.consumer_data_set.into_iter().map(consumer).collect(),
        fingerprint: data.heartbeat_fingerprint,
        without_sub: data.without_sub,
    };
    let answer = call.broker().heartbeat(beat, call.reply.mailbox, call.reply.now);
    call.answer(&HeartbeatResponse {
        supports_v2: Some(true),
        subscription_changed: Some(answer.is_sub_changed),
    })
}

fn consumer(data: body::ConsumerData) -> ConsumerData {
    ConsumerData {
        group: data.group_name.into(),
        consume_type: match data.consume_type {
            body::ConsumeType::Actively => ConsumeType::Actively,
            body::ConsumeType::Pop => ConsumeType::Pop,
            body::ConsumeType::Passively | body::ConsumeType::Other(_) => ConsumeType::Passively,
        },
        message_model: match data.message_model {
            body::MessageModel::Broadcasting => MessageModel::Broadcasting,
            body::MessageModel::Clustering | body::MessageModel::Other(_) => MessageModel::Clustering,
        },
        consume_from: match data.consume_from_where {
            body::ConsumeFromWhere::FirstOffset => ConsumeFrom::FirstOffset,
            body::ConsumeFromWhere::Timestamp => ConsumeFrom::Timestamp,
            _ => ConsumeFrom::LastOffset,
        },
        subscriptions: data.subscription_data_set.into_iter().map(subscription).collect(),
    }
}

fn subscription(data: SubscriptionData) -> Subscription {
    Subscription {
        topic: data.topic.into(),
        expression: data.sub_string.into(),
        expression_type: data.expression_type.into(),
        tags: data.tags_set.into_iter().map(Arc::from).collect(),
        codes: data.code_set.into_iter().map(|code| code.0).collect(),
        sub_version: data.sub_version,
        is_class_filter: data.class_filter_mode,
    }
}

/// The calling connection leaves; the client id in the request names nobody else.
fn unregister(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: UnregisterClientRequest<'_> = call.header()?;
    let (producer_group, consumer_group) =
        (request.producer_group.as_deref(), request.consumer_group.as_deref());
    let connection = call.reply.mailbox.id();
    call.broker().unregister(connection, producer_group, consumer_group, call.reply.now);
    call.success()
}

fn consumer_ids(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: ConsumerGroupRequest<'_> = call.header()?;
    let consumer_id_list = call.broker().consumer_ids(&request.consumer_group);
    if consumer_id_list.is_empty() {
        let remark = format!("no consumer for this group, {}", request.consumer_group);
        return Err(Refusal::new(ResponseCode::SYSTEM_ERROR, remark));
    }
    call.answer_json(&ConsumerIdList { consumer_id_list })
}

/// A consumer asks at its start whether its expression will do; only other kinds than tags are looked at.
fn check_config(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: CheckClientRequest = call.json_body()?;
    let kind = &request.subscription_data.expression_type;
    if kind.is_empty() || kind == "TAG" {
        return call.success();
    }
    let remark = format!("The broker does not support consumer to filter message by {kind}");
    Err(Refusal::new(ResponseCode::SYSTEM_ERROR, remark))
}
