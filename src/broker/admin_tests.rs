//! What administrators change: settings, partitions and beginnings, seen by clients of both dialects.

use std::sync::Arc;
use std::task::{Poll, Wake, Waker};

use gantry_store::Task;

use super::alter_configs::{AlterConfigsError, Others};
use super::delete_records::{DeleteBefore, DeleteRecordsError};
use super::partition_growth::GrowError;
use super::produce::ProduceError;
use super::pull::PullStatus;
use super::read::{OffsetAsk, ReadRefusal};
use super::test_broker::TestBroker;
use super::topic_admin::TopicWish;
use super::{BrokerSettings, Durability};
use crate::mapping::incoming_error::IncomingError;
use crate::semantics::kafka_configs::{Alteration, ConfigError};
use crate::semantics::topic_defaults::{BrokerConfigError, Scope, Source};

struct Unpark(std::thread::Thread);
impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn settled(test: &TestBroker, durability: Durability) {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    loop {
        match test.broker.poll_durable(&durability, &waker) {
            Poll::Ready(result) => return result.unwrap(),
            Poll::Pending => std::thread::park(),
        }
    }
}

fn open() -> TestBroker {
    TestBroker::open(BrokerSettings { sync_flush: false, ..BrokerSettings::default() })
}

fn set(test: &TestBroker, topic: &str, name: &str, value: &str) {
    let changes = [(name, Alteration::Set(value))];
    settled(test, test.broker.alter_topic_configs(topic, &changes, Others::Stay, false).unwrap());
}

fn value(test: &TestBroker, topic: &str, name: &str) -> (String, Source) {
    let topic = test.broker.topic(topic).unwrap();
    let configs = test.broker.topic_configs(&topic);
    configs
        .into_iter()
        .find(|config| config.name == name)
        .map(|config| (config.value, config.source))
        .unwrap()
}

#[test]
fn an_altered_setting_acts_at_once_and_shows_where_it_comes_from() {
    let test = open();
    test.create("k");
    assert_eq!(value(&test, "k", "max.message.bytes"), ("1048588".to_owned(), Source::BuiltIn));
    set(&test, "k", "max.message.bytes", "100");
    assert_eq!(value(&test, "k", "max.message.bytes"), ("100".to_owned(), Source::Topic));
    let refused = test.produce("k", &[&[0; 200]]);
    assert!(matches!(refused, Err(ProduceError::Batch(IncomingError::TooLarge { .. }))), "{refused:?}");
    let nothing = test.broker.alter_topic_configs("k", &[], Others::Reset, false).unwrap();
    settled(&test, nothing);
    assert!(test.produce("k", &[&[0; 200]]).is_ok());
}

#[test]
fn settings_are_altered_as_a_whole_or_not_at_all() {
    let test = open();
    test.create("k");
    let changes = [("max.message.bytes", Alteration::Set("100")), ("no.such", Alteration::Set("1"))];
    let refused = test.broker.alter_topic_configs("k", &changes, Others::Stay, false);
    assert!(matches!(refused, Err(AlterConfigsError::Config(ConfigError::UnknownName { .. }))));
    let only = test.broker.alter_topic_configs("k", &changes[..1], Others::Stay, true).unwrap();
    assert_eq!(only, Durability::NONE);
    assert_eq!(value(&test, "k", "max.message.bytes").1, Source::BuiltIn);
    let missing = test.broker.alter_topic_configs("none", &[], Others::Stay, false);
    assert_eq!(missing, Err(AlterConfigsError::UnknownTopic));
    let mode = [("queue.type", Alteration::Set("SimpleCQ"))];
    let refused = test.broker.alter_topic_configs("k", &mode, Others::Stay, false);
    assert_eq!(refused, Err(AlterConfigsError::QueueType));
}

