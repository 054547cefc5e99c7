//! The topics a broker creates for itself at start.
//!
//! Source: RocketMQ 5.3.3 `broker/topic/TopicConfigManager.java` (`init`).

use super::{Perm, TopicConfig};
use crate::semantics::topic_names::{self as names, SystemNames};

/// What a broker creates for itself at start.
#[derive(Clone, Copy, Debug)]
pub struct SystemTopics<'a> {
    /// `brokerClusterName`.
    pub cluster: &'a str,
    /// `brokerName`.
    pub broker: &'a str,
    /// `autoCreateTopicEnable`: makes `TBW102`.
    pub auto_create_topic: bool,
    /// `defaultTopicQueueNums`.
    pub default_topic_queues: i32,
    /// `clusterTopicEnable`.
    pub cluster_topic: bool,
    /// `brokerTopicEnable`.
    pub broker_topic: bool,
    /// `traceTopicEnable`.
    pub trace_topic: bool,
    /// `timerWheelEnable`.
    pub timer_wheel: bool,
    /// `reviveQueueNum`.
    pub revive_queues: i32,
}

impl SystemTopics<'_> {
    /// All of them, in the order they are made.
    pub(super) fn list(&self) -> Vec<TopicConfig> {
        let names = SystemNames::new(self.cluster, self.broker);
        let inherit = |open: bool| if open { Perm::READ_WRITE.with(Perm::INHERIT) } else { Perm::INHERIT };
        let always = [
            TopicConfig::new(names::SELF_TEST_TOPIC, 1),
            TopicConfig::new(names::BENCHMARK_TOPIC, 1024),
            TopicConfig::new(self.cluster, 16).with_perm(inherit(self.cluster_topic)),
            TopicConfig::new(self.broker, 1).with_perm(inherit(self.broker_topic)),
            TopicConfig::new(names::OFFSET_MOVED_TOPIC, 1),
            TopicConfig::new(names::SCHEDULE_TOPIC, 18),
            TopicConfig::new(&names.reply_topic, 1),
            TopicConfig::new(&names.revive_topic, self.revive_queues),
            TopicConfig::new(&names.member_topic, 1).with_perm(Perm::INHERIT),
            TopicConfig::new(names::HALF_TOPIC, 1),
            TopicConfig::new(names::OP_HALF_TOPIC, 1),
        ];
        let default =
            TopicConfig::new(names::DEFAULT_TOPIC, self.default_topic_queues).with_perm(inherit(true));
        let optional = [
            (self.auto_create_topic, default),
            (self.trace_topic, TopicConfig::new(names::TRACE_TOPIC, 1)),
            (self.timer_wheel, TopicConfig::new(names::TIMER_TOPIC, 1)),
        ];
        always.into_iter().chain(optional.into_iter().filter(|(on, _)| *on).map(|(_, topic)| topic)).collect()
    }
}
