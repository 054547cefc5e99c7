//! Topic settings as Kafka clients name them: which have an effect, which are kept without one, which are
//! refused; their types, bounds and defaults.
//!
//! Refusing settings that the original knows broke ksqlDB, Connect and Admin users of other brokers, so every
//! name of Kafka's `TopicConfig` is taken and checked by type; only unknown names are refused.
//!
//! Source: Kafka 4.1 `TopicConfig.java`, `LogConfig.java`.

use indexmap::IndexMap;

/// What a setting does here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The broker acts by it.
    Honoured,
    /// Kept and shown, without effect.
    Kept,
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
    /// Its values.
    pub kind: Kind,
    /// Its value where none is set.
    pub default: &'static str,
    /// Whether the broker acts by it.
    pub effect: Effect,
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
    /// APPEND or SUBTRACT of a setting that is no list.
    #[error("topic config {name} is not a list; use SET or DELETE")]
    NotAList {
        /// The setting.
        name: &'static str,
    },
}

const INT: Kind = Kind::Int { min: 0, max: i32::MAX as i64 };
const LONG: Kind = Kind::Long { min: 0 };
const FOREVER: &str = "9223372036854775807";
const CODECS: Kind = Kind::OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]);

const fn honoured(name: &'static str, kind: Kind, default: &'static str) -> ConfigKey {
    ConfigKey { name, kind, default, effect: Effect::Honoured }
}

const fn kept(name: &'static str, kind: Kind, default: &'static str) -> ConfigKey {
    ConfigKey { name, kind, default, effect: Effect::Kept }
}

/// Every setting a topic has, by name.
pub const CONFIG_KEYS: &[ConfigKey] = &[
    honoured("cleanup.policy", Kind::SomeOf(&["compact", "delete"]), "delete"),
    kept("compression.gzip.level", Kind::Int { min: -1, max: 9 }, "-1"),
    kept("compression.lz4.level", Kind::Int { min: 1, max: 17 }, "9"),
    kept("compression.type", CODECS, "producer"),
    kept("compression.zstd.level", Kind::Int { min: -131_072, max: 22 }, "3"),
    kept("delete.retention.ms", LONG, "86400000"),
    kept("file.delete.delay.ms", LONG, "60000"),
    kept("flush.messages", Kind::Long { min: 1 }, FOREVER),
    kept("flush.ms", LONG, FOREVER),
    kept("follower.replication.throttled.replicas", Kind::Replicas, ""),
    kept("index.interval.bytes", INT, "4096"),
    kept("leader.replication.throttled.replicas", Kind::Replicas, ""),
    kept("local.retention.bytes", Kind::Long { min: -2 }, "-2"),
    kept("local.retention.ms", Kind::Long { min: -2 }, "-2"),
    kept("max.compaction.lag.ms", Kind::Long { min: 1 }, FOREVER),
    honoured("max.message.bytes", INT, "1048588"),
    kept("message.downconversion.enable", Kind::Bool, "true"),
    kept("message.format.version", Kind::OneOf(&["3.0-IV1"]), "3.0-IV1"),
    honoured("message.timestamp.after.max.ms", LONG, "3600000"),
    honoured("message.timestamp.before.max.ms", LONG, FOREVER),
    kept("message.timestamp.difference.max.ms", LONG, FOREVER),
    honoured("message.timestamp.type", Kind::OneOf(&["CreateTime", "LogAppendTime"]), "CreateTime"),
    kept("min.cleanable.dirty.ratio", Kind::Fraction, "0.5"),
    kept("min.compaction.lag.ms", LONG, "0"),
    honoured("min.insync.replicas", Kind::Int { min: 1, max: i32::MAX as i64 }, "1"),
    kept("preallocate", Kind::Bool, "false"),
    kept("remote.log.copy.disable", Kind::Bool, "false"),
    kept("remote.log.delete.on.disable", Kind::Bool, "false"),
    kept("remote.storage.enable", Kind::Bool, "false"),
    kept("retention.bytes", Kind::Long { min: i64::MIN }, "-1"),
    kept("retention.ms", Kind::Long { min: -1 }, "604800000"),
    kept("segment.bytes", Kind::Int { min: 14, max: i32::MAX as i64 }, "1073741824"),
    kept("segment.index.bytes", Kind::Int { min: 4, max: i32::MAX as i64 }, "10485760"),
    kept("segment.jitter.ms", LONG, "0"),
    kept("segment.ms", Kind::Long { min: 1 }, "604800000"),
    kept("unclean.leader.election.enable", Kind::Bool, "false"),
];

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
        matches!(self.kind, Kind::SomeOf(_) | Kind::Replicas)
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
        let key = config_key(name).ok_or_else(|| ConfigError::UnknownName { name: name.to_owned() })?;
        let value = match alteration {
            Alteration::Delete => {
                self.0.shift_remove(key.name);
                return Ok(());
            }
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

    /// The values the broker acts by, read once; values were checked when they were set.
    pub fn effective(&self) -> EffectiveConfigs {
        let text = |name| config_key(name).map_or("", |key| self.value(key).trim());
        let number = |name| text(name).parse::<i64>().unwrap_or(i64::MAX);
        EffectiveConfigs {
            max_message_bytes: i32::try_from(number("max.message.bytes")).unwrap_or(i32::MAX),
            retention_ms: number("retention.ms"),
            is_log_append_time: text("message.timestamp.type") == "LogAppendTime",
            is_compacted: split(text("cleanup.policy")).any(|word| word == "compact"),
            is_deleted_by_age: split(text("cleanup.policy")).any(|word| word == "delete"),
            compression: Compression::named(text("compression.type")),
            min_insync_replicas: i32::try_from(number("min.insync.replicas")).unwrap_or(i32::MAX),
            timestamp_before_max_ms: number("message.timestamp.before.max.ms"),
            timestamp_after_max_ms: number("message.timestamp.after.max.ms"),
        }
    }
}

