//! `gantry group` against a Gantry: groups without members, with native members, with Kafka members.

use std::time::Duration;

use gantry::peer::Peer;
use gantry::peer_kafka::KafkaPeer;
use gantry_protocols::kafka::messages::join_group_request::JoinGroupRequestProtocol;
use gantry_protocols::kafka::messages::{JoinGroupRequest, StrBytes};
use gantry_protocols::remoting::RequestCode;
use gantry_protocols::remoting::headers::offset::UpdateConsumerOffsetRequest;
use serde_json::{Value, json};

use crate::running::{Running, check_failure, command, nobody};

const PATIENCE: Duration = Duration::from_secs(30);

fn peer(gantry: &Running) -> Peer {
    Peer::connect(gantry.address("remoting"), PATIENCE).unwrap()
}

/// A group that committed this for a queue.
fn commit(gantry: &Running, group: &str, topic: &str, queue_id: i32, commit_offset: i64) {
    let header = UpdateConsumerOffsetRequest {
        consumer_group: group.into(),
        topic: topic.into(),
        queue_id,
        commit_offset,
    };
    let mut peer = peer(gantry);
    let settings = serde_json::to_vec(&json!({"groupName": group})).unwrap();
    peer.ask(RequestCode::UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, &gantry::peer::NoHeader, &settings).unwrap();
    peer.ask(RequestCode::UPDATE_CONSUMER_OFFSET, &header, b"").unwrap();
}

/// Two queues with two messages and one.
fn with_messages(topic: &str) -> Running {
    let gantry = Running::start();
    gantry.text(&["topic", "create", topic, "--queues", "2"]);
    for queue in ["0", "0", "1"] {
        gantry.text(&["msg", "send", topic, "x", "--queue", queue, "-q"]);
    }
    gantry
}

fn heartbeat(group: &str, topic: &str) -> Vec<u8> {
    let subscription = json!({"topic": topic, "subString": "*", "expressionType": "TAG", "subVersion": 1});
    let consumer = json!({
        "groupName": group, "consumeType": "CONSUME_PASSIVELY", "messageModel": "CLUSTERING",
        "consumeFromWhere": "CONSUME_FROM_FIRST_OFFSET", "subscriptionDataSet": [subscription],
    });
    serde_json::to_vec(&json!({"clientID": "client@1", "consumerDataSet": [consumer]})).unwrap()
}

#[test]
fn a_group_without_members_is_shown_with_its_lag() {
    let gantry = with_messages("orders");
    commit(&gantry, "billing", "orders", 0, 1);
    commit(&gantry, "billing", "orders", 1, 1);
    let list = gantry.json(&["group", "list"]);
    let row = list.as_array().unwrap().iter().find(|row| row["group"] == "billing").unwrap();
    assert_eq!((&row["holder"], &row["state"], &row["lag"]), (&Value::Null, &json!("Empty"), &json!(1)));
    let found = &gantry.json(&["group", "describe", "billing"]);
    assert_eq!((&found["lag"], &found["members"]), (&json!(1), &json!([])));
    let queue = &found["queues"][0];
    assert_eq!((&queue["committed"], &queue["end"], &queue["lag"]), (&json!(1), &json!(2), &json!(1)));
    let text = gantry.text(&["group", "describe", "billing"]);
    assert!(text.contains("Held by:    nobody\n"), "{text}");
    assert!(
        text.contains(
            "\nTOPIC   QUEUE  COMMITTED  END  LAG  HOLDER\norders      0          1    2    1  -\n"
        ),
        "{text}"
    );
}

#[test]
fn native_members_are_shown_and_keep_their_group() {
    let gantry = with_messages("orders");
    let mut member = peer(&gantry);
    member.ask(RequestCode::HEART_BEAT, &gantry::peer::NoHeader, &heartbeat("billing", "orders")).unwrap();
    commit(&gantry, "billing", "orders", 0, 1);
    let found = &gantry.json(&["group", "describe", "billing"]);
    assert_eq!((&found["holder"], &found["model"]), (&json!("native"), &json!("CLUSTERING")));
    assert_eq!(
        (&found["members"][0]["member"], &found["members"][0]["queues"]),
        (&json!("client@1"), &json!(2))
    );
    assert_eq!(found["members"][0]["address"], member.local_addr().unwrap().to_string());
    assert_eq!(found["subscriptions"][0]["topic"], "orders");
    let holder = found["queues"].as_array().unwrap().iter().find(|queue| queue["topic"] == "orders").unwrap();
    assert_eq!(holder["holder"], "client@1");
    gantry.fails(
        &["group", "delete", "billing", "--yes"],
        1,
        "cause: 1 native members\n  cure:  stop them first",
    );
    let list = gantry.text(&["group", "list"]);
    assert!(list.contains("billing  native  Stable\n"), "{list}");
}

