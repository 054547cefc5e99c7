//! Topic names: the stored name, its Kafka view, its native alias, and who may see it.
//!
//! The stored name is the Kafka name, literally. Three kinds of stored name exist:
//!
//! | stored                        | Kafka view                  | native client                       |
//! |-------------------------------|-----------------------------|-------------------------------------|
//! | `orders`                      | the same                    | the same                            |
//! | `orders.v1`                   | the same                    | also `orders%2Ev1` (dots refused by its own checks) |
//! | `a%b`, `a\|b` (no dot)        | `a.25b`, `a.7Cb`            | the same                            |
//! | `%RETRY%G`, `%DLQ%G`          | `retry.G`, `dlq.G`          | the same                            |
//!
//! Native names hold no dot, so the view is injective; that a literal Kafka topic has the view of an existing
//! native one is refused at creation ([`rival`]). In `retry.G` a stored group's `%2E` reads as the dot it stands
//! for, so that a Kafka group `svc.orders` finds its topic as `retry.svc.orders`. Names with both a dot and
//! `%`, `|` or `+` (POP retry topics of dotted topics) have no view.
//! Not here: group names (`group_names`), the character rules a create request must pass.
//! Source: RocketMQ 5.3.3 `common/topic/TopicValidator.java`, `common/MixAll.java`; Kafka `Topic.java`.

use std::borrow::Cow;

/// Longest topic name Kafka clients accept, in bytes.
pub const KAFKA_TOPIC_MAX: usize = 249;

const RETRY: &str = "%RETRY%";
const DLQ: &str = "%DLQ%";
const KAFKA_RETRY: &str = "retry.";
const KAFKA_DLQ: &str = "dlq.";

/// How Kafka clients see a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visibility {
    /// An ordinary topic.
    Listed,
    /// Listed with `is_internal`: left out of pattern subscriptions, usable by name.
    Internal,
    /// Never listed and unknown by name.
    Hidden,
}

/// The names stock brokers create topics after.
#[derive(Clone, Copy, Debug)]
pub struct OwnNames<'a> {
    /// `brokerClusterName`.
    pub cluster: &'a str,
    /// `brokerName`.
    pub broker: &'a str,
}

/// The name under which Kafka clients see a stored topic. `None` when it has none: such topics are hidden.
#[must_use]
pub fn kafka_view(stored: &str) -> Option<Cow<'_, str>> {
    if let Some((prefix, group)) = split_retry_or_dlq(stored) {
        return is_native(group).then(|| Cow::Owned(view_of_group(prefix, group)));
    }
    if is_native(stored) {
        return Some(view_of_native(stored));
    }
    is_kafka(stored).then_some(Cow::Borrowed(stored))
}

/// The stored name a Kafka client means. `exists` says whether a stored topic is there; a literal topic goes
/// before a native one with the same view. `None` when the name is legal in neither dialect.
#[must_use]
pub fn from_kafka<'a>(name: &'a str, exists: impl Fn(&str) -> bool) -> Option<Cow<'a, str>> {
    if !is_kafka(name) {
        return None;
    }
    match native_of_view(name) {
        Some(native) if is_retry_or_dlq(&native) => Some(Cow::Owned(native)),
        Some(native) if !exists(name) && exists(&native) => Some(Cow::Owned(native)),
        _ => Some(Cow::Borrowed(name)),
    }
}

/// The stored name a native client means: the name itself when it exists, else with `%2E` read as a dot.
/// `%RETRY%` and `%DLQ%` names are stored as they are.
#[must_use]
pub fn from_native<'a>(name: &'a str, exists: impl Fn(&str) -> bool) -> Cow<'a, str> {
    let has_alias = !is_retry_or_dlq(name) && (name.contains("%2E") || name.contains("%2e"));
    if !has_alias || exists(name) {
        return Cow::Borrowed(name);
    }
    let dotted = name.replace("%2E", ".").replace("%2e", ".");
    if is_kafka(&dotted) { Cow::Owned(dotted) } else { Cow::Borrowed(name) }
}

/// The name a native client may use for a stored topic: dots as `%2E`.
#[must_use]
pub fn native_alias(stored: &str) -> Cow<'_, str> {
    if stored.contains('.') { Cow::Owned(stored.replace('.', "%2E")) } else { Cow::Borrowed(stored) }
}

/// The other stored name with the same Kafka view as `stored`, if there can be one. A topic must not be
/// created while its rival exists.
#[must_use]
pub fn rival(stored: &str) -> Option<String> {
    match native_of_view(stored) {
        Some(native) => Some(native),
        None if stored.contains(['%', '|']) => kafka_view(stored).map(Cow::into_owned),
        None => None,
    }
}

/// What Kafka clients may see of a stored topic.
#[must_use]
pub fn visibility(stored: &str, own: OwnNames<'_>) -> Visibility {
    if is_system(stored, own) || kafka_view(stored).is_none() {
        Visibility::Hidden
    } else if is_internal(stored) {
        Visibility::Internal
    } else {
        Visibility::Listed
    }
}

