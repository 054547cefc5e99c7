//! A scrape of a broker that has been used.

use prometheus_client::encoding::text::encode;

use super::broker_metrics;
use crate::broker::BrokerSettings;
use crate::broker::test_broker::TestBroker;

/// The value of the one row that begins with `row`.
fn value(text: &str, row: &str) -> f64 {
    let mut lines = text.lines().filter(|line| !line.starts_with('#') && line.starts_with(row));
    let line = lines.next().unwrap_or_else(|| panic!("no {row} in\n{text}"));
    assert_eq!(lines.next(), None, "{row} is not one row");
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

fn scrape(test: &TestBroker) -> String {
    let mut text = String::new();
    encode(&mut text, &broker_metrics(&test.broker)).unwrap();
    text
}

const LABELS: &str = r#"{cluster="C",node_type="broker",node_id="b""#;

fn of(name: &str, dialect: &str) -> String {
    format!(r#"{name}{LABELS},dialect="{dialect}"}}"#)
}

#[test]
fn values_move_with_what_goes_through() {
    let test = TestBroker::open(BrokerSettings::default());
    let before = scrape(&test);
    assert_eq!(value(&before, &of("gantry_messages_in_total", "rocketmq")), 0.0);
    test.create("k");
    test.send("t", b"body", b"").unwrap();
    test.produce("k", &[b"a", b"b"]).unwrap();
    test.produce("missing", &[b"a"]).unwrap_err();
    let written = scrape(&test);
    assert_eq!(value(&written, &of("gantry_messages_in_total", "rocketmq")), 1.0);
    assert_eq!(value(&written, &of("gantry_bytes_in_total", "rocketmq")), 4.0);
    assert_eq!(value(&written, &of("gantry_messages_in_total", "kafka")), 2.0);
    assert_eq!(value(&written, "kafka_server_brokertopicmetrics_messagesin_total"), 2.0);
    assert_eq!(value(&written, "kafka_server_brokertopicmetrics_failedproducerequests_total"), 1.0);
    let refused =
        format!(r#"gantry_refused_total{LABELS},dialect="kafka",request="send",reason="unknown"}}"#);
    assert_eq!(value(&written, &refused), 1.0);
    let topics = |text: &str| value(text, "rocketmq_topic_number");
    assert_eq!(topics(&written) - topics(&before), 2.0);
    let end = format!(r#"rocketmq_producer_offset{LABELS},topic="k"}}"#);
    assert_eq!(value(&written, &end), 2.0);
    let behind = value(&written, "rocketmq_storage_flush_behind_bytes");
    assert!(behind > 0.0);
    test.flush();
    let flushed = scrape(&test);
    assert_eq!(value(&flushed, "rocketmq_storage_flush_behind_bytes"), 0.0);
    let flushes = |text: &str| value(text, "gantry_flush_seconds_count");
    assert_eq!(flushes(&flushed) - flushes(&before), 1.0);
    assert_eq!(value(&flushed, "gantry_store_writable"), 1.0);
    assert!((0.0..=1.0).contains(&value(&flushed, "gantry_disk_used_ratio")));
}

#[test]
fn lag_is_what_a_group_has_not_committed() {
    let test = TestBroker::open(BrokerSettings::default());
    (0..3).for_each(|_| test.send("t", b"body", b"").unwrap());
    test.broker.commit_offset("CG", "t", 0, 1, test.broker.now()).unwrap();
    let text = scrape(&test);
    let row = format!(r#"rocketmq_consumer_lag_messages{LABELS},consumer_group="CG",topic="t"}}"#);
    assert_eq!(value(&text, &row), 2.0);
    assert_eq!(value(&text, "rocketmq_consumer_group_number"), 1.0);
}

#[test]
fn a_group_name_cannot_break_the_text() {
    let test = TestBroker::open(BrokerSettings::default());
    test.send("t", b"body", b"").unwrap();
    test.broker.commit_offset("a\"b\\c\nd", "t", 0, 0, test.broker.now()).unwrap();
    let text = scrape(&test);
    assert!(text.contains(r#"consumer_group="a\"b\\c\nd""#), "{text}");
}
