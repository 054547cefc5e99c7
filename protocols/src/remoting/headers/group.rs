//! Consumer groups: GET_SUBSCRIPTIONGROUP_CONFIG (352), GET_ALL_SUBSCRIPTIONGROUP_CONFIG (201),
//! DELETE_SUBSCRIPTIONGROUP (207), GET_CONSUME_STATS (208).
//!
//! Source: RocketMQ 5.3.3 `header/GetSubscriptionGroupConfigRequestHeader.java`,
//! `DeleteSubscriptionGroupRequestHeader.java`, `GetConsumeStatsRequestHeader.java`.

use super::{Text, custom_header};

custom_header! {
    /// Asks for the settings of a group.
    pub struct SubscriptionGroupRequest<'a> {
        group: Text<'a> = "group",
    }
}

custom_header! {
    /// Asks for the settings of all groups, or for a page of them; without fields: everything.
    pub struct AllSubscriptionGroupRequest<'a> {
        group_seq: Option<i32> = "groupSeq",
        data_version: Option<Text<'a>> = "dataVersion",
        max_group_num: Option<i32> = "maxGroupNum",
    }
}

custom_header! {
    /// How many groups there are, on this page and on others.
    pub struct AllSubscriptionGroupResponse {
        total_group_num: i32 = "totalGroupNum",
    }
}

custom_header! {
    /// Deletes a group.
    pub struct DeleteSubscriptionGroupRequest<'a> {
        group_name: Text<'a> = "groupName",
        clean_offset: bool = "cleanOffset" or false,
    }
}

custom_header! {
    /// Asks how far a group has come, in one topic, in several or in all.
    pub struct ConsumeStatsRequest<'a> {
        consumer_group: Text<'a> = "consumerGroup",
        topic: Option<Text<'a>> = "topic",
        /// Names separated by `;`.
        topic_list: Option<Text<'a>> = "topicList",
    }
}
