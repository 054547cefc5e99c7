//! What holds for topics that set nothing themselves: built in, configured at start, altered at run time.
//!
//! Kafka calls these settings of the broker; each stands behind one setting of topics and has a name of its own
//! (`message.max.bytes` behind `max.message.bytes`). Only those that act at once can be altered.
//!
//! Source: Kafka 4.1 `ServerTopicConfigSynonyms.java`, `DynamicBrokerConfig.scala`, KIP-226.

use std::collections::BTreeMap;

use super::kafka_configs::{Alteration, CONFIG_KEYS, ConfigError, ConfigKey, config_key};

/// Whom an alteration is for: one broker, or all of them. The former wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The broker that is named.
    Broker,
    /// Every broker of the cluster.
    Cluster,
}

/// Where the value of a setting comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Set for the topic.
    Topic,
    /// Altered at run time.
    Altered(Scope),
    /// Set where the broker is configured.
    Configured,
    /// Nobody set it.
    BuiltIn,
}

/// Settings of topics that have an effect and may be altered for all topics at once.
const ALTERABLE: &[&str] = &[
    "max.message.bytes",
    "message.timestamp.after.max.ms",
    "message.timestamp.before.max.ms",
    "message.timestamp.type",
    "min.insync.replicas",
];

/// Why a setting of the broker is not altered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrokerConfigError {
    /// It is read at start only, or nobody knows it.
    #[error(
        "broker config {0} cannot be altered at run time; set it in the broker's configuration and restart"
    )]
    NotAlterable(String),
    /// The value does not fit.
    #[error(transparent)]
    Value(#[from] ConfigError),
}

/// The defaults of topics.
#[derive(Clone, Debug, Default)]
pub struct TopicDefaults {
    configured: BTreeMap<&'static str, Configured>,
    broker: BTreeMap<&'static str, String>,
    cluster: BTreeMap<&'static str, String>,
}

#[derive(Clone, Debug)]
struct Configured {
    value: String,
    is_set: bool,
}

impl TopicDefaults {
    /// What the broker's configuration says about the topic setting `name`; `is_set` when it says so explicitly.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: String, is_set: bool) -> Self {
        self.configured.insert(name, Configured { value, is_set });
        self
    }

    /// Every value there is for a setting, the one that holds first; never empty.
    pub fn values(&self, key: &ConfigKey) -> Vec<(&str, Source)> {
        let altered = [(&self.broker, Scope::Broker), (&self.cluster, Scope::Cluster)];
        let altered = altered.into_iter().filter_map(|(table, scope)| {
            table.get(key.name).map(|value| (value.as_str(), Source::Altered(scope)))
        });
        let configured = self
            .configured
            .get(key.name)
            .map(|one| (one.value.as_str(), if one.is_set { Source::Configured } else { Source::BuiltIn }));
        let replaced = configured.is_some_and(|(_, source)| source == Source::BuiltIn);
        let built_in = (!replaced).then_some((key.default, Source::BuiltIn));
        altered.chain(configured).chain(built_in).collect()
    }

    /// The value that holds.
    pub fn value(&self, key: &ConfigKey) -> &str {
        let altered = self.broker.get(key.name).or_else(|| self.cluster.get(key.name)).map(String::as_str);
        altered.or_else(|| self.configured.get(key.name).map(|one| one.value.as_str())).unwrap_or(key.default)
    }

    /// Alters the default that the broker calls `broker_name`.
    ///
    /// # Errors
    /// [`BrokerConfigError`]; nothing is altered then.
    pub fn alter(
        &mut self,
        scope: Scope,
        broker_name: &str,
        alteration: Alteration<'_>,
    ) -> Result<(), BrokerConfigError> {
        let key = CONFIG_KEYS.iter().find(|key| key.broker_name == broker_name && is_alterable(key));
        let key = key.ok_or_else(|| BrokerConfigError::NotAlterable(broker_name.to_owned()))?;
        let table = self.table(scope);
        match alteration {
            Alteration::Delete => {
                table.remove(key.name);
            }
            Alteration::Set(value) => {
                key.check(value)?;
                table.insert(key.name, value.to_owned());
            }
            Alteration::Append(_) | Alteration::Subtract(_) => {
                return Err(ConfigError::NotAList { name: key.broker_name }.into());
            }
        }
        Ok(())
    }

    /// Forgets what was altered for `scope`.
    pub fn clear(&mut self, scope: Scope) {
        self.table(scope).clear();
    }

    /// What was altered, by the topics' name of the setting.
    pub fn altered(&self, scope: Scope) -> impl Iterator<Item = (&'static str, &str)> {
        let table = match scope {
            Scope::Broker => &self.broker,
            Scope::Cluster => &self.cluster,
        };
        table.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// Puts back what was altered before, as [`TopicDefaults::altered`] gave it.
    ///
    /// # Errors
    /// [`BrokerConfigError`]: this version does not alter it.
    pub fn restore(&mut self, scope: Scope, name: &str, value: &str) -> Result<(), BrokerConfigError> {
        let broker_name = config_key(name).map_or(name, |key| key.broker_name);
        self.alter(scope, broker_name, Alteration::Set(value))
    }

    fn table(&mut self, scope: Scope) -> &mut BTreeMap<&'static str, String> {
        match scope {
            Scope::Broker => &mut self.broker,
            Scope::Cluster => &mut self.cluster,
        }
    }
}

/// Whether the default of the setting can be altered at run time.
pub fn is_alterable(key: &ConfigKey) -> bool {
    ALTERABLE.contains(&key.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: &str = "message.max.bytes";

    fn key() -> &'static ConfigKey {
        config_key("max.message.bytes").unwrap()
    }

    #[test]
    fn the_nearest_value_holds() {
        let mut defaults = TopicDefaults::default().with("max.message.bytes", "20".to_owned(), true);
        assert_eq!(defaults.value(key()), "20");
        defaults.alter(Scope::Cluster, MAX, Alteration::Set("30")).unwrap();
        defaults.alter(Scope::Broker, MAX, Alteration::Set("40")).unwrap();
        let expected = [
            ("40", Source::Altered(Scope::Broker)),
            ("30", Source::Altered(Scope::Cluster)),
            ("20", Source::Configured),
            (key().default, Source::BuiltIn),
        ];
        assert_eq!(defaults.values(key()), expected);
        defaults.alter(Scope::Broker, MAX, Alteration::Delete).unwrap();
        assert_eq!(defaults.value(key()), "30");
        defaults.clear(Scope::Cluster);
        assert_eq!(defaults.value(key()), "20");
    }

    #[test]
    fn only_what_acts_at_once_can_be_altered() {
        let mut defaults = TopicDefaults::default();
        for name in ["num.partitions", "log.retention.ms", "no.such", ""] {
            let refused = defaults.alter(Scope::Broker, name, Alteration::Set("1"));
            assert_eq!(refused, Err(BrokerConfigError::NotAlterable(name.to_owned())));
        }
        assert!(matches!(
            defaults.alter(Scope::Broker, MAX, Alteration::Set("many")),
            Err(BrokerConfigError::Value(ConfigError::InvalidValue { .. }))
        ));
        assert!(defaults.alter(Scope::Broker, MAX, Alteration::Append("1")).is_err());
        assert_eq!(defaults.altered(Scope::Broker).count(), 0);
    }

    #[test]
    fn every_alterable_setting_has_a_broker_s_name() {
        for name in ALTERABLE {
            assert!(!config_key(name).unwrap().broker_name.is_empty(), "{name}");
        }
    }
}
