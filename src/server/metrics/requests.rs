//! Requests by kind: how many, and how long until they were answered.
//!
//! RocketMQ 5 names them by code (`rocketmq_rpc_latency`, unit in the name as its exporter writes it), Kafka's JMX
//! exporter by API. Kafka's quantiles are bounds: so many requests since the start were answered within them.

use std::fmt;

use super::rows::Rows;
use crate::broker::Broker;
use crate::broker::requests::{REQUEST_BOUNDS_MS, Times};
use crate::semantics::Dialect;
use crate::{kafka, remoting};

const QUANTILES: [(&str, f64); 3] = [("0.5", 0.5), ("0.95", 0.95), ("0.99", 0.99)];

/// Only what was asked at least once has rows.
pub(super) fn write(rows: &mut Rows<'_, '_>, broker: &Broker) -> fmt::Result {
    write_native(rows, broker)?;
    write_kafka(rows, broker)
}

fn write_native(rows: &mut Rows<'_, '_>, broker: &Broker) -> fmt::Result {
    let codes = remoting::routes().map(|(code, _)| code.name().unwrap_or("unknown").to_ascii_lowercase());
    let codes: Vec<_> = codes.collect();
    let times = codes.iter().enumerate().flat_map(|(kind, code)| {
        let times = broker.request_times(Dialect::Native, kind);
        [(code, "false", times.direct), (code, "true", times.waited)]
    });
    let asked = times.filter(|(.., times)| times.count() > 0).map(|(code, waited, times)| {
        let labels =
            vec![("protocol_type", "remoting"), ("request_code", code.as_str()), ("is_long_polling", waited)];
        (labels, times.sum_us as f64 / 1e3, buckets(&times))
    });
    rows.histograms("rocketmq_rpc_latency_milliseconds", "Time until a request was answered", asked)
}

fn write_kafka(rows: &mut Rows<'_, '_>, broker: &Broker) -> fmt::Result {
    let times = kafka::routes().iter().enumerate().map(|(kind, route)| {
        let times = broker.request_times(Dialect::Kafka, kind);
        (route.name(), times.direct.with(&times.waited))
    });
    let asked: Vec<_> = times.filter(|(_, times)| times.count() > 0).collect();
    let counts = asked.iter().map(|(name, times)| (vec![("request", *name)], times.count()));
    rows.counters("kafka_network_requestmetrics_requests", "Requests of Kafka clients", counts)?;
    let quantiles = asked.iter().flat_map(|(name, times)| {
        QUANTILES.into_iter().map(move |(label, share)| {
            let bound = times.quantile_ms(share).map_or(f64::INFINITY, |bound| bound as f64);
            (vec![("request", *name), ("quantile", label)], bound)
        })
    });
    let help = "Time, ms, within which this part of the requests since the start was answered";
    rows.gauges("kafka_network_requestmetrics_totaltimems", help, quantiles)
}

fn buckets(times: &Times) -> Vec<(f64, u64)> {
    let bounds = REQUEST_BOUNDS_MS.iter().map(|bound| *bound as f64).chain([f64::MAX]);
    bounds.zip(times.buckets).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::requests::KINDS;

    #[test]
    fn every_route_has_a_place() {
        assert!(remoting::routes().count() <= KINDS);
        assert!(kafka::routes().len() <= KINDS);
    }
}
