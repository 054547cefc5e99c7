//! What all parts of an open store share, and the steps its threads take.
//!
//! Order of locks: write position, then a queue's tail; the checkpoint's own mutex before both. Steps may be
//! called from any thread; a simulation calls them itself instead of starting threads.

use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use crate::append::{Appended, WritePosition};
use crate::append_batch::AppendBatch;
use crate::commit_log::CommitLog;
use crate::config::StoreConfig;
use crate::disk::Disk;
use crate::epoch::Epoch;
use crate::error::{AppendError, Poisoned, ReadError};
use crate::fence::Fence;
use crate::flush::{Flusher, Poison};
use crate::format::{CommitOffset, FrameView};
use crate::key_index::KeyIndexError;
use crate::key_indexer::KeyIndexer;
use crate::queue_index::QueueTable;
use crate::read::Reader;
use crate::retention::RetentionConfig;
use crate::scan::{Scanner, Step};

/// The clock handed in: milliseconds since 1970.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

pub(crate) struct Core {
    pub(crate) config: StoreConfig,
    /// How long log files are kept; `config` has what the start said.
    pub(crate) retention: Mutex<RetentionConfig>,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) now: Clock,
    pub(crate) log: CommitLog,
    pub(crate) queues: QueueTable,
    pub(crate) key_indexer: KeyIndexer,
    pub(crate) flusher: Flusher,
    pub(crate) poison: Poison,
    pub(crate) position: Mutex<WritePosition>,
    pub(crate) written: AtomicI64,
    /// Bytes from here on were written by this process.
    pub(crate) warm_from: CommitOffset,
    /// Whether the disk is too full to take messages.
    pub(crate) refused: AtomicBool,
    pub(crate) epochs: RwLock<Vec<Epoch>>,
    pub(crate) fences: Mutex<Vec<Fence>>,
    /// Where the last checkpoint ended, and whether it was a clean one.
    pub(crate) checkpointed: Mutex<Option<(CommitOffset, bool)>>,
    pub(crate) bell: crate::background::Bell,
}

/// Units that may wait in memory before the writer is woken.
const PENDING_UNITS: i64 = 1 << 16;
/// Units that may wait in memory before an append writes them itself.
const MOST_PENDING_UNITS: i64 = 1 << 21;

impl Core {
    pub(crate) fn position(&self) -> MutexGuard<'_, WritePosition> {
        self.position.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn fences(&self) -> MutexGuard<'_, Vec<Fence>> {
        self.fences.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn written(&self) -> CommitOffset {
        CommitOffset(self.written.load(Ordering::Acquire))
    }

    pub(crate) fn side_file(&self, name: &str) -> PathBuf {
        self.config.side_dir().join(name)
    }

    pub(crate) fn append(&self, batch: &mut AppendBatch) -> Result<Appended, AppendError> {
        let mut position = self.position();
        self.poison.check()?;
        if position.closed {
            return Err(AppendError::Closed);
        }
        if self.refused.load(Ordering::Relaxed) {
            return Err(AppendError::DiskFull);
        }
        let appended = position.write(&self.log, batch, (self.now)()).map_err(|failed| {
            if let Err(e) = failed.repair {
                self.poison.set("zeroing the CommitLog after a failed write", &e);
            }
            failed.error
        })?;
        self.written.store(appended.end.0, Ordering::Release);
        self.publish(batch);
        self.key_indexer.note(batch, appended.end);
        drop(position);
        self.wake_writer();
        Ok(appended)
    }

    /// Indexes the frames of a written batch; runs under the write position's mutex.
    fn publish(&self, batch: &AppendBatch) {
        for (item, placed) in batch.items.iter().zip(batch.placed()) {
            item.queue.0.push(&AppendBatch::unit(item, placed));
            self.queues.list(&item.queue, 1);
        }
        for item in &batch.items {
            item.queue.0.publish(item.queue.0.reserved.load(Ordering::Relaxed));
        }
    }

    fn wake_writer(&self) {
        let pending = self.queues.pending();
        if pending >= MOST_PENDING_UNITS {
            // The writer is far behind; its error is met and reported by the writer itself.
            let _later = self.queues.write_pending();
        } else if pending >= PENDING_UNITS {
            self.bell.ring();
        }
    }

    pub(crate) fn reader(&self) -> Reader<'_> {
        Reader { log: &self.log, written: self.written(), warm_from: self.warm_from }
    }

    pub(crate) fn flush(&self) -> Result<(), Poisoned> {
        self.flusher.step(&self.log, &self.queues, || self.written(), &self.poison)
    }

    /// Puts all pending keys into the index.
    pub(crate) fn index_keys(&self) -> Result<(), KeyIndexError> {
        while !self.key_indexer.step(&self.log)? {}
        Ok(())
    }

    /// Makes the next log file when the active one is half full.
    pub(crate) fn preallocate(&self) -> io::Result<()> {
        let at = self.written();
        let Some(file) = self.log.file_at(at) else { return Ok(()) };
        let half_full = file.position(at) >= file.size / 2;
        if half_full && self.log.file_at(file.end()).is_none() {
            self.log.ensure_file(file.end())?;
        }
        Ok(())
    }

    /// Calls `visit` for each frame from `from` on; returns where it stopped.
    pub(crate) fn visit(
        &self,
        from: CommitOffset,
        visit: &mut dyn FnMut(&FrameView<'_>) -> ControlFlow<()>,
    ) -> Result<CommitOffset, ReadError> {
        let mut scanner = Scanner::new(&self.log, from.max(self.log.min()));
        let end = self.written();
        while scanner.at() < end {
            let at = scanner.at();
            match scanner.step()? {
                Step::Frame(frame) => {
                    if visit(&frame).is_break() {
                        break;
                    }
                }
                Step::NextFile => {}
                Step::End | Step::Bad => {
                    let fence = self.fences().iter().find(|fence| fence.holds(at)).copied();
                    scanner.jump(fence.ok_or(ReadError::Corrupt { at })?.end);
                }
            }
        }
        Ok(scanner.at())
    }
}
