//! Bodies of LOCK_BATCH_MQ (41) and UNLOCK_BATCH_MQ (42).
//!
//! Source: RocketMQ 5.3.3 `protocol/body/LockBatchRequestBody.java`, `LockBatchResponseBody.java`,
//! `UnlockBatchRequestBody.java`.

use serde::{Deserialize, Serialize};

use super::message_queue::MessageQueue;

/// Queues that an orderly consumer wants to hold, or gives back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LockBatchRequest {
    /// The client that holds them.
    pub client_id: String,
    /// Its group.
    pub consumer_group: String,
    /// The queues.
    #[serde(default)]
    pub mq_set: Vec<MessageQueue>,
    /// Set by a broker that asks its replicas.
    #[serde(default)]
    pub only_this_broker: bool,
}

/// Queues that the client holds now.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LockBatchResponse {
    /// Granted ones only.
    #[serde(rename = "lockOKMQSet", default)]
    pub lock_ok_mq_set: Vec<MessageQueue>,
}
