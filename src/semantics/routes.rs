//! The name server's route table: which brokers live, which queues of a topic each has.
//!
//! Everything here is what brokers said; it is lost with the process and comes back with their next
//! registrations. Rules that are easy to miss: topics of a registration are applied only when the broker's data
//! version is not the stored one, or the pair of topic and broker is new; a topic that a registration does not
//! name stays; an unknown broker id with exactly one topic is refused, since that is an increment to a table
//! that this server never saw.
//!
//! Key-value configuration is [`kv`]. Not here: files, sockets, the order of requests.
//!
//! Source: RocketMQ 5.3.3 `namesrv/routeinfo/RouteInfoManager.java`.

pub mod kv;
mod query;
mod register;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use indexmap::{IndexMap, IndexSet};

use super::Millis;
use super::data_version::DataVersion;
pub use super::subscriptions::ConnectionId;
use super::topics::Perm;
pub use query::{Route, UnitTopics};
pub use register::{RegisterError, Registered, Registration};

/// Id of the master in a broker group.
pub const MASTER_ID: i64 = 0;

/// A broker that names no time-out is dropped after so long without a word.
pub const BROKER_EXPIRY_MS: i64 = 120_000;

/// Brokers of one table: far above any deployment, so that a stranger who registers on and on does not take the memory.
pub const BROKERS_MAX: usize = 10_000;

/// Topics of one table, for the same reason.
pub const TOPICS_MAX: usize = 1_000_000;

/// Queues of a topic on one broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueData {
    /// Queues that consumers read.
    pub read_queues: i32,
    /// Queues that producers write to.
    pub write_queues: i32,
    /// What may be done.
    pub perm: Perm,
    /// Bit 0: unit; bit 1: subscribed by a unit.
    pub sys_flag: i32,
}

/// Master and slaves of one broker name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerData {
    /// The cluster.
    pub cluster: Arc<str>,
    /// The name all of them share.
    pub name: Arc<str>,
    /// Addresses by broker id; 0 is the master. Never empty.
    pub addresses: BTreeMap<i64, Arc<str>>,
    /// Where they stand, if they said so.
    pub zone: Option<Arc<str>>,
    /// A slave may act for a lost master.
    pub enable_acting_master: bool,
}

/// A broker is found by cluster and address.
type BrokerKey = (Arc<str>, Arc<str>);

#[derive(Clone, Debug)]
struct LiveBroker {
    name: Arc<str>,
    broker_id: i64,
    last_update: Millis,
    timeout_ms: i64,
    data_version: DataVersion,
    connection: ConnectionId,
    ha_address: Arc<str>,
    filter_servers: Vec<Arc<str>>,
}

impl LiveBroker {
    const fn deadline(&self) -> Millis {
        self.last_update.plus(self.timeout_ms)
    }
}

/// What a name server was started with.
#[derive(Clone, Copy, Debug, Default)]
pub struct RouteConfig {
    /// `supportActingMaster`: routes show the smallest slave as master where there is none.
    pub support_acting_master: bool,
}

/// The route table.
#[derive(Clone, Debug, Default)]
pub struct Routes {
    config: RouteConfig,
    clusters: IndexMap<Arc<str>, IndexSet<Arc<str>>>,
    brokers: IndexMap<Arc<str>, BrokerData>,
    topics: IndexMap<Arc<str>, IndexMap<Arc<str>, QueueData>>,
    live: IndexMap<BrokerKey, LiveBroker>,
}

/// A broker that went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Departure {
    /// The cluster.
    pub cluster: Arc<str>,
    /// The broker's name.
    pub broker: Arc<str>,
    /// Its id.
    pub broker_id: i64,
    /// Its address.
    pub address: Arc<str>,
}

impl Routes {
    /// An empty table.
    pub fn new(config: RouteConfig) -> Self {
        Self { config, ..Self::default() }
    }

    /// Other rules from now on.
    pub fn configure(&mut self, config: RouteConfig) {
        self.config = config;
    }

    /// UNREGISTER_BROKER. False when no such broker is there.
    pub fn unregister(&mut self, cluster: &str, address: &str, broker: &str) -> bool {
        let was_live = self.live.shift_remove(&key(cluster, address)).is_some();
        let Some(data) = self.brokers.get_mut(broker) else { return was_live };
        let before = data.addresses.len();
        data.addresses.retain(|_, known| &**known != address);
        let removed = data.addresses.len() < before;
        if data.addresses.is_empty() {
            self.forget_broker(broker);
        } else if removed && data.enable_acting_master && !data.addresses.contains_key(&MASTER_ID) {
            self.change_perm(broker, |perm| perm.without(Perm::WRITE));
        }
        was_live || removed
    }

