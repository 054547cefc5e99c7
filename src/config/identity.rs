//! Who the broker is: the names and addresses that go into routes, messages and message ids.

use std::net::IpAddr;

use super::key::{Allowed, section};

section! {
    /// Who the broker is.
    identity: Identity {
        /// Cluster that the broker belongs to.
        broker_cluster_name: String = "DefaultCluster", "brokerClusterName", RocketMq, Text;
        /// Name of the broker; stored with queues and routes, so it must not change with the machine's name (RocketMQ takes that).
        broker_name: String = "broker-a", "brokerName", RocketMq, Text;
        /// 0 is the master; replicas are not supported yet.
        broker_id: u32 = "0", "brokerId", RocketMq, Count, Allowed::Range(0, 0);
        /// Address that clients are told and that message ids carry; unset means the address each client reached the broker by.
        broker_ip1: Option<IpAddr> = "", "brokerIP1", RocketMq, Address;
        /// Name of the region in answers to producers.
        region_id: String = "DefaultRegion", "regionId", RocketMq, Text;
    }
}
