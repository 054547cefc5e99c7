//! A JSON state file of RocketMQ (`config/topics.json` and its neighbours) with its previous content in `.bak`.
//!
//! Writing never leaves less than one whole content behind: temporary name, sync, the old file becomes `.bak`, the
//! new one takes its name, the directory is synced. Reading takes `.bak` where the file is missing, empty or
//! unreadable. What the JSON means is the caller's business.
//!
//! RocketMQ writes integer map keys without quotes (`{0:100}`); those are read, and written with quotes, which
//! its parser takes as well.
//!
//! Source: RocketMQ 5.3.3 `common/ConfigManager.java`, `common/MixAll.java` (`string2File`).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::ser::PrettyFormatter;

use crate::disk::{Disk, Open, read_file, write_all};

/// One state file. Cheap to clone; two clones must not save at the same time.
#[derive(Clone, Debug)]
pub struct StateFile {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    /// Whether the file is known to hold JSON: it was read or written by us.
    is_whole: Arc<AtomicBool>,
}

/// Which of the two files was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The file itself.
    File,
    /// `.bak`, because the file is missing, empty or unreadable: its content is older than the last save.
    Backup,
}

/// Why a state file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The disk refused.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the disk says.
        source: io::Error,
    },
    /// The file holds something else, and there is no `.bak` that holds what is expected.
    #[error("{path} and its .bak hold no usable JSON; restore one of them or remove both to start without")]
    Parse {
        /// The file.
        path: PathBuf,
        /// What is wrong with the file, or with `.bak` where the file is missing.
        source: serde_json::Error,
    },
}

/// Why a state file could not be written.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// The value has no JSON form.
    #[error("state for {path} has no JSON form")]
    Encode {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The disk refused; the old content is still there, in the file or in `.bak`.
    #[error("cannot write {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the disk says.
        source: io::Error,
    },
}

impl StateFile {
    /// The state file at `path`, which need not exist.
    #[must_use]
    pub fn new(disk: Arc<dyn Disk>, path: PathBuf) -> StateFile {
        StateFile { disk, path, is_whole: Arc::default() }
    }

    /// Its name.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the file, or `.bak` in its place; `None` when neither exists or both are empty. Blocks.
    ///
    /// # Errors
    /// A disk error other than a missing file; content that is not a `T` in every file there is.
    pub fn load<T: DeserializeOwned>(&self) -> Result<Option<(T, Origin)>, LoadError> {
        let damage = match self.load_one(&self.path)? {
            Some(Ok(value)) => {
                self.is_whole.store(true, Ordering::Relaxed);
                return Ok(Some((value, Origin::File)));
            }
            Some(Err(damage)) => Some(damage),
            None => None,
        };
        let parse = |source| LoadError::Parse { path: self.path.clone(), source };
        match self.load_one(&with_suffix(&self.path, ".bak"))? {
            Some(Ok(value)) => Ok(Some((value, Origin::Backup))),
            Some(Err(source)) => Err(parse(damage.unwrap_or(source))),
            None => damage.map_or(Ok(None), |source| Err(parse(source))),
        }
    }

    /// Makes `value` the content, durably. Blocks for two syncs.
    ///
    /// # Errors
    /// A value without JSON form; whatever the disk refuses.
    pub fn save<T: Serialize + ?Sized>(&self, value: &T) -> Result<(), SaveError> {
        let content =
            to_json(value).map_err(|source| SaveError::Encode { path: self.path.clone(), source })?;
        self.replace(&content).map_err(|source| SaveError::Write { path: self.path.clone(), source })
    }

    fn replace(&self, content: &[u8]) -> io::Result<()> {
        let temporary = with_suffix(&self.path, ".tmp");
        if let Some(dir) = self.path.parent() {
            self.disk.create_dirs(dir)?;
        }
        let file = self.disk.open(&temporary, Open::Truncate)?;
        write_all(&*file, 0, content)?;
        file.sync()?;
        if self.is_worth_keeping() {
            self.disk.rename(&self.path, &with_suffix(&self.path, ".bak"))?;
        }
        self.disk.rename(&temporary, &self.path)?;
        self.path.parent().map_or(Ok(()), |dir| self.disk.sync_dir(dir))?;
        self.is_whole.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Whether the file may replace `.bak`. A damaged one must not: until the new content has its name, `.bak` may
    /// be all there is.
    fn is_worth_keeping(&self) -> bool {
        let is_json = || matches!(self.load_one::<IgnoredAny>(&self.path), Ok(Some(Ok(_))));
        self.disk.exists(&self.path) && (self.is_whole.load(Ordering::Relaxed) || is_json())
    }

    /// `None` for a missing or empty file.
    fn load_one<T: DeserializeOwned>(&self, path: &Path) -> Result<Option<serde_json::Result<T>>, LoadError> {
        let content = match read_file(&*self.disk, path) {
            Ok(content) => content,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(LoadError::Read { path: path.to_owned(), source }),
        };
        let is_empty = content.iter().all(u8::is_ascii_whitespace);
        Ok((!is_empty).then(|| from_json(&content)))
    }
}

/// JSON with tabs, as RocketMQ prints its state files.
///
/// # Errors
/// A value without JSON form: a map whose keys are neither text nor numbers.
pub fn to_json<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<Vec<u8>> {
    let mut out = Vec::new();
    value.serialize(&mut serde_json::Serializer::with_formatter(
        &mut out,
        PrettyFormatter::with_indent(b"\t"),
    ))?;
    Ok(out)
}

/// JSON whose object keys may be integers without quotes.
///
/// # Errors
/// Anything else that is not a `T` in JSON.
pub fn from_json<T: DeserializeOwned>(text: &[u8]) -> serde_json::Result<T> {
    serde_json::from_slice(&quote_integer_keys(text))
}

/// Puts quotes around the integers that stand before a colon.
///
/// Outside of strings a number before a colon can only be a key, so no state besides "in a string" is needed.
fn quote_integer_keys(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + text.len() / 8);
    let mut rest = text;
    while let Some((first, behind)) = rest.split_first() {
        let token = match first {
            b'"' => string_len(behind) + 1,
            b'-' | b'0'..=b'9' => integer_len(behind) + 1,
            _ => 1,
        };
        let (token, behind) = rest.split_at_checked(token).unwrap_or((rest, &[]));
        let is_key =
            *first != b'"' && token.last().is_some_and(u8::is_ascii_digit) && begins_with_colon(behind);
        if is_key {
            out.push(b'"');
        }
        out.extend_from_slice(token);
        if is_key {
            out.push(b'"');
        }
        rest = behind;
    }
    out
}

