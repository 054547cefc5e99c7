//! Feeding the key index behind the append: from memory while it keeps up, from the log when it does not.
//!
//! The append leaves hashes in a bounded list and never waits. When the list overflows, or after an open, the
//! distance is walked in the log; both ways put the same entries in the same order.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::append_batch::AppendBatch;
use crate::commit_log::CommitLog;
use crate::disk::{Disk, Open};
use crate::format::hash::index_key_hash;
use crate::format::index::Shape;
use crate::format::{CommitOffset, FrameView, properties};
use crate::key_index::{KeyIndex, KeyIndexError, LeftBehind};
use crate::scan::{Scanner, Step};

#[derive(Debug)]
pub(crate) struct KeyIndexer {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    shape: Shape,
    pending: Mutex<Pending>,
    state: Mutex<State>,
}

/// Hashes of the frames in `[from, to)`, in log order.
#[derive(Debug)]
struct Pending {
    from: CommitOffset,
    to: CommitOffset,
    hashes: Vec<Hash>,
}

#[derive(Clone, Copy, Debug)]
struct Hash {
    at: CommitOffset,
    store_timestamp: i64,
    hash: i32,
}

#[derive(Debug)]
struct State {
    index: KeyIndex,
    /// Keys of all frames below are in the index.
    indexed: CommitOffset,
    /// Whether a disk error left the index in doubt: it is opened again before the next put.
    in_doubt: bool,
}

/// Hashes kept in memory at most: 24 MiB.
const MOST_PENDING: usize = 1 << 20;
/// Bytes of log walked while the index is locked.
const WALK: i64 = 16 << 20;

impl KeyIndexer {
    /// Opens the index over a log that ends at `end`. `recorded` is what the last checkpoint said: keys below
    /// the first place are in, and the index itself would have gone on at the second.
    pub(crate) fn open(
        disk: Arc<dyn Disk>,
        dir: PathBuf,
        shape: Shape,
        left: LeftBehind,
        end: CommitOffset,
        recorded: Option<(CommitOffset, CommitOffset)>,
    ) -> Result<KeyIndexer, KeyIndexError> {
        if left != LeftBehind::Clean {
            sync_files(&*disk, &dir).map_err(|source| KeyIndexError::Disk { path: dir.clone(), source })?;
        }
        let mut index = KeyIndex::open(Arc::clone(&disk), dir.clone(), shape, left)?;
        index.truncate(end)?;
        let indexed = match recorded {
            Some((indexed, put_from)) if index.put_from() >= put_from => indexed.max(index.put_from()),
            _ => index.put_from(),
        };
        let state = State { index, indexed: indexed.min(end), in_doubt: false };
        let pending = Pending { from: end, to: end, hashes: Vec::new() };
        Ok(KeyIndexer { disk, dir, shape, pending: Mutex::new(pending), state: Mutex::new(state) })
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the keys of a written batch; called in log order.
    pub(crate) fn note(&self, batch: &AppendBatch, end: CommitOffset) {
        let mut pending = self.pending();
        if pending.hashes.len() + batch.keys.len() > MOST_PENDING {
            // Forgotten hashes are found again in the log.
            pending.hashes.clear();
            pending.from = end;
        } else {
            for (item, placed) in batch.items.iter().zip(batch.placed()) {
                let keys = batch.keys.get(item.keys.clone()).unwrap_or_default();
                let (at, store_timestamp) = (placed.commit_offset, placed.store_timestamp);
                pending.hashes.extend(keys.iter().map(|hash| Hash { at, store_timestamp, hash: *hash }));
            }
        }
        pending.to = end;
    }

    /// Puts what is pending; whether all of it was put. Walks a bounded piece of the log a call.
    pub(crate) fn step(&self, log: &CommitLog) -> Result<bool, KeyIndexError> {
        let mut state = self.state();
        if state.in_doubt {
            state.index =
                KeyIndex::open(Arc::clone(&self.disk), self.dir.clone(), self.shape, LeftBehind::Crashed)?;
            // Removes files that got no durable entry, so that the next entry opens the file it always does.
            state.index.truncate(CommitOffset(i64::MAX))?;
            state.indexed = state.indexed.min(state.index.put_from());
            state.in_doubt = false;
        }
        let from = self.pending().from;
        if state.indexed < from {
            state.walk(log, from)?;
            return Ok(false);
        }
        let mut pending = self.pending();
        let (hashes, to) = (std::mem::take(&mut pending.hashes), pending.to);
        pending.from = to;
        drop(pending);
        state.put_all(&hashes)?;
        state.indexed = to;
        Ok(true)
    }

    /// Makes everything that was put durable. Returns up to where keys are in, and where the index goes on.
    pub(crate) fn flush(&self) -> Result<(CommitOffset, CommitOffset), KeyIndexError> {
        let mut state = self.state();
        let flushed = state.index.flush();
        state.in_doubt |= flushed.is_err();
        flushed.map(|()| (state.indexed, state.index.put_from()))
    }

    /// See [`KeyIndex::flushed_timestamp`].
    pub(crate) fn flushed_timestamp(&self) -> i64 {
        self.state().index.flushed_timestamp()
    }

    /// See [`KeyIndex::query`].
    pub(crate) fn query(
        &self,
        topic: &str,
        key: &str,
        max: usize,
        begin: i64,
        end: i64,
    ) -> Result<Vec<CommitOffset>, KeyIndexError> {
        self.state().index.query(topic, key, max, begin, end)
    }

    /// Deletes files whose frames are all gone.
    pub(crate) fn delete_before(&self, min: CommitOffset) -> Result<usize, KeyIndexError> {
        self.state().index.delete_before(min)
    }
}

impl State {
    fn put(&mut self, at: CommitOffset, store_timestamp: i64, hashes: &[i32]) -> Result<(), KeyIndexError> {
        let put = self.index.put(at, store_timestamp, hashes);
        self.in_doubt |= put.is_err();
        put
    }

