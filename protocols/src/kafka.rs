//! The Kafka dialect: frames, the guard in front of the envelope decoder, record batches.
//!
//! A request travels `frame` (cut and header) → `guard` (measured) → `codec` (decoded without copying its payload).
//! Record batches are never handed to the `kafka-protocol` crate: `batch`, `record` and `batch_builder` are ours.

pub mod attributes;
pub mod batch;
pub mod batch_builder;
pub mod batch_error;
pub mod codec;
pub mod error_code;
pub mod fetch_response;
pub mod frame;
pub mod guard;
pub mod record;
pub mod varint;
/// Request and response values of the control plane, from the `kafka-protocol` crate.
pub mod messages {
    pub use kafka_protocol::messages::*;
    pub use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
}
