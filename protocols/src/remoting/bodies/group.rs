//! Bodies about consumer groups: settings of one (200, 352), of several (225), of all (201).
//!
//! Source: RocketMQ 5.3.3 `protocol/subscription/SubscriptionGroupConfig.java`, `GroupRetryPolicy.java`,
//! `protocol/body/SubscriptionGroupWrapper.java`.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::topic::DataVersion;

/// Settings of a consumer group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SubscriptionGroupConfig {
    /// Attributes of the group.
    pub attributes: IndexMap<String, String>,
    /// Broker to read from first; 0 is the master.
    pub broker_id: i64,
    /// Whether broadcasting is allowed.
    pub consume_broadcast_enable: bool,
    /// Whether consuming is allowed.
    pub consume_enable: bool,
    /// Whether a new group may begin at the smallest offset.
    pub consume_from_min_enable: bool,
    /// Whether the group consumes in order.
    pub consume_message_orderly: bool,
    /// Minutes a message may take.
    pub consume_timeout_minute: i32,
    /// The group.
    pub group_name: String,
    /// How long to wait before each retry.
    pub group_retry_policy: GroupRetryPolicy,
    /// Bits of the group: 1 unit.
    pub group_sys_flag: i32,
    /// Whether members hear of each other's coming and going.
    pub notify_consumer_ids_changed_enable: bool,
    /// Retries before the DLQ.
    pub retry_max_times: i32,
    /// Queues of the retry topic.
    pub retry_queue_nums: i32,
    /// Subscriptions the group is confined to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription_data_set: Option<Vec<SimpleSubscription>>,
    /// Broker to read from when the master is behind.
    pub which_broker_when_consume_slowly: i64,
}

impl Default for SubscriptionGroupConfig {
    fn default() -> Self {
        Self {
            attributes: IndexMap::new(),
            broker_id: 0,
            consume_broadcast_enable: true,
            consume_enable: true,
            consume_from_min_enable: true,
            consume_message_orderly: false,
            consume_timeout_minute: 15,
            group_name: String::new(),
            group_retry_policy: GroupRetryPolicy::default(),
            group_sys_flag: 0,
            notify_consumer_ids_changed_enable: true,
            retry_max_times: 16,
            retry_queue_nums: 1,
            subscription_data_set: None,
            which_broker_when_consume_slowly: 1,
        }
    }
}

/// A subscription that a group is confined to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SimpleSubscription {
    /// The filter.
    pub expression: String,
    /// `TAG` or `SQL92`.
    pub expression_type: String,
    /// The topic.
    pub topic: String,
    /// Rises with every change.
    pub version: i64,
}

/// How long to wait before each retry of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GroupRetryPolicy {
    /// Delays one by one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customized_retry_policy: Option<CustomizedRetryPolicy>,
    /// Delays that grow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exponential_retry_policy: Option<ExponentialRetryPolicy>,
    /// `CUSTOMIZED` or `EXPONENTIAL`.
    #[serde(rename = "type")]
    pub kind: String,
}

impl Default for GroupRetryPolicy {
    fn default() -> Self {
        let kind = "CUSTOMIZED".to_owned();
        Self { customized_retry_policy: None, exponential_retry_policy: None, kind }
    }
}

/// Delays one by one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CustomizedRetryPolicy {
    /// Milliseconds before each retry.
    pub next: Vec<i64>,
}

/// Delays that grow by a factor up to a maximum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExponentialRetryPolicy {
    /// Milliseconds before the first retry.
    pub initial: i64,
    /// Most milliseconds before a retry.
    pub max: i64,
    /// The factor.
    pub multiplier: i64,
}

impl Default for ExponentialRetryPolicy {
    fn default() -> Self {
        Self { initial: 5_000, max: 7_200_000, multiplier: 2 }
    }
}

/// Settings of all groups of a broker.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SubscriptionGroupTable {
    /// Version of the table.
    pub data_version: DataVersion,
    /// Topics a group may not read, by group.
    pub forbidden_table: IndexMap<String, IndexMap<String, i32>>,
    /// Settings by group.
    pub subscription_group_table: IndexMap<String, SubscriptionGroupConfig>,
}

/// Groups to create or change together (225).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SubscriptionGroupList {
    /// Their settings.
    pub group_config_list: Vec<SubscriptionGroupConfig>,
}

/// Names of groups (300).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GroupList {
    /// The names.
    pub group_list: Vec<String>,
}
