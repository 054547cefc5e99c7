//! Bodies about topics: settings (351, 21, 18), names (206, 224, 304, 305), versions of the table.
//!
//! Source: RocketMQ 5.3.3 `common/TopicConfig.java`, `protocol/DataVersion.java`,
//! `protocol/body/TopicConfigAndMappingSerializeWrapper.java`, `TopicList.java`.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Settings of a topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopicConfig {
    /// Attributes, such as `message.type` and `queue.type`.
    pub attributes: IndexMap<String, String>,
    /// Whether the topic is ordered.
    pub order: bool,
    /// 4 read, 2 write, 1 inherit.
    pub perm: i32,
    /// Number of queues to read from.
    pub read_queue_nums: i32,
    /// `SINGLE_TAG` or `MULTI_TAG`.
    pub topic_filter_type: String,
    /// The topic.
    pub topic_name: String,
    /// 1 unit, 2 unit subscription.
    pub topic_sys_flag: i32,
    /// Number of queues to write to.
    pub write_queue_nums: i32,
}

impl Default for TopicConfig {
    fn default() -> Self {
        Self {
            attributes: IndexMap::new(),
            order: false,
            perm: 6,
            read_queue_nums: 16,
            topic_filter_type: "SINGLE_TAG".to_owned(),
            topic_name: String::new(),
            topic_sys_flag: 0,
            write_queue_nums: 16,
        }
    }
}

/// Version of a table; a table changed when any member differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DataVersion {
    /// Number of changes.
    pub counter: i64,
    /// Version of the broker's state.
    pub state_version: i64,
    /// Time of the last change, milliseconds since 1970.
    pub timestamp: i64,
}

/// The whole topic table of a broker. The mappings of static topics are passed through as they are.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopicConfigWrapper {
    /// Version of the table.
    pub data_version: DataVersion,
    /// Version of the mappings.
    pub mapping_data_version: DataVersion,
    /// Settings by topic.
    pub topic_config_table: IndexMap<String, TopicConfig>,
    /// Mappings of static topics, in full.
    pub topic_queue_mapping_detail_map: IndexMap<String, Value>,
    /// Mappings of static topics, in short.
    pub topic_queue_mapping_info_map: IndexMap<String, Value>,
}

/// Topics to create or change together (18).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopicConfigList {
    /// Their settings.
    pub topic_config_list: Vec<TopicConfig>,
}

/// Names of topics.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopicList {
    /// A broker to ask further, where the answer names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broker_addr: Option<String>,
    /// The names.
    pub topic_list: Vec<String>,
}
