//! Key-value configuration of the name server: namespace, key, value.
//!
//! Source: RocketMQ 5.3.3 `namesrv/kvconfig/KVConfigManager.java`.

use indexmap::IndexMap;

/// The namespace of order topics: topic to `broker:queues` pairs with `;` between them.
pub const ORDER_TOPIC_NAMESPACE: &str = "ORDER_TOPIC_CONFIG";

type Namespace = IndexMap<String, String>;

/// The table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KvConfig(IndexMap<String, Namespace>);

impl KvConfig {
    /// The table as it was saved.
    pub fn new(saved: impl IntoIterator<Item = (String, IndexMap<String, String>)>) -> Self {
        Self(saved.into_iter().collect())
    }

    /// Sets a value; true when that changed something and must be saved.
    pub fn put(&mut self, namespace: &str, key: &str, value: &str) -> bool {
        if self.value(namespace, key) == Some(value) {
            return false;
        }
        self.0.entry(namespace.to_owned()).or_default().insert(key.to_owned(), value.to_owned());
        true
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
        assert!(kv.put("n", "k", "v"));
        assert!(!kv.put("n", "k", "v"));
        assert_eq!((kv.value("n", "k"), kv.value("n", "x"), kv.value("x", "k")), (Some("v"), None, None));
        assert!(kv.delete("n", "k") && !kv.delete("n", "k"));
        assert_eq!(kv.namespace("n"), None);
    }

    #[test]
    fn gives_order_topics_without_a_trailing_separator() {
        let mut kv = KvConfig::default();
        kv.put(ORDER_TOPIC_NAMESPACE, "t", "broker-a:8;broker-b:8;");
        kv.put(ORDER_TOPIC_NAMESPACE, "u", ";");
        assert_eq!(kv.order_topic("t"), Some("broker-a:8;broker-b:8"));
        assert_eq!(kv.order_topic("u"), None);
    }
}
