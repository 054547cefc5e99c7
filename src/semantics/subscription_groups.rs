//! Settings of native consumer groups: who may consume and how often a message is tried.
//!
//! A group needs settings before its clients may pull. Unless that is switched off (`autoCreateSubscriptionGroup`)
//! the first use makes them. Kafka's groups need none; those that an administrator gave a Kafka group tell tools
//! about it and limit its native clients only.
//! Not here: live members ([`super::subscriptions`]), offsets ([`super::offsets`]).
//!
//! Source: RocketMQ 5.3.3 `broker/subscription/SubscriptionGroupManager.java`,
//! `remoting/protocol/subscription/SubscriptionGroupConfig.java`.

mod settings;

use std::sync::Arc;

use indexmap::IndexMap;

use super::Millis;
use super::data_version::DataVersion;
use super::topic_names::{NameError, check_native_group};
use super::topics::QUEUES_MAX;
pub use settings::{ExponentialDelays, FixedSubscription, GroupSettings, RetryKind, RetryPolicy};

/// Groups that every broker has from its start.
const SYSTEM_GROUPS: [&str; 8] = [
    "TOOLS_CONSUMER",
    "FILTERSRV_CONSUMER",
    "SELF_TEST_C_GROUP",
    "CID_ONS-HTTP-PROXY",
    "CID_ONSAPI_PULL",
    "CID_ONSAPI_PERMISSION",
    "CID_ONSAPI_OWNER",
    "CID_RMQ_SYS_TRANS",
];

/// What a group may not do with a topic, as bits by their place: a read is bit 2.
const FORBIDDEN_READ: i32 = 1 << 2;

/// Topics that groups may not read, by group.
pub type Forbidden = IndexMap<String, IndexMap<String, i32>>;

/// Why settings are refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The name breaks the rules.
    #[error("the specified group [{group}] is illegal: {reason}")]
    Name {
        /// As asked.
        group: String,
        /// What is wrong with it.
        reason: NameError,
    },
    /// So many queues no topic has.
    #[error("retryQueueNums={queues} of group {group} is not possible; use 0 to {QUEUES_MAX}")]
    RetryQueues {
        /// The group.
        group: String,
        /// As asked.
        queues: i32,
    },
    /// RocketMQ knows no attribute of groups.
    #[error("unsupported key: {key} of group {group}; groups have no attributes")]
    Attribute {
        /// The group.
        group: String,
        /// The attribute.
        key: String,
    },
    /// The table is full.
    #[error("the broker has {0} groups already; delete some, or use one of them")]
    Full(usize),
}

/// The settings of all groups. Cloning one out of it is a reference count.
#[derive(Clone, Debug)]
pub struct SubscriptionGroups {
    table: IndexMap<Arc<str>, Arc<GroupSettings>>,
    forbidden: Forbidden,
    data_version: DataVersion,
    max: usize,
}

impl SubscriptionGroups {
    /// The table as it was saved, with the system's groups; at most `max` groups are made.
    pub fn new(
        data_version: DataVersion,
        saved: impl IntoIterator<Item = GroupSettings>,
        forbidden: Forbidden,
        max: usize,
    ) -> Self {
        let mut table: IndexMap<_, _> =
            saved.into_iter().map(|group| (Arc::clone(&group.name), Arc::new(group))).collect();
        for name in SYSTEM_GROUPS {
            table.entry(Arc::from(name)).or_insert_with(|| Arc::new(GroupSettings::new(name)));
        }
        Self { table, forbidden, data_version, max }
    }

    /// The version of the table.
    pub const fn data_version(&self) -> DataVersion {
        self.data_version
    }

    /// The settings of a group.
    pub fn find(&self, group: &str) -> Option<&Arc<GroupSettings>> {
        self.table.get(group)
    }

