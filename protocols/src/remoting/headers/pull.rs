//! Pulling: PULL_MESSAGE (11), LITE_PULL_MESSAGE (361).
//!
//! Source: RocketMQ 5.3.3 `header/PullMessageRequestHeader.java`, `PullMessageResponseHeader.java`,
//! `common/sysflag/PullSysFlag.java`.

use super::{Text, custom_header};

custom_header! {
    /// Asks for the messages of a queue from an offset on.
    pub struct PullMessageRequest<'a> {
        consumer_group: Text<'a> = "consumerGroup",
        topic: Text<'a> = "topic",
        queue_id: i32 = "queueId",
        /// Queue offset of the first message wanted.
        queue_offset: i64 = "queueOffset",
        max_msg_nums: i32 = "maxMsgNums",
        sys_flag: i32 = "sysFlag",
        /// Queue offset to commit on the way, when the flag says so.
        commit_offset: i64 = "commitOffset",
        /// How long the request may be held, in milliseconds.
        suspend_timeout_millis: i64 = "suspendTimeoutMillis",
        subscription: Option<Text<'a>> = "subscription",
        sub_version: i64 = "subVersion",
        expression_type: Option<Text<'a>> = "expressionType",
        max_msg_bytes: Option<i32> = "maxMsgBytes",
        request_source: Option<i32> = "requestSource",
        proxy_forward_client_id: Option<Text<'a>> = "proxyFrowardClientId",
        broker_name: Option<Text<'a>> = "bname",
    }
}

/// Bits of [`PullMessageRequest::sys_flag`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PullFlag(pub i32);

impl PullFlag {
    /// `commitOffset` is to be committed.
    pub const COMMIT_OFFSET: Self = Self(1);
    /// The broker may hold the request until a message comes.
    pub const SUSPEND: Self = Self(2);
    /// `subscription` counts, not the one of the heartbeat.
    pub const SUBSCRIPTION: Self = Self(4);
    /// The consumer filters with a class; no released broker does.
    pub const CLASS_FILTER: Self = Self(8);
    /// Sent by a lite pull consumer.
    pub const LITE_PULL: Self = Self(16);

    /// Whether all bits of `bit` are set.
    pub fn has(self, bit: Self) -> bool {
        self.0 & bit.0 == bit.0
    }
}

custom_header! {
    /// Offsets that go with every answer to a pull, whatever its code.
    pub struct PullMessageResponse {
        suggest_which_broker_id: i64 = "suggestWhichBrokerId",
        next_begin_offset: i64 = "nextBeginOffset",
        min_offset: i64 = "minOffset",
        max_offset: i64 = "maxOffset",
        offset_delta: Option<i64> = "offsetDelta",
        topic_sys_flag: Option<i32> = "topicSysFlag",
        group_sys_flag: Option<i32> = "groupSysFlag",
        /// Why access is denied: 1 group, 2 topic, 3 broadcasting, 4 subscription.
        forbidden_type: Option<i32> = "forbiddenType",
    }
}
