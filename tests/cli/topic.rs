//! `gantry topic` against a Gantry: every verb, every form of the answer, every kind of failure.

use std::io::Read;
use std::net::TcpListener;
use std::thread::JoinHandle;

use crate::running::{Running, check_failure, command, nobody};
use bytes::BytesMut;
use gantry_protocols::remoting::frame::Frame;
use gantry_protocols::remoting::{Codec, Head, HeaderView, ResponseCode};
use serde_json::{Value, json};

#[test]
fn a_topic_is_created_shown_changed_and_deleted() {
    let gantry = Running::start();
    let created = gantry.text(&["topic", "create", "orders", "--queues", "3", "--type", "FIFO"]);
    assert_eq!(created, "created topic orders with 3 queues\n");
    let expected = "TOPIC   QUEUES  MODE  TYPE  PERM\norders       3  S     FIFO  RW\n";
    assert_eq!(gantry.text(&["topic", "list"]), expected);
    gantry.text(&["topic", "alter", "orders", "--queues", "5", "--perm", "r"]);
    let orders = &gantry.json(&["topic", "describe", "orders"]);
    assert_eq!(
        (&orders["queues"], &orders["perm"], &orders["type"]),
        (&json!(5), &json!("R-"), &json!("FIFO"))
    );
    assert_eq!(orders["queueList"].as_array().unwrap().len(), 5);
    assert_eq!(gantry.text(&["topic", "delete", "orders", "--yes"]), "deleted orders\n");
    gantry.fails(
        &["topic", "describe", "orders"],
        4,
        "error: there is no topic orders\n  cure:  `gantry topic list`",
    );
}

#[test]
fn kafkas_settings_make_a_topic_of_kafkas_kind() {
    let gantry = Running::start();
    let words = ["topic", "create", "events", "-n", "2", "--config", "max.message.bytes=2000000"];
    assert_eq!(gantry.text(&words), "created topic events with 2 queues\n");
    let list = gantry.json(&["topic", "list", "ev*"]);
    assert_eq!((&list[0]["mode"], &list[0]["messages"]), (&json!("B"), &json!(0)));
    assert_eq!(list[0]["topicId"].as_str().unwrap().len(), 22);
    gantry.fails(&["topic", "create", "more", "-c", "no.such.key=1"], 1, "INVALID_CONFIG");
    gantry.fails(&["topic", "create", "events", "-c", "max.message.bytes=1"], 1, "TOPIC_ALREADY_EXISTS");
}

#[test]
fn every_form_says_the_same() {
    let gantry = Running::start();
    gantry.text(&["topic", "create", "ab", "--queues", "1"]);
    let id = gantry.json(&["topic", "list"])[0]["topicId"].as_str().unwrap().to_owned();
    let tsv = "topic\tqueues\tmode\ttype\tperm\tread queues\torder\tmessages\tkafka name\ttopic id\n";
    let row = format!("ab\t1\tS\tNORMAL\tRW\t1\tfalse\t0\tab\t{id}\n");
    assert_eq!(gantry.text(&["topic", "list", "-o", "tsv"]), format!("{tsv}{row}"));
    let yaml =
        "- topic: ab\n  queues: 1\n  readQueues: 1\n  mode: S\n  type: NORMAL\n  perm: RW\n  order: false\n";
    assert!(gantry.text(&["topic", "-o", "yaml", "list"]).starts_with(yaml));
    assert_eq!(gantry.text(&["topic", "list", "-q"]), "ab\n");
    let wide = gantry.text(&["topic", "list", "-o", "wide"]);
    assert_eq!(
        wide.lines().next().unwrap().split("  ").filter(|name| !name.is_empty()).count(),
        10,
        "{wide}"
    );
    assert_eq!(gantry.text(&["topic", "delete", "ab", "-y", "-q"]), "");
    let empty = gantry.output(&["topic", "list"]);
    assert_eq!(String::from_utf8_lossy(&empty.stdout), "TOPIC  QUEUES  MODE  TYPE  PERM\n");
    assert!(String::from_utf8_lossy(&empty.stderr).starts_with("note: no topics; "));
}

