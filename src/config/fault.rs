//! What can be wrong with a configuration: all of it is reported at once, each with where it was set.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::key::{Allowed, Unit};
use super::load::Source;
use crate::limits;

/// Something that stops the start.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The file cannot be read.
    #[error("{}: cannot read the configuration: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file cannot be a configuration.
    #[error("{}: larger than {} bytes; this is no configuration file", path.display(), limits::CONFIG_FILE_SIZE)]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The file is not in Java's property format.
    #[error("{}:{line}: not a line of a properties file (name=value): {what}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What the reader said.
        what: String,
    },
    /// A value that the key does not take.
    #[error("{at}: {key}={value}: not a value in {unit}; allowed: {allowed}")]
    BadValue {
        /// Where it was set.
        at: Source,
        /// The key.
        key: &'static str,
        /// The text.
        value: String,
        /// What it counts.
        unit: Unit,
        /// What would be taken.
        allowed: Allowed,
    },
    /// A value that asks for what does not exist here, and must not be ignored.
    #[error("{at}: {key}={value}: {why}; remove the line to start without it")]
    Unsupported {
        /// Where it was set.
        at: Source,
        /// The key.
        key: String,
        /// The text.
        value: String,
        /// What is missing.
        why: &'static str,
    },
    /// Two values that do not fit each other.
    #[error("{0}")]
    Conflict(String),
    /// A notice that `--strict` does not let pass.
    #[error("{0} (refused by --strict)")]
    Strict(Notice),
}

/// Something that is taken, but probably not what was meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// RocketMQ or Kafka knows the key; it changes nothing here.
    WithoutEffect {
        /// Where it was set.
        at: Source,
        /// The key.
        key: String,
    },
    /// Nobody knows the key.
    Unknown {
        /// Where it was set.
        at: Source,
        /// The key.
        key: String,
        /// The key that was probably meant.
        nearest: Option<&'static str>,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Notice::WithoutEffect { at, key } => write!(f, "{at}: {key} is accepted and has no effect here"),
            Notice::Unknown { at, key, nearest: Some(nearest) } => {
                write!(f, "{at}: unknown key {key}; did you mean {nearest}?")
            }
            Notice::Unknown { at, key, nearest: None } => {
                write!(f, "{at}: unknown key {key}; `gantry config explain` lists all keys")
            }
        }
    }
}

/// All faults of a configuration; never empty.
#[derive(Debug)]
pub struct ConfigError(pub Vec<Fault>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.0.iter().map(Fault::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for ConfigError {}

impl From<Fault> for ConfigError {
    fn from(fault: Fault) -> ConfigError {
        ConfigError(vec![fault])
    }
}
