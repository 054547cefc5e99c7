//! The threads of an open store: thin loops around the steps of `Core`.
//!
//! The flusher syncs the log. The keeper writes queue units, makes checkpoints and prepares the next log
//! file; it may be late without harm, except that memory fills.

use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crate::config::FlushMode;
use crate::core::Core;

/// Wakes the keeper before its interval is over.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    state: Mutex<BellState>,
    bell: Condvar,
}

#[derive(Debug, Default)]
struct BellState {
    rung: bool,
    stopped: bool,
}

impl Bell {
    pub(crate) fn ring(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.rung {
            state.rung = true;
            self.bell.notify_all();
        }
    }

    fn stop(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).stopped = true;
        self.bell.notify_all();
    }

    /// `None` when stopped, else whether the bell was rung before the interval was over.
    fn wait(&self, interval: Duration) -> Option<bool> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = |state: &mut BellState| !state.rung && !state.stopped;
        let waited = self.bell.wait_timeout_while(state, interval, idle);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        (!state.stopped).then(|| std::mem::take(&mut state.rung))
    }
}

/// Starts the threads.
pub(crate) fn start(core: &Arc<Core>) -> io::Result<Vec<JoinHandle<()>>> {
    let (flusher, keeper) = (Arc::clone(core), Arc::clone(core));
    Ok(vec![
        Builder::new().name("store-flusher".to_owned()).spawn(move || run_flusher(&flusher))?,
        Builder::new().name("store-keeper".to_owned()).spawn(move || run_keeper(&keeper))?,
    ])
}

/// Asks the threads to end.
pub(crate) fn stop(core: &Core) {
    core.flusher.stop();
    core.bell.stop();
}

fn run_flusher(core: &Core) {
    let interval = Duration::from_millis(core.config.flush_interval_ms());
    let on_demand = core.config.flush == FlushMode::Sync;
    // A failure was logged where it happened and ends this thread: there is nothing left to flush to.
    while core.flusher.wait(interval, on_demand) && core.flush().is_ok() {}
}

/// Parts of the checkpoint interval after which the keeper looks around.
const LOOKS: u64 = 10;

fn run_keeper(core: &Core) {
    let look = Duration::from_millis((core.config.checkpoint_interval_ms / LOOKS).max(1));
    let clean_looks = core.config.clean_interval_ms.div_ceil(look.as_millis().max(1) as u64).max(1);
    let (mut looks, mut since_checkpoint) = (0, 0);
    let mut failing = Failing::default();
    while let Some(rung) = core.bell.wait(look) {
        looks += u64::from(!rung);
        since_checkpoint += u64::from(!rung);
        if since_checkpoint >= LOOKS || core.uncheckpointed() >= core.config.checkpoint_bytes.cast_signed() {
            since_checkpoint = 0;
            failing.report("making a checkpoint", core.checkpoint(false));
        } else {
            failing.report("writing queue units", core.queues.write_pending());
            failing.report("indexing keys", core.key_indexer.step(&core.log));
        }
        if core.config.preallocate {
            failing.report("preparing the next CommitLog file", core.preallocate());
        }
        if !rung && looks % clean_looks == 1 % clean_looks {
            failing.report("deleting old files", core.clean(false));
        }
    }
}

/// What fails at the moment: each kind of work is tried again at the next look, and said once until it works again.
#[derive(Default)]
struct Failing(Vec<&'static str>);

impl Failing {
    fn report<T, E: std::error::Error + 'static>(&mut self, doing: &'static str, result: Result<T, E>) {
        let known = self.0.iter().position(|failing| *failing == doing);
        match (result, known) {
            (Ok(_), None) | (Err(_), Some(_)) => {}
            (Ok(_), Some(at)) => {
                self.0.swap_remove(at);
                tracing::info!(doing, "background work goes on");
            }
            (Err(error), None) => {
                self.0.push(doing);
                let error = &error as &dyn std::error::Error;
                tracing::warn!(doing, error, "background work failed, it is tried again until it works");
            }
        }
    }
}
