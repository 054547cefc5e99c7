//! `gantry/fences`: ranges of the log that are damaged below the flushed place. They are never truncated;
//! reads of them fail until they are repaired, or until an operator accepts the loss by name.
//!
//! Payload: rows of 17 bytes, i64 begin, i64 end (commit offsets), u8 1 when the loss was accepted.

use std::io;
use std::path::Path;

use crate::disk::Disk;
use crate::format::{CommitOffset, Reader};
use crate::side;

const MAGIC: [u8; 8] = *b"GNTYFENC";
const VERSION: u16 = 1;

/// A damaged range of the CommitLog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fence {
    /// First damaged byte.
    pub begin: CommitOffset,
    /// Where intact frames begin again.
    pub end: CommitOffset,
    /// Whether an operator accepted the loss: reads then pass over the range.
    pub accepted: bool,
}

impl Fence {
    /// Whether the range holds this place.
    pub fn holds(&self, at: CommitOffset) -> bool {
        self.begin <= at && at < self.end
    }
}

pub(crate) fn load(disk: &dyn Disk, path: &Path) -> io::Result<Vec<Fence>> {
    let payload = side::load(disk, path, MAGIC, VERSION)?.unwrap_or_default();
    let mut reader = Reader::new(&payload);
    let mut fences = Vec::new();
    while let (Some(begin), Some(end), Some(accepted)) = (reader.i64(), reader.i64(), reader.array::<1>()) {
        fences.push(Fence { begin: CommitOffset(begin), end: CommitOffset(end), accepted: accepted == [1] });
    }
    Ok(fences)
}

pub(crate) fn save(disk: &dyn Disk, path: &Path, fences: &[Fence]) -> io::Result<()> {
    let mut payload = Vec::new();
    for fence in fences {
        payload.extend_from_slice(&fence.begin.0.to_be_bytes());
        payload.extend_from_slice(&fence.end.0.to_be_bytes());
        payload.push(u8::from(fence.accepted));
    }
    side::save(disk, path, MAGIC, VERSION, &payload)
}

/// Adds a range, unless it is known; a known acceptance stays.
pub(crate) fn add(fences: &mut Vec<Fence>, begin: CommitOffset, end: CommitOffset) {
    if !fences.iter().any(|fence| fence.begin <= begin && end <= fence.end) {
        fences.retain(|fence| fence.end <= begin || end <= fence.begin);
        fences.push(Fence { begin, end, accepted: false });
        fences.sort_unstable_by_key(|fence| fence.begin);
    }
}
