//! From assignments (file, environment, command line) to settings. The last assignment of a key counts.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use java_properties::{LineContent, PropertiesIter};

use super::fault::{ConfigError, Fault, Notice};
use super::key::{Key, Role};
use super::nearest::nearest;
use super::{Settings, keys, known};
use crate::limits;

/// Where a value was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A line of a file, from 1.
    File(PathBuf, usize),
    /// A variable of the environment.
    Environment(String),
    /// An order of an administrator, saved by the broker.
    Administrator,
    /// An option of the command line.
    CommandLine(&'static str),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::File(path, line) => write!(f, "{}:{line}", path.display()),
            Source::Environment(name) => write!(f, "environment {name}"),
            Source::Administrator => f.write_str("changed by an administrator"),
            Source::CommandLine(option) => write!(f, "option {option}"),
        }
    }
}

/// One `key=value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// As written.
    pub key: String,
    /// As written, without the space around it.
    pub value: String,
    /// Where.
    pub at: Source,
}

/// Settings, and how they came about.
#[derive(Debug, Default)]
pub struct Loaded {
    /// What holds.
    pub settings: Settings,
    /// What is probably not meant; to be logged.
    pub notices: Vec<Notice>,
    /// Where each key that was set was set, by its name in the table.
    pub sources: HashMap<&'static str, Source>,
}

/// Reads a properties file as Java does (ISO-8859-1, `=`, `:` or space, `\` continues a line). Blocks.
///
/// # Errors
/// When the file cannot be read or a line is malformed.
pub fn read_file(path: &Path) -> Result<Vec<Assignment>, ConfigError> {
    let unreadable = |source| Fault::Unreadable { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(limits::CONFIG_FILE_SIZE + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if u64::try_from(bytes.len()).is_ok_and(|size| limits::CONFIG_FILE_SIZE < size) {
        return Err(Fault::TooLarge { path: path.to_owned() }.into());
    }
    let mut assignments = Vec::new();
    for line in PropertiesIter::new(bytes.as_slice()) {
        let line = line.map_err(|error| Fault::Syntax {
            path: path.to_owned(),
            line: error.line_number().unwrap_or_default(),
            what: error.to_string(),
        })?;
        let at = Source::File(path.to_owned(), line.line_number());
        if let LineContent::KVPair(key, value) = line.consume_content() {
            assignments.push(Assignment { key, value: value.trim().to_owned(), at });
        }
    }
    Ok(assignments)
}

/// Variables that commands read as options, and that are no keys: where a broker is, and how long to wait.
const OPTIONS: [&str; 5] = ["NAMESRV", "BROKER", "KAFKA", "HTTP", "TIMEOUT"];

/// The `GANTRY_*` variables: the key in upper snake case (`GANTRY_FLUSH_DISK_TYPE`, `GANTRY_NUM_PARTITIONS`).
/// A variable that names no key keeps its name and becomes a notice.
pub fn from_environment(variables: impl Iterator<Item = (OsString, OsString)>) -> Vec<Assignment> {
    let assignment = |(name, value): (OsString, OsString)| {
        let (name, value) = (name.into_string().ok()?, value.to_string_lossy().trim().to_owned());
        let snake = name.strip_prefix("GANTRY_").filter(|snake| !OPTIONS.contains(snake))?;
        let key = keys().find(|key| snake_case(key.name) == snake).map_or(snake, |key| key.name);
        Some(Assignment { key: key.to_owned(), value, at: Source::Environment(name) })
    };
    let mut all: Vec<Assignment> = variables.filter_map(assignment).collect();
    all.sort_by(|a, b| a.key.cmp(&b.key));
    all
}

/// `brokerIP1` is `BROKER_IP1`, `num.partitions` is `NUM_PARTITIONS`.
fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    let mut after_small = false;
    for c in name.chars() {
        if c.is_ascii_uppercase() && after_small {
            snake.push('_');
        }
        after_small = c.is_ascii_lowercase();
        snake.push(if c == '.' { '_' } else { c.to_ascii_uppercase() });
    }
    snake
}

/// Applies `assignments` in order on top of the defaults. `strict` turns every notice into a fault.
///
/// # Errors
/// All faults at once.
pub fn load(assignments: Vec<Assignment>, role: Role, strict: bool) -> Result<Loaded, ConfigError> {
    let mut loaded = Loaded::default();
    let mut faults = Vec::new();
    for assignment in assignments {
        if let Err(fault) = apply(&mut loaded, assignment, role) {
            faults.push(fault);
        }
    }
    faults.extend(conflicts(&loaded.settings).into_iter().map(Fault::Conflict));
    if strict {
        faults.extend(loaded.notices.drain(..).map(Fault::Strict));
    }
    if faults.is_empty() { Ok(loaded) } else { Err(ConfigError(faults)) }
}

fn apply(loaded: &mut Loaded, assignment: Assignment, role: Role) -> Result<(), Fault> {
    let Assignment { key: name, value, at } = assignment;
    let Some(key) = find(known::canonical(role, &name)) else {
        if let Some(why) = known::refusal(&name, &value) {
            return Err(Fault::Unsupported { at, key: name, value, why });
        }
        loaded.notices.push(notice(name, at));
        return Ok(());
    };
    if !(key.set)(&mut loaded.settings, &value) {
        return Err(Fault::BadValue { at, key: key.name, value, unit: key.unit, allowed: key.allowed });
    }
    loaded.sources.insert(key.name, at);
    Ok(())
}

fn find(name: &str) -> Option<&'static Key> {
    keys().find(|key| key.name == name)
}

fn notice(key: String, at: Source) -> Notice {
    if known::is_without_effect(&key) {
        return Notice::WithoutEffect { at, key };
    }
    let candidates = keys().map(|row| row.name).chain(known::names_without_effect());
    let nearest = match &at {
        Source::Environment(_) => nearest(&key.replace('_', ""), candidates),
        Source::File(..) | Source::Administrator | Source::CommandLine(_) => nearest(&key, candidates),
    };
    Notice::Unknown { at, key, nearest }
}

/// Values that are each allowed and do not fit together.
fn conflicts(settings: &Settings) -> Vec<String> {
    let (store, kafka) = (&settings.store, &settings.kafka);
    let mut found = Vec::new();
    let mut demand = |holds: bool, what: String| {
        if !holds {
            found.push(what);
        }
    };
    demand(
        store.keeps_commit_log_below_root(),
        format!(
            "storePathCommitLog must be {}: move or link the directory",
            store.root.join("commitlog").display()
        ),
    );
    let (unit, size) = (20, store.consume_queue_file_size);
    demand(size % unit == 0, format!("mappedFileSizeConsumeQueue={size} is not a multiple of {unit}"));
    let (unit, size) = (46, store.batch_consume_queue_file_size);
    demand(size % unit == 0, format!("mapperFileSizeBatchConsumeQueue={size} is not a multiple of {unit}"));
    let (used, forcibly, warning) =
        (store.disk_max_used_percent, store.disk_clean_forcibly_percent, store.disk_warning_percent);
    demand(
        used <= forcibly && forcibly <= warning,
        format!(
            "diskMaxUsedSpaceRatio={used}, diskSpaceCleanForciblyRatio={forcibly} and \
             diskSpaceWarningLevelRatio={warning} must not decrease"
        ),
    );
    let (least, most) = (kafka.min_session_timeout_ms, kafka.max_session_timeout_ms);
    demand(
        least <= most,
        format!("group.min.session.timeout.ms={least} is above group.max.session.timeout.ms={most}"),
    );
    found
}

#[cfg(test)]
mod tests;
