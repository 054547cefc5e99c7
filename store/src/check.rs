//! A store looked at from outside, while no broker runs on it: is the log intact, do queues, key index, checkpoint
//! and side files say what the log says?
//!
//! Nothing is repaired and nothing is written besides the lock. Derived files are compared frame by frame with what
//! the log makes of them, so the memory needed grows with the number of queues, not of messages. It is written apart
//! from the recovery, on purpose: that way each finds the other's mistakes.
//!
//! Source: RocketMQ 5.3.3 `store/DefaultMessageStore.java` (what a start demands of a directory).

mod finding;
mod frames;
mod keys;
mod keys_file;
mod queue;
mod queues;
mod side_files;
mod sizes;
mod untouched;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use finding::Finding;
use frames::Frames;
pub use frames::Place;
use keys::Keys;
use queues::Queues;
use untouched::Untouched;

use crate::commit_log::CommitLog;
use crate::config::StoreConfig;
use crate::disk::{Disk, Lock, LockError};
use crate::error::OpenError;
use crate::fence;
use crate::format::{CommitOffset, properties};
use crate::recover::Progress;

/// Why a directory could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// There is no log.
    #[error("{} holds no store: it has no directory commitlog", root.display())]
    NoStore {
        /// The directory.
        root: PathBuf,
    },
    /// A broker uses the directory.
    #[error("{} is in use ({lock}); stop the broker first", root.display())]
    InUse {
        /// The directory.
        root: PathBuf,
        /// Who holds it.
        #[source]
        lock: LockError,
    },
    /// The log's files do not form a log.
    #[error(transparent)]
    Log(#[from] OpenError),
    /// The system refused a read.
    #[error("reading {} failed", root.display())]
    Io {
        /// The directory.
        root: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
}

/// What a check found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Whether the last broker stopped cleanly. Otherwise the next start recovers, and what derived files lack is no
    /// finding.
    pub is_clean: bool,
    /// First commit offset of the log.
    pub begin: CommitOffset,
    /// Behind its last frame.
    pub end: CommitOffset,
    /// Intact frames.
    pub frames: u64,
    /// Queues with files.
    pub queues: u64,
    /// Units compared with their frames.
    pub units: u64,
    /// Entries of the key index compared with their frames.
    pub keys: u64,
    /// Frames whose queue has no files or begins behind them: those of deleted topics.
    pub unindexed: u64,
    /// Bytes behind the last frame that an unclean stop left; the next start cuts them and keeps them aside.
    pub torn_bytes: u64,
    /// What is wrong, in the order of discovery; at most [`MOST_FINDINGS`].
    pub findings: Vec<Finding>,
    /// How many more there are.
    pub unlisted: u64,
}

/// Findings that are listed.
pub const MOST_FINDINGS: usize = 1000;

impl Report {
    fn add(&mut self, finding: Finding) {
        if self.findings.len() < MOST_FINDINGS {
            self.findings.push(finding);
        } else {
            self.unlisted += 1;
        }
    }
}

/// A store that no broker uses, held by its lock.
#[derive(Debug)]
pub struct Offline {
    config: StoreConfig,
    disk: Arc<dyn Disk>,
    log: CommitLog,
    _lock: Box<dyn Lock>,
}

impl Offline {
    /// Takes the lock of a directory. Sizes of files are read off the files. Blocks.
    ///
    /// # Errors
    /// A directory without a log or in use, files that form no log, a disk that fails.
    pub fn open(root: &Path, disk: &Arc<dyn Disk>) -> Result<Offline, CheckError> {
        if !disk.exists(&root.join("commitlog")) {
            return Err(CheckError::NoStore { root: root.to_owned() });
        }
        let lock = disk.lock(&root.join("lock"));
        let lock = lock.map_err(|lock| CheckError::InUse { root: root.to_owned(), lock })?;
        let disk: Arc<dyn Disk> = Arc::new(Untouched::new(Arc::clone(disk)));
        let io = |source| CheckError::Io { root: root.to_owned(), source };
        let config = sizes::of_files(&*disk, root).map_err(io)?;
        let log = CommitLog::load(Arc::clone(&disk), config.commit_log_dir(), config.commit_log_file_size)?;
        Ok(Offline { config, disk, log, _lock: lock })
    }

    /// Where the log begins.
    pub fn begin(&self) -> CommitOffset {
        self.log.min()
    }

