//! The body of HEART_BEAT: who the client is and what it consumes and produces.
//!
//! Go and C++ send some numbers as strings and leave the members of version 2 out.
//! Source: RocketMQ 5.3.3 `protocol/heartbeat/HeartbeatData.java`, `ConsumerData.java`, `SubscriptionData.java`.

use serde::{Deserialize, Serialize};

use super::lenient::{java_enum, number};

/// What a client says about itself every 30 seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeartbeatData {
    /// The client's id, unique in its groups.
    #[serde(rename = "clientID")]
    pub client_id: String,
    /// Consumer groups.
    #[serde(default)]
    pub consumer_data_set: Vec<ConsumerData>,
    /// Hash of the subscriptions; 0 from clients of version 1.
    #[serde(default, deserialize_with = "number")]
    pub heartbeat_fingerprint: i32,
    /// Producer groups.
    #[serde(default)]
    pub producer_data_set: Vec<ProducerData>,
    /// Whether the subscriptions were left out, because the broker has them.
    #[serde(default)]
    pub without_sub: bool,
}

/// A producer group of a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProducerData {
    /// The group.
    pub group_name: String,
}

/// A consumer group of a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsumerData {
    /// Where a group without offsets begins.
    #[serde(default)]
    pub consume_from_where: ConsumeFromWhere,
    /// Who asks for messages.
    #[serde(default)]
    pub consume_type: ConsumeType,
    /// The group.
    pub group_name: String,
    /// Whether each member gets every message.
    #[serde(default)]
    pub message_model: MessageModel,
    /// What the group subscribes to.
    #[serde(default)]
    pub subscription_data_set: Vec<SubscriptionData>,
    /// Unit mode.
    #[serde(default)]
    pub unit_mode: bool,
}

java_enum! {
    /// Where a group without committed offsets begins. The deprecated names mean the end of the queue.
    pub enum ConsumeFromWhere {
        /// At the end of the queue.
        #[default]
        LastOffset = 0 "CONSUME_FROM_LAST_OFFSET",
        /// Deprecated.
        LastOffsetAndFromMinWhenBootFirst = 1 "CONSUME_FROM_LAST_OFFSET_AND_FROM_MIN_WHEN_BOOT_FIRST",
        /// Deprecated.
        MinOffset = 2 "CONSUME_FROM_MIN_OFFSET",
        /// Deprecated.
        MaxOffset = 3 "CONSUME_FROM_MAX_OFFSET",
        /// At the first message.
        FirstOffset = 4 "CONSUME_FROM_FIRST_OFFSET",
        /// At a time.
        Timestamp = 5 "CONSUME_FROM_TIMESTAMP",
    }
}

java_enum! {
    /// Who asks for messages.
    pub enum ConsumeType {
        /// The application pulls.
        Actively = 0 "CONSUME_ACTIVELY",
        /// The client library pulls.
        #[default]
        Passively = 1 "CONSUME_PASSIVELY",
        /// The client library pops.
        Pop = 2 "CONSUME_POP",
    }
}

java_enum! {
    /// Whether each member of a group gets every message.
    pub enum MessageModel {
        /// Each message goes to each member.
        Broadcasting = 0 "BROADCASTING",
        /// Each message goes to one member.
        #[default]
        Clustering = 1 "CLUSTERING",
    }
}

/// What a group wants of a topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionData {
    /// Whether a class filters; no released broker does.
    #[serde(default)]
    pub class_filter_mode: bool,
    /// Hashes of the tags.
    #[serde(default)]
    pub code_set: Vec<TagCode>,
    /// `TAG` or `SQL92`.
    #[serde(default = "tag_expression")]
    pub expression_type: String,
    /// Source of the filter class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter_class_source: Option<String>,
    /// The expression.
    #[serde(default)]
    pub sub_string: String,
    /// Grows with every change; milliseconds since 1970.
    #[serde(default, deserialize_with = "number")]
    pub sub_version: i64,
    /// The tags.
    #[serde(default)]
    pub tags_set: Vec<String>,
    /// The topic.
    pub topic: String,
}

fn tag_expression() -> String {
    "TAG".to_owned()
}

/// Hash of a tag, as the client computed it; written as a number or as a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TagCode(#[serde(deserialize_with = "number")] pub i32);
