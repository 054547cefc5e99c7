//! The store's public face: append, read, bounds, watermarks, close.
//!
//! All methods may be called from any thread. `append` and the reads are short; they block on the page cache
//! only. Nothing here is asynchronous: who waits for durability registers a waker.

use std::io;
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::thread::JoinHandle;

use bytes::Bytes;

use crate::append::Appended;
use crate::append_batch::AppendBatch;
use crate::background;
use crate::config::{QueueKind, StoreConfig};
use crate::core::{Clock, Core};
use crate::disk::{Disk, Lock, Space};
use crate::epoch::Epoch;
use crate::error::{AppendError, CloseError, CreateQueueError, OpenError, Poisoned, ReadError};
use crate::fence::{self, Fence};
use crate::flush_times::FlushTimes;
use crate::format::frame::MIN_LEN;
use crate::format::{CommitOffset, FrameHead, FrameView, Peek, QueueOffset};
use crate::opening::{OpenReport, Opening};
use crate::queue_index::{Queue, Unit};
use crate::read::{Extract, ReadLimits, ReadStatus, check};
use crate::recover::{Progress, is_directory_name};
use crate::retention::RetentionConfig;
use crate::time_search::Boundary;

/// An open store. Clones are the same store; when the last one goes without `close`, the next open recovers.
#[derive(Clone)]
pub struct Store {
    handle: Arc<Handle>,
}

/// Owns the threads and the lock.
struct Handle {
    core: Arc<Core>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    lock: Mutex<Option<Box<dyn Lock>>>,
}

/// Places of the log that move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watermarks {
    /// First commit offset that is there.
    pub min: CommitOffset,
    /// Everything below is written and visible.
    pub written: CommitOffset,
    /// Everything below is durable.
    pub flushed: CommitOffset,
}

/// What a store without threads is told to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Sync the log.
    Flush,
    /// Write queue units to their files.
    WriteQueues,
    /// Make a checkpoint.
    Checkpoint,
    /// Prepare the next log file.
    Preallocate,
    /// Put pending keys into the key index.
    IndexKeys,
    /// Delete old files.
    Clean,
}

