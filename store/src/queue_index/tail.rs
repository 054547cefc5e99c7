//! The newest units of one queue, encoded as in the files, and where the files end.
//!
//! Units are numbered from 0; in a queue of kind Simple the number is the queue offset. Memory holds the
//! units `[first_in_memory, next)`, of which `[written, next)` are not in the files yet.

use super::Unit;
use crate::config::QueueKind;

/// Units that stay in memory after they were written, for readers at the tail.
const KEPT: i64 = 64;

/// How far a queue reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    /// Number of the oldest unit.
    pub(crate) first: i64,
    /// Number of the next unit.
    pub(crate) next: i64,
}

#[derive(Debug)]
pub(crate) struct Tail {
    kind: QueueKind,
    first: i64,
    first_in_memory: i64,
    written: i64,
    next: i64,
    bytes: Vec<u8>,
    /// First units of files written since they were last synced.
    unsynced: Vec<i64>,
}

impl Tail {
    pub(crate) fn new(kind: QueueKind, at: Position) -> Tail {
        let (bytes, unsynced) = (Vec::new(), Vec::new());
        Tail {
            kind,
            first: at.first,
            first_in_memory: at.next,
            written: at.next,
            next: at.next,
            bytes,
            unsynced,
        }
    }

    pub(crate) fn position(&self) -> Position {
        Position { first: self.first, next: self.next }
    }

    pub(crate) fn push(&mut self, unit: &Unit) {
        unit.encode(self.kind, &mut self.bytes);
        self.next += 1;
    }

    /// An empty queue begins at this unit number instead of 0.
    pub(crate) fn begin_at(&mut self, index: i64) {
        self.first = index;
        self.first_in_memory = index;
        self.written = index;
        self.next = index;
    }

    /// Number of the oldest unit in memory.
    pub(crate) fn first_in_memory(&self) -> i64 {
        self.first_in_memory
    }

    /// Units below this number are in the files.
    pub(crate) fn written(&self) -> i64 {
        self.written
    }

    pub(crate) fn set_first(&mut self, first: i64) {
        self.first = first.max(self.first);
    }

    /// The unit in memory with this number.
    pub(crate) fn unit(&self, index: i64) -> Option<Unit> {
        let at = usize::try_from(index - self.first_in_memory).ok()?.checked_mul(Unit::len(self.kind))?;
        Unit::decode(self.kind, index, self.bytes.get(at..)?)
    }

    /// Copies the units that are not in the files; returns the number of the first one.
    pub(crate) fn copy_pending(&self, into: &mut Vec<u8>) -> i64 {
        into.clear();
        let at = usize::try_from(self.written - self.first_in_memory).unwrap_or(0) * Unit::len(self.kind);
        into.extend_from_slice(self.bytes.get(at..).unwrap_or_default());
        self.written
    }

    /// Units below `written` are in the files; old ones leave memory.
    pub(crate) fn mark_written(&mut self, written: i64, touched: &[i64]) {
        self.written = written.max(self.written);
        for file in touched {
            if !self.unsynced.contains(file) {
                self.unsynced.push(*file);
            }
        }
        let surplus = (self.written - KEPT) - self.first_in_memory;
        if surplus >= KEPT {
            let bytes = usize::try_from(surplus).unwrap_or(0) * Unit::len(self.kind);
            self.bytes.drain(..bytes.min(self.bytes.len()));
            self.first_in_memory += surplus;
            self.bytes.shrink_to(2 * self.bytes.len());
        }
    }

    pub(crate) fn take_unsynced(&mut self) -> Vec<i64> {
        std::mem::take(&mut self.unsynced)
    }
}
