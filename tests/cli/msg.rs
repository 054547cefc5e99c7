//! `gantry msg` against a Gantry: what one dialect sends the other reads, in every form.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::running::{Running, check_failure, command, nobody};
use serde_json::json;

#[test]
fn a_native_message_is_shown_in_the_words_of_both_dialects() {
    let gantry = Running::start();
    gantry.text(&["topic", "create", "orders", "--queues", "2"]);
    let words =
        ["msg", "send", "orders", "hello", "--tag", "A", "-k", "k1", "-k", "k2", "-H", "n=7", "--queue", "1"];
    let stored = &gantry.json(&words);
    assert_eq!((&stored["queue"], &stored["offset"]), (&json!(1), &json!(0)));
    let read = &gantry.json_lines(&["msg", "tail", "orders", "-e"])[0];
    assert_eq!((&read["value"], &read["key"], &read["tag"]), (&json!("hello"), &json!("k1 k2"), &json!("A")));
    assert_eq!(read["native"]["msgId"], stored["msgId"]);
    assert_eq!(read["native"]["offsetMsgId"], stored["offsetMsgId"]);
    assert_eq!(read["native"]["properties"]["n"], "7");
    assert_eq!((&read["kafka"]["partition"], &read["kafka"]["offset"]), (&json!(1), &json!(0)));
    let header = |name: &str| {
        let headers = read["kafka"]["headers"].as_array().unwrap();
        headers.iter().find(|header| header["name"] == name).map(|header| header["value"].clone())
    };
    assert_eq!((header("n"), header("rmq.tags")), (Some(json!("7")), Some(json!("A"))));
}

#[test]
fn a_kafka_record_is_shown_in_the_words_of_both_dialects() {
    let gantry = Running::start();
    gantry.text(&["topic", "create", "events", "--queues", "1", "-c", "retention.ms=-1"]);
    let words =
        ["msg", "send", "events", "v", "--via", "kafka", "-k", "k", "--tag", "T", "--header", "trace=7"];
    assert_eq!(gantry.json(&words), json!({"topic": "events", "queue": 0, "offset": 0}));
    let native = &gantry.json_lines(&["msg", "tail", "events", "-e", "--tag", "T"])[0];
    assert_eq!((&native["value"], &native["key"], &native["tag"]), (&json!("v"), &json!("k"), &json!("T")));
    assert_eq!(
        (&native["native"]["properties"]["trace"], &native["kafka"]["key"]),
        (&json!("7"), &json!("k"))
    );
    let kafka = &gantry.json_lines(&["msg", "tail", "events", "-e", "--view", "kafka", "--tag", "T"])[0];
    assert_eq!((&kafka["native"], &kafka["kafka"]), (&json!(null), &native["kafka"]));
    let more = gantry.output(&["msg", "send", "events", "v", "--via", "kafka", "-k", "a", "-k", "b"]);
    check_failure(&more, 2, "error: a Kafka record has one key");
}

#[test]
fn lines_and_files_are_messages() {
    let gantry = Running::start();
    gantry.text(&["topic", "create", "lines", "--queues", "1"]);
    let sent = gantry.with_input(&["msg", "send", "lines"], b"one\ntwo\nlast");
    assert_eq!((sent.status.code(), String::from_utf8(sent.stdout).unwrap().lines().count()), (Some(0), 3));
    assert_eq!(gantry.text(&["msg", "tail", "lines", "-e", "-q"]), "one\ntwo\nlast\n");
    let file = gantry.directory().join("bytes");
    std::fs::write(&file, b"\xff\n\x00").unwrap();
    gantry.text(&["msg", "send", "lines", "--file", file.to_str().unwrap(), "-q"]);
    assert_eq!(gantry.text(&["msg", "tail", "lines", "--from", "3", "-e", "-f", "%v{hex}"]), "ff0a00");
    let read = gantry.json(&["msg", "get", "lines:0:3"]);
    assert_eq!((&read["value"], &read["valueEncoding"]), (&json!("/woA"), &json!("base64")));
    gantry.fails(
        &["msg", "send", "lines", "--file", "/nowhere/x"],
        1,
        "error: cannot read /nowhere/x\n  cause: ",
    );
}

#[test]
fn a_tail_begins_where_it_is_told_to() {
    let gantry = Running::start();
    gantry.text(&["topic", "create", "t", "--queues", "1"]);
    gantry.with_input(&["msg", "send", "t", "-q"], b"0\n1\n2\n3");
    let tail = |more: &[&str]| {
        let words: Vec<&str> = ["msg", "tail", "t", "-q"].iter().chain(more).copied().collect();
        gantry.text(&words).replace('\n', "")
    };
    for view in ["native", "kafka"] {
        assert_eq!(tail(&["-e", "--view", view]), "0123");
        assert_eq!(tail(&["-e", "--view", view, "--from", "2"]), "23");
        assert_eq!(tail(&["-e", "--view", view, "--from", "-1"]), "3");
        assert_eq!(tail(&["-e", "--view", view, "--from", "end"]), "");
        assert_eq!(tail(&["-e", "--view", view, "--from", "1h"]), "0123");
        assert_eq!(tail(&["-e", "--view", view, "--from", "2100-01-01"]), "");
        assert_eq!(tail(&["--view", view, "--from", "beginning", "--count", "3"]), "012");
    }
}

