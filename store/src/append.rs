//! The append: one short critical section that gives every frame its place and writes it.
//!
//! Under one mutex: write position, active file, store clock, next queue offsets. All frames of a batch are
//! patched, written by `pwritev`, indexed and published together. A failed write leaves nothing visible.
//! Source of the end-of-file rule: RocketMQ 5.3.3 `store/CommitLog.java` (a frame of n bytes enters a file
//! when n + 8 bytes are left, otherwise a blank filler takes the rest).

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::append_batch::{AppendBatch, Item};
use crate::commit_log::{CommitLog, LogFile};
use crate::disk;
use crate::error::AppendError;
use crate::format::frame::{BLANK_LEN, Placement, encode_blank};
use crate::format::{CommitOffset, QueueOffset};

/// What is guarded by the append's mutex.
#[derive(Debug)]
pub(crate) struct WritePosition {
    /// Where the next frame goes.
    pub(crate) at: CommitOffset,
    /// The file that holds `at`; made by the first append of a new log.
    pub(crate) file: Option<Arc<LogFile>>,
    /// The last frame below `at`.
    pub(crate) last: Option<CommitOffset>,
    /// The newest storeTimestamp, ms.
    pub(crate) clock_ms: i64,
    /// Whether the store was closed.
    pub(crate) closed: bool,
    runs: Vec<Run>,
}

/// Frames that stand one behind the other in one file, perhaps with a filler behind them.
#[derive(Debug)]
struct Run {
    file: Arc<LogFile>,
    at: CommitOffset,
    items: std::ops::Range<usize>,
    blank: Option<[u8; BLANK_LEN]>,
}

/// What an append did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Of the first frame.
    pub begin: CommitOffset,
    /// Behind the last frame: what to wait for with `poll_flushed`.
    pub end: CommitOffset,
    /// storeTimestamp of all frames, ms.
    pub store_timestamp: i64,
}

/// Why a write failed, and whether the bytes behind the write position are zeros again.
#[derive(Debug)]
pub(crate) struct WriteFailed {
    pub(crate) error: AppendError,
    pub(crate) repair: io::Result<()>,
}

impl WritePosition {
    pub(crate) fn new(
        at: CommitOffset,
        file: Option<Arc<LogFile>>,
        last: Option<CommitOffset>,
        clock_ms: i64,
    ) -> WritePosition {
        WritePosition { at, file, last, clock_ms, closed: false, runs: Vec::new() }
    }

    /// Gives each frame its place and writes all of them. The caller publishes.
    pub(crate) fn write(
        &mut self,
        log: &CommitLog,
        batch: &mut AppendBatch,
        now_ms: i64,
    ) -> Result<Appended, WriteFailed> {
        check_sizes(log, batch).map_err(|error| WriteFailed { error, repair: Ok(()) })?;
        self.runs.clear();
        let store_timestamp = now_ms.max(self.clock_ms);
        let planned = self.plan(log, batch, store_timestamp);
        let result = match planned {
            Ok(end) => self.write_runs(batch).map(|()| end),
            Err(e) => Err((e, Ok(()))),
        };
        let last_file = self.runs.last().map(|run| Arc::clone(&run.file));
        self.runs.clear();
        match result {
            Ok(end) => {
                let begin = batch.placed().first().map_or(end, |placed| placed.commit_offset);
                self.at = end;
                self.last = batch.placed().last().map(|placed| placed.commit_offset);
                self.clock_ms = store_timestamp;
                self.file = last_file;
                Ok(Appended { begin, end, store_timestamp })
            }
            Err((error, repair)) => {
                for item in &batch.items {
                    let state = &item.queue.0;
                    state.reserved.store(state.next.load(Ordering::Relaxed), Ordering::Relaxed);
                }
                batch.unplace();
                Err(WriteFailed { error: append_error(error), repair })
            }
        }
    }

    /// Decides all places; makes the next file where one is needed.
    fn plan(
        &mut self,
        log: &CommitLog,
        batch: &mut AppendBatch,
        store_timestamp: i64,
    ) -> io::Result<CommitOffset> {
        let mut file = match &self.file {
            Some(file) if self.at < file.end() => Arc::clone(file),
            _ => log.ensure_file(self.at)?,
        };
        let (mut at, mut run_at, mut run_begin, mut index) = (self.at, self.at, 0, 0);
        while index < batch.items.len() {
            let (end, size) = joined_unit(&batch.items, index);
            let left = file.end().bytes_since(at);
            if size.cast_signed() + BLANK_LEN as i64 > left {
                let blank = Some(encode_blank(u32::try_from(left).unwrap_or(u32::MAX)));
                let next = log.ensure_file(file.end())?;
                self.runs.push(Run { file, at: run_at, items: run_begin..index, blank });
                at = next.start;
                (file, run_at, run_begin) = (next, at, index);
            }
            for item in index..end {
                at = place(batch, item, at, store_timestamp);
            }
            index = end;
        }
        self.runs.push(Run { file, at: run_at, items: run_begin..index, blank: None });
        Ok(at)
    }

