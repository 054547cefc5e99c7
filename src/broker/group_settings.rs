//! Settings of consumer groups: found, made by the first use, changed and removed by administrators; and what they
//! forbid.
//!
//! Read by every pull, so behind a lock that readers share. Lock order: this one is taken alone.
//! Not here: what settings mean (`semantics::subscription_groups`), who lives in a group ([`super::clients`]).
//! Source: RocketMQ 5.3.3 `broker/subscription/SubscriptionGroupManager.java`, `PullMessageProcessor`.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tracing::{info, warn};

use super::group_files::{GroupFile, GroupFiles};
use super::offsets::OffsetError;
use super::persist::StateFile;
use super::{Broker, Durability};
use crate::semantics::data_version::DataVersion;
use crate::semantics::groups::HeldBy;
use crate::semantics::subscription_groups::{
    self, Forbidden, GroupSettings, SettingsError, SubscriptionGroups,
};
use crate::semantics::{Dialect, Millis};

/// The table and its file.
#[derive(Debug)]
pub(super) struct SettingsDesk {
    table: RwLock<SubscriptionGroups>,
    files: GroupFiles,
}

/// Why a group's native client gets nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GroupRefusal {
    /// It has no settings and gets none by itself.
    #[error(
        "subscription group [{0}] does not exist, create it first: mqadmin updateSubGroup, or set autoCreateSubscriptionGroup=true"
    )]
    Unknown(String),
    /// `consumeEnable=false`.
    #[error("subscription group no permission, {0}: its consumeEnable is false")]
    Disabled(String),
    /// `consumeBroadcastEnable=false`.
    #[error("the consumer group[{0}] can not consume by broadcast way: its consumeBroadcastEnable is false")]
    Broadcast(String),
    /// An administrator forbade the topic.
    #[error("the consumer group[{group}] is forbidden for topic[{topic}]")]
    Topic {
        /// The group.
        group: String,
        /// The topic.
        topic: String,
    },
}

/// All settings at one moment.
#[derive(Clone, Debug)]
pub struct AllSettings {
    /// Version of the table.
    pub version: DataVersion,
    /// Settings, in the order they were made.
    pub groups: Vec<Arc<GroupSettings>>,
    /// Topics that groups may not read.
    pub forbidden: Forbidden,
}

impl SettingsDesk {
    /// The table as the file has it. Blocks.
    pub(super) fn load(files: GroupFiles) -> std::io::Result<Self> {
        Ok(Self { table: RwLock::new(files.load()?), files })
    }

    /// Writes the file. Blocks.
    pub(super) fn save(&self) -> std::io::Result<()> {
        let file = GroupFile::of(&self.read());
        self.files.save(&file)
    }

    fn read(&self) -> RwLockReadGuard<'_, SubscriptionGroups> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, SubscriptionGroups> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Broker {
    /// The settings of a group that has some.
    #[must_use]
    pub fn group_settings(&self, group: &str) -> Option<Arc<GroupSettings>> {
        self.group_settings.read().find(group).cloned()
    }

    /// What an administrator is shown for a group: its settings, else those that its first use would make. Looking
    /// makes nothing; on a stock broker it does.
    #[must_use]
    pub fn shown_group_settings(&self, group: &str) -> Option<Arc<GroupSettings>> {
        let would_be = || {
            let settings = GroupSettings::new(group);
            let made = self.settings.auto_create_groups && subscription_groups::check(&settings).is_ok();
            made.then(|| Arc::new(settings))
        };
        self.group_settings(group).or_else(would_be)
    }

    /// All settings.
    #[must_use]
    pub fn all_group_settings(&self) -> AllSettings {
        let table = self.group_settings.read();
        AllSettings {
            version: table.data_version(),
            groups: table.iter().cloned().collect(),
            forbidden: table.forbidden().clone(),
        }
    }

    /// The settings of a group that is being used, made where that is allowed.
    ///
    /// # Errors
    /// [`GroupRefusal::Unknown`].
    pub(super) fn settings_in_use(
        &self,
        group: &str,
        now: Millis,
    ) -> Result<Arc<GroupSettings>, GroupRefusal> {
        if let Some(known) = self.group_settings(group) {
            return Ok(known);
        }
        let unknown = || GroupRefusal::Unknown(group.to_owned());
        if !self.settings.auto_create_groups {
            return Err(unknown());
        }
        let made = self.group_settings.write().create(now, group);
        let made =
            made.inspect_err(|error| warn!(group, %error, "no settings are made for a consumer group"));
        let settings = made.map_err(|_| unknown())?;
        self.persist.request(StateFile::SubscriptionGroups);
        info!(group, "settings made for a consumer group");
        Ok(settings)
    }

    /// Whether native clients of the group may read the topic, which is named as it is stored.
    pub(super) fn check_group(&self, group: &str, topic: &str, now: Millis) -> Result<(), GroupRefusal> {
        let table = self.group_settings.read();
        let Some(settings) = table.find(group) else {
            drop(table);
            return self.settings_in_use(group, now).map(drop);
        };
        if !settings.consume_enable {
            return Err(GroupRefusal::Disabled(group.to_owned()));
        }
        if table.may_not_read(group, topic) {
            return Err(GroupRefusal::Topic { group: group.to_owned(), topic: topic.to_owned() });
        }
        Ok(())
    }

