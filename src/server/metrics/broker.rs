//! The broker's metrics: what went through, and what it looks like now.

use std::fmt;
use std::sync::Arc;

use gantry_store::FLUSH_BOUNDS_US;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::rows::{Labels, Rows};
use super::{requests, topics};
use crate::broker::Broker;
use crate::broker::counters::{Flow, Reason, SIZE_BOUNDS, Totals};
use crate::broker::gauges::Gauges;
use crate::semantics::{Dialect, Millis};

/// The broker's metrics, read when they are asked for.
pub(super) struct BrokerMetrics(pub(super) Arc<Broker>);

impl fmt::Debug for BrokerMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BrokerMetrics")
    }
}

impl Collector for BrokerMetrics {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let broker = &*self.0;
        let identity = broker.identity();
        // RocketMQ's own three.
        let common =
            vec![("cluster", &*identity.cluster), ("node_type", "broker"), ("node_id", &*identity.broker)];
        let mut rows = Rows::new(encoder, common);
        let (native, kafka) = (broker.totals(Dialect::Native), broker.totals(Dialect::Kafka));
        let gauges = broker.gauges();
        write_traffic(&mut rows, &native, &kafka)?;
        write_refusals(&mut rows, &native, &kafka)?;
        write_kafka_names(&mut rows, &kafka, &gauges)?;
        requests::write(&mut rows, broker)?;
        write_tables(&mut rows, broker, &gauges)?;
        topics::write(&mut rows, broker)?;
        write_store(&mut rows, broker, &gauges)
    }
}

type Out<'a, 'e, 'l> = &'a mut Rows<'e, 'l>;

fn write_traffic(rows: Out<'_, '_, '_>, native: &Totals, kafka: &Totals) -> fmt::Result {
    let stored = |pick: fn(&Flow) -> u64| by_dialect(pick(&native.stored), pick(&kafka.stored));
    let read = |pick: fn(&Flow) -> u64| by_dialect(pick(&native.read), pick(&kafka.read));
    rows.counters("gantry_messages_in", "Messages stored", stored(|flow| flow.messages))?;
    rows.counters("gantry_bytes_in", "Bytes of stored bodies", stored(|flow| flow.bytes))?;
    rows.counters("gantry_messages_out", "Messages given to consumers", read(|flow| flow.messages))?;
    rows.counters("gantry_bytes_out", "Bytes given to consumers", read(|flow| flow.bytes))?;
    let sizes = [(Dialect::Native, native), (Dialect::Kafka, kafka)];
    let sizes = sizes.map(|(of, totals)| {
        (vec![dialect(of)], totals.stored.bytes as f64, buckets(&SIZE_BOUNDS, 1.0, &totals.sizes))
    });
    rows.histograms("rocketmq_message_size", "Stored messages by size of the body, bytes", sizes)?;
    rows.counters("gantry_sends", "Send requests stored", stored(|flow| flow.requests))?;
    rows.counters("gantry_reads", "Pulls and fetches answered with messages", read(|flow| flow.requests))
}

