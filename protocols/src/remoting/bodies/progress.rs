//! Bodies about what consumers and producers are doing: all producers (328), a subscription (345), all progress (317),
//! times of queues (303), smallest offsets (308), offsets that clients hold (221, 223).
//!
//! Those with message queues as keys are written with [`super::encode_fastjson`].
//! Source: RocketMQ 5.3.3 `protocol/body/ProducerTableInfo.java`, `QuerySubscriptionResponseBody.java`,
//! `ConsumeStatsList.java`, `QueryConsumeTimeSpanBody.java`, `QueryCorrectionOffsetBody.java`,
//! `GetConsumerStatusBody.java`.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::heartbeat::SubscriptionData;
use super::message_queue::{ByQueue, MessageQueue};
use super::stats::ConsumeStats;

/// Producers by group.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ProducerTableInfo {
    /// One a connection.
    pub data: IndexMap<String, Vec<ProducerInfo>>,
}

/// A producer on a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProducerInfo {
    /// The client's id.
    pub client_id: String,
    /// Name of its language.
    pub language: String,
    /// When it was heard last, milliseconds since 1970.
    pub last_update_timestamp: i64,
    /// Address the client dialled from.
    #[serde(rename = "remoteIP")]
    pub remote_ip: String,
    /// Ordinal of its version.
    pub version: i32,
}

/// What a group subscribes of a topic.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct QuerySubscriptionResponseBody {
    /// The group.
    pub group: String,
    /// Absent when no live member subscribes the topic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription_data: Option<SubscriptionData>,
    /// The topic.
    pub topic: String,
}

/// Progress of all groups of a broker.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumeStatsList {
    /// The broker's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broker_addr: Option<String>,
    /// A map of one group each; one entry a topic.
    pub consume_stats_list: Vec<IndexMap<String, Vec<ConsumeStats>>>,
    /// Messages not consumed.
    pub total_diff: i64,
    /// Messages pulled and not consumed.
    pub total_inflight_diff: i64,
}

/// When messages of queues were stored.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct QueryConsumeTimeSpanBody {
    /// One a queue.
    pub consume_time_span_set: Vec<QueueTimeSpan>,
}

/// When messages of a queue were stored, milliseconds since 1970; -1 where there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueueTimeSpan {
    /// The last consumed message.
    pub consume_time_stamp: i64,
    /// How long the next one has been waiting, milliseconds.
    pub delay_time: i64,
    /// The last message.
    pub max_time_stamp: i64,
    /// The queue.
    pub message_queue: MessageQueue,
    /// The first message.
    pub min_time_stamp: i64,
}

/// Smallest committed offsets by queue.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct QueryCorrectionOffsetBody {
    /// The offsets.
    pub correction_offsets: BTreeMap<i32, i64>,
}

/// Offsets that one consumer holds (221), or all of a group (223).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumerStatusBody {
    /// Of all, by client id.
    pub consumer_table: IndexMap<String, ByQueue<i64>>,
    /// Of one.
    pub message_queue_table: ByQueue<i64>,
}
