//! Stop: one flag that every task watches, set by SIGINT, SIGTERM or a call. A second signal ends the process at
//! once; the store survives that as it survives a kill.

use std::future::poll_fn;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};

use slab::Slab;
use tokio::signal::unix::{SignalKind, signal};

/// The flag. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Shutdown(Arc<State>);

#[derive(Debug, Default)]
struct State {
    stopping: AtomicBool,
    watchers: Mutex<Slab<Waker>>,
}

impl Shutdown {
    /// Nothing stops yet.
    pub fn new() -> Shutdown {
        Shutdown::default()
    }

    /// Tells every task to finish. Never blocks; again has no effect.
    pub fn stop(&self) {
        self.0.stopping.store(true, Ordering::SeqCst);
        let watchers: Vec<Waker> = self.watchers().iter().map(|(_, waker)| waker.clone()).collect();
        watchers.into_iter().for_each(Waker::wake);
    }

    /// True from the first `stop` on.
    pub fn is_stopping(&self) -> bool {
        self.0.stopping.load(Ordering::SeqCst)
    }

    /// Returns when the process stops.
    pub async fn stopping(&self) {
        let mut watch = self.watch();
        poll_fn(|cx| if watch.sees_stop(cx.waker()) { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    /// For a hand-written future: wakes its task once at the stop.
    pub(super) fn watch(&self) -> Watch {
        Watch { shutdown: self.clone(), registered: None }
    }

    /// A panic elsewhere cannot leave a slab of wakers in a bad state, so a poisoned lock is taken as it is.
    fn watchers(&self) -> std::sync::MutexGuard<'_, Slab<Waker>> {
        self.0.watchers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One task's registration.
#[derive(Debug)]
pub(super) struct Watch {
    shutdown: Shutdown,
    registered: Option<(usize, Waker)>,
}

impl Watch {
    /// True when the process stops; else `waker` will be woken then. Takes the lock only for a new waker.
    pub(super) fn sees_stop(&mut self, waker: &Waker) -> bool {
        if !self.registered.as_ref().is_some_and(|(_, registered)| registered.will_wake(waker)) {
            self.forget();
            let key = self.shutdown.watchers().insert(waker.clone());
            self.registered = Some((key, waker.clone()));
        }
        self.shutdown.is_stopping()
    }

    fn forget(&mut self) {
        if let Some((key, _)) = self.registered.take() {
            self.shutdown.watchers().try_remove(key);
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.forget();
    }
}

/// Turns the first SIGINT or SIGTERM into a stop and the second into the end of the process (exit code 1).
///
/// # Errors
/// When the handlers cannot be installed.
pub(super) async fn on_signals(shutdown: Shutdown) -> io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    for round in 0..2 {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        if round == 0 {
            tracing::info!("stopping; a second signal stops at once");
            shutdown.stop();
        }
    }
    tracing::warn!("stopped at once; the next start recovers");
    std::process::exit(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stop_reaches_who_waits_and_who_comes_later() {
        let shutdown = Shutdown::new();
        let waiting = tokio::spawn({
            let shutdown = shutdown.clone();
            async move { shutdown.stopping().await }
        });
        tokio::task::yield_now().await;
        assert!(!shutdown.is_stopping());
        shutdown.stop();
        waiting.await.unwrap();
        shutdown.stopping().await;
    }

    #[tokio::test]
    async fn a_dropped_watch_leaves_nothing_behind() {
        let shutdown = Shutdown::new();
        let waiting = tokio::spawn({
            let shutdown = shutdown.clone();
            async move { shutdown.stopping().await }
        });
        tokio::task::yield_now().await;
        waiting.abort();
        assert!(waiting.await.unwrap_err().is_cancelled());
        assert_eq!(shutdown.watchers().len(), 0);
    }
}
