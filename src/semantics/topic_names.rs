//! Which names topics and groups may have in each dialect, and which names are the system's own.
//!
//! Not here: how a name of one dialect is shown in the other (`mapping`). A topic made by a Kafka client keeps
//! its literal name, so the table may hold names that [`check_native_topic`] refuses.
//!
//! Source: RocketMQ 5.3.3 `common/topic/TopicValidator.java`; Kafka 4.1 `Topic.java`.

use std::collections::HashSet;

/// Holds delayed messages by level.
pub const SCHEDULE_TOPIC: &str = "SCHEDULE_TOPIC_XXXX";
/// Holds prepared messages of transactions.
pub const HALF_TOPIC: &str = "RMQ_SYS_TRANS_HALF_TOPIC";
/// Holds the ends of transactions.
pub const OP_HALF_TOPIC: &str = "RMQ_SYS_TRANS_OP_HALF_TOPIC";
/// Holds half messages nobody answered for.
pub const CHECK_MAX_TIME_TOPIC: &str = "TRANS_CHECK_MAX_TIME_TOPIC";
/// The template of automatically created topics.
pub const DEFAULT_TOPIC: &str = "TBW102";
/// The broker's own test.
pub const SELF_TEST_TOPIC: &str = "SELF_TEST_TOPIC";
/// For benchmarks.
pub const BENCHMARK_TOPIC: &str = "BenchmarkTest";
/// Notices about moved offsets.
pub const OFFSET_MOVED_TOPIC: &str = "OFFSET_MOVED_EVENT";
/// Message traces.
pub const TRACE_TOPIC: &str = "RMQ_SYS_TRACE_TOPIC";
/// Timer messages.
pub const TIMER_TOPIC: &str = "rmq_sys_wheel_timer";
/// Marks in old logs.
pub const CHECKPOINT_TOPIC: &str = "CHECKPOINT_TOPIC";
/// What every broker's own topics begin with.
pub const SYSTEM_PREFIX: &str = "rmq_sys_";
/// Before the group, in the name of its retry topic.
pub const RETRY_PREFIX: &str = "%RETRY%";
/// Before the group, in the name of its dead-letter topic.
pub const DLQ_PREFIX: &str = "%DLQ%";
/// Bytes a native topic name may have.
pub const NATIVE_TOPIC_MAX: usize = 127;
/// Bytes a native retry or dead-letter topic name may have.
pub const NATIVE_RETRY_TOPIC_MAX: usize = 255;
/// Bytes a native group name may have.
pub const NATIVE_GROUP_MAX: usize = 120;
/// Bytes a Kafka topic name may have.
pub const KAFKA_TOPIC_MAX: usize = 249;

const KAFKA_RESERVED: [&str; 3] = ["__consumer_offsets", "__transaction_state", "__share_group_state"];

const NOT_SENDABLE: [&str; 6] =
    [SCHEDULE_TOPIC, HALF_TOPIC, OP_HALF_TOPIC, CHECK_MAX_TIME_TOPIC, SELF_TEST_TOPIC, OFFSET_MOVED_TOPIC];

/// Why a name cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// No name.
    #[error("the name is empty")]
    Empty,
    /// Too many bytes.
    #[error("the name has {bytes} bytes; {max} are allowed")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// A character outside of the dialect's set.
    #[error("the name contains {character:?}, which is not allowed")]
    IllegalCharacter {
        /// The first such character.
        character: char,
    },
    /// `.` or `..`.
    #[error("the name must not be `.` or `..`")]
    Dots,
    /// A name that Kafka keeps for itself.
    #[error("the name is reserved for the broker")]
    Reserved,
}

/// Checks a topic name as a native client may use it.
///
/// # Errors
/// [`NameError`]: letters, digits, `_`, `-`, `%` and `|`; 127 bytes, 255 for retry and dead-letter topics.
pub fn check_native_topic(name: &str) -> Result<(), NameError> {
    let is_derived = name.starts_with(RETRY_PREFIX) || name.starts_with(DLQ_PREFIX);
    check(name, if is_derived { NATIVE_RETRY_TOPIC_MAX } else { NATIVE_TOPIC_MAX }, is_native)
}

/// Checks a group name as a native client may use it.
///
/// # Errors
/// [`NameError`]: the characters of a topic, 120 bytes.
pub fn check_native_group(name: &str) -> Result<(), NameError> {
    check(name, NATIVE_GROUP_MAX, is_native)
}

/// Checks a topic name that a Kafka client wants to create.
///
/// # Errors
/// [`NameError`]: letters, digits, `.`, `_` and `-`; 249 bytes; not `.`, `..` or a reserved name.
pub fn check_kafka_topic(name: &str) -> Result<(), NameError> {
    let is_kafka = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    check(name, KAFKA_TOPIC_MAX, is_kafka)?;
    match name {
        "." | ".." => Err(NameError::Dots),
        _ if KAFKA_RESERVED.contains(&name) => Err(NameError::Reserved),
        _ => Ok(()),
    }
}

/// Whether clients may not send to the topic.
pub fn is_not_sendable(name: &str) -> bool {
    NOT_SENDABLE.contains(&name)
}

