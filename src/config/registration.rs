//! How the broker registers with name servers of other processes.

use super::key::{Allowed, section};
use super::value::HostPorts;

section! {
    /// How the broker registers with name servers of other processes.
    registration: Registration {
        /// Name servers that the broker registers with; the one in its own process needs no word.
        namesrv_addr: HostPorts = "", "namesrvAddr", RocketMq, Address;
        /// How often it registers when nothing changes; a change of its topics is registered at once.
        register_period_ms: u64 = "30000", "registerNameServerPeriod", RocketMq, Milliseconds, Allowed::Range(1_000, 60_000);
        /// Register in full each time; false asks first whether the name server knows the topics' version.
        force_register: bool = "true", "forceRegister", RocketMq, Flag;
        /// Send heartbeats between registrations, so that name servers drop a broker that hangs sooner.
        acting_master: bool = "false", "enableSlaveActingMaster", RocketMq, Flag;
        /// How often a heartbeat is sent where `enableSlaveActingMaster` is true.
        heartbeat_interval_ms: u64 = "1000", "brokerHeartbeatInterval", RocketMq, Milliseconds, Allowed::Range(100, 60_000);
        /// After how long without a word name servers drop the broker where `enableSlaveActingMaster` is true; else after 120 s.
        not_active_timeout_ms: u64 = "10000", "brokerNotActiveTimeoutMillis", RocketMq, Milliseconds, Allowed::Range(1_000, 600_000);
    }
}
