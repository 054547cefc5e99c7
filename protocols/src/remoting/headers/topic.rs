//! Topics: UPDATE_AND_CREATE_TOPIC (17), GET_ALL_TOPIC_CONFIG (21), GET_TOPIC_CONFIG (351),
//! GET_TOPIC_STATS_INFO (202), QUERY_TOPIC_CONSUME_BY_WHO (300), deletion (215, 216).
//!
//! Source: RocketMQ 5.3.3 `header/CreateTopicRequestHeader.java`, `GetAllTopicConfigResponseHeader.java`,
//! `DeleteTopicRequestHeader.java` and their neighbours.

use super::{Text, custom_header};

custom_header! {
    /// Creates a topic or changes its settings.
    pub struct CreateTopicRequest<'a> {
        topic: Text<'a> = "topic",
        default_topic: Text<'a> = "defaultTopic",
        read_queue_nums: i32 = "readQueueNums",
        write_queue_nums: i32 = "writeQueueNums",
        perm: i32 = "perm",
        topic_filter_type: Text<'a> = "topicFilterType",
        topic_sys_flag: Option<i32> = "topicSysFlag",
        order: bool = "order" or false,
        /// Changes as `+key=value,-key`.
        attributes: Option<Text<'a>> = "attributes",
        force: Option<bool> = "force",
    }
}

custom_header! {
    /// Asks for all topic settings, or for a page of them; without fields: everything.
    pub struct AllTopicConfigRequest<'a> {
        topic_seq: Option<i32> = "topicSeq",
        data_version: Option<Text<'a>> = "dataVersion",
        max_topic_num: Option<i32> = "maxTopicNum",
    }
}

custom_header! {
    /// Number of topics there are, of which the body may be a page.
    pub struct AllTopicConfigResponse {
        total_topic_num: Option<i32> = "totalTopicNum",
    }
}

custom_header! {
    /// Names a topic: asks for its settings (351), statistics (202) or consumers (300), or deletes it (215).
    pub struct TopicRequest<'a> {
        topic: Text<'a> = "topic",
    }
}

custom_header! {
    /// Deletes the route of a topic, in one cluster when it is named.
    pub struct DeleteTopicInNamesrvRequest<'a> {
        topic: Text<'a> = "topic",
        cluster_name: Option<Text<'a>> = "clusterName",
    }
}
