//! JSON bodies of requests and answers, one file a family.
//!
//! Members stand in alphabetical order, because the original's do; keys are always quoted, which every client
//! reads. Unknown members are ignored, so that a newer peer can say more. What a body means is not here.
//! Source: RocketMQ 5.3.3 `remoting/protocol/body/**`, `remoting/protocol/RemotingSerializable.java`.

pub mod client;
mod fastjson;
pub mod group;
pub mod heartbeat;
mod lenient;
pub mod lock;
pub mod message_queue;
pub mod progress;
pub mod register;
pub mod route;
pub mod stats;
pub mod table;
pub mod topic;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use super::frame::MAX_FRAME_SIZE;
use crate::json::{self, JsonError};

/// A body cannot be read. The request is refused, the connection stays.
#[derive(Debug, Error)]
pub enum BodyError {
    /// The body is no JSON, in no peer's dialect.
    #[error(transparent)]
    Dialect(#[from] JsonError),
    /// The JSON is not what the body has to be, or a value cannot be written as JSON.
    #[error("body does not have the expected shape: {0}")]
    Shape(#[from] serde_json::Error),
    /// The body is compressed in a way that no released name server reads either.
    #[error("compressed registration bodies are not supported, set compressedRegister=false")]
    Compressed,
}

/// Reads a body in a peer's dialect. Does not block; the body was bounded by its frame.
pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, BodyError> {
    let text = json::strict(body, MAX_FRAME_SIZE)?;
    Ok(serde_json::from_str(&text)?)
}

/// Writes a body as standard JSON.
pub fn encode<T: Serialize>(body: &T) -> Result<Bytes, BodyError> {
    Ok(serde_json::to_vec(body)?.into())
}

/// Writes a body as the original does where its maps have message queues as keys: the keys stand as objects
/// (`{{"queueId":0}:5}`). The Go client reads no other form of a pushed offset reset.
pub fn encode_fastjson<T: Serialize>(body: &T) -> Result<Bytes, BodyError> {
    fastjson::encode(body)
}