#[test]
fn a_default_of_the_broker_acts_on_topics_that_set_nothing() {
    let test = open();
    test.create("plain");
    test.create("own");
    set(&test, "own", "max.message.bytes", "100000");
    let changes = [("message.max.bytes", Alteration::Set("100"))];
    let altered = test.broker.alter_broker_configs(Scope::Cluster, &changes, Others::Stay, false).unwrap();
    settled(&test, altered);
    assert_eq!(
        value(&test, "plain", "max.message.bytes"),
        ("100".to_owned(), Source::Altered(Scope::Cluster))
    );
    assert!(test.produce("plain", &[&[0; 200]]).is_err());
    assert!(test.produce("own", &[&[0; 200]]).is_ok());
    let cluster = test.broker.cluster_configs();
    assert_eq!(cluster.iter().map(|config| config.name).collect::<Vec<_>>(), ["message.max.bytes"]);
    let fixed = [("num.partitions", Alteration::Set("3"))];
    let refused = test.broker.alter_broker_configs(Scope::Broker, &fixed, Others::Stay, false);
    let expected = BrokerConfigError::NotAlterable("num.partitions".to_owned());
    assert_eq!(refused, Err(AlterConfigsError::Broker(expected)));
}

#[test]
fn a_topic_grows_for_both_dialects_and_never_shrinks() {
    let test = open();
    test.create("k");
    let grow = |count, only| test.broker.grow_topic("k", count, only);
    assert_eq!(grow(1, false), Err(GrowError::NotMore { current: 1, asked: 1 }));
    assert_eq!(grow(65_537, false), Err(GrowError::TooMany(65_537)));
    assert_eq!(test.broker.grow_topic("none", 2, false), Err(GrowError::UnknownTopic));
    assert_eq!(grow(3, true), Ok(Durability::NONE));
    settled(&test, grow(3, false).unwrap());
    let topic = test.broker.topic("k").unwrap();
    assert_eq!((topic.partitions(), topic.config().read_queues, topic.config().write_queues), (3, 3, 3));
    assert_eq!(test.broker.partitions_of("k"), Some(3));
}

#[test]
fn a_topic_that_is_being_changed_is_still_there() {
    let test = open();
    test.create("k");
    let before = test.broker.topic("k").unwrap();
    settled(&test, Durability::written(before.version));
    let wish = TopicWish {
        name: "k",
        read_queues: 5,
        write_queues: 5,
        perm: before.config().perm,
        filter_type: before.config().filter_type,
        sys_flag: 0,
        order: false,
        attributes: Vec::new(),
    };
    let put = test.broker.put_topics(&[wish]).unwrap();
    let changed = test.broker.topic("k").unwrap();
    assert_eq!(changed.partitions(), 5);
    assert_eq!((changed.version, put), (before.version, Durability::written(changed.changed)));
    assert!(test.broker.is_durable(&changed));
}

#[test]
fn a_partition_is_one_before_and_after_its_topic_changes() {
    let test = open();
    test.create("k");
    let before = test.broker.topic("k").unwrap();
    set(&test, "k", "max.message.bytes", "100");
    let after = test.broker.topic("k").unwrap();
    let [one, other] = [before, after].map(|topic| test.broker.partition(&topic, 0).unwrap());
    assert!(Arc::ptr_eq(&one, &other));
}

