//! Gantry: one binary that is a RocketMQ broker, its name server and a Kafka broker over one durable log.
#![forbid(unsafe_code)]
