//! Topic settings as Kafka clients name them: which have an effect, which are kept without one, which are
//! refused; their types, bounds and defaults.
//!
//! Refusing settings that the original knows broke ksqlDB, Connect and Admin users of other brokers, so every
//! name of Kafka's `TopicConfig` is taken and checked by type; only unknown names are refused.
//!
//! Source: Kafka 4.1 `TopicConfig.java`, `LogConfig.java`.

mod keys;

use indexmap::IndexMap;

use super::topic_defaults::TopicDefaults;
pub use keys::CONFIG_KEYS;

/// What a setting does here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The broker acts by it.
    Honoured,
    /// Kept and shown, without effect.
    Kept,
    /// The same, and shown only where it is set: Kafka 4 does not have it any more.
    Former,
}

/// What values a setting takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// A 32-bit number between bounds.
    Int {
        /// The least value.
        min: i64,
        /// The greatest value.
        max: i64,
    },
    /// A 64-bit number.
    Long {
        /// The least value.
        min: i64,
    },
    /// A fraction from 0 to 1.
    Fraction,
    /// `true` or `false`.
    Bool,
    /// A switch that cannot be turned on here.
    Off,
    /// -1, or 1 to 9.
    GzipLevel,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// Some of these words, with commas between them.
    SomeOf(&'static [&'static str]),
    /// `partition:broker` pairs or `*`, with commas between them.
    Replicas,
}

/// One setting.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ConfigKey {
    /// Its name.
    pub name: &'static str,
    /// The broker's setting that gives its default; empty for none.
    pub broker_name: &'static str,
    /// Its values.
    pub kind: Kind,
    /// Its value where none is set.
    pub default: &'static str,
    /// Whether the broker acts by it.
    pub effect: Effect,
    /// What it means here.
    pub doc: &'static str,
}

/// The type of a setting's values, as clients are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueType {
    /// `true` or `false`.
    Bool,
    /// Text.
    Text,
    /// A 32-bit number.
    Int,
    /// A 64-bit number.
    Long,
    /// A fraction.
    Double,
    /// Words with commas between them.
    List,
}

/// Why a setting is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// No such setting.
    #[error("unknown topic config `{name}`")]
    UnknownName {
        /// What was asked for.
        name: String,
    },
    /// The value does not fit the type or its bounds.
    #[error("invalid value `{value}` for topic config {name}")]
    InvalidValue {
        /// The setting.
        name: &'static str,
        /// What was asked for.
        value: String,
    },
    /// Two settings contradict each other.
    #[error("min.compaction.lag.ms {min} is above max.compaction.lag.ms {max}")]
    Lag {
        /// `min.compaction.lag.ms`.
        min: i64,
        /// `max.compaction.lag.ms`.
        max: i64,
    },
    /// APPEND or SUBTRACT of a setting that is no list.
    #[error("topic config {name} is not a list; use SET or DELETE")]
    NotAList {
        /// The setting.
        name: &'static str,
    },
}

/// The setting of that name.
pub fn config_key(name: &str) -> Option<&'static ConfigKey> {
    CONFIG_KEYS.iter().find(|key| key.name == name)
}

impl ConfigKey {
    /// Checks a value by the setting's type.
    ///
    /// # Errors
    /// [`ConfigError::InvalidValue`].
    pub fn check(&self, value: &str) -> Result<(), ConfigError> {
        let trimmed = value.trim();
        let fits = match self.kind {
            Kind::Int { min, max } => {
                trimmed.parse::<i32>().is_ok_and(|n| (min..=max).contains(&i64::from(n)))
            }
            Kind::Long { min } => trimmed.parse::<i64>().is_ok_and(|n| min <= n),
            Kind::Fraction => trimmed.parse::<f64>().is_ok_and(|n| (0.0..=1.0).contains(&n)),
            Kind::Bool => ["true", "false"].iter().any(|word| trimmed.eq_ignore_ascii_case(word)),
            Kind::Off => trimmed.eq_ignore_ascii_case("false"),
            Kind::GzipLevel => trimmed.parse::<i32>().is_ok_and(|n| n == -1 || (1..=9).contains(&n)),
            Kind::OneOf(words) => words.contains(&trimmed),
            Kind::SomeOf(words) => split(trimmed).all(|word| words.contains(&word)),
            Kind::Replicas => trimmed == "*" || split(trimmed).all(is_replica),
        };
        if fits {
            Ok(())
        } else {
            Err(ConfigError::InvalidValue { name: self.name, value: value.to_owned() })
        }
    }

