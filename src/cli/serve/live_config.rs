//! The configuration of a running broker: what was set where, which keys may change, and what a change makes of
//! the settings.

use std::sync::LazyLock;

use super::super::roles;
use crate::broker::config::{ConfigChangeError, ConfigChanges, Configuration, Reconfigured};
use crate::config::{self, Assignment, Fault, Key, Role, Settings, Source};

/// Keys that may change while the broker runs: numbers, switches and hours; never a path, a name or an address.
const LIVE: &[&str] = &[
    "autoCreateTopicEnable",
    "brokerPermission",
    "cleanFileForciblyEnable",
    "deleteWhen",
    "diskMaxUsedSpaceRatio",
    "diskSpaceCleanForciblyRatio",
    "diskSpaceWarningLevelRatio",
    "fileReservedTime",
    "longPollingEnable",
    "maxMsgsNumBatch",
    "maxTransferBytesOnMessageInMemory",
    "maxTransferCountOnMessageInMemory",
    "notifyConsumerIdsChangedEnable",
    "shortPollingTimeMills",
];

/// What RocketMQ's tools look for and what is so here without a key.
const FACTS: &[(&str, &str)] = &[
    ("brokerRole", "ASYNC_MASTER"),
    ("enableMixedMessageType", "false"),
    ("enablePropertyFilter", "false"),
    ("filterServerNums", "0"),
    ("msgTraceTopicName", "RMQ_SYS_TRACE_TOPIC"),
    ("rejectTransactionMessage", "true"),
    ("slaveReadEnable", "false"),
    ("storeType", "default"),
    ("timerWheelEnable", "false"),
    ("traceOn", "true"),
    ("traceTopicEnable", "false"),
    ("useTLS", "false"),
    ("validateSystemTopicWhenUpdateTopic", "true"),
];

/// Everything that was set before the start.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct LiveConfig {
    /// Below the changes of administrators: the file.
    below: Vec<Assignment>,
    /// Above them: environment and command line.
    above: Vec<Assignment>,
}

impl LiveConfig {
    /// What was set, in the order in which later ones win.
    pub(in crate::cli) fn new(assignments: Vec<Assignment>) -> Self {
        let (below, above) = assignments.into_iter().partition(|one| matches!(one.at, Source::File(..)));
        Self { below, above }
    }

    /// Everything that is set, with what administrators changed in between.
    pub(in crate::cli) fn with(&self, changes: &ConfigChanges) -> Vec<Assignment> {
        let changed = changes.iter().map(|(key, value)| Assignment {
            key: key.clone(),
            value: value.clone(),
            at: Source::Administrator,
        });
        self.below.iter().cloned().chain(changed).chain(self.above.iter().cloned()).collect()
    }

    fn settings(&self, changes: &ConfigChanges) -> Result<Settings, ConfigChangeError> {
        let loaded = config::load(self.with(changes), Role::Broker, false);
        loaded.map(|loaded| loaded.settings).map_err(|faults| ConfigChangeError::Value(said(&faults.0)))
    }

    fn check(&self, name: &str) -> Result<(), ConfigChangeError> {
        static KEYS: LazyLock<Vec<&'static Key>> = LazyLock::new(|| config::keys().collect());
        let fixed = |why: String| Err(ConfigChangeError::Fixed { key: name.to_owned(), why });
        if !KEYS.iter().any(|key| key.name == name) {
            return match config::explain(name) {
                Some(_) => fixed("it has no effect in Gantry".to_owned()),
                None => Err(ConfigChangeError::Unknown(name.to_owned())),
            };
        }
        if !LIVE.contains(&name) {
            return fixed("it needs a restart; set it in broker.conf".to_owned());
        }
        match self.above.iter().find(|one| one.key == name) {
            Some(set) => fixed(format!("it was set by {}, which wins at every start", set.at)),
            None => Ok(()),
        }
    }
}

fn said(faults: &[Fault]) -> String {
    let said: Vec<_> = faults.iter().map(Fault::to_string).collect();
    said.join("; ")
}

impl Configuration for LiveConfig {
    fn entries(&self, changes: &ConfigChanges) -> Vec<(String, String)> {
        let settings = self.settings(changes).unwrap_or_default();
        let keys = config::keys().map(|key| (key.name.to_owned(), key.show(&settings)));
        let facts = FACTS.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let mut all: Vec<_> = keys.chain(facts).collect();
        all.sort_unstable();
        all
    }

    fn apply(&self, changes: &ConfigChanges, keys: &[&str]) -> Result<Reconfigured, ConfigChangeError> {
        keys.iter().try_for_each(|key| self.check(key))?;
        let settings = self.settings(changes)?;
        if keys.contains(&"fileReservedTime") && settings.kafka.retention_hours().is_some() {
            let why = "log.retention.* is set and wins".to_owned();
            return Err(ConfigChangeError::Fixed { key: "fileReservedTime".to_owned(), why });
        }
        Ok(Reconfigured {
            settings: roles::broker_settings(&settings),
            retention: roles::retention(&settings),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(config: &LiveConfig, key: &str, value: &str) -> Result<Reconfigured, ConfigChangeError> {
        let changes = ConfigChanges::from([(key.to_owned(), value.to_owned())]);
        config.apply(&changes, &[key])
    }

    fn set(key: &str, value: &str, at: Source) -> Assignment {
        Assignment { key: key.to_owned(), value: value.to_owned(), at }
    }

    #[test]
    fn live_keys_and_facts_are_what_they_say() {
        for name in LIVE {
            assert!(config::keys().any(|key| key.name == *name), "{name}");
        }
        for (name, _) in FACTS {
            assert!(!config::keys().any(|key| key.name == *name), "{name} has a row");
        }
    }

    #[test]
    fn a_live_key_takes_effect_and_keeps_the_others() {
        let file = Source::File("broker.conf".into(), 1);
        let config = LiveConfig::new(vec![set("fileReservedTime", "10", file)]);
        let new = changed(&config, "brokerPermission", "4").unwrap();
        assert_eq!((new.settings.live.permission.0, new.retention.file_reserved_hours), (4, 10));
        assert_eq!(changed(&config, "fileReservedTime", "20").unwrap().retention.file_reserved_hours, 20);
    }

    #[test]
    fn what_cannot_change_is_refused_with_the_reason() {
        let option = Source::CommandLine("--x");
        let config = LiveConfig::new(vec![set("maxMsgsNumBatch", "9", option)]);
        let fixed =
            ["storePathRootDir", "brokerConfigPath", "flushDiskType", "listenPort", "maxMsgsNumBatch"];
        for key in fixed {
            let refused = changed(&config, key, "64");
            assert!(matches!(refused, Err(ConfigChangeError::Fixed { .. })), "{key}");
        }
        assert!(matches!(changed(&config, "nonsense", "1"), Err(ConfigChangeError::Unknown(_))));
        for (key, value) in
            [("brokerPermission", "7"), ("fileReservedTime", "soon"), ("longPollingEnable", "")]
        {
            assert!(matches!(changed(&config, key, value), Err(ConfigChangeError::Value(_))), "{key}");
        }
    }

    #[test]
    fn entries_show_what_holds() {
        let config = LiveConfig::default();
        let entries =
            config.entries(&ConfigChanges::from([("fileReservedTime".to_owned(), "48".to_owned())]));
        let shown = |key: &str| entries.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
        assert_eq!(shown("fileReservedTime"), Some("48"));
        assert_eq!((shown("flushDiskType"), shown("brokerRole")), (Some("SYNC_FLUSH"), Some("ASYNC_MASTER")));
    }
}
