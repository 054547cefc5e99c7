//! A directory that a Java broker wrote, under a whole broker: every queue read to its end in both dialects.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed step fails the test")]

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use flate2::read::GzDecoder;
use gantry::broker::config::Unconfigurable;
use gantry::broker::mailbox::Mailbox;
use gantry::broker::pull::{Expression, PullAsk, PullStatus};
use gantry::broker::{Broker, BrokerSettings, Identity, OpenBroker, Topic};
use gantry_protocols::kafka::batch::Batches;
use gantry_store::disk::RealDisk;
use gantry_store::format::{FrameView, HostAddr};
use gantry_store::{FlushMode, StoreConfig};
use serde_json::Value;

/// Later than every message of the archives.
const NOW_MS: i64 = 1_800_000_000_000;
const DECOMPRESSED: usize = 16 << 20;

fn golden(name: &str) -> std::fs::File {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("compat-tests/golden");
    std::fs::File::open(root.join(name)).unwrap()
}

fn unpacked(store: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let packed = GzDecoder::new(golden(&format!("{store}/store.tar.gz")));
    tar::Archive::new(packed).unpack(dir.path()).unwrap();
    dir
}

fn expected(store: &str) -> Value {
    serde_json::from_reader(GzDecoder::new(golden(&format!("{store}/expected.json.gz")))).unwrap()
}

/// The broker of the archives' broker.conf.
fn open(root: &Path) -> Arc<Broker> {
    let mut store = StoreConfig::new(root);
    store.commit_log_file_size = 262_144;
    store.queue_file_units = 100;
    store.batch_queue_file_units = 20;
    (store.index_slots, store.index_entries) = (500, 400);
    store.flush = FlushMode::Async { interval_ms: 500 };
    let identity = Identity {
        cluster: "DefaultCluster".to_owned(),
        broker: "broker-a".to_owned(),
        broker_id: 0,
        node_id: 0,
        cluster_id: String::new(),
        store_host: HostAddr::LOCAL,
        remoting_port: 30911,
        native_host: None,
        kafka_port: 9092,
        kafka_advertised: None,
        rack: None,
    };
    let settings = BrokerSettings { sync_flush: false, ..BrokerSettings::default() };
    let (disk, clock) = (Arc::new(RealDisk), Arc::new(|| NOW_MS));
    let open = OpenBroker {
        identity,
        settings,
        store,
        disk,
        clock,
        configs: Vec::new(),
        configuration: Arc::new(Unconfigurable),
    };
    Broker::open(open, &mut |_| {}).unwrap()
}

/// Queue offsets and values as a Kafka consumer gets them, from the first offset to the last.
fn read_by_kafka(broker: &Broker, topic: &Topic, queue: i32) -> Vec<(i64, Option<Vec<u8>>)> {
    let (mut records, mut at) = (Vec::new(), 0);
    loop {
        let read = broker.read_kafka(topic, queue, at, 64 << 10, true).unwrap();
        if at == read.bounds.end {
            return records;
        }
        let before = at;
        let bytes = read.segments.concat();
        assert_eq!(bytes.len(), usize::try_from(read.bytes).unwrap());
        for batch in Batches::new(&bytes) {
            let batch = batch.unwrap();
            batch.check_crc().unwrap();
            let block = batch.decompressed(DECOMPRESSED).unwrap();
            for record in batch.records(&block) {
                let record = record.unwrap();
                let offset = batch.base_offset() + i64::from(record.offset_delta);
                if offset >= before {
                    records.push((offset, record.value.map(<[u8]>::to_vec)));
                }
                at = at.max(offset + 1);
            }
        }
        assert!(at > before, "a fetch of {}/{queue} at {before} gives nothing", topic.name());
    }
}

/// Queue offsets and bodies as a native consumer gets them.
fn read_by_pull(broker: &Broker, topic: &str, queue: i32) -> Vec<(i64, Vec<u8>)> {
    let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    let mailbox = Mailbox::new(here, here);
    let (mut messages, mut at) = (Vec::new(), 0);
    loop {
        let ask = PullAsk {
            group: "golden",
            topic,
            queue_id: queue,
            offset: at,
            max_messages: 32,
            sub_version: 0,
            expression: Some(Expression { text: "*", kind: "TAG" }),
            client: mailbox.id(),
        };
        let pulled = broker.pull(&broker.plan_pull(&ask).unwrap());
        match pulled.status {
            PullStatus::Found => {}
            PullStatus::OffsetOverflowOne => return messages,
            other => panic!("{topic}/{queue} at {at}: {} {:?}", other.name(), pulled.error),
        }
        let bytes = pulled.frames.concat();
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let frame = FrameView::parse(rest).unwrap();
            frame.check_body_crc().unwrap();
            messages.push((frame.queue_offset().0, frame.body().to_vec()));
            rest = &rest[frame.bytes().len()..];
        }
        assert!(pulled.next > at);
        at = pulled.next;
    }
}