fn by_dialect(native: u64, kafka: u64) -> [(Labels<'static>, u64); 2] {
    [(vec![dialect(Dialect::Native)], native), (vec![dialect(Dialect::Kafka)], kafka)]
}

fn dialect(dialect: Dialect) -> (&'static str, &'static str) {
    (
        "dialect",
        match dialect {
            Dialect::Native => "rocketmq",
            Dialect::Kafka => "kafka",
        },
    )
}

/// Only what happened has a row.
fn write_refusals(rows: Out<'_, '_, '_>, native: &Totals, kafka: &Totals) -> fmt::Result {
    let tables = [
        (Dialect::Native, "send", &native.sends_refused),
        (Dialect::Native, "read", &native.reads_refused),
        (Dialect::Kafka, "send", &kafka.sends_refused),
        (Dialect::Kafka, "read", &kafka.reads_refused),
    ];
    let refused = tables.into_iter().flat_map(|(of, request, counts)| {
        let counted = Reason::ALL.into_iter().zip(counts.iter().copied()).filter(|(_, count)| *count > 0);
        counted.map(move |(reason, count)| {
            (vec![dialect(of), ("request", request), ("reason", reason.name())], count)
        })
    });
    rows.counters("gantry_refused", "Requests refused, by reason", refused)
}

/// What boards for Kafka look for; Kafka clients only. One broker leads every partition.
fn write_kafka_names(rows: Out<'_, '_, '_>, kafka: &Totals, gauges: &Gauges) -> fmt::Result {
    let failed = |counts: &[u64]| counts.iter().sum::<u64>();
    let (produce_failed, fetch_failed) = (failed(&kafka.sends_refused), failed(&kafka.reads_refused));
    let topic_metrics = [
        ("messagesin", "Records stored for Kafka clients", kafka.stored.messages),
        ("bytesin", "Bytes stored for Kafka clients", kafka.stored.bytes),
        ("bytesout", "Bytes given to Kafka clients", kafka.read.bytes),
        ("totalproducerequests", "Produced partitions", kafka.stored.requests + produce_failed),
        ("failedproducerequests", "Refused partitions of produce requests", produce_failed),
        ("totalfetchrequests", "Fetch requests answered", kafka.read.requests),
        ("failedfetchrequests", "Refused partitions of fetches", fetch_failed),
    ];
    for (name, help, value) in topic_metrics {
        rows.counter(&format!("kafka_server_brokertopicmetrics_{name}"), help, value)?;
    }
    let partitions = gauges.queues as i64;
    for (name, value) in [
        ("partitioncount", partitions),
        ("leadercount", partitions),
        ("underreplicatedpartitions", 0),
        ("offlinereplicacount", 0),
    ] {
        rows.gauge(&format!("kafka_server_replicamanager_{name}"), "As Kafka's ReplicaManager", value)?;
    }
    let help = "As Kafka's KafkaController";
    rows.gauge("kafka_controller_kafkacontroller_activecontrollercount", help, 1_i64)
}

fn write_tables(rows: Out<'_, '_, '_>, broker: &Broker, gauges: &Gauges) -> fmt::Result {
    let permission = i64::from(broker.live().permission.0);
    rows.gauge("rocketmq_broker_permission", "2 write, 4 read, 6 both", permission)?;
    rows.gauge("rocketmq_topic_number", "Topics", gauges.topics as i64)?;
    rows.gauge("rocketmq_consumer_group_number", "Consumer groups", gauges.groups as i64)?;
    let producers = gauges.producer_connections as i64;
    rows.gauge("rocketmq_producer_connections", "Connections of RocketMQ producers", producers)?;
    let consumers = gauges.consumer_connections as i64;
    rows.gauge("rocketmq_consumer_connections", "Connections of RocketMQ consumers", consumers)?;
    let live = by_dialect(gauges.native_groups as u64, gauges.kafka_groups as u64);
    let live = live.map(|(labels, count)| (labels, count as i64));
    rows.gauges("gantry_live_groups", "Groups with live members", live)?;
    rows.gauge("gantry_queues", "Queues that topics have", gauges.queues as i64)?;
    rows.gauge("gantry_queues_in_use", "Queues with files or readers", gauges.queues_in_use as i64)?;
    rows.gauge("gantry_parked_requests", "Requests that wait", gauges.parked_requests as i64)?;
    let cache = gauges.decoded;
    rows.counter("gantry_decoded_batch_hits", "Decoded batches found in memory", cache.hits)?;
    rows.counter("gantry_decoded_batch_misses", "Batches that had to be decoded", cache.misses)?;
    rows.counter("gantry_decoded_batch_evictions", "Decoded batches dropped", cache.evictions)?;
    rows.gauge("gantry_decoded_batch_bytes", "Memory of decoded batches", gauges.decoded_bytes as i64)
}

fn write_store(rows: Out<'_, '_, '_>, broker: &Broker, gauges: &Gauges) -> fmt::Result {
    let marks = gauges.watermarks;
    rows.gauge(
        "rocketmq_storage_size_bytes",
        "Bytes of the CommitLog",
        marks.written.bytes_since(marks.min),
    )?;
    let behind = marks.written.bytes_since(marks.flushed);
    rows.gauge("rocketmq_storage_flush_behind_bytes", "Written and not yet synced", behind)?;
    let help = "Always 0: messages can be read when they are written";
    rows.gauge("rocketmq_storage_dispatch_behind_bytes", help, 0_i64)?;
    let age = broker.oldest_store_time().map_or(0, |time| broker.now().since(Millis(time)).max(0));
    rows.gauge("rocketmq_storage_message_reserve_time_milliseconds", "Age of the oldest message", age)?;
    for (mark, value) in [("min", marks.min), ("written", marks.written), ("flushed", marks.flushed)] {
        rows.gauge(&format!("gantry_commitlog_{mark}_offset"), "Place in the CommitLog, bytes", value.0)?;
    }
    rows.gauge("gantry_store_writable", "1 when messages are taken", i64::from(gauges.is_writable))?;
    let damaged = gauges.damaged_ranges as i64;
    rows.gauge("gantry_commitlog_damaged_ranges", "Damaged ranges nobody accepted", damaged)?;
    if let Some(disk) = gauges.disk {
        rows.gauge("gantry_disk_bytes", "Size of the file system", disk.total as i64)?;
        let ratio = disk.used as f64 / disk.total.max(1) as f64;
        rows.gauge("gantry_disk_used_ratio", "Part of the file system that is used, 0 to 1", ratio)?;
    }
    let times = gauges.flush_times;
    let flushes = (Vec::new(), times.sum_us as f64 / 1e6, buckets(&FLUSH_BOUNDS_US, 1e-6, &times.counts));
    rows.histograms("gantry_flush_seconds", "How long syncs of the CommitLog take", [flushes])
}

/// Upper bound, in units of `scale`, and count of each bucket; the last one is open.
fn buckets(bounds: &[u64], scale: f64, counts: &[u64]) -> Vec<(f64, u64)> {
    let bounds = bounds.iter().map(|bound| *bound as f64 * scale).chain([f64::MAX]);
    bounds.zip(counts.iter().copied()).collect()
}
