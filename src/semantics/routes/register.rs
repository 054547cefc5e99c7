//! REGISTER_BROKER: a broker says that it lives, and what topics it has.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{
    BROKER_EXPIRY_MS, BROKERS_MAX, BrokerData, ConnectionId, LiveBroker, MASTER_ID, Perm, QueueData, Routes,
    TOPICS_MAX, key,
};
use crate::semantics::Millis;
use crate::semantics::data_version::DataVersion;

/// A registration.
#[derive(Clone, Debug)]
pub struct Registration {
    /// The cluster.
    pub cluster: Arc<str>,
    /// The broker's name.
    pub broker: Arc<str>,
    /// 0 for the master.
    pub broker_id: i64,
    /// Where clients dial it.
    pub address: Arc<str>,
    /// Where its slaves dial it.
    pub ha_address: Arc<str>,
    /// Where it stands.
    pub zone: Option<Arc<str>>,
    /// `heartbeatTimeoutMillis`; 120 s when absent.
    pub timeout_ms: Option<i64>,
    /// Absent from brokers that do not know acting masters.
    pub enable_acting_master: Option<bool>,
    /// Where the registration came in.
    pub connection: ConnectionId,
    /// Version of the broker's topic table.
    pub data_version: DataVersion,
    /// All topics, or, in an increment, those that changed.
    pub topics: Vec<(Arc<str>, QueueData)>,
    /// Addresses of filter servers.
    pub filter_servers: Vec<Arc<str>>,
}

/// The answer: a slave learns its master.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registered {
    /// Where the master replicates; empty for a master and where there is none.
    pub ha_address: Arc<str>,
    /// Where clients dial the master; empty for a master and where there is none.
    pub master_address: Arc<str>,
}

/// Why a registration is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegisterError {
    /// One topic of a broker that never registered: an increment without its base.
    #[error("register broker failed: the broker is not known yet; register all topics")]
    IncrementWithoutBase,
    /// More brokers than the table takes.
    #[error("register broker failed: this name server holds {BROKERS_MAX} brokers already")]
    TooManyBrokers,
    /// More topics than the table takes.
    #[error("register broker failed: this name server would hold more than {TOPICS_MAX} topics")]
    TooManyTopics,
}

impl Routes {
    /// Takes a registration over. A different address under a known id replaces it, unless the known one has a
    /// later state version: then nothing changes and the answer is empty.
    ///
    /// # Errors
    /// [`RegisterError`].
    pub fn register(&mut self, now: Millis, registration: Registration) -> Result<Registered, RegisterError> {
        if self.is_outdated(&registration) {
            self.live.shift_remove(&key(&registration.cluster, &registration.address));
            return Ok(Registered::default());
        }
        let known_ids = self.brokers.get(&registration.broker).map(|data| &data.addresses);
        let is_known = known_ids.is_some_and(|ids| ids.contains_key(&registration.broker_id));
        if !is_known && registration.topics.len() == 1 {
            return Err(RegisterError::IncrementWithoutBase);
        }
        self.fits(&registration)?;
        self.enter(&registration);
        if self.applies_topics(&registration) {
            self.apply_topics(&registration, !is_known);
        }
        let answer = self.master_of(&registration);
        self.live.insert(key(&registration.cluster, &registration.address), live(now, registration));
        Ok(answer)
    }

    fn fits(&self, registration: &Registration) -> Result<(), RegisterError> {
        if !self.brokers.contains_key(&registration.broker) && BROKERS_MAX <= self.brokers.len() {
            return Err(RegisterError::TooManyBrokers);
        }
        let is_new = |(topic, _): &&(Arc<str>, QueueData)| !self.topics.contains_key(topic);
        let added = registration.topics.iter().filter(is_new).count();
        if TOPICS_MAX < self.topics.len() + added { Err(RegisterError::TooManyTopics) } else { Ok(()) }
    }

    fn is_outdated(&self, registration: &Registration) -> bool {
        let known = self
            .brokers
            .get(&registration.broker)
            .and_then(|data| data.addresses.get(&registration.broker_id));
        let Some(known) = known.filter(|known| **known != registration.address) else { return false };
        let live = self.live.get(&key(&registration.cluster, known));
        live.is_some_and(|live| registration.data_version.state_version < live.data_version.state_version)
    }

    /// Enters the address; the same address under another id goes first: a slave became master, or the reverse.
    fn enter(&mut self, registration: &Registration) {
        let names = self.clusters.entry(Arc::clone(&registration.cluster)).or_default();
        names.insert(Arc::clone(&registration.broker));
        let data = self.brokers.entry(Arc::clone(&registration.broker)).or_insert_with(|| BrokerData {
            cluster: Arc::clone(&registration.cluster),
            name: Arc::clone(&registration.broker),
            addresses: BTreeMap::new(),
            zone: None,
            enable_acting_master: false,
        });
        data.enable_acting_master = registration.enable_acting_master.unwrap_or(false);
        data.zone.clone_from(&registration.zone);
        let id = registration.broker_id;
        data.addresses.retain(|known, address| *known == id || *address != registration.address);
        data.addresses.insert(id, Arc::clone(&registration.address));
    }

    /// The master's topics count; without one those of the smallest slave, if it knows acting masters.
    fn applies_topics(&self, registration: &Registration) -> bool {
        registration.broker_id == MASTER_ID || self.is_prime_slave(registration)
    }

    fn is_prime_slave(&self, registration: &Registration) -> bool {
        let data = self.brokers.get(&registration.broker);
        let smallest = data.and_then(|data| data.addresses.keys().next());
        registration.enable_acting_master.is_some()
            && registration.broker_id != MASTER_ID
            && smallest == Some(&registration.broker_id)
    }

    fn apply_topics(&mut self, registration: &Registration, is_first: bool) {
        let live = self.live.get(&key(&registration.cluster, &registration.address));
        let is_changed = live.is_none_or(|live| live.data_version != registration.data_version);
        let is_read_only =
            registration.enable_acting_master == Some(true) && self.is_prime_slave(registration);
        for (topic, data) in &registration.topics {
            let queues = self.topics.entry(Arc::clone(topic)).or_default();
            if is_first || is_changed || !queues.contains_key(&registration.broker) {
                let perm = if is_read_only { data.perm.without(Perm::WRITE) } else { data.perm };
                queues.insert(Arc::clone(&registration.broker), QueueData { perm, ..*data });
            }
        }
    }

    fn master_of(&self, registration: &Registration) -> Registered {
        let data = self.brokers.get(&registration.broker).filter(|_| registration.broker_id != MASTER_ID);
        let Some(master) = data.and_then(|data| data.addresses.get(&MASTER_ID)) else {
            return Registered::default();
        };
        match self.live.get(&key(&registration.cluster, master)) {
            Some(live) => {
                Registered { ha_address: Arc::clone(&live.ha_address), master_address: Arc::clone(master) }
            }
            None => Registered::default(),
        }
    }
}

fn live(now: Millis, registration: Registration) -> LiveBroker {
    LiveBroker {
        name: registration.broker,
        broker_id: registration.broker_id,
        last_update: now,
        timeout_ms: registration.timeout_ms.filter(|timeout_ms| 0 < *timeout_ms).unwrap_or(BROKER_EXPIRY_MS),
        data_version: registration.data_version,
        connection: registration.connection,
        ha_address: registration.ha_address,
        filter_servers: registration.filter_servers,
    }
}