#[test]
fn deleted_records_are_gone_for_both_dialects() {
    let test = open();
    test.create("k");
    test.produce("k", &[b"a", b"b", b"c"]).unwrap();
    test.produce("k", &[b"d"]).unwrap();
    let topic = test.broker.topic("k").unwrap();
    let delete = |before| test.broker.delete_records(&topic, 0, before);
    let outside = |offset| Err(DeleteRecordsError::OutOfRange { offset, end: 4 });
    assert_eq!(delete(DeleteBefore::Offset(5)), outside(5));
    assert_eq!(delete(DeleteBefore::Offset(-2)), outside(-2));
    let (start, durability) = delete(DeleteBefore::Offset(2)).unwrap();
    settled(&test, durability);
    assert_eq!(start, 2);
    assert_eq!(delete(DeleteBefore::Offset(1)), Ok((2, Durability::NONE)));
    let refused = test.broker.read_kafka(&topic, 0, 1, 1 << 20, true);
    assert!(matches!(refused, Err(ReadRefusal::OutOfRange { offset: 1, start: 2, end: 4 })));
    assert_eq!(test.broker.queue_bounds("k", 0).start, 2);
    // Inside of a batch.
    assert_eq!(test.broker.kafka_offset(&topic, 0, OffsetAsk::AtOrAfter(0)).unwrap().0, 2);
    let mut pull = test.plan_pull("k", 32).unwrap();
    let pulled = test.broker.pull(&pull);
    assert_eq!((pulled.status, pulled.next, pulled.min), (PullStatus::OffsetTooSmall, 2, 2));
    pull.offset = 2;
    let pulled = test.broker.pull(&pull);
    assert_eq!((pulled.status, pulled.next, pulled.min), (PullStatus::Found, 4, 2));
    assert_eq!(delete(DeleteBefore::End).map(|(start, _)| start), Ok(4));
    assert_eq!(test.broker.kafka_offset(&topic, 0, OffsetAsk::MaxTimestamp).unwrap(), (-1, -1));
}

#[test]
fn records_of_a_topic_that_only_compacts_are_not_deleted() {
    let test = open();
    test.create("k");
    set(&test, "k", "cleanup.policy", "compact");
    let topic = test.broker.topic("k").unwrap();
    assert_eq!(test.broker.delete_records(&topic, 0, DeleteBefore::End), Err(DeleteRecordsError::Policy));
    assert_eq!(
        test.broker.delete_records(&topic, 1, DeleteBefore::End),
        Err(DeleteRecordsError::UnknownPartition)
    );
}

#[test]
fn the_greatest_time_is_that_of_a_record_that_is_still_there() {
    let test = open();
    test.send("s", b"one", b"").unwrap();
    test.create("k");
    test.produce("k", &[b"a"]).unwrap();
    test.produce("k", &[b"b"]).unwrap();
    let topic = test.broker.topic("k").unwrap();
    let first = test.broker.kafka_offset(&topic, 0, OffsetAsk::MaxTimestamp).unwrap();
    assert_eq!(first.0, 0);
    test.broker.delete_records(&topic, 0, DeleteBefore::Offset(1)).unwrap();
    let second = test.broker.kafka_offset(&topic, 0, OffsetAsk::MaxTimestamp).unwrap();
    assert_eq!(second.0, 1);
}

#[test]
fn messages_older_than_the_topic_allows_cannot_be_read() {
    let test = open();
    test.create("k");
    test.produce("k", &[b"old"]).unwrap();
    test.pass(10_000);
    test.produce("k", &[b"new"]).unwrap();
    let topic = test.broker.topic("k").unwrap();
    set(&test, "k", "retention.ms", "5000");
    assert_eq!(test.broker.kafka_bounds(&topic, 0).unwrap().start, 1);
    test.pass(5_001);
    set(&test, "k", "retention.ms", "5000");
    assert_eq!(test.broker.kafka_bounds(&topic, 0).unwrap().start, 2);
}

#[test]
fn messages_beyond_the_size_of_their_partition_cannot_be_read() {
    let test = open();
    test.create("k");
    for _ in 0..4 {
        test.produce("k", &[&[7; 1000]]).unwrap();
    }
    test.broker.store.step(Task::WriteQueues).unwrap();
    let topic = test.broker.topic("k").unwrap();
    let size = test.broker.partition_size(&topic, 0).unwrap().unwrap();
    assert!(size > 4 * 1000 && size < 4 * 1400, "{size}");
    let one = size / 4;
    set(&test, "k", "retention.bytes", &(2 * one + 1).to_string());
    assert_eq!(test.broker.kafka_bounds(&topic, 0).unwrap().start, 1);
    assert_eq!(test.broker.partition_size(&topic, 0).unwrap(), Some(3 * one));
    set(&test, "k", "retention.bytes", "1");
    assert_eq!(test.broker.partition_size(&topic, 0).unwrap(), Some(one));
    assert_eq!(test.broker.partition_size(&topic, 1).unwrap(), None);
}
