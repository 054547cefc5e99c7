//! Switches: the settings of a name server that may change while it runs, and the list of all that it has.
//!
//! A change over the wire is good for this process; the next start reads its file again. Nothing but these five
//! can be set: no path, no port, no limit.
//! Source: RocketMQ 5.3.3 `common/namesrv/NamesrvConfig.java`.

/// What a name server is started with.
#[derive(Clone, Debug, Default)]
pub struct NameServerConfig {
    /// What may change.
    pub switches: Switches,
    /// Every key with its value, as GET_NAMESRV_CONFIG shows it; those of the switches are overwritten by theirs.
    pub listed: Vec<(&'static str, String)>,
}

/// What may change while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Switches {
    /// `orderMessageEnable`: routes carry the order configuration of their topic.
    pub order_messages: bool,
    /// `returnOrderTopicConfigToBroker`: brokers are told all order configurations when they register.
    pub return_orders: bool,
    /// `supportActingMaster`: routes show the smallest slave as master where there is none.
    pub acting_master: bool,
    /// `enableTopicList`: topics of clusters, of the system and of units are listed.
    pub topic_list: bool,
    /// `enableAllTopicList`: all topics are listed.
    pub all_topic_list: bool,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            order_messages: false,
            return_orders: true,
            acting_master: false,
            topic_list: true,
            all_topic_list: true,
        }
    }
}

/// Why a setting is not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SwitchError {
    /// It is a setting, but not one that may be changed from outside.
    #[error("Can not update config in black list. {0} can only be changed in namesrv.conf, with a restart")]
    Fixed(String),
    /// No such setting.
    #[error("{0} is no setting of this name server")]
    Unknown(String),
    /// Neither true nor false.
    #[error("{key} has to be true or false, not {value}")]
    Value {
        /// The setting.
        key: String,
        /// What was sent.
        value: String,
    },
}

impl Switches {
    fn place(&mut self, key: &str) -> Option<&mut bool> {
        Some(match key {
            "orderMessageEnable" => &mut self.order_messages,
            "returnOrderTopicConfigToBroker" => &mut self.return_orders,
            "supportActingMaster" => &mut self.acting_master,
            "enableTopicList" => &mut self.topic_list,
            "enableAllTopicList" => &mut self.all_topic_list,
            _ => return None,
        })
    }

    fn set(&mut self, key: &str, value: &str, is_known: bool) -> Result<(), SwitchError> {
        let Some(place) = self.place(key) else {
            let key = key.to_owned();
            return Err(if is_known { SwitchError::Fixed(key) } else { SwitchError::Unknown(key) });
        };
        *place = match value.trim().to_ascii_lowercase().as_str() {
            "true" => true,
            "false" => false,
            _ => return Err(SwitchError::Value { key: key.to_owned(), value: value.to_owned() }),
        };
        Ok(())
    }
}

impl NameServerConfig {
    /// Changes all of `settings`, or none when one of them cannot be changed.
    pub(super) fn change(&mut self, settings: &[(String, String)]) -> Result<(), SwitchError> {
        let mut changed = self.switches;
        for (key, value) in settings {
            let is_known = FIXED.contains(&key.as_str()) || self.listed.iter().any(|(known, _)| known == key);
            changed.set(key, value, is_known)?;
        }
        self.switches = changed;
        Ok(())
    }

    /// `key=value` lines of every setting, in the order of the documentation.
    pub(super) fn text(&self) -> String {
        let mut switches = self.switches;
        let line = |(key, value): &(&str, String)| match switches.place(key) {
            Some(switch) => format!("{key}={switch}\n"),
            None => format!("{key}={value}\n"),
        };
        self.listed.iter().map(line).collect()
    }
}

/// What RocketMQ refuses by name, whether it is listed here or not.
const FIXED: &[&str] = &["configBlackList", "configStorePath", "kvConfigPath", "rocketmqHome"];

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> NameServerConfig {
        let listed = [("orderMessageEnable", "false"), ("kvConfigPath", "/x"), ("listenPort", "9876")];
        let listed = listed.map(|(key, value)| (key, value.to_owned()));
        NameServerConfig { switches: Switches::default(), listed: listed.into() }
    }

    fn setting(key: &str, value: &str) -> (String, String) {
        (key.to_owned(), value.to_owned())
    }

    #[test]
    fn shows_what_holds_now() {
        let mut config = config();
        config.change(&[setting("orderMessageEnable", "TRUE")]).unwrap();
        assert_eq!(config.text(), "orderMessageEnable=true\nkvConfigPath=/x\nlistenPort=9876\n");
    }

    #[test]
    fn changes_all_or_nothing() {
        let mut config = config();
        let refused = config.change(&[setting("enableTopicList", "false"), setting("listenPort", "1")]);
        assert_eq!(refused, Err(SwitchError::Fixed("listenPort".into())));
        assert_eq!(config.switches, Switches::default());
    }

    #[test]
    fn refuses_paths_unknown_settings_and_what_is_no_flag() {
        let mut config = config();
        let mut refused = |key: &str, value: &str| config.change(&[setting(key, value)]).unwrap_err();
        assert!(matches!(refused("kvConfigPath", "/etc/passwd"), SwitchError::Fixed(_)));
        assert!(matches!(refused("configStorePath", "/etc/passwd"), SwitchError::Fixed(_)));
        assert!(matches!(refused("nonsense", "true"), SwitchError::Unknown(_)));
        assert!(matches!(refused("enableTopicList", "yes"), SwitchError::Value { .. }));
    }
}