#[test]
fn a_name_with_a_dot_is_created_in_kafkas_dialect_and_served_in_both() {
    let gantry = Running::start();
    gantry.text(&["topic", "create", "a.b", "--queues", "1", "--mode", "s"]);
    gantry.text(&["topic", "alter", "a.b", "--queues", "2", "-c", "max.message.bytes=1000"]);
    let text = gantry.text(&["topic", "describe", "a.b"]);
    assert!(text.contains("\nQueues:               2 to write, 2 to read\n"), "{text}");
    assert!(text.contains("\nMode:                 S\n"), "{text}");
    assert!(text.contains("\nRocketMQ clients use: a%2Eb\n"), "{text}");
    let mut rows = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    assert!(rows.any(|row| row == ["max.message.bytes", "1000", "true"]), "{text}");
    gantry.text(&["topic", "alter", "a.b", "--unset", "max.message.bytes"]);
    assert!(!gantry.text(&["topic", "describe", "a.b"]).contains("max.message.bytes"));
    gantry.fails(&["topic", "alter", "a.b", "-c", "max.message.bytes=x"], 1, "INVALID_CONFIG");
}

#[test]
fn system_topics_are_listed_when_asked_for() {
    let gantry = Running::start();
    let names = gantry.text(&["topic", "list", "--all", "-q"]);
    assert!(names.lines().any(|name| name == "TBW102"), "{names}");
}

#[test]
fn what_exists_is_not_created_again_and_nothing_is_deleted_unasked() {
    let gantry = Running::start();
    gantry.text(&["topic", "create", "orders"]);
    gantry.fails(
        &["topic", "create", "orders", "--queues", "1"],
        1,
        "error: topic orders exists already\n  cure: ",
    );
    gantry.fails(&["topic", "delete", "orders"], 2, "Nobody can be asked");
    gantry.fails(&["topic", "delete", "orders", "missing", "--yes"], 4, "error: there is no topic missing");
    gantry.fails(&["topic", "alter", "missing", "--perm", "r"], 4, "error: there is no topic missing");
    gantry.fails(&["topic", "create", "not a name"], 1, "contains ' '");
    assert_eq!(gantry.json(&["topic", "list"])[0]["queues"], 8);
}

#[test]
fn without_kafka_the_rest_is_shown() {
    let gantry = Running::start();
    gantry.text(&["topic", "create", "orders"]);
    let output = gantry.ask(&["topic", "list", "-o", "json", "--kafka", &nobody()]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let rows: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&rows[0]["topic"], &rows[0]["topicId"]), (&json!("orders"), &Value::Null));
    assert!(
        String::from_utf8_lossy(&output.stderr).starts_with("note: without what Kafka knows: cannot reach")
    );
}

