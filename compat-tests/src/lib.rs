//! Harness of the compatibility tests: starts Gantry on loopback, runs real clients, collects their words.
#![forbid(unsafe_code)]

pub mod targets;