    /// Shows every frame from `from` on, or from the first one behind it, and every damaged range, until `visit`
    /// says no. Blocks.
    ///
    /// # Errors
    /// A disk that fails.
    pub fn visit(
        &self,
        from: CommitOffset,
        visit: &mut dyn FnMut(Place<'_>) -> bool,
    ) -> Result<(), CheckError> {
        Frames::new(&self.log).visit(from, visit).map(drop).map_err(|source| self.failed(source))
    }

    /// Looks at everything. Blocks for a read of the whole log; `progress` is called meanwhile.
    ///
    /// # Errors
    /// A disk that fails.
    pub fn check(&self, progress: &mut dyn FnMut(Progress)) -> Result<Report, CheckError> {
        self.look(progress).map_err(|source| self.failed(source))
    }

    fn failed(&self, source: io::Error) -> CheckError {
        CheckError::Io { root: self.config.root.clone(), source }
    }

    fn look(&self, progress: &mut dyn FnMut(Progress)) -> io::Result<Report> {
        let begin = self.log.min();
        let mut report = Report {
            is_clean: !self.disk.exists(&self.config.root.join("abort")),
            begin,
            end: begin,
            frames: 0,
            queues: 0,
            units: 0,
            keys: 0,
            unindexed: 0,
            torn_bytes: 0,
            findings: Vec::new(),
            unlisted: 0,
        };
        let covered = side_files::covered(self, report.is_clean)?;
        let mut queues = Queues::open(self, covered.queues)?;
        let mut keys = Keys::open(self, covered.keys, &mut report)?;
        let newest_ms = self.walk(&mut queues, &mut keys, &mut report, progress)?;
        queues.finish(&mut report)?;
        keys.finish(&mut report)?;
        side_files::check(self, newest_ms, &mut report)?;
        Ok(report)
    }

    /// Walks the log; gives the newest store timestamp, ms.
    fn walk(
        &self,
        queues: &mut Queues,
        keys: &mut Keys,
        report: &mut Report,
        progress: &mut dyn FnMut(Progress),
    ) -> io::Result<i64> {
        let fences = fence::load(&*self.disk, &self.config.side_dir().join("fences"))?;
        let files_end = self.log.end_of_files().unwrap_or(report.begin);
        let (mut newest_ms, mut reported) = (0, report.begin);
        let flushed = side_files::flushed(self)?;
        let (mut failed, mut torn) = (None, None);
        let frames = Frames::new(&self.log);
        let tail = frames.visit(report.begin, &mut |place| {
            let looked = match place {
                // No checksum covers the properties; recovery cuts such a frame, too.
                Place::Frame(frame)
                    if !report.is_clean
                        && frame.commit_offset() >= flushed
                        && !properties::is_well_formed(frame.properties()) =>
                {
                    torn = Some(frame.commit_offset());
                    return false;
                }
                Place::Frame(frame) => {
                    report.frames += 1;
                    report.end = frame.commit_offset().plus(i64::from(frame.total_size()));
                    newest_ms = newest_ms.max(frame.store_timestamp());
                    queues.frame(&frame, report).and_then(|()| keys.frame(&frame, report))
                }
                Place::Filler { end, .. } => {
                    report.end = end;
                    Ok(())
                }
                Place::Damaged { begin, end } => {
                    report.end = end;
                    queues.damaged(begin, end);
                    keys.damaged(begin, end);
                    let accepted =
                        |fence: &fence::Fence| fence.accepted && fence.begin <= begin && end <= fence.end;
                    if !fences.iter().any(accepted) {
                        report.add(Finding::Damaged { begin, end });
                    }
                    Ok(())
                }
            };
            if report.end.bytes_since(reported) >= PROGRESS_STEP {
                reported = report.end;
                progress(Progress { at: report.end, end: files_end });
            }
            failed = looked.err();
            failed.is_none()
        })?;
        failed.map_or(Ok(()), Err)?;
        let tail = torn.map_or(Ok(tail), |at| frames.tail(at))?;
        if tail > 0 && report.is_clean {
            report.add(Finding::TailBytes { at: report.end, bytes: tail });
        } else {
            report.torn_bytes = tail;
        }
        Ok(newest_ms)
    }
}

/// Bytes between two calls of `progress`.
const PROGRESS_STEP: i64 = 16 << 20;
