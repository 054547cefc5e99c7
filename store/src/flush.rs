//! Group commit: one thread syncs the log, everybody who waits below the synced place is woken once.
//!
//! While a sync runs the next group gathers. Who asks for durability (`poll_flushed`) starts a sync at once;
//! what nobody waits for is synced every interval. A failed sync poisons the store: the kernel has dropped
//! the pages, so trying again would acknowledge what is not there.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use crate::commit_log::CommitLog;
use crate::error::Poisoned;
use crate::flush_times::{FlushClock, FlushTimes};
use crate::flushed_mark::FlushedMark;
use crate::format::CommitOffset;
use crate::queue_index::QueueTable;

/// Set once, by the first failed sync or repair.
#[derive(Debug, Default)]
pub(crate) struct Poison(OnceLock<Poisoned>);

impl Poison {
    /// Records the failure; the first one counts.
    pub(crate) fn set(&self, doing: &str, error: &std::io::Error) -> Poisoned {
        let poisoned = self.0.get_or_init(|| {
            tracing::error!(doing, %error, "disk failure: no more messages are accepted, restart the broker");
            Poisoned { reason: Arc::from(format!("{doing}: {error}")) }
        });
        poisoned.clone()
    }

    pub(crate) fn check(&self) -> Result<(), Poisoned> {
        self.0.get().map_or(Ok(()), |poisoned| Err(poisoned.clone()))
    }
}

#[derive(Debug)]
pub(crate) struct Flusher {
    flushed: AtomicI64,
    waiting: Mutex<Waiting>,
    bell: Condvar,
    mark: Mutex<FlushedMark>,
    clock: FlushClock,
}

#[derive(Debug, Default)]
struct Waiting {
    wakers: Vec<(CommitOffset, Waker)>,
    wanted: CommitOffset,
    stopped: bool,
}

impl Flusher {
    pub(crate) fn new(mark: FlushedMark, flushed: CommitOffset) -> Flusher {
        Flusher {
            flushed: AtomicI64::new(flushed.0),
            waiting: Mutex::default(),
            bell: Condvar::new(),
            mark: Mutex::new(mark),
            clock: FlushClock::default(),
        }
    }

    /// Makes everything below `target` durable at open, where nobody else uses the log.
    pub(crate) fn catch_up(&mut self, log: &CommitLog, target: CommitOffset) -> std::io::Result<()> {
        sync_log(log, self.flushed(), target)?;
        self.flushed.store(target.0, Ordering::Release);
        let mark = self.mark.get_mut().unwrap_or_else(PoisonError::into_inner);
        mark.write(target)?;
        mark.sync()
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything below is durable.
    pub(crate) fn flushed(&self) -> CommitOffset {
        CommitOffset(self.flushed.load(Ordering::Acquire))
    }

    /// Syncs everything below `written`, then wakes who waited for it. One sync at a time.
    pub(crate) fn step(
        &self,
        log: &CommitLog,
        queues: &QueueTable,
        written: impl Fn() -> CommitOffset,
        poison: &Poison,
    ) -> Result<(), Poisoned> {
        let mut mark = self.mark.lock().unwrap_or_else(PoisonError::into_inner);
        let result = poison.check().and_then(|()| {
            let (from, target) = (self.flushed(), written());
            if from < target {
                let began = Instant::now();
                sync(log, queues, from, target).map_err(|e| poison.set("syncing the CommitLog", &e))?;
                self.clock.record(began.elapsed());
                self.flushed.store(target.0, Ordering::Release);
                // The mark is allowed to be too low.
                if let Err(error) = mark.write(target) {
                    tracing::warn!(%error, "could not record the flushed commit offset");
                }
            }
            Ok(())
        });
        drop(mark);
        self.wake(result.is_err());
        result
    }

    /// How long the syncs took.
    pub(crate) fn times(&self) -> FlushTimes {
        self.clock.read()
    }

    fn wake(&self, all: bool) {
        let mut waiting = self.waiting();
        let flushed = self.flushed();
        let ready: Vec<Waker> = waiting
            .wakers
            .extract_if(.., |(target, _)| all || *target <= flushed)
            .map(|(_, waker)| waker)
            .collect();
        drop(waiting);
        ready.into_iter().for_each(Waker::wake);
    }

    /// Makes the mark itself durable.
    pub(crate) fn sync_mark(&self) -> std::io::Result<()> {
        self.mark.lock().unwrap_or_else(PoisonError::into_inner).sync()
    }

    /// Ready when everything below `target` is durable; otherwise `waker` is woken once it may be.
    pub(crate) fn poll(
        &self,
        target: CommitOffset,
        waker: &Waker,
        poison: &Poison,
    ) -> Poll<Result<(), Poisoned>> {
        if target <= self.flushed() {
            return Poll::Ready(Ok(()));
        }
        let mut waiting = self.waiting();
        if target <= self.flushed() {
            return Poll::Ready(Ok(()));
        }
        if let Err(poisoned) = poison.check() {
            return Poll::Ready(Err(poisoned));
        }
        let known = waiting.wakers.iter_mut().find(|(_, known)| known.will_wake(waker));
        match known {
            Some((wanted, _)) => *wanted = target.min(*wanted),
            None => waiting.wakers.push((target, waker.clone())),
        }
        if waiting.wanted < target {
            waiting.wanted = target;
            self.bell.notify_one();
        }
        Poll::Pending
    }

    /// Sleeps until a sync is wanted, the interval is over, or the flusher is stopped; `false` when stopped.
    pub(crate) fn wait(&self, interval: Duration, on_demand: bool) -> bool {
        let waiting = self.waiting();
        let idle =
            |waiting: &mut Waiting| !(waiting.stopped || (on_demand && waiting.wanted > self.flushed()));
        let (waiting, _) =
            self.bell.wait_timeout_while(waiting, interval, idle).unwrap_or_else(PoisonError::into_inner);
        !waiting.stopped
    }

    /// Ends the thread that waits.
    pub(crate) fn stop(&self) {
        self.waiting().stopped = true;
        self.bell.notify_all();
    }
}

/// A durable frame needs a durable queue, so the journal of queues goes first.
fn sync(
    log: &CommitLog,
    queues: &QueueTable,
    from: CommitOffset,
    target: CommitOffset,
) -> std::io::Result<()> {
    queues.sync_journal()?;
    sync_log(log, from, target)
}

fn sync_log(log: &CommitLog, from: CommitOffset, target: CommitOffset) -> std::io::Result<()> {
    let files = log.files();
    let touched = files.iter().filter(|file| file.start < target && from < file.end());
    touched.into_iter().try_for_each(|file| file.file.sync())
}
