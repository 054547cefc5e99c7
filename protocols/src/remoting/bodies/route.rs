//! Bodies of the name server's answers: a topic's route (105), the clusters (106), brokers of one name (901).
//!
//! `brokerAddrs` must never be empty, and `orderTopicConf` must not end in `;`: the Go client fails on both.
//! Source: RocketMQ 5.3.3 `protocol/route/*.java`, `protocol/body/ClusterInfo.java`, `BrokerMemberGroup.java`.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Where a topic is.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopicRouteData {
    /// Brokers that hold the topic.
    pub broker_datas: Vec<BrokerData>,
    /// Filter servers by broker address; empty since they were removed.
    pub filter_server_table: IndexMap<String, Vec<String>>,
    /// Queue numbers of an ordered topic, `broker-a:8;broker-b:8`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_topic_conf: Option<String>,
    /// Queues by broker.
    pub queue_datas: Vec<QueueData>,
    /// Static topic mappings by broker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic_queue_mapping_by_broker: Option<IndexMap<String, Value>>,
}

/// The brokers of one name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BrokerData {
    /// Addresses by broker id; 0 is the master.
    pub broker_addrs: BTreeMap<i64, String>,
    /// Their name.
    pub broker_name: String,
    /// Their cluster.
    pub cluster: String,
    /// Whether a slave may stand in for the master.
    pub enable_acting_master: bool,
    /// Their zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone_name: Option<String>,
}

/// Queues of a topic on the brokers of one name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct QueueData {
    /// The brokers' name.
    pub broker_name: String,
    /// 4 read, 2 write, 1 inherit.
    pub perm: i32,
    /// Number of queues to read from.
    pub read_queue_nums: i32,
    /// Bits of the topic: 1 unit, 2 unit subscription.
    pub topic_sys_flag: i32,
    /// Number of queues to write to.
    pub write_queue_nums: i32,
}

/// All brokers and clusters.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterInfo {
    /// Brokers by name.
    pub broker_addr_table: IndexMap<String, BrokerData>,
    /// Broker names by cluster.
    pub cluster_addr_table: IndexMap<String, Vec<String>>,
}

/// The brokers of one name, for one of them that asks.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BrokerMemberGroup {
    /// Addresses by broker id; 0 is the master.
    pub broker_addrs: BTreeMap<i64, String>,
    /// Their name.
    pub broker_name: String,
    /// Their cluster.
    pub cluster: String,
}

/// The body of GET_BROKER_MEMBER_GROUP.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BrokerMemberGroupResponse {
    /// The group.
    pub broker_member_group: BrokerMemberGroup,
}