/// How batches are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// As the producer sent them.
    Producer,
    /// Not compressed.
    Uncompressed,
    /// gzip.
    Gzip,
    /// snappy.
    Snappy,
    /// lz4.
    Lz4,
    /// zstd.
    Zstd,
}

impl Compression {
    fn named(name: &str) -> Self {
        match name {
            "uncompressed" => Self::Uncompressed,
            "gzip" => Self::Gzip,
            "snappy" => Self::Snappy,
            "lz4" => Self::Lz4,
            "zstd" => Self::Zstd,
            _ => Self::Producer,
        }
    }
}

/// The settings the broker acts by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EffectiveConfigs {
    /// Bytes a batch may have.
    pub max_message_bytes: i32,
    /// Age at which messages may go; -1 keeps them.
    pub retention_ms: i64,
    /// The broker stamps batches with its own time.
    pub is_log_append_time: bool,
    /// Old values of a key may go.
    pub is_compacted: bool,
    /// Old messages may go.
    pub is_deleted_by_age: bool,
    /// How batches are stored.
    pub compression: Compression,
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
        let defaults = KafkaConfigs::default().effective();
        assert_eq!((defaults.max_message_bytes, defaults.retention_ms), (1_048_588, 604_800_000));
        assert_eq!(
            (defaults.timestamp_before_max_ms, defaults.compression),
            (i64::MAX, Compression::Producer)
        );
        assert!(defaults.is_deleted_by_age && !defaults.is_compacted);
        let configs =
            KafkaConfigs::new([("cleanup.policy", "compact"), ("message.timestamp.type", "LogAppendTime")]);
        let effective = configs.unwrap().effective();
        assert!(effective.is_compacted && !effective.is_deleted_by_age && effective.is_log_append_time);
    }

    #[test]
    fn appends_to_and_subtracts_from_lists_only() {
        let mut configs = KafkaConfigs::default();
        assert_eq!(configs.alter("cleanup.policy", Alteration::Append("compact")), Ok(()));
        assert_eq!(configs.set().collect::<Vec<_>>(), [("cleanup.policy", "delete,compact")]);
        assert_eq!(configs.alter("cleanup.policy", Alteration::Subtract("delete")), Ok(()));
        assert!(configs.effective().is_compacted);
        let refused = configs.alter("retention.ms", Alteration::Append("1"));
        assert_eq!(refused, Err(ConfigError::NotAList { name: "retention.ms" }));
        assert_eq!(configs.alter("cleanup.policy", Alteration::Delete), Ok(()));
        assert_eq!(configs.set().count(), 0);
    }
}
