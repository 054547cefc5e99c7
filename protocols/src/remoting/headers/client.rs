//! Clients: HEART_BEAT (34), UNREGISTER_CLIENT (35), GET_CONSUMER_LIST_BY_GROUP (38),
//! NOTIFY_CONSUMER_IDS_CHANGED (40), GET_CONSUMER_CONNECTION_LIST (203), GET_PRODUCER_CONNECTION_LIST (204),
//! GET_CONSUMER_RUNNING_INFO (307), CONSUME_MESSAGE_DIRECTLY (309).
//!
//! A heartbeat request has no arguments, only a body.
//! Source: RocketMQ 5.3.3 `header/UnregisterClientRequestHeader.java`, `GetConsumerListByGroupRequestHeader.java`,
//! `GetConsumerConnectionListRequestHeader.java` and their neighbours.

use super::{Text, custom_header};

custom_header! {
    /// Answer to a heartbeat. A client that does not see the first field keeps to heartbeats of version 1.
    pub struct HeartbeatResponse {
        supports_v2: Option<bool> = "IS_SUPPORT_HEART_BEAT_V2",
        /// Whether the client has to send its subscriptions in full.
        subscription_changed: Option<bool> = "IS_SUB_CHANGE",
    }
}

custom_header! {
    /// Takes the calling connection out of its groups.
    pub struct UnregisterClientRequest<'a> {
        client_id: Text<'a> = "clientID",
        producer_group: Option<Text<'a>> = "producerGroup",
        consumer_group: Option<Text<'a>> = "consumerGroup",
    }
}

custom_header! {
    /// Names a consumer group: asks for its members (38) or connections (203).
    pub struct ConsumerGroupRequest<'a> {
        consumer_group: Text<'a> = "consumerGroup",
    }
}

custom_header! {
    /// Tells a consumer that the members of its group changed; sent one-way.
    pub struct NotifyConsumerIdsChangedRequest<'a> {
        consumer_group: Text<'a> = "consumerGroup",
    }
}

custom_header! {
    /// Asks for the connections of a producer group.
    pub struct ProducerConnectionRequest<'a> {
        producer_group: Text<'a> = "producerGroup",
    }
}

custom_header! {
    /// Asks a consumer what it is doing.
    pub struct ConsumerRunningRequest<'a> {
        consumer_group: Text<'a> = "consumerGroup",
        client_id: Text<'a> = "clientId",
        jstack_enable: bool = "jstackEnable" or false,
    }
}

custom_header! {
    /// Asks a consumer to consume one message now.
    pub struct ConsumeDirectlyRequest<'a> {
        consumer_group: Text<'a> = "consumerGroup",
        client_id: Option<Text<'a>> = "clientId",
        /// Offset message id.
        msg_id: Option<Text<'a>> = "msgId",
        broker_name: Option<Text<'a>> = "brokerName",
        topic: Option<Text<'a>> = "topic",
        topic_sys_flag: Option<i32> = "topicSysFlag",
        group_sys_flag: Option<i32> = "groupSysFlag",
    }
}
