//! The version of a table that brokers and name servers compare, never order.
//!
//! Source: RocketMQ 5.3.3 `remoting/protocol/DataVersion.java`.

use super::Millis;

/// Two tables are the same exactly when all three fields are equal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DataVersion {
    /// Version of the replicated state machine; 0 without a controller.
    pub state_version: i64,
    /// When the table changed last.
    pub timestamp: Millis,
    /// How often the table changed.
    pub counter: i64,
}

impl DataVersion {
    /// The table changed at `now`.
    pub const fn bump(&mut self, now: Millis) {
        self.timestamp = now;
        self.counter = self.counter.wrapping_add(1);
    }
}
