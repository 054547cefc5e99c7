//! Settings of consumer groups: UPDATE_AND_CREATE_SUBSCRIPTIONGROUP (200), GET_ALL_SUBSCRIPTIONGROUP_CONFIG (201),
//! DELETE_SUBSCRIPTIONGROUP (207), UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST (225), GET_SUBSCRIPTIONGROUP_CONFIG (352).
//!
//! Source: RocketMQ 5.3.3 `AdminBrokerProcessor.java`.

use std::sync::Arc;

use gantry_protocols::remoting::bodies::group::{
    self as body, SubscriptionGroupConfig, SubscriptionGroupList, SubscriptionGroupTable,
};
use gantry_protocols::remoting::bodies::topic::DataVersion;
use gantry_protocols::remoting::headers::group::{
    AllSubscriptionGroupRequest, AllSubscriptionGroupResponse, DeleteSubscriptionGroupRequest,
    SubscriptionGroupRequest,
};
use gantry_protocols::remoting::{RequestCode, ResponseCode};

use super::call::{Answer, Call, Refusal};
use super::{Lane, Route, errors};
use crate::broker::group_settings::AllSettings;
use crate::semantics::subscription_groups::{
    ExponentialDelays, FixedSubscription, GroupSettings, RetryKind, RetryPolicy,
};

pub(super) const ROUTES: &[Route] = &[
    Route::new(RequestCode::UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, Lane::Admin, update),
    Route::new(RequestCode::GET_ALL_SUBSCRIPTIONGROUP_CONFIG, Lane::Admin, all),
    Route::new(RequestCode::DELETE_SUBSCRIPTIONGROUP, Lane::Admin, delete),
    Route::new(RequestCode::UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST, Lane::Admin, update_list),
    Route::new(RequestCode::GET_SUBSCRIPTIONGROUP_CONFIG, Lane::Admin, one),
];

fn update(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let config: SubscriptionGroupConfig = call.json_body()?;
    put(call, vec![config])
}

fn update_list(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let list: SubscriptionGroupList = call.json_body()?;
    put(call, list.group_config_list)
}

fn put(call: &mut Call<'_>, configs: Vec<SubscriptionGroupConfig>) -> Result<Answer, Refusal> {
    let all = configs.into_iter().map(settings).collect();
    let put = call.broker().put_group_settings(all, call.reply.now);
    call.success_when(put.map_err(|error| errors::settings(&error))?)
}

fn one(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: SubscriptionGroupRequest<'_> = call.header()?;
    let missing = || Refusal::new(ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST, "No group in this broker");
    let found = call.broker().shown_group_settings(&request.group).ok_or_else(missing)?;
    call.answer_json(&config(&found))
}

/// Everything, or the page of `maxGroupNum` groups that begins at `groupSeq`, sorted by name. A page of a table that
/// changed since is the first one.
fn all(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: AllSubscriptionGroupRequest<'_> = call.header()?;
    let mut all = call.broker().all_group_settings();
    let header =
        AllSubscriptionGroupResponse { total_group_num: i32::try_from(all.groups.len()).unwrap_or(i32::MAX) };
    if let (Some(from), Some(most)) = (request.group_seq, request.max_group_num) {
        let known = request.data_version.as_deref().and_then(|text| serde_json::from_str(text).ok());
        let is_known = known.is_some_and(|known: DataVersion| known == version(&all));
        page(&mut all, if is_known { from } else { 0 }, most);
    }
    call.answer_with(&header, &table(all))
}

fn page(all: &mut AllSettings, from: i32, most: i32) {
    let count = |number: i32| usize::try_from(number).unwrap_or(0);
    all.groups.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    let groups = std::mem::take(&mut all.groups);
    all.groups = groups.into_iter().skip(count(from)).take(count(most)).collect();
    let shown = |name: &String| all.groups.iter().any(|group| *group.name == **name);
    all.forbidden.retain(|name, _| shown(name));
}

