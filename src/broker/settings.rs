//! What the broker is and how it behaves, in plain values; read from the configuration once, at start.

use std::time::Duration;

use gantry_store::format::HostAddr;

use crate::semantics::kafka_group::GroupConfig;
use crate::semantics::offset_expiry::ExpiryConfig;
use crate::semantics::offsets::METADATA_MAX_BYTES;
use crate::semantics::producers::EXPIRATION_MS;
use crate::semantics::subscriptions::CHANNEL_EXPIRY_MS;
use crate::semantics::topic_defaults::TopicDefaults;
use crate::semantics::topics::Perm;

/// Names and numbers that do not change while the broker runs.
#[derive(Clone, Debug)]
pub struct Identity {
    /// `brokerClusterName`.
    pub cluster: String,
    /// `brokerName`.
    pub broker: String,
    /// `brokerId`: 0 for a master.
    pub broker_id: i64,
    /// Kafka's node id.
    pub node_id: i32,
    /// Kafka's cluster id: random, made with the data directory.
    pub cluster_id: String,
    /// The address in message ids; clients dial it.
    pub store_host: HostAddr,
    /// Port of the remoting listener.
    pub remoting_port: u16,
    /// `brokerIP1`, when set: the address in routes.
    pub native_host: Option<String>,
    /// Port of the Kafka listener.
    pub kafka_port: u16,
    /// `advertised.listeners`, when set: host and port in Kafka's metadata.
    pub kafka_advertised: Option<(String, u16)>,
    /// `broker.rack`, when set.
    pub rack: Option<String>,
}

/// Switches and bounds.
#[derive(Clone, Debug)]
pub struct BrokerSettings {
    /// What administrators may change while the broker runs, as it is at start.
    pub live: LiveSettings,
    /// `autoCreateSubscriptionGroup`: the first use of a group makes its settings.
    pub auto_create_groups: bool,
    /// `defaultTopicQueueNums`.
    pub default_topic_queues: i32,
    /// `auto.create.topics.enable`.
    pub auto_create_kafka_topics: bool,
    /// `num.partitions`.
    pub num_partitions: i32,
    /// `maxMessageSize` in bytes.
    pub max_message_size: usize,
    /// Whether acknowledgements wait for the disk (`flushDiskType=SYNC_FLUSH`).
    pub sync_flush: bool,
    /// `syncFlushTimeout`.
    pub sync_flush_timeout_ms: i64,
    /// `regionId`.
    pub region: String,
    /// `traceOn`.
    pub trace_on: bool,
    /// Bytes that decoded batches may take.
    pub decoded_cache_bytes: usize,
    /// `max.incremental.fetch.session.cache.slots`.
    pub fetch_sessions: usize,
    /// Settings of Kafka groups.
    pub groups: GroupConfig,
    /// `clusterTopicEnable`.
    pub cluster_topic: bool,
    /// `brokerTopicEnable`.
    pub broker_topic: bool,
    /// `messageIndexEnable`: whether keys go into the index.
    pub index_keys: bool,
    /// `channelExpiredTimeout`.
    pub channel_expiry_ms: i64,
    /// `flushConsumerOffsetInterval`: how often state is written though nobody waits for it.
    pub fold_interval: Duration,
    /// `message.max.bytes`: of topics that set none.
    pub message_max_bytes: i32,
    /// `fetch.max.bytes`: record bytes of one fetch, whatever its client asks for.
    pub fetch_max_bytes: i64,
    /// `offsets.retention.minutes` and its check.
    pub offset_expiry: ExpiryConfig,
    /// `offset.metadata.max.bytes`.
    pub offset_metadata_max_bytes: usize,
    /// `producer.id.expiration.ms`.
    pub producer_id_expiration_ms: i64,
    /// Age at which log files are deleted, ms; -1 for never.
    pub file_retention_ms: i64,
    /// `log.retention.check.interval.ms`: how often the retention of topics is looked at.
    pub retention_check_interval_ms: i64,
}

/// Settings that may change while the broker runs; `Broker::live` has those in force.
#[derive(Clone, Copy, Debug)]
pub struct LiveSettings {
    /// `autoCreateTopicEnable`.
    pub auto_create_topic: bool,
    /// `brokerPermission`: what no topic's own permission exceeds.
    pub permission: Perm,
    /// Pulls of native clients.
    pub pulls: PullSettings,
    /// `maxMsgsNumBatch`: messages of one answer to a query by key.
    pub max_query_messages: usize,
    /// `notifyConsumerIdsChangedEnable`.
    pub notify_consumers: bool,
}

/// How pulls of native clients are answered.
#[derive(Clone, Copy, Debug)]
pub struct PullSettings {
    /// `maxTransferCountOnMessageInMemory`.
    pub max_messages: usize,
    /// `maxTransferBytesOnMessageInMemory`; one message is always given.
    pub max_bytes: usize,
    /// `longPollingEnable`: a pull that may wait does so as long as its client allows.
    pub long_polling: bool,
    /// `shortPollingTimeMills`: how long it waits otherwise.
    pub short_polling_ms: i64,
}

impl Default for PullSettings {
    fn default() -> Self {
        Self { max_messages: 32, max_bytes: 256 << 10, long_polling: true, short_polling_ms: 1_000 }
    }
}

impl Default for LiveSettings {
    fn default() -> Self {
        Self {
            auto_create_topic: true,
            permission: Perm::READ_WRITE,
            pulls: PullSettings::default(),
            max_query_messages: 64,
            notify_consumers: true,
        }
    }
}

impl Default for BrokerSettings {
    /// What holds when nothing is configured.
    fn default() -> Self {
        Self {
            live: LiveSettings::default(),
            auto_create_groups: true,
            default_topic_queues: 8,
            auto_create_kafka_topics: true,
            num_partitions: 1,
            max_message_size: 4 << 20,
            sync_flush: true,
            sync_flush_timeout_ms: 5_000,
            region: "DefaultRegion".to_owned(),
            trace_on: true,
            decoded_cache_bytes: DECODED_CACHE_BYTES,
            fetch_sessions: 1_000,
            groups: GroupConfig::default(),
            cluster_topic: true,
            broker_topic: true,
            index_keys: true,
            channel_expiry_ms: CHANNEL_EXPIRY_MS,
            fold_interval: Duration::from_secs(5),
            message_max_bytes: MESSAGE_MAX_BYTES,
            fetch_max_bytes: 55 << 20,
            offset_expiry: ExpiryConfig::default(),
            offset_metadata_max_bytes: METADATA_MAX_BYTES,
            producer_id_expiration_ms: EXPIRATION_MS,
            file_retention_ms: FILE_RETENTION_MS,
            retention_check_interval_ms: 300_000,
        }
    }
}

impl BrokerSettings {
    /// `altered` with what the configuration says about topics that set nothing.
    pub(super) fn topic_defaults(&self, altered: TopicDefaults) -> TopicDefaults {
        let (max_bytes, age) = (self.message_max_bytes, self.file_retention_ms);
        altered.with("max.message.bytes", max_bytes.to_string(), max_bytes != MESSAGE_MAX_BYTES).with(
            "retention.ms",
            age.to_string(),
            age != FILE_RETENTION_MS,
        )
    }
}

/// RocketMQ's `fileReservedTime`.
const FILE_RETENTION_MS: i64 = 72 * 3_600_000;
/// Kafka's `message.max.bytes`.
const MESSAGE_MAX_BYTES: i32 = 1_048_588;
/// Bytes that decoded batches may take: some hundred batches of ordinary size.
const DECODED_CACHE_BYTES: usize = 32 << 20;