#[test]
fn kafka_members_are_shown_and_keep_their_offsets() {
    let gantry = with_messages("orders");
    commit(&gantry, "billing", "orders", 0, 1);
    let mut member = KafkaPeer::connect(gantry.address("kafka"), PATIENCE).unwrap();
    let protocol = JoinGroupRequestProtocol::default()
        .with_name(StrBytes::from_static_str("range"))
        .with_metadata(b"\0\0\0\0\0\x01\0\x06orders\xff\xff\xff\xff"[..].into());
    let join = JoinGroupRequest::default()
        .with_group_id(StrBytes::from_static_str("billing").into())
        .with_session_timeout_ms(30_000)
        .with_rebalance_timeout_ms(30_000)
        .with_protocol_type(StrBytes::from_static_str("consumer"))
        .with_protocols(vec![protocol]);
    // Version 3 joins without asking for a member id first.
    let (_, joined) = member.call(3, |_| join).unwrap();
    assert_eq!(joined.error_code, 0);
    let found = &gantry.json(&["group", "describe", "billing"]);
    assert_eq!((&found["holder"], &found["members"][0]["dialect"]), (&json!("kafka"), &json!("kafka")));
    assert_eq!(found["members"][0]["member"], joined.member_id.as_str());
    let words = ["group", "reset", "billing", "--topic", "orders", "--to-earliest"];
    let preview = gantry.output(&words);
    assert_eq!(preview.status.code(), Some(0), "a preview changes nothing");
    let words: Vec<&str> = words.iter().chain(&["--execute"]).copied().collect();
    gantry.fails(
        &words,
        1,
        "error: group billing cannot be reset while it has live members\n  cause: 1 kafka members",
    );
    gantry.fails(&["group", "delete", "billing", "--yes"], 1, "cannot be deleted while it has live members");
}

#[test]
fn a_reset_shows_its_effect_and_does_it_when_told() {
    let gantry = with_messages("orders");
    commit(&gantry, "billing", "orders", 0, 1);
    let reset = |more: &[&str]| -> Vec<(Value, Value)> {
        let words = ["group", "reset", "billing", "-t", "orders", "-q", "-o", "json"];
        let words: Vec<&str> = words.iter().chain(more).copied().collect();
        let effect: Value = serde_json::from_str(&gantry.text(&words)).unwrap();
        let queues = effect["queues"].as_array().unwrap().iter();
        queues.map(|queue| (queue["from"].clone(), queue["to"].clone())).collect()
    };
    let moves = |first: i64, second: i64| vec![(json!(1), json!(first)), (Value::Null, json!(second))];
    assert_eq!(reset(&["--to-earliest"]), moves(0, 0));
    assert_eq!(reset(&["--to-latest", "--dry-run"]), moves(2, 1));
    assert_eq!(reset(&["--to-offset", "1"]), moves(1, 1));
    assert_eq!(reset(&["--to-offset", "99"]), moves(2, 1));
    assert_eq!(reset(&["--shift-by", "-1"]), moves(0, 0));
    assert_eq!(reset(&["--by-duration", "1h"]), moves(0, 0));
    assert_eq!(reset(&["--to-time", "2100-01-01"]), moves(2, 1));
    assert_eq!(reset(&["--to-latest", "--queue", "0", "--execute"]), [(json!(1), json!(2))]);
    assert_eq!(reset(&["--to-earliest", "--execute"]), [(json!(2), json!(0)), (Value::Null, json!(0))]);
    assert_eq!(reset(&["--to-earliest"]), [(json!(0), json!(0)), (json!(0), json!(0))]);
    let output = gantry.output(&["group", "reset", "billing", "-t", "orders", "--to-latest"]);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "note: nothing was changed; --execute does it\n");
}

#[test]
fn a_group_is_deleted_with_its_offsets() {
    let gantry = with_messages("orders");
    commit(&gantry, "billing", "orders", 0, 1);
    gantry.fails(&["group", "delete", "billing"], 2, "Nobody can be asked");
    gantry.fails(&["group", "delete", "billing", "missing", "--yes"], 4, "error: there is no group missing");
    assert_eq!(gantry.text(&["group", "delete", "billing", "--yes"]), "deleted group billing\n");
    gantry.fails(
        &["group", "describe", "billing"],
        4,
        "error: there is no group billing\n  cure:  `gantry group list`",
    );
}

#[test]
fn what_is_missing_or_wrong_has_its_exit_code() {
    let gantry = with_messages("orders");
    commit(&gantry, "billing", "orders", 0, 1);
    gantry.fails(
        &["group", "reset", "missing", "-t", "orders", "--to-latest"],
        4,
        "error: there is no group missing",
    );
    gantry.fails(
        &["group", "reset", "billing", "-t", "gone", "--to-latest"],
        4,
        "error: there is no topic gone",
    );
    let queue = ["group", "reset", "billing", "-t", "orders", "--queue", "9", "--to-latest"];
    gantry.fails(&queue, 4, "error: topic orders has no queue 9");
    let time = ["group", "reset", "billing", "-t", "orders", "--to-time", "soon"];
    gantry.fails(&time, 2, "error: soon: no time; write it as ");
    for words in [
        &["group", "reset", "billing", "-t", "orders"][..],
        &["group", "reset", "billing", "--to-latest"],
        &["group", "reset", "billing", "-t", "orders", "--to-latest", "--to-earliest"],
        &["group", "reset", "billing", "-t", "orders", "--to-latest", "--dry-run", "--execute"],
    ] {
        assert_eq!(command().args(words).output().unwrap().status.code(), Some(2), "{words:?}");
    }
    let nobody = nobody();
    let output = command().args(["group", "list", "--broker", &nobody]).output().unwrap();
    check_failure(&output, 3, &format!("error: cannot reach the broker at {nobody}\n"));
}
