//! Opening a store: lock, side files, recovery, tail cut, and the marks that say it is open.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64};
use std::sync::{Arc, Mutex, RwLock};

use crate::append::WritePosition;
use crate::background::Bell;
use crate::commit_log::CommitLog;
use crate::config::{QueueKind, StoreConfig};
use crate::core::{Clock, Core};
use crate::disk::{self, Disk, Lock, Open};
use crate::error::OpenError;
use crate::flush::{Flusher, Poison};
use crate::flushed_mark::FlushedMark;
use crate::format::CommitOffset;
use crate::format::checkpoint::Checkpoint;
use crate::format::frame::{BLANK_LEN, MIN_LEN};
use crate::format::index::Shape;
use crate::key_index::{KeyIndexError, LeftBehind};
use crate::key_indexer::KeyIndexer;
use crate::queue_index::{Layout, QueueTable};
use crate::recover::{Progress, Recovered, Recovery, cut_tail};
use crate::{epoch, fence};

/// What happened at open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenReport {
    /// Whether the last stop was a clean one.
    pub clean: bool,
    /// Bytes of log that were scanned.
    pub scanned_bytes: u64,
    /// Bytes cut from the tail and kept under `gantry/cut-...`; 0 for none.
    pub cut_bytes: u64,
    /// Damaged ranges whose loss nobody accepted. Not empty: the store serves the rest and is not ready.
    pub damaged: Vec<fence::Fence>,
    /// Where the next frame goes.
    pub end: CommitOffset,
}

/// Everything `Store::open` is given.
pub(crate) struct Opening<'a> {
    pub(crate) config: StoreConfig,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) now: Clock,
    pub(crate) kinds: &'a dyn Fn(&str) -> QueueKind,
    pub(crate) progress: &'a mut dyn FnMut(Progress),
}

/// What a recovery fails with.
enum Refused {
    Io(io::Error),
    KeyIndex(KeyIndexError),
}

impl From<io::Error> for Refused {
    fn from(source: io::Error) -> Refused {
        Refused::Io(source)
    }
}

impl From<KeyIndexError> for Refused {
    fn from(error: KeyIndexError) -> Refused {
        Refused::KeyIndex(error)
    }
}

type Opened = (Core, Box<dyn Lock>, OpenReport);

impl Opening<'_> {
    pub(crate) fn open(self) -> Result<Opened, OpenError> {
        let root = self.config.root.clone();
        check_settings(&self.config)?;
        let io = |doing| move |source| OpenError::Io { doing, root: root.clone(), source };
        for dir in [self.config.root.clone(), self.config.commit_log_dir(), self.config.side_dir()] {
            self.disk.create_dirs(&dir).map_err(io.clone()("creating directories"))?;
        }
        let lock = self
            .disk
            .lock(&self.config.root.join("lock"))
            .map_err(|lock| OpenError::InUse { root: self.config.root.clone(), lock })?;
        let dir = self.config.commit_log_dir();
        let log = CommitLog::load(Arc::clone(&self.disk), dir, self.config.commit_log_file_size)?;
        let (core, report) = self.recover(log).map_err(|refused| match refused {
            Refused::Io(source) => io("recovering the store")(source),
            Refused::KeyIndex(error) => OpenError::KeyIndex(error),
        })?;
        Ok((core, lock, report))
    }

    fn recover(self, log: CommitLog) -> Result<(Core, OpenReport), Refused> {
        let side = self.config.side_dir();
        let left = self.enter()?;
        let queues = QueueTable::open(&self.disk, Layout::new(&self.config), &side.join("queues"))?;
        let (mark, flushed) = FlushedMark::open(&*self.disk, &side.join("flushed"))?;
        let by_java = flushed.is_none() || left.java_mark;
        let mut fences = fence::load(&*self.disk, &side.join("fences"))?;
        let known = fences.len();
        fences.retain(|fence| fence.end > log.min());
        let found = Recovery {
            config: &self.config,
            disk: &self.disk,
            log: &log,
            queues: &queues,
            kinds: self.kinds,
            flushed,
            checkpoint: left.checkpoint,
            unclean: left.unclean,
            by_java,
            fences: &mut fences,
            progress: self.progress,
        }
        .run()?;
        if fences.len() != known {
            fence::save(&*self.disk, &side.join("fences"), &fences)?;
        }
        let (epochs, cut_bytes) = settle_tail(&*self.disk, &log, &side, &found, (self.now)())?;
        if found.scanned > 0 || left.unclean {
            queues.trim_files()?;
        }
        let key_indexer = open_key_index(&self.config, &self.disk, &left, by_java, &found)?;
        let mut flusher = Flusher::new(mark, found.scanned_from.min(found.end));
        flusher.catch_up(&log, found.end)?;
        if left.java_mark {
            self.disk.unlink(&self.config.root.join(JAVA_MARK))?;
        }
        let report = OpenReport {
            clean: !left.unclean,
            scanned_bytes: found.scanned.max(0).cast_unsigned(),
            cut_bytes,
            damaged: fences.iter().filter(|fence| !fence.accepted).copied().collect(),
            end: found.end,
        };
        let file = log.file_at(found.end);
        let core = Core {
            position: Mutex::new(WritePosition::new(found.end, file, found.last, found.clock_ms)),
            written: AtomicI64::new(found.end.0),
            warm_from: found.end,
            retention: Mutex::new(self.config.retention),
            config: self.config,
            disk: self.disk,
            now: self.now,
            log,
            queues,
            key_indexer,
            flusher,
            poison: Poison::default(),
            refused: AtomicBool::new(false),
            epochs: RwLock::new(epochs),
            fences: Mutex::new(fences),
            checkpointed: Mutex::new(None),
            bell: Bell::default(),
        };
        Ok((core, report))
    }

    /// Looks how the directory was left, and marks it as open: from here on another start must recover,
    /// whatever happens to this one.
    fn enter(&self) -> io::Result<Left> {
        let root = &self.config.root;
        let abort = root.join("abort");
        let left = Left {
            unclean: self.disk.exists(&abort),
            java_mark: self.disk.exists(&root.join(JAVA_MARK)),
            checkpoint: load_checkpoint(&*self.disk, &root.join("checkpoint"))?,
        };
        let file = self.disk.open(&abort, Open::Create)?;
        disk::write_all(&*file, 0, std::process::id().to_string().as_bytes())?;
        self.disk.sync_dir(root)?;
        Ok(left)
    }
}

