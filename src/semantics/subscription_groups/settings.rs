//! The settings of one consumer group.
//!
//! Source: RocketMQ 5.3.3 `remoting/protocol/subscription/SubscriptionGroupConfig.java`, `GroupRetryPolicy.java`.

use std::sync::Arc;

use indexmap::IndexMap;

/// How a group's clients consume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupSettings {
    /// The group.
    pub name: Arc<str>,
    /// Whether it may consume at all.
    pub consume_enable: bool,
    /// Kept for tools; without effect, on a stock broker too.
    pub consume_from_min_enable: bool,
    /// Whether its clients may broadcast.
    pub consume_broadcast_enable: bool,
    /// Whether POP consumers get queues in order.
    pub consume_message_orderly: bool,
    /// Queues of the retry topic; 0: nothing is tried again.
    pub retry_queues: i32,
    /// Attempts after the first; then the message goes to the dead letters.
    pub retry_max: i32,
    /// How long to wait before each attempt.
    pub retry_policy: RetryPolicy,
    /// Broker to read from; 0 is the master.
    pub broker_id: i64,
    /// Broker to read from when the master is behind.
    pub slow_broker_id: i64,
    /// Whether members hear of each other's coming and going.
    pub notify_consumer_ids_changed: bool,
    /// Bit 0: unit.
    pub sys_flag: i32,
    /// Minutes a message may take.
    pub consume_timeout_minutes: i32,
    /// Subscriptions that the group is confined to; kept for tools.
    pub subscriptions: Option<Vec<FixedSubscription>>,
    /// RocketMQ 5.3.3 knows none; those of a saved file are kept.
    pub attributes: IndexMap<String, String>,
}

impl GroupSettings {
    /// What a group has that nobody configured.
    pub fn new(name: &str) -> Self {
        Self {
            name: Arc::from(name),
            consume_enable: true,
            consume_from_min_enable: true,
            consume_broadcast_enable: true,
            consume_message_orderly: false,
            retry_queues: 1,
            retry_max: 16,
            retry_policy: RetryPolicy::default(),
            broker_id: 0,
            slow_broker_id: 1,
            notify_consumer_ids_changed: true,
            sys_flag: 0,
            consume_timeout_minutes: 15,
            subscriptions: None,
            attributes: IndexMap::new(),
        }
    }
}

/// Which delays of a policy count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RetryKind {
    /// `CUSTOMIZED`.
    #[default]
    Customized,
    /// `EXPONENTIAL`.
    Exponential,
}

/// How long to wait before each attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Which of the two counts.
    pub kind: RetryKind,
    /// Milliseconds before each attempt; the broker's own when absent.
    pub customized: Option<Vec<i64>>,
    /// Delays that grow.
    pub exponential: Option<ExponentialDelays>,
}

/// Delays that grow by a factor up to a maximum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExponentialDelays {
    /// Milliseconds before the first attempt.
    pub initial: i64,
    /// Most milliseconds.
    pub max: i64,
    /// The factor.
    pub multiplier: i64,
}

/// A subscription that a group is confined to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FixedSubscription {
    /// The topic.
    pub topic: String,
    /// `TAG` or `SQL92`.
    pub expression_type: String,
    /// The filter.
    pub expression: String,
    /// Rises with every change.
    pub version: i64,
}
