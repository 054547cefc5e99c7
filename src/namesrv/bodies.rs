//! Values of the route table as the bodies that clients read, and back.

use std::sync::Arc;

use gantry_protocols::remoting::bodies::route::{BrokerData, QueueData, TopicRouteData};
use gantry_protocols::remoting::bodies::topic::{DataVersion, TopicConfig, TopicList};

use crate::semantics::topics::Perm;
use crate::semantics::{Millis, data_version, routes};

pub(super) fn route_body(route: routes::Route, order_topic_conf: Option<String>) -> TopicRouteData {
    let queue = |(broker, data): (Arc<str>, routes::QueueData)| QueueData {
        broker_name: broker.to_string(),
        perm: data.perm.0,
        read_queue_nums: data.read_queues,
        topic_sys_flag: data.sys_flag,
        write_queue_nums: data.write_queues,
    };
    let texts = |servers: Vec<Arc<str>>| servers.iter().map(|one| one.to_string()).collect();
    TopicRouteData {
        broker_datas: route.brokers.iter().map(broker_body).collect(),
        filter_server_table: route
            .filter_servers
            .into_iter()
            .map(|(address, servers)| (address.to_string(), texts(servers)))
            .collect(),
        order_topic_conf,
        queue_datas: route.queues.into_iter().map(queue).collect(),
        topic_queue_mapping_by_broker: None,
    }
}

pub(super) fn broker_body(data: &routes::BrokerData) -> BrokerData {
    BrokerData {
        broker_addrs: data.addresses.iter().map(|(id, address)| (*id, address.to_string())).collect(),
        broker_name: data.name.to_string(),
        cluster: data.cluster.to_string(),
        enable_acting_master: data.enable_acting_master,
        zone_name: data.zone.as_deref().map(str::to_owned),
    }
}

pub(super) fn topic_list<'n>(
    names: impl IntoIterator<Item = &'n Arc<str>>,
    broker_addr: Option<String>,
) -> TopicList {
    TopicList { broker_addr, topic_list: names.into_iter().map(|name| name.to_string()).collect() }
}

pub(super) fn queues_of(config: &TopicConfig) -> routes::QueueData {
    routes::QueueData {
        read_queues: config.read_queue_nums,
        write_queues: config.write_queue_nums,
        perm: Perm(config.perm),
        sys_flag: config.topic_sys_flag,
    }
}

pub(super) fn queues_on(data: &QueueData) -> routes::QueueData {
    routes::QueueData {
        read_queues: data.read_queue_nums,
        write_queues: data.write_queue_nums,
        perm: Perm(data.perm),
        sys_flag: data.topic_sys_flag,
    }
}

pub(super) fn version_of(body: DataVersion) -> data_version::DataVersion {
    data_version::DataVersion {
        state_version: body.state_version,
        timestamp: Millis(body.timestamp),
        counter: body.counter,
    }
}

pub(super) fn version_body(version: data_version::DataVersion) -> DataVersion {
    DataVersion {
        counter: version.counter,
        state_version: version.state_version,
        timestamp: version.timestamp.0,
    }
}
