//! Key-value configuration of the name server: namespace, key, value.
//!
//! Source: RocketMQ 5.3.3 `namesrv/kvconfig/KVConfigManager.java`.

use indexmap::IndexMap;

/// The namespace of order topics: topic to `broker:queues` pairs with `;` between them.
pub const ORDER_TOPIC_NAMESPACE: &str = "ORDER_TOPIC_CONFIG";

/// Bytes of all namespaces, keys and values: a thousand times any real table, and a file that is written in a moment.
pub const KV_SIZE_MAX: usize = 16 << 20;

type Namespace = IndexMap<String, String>;

/// The table would be larger than [`KV_SIZE_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key-value configuration would be larger than {KV_SIZE_MAX} bytes; delete what is not used")]
pub struct KvFull;

/// The table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KvConfig(IndexMap<String, Namespace>);

impl KvConfig {
    /// The table as it was saved.
    pub fn new(saved: impl IntoIterator<Item = (String, IndexMap<String, String>)>) -> Self {
        Self(saved.into_iter().collect())
    }

    /// Sets a value; true when that changed something and must be saved.
    ///
    /// # Errors
    /// [`KvFull`]; nothing is changed then.
    pub fn put(&mut self, namespace: &str, key: &str, value: &str) -> Result<bool, KvFull> {
        if self.value(namespace, key) == Some(value) {
            return Ok(false);
        }
        if KV_SIZE_MAX < self.size() + namespace.len() + key.len() + value.len() {
            return Err(KvFull);
        }
        self.0.entry(namespace.to_owned()).or_default().insert(key.to_owned(), value.to_owned());
        Ok(true)
    }

    fn size(&self) -> usize {
        let pairs =
            |values: &Namespace| values.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
        self.0.iter().map(|(namespace, values)| namespace.len() + pairs(values)).sum()
    }

    /// Removes a key; true when it was there.
    pub fn delete(&mut self, namespace: &str, key: &str) -> bool {
        let Some(values) = self.0.get_mut(namespace) else { return false };
        let removed = values.shift_remove(key).is_some();
        if values.is_empty() {
            self.0.shift_remove(namespace);
        }
        removed
    }

    /// The value of a key.
    pub fn value(&self, namespace: &str, key: &str) -> Option<&str> {
        self.0.get(namespace)?.get(key).map(String::as_str)
    }

    /// All keys of a namespace; `None` when it is not there.
    pub fn namespace(&self, namespace: &str) -> Option<&IndexMap<String, String>> {
        self.0.get(namespace)
    }

    /// Everything, to be saved.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &IndexMap<String, String>)> {
        self.0.iter().map(|(namespace, values)| (namespace.as_str(), values))
    }

    /// The `orderTopicConf` of a route, without a trailing `;`: Go clients cannot read an empty last part.
    pub fn order_topic(&self, topic: &str) -> Option<&str> {
        self.value(ORDER_TOPIC_NAMESPACE, topic)
            .map(|pairs| pairs.trim_end_matches(';'))
            .filter(|p| !p.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_reads_and_deletes() {
        let mut kv = KvConfig::default();
        assert_eq!(kv.put("n", "k", "v"), Ok(true));
        assert_eq!(kv.put("n", "k", "v"), Ok(false));
        assert_eq!(kv.put("n", "k2", &"v".repeat(KV_SIZE_MAX)), Err(KvFull));
        assert_eq!((kv.value("n", "k"), kv.value("n", "x"), kv.value("x", "k")), (Some("v"), None, None));
        assert!(kv.delete("n", "k") && !kv.delete("n", "k"));
        assert_eq!(kv.namespace("n"), None);
    }

    #[test]
    fn gives_order_topics_without_a_trailing_separator() {
        let mut kv = KvConfig::default();
        kv.put(ORDER_TOPIC_NAMESPACE, "t", "broker-a:8;broker-b:8;").unwrap();
        kv.put(ORDER_TOPIC_NAMESPACE, "u", ";").unwrap();
        assert_eq!(kv.order_topic("t"), Some("broker-a:8;broker-b:8"));
        assert_eq!(kv.order_topic("u"), None);
    }
}
