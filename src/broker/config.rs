//! The broker's configuration while it runs: what holds, and what an administrator may change.
//!
//! Which keys there are and what a value may be is known to the one who started the broker ([`Configuration`]);
//! here the changes are kept, put into force and saved in `gantry/config`, from where the next start reads them.
//! Source: RocketMQ 5.3.3 `remoting/Configuration.java`, which writes its changes into broker.conf.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use gantry_store::disk::Disk;
use gantry_store::retention::RetentionConfig;
use serde::{Deserialize, Serialize};
use tracing::info;

use super::persist::StateFile;
use super::settings::{BrokerSettings, LiveSettings};
use super::side_json::SideJson;
use super::state_json::DataVersionJson;
use super::{Broker, Durability};
use crate::semantics::data_version::DataVersion;

/// What administrators changed: values by key, all of them.
pub type ConfigChanges = BTreeMap<String, String>;

/// What the settings that may change become.
#[derive(Clone, Debug)]
pub struct Reconfigured {
    /// The broker's; only those that administrators may change are looked at.
    pub settings: BrokerSettings,
    /// The store's.
    pub retention: RetentionConfig,
}

/// The configuration that the broker was started with.
pub trait Configuration: Send + Sync + fmt::Debug {
    /// Every key with the value that holds after these changes.
    fn entries(&self, changes: &ConfigChanges) -> Vec<(String, String)>;

    /// What the settings become with all `changes`, of which those to `keys` are new.
    ///
    /// # Errors
    /// Why they are refused.
    fn apply(&self, changes: &ConfigChanges, keys: &[&str]) -> Result<Reconfigured, ConfigChangeError>;
}

/// Why the configuration is not changed; nothing is then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigChangeError {
    /// Nobody knows the key.
    #[error("there is no key {0}; `gantry config explain` lists all keys")]
    Unknown(String),
    /// The key cannot change while the broker runs.
    #[error("{key} cannot be changed here: {why}")]
    Fixed {
        /// The key.
        key: String,
        /// Why not.
        why: String,
    },
    /// Values that are none, or do not fit each other.
    #[error("{0}")]
    Value(String),
}

/// The configuration of a broker that has none.
#[derive(Clone, Copy, Debug)]
pub struct Unconfigurable;

impl Configuration for Unconfigurable {
    fn entries(&self, _: &ConfigChanges) -> Vec<(String, String)> {
        Vec::new()
    }

