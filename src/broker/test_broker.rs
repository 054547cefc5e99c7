//! A whole broker on a directory of its own, for tests: no threads in the store, a clock that tests move.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::Waker;

use bytes::Bytes;
use gantry_store::disk::RealDisk;
use gantry_store::format::HostAddr;
use gantry_store::{StoreConfig, Task};
use tempfile::TempDir;

use super::append::{NativeSend, SendBody, SendError, Submission};
use super::clients::Heartbeat;
use super::config::{Configuration, Unconfigurable};
use super::mailbox::{Mailbox, Signal};
use super::produce::{PartitionAppend, ProduceAsk, ProduceError, ProduceScratch, Produced};
use super::pull::{Expression, Pull, PullAsk, PullError};
use super::topics::NewTopic;
use super::{Broker, BrokerSettings, Identity, OpenBroker};
use crate::mapping::test_records;
use crate::semantics::subscriptions::{ConsumeFrom, ConsumeType, ConsumerData, MessageModel};

/// Where the clock begins, ms.
const BEGIN: i64 = 1_700_000_000_000;

/// Closes the broker and removes its directory when dropped.
pub(crate) struct TestBroker {
    pub(crate) broker: Arc<Broker>,
    clock: Arc<AtomicI64>,
    mailbox: Arc<Mailbox>,
    _directory: TempDir,
}

impl TestBroker {
    pub(crate) fn open(settings: BrokerSettings) -> Self {
        Self::configured(settings, Arc::new(Unconfigurable))
    }

    /// With a configuration that may change.
    pub(crate) fn configured(settings: BrokerSettings, configuration: Arc<dyn Configuration>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(AtomicI64::new(BEGIN));
        let mut store = StoreConfig::new(directory.path());
        (store.threads, store.preallocate) = (false, false);
        (store.commit_log_file_size, store.index_slots, store.index_entries) = (1 << 20, 16, 64);
        let read = Arc::clone(&clock);
        let open = OpenBroker {
            identity: identity(),
            settings,
            store,
            disk: Arc::new(RealDisk),
            clock: Arc::new(move || read.load(Ordering::SeqCst)),
            configs: Vec::new(),
            configuration,
        };
        let broker = Broker::open(open, &mut |_| {}).unwrap();
        let any = "127.0.0.1:1".parse().unwrap();
        Self { broker, clock, mailbox: Mailbox::new(any, any), _directory: directory }
    }

    /// Lets time pass and deadlines act.
    pub(crate) fn pass(&self, duration_ms: i64) {
        self.clock.fetch_add(duration_ms, Ordering::SeqCst);
        self.broker.tick(self.broker.now(), Waker::noop());
    }

    /// A heartbeat of a consumer of group `CG`; whether anybody was told that the group changed.
    pub(crate) fn heartbeat(&self) -> bool {
        let consumer = ConsumerData {
            group: "CG".into(),
            consume_type: ConsumeType::Passively,
            message_model: MessageModel::Clustering,
            consume_from: ConsumeFrom::LastOffset,
            subscriptions: Vec::new(),
        };
        let beat = Heartbeat {
            client_id: "client".into(),
            language: 0,
            version: 479,
            producers: Vec::new(),
            consumers: vec![consumer],
            fingerprint: 0,
            without_sub: false,
        };
        self.broker.heartbeat(beat, &self.mailbox, self.broker.now());
        let mut signals = Vec::new();
        self.mailbox.drain(Waker::noop(), &mut signals);
        signals.iter().any(|signal| matches!(signal, Signal::ConsumersChanged(_)))
    }

    /// Syncs the log.
    pub(crate) fn flush(&self) {
        self.broker.store.step(Task::Flush).unwrap();
    }

    /// Sends messages with the body to queue 0 of a topic.
    pub(crate) fn send(&self, topic: &str, body: &'static [u8], properties: &[u8]) -> Result<(), SendError> {
        self.send_one(message(topic, 0, body, properties))
    }

    /// Sends a message to a queue.
    pub(crate) fn send_to(&self, topic: &str, queue_id: i32) -> Result<(), SendError> {
        self.send_one(message(topic, queue_id, b"body", b""))
    }

    fn send_one(&self, send: NativeSend<'_>) -> Result<(), SendError> {
        let mut submission = Submission::default();
        self.broker.stage(&mut submission, send, self.broker.now())?;
        self.broker.submit(&mut submission).unwrap();
        Ok(())
    }

    /// What a client does that cannot give a message back: it sends it to the retry topic.
    pub(crate) fn retry_by_client(
        &self,
        group: &str,
        body: &'static [u8],
        attempts: i32,
    ) -> Result<(), SendError> {
        let topic = format!("%RETRY%{group}");
        let mut send = message(&topic, 0, body, b"DELAY\x013\x02RETRY_TOPIC\x01T\x02");
        send.reconsume_times = attempts;
        self.send_one(send)
    }

    /// Makes a topic of one partition in mode B.
    pub(crate) fn create(&self, topic: &str) {
        let new = NewTopic { name: topic, partitions: Some(1), configs: &[], validate_only: false };
        self.broker.create_kafka_topic(&new).unwrap();
    }

    /// Produces a batch of these values into partition 0.
    pub(crate) fn produce(&self, topic: &str, values: &[&[u8]]) -> Result<Produced, ProduceError> {
        let records = test_records::values(values);
        let mut appends = [PartitionAppend::new(self.broker.topic(topic), 0, records, true)];
        let mut scratch = ProduceScratch::default();
        let ask = ProduceAsk { client: HostAddr::LOCAL, api_version: 9, now: self.broker.now() };
        self.broker.produce(&mut appends, &mut scratch, ask);
        let [append] = appends;
        append.into_result()
    }

    /// A pull of queue 0 from its beginning, for all tags.
    pub(crate) fn plan_pull(&self, topic: &str, max_messages: i32) -> Result<Pull, PullError> {
        self.broker.plan_pull(&PullAsk {
            group: "CG",
            topic,
            queue_id: 0,
            offset: 0,
            max_messages,
            sub_version: 0,
            expression: Some(Expression { text: "*", kind: "TAG" }),
            client: self.mailbox.id(),
        })
    }
}

impl Drop for TestBroker {
    fn drop(&mut self) {
        let closed = self.broker.close();
        assert!(closed.is_ok() || std::thread::panicking(), "{closed:?}");
    }
}

fn message<'a>(topic: &'a str, queue_id: i32, body: &'static [u8], properties: &'a [u8]) -> NativeSend<'a> {
    NativeSend {
        producer_group: "PG",
        topic,
        default_topic: "TBW102",
        default_topic_queue_nums: 4,
        queue_id,
        sys_flag: 0,
        born_timestamp: BEGIN,
        born_host: "127.0.0.1:1".parse().unwrap(),
        flag: 0,
        properties,
        reconsume_times: 0,
        max_reconsume_times: None,
        unit_mode: false,
        body: SendBody::One(Bytes::from_static(body)),
    }
}

fn identity() -> Identity {
    Identity {
        cluster: "C".to_owned(),
        broker: "b".to_owned(),
        broker_id: 0,
        node_id: 0,
        cluster_id: String::new(),
        store_host: HostAddr::LOCAL,
        remoting_port: 10911,
        native_host: None,
        kafka_port: 9092,
        kafka_advertised: None,
        rack: None,
    }
}