    fn is_list(&self) -> bool {
        self.value_type() == ValueType::List
    }

    /// The type of its values.
    pub const fn value_type(&self) -> ValueType {
        match self.kind {
            Kind::Int { .. } | Kind::GzipLevel => ValueType::Int,
            Kind::Long { .. } => ValueType::Long,
            Kind::Fraction => ValueType::Double,
            Kind::Bool | Kind::Off => ValueType::Bool,
            Kind::OneOf(_) => ValueType::Text,
            Kind::SomeOf(_) | Kind::Replicas => ValueType::List,
        }
    }
}

/// What IncrementalAlterConfigs does to one setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alteration<'a> {
    /// Sets the value.
    Set(&'a str),
    /// Back to the default.
    Delete,
    /// Adds words to a list.
    Append(&'a str),
    /// Takes words from a list.
    Subtract(&'a str),
}

/// The settings of one topic: only those that were set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KafkaConfigs(IndexMap<&'static str, String>);

impl KafkaConfigs {
    /// Sets all; nothing is kept when one is refused.
    ///
    /// # Errors
    /// [`ConfigError`] of the first that is refused.
    pub fn new<'a>(settings: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, ConfigError> {
        let mut configs = Self::default();
        for (name, value) in settings {
            configs.alter(name, Alteration::Set(value))?;
        }
        Ok(configs)
    }

    /// `cleanup.policy=compact` and nothing else: what a native topic with `cleanup.policy=COMPACTION` is to Kafka.
    pub fn compacted() -> Self {
        let key = config_key("cleanup.policy");
        Self(key.map(|key| (key.name, "compact".to_owned())).into_iter().collect())
    }

    /// Changes one setting; it stays as it was when the change is refused.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn alter(&mut self, name: &str, alteration: Alteration<'_>) -> Result<(), ConfigError> {
        if alteration == Alteration::Delete {
            // What nobody knows is not set either.
            self.0.shift_remove(name);
            return Ok(());
        }
        let key = config_key(name).ok_or_else(|| ConfigError::UnknownName { name: name.to_owned() })?;
        let value = match alteration {
            Alteration::Delete => return Ok(()),
            Alteration::Set(value) => value.to_owned(),
            Alteration::Append(_) | Alteration::Subtract(_) if !key.is_list() => {
                return Err(ConfigError::NotAList { name: key.name });
            }
            Alteration::Append(words) => {
                let present: Vec<&str> = split(self.value(key)).collect();
                let added = split(words).filter(|word| !present.contains(word));
                present.iter().copied().chain(added).collect::<Vec<_>>().join(",")
            }
            Alteration::Subtract(words) => {
                let gone: Vec<&str> = split(words).collect();
                split(self.value(key)).filter(|word| !gone.contains(word)).collect::<Vec<_>>().join(",")
            }
        };
        key.check(&value)?;
        self.0.insert(key.name, value);
        Ok(())
    }

    /// The settings that were set, in the order they were.
    pub fn set(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// The value of a setting, its default where none is set.
    pub fn value(&self, key: &ConfigKey) -> &str {
        self.0.get(key.name).map_or(key.default, String::as_str)
    }

    /// Whether old values of a key may go.
    pub fn is_compacted(&self) -> bool {
        let policy = config_key("cleanup.policy").map_or("", |key| self.value(key));
        split(policy).any(|word| word == "compact")
    }

    /// Checks what settings say together.
    ///
    /// # Errors
    /// [`ConfigError::Lag`].
    pub fn check_together(&self) -> Result<(), ConfigError> {
        let number = |name| config_key(name).and_then(|key| self.value(key).trim().parse().ok()).unwrap_or(0);
        let (min, max) = (number("min.compaction.lag.ms"), number("max.compaction.lag.ms"));
        if min <= max { Ok(()) } else { Err(ConfigError::Lag { min, max }) }
    }

    /// The values the broker acts by, read once; values were checked when they were set.
    pub fn effective(&self, defaults: &TopicDefaults) -> EffectiveConfigs {
        let text = |name| {
            let set = self.0.get(name).map(String::as_str);
            set.or_else(|| config_key(name).map(|key| defaults.value(key))).unwrap_or_default().trim()
        };
        let number = |name| text(name).parse::<i64>().unwrap_or(i64::MAX);
        let bound = |name: &str| {
            let set = self.0.get(name).and_then(|value| value.trim().parse::<i64>().ok());
            set.filter(|bound| 0 <= *bound)
        };
        let deletes = split(text("cleanup.policy")).any(|word| word == "delete");
        EffectiveConfigs {
            max_message_bytes: i32::try_from(number("max.message.bytes")).unwrap_or(i32::MAX),
            retention_ms: bound("retention.ms").filter(|_| deletes),
            retention_bytes: bound("retention.bytes").filter(|_| deletes),
            is_log_append_time: text("message.timestamp.type") == "LogAppendTime",
            is_compacted: self.is_compacted(),
            is_deleted_by_age: deletes,
            min_insync_replicas: i32::try_from(number("min.insync.replicas")).unwrap_or(i32::MAX),
            timestamp_before_max_ms: number("message.timestamp.before.max.ms"),
            timestamp_after_max_ms: number("message.timestamp.after.max.ms"),
        }
    }
}

/// The settings the broker acts by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EffectiveConfigs {
    /// Bytes a batch may have.
    pub max_message_bytes: i32,
    /// Age at which messages can no longer be read; `None`: they stay as long as their log file.
    pub retention_ms: Option<i64>,
    /// Stored bytes that a partition keeps; `None`: no bound.
    pub retention_bytes: Option<i64>,
    /// The broker stamps batches with its own time.
    pub is_log_append_time: bool,
    /// Old values of a key may go.
    pub is_compacted: bool,
    /// Old messages may go.
    pub is_deleted_by_age: bool,
    /// Replicas that acks=all needs.
    pub min_insync_replicas: i32,
    /// How far behind the broker's time a record's timestamp may be.
    pub timestamp_before_max_ms: i64,
    /// How far ahead of the broker's time a record's timestamp may be.
    pub timestamp_after_max_ms: i64,
}