/// `%RETRY%` and `%DLQ%` topics, and Kafka's own internal ones.
#[must_use]
pub fn is_internal(stored: &str) -> bool {
    is_retry_or_dlq(stored) || is_reserved_kafka(stored)
}

/// Names of Kafka's internal topics: reserved, a client cannot create them.
#[must_use]
pub fn is_reserved_kafka(name: &str) -> bool {
    matches!(name, "__consumer_offsets" | "__transaction_state" | "__share_group_state")
}

/// Topics that RocketMQ brokers keep for themselves, the two named after cluster and broker among them.
#[must_use]
pub fn is_system(stored: &str, own: OwnNames<'_>) -> bool {
    const FIXED: [&str; 7] = [
        "SCHEDULE_TOPIC_XXXX",
        "TRANS_CHECK_MAX_TIME_TOPIC",
        "TBW102",
        "BenchmarkTest",
        "SELF_TEST_TOPIC",
        "OFFSET_MOVED_EVENT",
        "CHECKPOINT_TOPIC",
    ];
    FIXED.contains(&stored)
        || stored.starts_with("RMQ_SYS_")
        || stored.starts_with("rmq_sys_")
        || stored == own.cluster
        || stored == own.broker
        || stored.strip_suffix("_REPLY_TOPIC") == Some(own.cluster)
}

/// The stored retry topic of a stored group.
#[must_use]
pub fn retry_topic(stored_group: &str) -> String {
    format!("{RETRY}{stored_group}")
}

/// The stored dead letter topic of a stored group.
#[must_use]
pub fn dlq_topic(stored_group: &str) -> String {
    format!("{DLQ}{stored_group}")
}

fn is_retry_or_dlq(stored: &str) -> bool {
    split_retry_or_dlq(stored).is_some()
}

fn split_retry_or_dlq(stored: &str) -> Option<(&'static str, &str)> {
    let retry = stored.strip_prefix(RETRY).map(|group| (KAFKA_RETRY, group));
    let split = retry.or_else(|| stored.strip_prefix(DLQ).map(|group| (KAFKA_DLQ, group)));
    split.filter(|(_, group)| !group.is_empty())
}

fn is_native(name: &str) -> bool {
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'%' | b'|');
    !name.is_empty() && name.bytes().all(legal)
}

fn is_kafka(name: &str) -> bool {
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    !matches!(name, "" | "." | "..") && name.len() <= KAFKA_TOPIC_MAX && name.bytes().all(legal)
}

fn view_of_native(native: &str) -> Cow<'_, str> {
    if native.contains(['%', '|']) {
        Cow::Owned(native.replace('%', ".25").replace('|', ".7C"))
    } else {
        Cow::Borrowed(native)
    }
}

/// `%2E` becomes a dot, unless what follows would then read as `.25` or `.7C`.
fn view_of_group(prefix: &str, group: &str) -> String {
    let mut view = String::with_capacity(prefix.len() + group.len() + 8);
    view.push_str(prefix);
    let mut parts = group.split("%2E").peekable();
    while let Some(part) = parts.next() {
        view.push_str(&view_of_native(part));
        if let Some(next) = parts.peek() {
            let ambiguous = next.starts_with("25") || next.starts_with("7C");
            view.push_str(if ambiguous { ".252E" } else { "." });
        }
    }
    view
}

/// The native name whose view is `view`; `None` for a plain literal name.
fn native_of_view(view: &str) -> Option<String> {
    let group = |prefix: &str, native: &str| {
        let rest = view.strip_prefix(prefix).filter(|rest| !rest.is_empty())?;
        Some(format!("{native}{}", unescape(rest, "%2E")))
    };
    let native = group(KAFKA_RETRY, RETRY)
        .or_else(|| group(KAFKA_DLQ, DLQ))
        .or_else(|| view.contains('.').then(|| unescape(view, ".")))?;
    (kafka_view(&native).as_deref() == Some(view) && native != view).then_some(native)
}