/// How the last process left the directory.
struct Left {
    unclean: bool,
    java_mark: bool,
    checkpoint: Option<Checkpoint>,
}

/// A Java broker leaves this beside `abort` and never removes it; we do, so it tells who came last.
const JAVA_MARK: &str = "abort.bak";

fn open_key_index(
    config: &StoreConfig,
    disk: &Arc<dyn Disk>,
    left: &Left,
    by_java: bool,
    found: &Recovered,
) -> Result<KeyIndexer, KeyIndexError> {
    let behind = match (left.unclean, by_java) {
        (false, _) => LeftBehind::Clean,
        (true, false) => LeftBehind::Crashed,
        (true, true) => LeftBehind::CrashedJava {
            index_msg_timestamp: left.checkpoint.map_or(0, |checkpoint| checkpoint.index_msg_timestamp),
        },
    };
    let shape = Shape { slots: config.index_slots, entries: config.index_entries };
    let dir = config.root.join("index");
    KeyIndexer::open(Arc::clone(disk), dir, shape, behind, found.end, found.indexed)
}

/// Cuts what stands behind the last frame; a cut begins a new leader epoch.
fn settle_tail(
    disk: &dyn Disk,
    log: &CommitLog,
    side: &Path,
    found: &Recovered,
    now_ms: i64,
) -> io::Result<(Vec<epoch::Epoch>, u64)> {
    let path = side.join("epochs");
    let mut epochs = epoch::load(disk, &path)?;
    let cut_bytes = cut_tail(disk, log, side, found.end, now_ms, &mut || {
        epoch::raise(&mut epochs, found.end);
        epoch::save(disk, &path, &epochs)
    })?;
    if cut_bytes > 0 {
        tracing::warn!(at = %found.end, bytes = cut_bytes, "cut a torn tail, its bytes are kept under gantry/");
    }
    Ok((epochs, cut_bytes))
}

fn load_checkpoint(disk: &dyn Disk, path: &Path) -> io::Result<Option<Checkpoint>> {
    match disk::read_file(disk, path) {
        Ok(content) => Ok(Checkpoint::decode(&content)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

fn check_settings(config: &StoreConfig) -> Result<(), OpenError> {
    let least = (MIN_LEN + BLANK_LEN) as u64;
    if config.commit_log_file_size < least || i32::try_from(config.commit_log_file_size).is_err() {
        let value = config.commit_log_file_size;
        return Err(OpenError::Setting { setting: "mappedFileSizeCommitLog", value });
    }
    Ok(())
}
