//! Bytes to values and back for both dialects: RocketMQ remoting and Kafka.
//!
//! No I/O, no clock, no logging; never panics on input, never allocates more than the input justifies.
#![forbid(unsafe_code)]
