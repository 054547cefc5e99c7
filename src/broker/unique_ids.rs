//! `UNIQ_KEY` for messages whose client sent none: 32 hexadecimal digits, unique for this broker.

use std::sync::atomic::{AtomicU64, Ordering};

use gantry_store::format::names;

/// The generator.
#[derive(Debug)]
pub(super) struct UniqueIds {
    /// Distinguishes this start of the broker from all others.
    start: u64,
    next: AtomicU64,
}

impl UniqueIds {
    pub(super) fn new(start: u64) -> Self {
        Self { start, next: AtomicU64::new(0) }
    }

    /// A whole property with a fresh id.
    pub(super) fn next_property(&self) -> Vec<u8> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        format!("{}\x01{:016X}{id:016X}\x02", names::UNIQ_KEY, self.start).into_bytes()
    }
}
