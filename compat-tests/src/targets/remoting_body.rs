//! Bodies of remoting frames: client batches, and JSON in the dialects of all peers.

use bytes::{Bytes, BytesMut};
use gantry_protocols::json;
use gantry_protocols::remoting::batch::BatchItems;
use gantry_protocols::remoting::bodies::{
    self, BodyError, client, group, heartbeat, lock, register, route, stats, table, topic,
};
use gantry_protocols::remoting::frame::MAX_FRAME_SIZE;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// How a body is written.
type Write<T> = fn(&T) -> Result<Bytes, BodyError>;

/// Reads `body` as everything it could be.
pub(super) fn body(body: &[u8]) {
    batch(body);
    let Some(strict) = strict(body) else { return };
    if serde_json::from_str::<Value>(&strict).is_err() {
        return;
    }
    typed_bodies(body);
    by_queue::<stats::TopicStatsTable>(body);
    by_queue::<stats::ConsumeStats>(body);
    by_queue::<stats::ResetOffsetBody>(body);
    let compressed = register::RegisterBrokerBody::decode(body, true);
    assert!(matches!(compressed, Err(BodyError::Compressed)));
}

/// The items that parse consist of the bytes they were read from.
fn batch(body: &[u8]) {
    let mut again = BytesMut::new();
    for item in BatchItems::new(body).map_while(Result::ok) {
        item.write(&mut again).expect("an item that was read");
    }
    assert_eq!(body.get(..again.len()), Some(&again[..]));
}

/// The text a strict parser gets; what is strict already stays as it is.
fn strict(body: &[u8]) -> Option<String> {
    let strict = json::strict(body, MAX_FRAME_SIZE).ok()?.into_owned();
    assert!(strict.len() <= body.len().saturating_mul(7), "the rewritten text is above its bound");
    let again = json::strict(strict.as_bytes(), usize::MAX).expect("own text");
    assert_eq!(again, strict);
    Some(strict)
}

fn typed_bodies(body: &[u8]) {
    again::<heartbeat::HeartbeatData>(body, bodies::encode);
    again::<client::CheckClientRequest>(body, bodies::encode);
    again::<client::ConsumerIdList>(body, bodies::encode);
    again::<client::ConsumerConnection>(body, bodies::encode);
    again::<client::ProducerConnection>(body, bodies::encode);
    again::<lock::LockBatchRequest>(body, bodies::encode);
    again::<lock::LockBatchResponse>(body, bodies::encode);
    again::<register::RegisterBrokerBody>(body, bodies::encode);
    again::<route::TopicRouteData>(body, bodies::encode);
    again::<route::ClusterInfo>(body, bodies::encode);
    again::<topic::TopicList>(body, bodies::encode);
    again::<topic::TopicConfigList>(body, bodies::encode);
    again::<topic::TopicConfigWrapper>(body, bodies::encode);
    again::<topic::TopicConfig>(body, bodies::encode);
    again::<group::SubscriptionGroupConfig>(body, bodies::encode);
    again::<group::SubscriptionGroupTable>(body, bodies::encode);
    again::<group::GroupList>(body, bodies::encode);
    again::<table::KvTable>(body, bodies::encode);
}

/// Bodies whose maps have queues as keys are written in two ways.
fn by_queue<T: Serialize + DeserializeOwned>(body: &[u8]) {
    again::<T>(body, bodies::encode);
    again::<T>(body, bodies::encode_fastjson);
}

/// What was read is read again from what is written of it.
fn again<T: Serialize + DeserializeOwned>(body: &[u8], write: Write<T>) {
    let Ok(first) = bodies::decode::<T>(body) else { return };
    let text = write(&first).expect("a body that was read");
    let second = bodies::decode::<T>(&text).expect("a body that was written");
    let (first, second) = (serde_json::to_value(first), serde_json::to_value(second));
    let (first, second) = (first.expect("a body"), second.expect("a body"));
    assert!(same(&first, &second), "{}: {first} became {second}", std::any::type_name::<T>());
}

/// Equal, but for the last digits of fractions: the parser is allowed to round them.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Object(left), Value::Object(right)) => {
            let equal = |(key, value): (&String, _)| right.get(key).is_some_and(|other| same(value, other));
            left.len() == right.len() && left.iter().all(equal)
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Number(left), Value::Number(right)) if left.is_f64() && right.is_f64() => {
            left.as_f64().zip(right.as_f64()).is_some_and(|(left, right)| close(left, right))
        }
        _ => left == right,
    }
}

fn close(left: f64, right: f64) -> bool {
    left == right || (left - right).abs() <= left.abs().max(right.abs()) * 1e-12
}