    /// All hashes of a frame are put together.
    fn put_all(&mut self, hashes: &[Hash]) -> Result<(), KeyIndexError> {
        let mut keys = Vec::new();
        for frame in hashes.chunk_by(|a, b| a.at == b.at) {
            keys.clear();
            keys.extend(frame.iter().map(|hash| hash.hash));
            if let Some(first) = frame.first() {
                self.put(first.at, first.store_timestamp, &keys)?;
            }
        }
        Ok(())
    }

    fn walk(&mut self, log: &CommitLog, to: CommitOffset) -> Result<(), KeyIndexError> {
        let begin = self.indexed.max(log.min());
        let mut scanner = Scanner::new(log, begin);
        let mut keys = Vec::new();
        while scanner.at() < to && scanner.at().bytes_since(begin) < WALK {
            let at = scanner.at();
            match scanner.step() {
                Ok(Step::Frame(frame)) => {
                    keys.clear();
                    key_hashes(&frame, &mut keys);
                    self.put(at, frame.store_timestamp(), &keys)?;
                }
                Ok(Step::NextFile) => {}
                // Damage, or a file that was deleted meanwhile: what lies there has no keys.
                Ok(Step::End | Step::Bad) | Err(_) => {
                    let file_end = log.file_at(at).map_or(to, |file| file.end().min(to));
                    scanner.jump(at);
                    let behind = scanner.resync(file_end).ok().flatten();
                    scanner.jump(behind.unwrap_or(file_end));
                }
            }
        }
        self.indexed = scanner.at().min(to).max(self.indexed);
        Ok(())
    }
}

/// A process that was killed left its last writes in the page cache, in no order that a power loss respects:
/// they are made durable before anything is concluded from them.
fn sync_files(disk: &dyn Disk, dir: &Path) -> io::Result<()> {
    for file in disk.list(dir)? {
        disk.open(&dir.join(&file.name), Open::Write)?.sync()?;
    }
    if disk.exists(dir) { disk.sync_dir(dir) } else { Ok(()) }
}

/// Hashes of the keys a frame is found by, in the order they are put.
fn key_hashes(frame: &FrameView<'_>, out: &mut Vec<i32>) {
    if frame.sys_flag().enters_key_index() {
        let extracted = properties::extract(frame.properties(), frame.topic_bytes());
        out.extend(extracted.index_keys().map(|key| index_key_hash(frame.topic_bytes(), key)));
    }
}