fn delete(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: DeleteSubscriptionGroupRequest<'_> = call.header()?;
    let group = &request.group_name;
    let removed = call.broker().remove_group(group, request.clean_offset, call.reply.now);
    call.success_when(removed.map_err(|error| errors::commit(&error))?)
}

fn version(all: &AllSettings) -> DataVersion {
    DataVersion {
        counter: all.version.counter,
        state_version: all.version.state_version,
        timestamp: all.version.timestamp.0,
    }
}

fn table(all: AllSettings) -> SubscriptionGroupTable {
    SubscriptionGroupTable {
        data_version: version(&all),
        subscription_group_table: all
            .groups
            .iter()
            .map(|group| (group.name.to_string(), config(group)))
            .collect(),
        forbidden_table: all.forbidden,
    }
}

fn config(group: &GroupSettings) -> SubscriptionGroupConfig {
    SubscriptionGroupConfig {
        attributes: group.attributes.clone(),
        broker_id: group.broker_id,
        consume_broadcast_enable: group.consume_broadcast_enable,
        consume_enable: group.consume_enable,
        consume_from_min_enable: group.consume_from_min_enable,
        consume_message_orderly: group.consume_message_orderly,
        consume_timeout_minute: group.consume_timeout_minutes,
        group_name: group.name.to_string(),
        group_retry_policy: policy_body(&group.retry_policy),
        group_sys_flag: group.sys_flag,
        notify_consumer_ids_changed_enable: group.notify_consumer_ids_changed,
        retry_max_times: group.retry_max,
        retry_queue_nums: group.retry_queues,
        subscription_data_set: group.subscriptions.as_ref().map(|all| {
            let one = |one: &FixedSubscription| body::SimpleSubscription {
                expression: one.expression.clone(),
                expression_type: one.expression_type.clone(),
                topic: one.topic.clone(),
                version: one.version,
            };
            all.iter().map(one).collect()
        }),
        which_broker_when_consume_slowly: group.slow_broker_id,
    }
}

fn policy_body(policy: &RetryPolicy) -> body::GroupRetryPolicy {
    let kind = match policy.kind {
        RetryKind::Customized => "CUSTOMIZED",
        RetryKind::Exponential => "EXPONENTIAL",
    };
    body::GroupRetryPolicy {
        customized_retry_policy: policy.customized.clone().map(|next| body::CustomizedRetryPolicy { next }),
        exponential_retry_policy: policy.exponential.map(|ExponentialDelays { initial, max, multiplier }| {
            body::ExponentialRetryPolicy { initial, max, multiplier }
        }),
        kind: kind.to_owned(),
    }
}

fn settings(config: SubscriptionGroupConfig) -> GroupSettings {
    let policy = config.group_retry_policy;
    let kind = if policy.kind == "EXPONENTIAL" { RetryKind::Exponential } else { RetryKind::Customized };
    let fixed = |one: body::SimpleSubscription| FixedSubscription {
        topic: one.topic,
        expression_type: one.expression_type,
        expression: one.expression,
        version: one.version,
    };
    GroupSettings {
        name: Arc::from(config.group_name),
        consume_enable: config.consume_enable,
        consume_from_min_enable: config.consume_from_min_enable,
        consume_broadcast_enable: config.consume_broadcast_enable,
        consume_message_orderly: config.consume_message_orderly,
        retry_queues: config.retry_queue_nums,
        retry_max: config.retry_max_times,
        retry_policy: RetryPolicy {
            kind,
            customized: policy.customized_retry_policy.map(|customized| customized.next),
            exponential: policy.exponential_retry_policy.map(
                |body::ExponentialRetryPolicy { initial, max, multiplier }| ExponentialDelays {
                    initial,
                    max,
                    multiplier,
                },
            ),
        },
        broker_id: config.broker_id,
        slow_broker_id: config.which_broker_when_consume_slowly,
        notify_consumer_ids_changed: config.notify_consumer_ids_changed_enable,
        sys_flag: config.group_sys_flag,
        consume_timeout_minutes: config.consume_timeout_minute,
        subscriptions: config.subscription_data_set.map(|all| all.into_iter().map(fixed).collect()),
        attributes: config.attributes,
    }
}
