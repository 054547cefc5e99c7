//! Writes the broker's state files: one thread, requests coalesced, answers wait for a version.
//!
//! A verb that changed something durable asks for its file to be written and gets a [`Version`]; the reply
//! waits until that version stands on disk. Requests that arrive while a write runs share the next one, so a
//! thousand topic creations cost a handful of fsyncs. What the files hold is not known here.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tracing::error;

/// A group of state files that is written together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum StateFile {
    /// `config/topics.json` and `gantry/topics`.
    Topics = 1,
    /// `config/subscriptionGroup.json`.
    SubscriptionGroups = 2,
    /// `config/consumerOffset.json`, folded from the journal.
    Offsets = 4,
    /// `gantry/producers`: producer states and id blocks.
    Producers = 8,
    /// `gantry/config`: what administrators changed.
    Config = 16,
}

/// The files of one round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StateFiles(u8);

impl StateFiles {
    /// Every file.
    pub const ALL: Self = Self(31);
    /// What is written on the clock even if nobody waits for it.
    pub const PERIODIC: Self = Self(StateFile::Offsets as u8 | StateFile::Producers as u8);

    /// Whether `file` is among them.
    #[must_use]
    pub fn contains(self, file: StateFile) -> bool {
        self.0 & file as u8 != 0
    }

    fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// A point in the order of writes; later requests have larger ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(u64);

impl Version {
    /// The version that always stands on disk: nothing to wait for.
    pub const NONE: Self = Self(0);
}

/// The write failed; the cause stands in the log, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the broker could not write its state files; its log names the cause")]
pub struct PersistFailed;

#[derive(Debug, Default)]
struct State {
    wanted: u64,
    done: u64,
    failed: u64,
    due: StateFiles,
    wakers: Vec<Waker>,
    stop: bool,
}

/// The queue in front of the writing thread.
#[derive(Debug, Default)]
pub struct Persist {
    state: Mutex<State>,
    written: AtomicU64,
    work: Condvar,
}

impl Persist {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for `file` to be written as it is from now on. Never blocks on the disk.
    pub fn request(&self, file: StateFile) -> Version {
        let mut state = self.lock();
        state.due.0 |= file as u8;
        state.wanted += 1;
        self.work.notify_one();
        Version(state.wanted)
    }

    /// Whether `version` stands on disk.
    #[must_use]
    pub fn is_done(&self, version: Version) -> bool {
        version.0 <= self.written.load(Ordering::Acquire)
    }

    /// Ready once everything asked for up to `version` stands on disk, or failed to.
    pub fn poll(&self, version: Version, waker: &Waker) -> Poll<Result<(), PersistFailed>> {
        if self.is_done(version) {
            return Poll::Ready(Ok(()));
        }
        let mut state = self.lock();
        if version.0 <= state.done {
            return Poll::Ready(Ok(()));
        }
        if version.0 <= state.failed {
            return Poll::Ready(Err(PersistFailed));
        }
        if !state.wakers.iter().any(|known| known.will_wake(waker)) {
            state.wakers.push(waker.clone());
        }
        Poll::Pending
    }

    /// Starts the thread. `write` writes the named files and blocks; it also runs every `period` for
    /// [`StateFiles::PERIODIC`] and once for everything at [`Persist::stop`]. `written` is told what was written,
    /// once [`Persist::is_done`] says so too.
    ///
    /// # Errors
    /// The operating system's when no thread can be started.
    pub fn start<E: std::error::Error>(
        self: &Arc<Self>,
        period: Duration,
        write: impl Fn(StateFiles) -> Result<(), E> + Send + 'static,
        written: impl Fn(StateFiles) + Send + 'static,
    ) -> std::io::Result<JoinHandle<()>> {
        let persist = Arc::clone(self);
        std::thread::Builder::new().name("gantry-persist".into()).spawn(move || {
            let mut next_period = Instant::now() + period;
            while let Some((files, version)) = persist.next_round(&mut next_period, period) {
                let result = write(files);
                let is_written = result.is_ok();
                persist.finish(version, result);
                if is_written {
                    written(files);
                }
            }
            persist.finish(u64::MAX, write(StateFiles::ALL));
        })
    }

    /// Lets the thread write everything once more and end; join its handle after this.
    pub fn stop(&self) {
        self.lock().stop = true;
        self.work.notify_one();
    }

    fn next_round(&self, next_period: &mut Instant, period: Duration) -> Option<(StateFiles, u64)> {
        let mut state = self.lock();
        loop {
            if state.stop {
                return None;
            }
            let now = Instant::now();
            if now >= *next_period {
                *next_period = now + period;
                state.due.0 |= StateFiles::PERIODIC.0;
            }
            if !state.due.is_empty() {
                return Some((std::mem::take(&mut state.due), state.wanted));
            }
            let left = next_period.saturating_duration_since(now);
            state = self.work.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn finish<E: std::error::Error>(&self, version: u64, result: Result<(), E>) {
        let mut state = self.lock();
        match result {
            Ok(()) => {
                state.done = state.done.max(version);
                self.written.store(state.done, Ordering::Release);
            }
            Err(cause) => {
                error!(error = %cause, "state files could not be written");
                state.failed = state.failed.max(version);
            }
        }
        state.wakers.drain(..).for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("disk is gone")]
    struct Gone;

    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    fn wait(persist: &Persist, version: Version) -> Result<(), PersistFailed> {
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        loop {
            match persist.poll(version, &waker) {
                Poll::Ready(result) => return result,
                Poll::Pending => std::thread::park(),
            }
        }
    }

    #[test]
    fn a_reply_waits_for_the_write_that_holds_its_change() {
        let persist = Arc::new(Persist::default());
        let (told, heard) = mpsc::channel();
        let thread = persist
            .start(Duration::from_secs(3600), move |files| told.send(files).map_err(|_| Gone), |_| {})
            .unwrap();
        let version = persist.request(StateFile::Topics);
        wait(&persist, version).unwrap();
        assert!(heard.recv().unwrap().contains(StateFile::Topics));
        persist.stop();
        thread.join().unwrap();
        assert_eq!(heard.recv().unwrap(), StateFiles::ALL);
    }

    #[test]
    fn a_failed_write_is_reported_to_those_who_wait_and_the_next_one_may_succeed() {
        let persist = Arc::new(Persist::default());
        let mut first = true;
        let fail_once = Mutex::new(move || if std::mem::take(&mut first) { Err(Gone) } else { Ok(()) });
        let thread =
            persist.start(Duration::from_secs(3600), move |_| (fail_once.lock().unwrap())(), |_| {}).unwrap();
        assert_eq!(wait(&persist, persist.request(StateFile::Topics)), Err(PersistFailed));
        assert_eq!(wait(&persist, persist.request(StateFile::Topics)), Ok(()));
        persist.stop();
        thread.join().unwrap();
    }
}
