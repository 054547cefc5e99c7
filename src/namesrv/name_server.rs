//! The name server: routes and key-value configuration of all connections, and the verbs that handlers call.
//!
//! One short lock over the routes, one over the configuration; no verb blocks on a file or on the other lock.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::task::{Poll, Waker};

use indexmap::{IndexMap, IndexSet};
use tracing::{info, warn};

use super::kv_keeper::{KvKeepError, KvKeeper, Version};
use super::local::LocalBroker;
use super::switches::{NameServerConfig, SwitchError, Switches};
use super::table::Table;
use crate::semantics::Millis;
use crate::semantics::data_version::DataVersion;
use crate::semantics::routes::kv::{KvConfig, KvFull, ORDER_TOPIC_NAMESPACE};
use crate::semantics::routes::{
    BrokerData, ConnectionId, Departure, QueueData, RegisterError, Registered, Registration, Route,
    RouteConfig, Routes, UnitTopics,
};

/// Why a registration is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistrationError {
    /// The route table's rules.
    #[error(transparent)]
    Rule(#[from] RegisterError),
    /// Its name and id are those of the broker in this process.
    #[error(
        "broker {broker} with id {broker_id} is the one in the name server's own process; use another brokerName"
    )]
    Own {
        /// The name.
        broker: String,
        /// The id.
        broker_id: i64,
    },
}

/// The name server.
pub struct NameServer {
    config: RwLock<NameServerConfig>,
    routes: Mutex<Guarded>,
    kv: Mutex<KvConfig>,
    keeper: KvKeeper,
    clock: Arc<dyn Fn() -> i64 + Send + Sync>,
    last_connection: AtomicU64,
}

struct Guarded {
    table: Table,
    timer: Option<Waker>,
}

impl NameServer {
    /// A name server with the configuration that `keeper` holds; `local` is the broker in the same process, and
    /// `clock` gives milliseconds since 1970.
    pub fn new(
        config: NameServerConfig,
        keeper: KvKeeper,
        saved: KvConfig,
        local: Option<Arc<dyn LocalBroker>>,
        clock: Arc<dyn Fn() -> i64 + Send + Sync>,
    ) -> Arc<Self> {
        let table = Table::new(Routes::new(route_config(config.switches)), local);
        Arc::new(Self {
            config: RwLock::new(config),
            routes: Mutex::new(Guarded { table, timer: None }),
            kv: Mutex::new(saved),
            keeper,
            clock,
            last_connection: AtomicU64::new(0),
        })
    }