    /// The connection is closed: every broker on it goes at once.
    pub fn closed(&mut self, connection: ConnectionId) -> Vec<Departure> {
        self.depart(|live| live.connection == connection)
    }

    /// Brokers that were silent longer than their time-out go; the caller closes nothing, they may come back.
    pub fn expire(&mut self, now: Millis) -> Vec<Departure> {
        self.depart(|live| live.deadline() <= now)
    }

    /// The earliest time at which [`Routes::expire`] has something to do.
    pub fn next_deadline(&self) -> Option<Millis> {
        self.live.values().map(LiveBroker::deadline).min()
    }

    /// DELETE_TOPIC_IN_NAMESRV: everywhere, or on the brokers of one cluster.
    pub fn delete_topic(&mut self, topic: &str, cluster: Option<&str>) {
        let Some(cluster) = cluster else {
            self.topics.shift_remove(topic);
            return;
        };
        let Some(queues) = self.topics.get_mut(topic) else { return };
        let brokers = self.clusters.get(cluster);
        queues.retain(|broker, _| !brokers.is_some_and(|names| names.contains(broker)));
        if queues.is_empty() {
            self.topics.shift_remove(topic);
        }
    }

    /// REGISTER_TOPIC_IN_NAMESRV: one topic on brokers that are known; false when one is not, and nothing done.
    pub fn register_topic(
        &mut self,
        topic: &str,
        queues: impl IntoIterator<Item = (Arc<str>, QueueData)>,
    ) -> bool {
        let queues: Vec<_> = queues.into_iter().collect();
        let all_known =
            !queues.is_empty() && queues.iter().all(|(broker, _)| self.brokers.contains_key(broker));
        if all_known {
            self.topics.entry(Arc::from(topic)).or_default().extend(queues);
        }
        all_known
    }

    /// WIPE_WRITE_PERM_OF_BROKER: how many topics the broker has, all without WRITE now. A registration with a
    /// changed data version undoes it.
    pub fn wipe_write_perm(&mut self, broker: &str) -> usize {
        self.change_perm(broker, |perm| perm.without(Perm::WRITE))
    }

    /// ADD_WRITE_PERM_OF_BROKER: how many topics the broker has, all READ and WRITE now.
    pub fn add_write_perm(&mut self, broker: &str) -> usize {
        self.change_perm(broker, |_| Perm::READ_WRITE)
    }

    /// QUERY_DATA_VERSION: the stored version, when there is one. An equal version keeps the broker alive; the
    /// broker registers again when it is `None` or differs.
    pub fn query_data_version(
        &mut self,
        now: Millis,
        cluster: &str,
        address: &str,
        version: DataVersion,
    ) -> Option<DataVersion> {
        let live = self.live.get_mut(&key(cluster, address))?;
        if live.data_version == version {
            live.last_update = now;
        }
        Some(live.data_version)
    }

    fn change_perm(&mut self, broker: &str, change: impl Fn(Perm) -> Perm) -> usize {
        let queues = self.topics.values_mut().filter_map(|queues| queues.get_mut(broker));
        queues.map(|data| data.perm = change(data.perm)).count()
    }

    fn depart(&mut self, goes: impl Fn(&LiveBroker) -> bool) -> Vec<Departure> {
        let going = self.live.iter().filter(|(_, live)| goes(live));
        let departures: Vec<Departure> = going
            .map(|((cluster, address), live)| Departure {
                cluster: Arc::clone(cluster),
                broker: Arc::clone(&live.name),
                broker_id: live.broker_id,
                address: Arc::clone(address),
            })
            .collect();
        for gone in &departures {
            self.unregister(&gone.cluster, &gone.address, &gone.broker);
        }
        departures
    }

    /// The last address of a name went: its queues go with it.
    fn forget_broker(&mut self, broker: &str) {
        self.brokers.shift_remove(broker);
        self.clusters.retain(|_, names| {
            names.shift_remove(broker);
            !names.is_empty()
        });
        self.topics.retain(|_, queues| {
            queues.shift_remove(broker);
            !queues.is_empty()
        });
    }
}

fn key(cluster: &str, address: &str) -> BrokerKey {
    (Arc::from(cluster), Arc::from(address))
}