/// Queues that Java lists, of topics that are configured.
fn queues<'e>(broker: &Broker, expected: &'e Value) -> Vec<(Arc<Topic>, i32, &'e Value)> {
    let mut found = Vec::new();
    for (name, queues) in expected["queues"].as_object().unwrap() {
        let topic = broker.topic(name).unwrap_or_else(|| panic!("{name} is not configured"));
        for (id, queue) in queues.as_object().unwrap() {
            found.push((Arc::clone(&topic), id.parse().unwrap(), queue));
        }
    }
    found
}

#[test]
fn every_java_queue_is_read_to_its_end_in_both_dialects() {
    for store in ["store-basic", "store-batchcq"] {
        let (dir, expected) = (unpacked(store), expected(store));
        for _open in 0..2 {
            let broker = open(dir.path());
            assert_eq!(broker.unreadiness(), [""; 0]);
            let mut messages = 0;
            for (topic, queue, java) in queues(&broker, &expected) {
                let dense: Vec<i64> = (0..java["maxOffset"].as_i64().unwrap()).collect();
                let native = read_by_pull(&broker, topic.name(), queue);
                let kafka = read_by_kafka(&broker, &topic, queue);
                let by_pull: Vec<i64> = native.iter().map(|message| message.0).collect();
                let by_fetch: Vec<i64> = kafka.iter().map(|record| record.0).collect();
                assert_eq!(by_pull, dense, "{store} {}/{queue} by pull", topic.name());
                assert_eq!(by_fetch, dense, "{store} {}/{queue} by fetch", topic.name());
                check_bodies(&expected, topic.name(), queue, &native, &kafka);
                messages += native.len();
            }
            assert!(messages > 200, "{store}: {messages}");
            broker.close().unwrap();
        }
    }
}

/// Native bodies are the stored ones; Kafka values are the decompressed ones.
fn check_bodies(
    expected: &Value,
    topic: &str,
    queue: i32,
    native: &[(i64, Vec<u8>)],
    kafka: &[(i64, Option<Vec<u8>>)],
) {
    let frames = expected["commitLog"]["frames"].as_array().unwrap().iter();
    let of_queue = frames.filter(|frame| {
        // Inner batches hold several messages, prepared and rollback frames are in no queue.
        let flag = frame["sysFlag"].as_i64().unwrap();
        frame["topic"] == topic
            && frame["queueId"] == queue
            && flag & 0xC0 == 0
            && [0, 8].contains(&(flag & 0xC))
    });
    for frame in of_queue {
        let at = usize::try_from(frame["queueOffset"].as_i64().unwrap()).unwrap();
        let (stored, value) = (&native[at].1, kafka[at].1.as_deref().unwrap_or_default());
        assert_eq!(stored.len() as u64, frame["bodyLength"], "{topic}/{queue} {at}");
        let plain = frame.get("plainBodyLength").unwrap_or(&frame["bodyLength"]);
        assert_eq!(value.len() as u64, *plain, "{topic}/{queue} {at}");
        if let Some(body) = frame["bodyHex"].as_str() {
            let hex: String = stored.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex, body, "{topic}/{queue} {at}");
        }
        if frame["sysFlag"].as_i64().unwrap() & 1 == 0 {
            assert_eq!(stored, value, "{topic}/{queue} {at}");
        }
    }
}

#[test]
fn what_groups_of_java_committed_is_still_committed() {
    for store in ["store-basic", "store-batchcq"] {
        let (dir, expected) = (unpacked(store), expected(store));
        for _open in 0..2 {
            let broker = open(dir.path());
            let offsets = expected["offsets"]["consumerOffset.json"].as_object().unwrap();
            assert!(!offsets.is_empty());
            for (key, queues) in offsets {
                // A key may have three parts: broadcast offsets are kept under group@broadcast.
                let (topic, group) = key.split_once('@').unwrap();
                for (queue, offset) in queues.as_object().unwrap() {
                    let committed = broker.kafka_committed(group, topic, queue.parse().unwrap());
                    assert_eq!(committed.offset, offset.as_i64().unwrap(), "{key}/{queue}");
                }
            }
            broker.close().unwrap();
        }
    }
}
