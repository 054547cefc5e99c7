//! A queue of a topic on a broker, as bodies name it, and maps that have it as key.
//!
//! Source: RocketMQ 5.3.3 `common/message/MessageQueue.java`.

use std::fmt;
use std::marker::PhantomData;

use indexmap::IndexMap;
use serde::de::{self, MapAccess, Visitor};
use serde::ser::{self, SerializeMap};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::lenient::number;

/// A queue of a topic on a broker.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageQueue {
    /// The broker's name.
    pub broker_name: String,
    /// Number of the queue in the topic on that broker.
    #[serde(deserialize_with = "number")]
    pub queue_id: i32,
    /// The topic.
    pub topic: String,
}

/// Values by queue, in the order written. In JSON the key is a string that holds the queue's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ByQueue<V>(pub IndexMap<MessageQueue, V>);

impl<V> Default for ByQueue<V> {
    fn default() -> Self {
        Self(IndexMap::new())
    }
}

impl<V: Serialize> Serialize for ByQueue<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (queue, value) in &self.0 {
            let key = serde_json::to_string(queue).map_err(ser::Error::custom)?;
            map.serialize_entry(&key, value)?;
        }
        map.end()
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for ByQueue<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ByQueueVisitor(PhantomData))
    }
}

struct ByQueueVisitor<V>(PhantomData<V>);

impl<'de, V: Deserialize<'de>> Visitor<'de> for ByQueueVisitor<V> {
    type Value = ByQueue<V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map with message queues as keys")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut values = IndexMap::new();
        while let Some(key) = map.next_key::<String>()? {
            let queue = serde_json::from_str(&key).map_err(de::Error::custom)?;
            values.insert(queue, map.next_value()?);
        }
        Ok(ByQueue(values))
    }
}
