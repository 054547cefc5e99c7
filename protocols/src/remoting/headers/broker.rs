//! Brokers: REGISTER_BROKER (103), UNREGISTER_BROKER (104), QUERY_DATA_VERSION (322), BROKER_HEARTBEAT (904),
//! GET_BROKER_MEMBER_GROUP (901), GET_BROKER_CONFIG (26), VIEW_BROKER_STATS_DATA (315).
//!
//! GET_BROKER_RUNTIME_INFO (28) has no arguments.
//! Source: RocketMQ 5.3.3 `header/namesrv/RegisterBroker*Header.java` and its neighbours,
//! `header/GetBrokerConfigResponseHeader.java`.

use super::{Text, custom_header};

custom_header! {
    /// Registers a broker and all of its topics, which stand in the body.
    pub struct RegisterBrokerRequest<'a> {
        broker_name: Text<'a> = "brokerName",
        broker_addr: Text<'a> = "brokerAddr",
        cluster_name: Text<'a> = "clusterName",
        ha_server_addr: Text<'a> = "haServerAddr",
        /// 0 is the master.
        broker_id: i64 = "brokerId",
        /// How long the registration holds without another, in milliseconds.
        heartbeat_timeout_millis: Option<i64> = "heartbeatTimeoutMillis",
        enable_acting_master: Option<bool> = "enableActingMaster",
        compressed: bool = "compressed" or false,
        /// CRC-32 of the body; 0 means that it was not computed.
        body_crc32: i32 = "bodyCrc32" or 0,
        zone_name: Option<Text<'a>> = "zoneName",
    }
}

custom_header! {
    /// Tells a slave where its master is.
    pub struct RegisterBrokerResponse<'a> {
        ha_server_addr: Option<Text<'a>> = "haServerAddr",
        master_addr: Option<Text<'a>> = "masterAddr",
    }
}

custom_header! {
    /// Takes a broker (104) out, or asks whether its topics changed (322, the body is a data version).
    pub struct BrokerIdentityRequest<'a> {
        broker_name: Text<'a> = "brokerName",
        broker_addr: Text<'a> = "brokerAddr",
        cluster_name: Text<'a> = "clusterName",
        broker_id: i64 = "brokerId",
    }
}

custom_header! {
    /// Whether the data version of the name server differs from the broker's.
    pub struct QueryDataVersionResponse {
        changed: bool = "changed",
    }
}

custom_header! {
    /// Says that a broker is alive.
    pub struct BrokerHeartbeatRequest<'a> {
        cluster_name: Text<'a> = "clusterName",
        broker_addr: Text<'a> = "brokerAddr",
        broker_name: Text<'a> = "brokerName",
        broker_id: Option<i64> = "brokerId",
        epoch: Option<i32> = "epoch",
        /// Commit offset.
        max_offset: Option<i64> = "maxOffset",
        /// Commit offset.
        confirm_offset: Option<i64> = "confirmOffset",
        heartbeat_timeout_mills: Option<i64> = "heartbeatTimeoutMills",
        election_priority: Option<i32> = "electionPriority",
    }
}

custom_header! {
    /// Asks for the brokers of one name.
    pub struct BrokerMemberGroupRequest<'a> {
        cluster_name: Text<'a> = "clusterName",
        broker_name: Text<'a> = "brokerName",
    }
}

custom_header! {
    /// Asks for a statistic by name (315).
    pub struct ViewBrokerStatsRequest<'a> {
        /// Such as `TOPIC_PUT_NUMS`.
        stats_name: Text<'a> = "statsName",
        /// Such as a topic, or `topic@group`.
        stats_key: Text<'a> = "statsKey",
    }
}

custom_header! {
    /// The data version of the configuration text in the body.
    pub struct BrokerConfigResponse<'a> {
        /// JSON of a data version.
        version: Text<'a> = "version",
    }
}
