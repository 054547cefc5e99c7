//! What RocketMQ clients may do and are given.

use super::key::{Allowed, section};

section! {
    /// RocketMQ clients.
    native: Native {
        /// A send to an unknown topic creates it.
        auto_create_topic_enable: bool = "true", "autoCreateTopicEnable", RocketMq, Flag;
        /// The first use of a consumer group makes its settings; else it has to be created (mqadmin updateSubGroup).
        auto_create_subscription_group: bool = "true", "autoCreateSubscriptionGroup", RocketMq, Flag;
        /// Queues of a topic created by a send.
        default_topic_queue_nums: u32 = "8", "defaultTopicQueueNums", RocketMq, Count, Allowed::Range(1, 65_536);
        /// What the broker permits: 2 write, 4 read, 6 both; what it lacks is refused and leaves the routes.
        broker_permission: u32 = "6", "brokerPermission", RocketMq, Count, Allowed::OneOf(&["2", "4", "6"]);
        /// Unknown topics may be created from the topic that is named as the cluster.
        cluster_topic_enable: bool = "true", "clusterTopicEnable", RocketMq, Flag;
        /// Unknown topics may be created from the topic that is named as the broker.
        broker_topic_enable: bool = "true", "brokerTopicEnable", RocketMq, Flag;
        /// A pull without messages waits for them as long as the client allows.
        long_polling_enable: bool = "true", "longPollingEnable", RocketMq, Flag;
        /// How long a pull that may wait does so when long polling is off.
        short_polling_ms: u64 = "1000", "shortPollingTimeMills", RocketMq, Milliseconds, Allowed::Range(0, 60_000);
        /// Consumers are told when others of their group come or go.
        notify_consumer_ids_changed_enable: bool = "true", "notifyConsumerIdsChangedEnable", RocketMq, Flag;
        /// Messages of one pull answer.
        max_transfer_count: u32 = "32", "maxTransferCountOnMessageInMemory", RocketMq, Count, Allowed::Range(1, 32_768);
        /// Bytes of one pull answer; one message is always given.
        max_transfer_size: u32 = "262144", "maxTransferBytesOnMessageInMemory", RocketMq, Bytes, Allowed::Range(1, 64 << 20);
        /// Messages of one answer to a query by key.
        max_query_count: u32 = "64", "maxMsgsNumBatch", RocketMq, Count, Allowed::Range(1, 32_768);
        /// A client without heartbeat for this long is gone.
        channel_expired_ms: u64 = "120000", "channelExpiredTimeout", RocketMq, Milliseconds, Allowed::Range(1_000, 86_400_000);
        /// How often committed offsets are folded into consumerOffset.json; each is in a journal before that.
        flush_consumer_offset_interval_ms: u64 = "5000", "flushConsumerOffsetInterval", RocketMq, Milliseconds, Allowed::Range(10, 3_600_000);
    }
}
