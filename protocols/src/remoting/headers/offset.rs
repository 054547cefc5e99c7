//! Offsets of queues and groups: QUERY_CONSUMER_OFFSET (14), UPDATE_CONSUMER_OFFSET (15),
//! SEARCH_OFFSET_BY_TIMESTAMP (29), GET_MAX_OFFSET (30), GET_MIN_OFFSET (31), GET_EARLIEST_MSG_STORETIME (32),
//! reset (222, 220).
//!
//! Every offset here is a queue offset.
//! Source: RocketMQ 5.3.3 `header/*Offset*Header.java`, `GetEarliestMsgStoretime*Header.java`.

use super::{Boundary, Text, custom_header};

custom_header! {
    /// Asks for the committed offset of a group.
    pub struct QueryConsumerOffsetRequest<'a> {
        consumer_group: Text<'a> = "consumerGroup",
        topic: Text<'a> = "topic",
        queue_id: i32 = "queueId",
        /// `false`: the client wants to hear that there is none.
        set_zero_if_not_found: Option<bool> = "setZeroIfNotFound",
    }
}

custom_header! {
    /// Commits the offset of a group: the next message to consume.
    pub struct UpdateConsumerOffsetRequest<'a> {
        consumer_group: Text<'a> = "consumerGroup",
        topic: Text<'a> = "topic",
        queue_id: i32 = "queueId",
        commit_offset: i64 = "commitOffset",
    }
}

custom_header! {
    /// The answer of every request that asks for one offset.
    pub struct OffsetResponse {
        offset: i64 = "offset",
    }
}

custom_header! {
    /// Asks for the offset that was stored at a time.
    pub struct SearchOffsetRequest<'a> {
        topic: Text<'a> = "topic",
        queue_id: i32 = "queueId",
        /// Milliseconds since 1970.
        timestamp: i64 = "timestamp",
        boundary: Boundary = "boundaryType",
    }
}

custom_header! {
    /// Asks for the end of a queue: one above its last offset.
    pub struct MaxOffsetRequest<'a> {
        topic: Text<'a> = "topic",
        queue_id: i32 = "queueId",
        /// Ignored by the original.
        committed: bool = "committed" or true,
    }
}

custom_header! {
    /// Asks for the first offset of a queue.
    pub struct MinOffsetRequest<'a> {
        topic: Text<'a> = "topic",
        queue_id: i32 = "queueId",
    }
}

custom_header! {
    /// Asks when the first message of a queue was stored.
    pub struct EarliestStoreTimeRequest<'a> {
        topic: Text<'a> = "topic",
        queue_id: i32 = "queueId",
    }
}

custom_header! {
    /// When the first message of a queue was stored.
    pub struct EarliestStoreTimeResponse {
        /// Milliseconds since 1970; -1 for an unknown queue.
        timestamp: i64 = "timestamp",
    }
}

custom_header! {
    /// Asks to move the offsets of a group (222), or tells a consumer to (220).
    pub struct ResetOffsetRequest<'a> {
        group: Text<'a> = "group",
        topic: Text<'a> = "topic",
        /// -1: every queue.
        queue_id: i32 = "queueId" or -1,
        offset: Option<i64> = "offset",
        /// Milliseconds since 1970.
        timestamp: i64 = "timestamp",
        is_force: bool = "isForce",
    }
}