    /// Whether anything is known of the group: settings, committed offsets or live members of either dialect.
    #[must_use]
    pub fn knows_group(&self, group: &str) -> bool {
        self.group_settings(group).is_some()
            || self.groups.holder(group).is_some()
            || self.has_committed(group)
    }

    /// Creates or replaces settings, all of them or none.
    ///
    /// # Errors
    /// What is wrong with the first that cannot be.
    pub fn put_group_settings(
        &self,
        all: Vec<GroupSettings>,
        now: Millis,
    ) -> Result<Durability, SettingsError> {
        all.iter().try_for_each(subscription_groups::check)?;
        let mut table = self.group_settings.write();
        for settings in all {
            info!(group = %settings.name, "settings of a consumer group changed");
            table.put(now, settings)?;
        }
        Ok(Durability::written(self.persist.request(StateFile::SubscriptionGroups)))
    }

    /// Removes the settings of a group, and its offsets when asked to.
    ///
    /// # Errors
    /// Live Kafka members, whose offsets stay; the journal's failure.
    pub fn remove_group(
        &self,
        group: &str,
        offsets_too: bool,
        now: Millis,
    ) -> Result<Durability, OffsetError> {
        if let Some(dialect @ Dialect::Kafka) = self.groups.holder(group).filter(|_| offsets_too) {
            return Err(OffsetError::Held { group: group.to_owned(), held: HeldBy { dialect } });
        }
        if offsets_too {
            self.remove_offsets_of_group(group, now)?;
        }
        let removed = self.group_settings.write().remove(now, group);
        info!(group, removed, offsets_too, "settings of a consumer group removed");
        Ok(Durability::written(self.persist.request(StateFile::SubscriptionGroups)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::BrokerSettings;
    use crate::broker::pull::PullError;
    use crate::broker::test_broker::TestBroker;

    fn disabled(group: &str) -> GroupSettings {
        GroupSettings { consume_enable: false, ..GroupSettings::new(group) }
    }

    #[test]
    fn the_first_pull_makes_settings_and_disabled_ones_end_it() {
        let test = TestBroker::open(BrokerSettings::default());
        test.send("T", b"x", b"").unwrap();
        assert!(!test.broker.knows_group("CG"));
        assert!(test.plan_pull("T", 1).is_ok());
        assert!(test.broker.knows_group("CG"));
        test.broker.put_group_settings(vec![disabled("CG")], Millis(1)).unwrap();
        let refused = test.plan_pull("T", 1);
        assert!(matches!(refused, Err(PullError::Group(GroupRefusal::Disabled(_)))), "{refused:?}");
    }

    #[test]
    fn without_automatic_creation_an_unknown_group_gets_nothing_and_no_retry_topic() {
        let test =
            TestBroker::open(BrokerSettings { auto_create_groups: false, ..BrokerSettings::default() });
        test.send("T", b"x", b"").unwrap();
        test.heartbeat();
        assert!(test.broker.topic("%RETRY%CG").is_none());
        assert!(!test.broker.is_group_online("CG"));
        let refused = test.plan_pull("T", 1);
        assert!(matches!(refused, Err(PullError::Group(GroupRefusal::Unknown(_)))), "{refused:?}");
        test.broker.put_group_settings(vec![GroupSettings::new("CG")], Millis(1)).unwrap();
        assert!(test.plan_pull("T", 1).is_ok());
        test.heartbeat();
        assert!(test.broker.topic("%RETRY%CG").is_some());
    }

    #[test]
    fn one_wrong_group_of_a_list_leaves_all_as_they_were() {
        let test = TestBroker::open(BrokerSettings::default());
        let wrong = vec![GroupSettings::new("G1"), GroupSettings::new("a b")];
        assert!(test.broker.put_group_settings(wrong, Millis(1)).is_err());
        assert!(test.broker.group_settings("G1").is_none());
    }

    #[test]
    fn looking_at_a_group_makes_no_settings() {
        let test = TestBroker::open(BrokerSettings::default());
        assert_eq!(test.broker.shown_group_settings("G").map(|group| group.retry_max), Some(16));
        assert!(test.broker.shown_group_settings("a b").is_none());
        assert!(!test.broker.knows_group("G"));
    }

    #[test]
    fn a_removed_group_keeps_its_offsets_unless_they_go_with_it() {
        let test = TestBroker::open(BrokerSettings::default());
        test.send("T", b"x", b"").unwrap();
        test.plan_pull("T", 1).unwrap();
        test.broker.commit_offset("CG", "T", 0, 1, Millis(1)).unwrap();
        test.broker.remove_group("CG", false, Millis(1)).unwrap();
        assert_eq!(test.broker.committed_offset("CG", "T", 0, false), Some(1));
        test.broker.remove_group("CG", true, Millis(1)).unwrap();
        assert_eq!(test.broker.committed_offset("CG", "T", 0, false), None);
        assert!(!test.broker.knows_group("CG"));
    }
}