#[test]
fn a_tail_goes_on_with_what_comes() {
    let gantry = Running::start();
    gantry.text(&["topic", "create", "live", "--queues", "1"]);
    for view in ["native", "kafka"] {
        let from = gantry.json(&["topic", "describe", "live"])["messages"].to_string();
        let words = ["msg", "tail", "live", "-q", "--count", "2", "--from", &from, "--view", view];
        let mut tail = gantry.ask(&words).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(tail.stdout.take().unwrap()).lines();
        gantry.text(&["msg", "send", "live", "first", "-q"]);
        assert_eq!(lines.next().unwrap().unwrap(), "first");
        gantry.text(&["msg", "send", "live", "second", "-q", "--via", "kafka"]);
        assert_eq!(lines.next().unwrap().unwrap(), "second");
        assert!(tail.wait().unwrap().success());
    }
}

#[test]
fn format_strings_and_columns() {
    let gantry = Running::start();
    gantry.text(&["topic", "create", "t", "--queues", "1"]);
    gantry.text(&["msg", "send", "t", "{\"a\":\"x\ty\"}", "-k", "k", "--tag", "A"]);
    let shown = |format: &str| gantry.text(&["msg", "tail", "t", "-e", "-f", format]);
    assert_eq!(shown("%t|%q|%p|%o|%k|%g|%%\\n"), "t|0|0|0|k|A|%\n");
    assert_eq!(shown("%v{base64} %k{hex}"), "eyJhIjoieAl5In0= 6b");
    let tsv = gantry.text(&["msg", "tail", "t", "-e", "-o", "tsv"]);
    let rows: Vec<Vec<&str>> = tsv.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(rows[0], ["topic", "queue", "offset", "timestamp", "id", "tag", "key", "value"]);
    assert_eq!((rows[1].len(), rows[1][7]), (8, "{\"a\":\"x\\ty\"}"));
    assert_eq!(command().args(["msg", "tail", "t", "-f", "%x"]).output().unwrap().status.code(), Some(2));
}

#[test]
fn a_message_is_found_by_place_by_id_and_by_key() {
    let gantry = Running::start();
    gantry.text(&["topic", "create", "t", "--queues", "1"]);
    gantry.text(&["topic", "create", "b", "--queues", "1", "-c", "retention.ms=-1"]);
    let stored = gantry.json(&["msg", "send", "t", "v", "-k", "k1", "-k", "k2"]);
    gantry.text(&["msg", "send", "b", "w", "-k", "k1", "--via", "kafka", "-H", "rmq.keys=k1"]);
    let (offset_id, id) = (stored["offsetMsgId"].as_str().unwrap(), stored["msgId"].as_str().unwrap());
    let value = |words: &[&str]| gantry.json(words)["value"].clone();
    assert_eq!(value(&["msg", "get", "t:0:0"]), "v");
    assert_eq!(value(&["msg", "get", offset_id]), "v");
    assert_eq!(value(&["msg", "get", id, "--topic", "t"]), "v");
    let record = gantry.json(&["msg", "get", "b:0:0"]);
    assert_eq!((&record["value"], &record["kafka"]["key"]), (&json!("w"), &json!("k1")));
    assert_eq!(value(&["msg", "get", record["native"]["offsetMsgId"].as_str().unwrap()]), "w");
    // The key index is written behind the answer to the send.
    for topic in ["t", "b"] {
        let words = ["msg", "query", "--key", "k1", "--topic", topic];
        assert!((0..500).any(|_| gantry.output(&words).status.success()), "{topic}");
    }
    let query = |more: &[&str]| {
        let words: Vec<&str> =
            ["msg", "query", "-f", "%v", "--key", "k1"].iter().chain(more).copied().collect();
        gantry.text(&words)
    };
    assert_eq!(query(&["--topic", "t"]), "v");
    assert_eq!(query(&["--topic", "t", "--from", "1h", "--max", "1"]), "v");
    assert_eq!(query(&["--topic", "b"]), "w");
    gantry.fails(&["msg", "query", "--topic", "t", "--key", "k1", "--to", "1h"], 4, "no message with key k1");
    gantry.fails(&["msg", "query", "--topic", "t", "--key", "nope"], 4, "no message with key nope");
    gantry.fails(&["msg", "get", "t:0:99"], 4, "error: t/0 has no offset 99");
    gantry.fails(&["msg", "get", "F".repeat(32).as_str()], 4, "error: there is no message FFFF");
    gantry.fails(&["msg", "get", "nonsense"], 2, "error: nonsense is no message id");
}

#[test]
fn what_is_not_there_is_exit_code_4_and_nobody_there_is_3() {
    let gantry = Running::start();
    gantry.text(&["topic", "create", "t", "--queues", "1"]);
    gantry.fails(&["msg", "tail", "missing", "-e"], 4, "error: there is no topic missing");
    gantry.fails(&["msg", "tail", "missing", "-e", "--view", "kafka"], 4, "error: there is no topic missing");
    gantry.fails(&["msg", "tail", "t", "--queue", "7"], 4, "error: topic t has no queue 7");
    gantry.fails(&["msg", "send", "t", "x", "--queue", "7"], 1, "queueId[7] is illegal");
    gantry.fails(
        &["msg", "send", "t", "x", "--queue", "7", "--via", "kafka"],
        4,
        "UNKNOWN_TOPIC_OR_PARTITION",
    );
    let nobody = nobody();
    for words in [
        &["msg", "send", "t", "x", "--broker", &nobody][..],
        &["msg", "send", "t", "x", "--via", "kafka", "--kafka", &nobody],
        &["msg", "tail", "t", "--namesrv", &nobody],
    ] {
        check_failure(&command().args(words).output().unwrap(), 3, "error: cannot reach ");
    }
}
