//! Names of topics as commands sort them: patterns, and which are the system's.

use std::borrow::Cow;

use crate::mapping::names::{self, OwnNames};

use super::Wire;

/// Whether `name` is like `pattern`, where `*` stands for any text.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = name.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some((_, behind)) = rest.split_once(part) else { return false };
        rest = behind;
    }
    true
}

/// Names of clusters and brokers, which stand as topics in the table; none when the name server is silent.
pub(super) fn own_names(wire: &mut Wire) -> Vec<String> {
    let cluster = wire.cluster().unwrap_or_default();
    let names = cluster.broker_addr_table.into_keys().chain(cluster.cluster_addr_table.into_keys());
    names.collect()
}

/// Whether the topic is not one that a user made.
pub(super) fn is_system(topic: &str, own: &[String]) -> bool {
    let by_name = |name: &str| names::is_system(topic, OwnNames { cluster: name, broker: name });
    topic.starts_with("%RETRY%")
        || topic.starts_with("%DLQ%")
        // No cluster has this name.
        || by_name("/")
        || own.iter().any(|name| by_name(name))
}

/// The stored name of what was typed: Kafka's name of a retry or dead letter topic is understood, too.
pub(super) fn stored(typed: &str) -> String {
    names::from_kafka(typed, |_| true).map_or_else(|| typed.to_owned(), Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, name, expected) in [
            ("orders", "orders", true),
            ("orders", "orders2", false),
            ("orders*", "orders2", true),
            ("*", "", true),
            ("*s", "orders", true),
            ("o*d*s", "orders", true),
            ("o*x*s", "orders", false),
            ("*rd*", "orders", true),
            ("ab*ba", "aba", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn kafkas_name_of_a_retry_topic_is_understood() {
        let names = ["orders.v1", "retry.svc.orders", "%DLQ%g"].map(stored);
        assert_eq!(names, ["orders.v1", "%RETRY%svc%2Eorders", "%DLQ%g"]);
    }

    #[test]
    fn what_no_user_made_is_the_systems() {
        let own = ["broker-a".to_owned(), "C".to_owned()];
        for name in ["%RETRY%g", "%DLQ%g", "TBW102", "RMQ_SYS_TRACE_TOPIC", "broker-a", "C_REPLY_TOPIC"] {
            assert!(is_system(name, &own), "{name}");
        }
        assert!(!is_system("orders", &own));
        assert!(!is_system("_REPLY_TOPIC", &[]));
    }
}
