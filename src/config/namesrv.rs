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
    }
}
