//! Bodies of the recorded sessions and of the original classes: read, written again, compared.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

#[expect(dead_code, reason = "each test uses its part")]
mod remoting_recorded;

use std::collections::BTreeSet;

use gantry_protocols::json;
use gantry_protocols::remoting::batch::{BatchItem, BatchItems};
use gantry_protocols::remoting::bodies::{
    self, BodyError, client, group, heartbeat, lock, register, route, stats, table, topic,
};
use gantry_protocols::remoting::frame::MAX_FRAME_SIZE;
use remoting_recorded::frames;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

fn value(body: &[u8]) -> Value {
    serde_json::from_str(&json::strict(body, MAX_FRAME_SIZE).unwrap()).unwrap()
}

fn again<T: Serialize + DeserializeOwned>(body: &[u8]) -> Result<Value, BodyError> {
    Ok(value(&bodies::encode(&bodies::decode::<T>(body)?)?))
}

fn rewritten(code: i32, is_response: bool, body: &[u8]) -> Option<Result<Value, BodyError>> {
    Some(match (code, is_response) {
        (34, false) => again::<heartbeat::HeartbeatData>(body),
        (46, false) => again::<client::CheckClientRequest>(body),
        (38, true) => again::<client::ConsumerIdList>(body),
        (203, true) => again::<client::ConsumerConnection>(body),
        (204, true) => again::<client::ProducerConnection>(body),
        (41 | 42, false) => again::<lock::LockBatchRequest>(body),
        (41, true) => again::<lock::LockBatchResponse>(body),
        (103, false) => again::<register::RegisterBrokerBody>(body),
        (105, true) => again::<route::TopicRouteData>(body),
        (106, true) => again::<route::ClusterInfo>(body),
        (206 | 305, true) => again::<topic::TopicList>(body),
        (18, false) => again::<topic::TopicConfigList>(body),
        (21, true) => again::<topic::TopicConfigWrapper>(body),
        (351, true) => again::<topic::TopicConfig>(body),
        (200, false) => again::<group::SubscriptionGroupConfig>(body),
        (201, true) => again::<group::SubscriptionGroupTable>(body),
        (300, true) => again::<group::GroupList>(body),
        (28, true) => again::<table::KvTable>(body),
        (202, true) => again::<stats::TopicStatsTable>(body),
        (208, true) => again::<stats::ConsumeStats>(body),
        (222, true) => again::<stats::ResetOffsetBody>(body),
        _ => return None,
    })
}

/// Whether everything that `part` says is said by `whole`, members without a value left out.
fn says(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(key, value)| whole.get(key).is_some_and(|whole| says(whole, value)))
        }
        (Value::Array(whole), Value::Array(part)) => {
            whole.len() == part.len() && whole.iter().zip(part).all(|(whole, part)| says(whole, part))
        }
        _ => whole == part,
    }
}

#[test]
fn bodies_say_what_every_recorded_body_says() {
    let mut seen = BTreeSet::new();
    for recorded in frames() {
        let (Some(code), Some(text)) = (recorded.request_code, &recorded.body_text) else { continue };
        if text.is_empty() {
            continue;
        }
        let Some(again) = rewritten(code, recorded.is_response(), text.as_bytes()) else { continue };
        let (again, said) = (again.unwrap(), value(text.as_bytes()));
        assert!(says(&again, &said), "{}\n{said}\n{again}", recorded.place);
        seen.insert((code, recorded.is_response()));
    }
    assert!(seen.len() >= 18, "{seen:?}");
}