/// Bytes of a string up to and including its closing quote, the opening one left out.
fn string_len(text: &[u8]) -> usize {
    let mut escaped = false;
    for (at, byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn integer_len(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

fn begins_with_colon(text: &[u8]) -> bool {
    text.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b':')
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::*;
    use crate::disk::{Fault, SimDisk};

    fn file(disk: &SimDisk) -> StateFile {
        StateFile::new(Arc::new(disk.clone()), PathBuf::from("/store/config/topics.json"))
    }

    fn put(disk: &SimDisk, name: &str, content: &[u8]) {
        disk.create_dirs(Path::new("/store/config")).unwrap();
        let file = disk.open(&Path::new("/store/config").join(name), Open::Truncate).unwrap();
        write_all(&*file, 0, content).unwrap();
    }

    #[test]
    fn reads_integer_keys_without_quotes() {
        let text = br#"{"offsetTable":{"T@G":{0:100,1 : 7,-2:3
            }}, "text":"a {1:2} \" 3:4", "n":[1,2.5e3,-1]}"#;
        let value: Value = from_json(text).unwrap();
        assert_eq!(value["offsetTable"]["T@G"], json!({"0": 100, "1": 7, "-2": 3}));
        assert_eq!((&value["text"], &value["n"]), (&json!("a {1:2} \" 3:4"), &json!([1, 2500.0, -1])));
    }

    #[test]
    fn integer_keyed_maps_make_the_round_trip() {
        let offsets = BTreeMap::from([("T@G", BTreeMap::from([(0, 100), (1, 7)]))]);
        let text = to_json(&offsets).unwrap();
        assert_eq!(text, b"{\n\t\"T@G\": {\n\t\t\"0\": 100,\n\t\t\"1\": 7\n\t}\n}");
        let read: BTreeMap<String, BTreeMap<i32, i64>> = from_json(&text).unwrap();
        assert_eq!(read["T@G"][&1], 7);
    }

    #[test]
    fn keeps_the_previous_content() {
        let disk = SimDisk::new(1);
        let state = file(&disk);
        assert!(state.load::<Value>().unwrap().is_none());
        state.save(&json!(1)).unwrap();
        state.save(&json!(2)).unwrap();
        assert_eq!(state.load::<Value>().unwrap(), Some((json!(2), Origin::File)));
        assert_eq!(read_file(&disk, Path::new("/store/config/topics.json.bak")).unwrap(), b"1");
    }

    #[test]
    fn takes_the_backup_for_missing_empty_and_damaged_files() {
        for content in [None, Some(&b""[..]), Some(b" \n"), Some(b"{\"a\":"), Some(b"[1")] {
            let disk = SimDisk::new(1);
            put(&disk, "topics.json.bak", b"{0:1}");
            content.iter().for_each(|content| put(&disk, "topics.json", content));
            let loaded = file(&disk).load::<Value>().unwrap();
            assert_eq!(loaded, Some((json!({"0": 1}), Origin::Backup)));
        }
    }

    #[test]
    fn says_so_when_nothing_is_usable() {
        let disk = SimDisk::new(1);
        put(&disk, "topics.json", b"{");
        assert!(matches!(file(&disk).load::<Value>(), Err(LoadError::Parse { .. })));
        put(&disk, "topics.json.bak", b"}");
        assert!(matches!(file(&disk).load::<Value>(), Err(LoadError::Parse { .. })));
    }

    #[test]
    fn a_damaged_file_never_becomes_the_backup() {
        let disk = SimDisk::new(1);
        put(&disk, "topics.json", b"{");
        put(&disk, "topics.json.bak", b"1");
        let state = file(&disk);
        assert_eq!(state.load::<Value>().unwrap(), Some((json!(1), Origin::Backup)));
        state.save(&json!(2)).unwrap();
        assert_eq!(read_file(&disk, Path::new("/store/config/topics.json.bak")).unwrap(), b"1");
        assert_eq!(state.load::<Value>().unwrap(), Some((json!(2), Origin::File)));
    }

    #[test]
    fn a_content_survives_a_crash_at_every_call() {
        for call in 0.. {
            let disk = SimDisk::new(call);
            let state = file(&disk);
            state.save(&json!("old")).unwrap();
            disk.fail_at(disk.calls() + call, Fault::Crash);
            let saved = state.save(&json!("new")).is_ok();
            for after in [disk.after_kill(), disk.after_power_loss(call)] {
                let (value, _) = file(&after).load::<Value>().unwrap().unwrap();
                assert!(value == "new" || (value == "old" && !saved), "call {call}: {value}");
            }
            if saved {
                return;
            }
        }
    }
}