    /// Writes all runs; on failure zeros what may have been reached.
    fn write_runs(&self, batch: &AppendBatch) -> Result<(), (io::Error, io::Result<()>)> {
        for (index, run) in self.runs.iter().enumerate() {
            if let Err(e) = run.write(batch) {
                let reached = self.runs.get(..=index).unwrap_or_default();
                return Err((e, reached.iter().rev().try_for_each(|run| run.erase(batch))));
            }
        }
        Ok(())
    }
}

impl Run {
    fn write(&self, batch: &AppendBatch) -> io::Result<()> {
        let mut writer = Gather::new(&self.file, self.file.position(self.at));
        let items = batch.items.get(self.items.clone()).unwrap_or_default();
        let mut from = items.first().map_or(0, |item| item.scratch.start);
        for item in items {
            if let Some((at, body)) = &item.body {
                writer.add(batch.scratch.get(from..*at).unwrap_or_default())?;
                writer.add(body)?;
                from = *at;
            }
        }
        let end = items.last().map_or(0, |item| item.scratch.end);
        writer.add(batch.scratch.get(from..end).unwrap_or_default())?;
        if let Some(blank) = &self.blank {
            writer.add(blank)?;
        }
        writer.finish()
    }

    /// Zeros everything this run may have written.
    fn erase(&self, batch: &AppendBatch) -> io::Result<()> {
        let items = batch.items.get(self.items.clone()).unwrap_or_default();
        let len = items.iter().map(|item| u64::from(item.size)).sum::<u64>() + BLANK_LEN as u64;
        let from = self.file.position(self.at);
        erase(&self.file, from, len.min(self.file.size.saturating_sub(from)))
    }
}

/// Writes zeros over a range of a log file.
pub(crate) fn erase(file: &LogFile, from: u64, len: u64) -> io::Result<()> {
    let zeros = vec![0; usize::try_from(len.min(ERASE_STEP)).unwrap_or(0)];
    let (mut at, end) = (from, from + len);
    while at < end {
        let step = zeros.get(..usize::try_from(end - at).unwrap_or(usize::MAX)).unwrap_or(&zeros);
        disk::write_all(&*file.file, at, step)?;
        at += step.len() as u64;
    }
    Ok(())
}

const ERASE_STEP: u64 = 1 << 20;

/// Collects slices on the stack and writes them when full.
struct Gather<'a> {
    file: &'a LogFile,
    at: u64,
    slices: [IoSlice<'a>; Gather::SLICES],
    used: usize,
    bytes: u64,
}

impl<'a> Gather<'a> {
    /// Below `IOV_MAX`, and small enough for the stack (4 KiB).
    const SLICES: usize = 256;

    fn new(file: &'a LogFile, at: u64) -> Gather<'a> {
        Gather { file, at, slices: [IoSlice::new(&[]); Gather::SLICES], used: 0, bytes: 0 }
    }

    fn add(&mut self, bytes: &'a [u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        if let Some(slot) = self.slices.get_mut(self.used) {
            *slot = IoSlice::new(bytes);
            self.used += 1;
            self.bytes += bytes.len() as u64;
        }
        if self.used == Gather::SLICES { self.finish() } else { Ok(()) }
    }

    fn finish(&mut self) -> io::Result<()> {
        let slices = self.slices.get_mut(..self.used).unwrap_or_default();
        disk::write_all_vectored(&*self.file.file, self.at, slices)?;
        self.at += self.bytes;
        (self.used, self.bytes) = (0, 0);
        Ok(())
    }
}

/// Frames that are all written or none, from `index` on: where they end and how many bytes they take.
fn joined_unit(items: &[Item], index: usize) -> (usize, u64) {
    let followers = items.iter().skip(index + 1).take_while(|item| item.joined).count();
    let end = index + 1 + followers;
    let sizes = items.get(index..end).unwrap_or_default().iter().map(|item| u64::from(item.size));
    (end, sizes.sum())
}

fn check_sizes(log: &CommitLog, batch: &AppendBatch) -> Result<(), AppendError> {
    let limit = log.file_size().saturating_sub(BLANK_LEN as u64);
    let mut index = 0;
    while index < batch.items.len() {
        let (end, size) = joined_unit(&batch.items, index);
        if size > limit {
            return Err(AppendError::TooLarge { size, limit });
        }
        index = end;
    }
    let removed = batch.items.iter().any(|item| item.queue.is_removed());
    if removed { Err(AppendError::QueueRemoved) } else { Ok(()) }
}

/// Gives one frame its offsets; returns the place behind it.
fn place(batch: &mut AppendBatch, index: usize, at: CommitOffset, store_timestamp: i64) -> CommitOffset {
    let Some(item) = batch.items.get(index) else { return at };
    let reserved = &item.queue.0.reserved;
    let queue_offset = reserved.load(Ordering::Relaxed);
    reserved.store(queue_offset + item.records.messages(), Ordering::Relaxed);
    let end = at.plus(i64::from(item.size));
    let queue_offset = QueueOffset(queue_offset);
    batch.place(index, Placement { queue_offset, commit_offset: at, store_timestamp });
    end
}

fn append_error(error: io::Error) -> AppendError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => AppendError::DiskFull,
        _ => AppendError::Io(error),
    }
}