/// Bodies as the original classes print them.
const ORIGINAL: &[(i32, bool, &str)] = &[
    (
        105,
        true,
        r#"{"brokerDatas":[{"brokerAddrs":{0:"10.0.0.1:10911",1:"10.0.0.2:10911"},"brokerName":"broker-a","cluster":"DefaultCluster","enableActingMaster":false}],"filterServerTable":{},"queueDatas":[{"brokerName":"broker-a","perm":6,"readQueueNums":8,"topicSysFlag":0,"writeQueueNums":8}]}"#,
    ),
    (
        106,
        true,
        r#"{"brokerAddrTable":{"broker-a":{"brokerAddrs":{0:"10.0.0.1:10911",1:"10.0.0.2:10911"},"brokerName":"broker-a","cluster":"DefaultCluster","enableActingMaster":false}},"clusterAddrTable":{"DefaultCluster":["broker-a"]}}"#,
    ),
    (
        34,
        false,
        r#"{"clientID":"10.0.0.9@1234","consumerDataSet":[{"consumeFromWhere":"CONSUME_FROM_LAST_OFFSET","consumeType":"CONSUME_PASSIVELY","groupName":"CG","messageModel":"CLUSTERING","subscriptionDataSet":[{"classFilterMode":false,"codeSet":[2598919,2598920],"expressionType":"TAG","subString":"TagA || TagB","subVersion":1700000000000,"tagsSet":["TagA","TagB"],"topic":"TopicTest"}],"unitMode":false}],"heartbeatFingerprint":0,"producerDataSet":[{"groupName":"PG"}],"withoutSub":false}"#,
    ),
    (
        21,
        true,
        r#"{"dataVersion":{"counter":3,"stateVersion":0,"timestamp":1700000000000},"mappingDataVersion":{"counter":0,"stateVersion":0,"timestamp":1},"topicConfigTable":{"TopicTest":{"attributes":{"message.type":"FIFO"},"order":false,"perm":6,"readQueueNums":8,"topicFilterType":"SINGLE_TAG","topicName":"TopicTest","topicSysFlag":0,"writeQueueNums":8}},"topicQueueMappingDetailMap":{},"topicQueueMappingInfoMap":{}}"#,
    ),
    (
        103,
        false,
        r#"{"filterServerList":[],"topicConfigSerializeWrapper":{"dataVersion":{"counter":3,"stateVersion":0,"timestamp":1700000000000},"mappingDataVersion":{"counter":0,"stateVersion":0,"timestamp":1},"topicConfigTable":{"TopicTest":{"attributes":{"message.type":"FIFO"},"order":false,"perm":6,"readQueueNums":8,"topicFilterType":"SINGLE_TAG","topicName":"TopicTest","topicSysFlag":0,"writeQueueNums":8}},"topicQueueMappingDetailMap":{},"topicQueueMappingInfoMap":{}}}"#,
    ),
    (
        41,
        false,
        r#"{"clientId":"c1","consumerGroup":"CG","mqSet":[{"brokerName":"broker-a","queueId":0,"topic":"TopicTest"}],"onlyThisBroker":false}"#,
    ),
    (41, true, r#"{"lockOKMQSet":[{"brokerName":"broker-a","queueId":0,"topic":"TopicTest"}]}"#),
    (38, true, r#"{"consumerIdList":["a@1","b@2"]}"#),
    (28, true, r#"{"table":{"k":"v"}}"#),
    (206, true, r#"{"topicList":["T"]}"#),
    (
        203,
        true,
        r#"{"connectionSet":[{"clientAddr":"1.1.1.1:1","clientId":"x","language":"JAVA","version":500}],"consumeFromWhere":"CONSUME_FROM_LAST_OFFSET","consumeType":"CONSUME_PASSIVELY","messageModel":"CLUSTERING","subscriptionTable":{"TopicTest":{"classFilterMode":false,"codeSet":[2598919,2598920],"expressionType":"TAG","subString":"TagA || TagB","subVersion":1700000000000,"tagsSet":["TagA","TagB"],"topic":"TopicTest"}}}"#,
    ),
    (
        204,
        true,
        r#"{"connectionSet":[{"clientAddr":"1.1.1.1:1","clientId":"x","language":"JAVA","version":500}]}"#,
    ),
    (
        351,
        true,
        r#"{"attributes":{"message.type":"FIFO"},"order":false,"perm":6,"readQueueNums":8,"topicFilterType":"SINGLE_TAG","topicName":"TopicTest","topicSysFlag":0,"writeQueueNums":8}"#,
    ),
];

#[test]
fn writes_what_the_original_prints_with_quoted_keys() {
    for (code, is_response, text) in ORIGINAL {
        let again = rewritten(*code, *is_response, text.as_bytes()).unwrap().unwrap();
        assert_eq!(again.to_string(), json::strict(text.as_bytes(), 1 << 20).unwrap(), "{code}");
    }
}

#[test]
fn queue_keys_are_written_as_the_original_prints_them() {
    let stats = r#"{"offsetTable":{{"brokerName":"broker-a","queueId":0,"topic":"TopicTest"}:{"lastUpdateTimestamp":0,"maxOffset":10,"minOffset":0}},"topicPutTps":0.0}"#;
    let body = bodies::decode::<stats::TopicStatsTable>(stats.as_bytes()).unwrap();
    assert_eq!(bodies::encode_fastjson(&body).unwrap(), stats);
    let progress = r#"{"consumeTps":0.0,"offsetTable":{{"brokerName":"broker-a","queueId":0,"topic":"TopicTest"}:{"brokerOffset":10,"consumerOffset":0,"lastTimestamp":0,"pullOffset":0}}}"#;
    let body = bodies::decode::<stats::ConsumeStats>(progress.as_bytes()).unwrap();
    assert_eq!(bodies::encode_fastjson(&body).unwrap(), progress);
    let reset = r#"{"offsetTable":{{"brokerName":"a\"\\b","queueId":0,"topic":"T"}:5,{"brokerName":"b","queueId":1,"topic":"T"}:6}}"#;
    let body = bodies::decode::<stats::ResetOffsetBody>(reset.as_bytes()).unwrap();
    assert_eq!(bodies::encode_fastjson(&body).unwrap(), reset);
    let plain = table::KvTable {
        table: [(String::new(), "{".to_owned()), ("k\"".to_owned(), "\n".to_owned())].into(),
    };
    assert_eq!(bodies::encode_fastjson(&plain).unwrap(), bodies::encode(&plain).unwrap());
}

#[test]
fn reads_a_heartbeat_as_go_sends_it() {
    let text = r#"{"clientID":"c","producerDataSet":null,"consumerDataSet":[{"groupName":"g","consumeType":"CONSUME_NEVER",
        "subscriptionDataSet":[{"topic":"t","codeSet":["2598919","-5"],"subVersion":1,"newMember":{}}]}]}"#;
    let heartbeat: heartbeat::HeartbeatData = bodies::decode(text.as_bytes()).unwrap();
    let consumer = heartbeat.consumer_data_set.first().unwrap();
    assert_eq!(consumer.consume_type, heartbeat::ConsumeType::Other("CONSUME_NEVER".to_owned()));
    let subscription = consumer.subscription_data_set.first().unwrap();
    assert_eq!(subscription.code_set, [heartbeat::TagCode(2_598_919), heartbeat::TagCode(-5)]);
    assert_eq!(subscription.expression_type, "TAG");
    assert!(heartbeat.producer_data_set.is_empty());
}

#[test]
fn reads_a_heartbeat_as_cpp_sends_it() {
    let text = r#"{"clientID":"c","consumerDataSet":[{"consumeFromWhere":4,"consumeType":1,"groupName":"g","messageModel":0,
        "subscriptionDataSet":[{"subString":"*","subVersion":"1700000000000","topic":"t"}]}]}
