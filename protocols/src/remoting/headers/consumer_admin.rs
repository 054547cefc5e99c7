//! What administrators ask about consumers: QUERY_SUBSCRIPTION_BY_CONSUMER (345), QUERY_CONSUME_TIME_SPAN (303),
//! QUERY_CORRECTION_OFFSET (308), CLONE_GROUP_OFFSET (314), GET_BROKER_CONSUME_STATS (317),
//! INVOKE_BROKER_TO_GET_CONSUMER_STATUS (223), GET_CONSUMER_STATUS_FROM_CLIENT (221).
//!
//! Source: RocketMQ 5.3.3 `header/QuerySubscriptionByConsumerRequestHeader.java` and its neighbours.

use super::{Text, custom_header};

custom_header! {
    /// Names a group and a topic (303, 345), and a client of the group (221, 223).
    pub struct TopicOfGroupRequest<'a> {
        group: Text<'a> = "group",
        topic: Text<'a> = "topic",
        /// The client's id; of all when absent.
        client: Option<Text<'a>> = "clientAddr",
    }
}

custom_header! {
    /// Asks for the smallest committed offsets of a topic.
    pub struct QueryCorrectionOffsetRequest<'a> {
        /// Groups to leave out, separated by commas.
        filter_groups: Option<Text<'a>> = "filterGroups",
        compare_group: Text<'a> = "compareGroup",
        topic: Text<'a> = "topic",
    }
}

custom_header! {
    /// Copies offsets from one group to another.
    pub struct CloneGroupOffsetRequest<'a> {
        src_group: Text<'a> = "srcGroup",
        dest_group: Text<'a> = "destGroup",
        /// Every topic when absent.
        topic: Option<Text<'a>> = "topic",
        offline: bool = "offline" or false,
    }
}

custom_header! {
    /// Asks for the progress of all groups.
    pub struct BrokerConsumeStatsRequest {
        /// Only in topics with order.
        is_order: bool = "isOrder" or false,
    }
}
