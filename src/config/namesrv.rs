//! The name server. Its port and address stand with the other listeners in `network`.

use std::path::PathBuf;

use super::key::section;

section! {
    /// The name server.
    namesrv: Namesrv {
        /// File of the KV configuration; unset means `namesrv/kvConfig.json` below `storePathRootDir`.
        kv_config_path: Option<PathBuf> = "", "kvConfigPath", RocketMq, Path;
        /// Routes carry the ORDER_TOPIC_CONFIG of their topic.
        order_message_enable: bool = "false", "orderMessageEnable", RocketMq, Flag;
        /// Brokers are told the ORDER_TOPIC_CONFIG of all topics when they register.
        return_order_topic_config: bool = "true", "returnOrderTopicConfigToBroker", RocketMq, Flag;
        /// Routes show the smallest slave as master where there is none.
        support_acting_master: bool = "false", "supportActingMaster", RocketMq, Flag;
        /// Answer requests for the topics of a cluster, of the system and of units.
        enable_topic_list: bool = "true", "enableTopicList", RocketMq, Flag;
        /// Answer requests for all topics.
        enable_all_topic_list: bool = "true", "enableAllTopicList", RocketMq, Flag;
    }
}
