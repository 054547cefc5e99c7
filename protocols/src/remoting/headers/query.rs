//! Looking messages up: QUERY_MESSAGE (12), VIEW_MESSAGE_BY_ID (33).
//!
//! Source: RocketMQ 5.3.3 `header/QueryMessageRequestHeader.java`, `QueryMessageResponseHeader.java`,
//! `ViewMessageRequestHeader.java`.

use super::{Text, custom_header};

custom_header! {
    /// Asks for messages by key.
    pub struct QueryMessageRequest<'a> {
        topic: Text<'a> = "topic",
        key: Text<'a> = "key",
        max_num: i32 = "maxNum",
        /// Milliseconds since 1970.
        begin_timestamp: i64 = "beginTimestamp",
        /// Milliseconds since 1970.
        end_timestamp: i64 = "endTimestamp",
        /// Whether `key` is a client message id.
        unique_key_query: Option<bool> = "_UNIQUE_KEY_QUERY",
    }
}

custom_header! {
    /// How far the index has come.
    pub struct QueryMessageResponse {
        /// Milliseconds since 1970.
        index_last_update_timestamp: i64 = "indexLastUpdateTimestamp",
        /// Commit offset.
        index_last_update_phyoffset: i64 = "indexLastUpdatePhyoffset",
    }
}

custom_header! {
    /// Asks for units of a queue (321).
    pub struct QueryConsumeQueueRequest<'a> {
        topic: Text<'a> = "topic",
        queue_id: i32 = "queueId",
        /// Queue offset of the first unit.
        index: i64 = "index",
        /// Units at most.
        count: i32 = "count",
        /// Whose subscription to show.
        consumer_group: Option<Text<'a>> = "consumerGroup",
    }
}

custom_header! {
    /// Asks for the message at a commit offset.
    pub struct ViewMessageRequest<'a> {
        topic: Option<Text<'a>> = "topic",
        /// Commit offset.
        offset: i64 = "offset",
    }
}
