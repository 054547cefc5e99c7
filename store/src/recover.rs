//! Bringing the store to one consistent state at open: where the log ends, where every queue stands.
//!
//! With a snapshot of ours only the log behind it is scanned (nothing after a clean stop). Without one, as in
//! a directory a Java broker wrote, the whole log is scanned once and all units are written anew, over the
//! old ones. A bad frame below the flushed place is bit rot and is fenced; at or above it, it is the tail.
//! Source: RocketMQ 5.3.3 `store/CommitLog.java` (`recoverNormally`, `recoverAbnormally`), which unlike this
//! cuts everything behind the first bad frame.

mod base;
mod dispatch;
mod tail;

use std::io;
use std::sync::Arc;

use crate::commit_log::CommitLog;
use crate::config::{QueueKind, StoreConfig};
use crate::disk::Disk;
use crate::fence::{self, Fence};
use crate::format::checkpoint::Checkpoint;
use crate::format::{CommitOffset, properties};
use crate::queue_index::QueueTable;
use crate::scan::{Scanner, Step};

pub(crate) use base::Base;
pub(crate) use dispatch::is_directory_name;
pub(crate) use tail::cut_tail;

/// How far a recovery got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Place of the scan.
    pub at: CommitOffset,
    /// Where the log's files end.
    pub end: CommitOffset,
}

/// What recovery found out about the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recovered {
    /// Where the next frame goes.
    pub(crate) end: CommitOffset,
    /// The last frame.
    pub(crate) last: Option<CommitOffset>,
    /// Newest storeTimestamp, ms.
    pub(crate) clock_ms: i64,
    /// Bytes scanned.
    pub(crate) scanned: i64,
    /// Where the scan began: key index entries from here on are to be checked.
    pub(crate) scanned_from: CommitOffset,
    /// What the snapshot says of the key index, when there is one: see `KeyIndexer::open`.
    pub(crate) indexed: Option<(CommitOffset, CommitOffset)>,
}

pub(crate) struct Recovery<'a> {
    pub(crate) config: &'a StoreConfig,
    pub(crate) disk: &'a Arc<dyn Disk>,
    pub(crate) log: &'a CommitLog,
    pub(crate) queues: &'a QueueTable,
    pub(crate) kinds: &'a dyn Fn(&str) -> QueueKind,
    /// Our flushed mark; a Java broker leaves none.
    pub(crate) flushed: Option<CommitOffset>,
    pub(crate) checkpoint: Option<Checkpoint>,
    pub(crate) unclean: bool,
    /// Whether a Java broker had the directory last.
    pub(crate) by_java: bool,
    pub(crate) fences: &'a mut Vec<Fence>,
    pub(crate) progress: &'a mut dyn FnMut(Progress),
}

/// Units that may wait in memory during a scan.
const PENDING_UNITS: i64 = 1 << 20;
/// Bytes between two calls of `progress`.
const PROGRESS_STEP: i64 = 64 << 20;

impl Recovery<'_> {
    /// Finds the end of the log and places all queues.
    pub(crate) fn run(&mut self) -> io::Result<Recovered> {
        let base = self.base()?;
        let mut found = Recovered {
            end: base.end,
            last: base.last,
            clock_ms: base.clock_ms,
            scanned: 0,
            scanned_from: base.end,
            indexed: base.indexed,
        };
        let mut rebuild = base.rebuild.clone();
        self.scan(&base, &mut found, &mut rebuild)?;
        found.scanned = found.end.bytes_since(base.end);
        if !rebuild.is_empty() {
            self.forget_snapshot()?;
            self.rebuild(&rebuild, found.end)?;
        }
        if let Some(flushed) = self.flushed.filter(|flushed| found.end < *flushed && !self.by_java) {
            tracing::error!(end = %found.end, %flushed, "the CommitLog ends before the place that was flushed: files are missing");
        }
        for queue in self.queues.queues() {
            queue.0.raise_min(self.log.min())?;
        }
        Ok(found)
    }

    /// Walks the log from the base on; stops at its end.
    fn scan(&mut self, base: &Base, found: &mut Recovered, rebuild: &mut Vec<u32>) -> io::Result<()> {
        let mut scanner = Scanner::new(self.log, base.end);
        let mut reported = base.end;
        loop {
            let at = scanner.at();
            if at.bytes_since(reported) >= PROGRESS_STEP {
                reported = at;
                (self.progress)(Progress { at, end: self.log.end_of_files().unwrap_or(at) });
            }
            // After a clean stop nothing can be torn, so a stock broker's odd properties are taken as they are.
            let flushed = !self.unclean || self.flushed.is_some_and(|flushed| at < flushed);
            match scanner.step()? {
                Step::Frame(frame)
                    if (flushed || properties::is_well_formed(frame.properties()))
                        && self.dispatch(&frame, base, rebuild)? =>
                {
                    found.last = Some(at);
                    found.clock_ms = found.clock_ms.max(frame.store_timestamp());
                    found.end = scanner.at();
                }
                Step::NextFile => found.end = scanner.at(),
                Step::Frame(_) | Step::End | Step::Bad => {
                    let Some(behind) = self.behind_rot(&mut scanner, at)? else { return Ok(()) };
                    fence::add(self.fences, at, behind);
                    tracing::error!(%at, %behind, "damaged range in the CommitLog is fenced, not cut");
                    scanner.jump(behind);
                    found.end = behind;
                }
            }
            if self.queues.pending() > PENDING_UNITS {
                self.queues.write_pending()?;
            }
        }
    }

    /// Where the log goes on behind damage at `at`, or `None` when that is the tail.
    fn behind_rot(&self, scanner: &mut Scanner<'_>, at: CommitOffset) -> io::Result<Option<CommitOffset>> {
        let Some(file) = self.log.file_at(at) else { return Ok(None) };
        match self.flushed {
            Some(flushed) if at < flushed => {
                scanner.jump(at);
                let limit = flushed.min(file.end());
                Ok(Some(scanner.resync(limit)?.unwrap_or(limit)))
            }
            _ if self.by_java => self.behind_rot_of_java(scanner, at, file.end()),
            _ => Ok(None),
        }
    }

    /// Without a flushed mark, damage is rot when an intact frame behind it is older than the checkpoint.
    fn behind_rot_of_java(
        &self,
        scanner: &mut Scanner<'_>,
        at: CommitOffset,
        file_end: CommitOffset,
    ) -> io::Result<Option<CommitOffset>> {
        let Some(checkpoint) = self.checkpoint else { return Ok(None) };
        scanner.jump(at);
        let mut candidate = scanner.resync(file_end)?;
        if candidate.is_none() && self.log.file_at(file_end).is_some() {
            candidate = Some(file_end);
        }
        let Some(candidate) = candidate else { return Ok(None) };
        scanner.jump(candidate);
        let synced = match scanner.step()? {
            Step::Frame(frame) => frame.store_timestamp() <= checkpoint.physic_msg_timestamp,
            _ => false,
        };
        Ok(synced.then_some(candidate))
    }
}
