//! Settings do what they say: each through the verb that a handler would call.

use gantry_store::format::FrameView;

use super::append::SendError;
use super::counters::{Flow, Reason};
use super::offsets::{KafkaCommit, OffsetError};
use super::produce::ProduceError;
use super::pull::{PullError, PullStatus};
use super::query::KeyQuery;
use super::read::ReadRefusal;
use super::test_broker::TestBroker;
use super::{BrokerSettings, PullSettings};
use crate::mapping::incoming_error::IncomingError;
use crate::semantics::Dialect;
use crate::semantics::offsets::CommitError;
use crate::semantics::topics::Perm;

fn with(change: impl FnOnce(&mut BrokerSettings)) -> TestBroker {
    let mut settings = BrokerSettings::default();
    change(&mut settings);
    TestBroker::open(settings)
}

#[test]
fn a_broker_that_may_only_be_read_refuses_both_dialects_producers() {
    let test = with(|settings| settings.live.permission = Perm::READ);
    test.create("k");
    assert!(matches!(test.send("t", b"body", b""), Err(SendError::NoPermission(4))));
    assert!(matches!(test.produce("k", &[b"v"]), Err(ProduceError::NotWritable)));
    let refused = |dialect| test.broker.totals(dialect).sends_refused[Reason::Permission as usize];
    assert_eq!((refused(Dialect::Native), refused(Dialect::Kafka)), (1, 1));
}

#[test]
fn a_broker_that_may_only_be_written_refuses_both_dialects_consumers() {
    let test = with(|settings| settings.live.permission = Perm::WRITE);
    test.send("t", b"body", b"").unwrap();
    assert!(matches!(test.plan_pull("t", 32), Err(PullError::NoPermission(2))));
    let topic = test.broker.topic("t").unwrap();
    let read = test.broker.read_kafka(&topic, 0, 0, 1 << 20, true);
    assert!(matches!(read, Err(ReadRefusal::NotReadable)));
}

#[test]
fn a_pull_is_bounded_in_messages_and_bytes() {
    let pulls = PullSettings { max_messages: 2, ..PullSettings::default() };
    let test = with(|settings| settings.live.pulls = pulls);
    (0..3).for_each(|_| test.send("t", b"body", b"").unwrap());
    assert_eq!(test.broker.pull(&test.plan_pull("t", 32).unwrap()).next, 2);
    let pulls = PullSettings { max_bytes: 1, ..PullSettings::default() };
    let test = with(|settings| settings.live.pulls = pulls);
    (0..3).for_each(|_| test.send("t", b"body", b"").unwrap());
    assert_eq!(test.broker.pull(&test.plan_pull("t", 32).unwrap()).next, 1);
}

#[test]
fn without_long_polling_a_pull_that_may_wait_does_so_shortly() {
    let pulls = PullSettings { long_polling: false, short_polling_ms: 300, ..PullSettings::default() };
    let test = with(|settings| settings.live.pulls = pulls);
    assert_eq!((test.broker.pull_hold_ms(15_000), test.broker.pull_hold_ms(0)), (300, 0));
    let test = with(|_| {});
    assert_eq!((test.broker.pull_hold_ms(15_000), test.broker.pull_hold_ms(0)), (15_000, 0));
}

fn found_by_key(test: &TestBroker) -> usize {
    (0..3).for_each(|_| test.send("t", b"body", b"KEYS\x01k\x02UNIQ_KEY\x01u\x02").unwrap());
    let query = KeyQuery { topic: "t", key: "k", max: 10, begin: 0, end: i64::MAX, unique_key: false };
    test.broker.query_messages(&query).unwrap().frames.len()
}

#[test]
fn keys_are_found_when_they_are_indexed_and_as_many_as_allowed() {
    assert_eq!(found_by_key(&with(|_| {})), 3);
    assert_eq!(found_by_key(&with(|settings| settings.live.max_query_messages = 2)), 2);
    assert_eq!(found_by_key(&with(|settings| settings.index_keys = false)), 0);
}

