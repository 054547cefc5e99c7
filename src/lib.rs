//! Gantry: one binary that is a RocketMQ broker, its name server and a Kafka broker over one durable log.
//!
//! In reading order: what messages and groups mean ([`semantics`], [`filter`]), how the two dialects share one
//! log ([`mapping`]), the joint that owns the store ([`broker`]), the dialects ([`remoting`], [`kafka`],
//! [`namesrv`]), requests that we send ([`peer`]), sockets and life cycle ([`server`]), the command line ([`cli`]).
#![forbid(unsafe_code)]

pub mod semantics;

pub mod filter;

pub mod mapping;

pub mod broker;

pub mod kafka;
pub mod namesrv;
pub mod remoting;
mod requests;

pub mod peer;

pub mod peer_kafka;

pub mod config;
pub mod limits;
pub mod server;

pub mod cli;
