//! `config/subscriptionGroup.json` as RocketMQ writes it.

use std::io;
use std::path::Path;
use std::sync::Arc;

use gantry_store::disk::Disk;
use gantry_store::state_file::StateFile as JsonFile;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::state_json::DataVersionJson;
use crate::limits;
use crate::semantics::subscription_groups::{
    ExponentialDelays, FixedSubscription, Forbidden, GroupSettings, RetryKind, RetryPolicy,
    SubscriptionGroups,
};

/// The file.
#[derive(Debug)]
pub(super) struct GroupFiles(JsonFile);

/// What is written, taken under the lock and saved outside of it.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct GroupFile {
    data_version: DataVersionJson,
    forbidden_table: Forbidden,
    subscription_group_table: IndexMap<String, GroupJson>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct GroupJson {
    attributes: IndexMap<String, String>,
    broker_id: i64,
    consume_broadcast_enable: bool,
    consume_enable: bool,
    consume_from_min_enable: bool,
    consume_message_orderly: bool,
    consume_timeout_minute: i32,
    group_name: String,
    group_retry_policy: RetryJson,
    group_sys_flag: i32,
    notify_consumer_ids_changed_enable: bool,
    retry_max_times: i32,
    retry_queue_nums: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    subscription_data_set: Option<Vec<SubscriptionJson>>,
    which_broker_when_consume_slowly: i64,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RetryJson {
    #[serde(skip_serializing_if = "Option::is_none")]
    customized_retry_policy: Option<CustomizedJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exponential_retry_policy: Option<ExponentialJson>,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct CustomizedJson {
    next: Vec<i64>,
}

#[derive(Debug, Serialize, Deserialize)]
struct ExponentialJson {
    initial: i64,
    max: i64,
    multiplier: i64,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct SubscriptionJson {
    expression: String,
    expression_type: String,
    topic: String,
    version: i64,
}

impl GroupFiles {
    pub(super) fn new(disk: &Arc<dyn Disk>, config: &Path) -> Self {
        Self(JsonFile::new(Arc::clone(disk), config.join("subscriptionGroup.json")))
    }

    /// Reads the table. Blocks.
    pub(super) fn load(&self) -> io::Result<SubscriptionGroups> {
        let file = self.0.load::<GroupFile>().map_err(io::Error::other)?;
        let file = file.map(|(file, _)| file).unwrap_or_default();
        let version = file.data_version.into();
        let saved = file.subscription_group_table.into_iter().map(|(name, json)| json.settings(&name));
        Ok(SubscriptionGroups::new(version, saved, file.forbidden_table, limits::SUBSCRIPTION_GROUPS))
    }

    /// Writes the table. Blocks.
    pub(super) fn save(&self, file: &GroupFile) -> io::Result<()> {
        self.0.save(file).map_err(io::Error::other)
    }
}

impl GroupFile {
    /// What the file shall hold.
    pub(super) fn of(groups: &SubscriptionGroups) -> Self {
        Self {
            data_version: groups.data_version().into(),
            forbidden_table: groups.forbidden().clone(),
            subscription_group_table: groups
                .iter()
                .map(|group| (group.name.to_string(), GroupJson::of(group)))
                .collect(),
        }
    }
}

impl Default for GroupJson {
    fn default() -> Self {
        Self::of(&GroupSettings::new(""))
    }
}

impl GroupJson {
    fn of(group: &GroupSettings) -> Self {
        Self {
            attributes: group.attributes.clone(),
            broker_id: group.broker_id,
            consume_broadcast_enable: group.consume_broadcast_enable,
            consume_enable: group.consume_enable,
            consume_from_min_enable: group.consume_from_min_enable,
            consume_message_orderly: group.consume_message_orderly,
            consume_timeout_minute: group.consume_timeout_minutes,
            group_name: group.name.to_string(),
            group_retry_policy: RetryJson::of(&group.retry_policy),
            group_sys_flag: group.sys_flag,
            notify_consumer_ids_changed_enable: group.notify_consumer_ids_changed,
            retry_max_times: group.retry_max,
            retry_queue_nums: group.retry_queues,
            subscription_data_set: group
                .subscriptions
                .as_ref()
                .map(|all| all.iter().map(SubscriptionJson::of).collect()),
            which_broker_when_consume_slowly: group.slow_broker_id,
        }
    }

    fn settings(self, name: &str) -> GroupSettings {
        GroupSettings {
            name: Arc::from(name),
            consume_enable: self.consume_enable,
            consume_from_min_enable: self.consume_from_min_enable,
            consume_broadcast_enable: self.consume_broadcast_enable,
            consume_message_orderly: self.consume_message_orderly,
            retry_queues: self.retry_queue_nums,
            retry_max: self.retry_max_times,
            retry_policy: self.group_retry_policy.policy(),
            broker_id: self.broker_id,
            slow_broker_id: self.which_broker_when_consume_slowly,
            notify_consumer_ids_changed: self.notify_consumer_ids_changed_enable,
            sys_flag: self.group_sys_flag,
            consume_timeout_minutes: self.consume_timeout_minute,
            subscriptions: self
                .subscription_data_set
                .map(|all| all.into_iter().map(SubscriptionJson::subscription).collect()),
            attributes: self.attributes,
        }
    }
}

impl RetryJson {
    fn of(policy: &RetryPolicy) -> Self {
        let kind = match policy.kind {
            RetryKind::Customized => "CUSTOMIZED",
            RetryKind::Exponential => "EXPONENTIAL",
        };
        Self {
            customized_retry_policy: policy.customized.clone().map(|next| CustomizedJson { next }),
            exponential_retry_policy: policy.exponential.map(
                |ExponentialDelays { initial, max, multiplier }| ExponentialJson { initial, max, multiplier },
            ),
            kind: kind.to_owned(),
        }
    }

    fn policy(self) -> RetryPolicy {
        RetryPolicy {
            kind: if self.kind == "EXPONENTIAL" { RetryKind::Exponential } else { RetryKind::Customized },
            customized: self.customized_retry_policy.map(|json| json.next),
            exponential: self.exponential_retry_policy.map(|ExponentialJson { initial, max, multiplier }| {
                ExponentialDelays { initial, max, multiplier }
            }),
        }
    }
}

impl SubscriptionJson {
    fn of(one: &FixedSubscription) -> Self {
        Self {
            expression: one.expression.clone(),
            expression_type: one.expression_type.clone(),
            topic: one.topic.clone(),
            version: one.version,
        }
    }

    fn subscription(self) -> FixedSubscription {
        let Self { expression, expression_type, topic, version } = self;
        FixedSubscription { topic, expression_type, expression, version }
    }
}

#[cfg(test)]
mod tests {
    use gantry_store::disk::RealDisk;

    use super::*;

    /// As the Java broker writes it.
    const JAVA: &str = r#"{
	"dataVersion":{
		"counter":0,
		"stateVersion":0,
		"timestamp":1
	},
	"forbiddenTable":{
		"CG":{
			"TopicTest":4
		}
	},
	"subscriptionGroupTable":{
		"CG":{
			"attributes":{},
			"brokerId":0,
			"consumeBroadcastEnable":true,
			"consumeEnable":true,
			"consumeFromMinEnable":true,
			"consumeMessageOrderly":false,
			"consumeTimeoutMinute":15,
			"groupName":"CG",
			"groupRetryPolicy":{
				"exponentialRetryPolicy":{
					"initial":5000,
					"max":7200000,
					"multiplier":2
				},
				"type":"EXPONENTIAL"
			},
			"groupSysFlag":0,
			"notifyConsumerIdsChangedEnable":true,
			"retryMaxTimes":16,
			"retryQueueNums":1,
			"subscriptionDataSet":[
				{
					"expression":"*",
					"expressionType":"TAG",
					"topic":"TopicTest",
					"version":7
				}
			],
			"whichBrokerWhenConsumeSlowly":1
		}
	}
}"#;

    #[test]
    fn what_java_wrote_is_read_and_written_back_with_the_system_s_groups() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("subscriptionGroup.json");
        std::fs::write(&path, JAVA).unwrap();
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let files = GroupFiles::new(&disk, directory.path());
        let groups = files.load().unwrap();
        let group = groups.find("CG").unwrap();
        assert_eq!(group.retry_policy.kind, RetryKind::Exponential);
        assert_eq!(group.subscriptions.as_ref().map(Vec::len), Some(1));
        assert!(groups.may_not_read("CG", "TopicTest"));
        files.save(&GroupFile::of(&groups)).unwrap();
        let written = std::fs::read_to_string(&path).unwrap();
        let begin = JAVA.trim_end_matches(['\n', '\t', '}']);
        let squeezed = |text: &str| text.split_whitespace().collect::<String>();
        assert!(squeezed(&written).starts_with(&squeezed(begin)), "{written}");
        assert!(written.contains("\"TOOLS_CONSUMER\""), "{written}");
        assert_eq!(files.load().unwrap().iter().count(), 9);
    }
}