#[test]
fn a_batch_is_bounded_by_the_broker_where_its_topic_says_nothing() {
    let test = with(|settings| settings.message_max_bytes = 100);
    test.create("small");
    let configs = [("max.message.bytes", "1000")];
    let new = super::topics::NewTopic {
        name: "large",
        partitions: Some(1),
        configs: &configs,
        validate_only: false,
    };
    let created = test.broker.create_kafka_topic(&new).unwrap();
    assert!(
        created.configs.iter().any(|config| config.name == "max.message.bytes" && config.value == "1000")
    );
    let refused = test.produce("small", &[&[0; 200]]);
    assert!(matches!(refused, Err(ProduceError::Batch(IncomingError::TooLarge { .. }))), "{refused:?}");
    assert!(test.produce("large", &[&[0; 200]]).is_ok());
}

#[test]
fn metadata_of_a_commit_is_bounded_as_configured() {
    let test = with(|settings| settings.offset_metadata_max_bytes = 3);
    test.create("k");
    let topic = test.broker.topic("k").unwrap();
    let commit = |metadata| {
        let commit = KafkaCommit { partition: 0, offset: 0, leader_epoch: -1, metadata };
        test.broker.commit_kafka_offset("g", &topic, &commit, test.broker.now()).map(|_| ())
    };
    assert!(commit("abc").is_ok());
    let too_large = CommitError::MetadataTooLarge { bytes: 4, limit: 3 };
    assert!(matches!(commit("abcd"), Err(OffsetError::Rule(refused)) if refused == too_large));
}

#[test]
fn topics_named_as_cluster_and_broker_are_templates_only_when_enabled() {
    let inherits =
        |test: &TestBroker| ["C", "b"].map(|name| test.broker.topic(name).unwrap().permits(Perm::READ_WRITE));
    assert_eq!(inherits(&with(|_| {})), [true, true]);
    let test = with(|settings| (settings.cluster_topic, settings.broker_topic) = (false, false));
    assert_eq!(inherits(&test), [false, false]);
}

#[test]
fn a_silent_client_is_gone_as_early_as_configured() {
    let test = with(|settings| settings.channel_expiry_ms = 1_000);
    test.heartbeat();
    test.pass(999);
    assert!(test.broker.is_group_online("CG"));
    test.pass(1);
    assert!(!test.broker.is_group_online("CG"));
}

#[test]
fn consumers_are_told_of_others_only_when_enabled() {
    assert!(with(|_| {}).heartbeat());
    assert!(!with(|settings| settings.live.notify_consumers = false).heartbeat());
}

#[test]
fn what_goes_through_is_counted_once() {
    let test = with(|_| {});
    test.send("t", b"four", b"").unwrap();
    test.send("t", b"eight888", b"").unwrap();
    let stored = test.broker.totals(Dialect::Native).stored;
    assert_eq!(stored, Flow { requests: 2, messages: 2, bytes: 12 });
    let pull = test.plan_pull("t", 32).unwrap();
    let pulled = test.broker.pull(&pull);
    assert_eq!(pulled.status, PullStatus::Found);
    let bytes: usize = pulled.frames.iter().map(bytes::Bytes::len).sum();
    let read = test.broker.totals(Dialect::Native).read;
    assert_eq!(read, Flow { requests: 1, messages: 2, bytes: bytes as u64 });
    assert!(FrameView::parse(&pulled.frames[0]).is_ok());
    let topic = test.broker.topic("t").unwrap();
    assert_eq!(test.broker.read_kafka(&topic, 0, 0, 1 << 20, true).unwrap().messages, 2);
}

#[test]
fn batches_are_counted_by_their_records() {
    let test = with(|_| {});
    test.create("k");
    let (Ok(_), batch_size) =
        (test.produce("k", &[b"a", b"b", b"c"]), test.broker.totals(Dialect::Kafka).stored.bytes)
    else {
        panic!("refused")
    };
    let stored = test.broker.totals(Dialect::Kafka).stored;
    assert_eq!(stored, Flow { requests: 1, messages: 3, bytes: batch_size });
    let topic = test.broker.topic("k").unwrap();
    let read = test.broker.read_kafka(&topic, 0, 0, 1 << 20, true).unwrap();
    assert_eq!((read.messages, read.bytes as u64), (3, batch_size));
    assert_eq!(test.broker.pull(&test.plan_pull("k", 32).unwrap()).next, 3);
    assert_eq!(test.broker.totals(Dialect::Native).read.messages, 3);
}
