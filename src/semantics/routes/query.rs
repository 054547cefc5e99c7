//! What clients and tools ask the route table.
//!
//! The topics named after a cluster or a broker need no rule of their own: each broker registers them as
//! ordinary topics, so their routes lead to the brokers of that cluster, or to that broker.

use std::sync::Arc;

use super::{BrokerData, BrokerKey, LiveBroker, MASTER_ID, Perm, QueueData, Routes};

/// Where a topic lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Brokers that have it, each with at least one address.
    pub brokers: Vec<BrokerData>,
    /// Broker name and queues, in the same order.
    pub queues: Vec<(Arc<str>, QueueData)>,
    /// Filter servers by broker address; usually none.
    pub filter_servers: Vec<(Arc<str>, Vec<Arc<str>>)>,
}

impl Route {
    /// Only brokers of the zone, and those without a master, which nobody can write to anyway.
    #[must_use]
    pub fn in_zone(mut self, zone: &str) -> Self {
        self.brokers.retain(|data| {
            !data.addresses.contains_key(&MASTER_ID) || data.zone.as_deref().is_some_and(|its| its == zone)
        });
        self.queues.retain(|(broker, _)| self.brokers.iter().any(|data| data.name == *broker));
        self
    }
}

/// Which topics of units are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnitTopics {
    /// Made by a unit: GET_UNIT_TOPIC_LIST.
    Made,
    /// Subscribed by a unit: GET_HAS_UNIT_SUB_TOPIC_LIST.
    Subscribed,
    /// Subscribed by a unit and not made by one: GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST.
    SubscribedOnly,
}

impl UnitTopics {
    /// Whether a topic with this flag is one of them.
    #[must_use]
    pub const fn fits(self, sys_flag: i32) -> bool {
        match self {
            Self::Made => sys_flag & UNIT != 0,
            Self::Subscribed => sys_flag & UNIT_SUB != 0,
            Self::SubscribedOnly => sys_flag & (UNIT | UNIT_SUB) == UNIT_SUB,
        }
    }
}

/// A unit made the topic.
const UNIT: i32 = 1;
/// A unit subscribes the topic.
const UNIT_SUB: i32 = 2;

impl Routes {
    /// GET_ROUTEINFO_BY_TOPIC. `None` when no broker has the topic.
    pub fn route(&self, topic: &str) -> Option<Route> {
        let found = self.topics.get(topic)?.iter().filter_map(|(broker, queues)| {
            self.brokers.get(broker).map(|data| (data, (Arc::clone(broker), *queues)))
        });
        let (brokers, queues): (Vec<&BrokerData>, Vec<_>) = found.unzip();
        if brokers.is_empty() {
            return None;
        }
        let filter_servers = brokers.iter().flat_map(|data| self.filter_servers(data)).collect();
        let acts = self.config.support_acting_master && !topic.starts_with("rmq_sys_SYNC_BROKER_MEMBER_");
        let shown = brokers
            .into_iter()
            .zip(&queues)
            .map(|(data, (_, queues))| if acts { with_acting_master(data, queues) } else { data.clone() });
        Some(Route { brokers: shown.collect(), queues, filter_servers })
    }

    /// GET_BROKER_CLUSTER_INFO: all brokers.
    pub fn brokers(&self) -> impl Iterator<Item = &BrokerData> {
        self.brokers.values()
    }

    /// GET_BROKER_CLUSTER_INFO: each cluster with the names of its brokers.
    pub fn clusters(&self) -> impl Iterator<Item = (&Arc<str>, impl Iterator<Item = &Arc<str>>)> {
        self.clusters.iter().map(|(cluster, brokers)| (cluster, brokers.iter()))
    }

    /// GET_BROKER_MEMBER_GROUP: master and slaves of a broker name.
    pub fn broker(&self, cluster: &str, broker: &str) -> Option<&BrokerData> {
        self.brokers.get(broker).filter(|data| &*data.cluster == cluster)
    }

    /// GET_ALL_TOPIC_LIST_FROM_NAMESERVER: all topics, in the order they came.
    pub fn topics(&self) -> impl Iterator<Item = &Arc<str>> {
        self.topics.keys()
    }

    /// GET_TOPICS_BY_CLUSTER: topics that a broker of the cluster has.
    pub fn topics_of_cluster(&self, cluster: &str) -> impl Iterator<Item = &Arc<str>> {
        let names = self.clusters.get(cluster);
        let is_there = move |broker: &Arc<str>| names.is_some_and(|names| names.contains(broker));
        self.topics.iter().filter(move |(_, queues)| queues.keys().any(is_there)).map(|(topic, _)| topic)
    }

    /// GET_SYSTEM_TOPIC_LIST_FROM_NS: names of clusters and brokers, which are topics too.
    pub fn system_topics(&self) -> impl Iterator<Item = &Arc<str>> {
        self.clusters.iter().flat_map(|(cluster, brokers)| std::iter::once(cluster).chain(brokers))
    }

    /// Some broker's address, for tools that ask it further; `None` without brokers.
    pub fn some_address(&self) -> Option<&Arc<str>> {
        self.brokers.values().find_map(|data| data.addresses.values().next())
    }

    /// Topics that units made or subscribe. The first broker's word counts, as in the original.
    pub fn unit_topics(&self, kind: UnitTopics) -> impl Iterator<Item = &Arc<str>> {
        let fits = move |queues: Option<&QueueData>| queues.is_some_and(|data| kind.fits(data.sys_flag));
        self.topics.iter().filter(move |(_, queues)| fits(queues.values().next())).map(|(topic, _)| topic)
    }

    fn filter_servers(&self, data: &BrokerData) -> Vec<(Arc<str>, Vec<Arc<str>>)> {
        let live = |address: &Arc<str>| -> Option<(&BrokerKey, &LiveBroker)> {
            self.live.get_key_value(&(Arc::clone(&data.cluster), Arc::clone(address)))
        };
        let with_servers =
            data.addresses.values().filter_map(live).filter(|(_, live)| !live.filter_servers.is_empty());
        with_servers.map(|((_, address), live)| (Arc::clone(address), live.filter_servers.clone())).collect()
    }
}

/// Shows the smallest slave as master where there is none and nobody could write anyway.
fn with_acting_master(data: &BrokerData, queues: &QueueData) -> BrokerData {
    let mut shown = data.clone();
    let lacks_master = data.enable_acting_master && !data.addresses.contains_key(&MASTER_ID);
    if lacks_master
        && !queues.perm.has(Perm::WRITE)
        && let Some((_, address)) = shown.addresses.pop_first()
    {
        shown.addresses.insert(MASTER_ID, address);
    }
    shown
}
