//! Bodies about clients: consumer ids (38), connections (203, 204), the check of a filter (46).
//!
//! Source: RocketMQ 5.3.3 `protocol/body/GetConsumerListByGroupResponseBody.java`, `ConsumerConnection.java`,
//! `ProducerConnection.java`, `Connection.java`, `CheckClientRequestBody.java`.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::heartbeat::{ConsumeFromWhere, ConsumeType, MessageModel, SubscriptionData};

/// Client ids of a group, one a connection. An empty list is never sent: the answer is an error then.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsumerIdList {
    /// The ids.
    #[serde(default)]
    pub consumer_id_list: Vec<String>,
}

/// A client's connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Connection {
    /// Address the client dialled from, `ip:port`.
    pub client_addr: String,
    /// The client's id.
    pub client_id: String,
    /// Name of its language.
    pub language: String,
    /// Ordinal of its version.
    #[serde(default)]
    pub version: i32,
}

/// Connections and subscriptions of a consumer group.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumerConnection {
    /// One a client.
    pub connection_set: Vec<Connection>,
    /// Where a queue without an offset begins.
    pub consume_from_where: ConsumeFromWhere,
    /// Who asks for messages.
    pub consume_type: ConsumeType,
    /// Whether each member gets every message.
    pub message_model: MessageModel,
    /// Subscriptions by topic.
    pub subscription_table: IndexMap<String, SubscriptionData>,
}

/// Connections of a producer group.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProducerConnection {
    /// One a client.
    pub connection_set: Vec<Connection>,
}

/// A subscription whose expression the broker is to compile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckClientRequest {
    /// The client's id.
    #[serde(default)]
    pub client_id: String,
    /// The consumer group.
    #[serde(default)]
    pub group: String,
    /// The client's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The subscription.
    pub subscription_data: SubscriptionData,
}