/// Whether Kafka clients see the topic as internal: by name, and by pattern only when they ask for it.
pub fn is_internal_for_kafka(name: &str) -> bool {
    name.starts_with(RETRY_PREFIX) || name.starts_with(DLQ_PREFIX)
}

/// The retry topic of a group.
pub fn retry_topic(group: &str) -> String {
    format!("{RETRY_PREFIX}{group}")
}

/// The dead-letter topic of a group.
pub fn dlq_topic(group: &str) -> String {
    format!("{DLQ_PREFIX}{group}")
}

fn is_native(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '%' | '|')
}

fn check(name: &str, max: usize, allowed: impl Fn(char) -> bool) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if max < name.len() {
        return Err(NameError::TooLong { bytes: name.len(), max });
    }
    name.chars()
        .find(|c| !allowed(*c))
        .map_or(Ok(()), |character| Err(NameError::IllegalCharacter { character }))
}

/// The system's own names on one broker: the fixed ones and those made of cluster and broker name.
#[derive(Clone, Debug)]
pub struct SystemNames {
    names: HashSet<String>,
    /// The topic of answers in request-reply.
    pub reply_topic: String,
    /// The revive topic of POP consumption.
    pub revive_topic: String,
    /// The topic in which brokers of one name tell each other about themselves.
    pub member_topic: String,
}

impl SystemNames {
    /// The names of a broker in a cluster.
    pub fn new(cluster: &str, broker: &str) -> Self {
        let reply_topic = format!("{cluster}_REPLY_TOPIC");
        let own =
            [cluster, broker, &reply_topic, BENCHMARK_TOPIC, DEFAULT_TOPIC, TRACE_TOPIC, CHECKPOINT_TOPIC];
        let names = own.into_iter().chain(NOT_SENDABLE).map(str::to_owned).collect();
        let revive_topic = format!("{SYSTEM_PREFIX}REVIVE_LOG_{cluster}");
        let member_topic = format!("{SYSTEM_PREFIX}SYNC_BROKER_MEMBER_{broker}");
        Self { names, reply_topic, revive_topic, member_topic }
    }

    /// All of them that are known by their whole name.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str).chain([&*self.revive_topic, &*self.member_topic])
    }

    /// Whether the topic is the system's own: administrators may not create, change or delete it.
    pub fn is_system(&self, topic: &str) -> bool {
        topic.starts_with(SYSTEM_PREFIX) || topic.starts_with("RMQ_SYS_") || self.names.contains(topic)
    }

    /// Whether Kafka clients never see the topic, neither by name nor by pattern. Retry and dead-letter topics
    /// are seen (as internal ones).
    pub fn is_hidden_from_kafka(&self, topic: &str) -> bool {
        self.is_system(topic)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_native_names() {
        assert_eq!(check_native_topic("ns%Topic|1_a-b"), Ok(()));
        assert_eq!(check_native_topic(""), Err(NameError::Empty));
        assert_eq!(check_native_topic("a.b"), Err(NameError::IllegalCharacter { character: '.' }));
        assert_eq!(check_native_topic(&"a".repeat(127)), Ok(()));
        assert_eq!(check_native_topic(&"a".repeat(128)), Err(NameError::TooLong { bytes: 128, max: 127 }));
        assert_eq!(check_native_topic(&retry_topic(&"g".repeat(248))), Ok(()));
        assert_eq!(check_native_group(&"g".repeat(121)), Err(NameError::TooLong { bytes: 121, max: 120 }));
        assert_eq!(check_native_group("g@h"), Err(NameError::IllegalCharacter { character: '@' }));
    }

    #[test]
    fn checks_kafka_names() {
        assert_eq!(check_kafka_topic("orders.v1_a-b"), Ok(()));
        assert_eq!(check_kafka_topic(".."), Err(NameError::Dots));
        assert_eq!(check_kafka_topic("%RETRY%g"), Err(NameError::IllegalCharacter { character: '%' }));
        assert_eq!(check_kafka_topic("a/b"), Err(NameError::IllegalCharacter { character: '/' }));
        assert_eq!(check_kafka_topic(&"a".repeat(250)), Err(NameError::TooLong { bytes: 250, max: 249 }));
        assert_eq!(check_kafka_topic("__consumer_offsets"), Err(NameError::Reserved));
    }

    #[test]
    fn hides_system_topics_from_kafka() {
        let names = SystemNames::new("C", "broker-a");
        for hidden in
            ["C", "broker-a", "C_REPLY_TOPIC", "TBW102", "rmq_sys_REVIVE_LOG_C", "RMQ_SYS_TRACE_TOPIC"]
        {
            assert!(names.is_hidden_from_kafka(hidden), "{hidden}");
        }
        for shown in ["orders", "%RETRY%g", "%DLQ%g", "Cx"] {
            assert!(!names.is_hidden_from_kafka(shown), "{shown}");
        }
        assert!(is_internal_for_kafka("%DLQ%g") && !is_internal_for_kafka("orders"));
    }

    #[test]
    fn forbids_sending_to_inner_topics_only() {
        assert!(is_not_sendable("SCHEDULE_TOPIC_XXXX"));
        assert!(!is_not_sendable("TBW102"));
    }
}
