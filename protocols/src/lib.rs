//! Bytes to values and back for both dialects: RocketMQ remoting and Kafka.
//!
//! No I/O, no clock, no logging; never panics on input, never allocates more than the input justifies.
#![forbid(unsafe_code)]

pub mod compression;
pub mod cursor;
pub mod json;
pub mod kafka;
pub mod outbox;
pub mod remoting;