    /// All settings, in the order they were made.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<GroupSettings>> {
        self.table.values()
    }

    /// Topics that groups may not read.
    pub const fn forbidden(&self) -> &Forbidden {
        &self.forbidden
    }

    /// Whether the group was forbidden to read the topic.
    pub fn may_not_read(&self, group: &str, topic: &str) -> bool {
        let bits = self.forbidden.get(group).and_then(|topics| topics.get(topic));
        bits.is_some_and(|bits| bits & FORBIDDEN_READ != 0)
    }

    /// Makes default settings for a group that has none.
    ///
    /// # Errors
    /// [`SettingsError`]: the name, or the table is full.
    pub fn create(&mut self, now: Millis, group: &str) -> Result<Arc<GroupSettings>, SettingsError> {
        if let Some(known) = self.table.get(group) {
            return Ok(Arc::clone(known));
        }
        check_name(group)?;
        self.insert(now, GroupSettings::new(group))
    }

    /// Creates or replaces settings.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn put(&mut self, now: Millis, settings: GroupSettings) -> Result<(), SettingsError> {
        check(&settings)?;
        self.insert(now, settings).map(drop)
    }

    /// Removes settings and what was forbidden; false when there were none.
    pub fn remove(&mut self, now: Millis, group: &str) -> bool {
        self.forbidden.shift_remove(group);
        let removed = self.table.shift_remove(group).is_some();
        if removed {
            self.data_version.bump(now);
        }
        removed
    }

    fn insert(&mut self, now: Millis, settings: GroupSettings) -> Result<Arc<GroupSettings>, SettingsError> {
        if self.table.len() >= self.max && !self.table.contains_key(&settings.name) {
            return Err(SettingsError::Full(self.table.len()));
        }
        let settings = Arc::new(settings);
        self.table.insert(Arc::clone(&settings.name), Arc::clone(&settings));
        self.data_version.bump(now);
        Ok(settings)
    }
}

/// Whether settings may be stored.
///
/// # Errors
/// [`SettingsError`] but for the size of the table.
pub fn check(settings: &GroupSettings) -> Result<(), SettingsError> {
    check_name(&settings.name)?;
    let group = || settings.name.to_string();
    if !(0..=QUEUES_MAX).contains(&settings.retry_queues) {
        return Err(SettingsError::RetryQueues { group: group(), queues: settings.retry_queues });
    }
    match settings.attributes.keys().next() {
        Some(key) => Err(SettingsError::Attribute { group: group(), key: key.clone() }),
        None => Ok(()),
    }
}

fn check_name(group: &str) -> Result<(), SettingsError> {
    check_native_group(group).map_err(|reason| SettingsError::Name { group: group.to_owned(), reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(5);

    fn empty() -> SubscriptionGroups {
        SubscriptionGroups::new(DataVersion::default(), [], Forbidden::new(), 10)
    }

    #[test]
    fn begins_with_the_system_s_groups_and_keeps_what_was_saved() {
        let saved = GroupSettings { retry_max: 3, ..GroupSettings::new("TOOLS_CONSUMER") };
        let groups = SubscriptionGroups::new(DataVersion::default(), [saved], Forbidden::new(), 10);
        assert_eq!(groups.iter().count(), 8);
        assert_eq!(groups.find("TOOLS_CONSUMER").map(|group| group.retry_max), Some(3));
        assert_eq!(groups.data_version().counter, 0);
    }

    #[test]
    fn the_first_use_makes_default_settings_and_a_later_one_finds_them() {
        let mut groups = empty();
        assert_eq!(groups.create(NOW, "g").map(|group| group.retry_max), Ok(16));
        assert!(groups.create(NOW, "g").is_ok());
        assert_eq!(groups.data_version(), DataVersion { counter: 1, timestamp: NOW, state_version: 0 });
    }

    #[test]
    fn refuses_names_queues_and_attributes_that_are_none() {
        let mut groups = empty();
        assert!(matches!(groups.create(NOW, "a.b"), Err(SettingsError::Name { .. })));
        let queues = GroupSettings { retry_queues: -1, ..GroupSettings::new("g") };
        assert!(matches!(groups.put(NOW, queues), Err(SettingsError::RetryQueues { queues: -1, .. })));
        let mut attributes = GroupSettings::new("g");
        attributes.attributes.insert("+a".to_owned(), "b".to_owned());
        assert!(matches!(groups.put(NOW, attributes), Err(SettingsError::Attribute { .. })));
        assert_eq!(groups.data_version().counter, 0);
    }

    #[test]
    fn a_full_table_takes_changes_and_no_new_group() {
        let mut groups = empty();
        assert!(groups.create(NOW, "a").is_ok() && groups.create(NOW, "b").is_ok());
        assert_eq!(groups.create(NOW, "c").err(), Some(SettingsError::Full(10)));
        assert_eq!(groups.put(NOW, GroupSettings { retry_max: 1, ..GroupSettings::new("a") }), Ok(()));
        assert!(groups.remove(NOW, "b"));
        assert!(!groups.remove(NOW, "b"));
        assert!(groups.create(NOW, "c").is_ok());
    }

    #[test]
    fn only_the_read_bit_forbids_reading() {
        let topics = IndexMap::from([("t".to_owned(), 4), ("u".to_owned(), 2)]);
        let forbidden = Forbidden::from([("g".to_owned(), topics)]);
        let groups = SubscriptionGroups::new(DataVersion::default(), [], forbidden, 10);
        assert!(groups.may_not_read("g", "t"));
        assert!(!groups.may_not_read("g", "u"));
        assert!(!groups.may_not_read("h", "t"));
    }
}
