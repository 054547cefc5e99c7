//! Keeps the key-value configuration on disk: one thread, the newest table wins, answers wait for their version.
//!
//! The file is RocketMQ's `kvConfig.json`: `{"configTable":{"NAMESPACE":{"key":"value"}}}`.
//! Source: RocketMQ 5.3.3 `namesrv/kvconfig/KVConfigManager.java`, `KVConfigSerializeWrapper.java`.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::thread::JoinHandle;

use gantry_store::state_file::{LoadError, StateFile};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use tracing::error;

use crate::semantics::routes::kv::KvConfig;

/// The content of `kvConfig.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct KvFile {
    config_table: IndexMap<String, IndexMap<String, String>>,
}

impl From<&KvConfig> for KvFile {
    fn from(kv: &KvConfig) -> Self {
        Self {
            config_table: kv
                .iter()
                .map(|(namespace, values)| (namespace.to_owned(), values.clone()))
                .collect(),
        }
    }
}

/// A point in the order of changes; later ones are larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version(u64);

/// The file could not be written; the cause stands in the log, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name server could not write its key-value file; its log names the cause")]
pub struct KvKeepError;

#[derive(Debug, Default)]
struct State {
    wanted: u64,
    done: u64,
    failed: u64,
    due: Option<KvFile>,
    wakers: Vec<Waker>,
    stop: bool,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    work: Condvar,
}

/// The file and the thread that writes it; dropping it writes what is due and joins the thread.
#[derive(Debug)]
pub struct KvKeeper {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// Why the key-value file cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum KvOpenError {
    /// It cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The system starts no thread for it.
    #[error("the system starts no thread for the key-value file")]
    Thread(#[source] io::Error),
}

impl KvKeeper {
    /// Reads `file` and starts the thread that writes it. Blocks.
    ///
    /// # Errors
    /// [`KvOpenError`].
    pub fn open(file: StateFile) -> Result<(Self, KvConfig), KvOpenError> {
        let saved: KvFile = file.load()?.map(|(saved, _)| saved).unwrap_or_default();
        let shared = Arc::new(Shared::default());
        let writer = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("gantry-kv".into())
            .spawn(move || writer.run(&file))
            .map_err(KvOpenError::Thread)?;
        Ok((Self { shared, thread: Some(thread) }, KvConfig::new(saved.config_table)))
    }

    /// Asks for the table to be written. Never blocks on the disk.
    pub(super) fn keep(&self, kv: &KvConfig) -> Version {
        let mut state = self.shared.lock();
        state.due = Some(kv.into());
        state.wanted += 1;
        self.shared.work.notify_one();
        Version(state.wanted)
    }

    /// The newest version that was asked for.
    pub(super) fn latest(&self) -> Version {
        Version(self.shared.lock().wanted)
    }

    /// Ready once the file holds `version` or could not be written; else `waker` is woken when that changes.
    pub(super) fn poll(&self, version: Version, waker: &Waker) -> Poll<Result<(), KvKeepError>> {
        let mut state = self.shared.lock();
        if version.0 <= state.done {
            return Poll::Ready(Ok(()));
        }
        if version.0 <= state.failed {
            return Poll::Ready(Err(KvKeepError));
        }
        if !state.wakers.iter().any(|known| known.will_wake(waker)) {
            state.wakers.push(waker.clone());
        }
        Poll::Pending
    }
}

impl Drop for KvKeeper {
    fn drop(&mut self) {
        self.shared.lock().stop = true;
        self.shared.work.notify_one();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            error!("the thread of the key-value file panicked");
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, file: &StateFile) {
        while let Some((content, version)) = self.next() {
            let written = file.save(&content);
            if let Err(error) = &written {
                error!(path = %file.path().display(), %error, "the key-value file cannot be written");
            }
            self.finish(version, written.is_ok());
        }
    }

    /// The newest table that is not written yet; `None` when there is none and the thread has to end.
    fn next(&self) -> Option<(KvFile, u64)> {
        let mut state = self.lock();
        loop {
            if let Some(due) = state.due.take() {
                return Some((due, state.wanted));
            }
            if state.stop {
                return None;
            }
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn finish(&self, version: u64, is_written: bool) {
        let mut state = self.lock();
        if is_written {
            state.done = version;
        } else {
            state.failed = version;
        }
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }
}
