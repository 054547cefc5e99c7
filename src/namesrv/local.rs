//! The broker in the same process: what the name server computes from it instead of being told.
//!
//! It never registers over the network, so its routes are as fresh as its topic table and cannot expire.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::broker::Broker;
use crate::semantics::routes::QueueData;
use crate::semantics::topics::Perm;

/// Who the broker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalIdentity<'a> {
    /// Its cluster.
    pub cluster: &'a str,
    /// Its name.
    pub broker: &'a str,
    /// 0 is the master.
    pub broker_id: i64,
}

/// What a name server has to know of a broker. Never blocks.
pub trait LocalBroker: Send + Sync {
    /// Who it is; the same for the life of the process.
    fn identity(&self) -> LocalIdentity<'_>;

    /// Where a client that reached this process at `asked_at` dials the broker, `host:port`: what is configured,
    /// else the address that it dialled already.
    fn address(&self, asked_at: IpAddr) -> String;

    /// Queues of a topic by its stored name; `None` when there is no such topic.
    fn queues(&self, topic: &str) -> Option<QueueData>;

    /// Stored names of all topics.
    fn topics(&self) -> Vec<Arc<str>>;
}

impl LocalBroker for Broker {
    fn identity(&self) -> LocalIdentity<'_> {
        let own = Broker::identity(self);
        LocalIdentity { cluster: &own.cluster, broker: &own.broker, broker_id: own.broker_id }
    }

    fn address(&self, asked_at: IpAddr) -> String {
        let own = Broker::identity(self);
        let on_our_port = |ip| SocketAddr::new(ip, own.remoting_port).to_string();
        match &own.native_host {
            None => on_our_port(asked_at.to_canonical()),
            Some(host) => host.parse().map_or_else(|_| format!("{host}:{}", own.remoting_port), on_our_port),
        }
    }

    /// A topic is told once the state files hold it, with what both it and the broker permit.
    fn queues(&self, topic: &str) -> Option<QueueData> {
        let topic = self.topic(topic)?;
        let config = topic.config();
        self.is_durable(&topic).then(|| QueueData {
            read_queues: config.read_queues,
            write_queues: config.write_queues,
            perm: Perm(config.perm.0 & self.live().permission.with(Perm::INHERIT).0),
            sys_flag: config.sys_flag,
        })
    }

    fn topics(&self) -> Vec<Arc<str>> {
        let all = Broker::topics(self);
        let told = all.iter().filter(|topic| self.is_durable(topic));
        told.map(|topic| Arc::clone(&topic.config().name)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::test_broker::TestBroker;
    use crate::broker::{BrokerSettings, LiveSettings};

    #[test]
    fn a_route_permits_no_more_than_the_broker() {
        let live = LiveSettings { permission: Perm::READ, ..LiveSettings::default() };
        let settings = BrokerSettings { live, ..BrokerSettings::default() };
        let test = TestBroker::open(settings);
        let told = LocalBroker::queues(&*test.broker, "TBW102").map(|queues| queues.perm);
        assert_eq!(told, Some(Perm::READ.with(Perm::INHERIT)));
    }
}