    fn apply(&self, _: &ConfigChanges, keys: &[&str]) -> Result<Reconfigured, ConfigChangeError> {
        Err(ConfigChangeError::Unknown(keys.join(", ")))
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct ConfigFile {
    data_version: DataVersionJson,
    changes: ConfigChanges,
}

fn side_file(disk: &Arc<dyn Disk>, root: &Path) -> SideJson<ConfigFile> {
    SideJson::new(disk, root.join("gantry").join("config"), *b"GCONFIG1")
}

/// What administrators changed in earlier lives of the broker. Blocks.
///
/// # Errors
/// A file that cannot be read, or is damaged.
pub fn saved_changes(disk: &Arc<dyn Disk>, root: &Path) -> io::Result<ConfigChanges> {
    Ok(side_file(disk, root).load()?.changes)
}

/// The configuration and its changes.
#[derive(Debug)]
pub(super) struct ConfigDesk {
    source: Arc<dyn Configuration>,
    file: SideJson<ConfigFile>,
    state: Mutex<State>,
    live: ArcSwap<LiveSettings>,
}

#[derive(Debug)]
struct State {
    version: DataVersion,
    changes: ConfigChanges,
}

impl ConfigDesk {
    /// Blocks.
    pub(super) fn load(
        source: Arc<dyn Configuration>,
        disk: &Arc<dyn Disk>,
        root: &Path,
        live: LiveSettings,
    ) -> io::Result<Self> {
        let file = side_file(disk, root);
        let ConfigFile { data_version, changes } = file.load()?;
        let state = Mutex::new(State { version: data_version.into(), changes });
        Ok(Self { source, file, state, live: ArcSwap::from_pointee(live) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the changes. Blocks.
    pub(super) fn save(&self) -> io::Result<()> {
        let state = self.state();
        let file = ConfigFile { data_version: state.version.into(), changes: state.changes.clone() };
        drop(state);
        self.file.save(&file)
    }
}

impl Broker {
    /// The settings that may change while the broker runs, as they are now. Blocks on nothing.
    #[must_use]
    pub fn live(&self) -> LiveSettings {
        **self.config.live.load()
    }

    /// Every key with the value that holds, and the version of the configuration.
    #[must_use]
    pub fn config_entries(&self) -> (Vec<(String, String)>, DataVersion) {
        let state = self.config.state();
        (self.config.source.entries(&state.changes), state.version)
    }

    /// Changes the configuration: at once, and for all starts to come.
    ///
    /// # Errors
    /// Why not; then nothing is changed.
    pub fn change_config(&self, wanted: &[(String, String)]) -> Result<Durability, ConfigChangeError> {
        let mut state = self.config.state();
        let mut changes = state.changes.clone();
        changes.extend(wanted.iter().cloned());
        let keys: Vec<_> = wanted.iter().map(|(key, _)| key.as_str()).collect();
        let new = self.config.source.apply(&changes, &keys)?;
        if changes == state.changes {
            return Ok(Durability::NONE);
        }
        state.changes = changes;
        state.version.bump(self.now());
        self.config.live.store(Arc::new(new.settings.live));
        self.store.set_retention(new.retention);
        let version = self.persist.request(StateFile::Config);
        drop(state);
        info!(?keys, "configuration changed by an administrator");
        Ok(Durability::written(version).and(self.follow_config(&new.settings)))
    }

    /// Topics follow: the template of automatic creation, the permissions that name servers are told, and the age
    /// that topics have which set none.
    fn follow_config(&self, settings: &BrokerSettings) -> Durability {
        self.create_system_topics(self.now());
        let mut state = self.topics.state();
        state.topics.touch(self.now());
        state.defaults = settings.topic_defaults(state.defaults.clone());
        let all: Vec<_> = state.topics.iter().map(|topic| Arc::clone(&topic.name)).collect();
        state.changed.extend(all);
        Durability::written(self.persist.request(StateFile::Topics))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::append::SendError;
    use crate::broker::test_broker::TestBroker;
    use crate::semantics::topics::Perm;

    /// One key, `permission`.
    #[derive(Debug)]
    struct OneKey;

    impl Configuration for OneKey {
        fn entries(&self, changes: &ConfigChanges) -> Vec<(String, String)> {
            changes.clone().into_iter().collect()
        }

        fn apply(&self, changes: &ConfigChanges, _: &[&str]) -> Result<Reconfigured, ConfigChangeError> {
            let perm = changes.get("permission").and_then(|text| text.parse().ok());
            let perm = perm.ok_or_else(|| ConfigChangeError::Value("no number".to_owned()))?;
            let live = LiveSettings { permission: Perm(perm), ..LiveSettings::default() };
            let settings = BrokerSettings { live, ..BrokerSettings::default() };
            Ok(Reconfigured { settings, retention: RetentionConfig::default() })
        }
    }

    fn change(test: &TestBroker, value: &str) -> Result<Durability, ConfigChangeError> {
        test.broker.change_config(&[("permission".to_owned(), value.to_owned())])
    }

    #[test]
    fn a_change_holds_at_once_and_is_told_to_name_servers() {
        let test = TestBroker::configured(BrokerSettings::default(), Arc::new(OneKey));
        let before = test.broker.topics_version();
        change(&test, "4").unwrap();
        assert!(matches!(test.send("t", b"body", b""), Err(SendError::NoPermission(4))));
        assert_ne!(test.broker.topics_version(), before);
        let (entries, version) = test.broker.config_entries();
        assert_eq!((entries, version.counter), (vec![("permission".to_owned(), "4".to_owned())], 1));
        assert_eq!(change(&test, "4"), Ok(Durability::NONE));
    }

    #[test]
    fn a_refused_change_changes_nothing() {
        let test = TestBroker::configured(BrokerSettings::default(), Arc::new(OneKey));
        assert_eq!(change(&test, "read"), Err(ConfigChangeError::Value("no number".to_owned())));
        assert!(test.send("t", b"body", b"").is_ok());
        assert!(test.broker.config_entries().0.is_empty());
        let none = TestBroker::open(BrokerSettings::default());
        assert!(matches!(change(&none, "4"), Err(ConfigChangeError::Unknown(_))));
    }
}