fn split(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|word| !word.is_empty())
}

fn is_replica(pair: &str) -> bool {
    let parts = pair.split_once(':');
    parts.is_some_and(|(partition, broker)| partition.parse::<u32>().is_ok() && broker.parse::<u32>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, value: &str) -> bool {
        KafkaConfigs::new([(name, value)]).is_ok()
    }

    #[test]
    fn every_default_is_a_legal_value() {
        for key in CONFIG_KEYS {
            assert_eq!(key.check(key.default), Ok(()), "{}", key.name);
        }
    }

    #[test]
    fn refuses_unknown_names_only() {
        assert!(check("segment.ms", "1000"));
        let unknown = KafkaConfigs::new([("no.such", "1")]);
        assert_eq!(unknown, Err(ConfigError::UnknownName { name: "no.such".to_owned() }));
    }

    #[test]
    fn checks_values_by_type() {
        for (name, value) in [
            ("max.message.bytes", "-1"),
            ("max.message.bytes", "3000000000"),
            ("retention.ms", "-2"),
            ("min.insync.replicas", "0"),
            ("preallocate", "yes"),
            ("remote.storage.enable", "true"),
            ("compression.gzip.level", "0"),
            ("segment.bytes", "1000000"),
            ("cleanup.policy", "shred"),
            ("min.cleanable.dirty.ratio", "1.5"),
            ("min.cleanable.dirty.ratio", "NaN"),
            ("leader.replication.throttled.replicas", "a:b"),
        ] {
            assert!(!check(name, value), "{name}={value}");
        }
        for (name, value) in [
            ("retention.ms", "-1"),
            ("cleanup.policy", "compact,delete"),
            ("leader.replication.throttled.replicas", "0:1,1:2"),
            ("preallocate", "TRUE"),
        ] {
            assert!(check(name, value), "{name}={value}");
        }
    }

    #[test]
    fn gives_effective_values_with_defaults() {
        let built_in = TopicDefaults::default();
        let defaults = KafkaConfigs::default().effective(&built_in);
        assert_eq!((defaults.max_message_bytes, defaults.retention_ms), (1_048_588, None));
        assert_eq!((defaults.timestamp_before_max_ms, defaults.retention_bytes), (i64::MAX, None));
        assert!(defaults.is_deleted_by_age && !defaults.is_compacted);
        let configs =
            KafkaConfigs::new([("cleanup.policy", "compact"), ("message.timestamp.type", "LogAppendTime")]);
        let effective = configs.unwrap().effective(&built_in);
        assert!(effective.is_compacted && !effective.is_deleted_by_age && effective.is_log_append_time);
        let configured = built_in.with("max.message.bytes", "10".to_owned(), true);
        assert_eq!(KafkaConfigs::default().effective(&configured).max_message_bytes, 10);
    }

    #[test]
    fn retention_acts_where_it_is_set_and_the_policy_deletes() {
        let effective = |settings: &[(&str, &str)]| {
            let effective = KafkaConfigs::new(settings.iter().copied()).unwrap();
            let effective = effective.effective(&TopicDefaults::default());
            (effective.retention_ms, effective.retention_bytes)
        };
        assert_eq!(effective(&[("retention.ms", "7"), ("retention.bytes", "9")]), (Some(7), Some(9)));
        assert_eq!(effective(&[("retention.ms", "-1"), ("retention.bytes", "-1")]), (None, None));
        assert_eq!(effective(&[("retention.ms", "7"), ("cleanup.policy", "compact")]), (None, None));
    }

    #[test]
    fn settings_may_not_contradict_each_other() {
        let lags = |min| KafkaConfigs::new([("min.compaction.lag.ms", min), ("max.compaction.lag.ms", "5")]);
        assert_eq!(lags("5").unwrap().check_together(), Ok(()));
        assert_eq!(lags("6").unwrap().check_together(), Err(ConfigError::Lag { min: 6, max: 5 }));
    }

    #[test]
    fn appends_to_and_subtracts_from_lists_only() {
        let mut configs = KafkaConfigs::default();
        assert_eq!(configs.alter("cleanup.policy", Alteration::Append("compact")), Ok(()));
        assert_eq!(configs.set().collect::<Vec<_>>(), [("cleanup.policy", "delete,compact")]);
        assert_eq!(configs.alter("cleanup.policy", Alteration::Subtract("delete")), Ok(()));
        assert_eq!(configs.set().collect::<Vec<_>>(), [("cleanup.policy", "compact")]);
        let refused = configs.alter("retention.ms", Alteration::Append("1"));
        assert_eq!(refused, Err(ConfigError::NotAList { name: "retention.ms" }));
        assert_eq!(configs.alter("cleanup.policy", Alteration::Delete), Ok(()));
        assert_eq!(configs.alter("no.such", Alteration::Delete), Ok(()));
        assert_eq!(configs.set().count(), 0);
    }
}
