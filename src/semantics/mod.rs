//! What messages, groups and topics mean: pure state machines that decide and never act.
//!
//! Conventions, the same in every file:
//! - An event machine is `step(now, event, &mut effects)`. The caller performs the effects in order.
//! - Tables (topics, offsets, routes ...) offer verbs that change them and answer at once.
//! - Time is an argument ([`Millis`]); fresh ids are arguments. Nothing here reads a clock, draws a random
//!   number, opens a file or a socket, or takes a lock. One owner calls; replaying the same calls gives the
//!   same state.
//! - Instants are [`Millis`]; durations are plain integers whose names end in `_ms`.
//! - Errors are values of this module; the dialects turn them into their own codes.

pub mod allocation;
pub mod client_calls;
pub mod data_version;
pub mod fetch_session;
pub mod fetch_sessions;
pub mod groups;
pub mod kafka_configs;
pub mod kafka_group;
pub mod kafka_topics;
pub mod offset_expiry;
pub mod offsets;
pub mod partition_map;
pub mod producer_ids;
pub mod producers;
pub mod queue_lock;
pub mod registration;
pub mod routes;
pub mod statistics;
pub mod subscription_groups;
pub mod subscriptions;
pub mod topic_attributes;
pub mod topic_defaults;
pub mod topic_names;
pub mod topics;

/// An instant: milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub i64);

impl Millis {
    /// The instant `duration_ms` later (earlier when negative); stops at the ends of the range.
    pub const fn plus(self, duration_ms: i64) -> Self {
        Self(self.0.saturating_add(duration_ms))
    }

    /// Milliseconds from `earlier` to `self`; negative when `self` comes first.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Which protocol a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// RocketMQ remoting.
    Native,
    /// Kafka.
    Kafka,
}

/// The seeded generator of the schedule tests: xorshift64*, so that a printed seed replays a run.
#[cfg(test)]
pub(crate) struct Schedule(u64);

#[cfg(test)]
impl Schedule {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// The next number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % bound
    }
}
