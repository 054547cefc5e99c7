//! The name server's tables: GET_ROUTEINFO_BY_TOPIC (105), REGISTER_TOPIC_IN_NAMESRV (217), key-value
//! configuration (100, 101, 102, 219), topics of a cluster (224), write permission (205, 327).
//!
//! GET_BROKER_CLUSTER_INFO (106) and GET_ALL_TOPIC_LIST_FROM_NAMESERVER (206) have no arguments.
//! Source: RocketMQ 5.3.3 `header/namesrv/*.java`, `GetTopicsByClusterRequestHeader.java`.

use super::{Text, custom_header};

custom_header! {
    /// Asks which brokers hold a topic.
    pub struct RouteRequest<'a> {
        topic: Text<'a> = "topic",
        /// Whether the keys of the answer have to be quoted.
        accept_standard_json_only: Option<bool> = "acceptStandardJsonOnly",
        zone_mode: Option<bool> = "zoneMode",
        zone_name: Option<Text<'a>> = "zoneName",
    }
}

custom_header! {
    /// Adds queues of one topic; the body is a route.
    pub struct RegisterTopicRequest<'a> {
        topic: Text<'a> = "topic",
    }
}

custom_header! {
    /// Writes a key-value entry.
    pub struct PutKvConfigRequest<'a> {
        namespace: Text<'a> = "namespace",
        key: Text<'a> = "key",
        value: Text<'a> = "value",
    }
}

custom_header! {
    /// Reads (101) or deletes (102) a key-value entry.
    pub struct KvConfigRequest<'a> {
        namespace: Text<'a> = "namespace",
        key: Text<'a> = "key",
    }
}

custom_header! {
    /// The value of a key-value entry.
    pub struct KvConfigResponse<'a> {
        value: Option<Text<'a>> = "value",
    }
}

custom_header! {
    /// Asks for all entries of a namespace.
    pub struct KvListRequest<'a> {
        namespace: Text<'a> = "namespace",
    }
}

custom_header! {
    /// Asks for the topics of a cluster.
    pub struct TopicsByClusterRequest<'a> {
        cluster: Text<'a> = "cluster",
    }
}

custom_header! {
    /// Takes the write permission from a broker (205) or gives it back (327).
    pub struct WritePermRequest<'a> {
        broker_name: Text<'a> = "brokerName",
    }
}

custom_header! {
    /// Number of topics a broker lost the write permission of.
    pub struct WipeWritePermResponse {
        wipe_topic_count: i32 = "wipeTopicCount",
    }
}

custom_header! {
    /// Number of topics a broker got the write permission of.
    pub struct AddWritePermResponse {
        add_topic_count: i32 = "addTopicCount",
    }
}