    fn routes(&self) -> MutexGuard<'_, Guarded> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kv(&self) -> MutexGuard<'_, KvConfig> {
        self.kv.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The switches as they stand.
    pub(super) fn switches(&self) -> Switches {
        self.config.read().unwrap_or_else(PoisonError::into_inner).switches
    }

    /// Changes all of `settings` or none, until the process ends.
    pub(super) fn change_config(&self, settings: &[(String, String)]) -> Result<(), SwitchError> {
        let mut config = self.config.write().unwrap_or_else(PoisonError::into_inner);
        config.change(settings)?;
        let switches = config.switches;
        drop(config);
        self.routes().table.registered.configure(route_config(switches));
        info!(?settings, "configuration changed by a request; the next start reads the file again");
        Ok(())
    }

    /// `key=value` lines of the whole configuration.
    pub(super) fn config_text(&self) -> String {
        self.config.read().unwrap_or_else(PoisonError::into_inner).text()
    }

    pub(super) fn now(&self) -> Millis {
        Millis((self.clock)())
    }

    pub(super) fn next_connection(&self) -> ConnectionId {
        ConnectionId(self.last_connection.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// Drops brokers that fell silent; gives the next time to look and wakes `timer` for an earlier one.
    pub fn tick(&self, now: Millis, timer: &Waker) -> Option<Millis> {
        let mut routes = self.routes();
        let gone = routes.table.registered.expire(now);
        routes.timer = Some(timer.clone());
        let next = routes.table.registered.next_deadline();
        drop(routes);
        log_departures(&gone, "a broker fell silent; its routes are withdrawn");
        next
    }

    pub(super) fn connection_closed(&self, connection: ConnectionId) {
        let gone = self.routes().table.registered.closed(connection);
        log_departures(&gone, "the connection of a broker closed; its routes are withdrawn");
    }

    pub(super) fn route(&self, topic: &str, asked_at: IpAddr) -> Option<Route> {
        self.routes().table.route(topic, asked_at)
    }

    /// `orderTopicConf` of a topic, where routes carry it.
    pub(super) fn order_of(&self, topic: &str) -> Option<String> {
        if !self.switches().order_messages {
            return None;
        }
        self.kv().order_topic(topic).map(str::to_owned)
    }

    pub(super) fn brokers(&self, asked_at: IpAddr) -> IndexMap<Arc<str>, BrokerData> {
        self.routes().table.brokers(asked_at)
    }

    pub(super) fn clusters(&self) -> IndexMap<Arc<str>, IndexSet<Arc<str>>> {
        self.routes().table.clusters()
    }

    pub(super) fn members(&self, cluster: &str, broker: &str, asked_at: IpAddr) -> Option<BrokerData> {
        self.routes().table.members(cluster, broker, asked_at)
    }

    pub(super) fn topics(&self) -> IndexSet<Arc<str>> {
        self.routes().table.topics()
    }

    pub(super) fn topics_of_cluster(&self, cluster: &str) -> IndexSet<Arc<str>> {
        self.routes().table.topics_of_cluster(cluster)
    }

    pub(super) fn register(
        &self,
        now: Millis,
        broker: Registration,
    ) -> Result<Registered, RegistrationError> {
        let mut routes = self.routes();
        if routes.table.is_own(&broker.broker, broker.broker_id) {
            let broker_id = broker.broker_id;
            return Err(RegistrationError::Own { broker: broker.broker.to_string(), broker_id });
        }
        let before = routes.table.registered.next_deadline();
        let known = routes.table.registered.broker(&broker.cluster, &broker.broker);
        let is_known = known.is_some_and(|data| data.addresses.contains_key(&broker.broker_id));
        let (name, address) = (Arc::clone(&broker.broker), Arc::clone(&broker.address));
        let answer = routes.table.registered.register(now, broker)?;
        if before.is_none_or(|before| routes.table.registered.next_deadline() < Some(before))
            && let Some(timer) = routes.timer.take()
        {
            timer.wake();
        }
        drop(routes);
        if !is_known {
            info!(broker = %name, %address, "broker registered");
        }
        Ok(answer)
    }

    pub(super) fn unregister(&self, cluster: &str, address: &str, broker: &str) {
        if self.routes().table.registered.unregister(cluster, address, broker) {
            info!(broker, address, "broker unregistered");
        }
    }

    pub(super) fn query_data_version(
        &self,
        now: Millis,
        cluster: &str,
        address: &str,
        version: DataVersion,
    ) -> Option<DataVersion> {
        self.routes().table.registered.query_data_version(now, cluster, address, version)
    }

    pub(super) fn broker_heartbeat(&self, now: Millis, cluster: &str, address: &str) {
        let mut routes = self.routes();
        let registered = &mut routes.table.registered;
        // To name the version that is stored is what keeps a broker alive.
        if let Some(known) = registered.query_data_version(now, cluster, address, DataVersion::default()) {
            registered.query_data_version(now, cluster, address, known);
        }
    }

    pub(super) fn delete_topic(&self, topic: &str, cluster: Option<&str>) {
        self.routes().table.registered.delete_topic(topic, cluster);
    }

    /// Adds one topic on brokers that are known; false when one is not, and nothing done.
    pub(super) fn register_topic(&self, topic: &str, queues: Vec<(Arc<str>, QueueData)>) -> bool {
        self.routes().table.registered.register_topic(topic, queues)
    }

    /// Topics that units made or subscribe.
    pub(super) fn unit_topics(&self, kind: UnitTopics) -> Vec<Arc<str>> {
        self.routes().table.unit_topics(kind)
    }

    pub(super) fn wipe_write_perm(&self, broker: &str) -> usize {
        self.routes().table.wipe_write_perm(broker)
    }

    pub(super) fn add_write_perm(&self, broker: &str) -> usize {
        self.routes().table.add_write_perm(broker)
    }

    /// Sets a value; the change stands once the version is kept.
    pub(super) fn put_kv(&self, namespace: &str, key: &str, value: &str) -> Result<Version, KvFull> {
        let mut kv = self.kv();
        Ok(if kv.put(namespace, key, value)? { self.keeper.keep(&kv) } else { self.keeper.latest() })
    }

    /// Removes a key; the change stands once the version is kept.
    pub(super) fn delete_kv(&self, namespace: &str, key: &str) -> Version {
        let mut kv = self.kv();
        if kv.delete(namespace, key) { self.keeper.keep(&kv) } else { self.keeper.latest() }
    }

    pub(super) fn kv_value(&self, namespace: &str, key: &str) -> Option<String> {
        self.kv().value(namespace, key).map(str::to_owned)
    }

    pub(super) fn kv_namespace(&self, namespace: &str) -> Option<IndexMap<String, String>> {
        self.kv().namespace(namespace).cloned()
    }

    /// All order configurations, where a broker is told them with its registration.
    pub(super) fn orders(&self) -> Option<IndexMap<String, String>> {
        self.switches().return_orders.then(|| self.kv_namespace(ORDER_TOPIC_NAMESPACE)).flatten()
    }

    pub(super) fn poll_kept(&self, version: Version, waker: &Waker) -> Poll<Result<(), KvKeepError>> {
        self.keeper.poll(version, waker)
    }
}

fn route_config(switches: Switches) -> RouteConfig {
    RouteConfig { support_acting_master: switches.acting_master }
}

fn log_departures(gone: &[Departure], message: &'static str) {
    for Departure { cluster, broker, broker_id, address } in gone {
        warn!(%cluster, %broker, broker_id, %address, "{message}");
    }
}
