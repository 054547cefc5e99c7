//! The body of REGISTER_BROKER (103): every topic of the broker.
//!
//! The compressed form is refused: the original's own writer and reader do not agree on it.
//! Source: RocketMQ 5.3.3 `protocol/body/RegisterBrokerBody.java`.

use serde::{Deserialize, Serialize};

use super::topic::TopicConfigWrapper;
use super::{BodyError, decode};

/// What a broker registers.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RegisterBrokerBody {
    /// Filter servers; empty since they were removed.
    pub filter_server_list: Vec<String>,
    /// The topic table.
    pub topic_config_serialize_wrapper: TopicConfigWrapper,
}

impl RegisterBrokerBody {
    /// Reads the body; an empty one registers no topic. `compressed` is the header's word.
    pub fn decode(body: &[u8], compressed: bool) -> Result<Self, BodyError> {
        match (compressed, body) {
            (true, _) => Err(BodyError::Compressed),
            (false, []) => Ok(Self::default()),
            (false, body) => decode(body),
        }
    }
}