"#;
    let heartbeat: heartbeat::HeartbeatData = bodies::decode(text.as_bytes()).unwrap();
    let consumer = heartbeat.consumer_data_set.first().unwrap();
    assert_eq!(consumer.consume_from_where, heartbeat::ConsumeFromWhere::FirstOffset);
    assert_eq!(consumer.consume_type.name(), "CONSUME_PASSIVELY");
    assert_eq!(consumer.message_model, heartbeat::MessageModel::Broadcasting);
    assert_eq!(consumer.subscription_data_set.first().unwrap().sub_version, 1_700_000_000_000);
}

#[test]
fn refuses_bodies_of_another_shape() {
    assert!(matches!(bodies::decode::<heartbeat::HeartbeatData>(b"{}"), Err(BodyError::Shape(_))));
    assert!(matches!(bodies::decode::<heartbeat::HeartbeatData>(b"<clientID>"), Err(BodyError::Dialect(_))));
    assert!(matches!(register::RegisterBrokerBody::decode(b"{}", true), Err(BodyError::Compressed)));
    assert_eq!(register::RegisterBrokerBody::decode(b"", false).unwrap(), Default::default());
}

#[test]
fn reads_and_writes_every_recorded_batch() {
    let mut items = 0;
    for recorded in
        frames().iter().filter(|recorded| recorded.request_code == Some(320) && !recorded.is_response())
    {
        let body = recorded.frame.split_at(recorded.frame.len() - recorded.body_len).1;
        let batch: Result<Vec<BatchItem<'_>>, _> = BatchItems::new(body).collect();
        let mut again = bytes::BytesMut::new();
        for item in batch.unwrap() {
            item.write(&mut again).unwrap();
            items += 1;
        }
        assert_eq!(again, body, "{}", recorded.place);
    }
    assert!(items > 10, "only {items} items");
}
