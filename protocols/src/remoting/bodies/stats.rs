//! Bodies with numbers by queue: a topic's bounds (202), a group's progress (208), offsets to reset (220, 222);
//! the statistics of a broker (315) and units of a queue (321).
//!
//! They are written with [`super::encode_fastjson`].
//! Source: RocketMQ 5.3.3 `protocol/admin/TopicStatsTable.java`, `ConsumeStats.java`,
//! `protocol/body/ResetOffsetBody.java`.

use serde::{Deserialize, Serialize};

use super::message_queue::ByQueue;

/// Bounds of the queues of a topic.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopicStatsTable {
    /// Bounds by queue.
    pub offset_table: ByQueue<TopicOffset>,
    /// Messages a second.
    pub topic_put_tps: f64,
}

/// Bounds of a queue, in queue offsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopicOffset {
    /// When the last message was stored, milliseconds since 1970.
    pub last_update_timestamp: i64,
    /// One above the last offset.
    pub max_offset: i64,
    /// First offset.
    pub min_offset: i64,
}

/// How far a group has come.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumeStats {
    /// Messages a second.
    pub consume_tps: f64,
    /// Progress by queue.
    pub offset_table: ByQueue<ConsumeOffset>,
}

/// How far a group has come in a queue, in queue offsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumeOffset {
    /// One above the last offset of the queue.
    pub broker_offset: i64,
    /// The committed offset.
    pub consumer_offset: i64,
    /// When the last consumed message was stored, milliseconds since 1970.
    pub last_timestamp: i64,
    /// The offset last pulled.
    pub pull_offset: i64,
}

/// Offsets to begin at again, by queue.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResetOffsetBody {
    /// The offsets.
    pub offset_table: ByQueue<i64>,
}

/// A statistic of a broker.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BrokerStatsData {
    /// The last day.
    pub stats_day: BrokerStatsItem,
    /// The last hour.
    pub stats_hour: BrokerStatsItem,
    /// The last minute.
    pub stats_minute: BrokerStatsItem,
}

/// A statistic over one stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BrokerStatsItem {
    /// Average of one request.
    pub avgpt: f64,
    /// All of it.
    pub sum: i64,
    /// Average of a second.
    pub tps: f64,
}

/// Units of a queue.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumeQueueBody {
    /// Why there is no filter to show.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter_data: Option<String>,
    /// Next offset of the queue.
    pub max_queue_index: i64,
    /// First offset of the queue.
    pub min_queue_index: i64,
    /// The units.
    pub queue_data: Vec<ConsumeQueueUnit>,
}

/// One unit of a queue.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumeQueueUnit {
    /// Whether a filter took it; there is none here.
    pub eval: bool,
    /// What else there is to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub msg: Option<String>,
    /// Commit offset of the frame.
    pub physic_offset: i64,
    /// Size of the frame, bytes.
    pub physic_size: i32,
    /// Hash of the tag.
    pub tags_code: i64,
}