/// `.25` is `%`, `.7C` is `|`, any other dot is `dot`.
fn unescape(view: &str, dot: &str) -> String {
    let mut native = String::with_capacity(view.len());
    let mut parts = view.split('.');
    native.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let (sign, rest) = match (part.strip_prefix("25"), part.strip_prefix("7C")) {
            (Some(rest), _) => ("%", rest),
            (None, Some(rest)) => ("|", rest),
            (None, None) => (dot, part),
        };
        native.push_str(sign);
        native.push_str(rest);
    }
    native
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OWN: OwnNames<'_> = OwnNames { cluster: "DefaultCluster", broker: "broker-a" };

    fn check(stored: &str, view: &str) {
        assert_eq!(kafka_view(stored).as_deref(), Some(view));
        assert_eq!(from_kafka(view, |name| name == stored).as_deref(), Some(stored));
    }

    #[test]
    fn native_only_characters_have_a_kafka_view() {
        check("orders", "orders");
        check("orders.v1", "orders.v1");
        check("a%b|c", "a.25b.7Cc");
        check("%RETRY%G", "retry.G");
        check("%DLQ%G", "dlq.G");
        check("NS%orders", "NS.25orders");
        check("%RETRY%", ".25RETRY.25");
    }

    #[test]
    fn a_dotted_group_keeps_its_dot_in_retry_and_dlq() {
        check("%RETRY%svc%2Eorders", "retry.svc.orders");
        check("%DLQ%a%2E25", "dlq.a.252E25");
        check("%DLQ%a%b%3Ac", "dlq.a.25b.253Ac");
    }

    #[test]
    fn a_kafka_group_finds_its_retry_topic_under_its_own_name() {
        for group in ["orders", "svc.orders", "svc.25", "größe", "a@b"] {
            let stored = retry_topic(&super::super::group_names::from_kafka(group));
            let view = kafka_view(&stored).unwrap();
            assert_eq!(from_kafka(&view, |_| false).as_deref(), Some(&*stored), "{group}");
        }
        assert_eq!(kafka_view(&retry_topic("svc%2Eorders")).as_deref(), Some("retry.svc.orders"));
        assert_eq!(kafka_view(&dlq_topic("G")).as_deref(), Some("dlq.G"));
    }

    #[test]
    fn retry_and_dlq_are_reserved_even_before_they_exist() {
        assert_eq!(from_kafka("retry.G", |_| false).as_deref(), Some("%RETRY%G"));
        assert_eq!(from_kafka("retry.", |_| false).as_deref(), Some("retry."));
    }

    #[test]
    fn a_literal_topic_goes_before_a_native_one_with_its_view() {
        assert_eq!(from_kafka("a.25b", |_| true).as_deref(), Some("a.25b"));
        assert_eq!(from_kafka("a.25b", |_| false).as_deref(), Some("a.25b"));
        assert_eq!(rival("a.25b").as_deref(), Some("a%b"));
        assert_eq!(rival("a%b").as_deref(), Some("a.25b"));
        assert_eq!(rival("orders.v1"), None);
        assert_eq!(rival("orders"), None);
    }

    #[test]
    fn refuses_names_kafka_does_not_have() {
        for name in ["", ".", "..", "a%b", "a b", "a/b", "größe", &"x".repeat(250)] {
            assert_eq!(from_kafka(name, |_| true), None, "{name}");
        }
    }

    #[test]
    fn pop_retry_topics_of_dotted_topics_have_no_view() {
        for name in ["%RETRY%G+orders", "%RETRY%G_orders.v1", "a%b.c"] {
            assert_eq!(kafka_view(name), None);
            assert_eq!(visibility(name, OWN), Visibility::Hidden);
        }
    }

    #[test]
    fn a_native_client_may_write_dots_as_percent_2e() {
        assert_eq!(from_native("orders%2Ev1", |_| false), "orders.v1");
        assert_eq!(from_native("orders%2ev1", |_| false), "orders.v1");
        assert_eq!(from_native("orders%2Ev1", |name| name == "orders%2Ev1"), "orders%2Ev1");
        assert_eq!(from_native("orders.v1", |_| false), "orders.v1");
        assert_eq!(from_native("NS%a%2Eb", |_| false), "NS%a%2Eb");
        assert_eq!(from_native("%RETRY%svc%2Eorders", |_| false), "%RETRY%svc%2Eorders");
        assert_eq!(native_alias("orders.v1"), "orders%2Ev1");
    }

    #[test]
    fn system_topics_are_hidden_and_retry_is_internal() {
        for name in [
            "TBW102",
            "RMQ_SYS_TRANS_HALF_TOPIC",
            "rmq_sys_REVIVE_LOG_DefaultCluster",
            "broker-a",
            "DefaultCluster",
            "DefaultCluster_REPLY_TOPIC",
            "SCHEDULE_TOPIC_XXXX",
        ] {
            assert_eq!(visibility(name, OWN), Visibility::Hidden, "{name}");
        }
        assert_eq!(visibility("%DLQ%G", OWN), Visibility::Internal);
        assert_eq!(visibility("other_REPLY_TOPIC", OWN), Visibility::Listed);
        assert_eq!(visibility("orders.v1", OWN), Visibility::Listed);
    }

    proptest! {
        #[test]
        fn every_native_name_comes_back(name in "(%RETRY%|%DLQ%|)[a25E7C%|_-]{1,12}") {
            let view = kafka_view(&name).unwrap().into_owned();
            prop_assert!(is_kafka(&view));
            let back = from_kafka(&view, |stored| stored == name).unwrap().into_owned();
            prop_assert_eq!(back, name);
        }

        #[test]
        fn two_native_names_never_share_a_view(a in "(%RETRY%|%DLQ%|)[a25E7C%|]{1,8}", b in "(%RETRY%|%DLQ%|)[a25E7C%|]{1,8}") {
            prop_assert_eq!(kafka_view(&a) == kafka_view(&b), a == b);
        }

        #[test]
        fn a_literal_name_is_its_own_view_and_comes_back(name in "[a25E7C._-]{1,12}") {
            prop_assume!(is_kafka(&name));
            let view = kafka_view(&name);
            prop_assert_eq!(view.as_deref(), Some(&*name));
            let back = from_kafka(&name, |stored| stored == name).unwrap();
            prop_assert_eq!(&*back, &*name);
        }
    }
}
