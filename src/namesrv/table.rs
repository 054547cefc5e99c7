//! All routes as clients see them: what brokers registered, plus the broker in this process.
//!
//! The own broker stands in front. Its name and id cannot be registered by another one; slaves of its name can.
//! The whole table is under one lock of its owner; nothing here blocks.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use indexmap::{IndexMap, IndexSet};

use super::local::LocalBroker;
use crate::mapping::names;
use crate::semantics::routes::{BrokerData, QueueData, Route, Routes, UnitTopics};
use crate::semantics::topics::Perm;

/// The routes.
pub(super) struct Table {
    /// What brokers registered.
    pub(super) registered: Routes,
    local: Option<Local>,
}

struct Local {
    broker: Arc<dyn LocalBroker>,
    /// WIPE_WRITE_PERM_OF_BROKER; until it is added back or the process ends.
    is_write_wiped: bool,
}

impl Local {
    fn queues(&self, topic: &str) -> Option<QueueData> {
        let queues = self.broker.queues(topic)?;
        Some(if self.is_write_wiped {
            QueueData { perm: queues.perm.without(Perm::WRITE), ..queues }
        } else {
            queues
        })
    }

    /// The broker with the addresses of those that registered under its name.
    fn data(&self, asked_at: IpAddr, others: Option<BrokerData>) -> BrokerData {
        let own = self.broker.identity();
        let mut data = others.unwrap_or_else(|| BrokerData {
            cluster: own.cluster.into(),
            name: own.broker.into(),
            addresses: Default::default(),
            zone: None,
            enable_acting_master: false,
        });
        data.addresses.insert(own.broker_id, self.broker.address(asked_at).into());
        data
    }
}

impl Table {
    pub(super) fn new(registered: Routes, local: Option<Arc<dyn LocalBroker>>) -> Self {
        let local = local.map(|broker| Local { broker, is_write_wiped: false });
        Self { registered, local }
    }

    /// Whether a registration takes the place of the broker in this process.
    pub(super) fn is_own(&self, broker: &str, broker_id: i64) -> bool {
        self.local.as_ref().is_some_and(|local| {
            let own = local.broker.identity();
            own.broker == broker && own.broker_id == broker_id
        })
    }

    /// Where a topic lives, by its stored name or its native alias; `None` when nobody has it.
    pub(super) fn route(&self, topic: &str, asked_at: IpAddr) -> Option<Route> {
        let topic = self.stored_name(topic);
        let mut found = self.registered.route(&topic);
        let Some((local, queues)) =
            self.local.as_ref().and_then(|local| Some((local, local.queues(&topic)?)))
        else {
            return found;
        };
        let own = local.broker.identity();
        let mut route =
            found.take().unwrap_or(Route { brokers: vec![], queues: vec![], filter_servers: vec![] });
        route.brokers.retain(|data| &*data.name != own.broker);
        route.queues.retain(|(broker, _)| &**broker != own.broker);
        let others = self.registered.broker(own.cluster, own.broker).cloned();
        let data = local.data(asked_at, others);
        route.queues.insert(0, (Arc::clone(&data.name), queues));
        route.brokers.insert(0, data);
        Some(route)
    }

    /// All brokers by name.
    pub(super) fn brokers(&self, asked_at: IpAddr) -> IndexMap<Arc<str>, BrokerData> {
        let own = self.local.as_ref().map(|local| {
            let own = local.broker.identity();
            local.data(asked_at, self.registered.broker(own.cluster, own.broker).cloned())
        });
        let mut all: IndexMap<_, _> = own.into_iter().map(|data| (Arc::clone(&data.name), data)).collect();
        for data in self.registered.brokers() {
            all.entry(Arc::clone(&data.name)).or_insert_with(|| data.clone());
        }
        all
    }

    /// Broker names by cluster.
    pub(super) fn clusters(&self) -> IndexMap<Arc<str>, IndexSet<Arc<str>>> {
        let mut all: IndexMap<Arc<str>, IndexSet<Arc<str>>> = IndexMap::new();
        if let Some(local) = &self.local {
            let own = local.broker.identity();
            all.entry(own.cluster.into()).or_default().insert(own.broker.into());
        }
        for (cluster, brokers) in self.registered.clusters() {
            all.entry(Arc::clone(cluster)).or_default().extend(brokers.cloned());
        }
        all
    }

    /// Stored names of all topics.
    pub(super) fn topics(&self) -> IndexSet<Arc<str>> {
        let own = self.local.as_ref().map(|local| local.broker.topics()).unwrap_or_default();
        own.into_iter().chain(self.registered.topics().cloned()).collect()
    }

    /// Stored names of the topics that a broker of the cluster has.
    pub(super) fn topics_of_cluster(&self, cluster: &str) -> IndexSet<Arc<str>> {
        let local = self.local.as_ref().filter(|local| local.broker.identity().cluster == cluster);
        let own = local.map(|local| local.broker.topics()).unwrap_or_default();
        own.into_iter().chain(self.registered.topics_of_cluster(cluster).cloned()).collect()
    }

    /// Stored names of the topics that units made or subscribe.
    pub(super) fn unit_topics(&self, kind: UnitTopics) -> Vec<Arc<str>> {
        let local = self.local.iter().flat_map(|local| {
            let topics = local.broker.topics().into_iter();
            topics.filter(|topic| local.queues(topic).is_some_and(|queues| kind.fits(queues.sys_flag)))
        });
        let own: IndexSet<Arc<str>> = local.collect();
        own.into_iter()
            .chain(self.registered.unit_topics(kind).cloned())
            .collect::<IndexSet<_>>()
            .into_iter()
            .collect()
    }

    /// Master and slaves of a broker name.
    pub(super) fn members(&self, cluster: &str, broker: &str, asked_at: IpAddr) -> Option<BrokerData> {
        let registered = self.registered.broker(cluster, broker).cloned();
        match &self.local {
            Some(local) if self.is_named(local, cluster, broker) => Some(local.data(asked_at, registered)),
            _ => registered,
        }
    }

    fn is_named(&self, local: &Local, cluster: &str, broker: &str) -> bool {
        let own = local.broker.identity();
        own.cluster == cluster && own.broker == broker
    }

    /// Takes WRITE from all topics of a broker; gives how many it has.
    pub(super) fn wipe_write_perm(&mut self, broker: &str) -> usize {
        self.wipe_own(broker, true).unwrap_or_else(|| self.registered.wipe_write_perm(broker))
    }

    /// Gives READ and WRITE to all topics of a broker; gives how many it has.
    pub(super) fn add_write_perm(&mut self, broker: &str) -> usize {
        self.wipe_own(broker, false).unwrap_or_else(|| self.registered.add_write_perm(broker))
    }

    fn wipe_own(&mut self, broker: &str, is_write_wiped: bool) -> Option<usize> {
        let local = self.local.as_mut().filter(|local| local.broker.identity().broker == broker)?;
        local.is_write_wiped = is_write_wiped;
        Some(local.broker.topics().len())
    }

    /// Topics of Kafka clients may have dots, which native clients write as `%2E`.
    fn stored_name<'n>(&self, topic: &'n str) -> Cow<'n, str> {
        names::from_native(topic, |stored| {
            let is_own = self.local.as_ref().is_some_and(|local| local.broker.queues(stored).is_some());
            is_own || self.registered.route(stored).is_some()
        })
    }
}