#[test]
fn verbose_says_who_is_asked_what() {
    let gantry = Running::start();
    let output = gantry.output(&["topic", "list", "-v"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        stderr
            .contains(&format!("{}: GET_ALL_TOPIC_CONFIG answered SUCCESS in ", gantry.address("remoting")))
    );
}

#[test]
fn nobody_there_is_exit_code_3_with_cause_and_cure() {
    let nobody = nobody();
    let output = command().args(["topic", "list", "--namesrv", &nobody]).output().unwrap();
    let expected = format!("error: cannot reach the name server at {nobody}\n  cause: Connection refused");
    check_failure(&output, 3, &expected);
    check_failure(&output, 3, "\n  cure:  start one with `gantry start`, or name another with --namesrv");
    let output = command().args(["topic", "list", "--broker", &nobody]).output().unwrap();
    check_failure(&output, 3, &format!("error: cannot reach the broker at {nobody}\n"));
    let words = ["topic", "create", "t", "-c", "retention.ms=1", "--kafka", &nobody];
    check_failure(
        &command().args(words).output().unwrap(),
        3,
        &format!("error: cannot reach Kafka at {nobody}\n"),
    );
}

#[test]
fn the_wrong_port_is_said() {
    let gantry = Running::start();
    let http = gantry.address("http").to_owned();
    let output = gantry.ask(&["topic", "list", "--namesrv", &http]).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_wrong_command_line_is_exit_code_2() {
    for words in [
        &["topic"][..],
        &["topic", "create"],
        &["topic", "create", "t", "--queues", "0"],
        &["topic", "create", "t", "--config", "novalue"],
        &["topic", "create", "a.b", "--order"],
        &["topic", "alter", "t"],
        &["topic", "list", "-o", "xml"],
        &["topic", "list", "--timeout", "5"],
        &["topic", "list", "-q", "-v"],
    ] {
        assert_eq!(command().args(words).output().unwrap().status.code(), Some(2), "{words:?}");
    }
}

/// A broker that answers one request with this code.
fn broker_that_says(code: ResponseCode) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let served = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut received = BytesMut::new();
        let frame = loop {
            if let Some(frame) = Frame::split(&mut received, 1 << 20).unwrap() {
                break frame;
            }
            let mut chunk = [0; 1024];
            let read = stream.read(&mut chunk).unwrap();
            received.extend_from_slice(&chunk[..read]);
        };
        let opaque = HeaderView::of(&frame).unwrap().opaque;
        let mut out = BytesMut::new();
        Head::response(code, opaque, Some("because")).write(Codec::Json, 0, &mut out, |_| {}).unwrap();
        std::io::Write::write_all(&mut stream, &out).unwrap();
    });
    (address, served)
}

#[test]
fn a_refusal_has_the_exit_code_of_its_kind() {
    for (code, exit, says) in [
        (ResponseCode::NO_PERMISSION, 5, "because\n  cause: NO_PERMISSION"),
        (ResponseCode::TOPIC_NOT_EXIST, 4, "because\n  cause: TOPIC_NOT_EXIST"),
        (ResponseCode::REQUEST_CODE_NOT_SUPPORTED, 1, "  cure:  this broker does not serve it"),
        (ResponseCode::SYSTEM_BUSY, 1, "  cure:  try again"),
        (ResponseCode::SYSTEM_ERROR, 1, "GET_ALL_TOPIC_CONFIG at 127.0.0.1:"),
    ] {
        let (address, served) = broker_that_says(code);
        let output = command().args(["topic", "list", "--all", "--broker", &address]).output().unwrap();
        served.join().unwrap();
        check_failure(&output, exit, says);
    }
}

#[test]
fn completions_and_manual_pages_know_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = command().args(["completions", shell]).output().unwrap().stdout;
        let script = String::from_utf8(script).unwrap();
        for word in ["topic", "describe", "--namesrv", "completions"] {
            let word = if shell == "fish" { word.trim_start_matches("--") } else { word };
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    let page = command().arg("man").output().unwrap().stdout;
    assert!(String::from_utf8(page).unwrap().contains(".TH gantry 1"));
    let directory = tempfile::tempdir().unwrap();
    let written = command().arg("man").arg(directory.path()).output().unwrap();
    assert_eq!(written.status.code(), Some(0));
    for page in
        ["gantry.1", "gantry-topic.1", "gantry-topic-create.1", "gantry-msg-tail.1", "gantry-config-check.1"]
    {
        assert!(directory.path().join(page).is_file(), "{page}");
    }
    let failed = command().args(["man", "/dev/null/x"]).output().unwrap();
    check_failure(&failed, 1, "error: cannot write manual pages into /dev/null/x\n  cause: ");
}

#[test]
fn help_shows_examples_and_exit_codes() {
    for verb in ["create", "list", "describe", "alter", "delete"] {
        let help = command().args(["topic", verb, "--help"]).output().unwrap();
        let help = String::from_utf8(help.stdout).unwrap();
        assert!(help.contains(&format!("Examples:\n  gantry topic {verb}")), "{help}");
        assert!(
            help.contains("Exit codes: 0 done, 1 failed, 2 wrong command line, 3 not reachable"),
            "{help}"
        );
    }
}
