//! What a consumer group wants of one topic.
//!
//! Source: RocketMQ 5.3.3 `remoting/protocol/heartbeat/SubscriptionData.java`.

use std::sync::Arc;

use indexmap::IndexSet;

/// A subscription as a heartbeat carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// The topic.
    pub topic: Arc<str>,
    /// `*`, tags with `||` between them, or an SQL92 expression.
    pub expression: Arc<str>,
    /// `TAG` or `SQL92`.
    pub expression_type: Arc<str>,
    /// The tags; empty for all.
    pub tags: IndexSet<Arc<str>>,
    /// Java hashes of the tags, as the client computed them: Go clients hash other bytes than Java.
    pub codes: IndexSet<i32>,
    /// Rises with every change, and with rebalances that change nothing.
    pub sub_version: i64,
    /// A filter class on the server; no longer supported by brokers, kept for tools.
    pub is_class_filter: bool,
}

impl Subscription {
    /// Whether a request knows a newer version than this: the one case in which it must come again.
    pub const fn is_older_than(&self, requested_version: i64) -> bool {
        self.sub_version < requested_version
    }
}