impl Store {
    /// Opens the store of a directory, made when missing. Blocks until it is recovered; `progress` is called
    /// while the log is scanned. `queue_kinds` says how a topic's queues are indexed (topics.json).
    ///
    /// # Errors
    /// A directory in use, files of another length than configured, a disk that fails.
    pub fn open(
        config: StoreConfig,
        disk: Arc<dyn Disk>,
        now: Clock,
        queue_kinds: &dyn Fn(&str) -> QueueKind,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(Store, OpenReport), OpenError> {
        let root = config.root.clone();
        let opening = Opening { config, disk, now, kinds: queue_kinds, progress };
        let (core, lock, report) = opening.open()?;
        let core = Arc::new(core);
        let threads = if core.config.threads { background::start(&core) } else { Ok(Vec::new()) };
        let threads = threads.map_err(|source| OpenError::Io { doing: "starting threads", root, source })?;
        let handle = Handle { core, threads: Mutex::new(threads), lock: Mutex::new(Some(lock)) };
        Ok((Store { handle: Arc::new(handle) }, report))
    }

    fn core(&self) -> &Core {
        &self.handle.core
    }

    /// An empty batch for this store, to be reused.
    pub fn batch(&self) -> AppendBatch {
        let config = &self.core().config;
        let file_limit = u32::try_from(config.commit_log_file_size).unwrap_or(u32::MAX);
        AppendBatch::new(config.store_host, config.max_frame_size.min(file_limit))
    }

    /// The queue, when it exists.
    pub fn queue(&self, topic: &str, id: i32) -> Option<Queue> {
        self.core().queues.queue(topic, id)
    }

    /// All queues, in no order.
    pub fn queues(&self) -> Vec<Queue> {
        self.core().queues.queues()
    }

    /// The queue, created when missing. Its record is durable before any frame of it is.
    ///
    /// # Errors
    /// A queue of the other kind under this name, a name no directory can have, a disk that fails.
    pub fn create_queue(&self, topic: &str, id: i32, kind: QueueKind) -> Result<Queue, CreateQueueError> {
        if !is_directory_name(topic) {
            return Err(CreateQueueError::TopicName { topic: topic.to_owned() });
        }
        if id < 0 {
            return Err(CreateQueueError::QueueId { id });
        }
        self.core().poison.check()?;
        let queue = self.core().queues.ensure(topic, id, kind)?;
        if queue.kind() == kind {
            return Ok(queue);
        }
        Err(CreateQueueError::Kind { topic: topic.to_owned(), id, existing: queue.kind() })
    }

    /// Removes a topic's queues. Its frames stay in the log and are never indexed again. Blocks for a sync, and
    /// appends wait for it: were the log to lose its end, later frames of a topic of this name would stand
    /// before the recorded place and count as removed.
    ///
    /// # Errors
    /// A disk that fails.
    pub fn remove_topic(&self, topic: &str) -> Result<(), CloseError> {
        let position = self.core().position();
        self.core().flush()?;
        Ok(self.core().queues.remove(topic, position.at)?)
    }

    /// Gives each frame of the batch its place and writes all of them. Nothing of a refused batch is visible.
    /// The bytes are in the page cache when this returns; `poll_flushed` tells when they are durable.
    ///
    /// # Errors
    /// See [`AppendError`]; only `Poisoned` and `Closed` are final.
    pub fn append(&self, batch: &mut AppendBatch) -> Result<Appended, AppendError> {
        self.core().append(batch)
    }

    /// Reads messages of a queue from an offset on. `accept` sees each unit and chooses (tag filter).
    ///
    /// # Errors
    /// Damage at the first message, or a disk that fails; damage further on ends the extract before it.
    pub fn read(
        &self,
        queue: &Queue,
        from: QueueOffset,
        limits: &ReadLimits,
        accept: &mut dyn FnMut(&Unit) -> bool,
    ) -> Result<Extract, ReadError> {
        let bounds = (queue.min(), queue.next());
        let extract = self.core().reader().read(&queue.0, bounds, from, limits, accept);
        match extract {
            Err(error @ (ReadError::Corrupt { .. } | ReadError::Lost { .. })) => {
                let next = self.behind_accepted_loss(queue, from)?.ok_or(error)?;
                Ok(Extract::empty(ReadStatus::NoMatched, next.min(bounds.1), bounds.0, bounds.1))
            }
            other => other,
        }
    }

    /// The next message that can be read behind `from`, when an operator accepted every loss up to there.
    fn behind_accepted_loss(
        &self,
        queue: &Queue,
        from: QueueOffset,
    ) -> Result<Option<QueueOffset>, ReadError> {
        let fences = self.fences();
        let lost =
            |unit: &Unit| unit.is_filler() || fences.iter().any(|fence| fence.holds(unit.commit_offset));
        let mut index = queue.0.find(from)?;
        let mut next = queue.0.unit(index)?;
        while next.as_ref().is_some_and(lost) {
            index += 1;
            next = queue.0.unit(index)?;
        }
        let before = next.map_or(CommitOffset(i64::MAX), |unit| unit.commit_offset);
        let mut losses = fences.iter().filter(|fence| fence.begin < before).peekable();
        let accepted = losses.peek().is_some() && losses.all(|fence| fence.accepted);
        Ok(accepted.then(|| next.map_or(queue.next(), |unit| unit.queue_offset)))
    }

    /// One frame, its checksum compared.
    ///
    /// # Errors
    /// A place outside of the log, inside of a frame, or damaged.
    pub fn frame_at(&self, at: CommitOffset) -> Result<Bytes, ReadError> {
        let reader = self.core().reader();
        let head = reader.bytes(at, MIN_LEN as i64)?;
        let Peek::Frame { size } = FrameHead::peek(&head) else { return Err(ReadError::NoFrame { at }) };
        let bytes = reader.bytes(at, i64::from(size)).map_err(|e| match e {
            ReadError::OutOfRange { at } => ReadError::NoFrame { at },
            other => other,
        })?;
        let places = FrameView::parse(&bytes).map(|frame| frame.commit_offset());
        if places != Ok(at) {
            return Err(ReadError::NoFrame { at });
        }
        check(&bytes, at)?;
        Ok(bytes)
    }

    /// Calls `visit` for each intact frame from `from` on, in order; returns where it stopped.
    ///
    /// # Errors
    /// Damage that is not fenced, a disk that fails.
    pub fn visit(
        &self,
        from: CommitOffset,
        visit: &mut dyn FnMut(&FrameView<'_>) -> ControlFlow<()>,
    ) -> Result<CommitOffset, ReadError> {
        self.core().visit(from, visit)
    }

    /// The first queue offset whose message stands at or behind a commit offset.
    ///
    /// # Errors
    /// A disk that fails.
    pub fn offset_at_commit(&self, queue: &Queue, at: CommitOffset) -> Result<QueueOffset, ReadError> {
        let behind = queue.0.partition(|unit| Ok(unit.commit_offset < at))?;
        Ok(queue.0.unit(behind)?.map_or(queue.next(), |unit| unit.queue_offset))
    }

    /// The queue offset that a store timestamp (ms) leads to, inside the queue's bounds.
    ///
    /// # Errors
    /// A disk that fails.
    pub fn offset_by_time(
        &self,
        queue: &Queue,
        timestamp: i64,
        boundary: Boundary,
    ) -> Result<QueueOffset, ReadError> {
        let (min, next) = (queue.min(), queue.next());
        let found = self.core().reader().offset_by_time(&queue.0, timestamp, boundary)?;
        Ok(found.unwrap_or(next).clamp(min, next))
    }

    /// Frames that may carry `key`, newest first, at most `max`, stored from `begin` to `end` (ms). Another key
    /// may have the same hash: whoever reads the frame compares.
    ///
    /// # Errors
    /// A disk that fails.
    pub fn query(
        &self,
        topic: &str,
        key: &str,
        max: usize,
        begin: i64,
        end: i64,
    ) -> Result<Vec<CommitOffset>, ReadError> {
        let core = self.core();
        core.key_indexer.step(&core.log)?;
        let mut found = core.key_indexer.query(topic, key, max, begin, end)?;
        let min = core.log.min();
        found.retain(|at| *at >= min);
        Ok(found)
    }

    /// Deletes files that are older than `fileReservedTime` now, whatever the hour; says how many went.
    ///
    /// # Errors
    /// A disk that fails.
    pub fn delete_expired(&self) -> Result<usize, CloseError> {
        self.core().clean(true)
    }

    /// Changes how long log files are kept, from the next round of cleaning on.
    pub fn set_retention(&self, retention: RetentionConfig) {
        *self.core().retention.lock().unwrap_or_else(PoisonError::into_inner) = retention;
    }

    /// Where the log stands.
    pub fn watermarks(&self) -> Watermarks {
        let core = self.core();
        let flushed = core.flusher.flushed();
        Watermarks { min: core.log.min(), written: core.written().max(flushed), flushed }
    }

    /// How long the syncs of the log took since it was opened.
    pub fn flush_times(&self) -> FlushTimes {
        self.core().flusher.times()
    }

    /// Ready when everything below `target` is durable. Otherwise the waker is called once when it is, or when
    /// the store fails; in sync mode asking starts a sync.
    pub fn poll_flushed(&self, target: CommitOffset, waker: &Waker) -> Poll<Result<(), Poisoned>> {
        self.core().flusher.poll(target, waker, &self.core().poison)
    }

    /// The leader epochs, oldest first.
    pub fn epochs(&self) -> Vec<Epoch> {
        self.core().epochs.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The current leader epoch.
    pub fn leader_epoch(&self) -> i32 {
        let epochs = self.core().epochs.read().unwrap_or_else(PoisonError::into_inner);
        epochs.last().map_or(0, |last| last.epoch)
    }

    /// Damaged ranges of the log.
    pub fn fences(&self) -> Vec<Fence> {
        self.core().fences().clone()
    }

    /// Records that an operator accepts the loss of the damaged range that begins at `begin`; whether there is
    /// one. Reads then pass over it.
    ///
    /// # Errors
    /// A disk that fails.
    pub fn accept_loss(&self, begin: CommitOffset) -> io::Result<bool> {
        let mut fences = self.core().fences();
        let Some(fence) = fences.iter_mut().find(|fence| fence.begin == begin) else { return Ok(false) };
        fence.accepted = true;
        fence::save(&*self.core().disk, &self.core().side_file("fences"), &fences)?;
        Ok(true)
    }

    /// Room on the file system.
    ///
    /// # Errors
    /// The system's answer.
    pub fn disk_usage(&self) -> io::Result<Space> {
        self.core().disk.space(&self.core().config.root)
    }

    /// Whether appends are possible.
    ///
    /// # Errors
    /// Why not.
    pub fn is_writable(&self) -> Result<(), AppendError> {
        self.core().poison.check()?;
        if self.core().position().closed {
            return Err(AppendError::Closed);
        }
        if self.core().refused.load(Ordering::Relaxed) { Err(AppendError::DiskFull) } else { Ok(()) }
    }

    /// One step of the background work, for a store without threads.
    ///
    /// # Errors
    /// A disk that fails.
    pub fn step(&self, task: Task) -> Result<(), CloseError> {
        let core = self.core();
        match task {
            Task::Flush => core.flush()?,
            Task::WriteQueues => core.queues.write_pending()?,
            Task::Checkpoint => core.checkpoint(false)?,
            Task::Preallocate => core.preallocate()?,
            Task::IndexKeys => core.index_keys()?,
            Task::Clean => core.clean(false).map(drop)?,
        }
        Ok(())
    }

    /// Refuses further appends, makes everything durable and marks the stop as clean. Blocks.
    ///
    /// # Errors
    /// A disk that fails: the next open recovers then.
    pub fn close(self) -> Result<(), CloseError> {
        self.core().position().closed = true;
        self.handle.stop_threads();
        let core = self.core();
        let clean = core.fences().iter().all(|fence| fence.accepted);
        core.checkpoint(clean)?;
        if clean {
            core.disk.unlink(&core.config.root.join("abort"))?;
            core.disk.sync_dir(&core.config.root)?;
        }
        self.handle.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(())
    }
}

impl Handle {
    fn stop_threads(&self) {
        background::stop(&self.core);
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a store thread panicked");
            }
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.stop_threads();
    }
}
