//! Memory of all read buffers: one bound for the process. A connection that wants a larger buffer claims it
//! first and waits when the bound is reached; small buffers are always granted, so small requests go on.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;

/// What all connections share. Sizes in bytes.
#[derive(Debug)]
pub(super) struct ReadMemory {
    limit: usize,
    used: AtomicUsize,
    waiting: Mutex<Vec<Waker>>,
}

impl ReadMemory {
    pub(super) fn new(limit: usize) -> Arc<ReadMemory> {
        Arc::new(ReadMemory { limit, used: AtomicUsize::new(0), waiting: Mutex::new(Vec::new()) })
    }

    /// Bytes claimed now.
    pub(super) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    fn release(&self, size: usize) {
        self.used.fetch_sub(size, Ordering::SeqCst);
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        waiting.into_iter().for_each(Waker::wake);
    }

    fn wait(&self, waker: &Waker) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(waker.clone());
    }
}

/// What one connection holds of it; given back when dropped.
#[derive(Debug)]
pub(super) struct Claim {
    memory: Arc<ReadMemory>,
    free: usize,
    held: usize,
}

impl Claim {
    /// Nothing held; the first `free` bytes of every buffer are not counted.
    pub(super) fn new(memory: Arc<ReadMemory>, free: usize) -> Claim {
        Claim { memory, free, held: 0 }
    }

    /// True when a buffer of `size` bytes fits now; else `waker` is woken when memory comes back.
    pub(super) fn fits(&self, size: usize, waker: &Waker) -> bool {
        let more = size.saturating_sub(self.free).saturating_sub(self.held);
        let fits = || more == 0 || self.memory.used() + more <= self.memory.limit;
        if fits() {
            return true;
        }
        // Memory given back between the look and the registration woke nobody: look again.
        self.memory.wait(waker);
        fits()
    }

    /// The buffer has `size` bytes now.
    pub(super) fn hold(&mut self, size: usize) {
        let counted = size.saturating_sub(self.free);
        if self.held < counted {
            self.memory.used.fetch_add(counted - self.held, Ordering::SeqCst);
        } else if counted < self.held {
            self.memory.release(self.held - counted);
        }
        self.held = counted;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.hold(0);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::task::Wake;

    use super::*;

    struct Flag(AtomicBool);

    impl Wake for Flag {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_large_buffer_waits_until_memory_comes_back() {
        let memory = ReadMemory::new(1000);
        let flag = Arc::new(Flag(AtomicBool::new(false)));
        let waker = Waker::from(Arc::clone(&flag));
        let mut first = Claim::new(Arc::clone(&memory), 100);
        first.hold(900);
        let second = Claim::new(Arc::clone(&memory), 100);
        assert!(second.fits(100, &waker));
        assert!(second.fits(300, &waker));
        assert!(!second.fits(301, &waker));
        assert!(!flag.0.load(Ordering::SeqCst));
        drop(first);
        assert!(flag.0.load(Ordering::SeqCst));
        assert!(second.fits(1100, &waker));
        assert_eq!(memory.used(), 0);
    }
}
