//! `/metrics`: what the server and the broker are doing, in the Prometheus text format.
//!
//! Values are read when they are asked for. Names: RocketMQ 5's where it has one (`broker/metrics/
//! BrokerMetricsConstant.java`, `store/metrics/DefaultStoreMetricsConstant.java`, 5.3.3), those of Kafka's JMX
//! exporter for what Kafka clients do, the conventional `process_*`, and `gantry_*` for the rest.

mod broker;
mod process;
mod requests;
mod rows;
mod server;
#[cfg(test)]
mod tests;
mod topics;

use std::sync::Arc;

use prometheus_client::registry::Registry;

use self::broker::BrokerMetrics;
pub(super) use self::server::ServerMetrics;
use crate::broker::Broker;

/// The metrics of a broker, to be shown beside the server's own.
#[must_use]
pub fn broker_metrics(broker: &Arc<Broker>) -> Registry {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(BrokerMetrics(Arc::clone(broker))));
    registry
}
