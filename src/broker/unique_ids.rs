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

    /// A fresh id.
    pub(super) fn next(&self) -> Box<str> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        format!("{:016X}{id:016X}", self.start).into()
    }
}

/// The property that carries an id.
pub(super) fn property(id: &str) -> Vec<u8> {
    format!("{}\x01{id}\x02", names::UNIQ_KEY).into_bytes()
}
