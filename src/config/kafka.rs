//! What Kafka clients may do and are given. Names and defaults are those of Kafka 4.1 `server.properties`.

use super::key::{Allowed, section};
use super::value::KafkaAddress;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 86_400_000;

section! {
    /// Kafka clients.
    kafka: Kafka {
        /// Where Kafka listens; unset means `bindAddress` and `kafkaPort`.
        listeners: Option<KafkaAddress> = "", "listeners", Kafka, Address;
        /// Address that Kafka clients are told; unset means the address each client reached the broker by.
        advertised_listeners: Option<KafkaAddress> = "", "advertised.listeners", Kafka, Address;
        /// A Kafka connection without traffic for this long is closed.
        connections_max_idle_ms: u64 = "600000", "connections.max.idle.ms", Kafka, Milliseconds, Allowed::Range(1_000, DAY_MS);
        /// Partitions of a topic created without a number.
        num_partitions: u32 = "1", "num.partitions", Kafka, Count, Allowed::Range(1, 65_536);
        /// A Metadata request for an unknown topic creates it.
        auto_create_topics_enable: bool = "true", "auto.create.topics.enable", Kafka, Flag;
        /// Largest record batch, as sent, where its topic sets no `max.message.bytes`; `maxMessageSize` bounds it.
        message_max_bytes: u32 = "1048588", "message.max.bytes", Kafka, Bytes, Allowed::Range(1, 64 << 20);
        /// Most bytes of one Fetch answer.
        fetch_max_bytes: u32 = "57671680", "fetch.max.bytes", Kafka, Bytes, Allowed::Range(1024, i32::MAX as i64);
        /// Clients whose fetches name only what changed; the others name all their partitions every time.
        fetch_sessions: u32 = "1000", "max.incremental.fetch.session.cache.slots", Kafka, Count, Allowed::Range(0, 1_000_000);
        /// How long a new group waits for more members before its first rebalance (Kafka: 3000).
        initial_rebalance_delay_ms: u64 = "100", "group.initial.rebalance.delay.ms", Kafka, Milliseconds, Allowed::Range(0, 300_000);
        /// Shortest session timeout that a member may ask for.
        min_session_timeout_ms: u64 = "6000", "group.min.session.timeout.ms", Kafka, Milliseconds, Allowed::Range(1, DAY_MS);
        /// Longest session timeout that a member may ask for.
        max_session_timeout_ms: u64 = "1800000", "group.max.session.timeout.ms", Kafka, Milliseconds, Allowed::Range(1, DAY_MS);
        /// Members of one group.
        max_group_size: u32 = "2147483647", "group.max.size", Kafka, Count, Allowed::Range(1, i32::MAX as i64);
        /// How long the offsets of an empty group are kept; a group for which a native client committed keeps them for ever.
        offsets_retention_minutes: u32 = "10080", "offsets.retention.minutes", Kafka, Minutes, Allowed::Range(1, i32::MAX as i64);
        /// How often that is looked at.
        offsets_retention_check_interval_ms: u64 = "600000", "offsets.retention.check.interval.ms", Kafka, Milliseconds, Allowed::Range(1, DAY_MS);
        /// Longest metadata that a committed offset may carry.
        offset_metadata_max_bytes: u32 = "4096", "offset.metadata.max.bytes", Kafka, Bytes, Allowed::Range(0, 1 << 20);
        /// Age at which a CommitLog file is deleted, in whole hours; -1 is never, unset leaves it to `log.retention.minutes`.
        log_retention_ms: Option<i64> = "", "log.retention.ms", Kafka, Milliseconds, Allowed::Range(-1, i64::MAX);
        /// The same in minutes; unset leaves it to `log.retention.hours`.
        log_retention_minutes: Option<i64> = "", "log.retention.minutes", Kafka, Minutes, Allowed::Range(-1, i32::MAX as i64);
        /// The same in hours; unset leaves it to `fileReservedTime` (Kafka: 168).
        log_retention_hours: Option<i64> = "", "log.retention.hours", Kafka, Hours, Allowed::Range(-1, i32::MAX as i64);
        /// How often the `retention.ms` and `retention.bytes` of topics are looked at.
        retention_check_interval_ms: u64 = "300000", "log.retention.check.interval.ms", Kafka, Milliseconds, Allowed::Range(1, DAY_MS);
        /// Rack of the broker, as Kafka clients are told.
        broker_rack: Option<String> = "", "broker.rack", Kafka, Text;
        /// A producer id without a write for this long is forgotten.
        producer_id_expiration_ms: u64 = "86400000", "producer.id.expiration.ms", Kafka, Milliseconds, Allowed::Range(1, i32::MAX as i64);
    }
}

impl Kafka {
    /// Hours after which a CommitLog file is deleted, by the finest key that is set and rounded up: whole files of
    /// all topics go together, so nothing goes earlier than asked. `u32::MAX` for never, `None` when no key is set.
    pub fn retention_hours(&self) -> Option<u32> {
        let minutes = self.log_retention_minutes.map(|minutes| minutes.saturating_mul(MINUTE_MS));
        let hours = self.log_retention_hours.map(|hours| hours.saturating_mul(HOUR_MS));
        let ms = self.log_retention_ms.or(minutes).or(hours)?;
        let hours = u64::try_from(ms).map_or(u64::MAX, |ms| ms.div_ceil(HOUR_MS.unsigned_abs()));
        Some(u32::try_from(hours).unwrap_or(u32::MAX))
    }
}
