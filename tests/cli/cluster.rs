//! `gantry cluster` against a Gantry, and where there is none.

use serde_json::{Value, json};

use crate::running::{Running, check_failure, command, nobody};

#[test]
fn shows_the_addresses_of_both_dialects_and_that_nothing_needs_attention() {
    let gantry = Running::start();
    let cluster = &gantry.json(&["cluster"]);
    let broker = &cluster["brokers"][0];
    assert_eq!((&broker["broker"], &broker["cluster"]), (&json!("broker-a"), &json!("DefaultCluster")));
    assert_eq!(broker["address"], gantry.address("remoting"));
    assert_eq!(cluster["kafka"]["nodes"], json!([{"id": 0, "address": gantry.address("kafka")}]));
    assert_eq!((&cluster["ready"], &cluster["attention"]), (&json!(true), &json!([])));
    let text = gantry.text(&["cluster"]);
    assert!(text.starts_with("BROKER    ID  CLUSTER         ROCKETMQ"), "{text}");
    assert!(text.ends_with("Attention:        ready, nothing needs attention\n"), "{text}");
}

#[test]
fn what_does_not_answer_is_a_note_unless_it_is_the_name_server() {
    let gantry = Running::start();
    let nobody = nobody();
    let words = ["cluster", "-o", "json", "--http", &nobody, "--kafka", &nobody];
    let output = gantry.output(&words);
    let cluster: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&cluster["ready"], &cluster["kafka"]), (&Value::Null, &Value::Null));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains(&format!("note: without what Kafka knows: cannot reach Kafka at {nobody}\n")));
    assert!(stderr.contains(&format!("note: whether it is ready is not known: http://{nobody}/readyz: ")));
    let output = command().args(["cluster", "--namesrv", &nobody]).output().unwrap();
    check_failure(&output, 3, "error: cannot reach the name server at ");
}
