//! `gantry/epochs`: the leader epochs of the log. A new one begins whenever recovery cut bytes, so that a
//! replica or consumer that saw the cut bytes can find out.
//!
//! Payload: rows of 12 bytes, i32 epoch and i64 commit offset where it begins, ascending. Source: KIP-101.

use std::io;
use std::path::Path;

use crate::disk::Disk;
use crate::format::{CommitOffset, Reader};
use crate::side;

const MAGIC: [u8; 8] = *b"GNTYEPOC";
const VERSION: u16 = 1;

/// One leader epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch {
    /// Its number.
    pub epoch: i32,
    /// First commit offset written in it.
    pub begin: CommitOffset,
}

pub(crate) fn load(disk: &dyn Disk, path: &Path) -> io::Result<Vec<Epoch>> {
    let payload = side::load(disk, path, MAGIC, VERSION)?.unwrap_or_default();
    let mut reader = Reader::new(&payload);
    let mut epochs = Vec::new();
    while let (Some(epoch), Some(begin)) = (reader.i32(), reader.i64()) {
        epochs.push(Epoch { epoch, begin: CommitOffset(begin) });
    }
    if epochs.is_empty() {
        epochs.push(Epoch { epoch: 0, begin: CommitOffset(0) });
    }
    Ok(epochs)
}

pub(crate) fn save(disk: &dyn Disk, path: &Path, epochs: &[Epoch]) -> io::Result<()> {
    let mut payload = Vec::new();
    for row in epochs {
        payload.extend_from_slice(&row.epoch.to_be_bytes());
        payload.extend_from_slice(&row.begin.0.to_be_bytes());
    }
    side::save(disk, path, MAGIC, VERSION, &payload)
}

/// Begins the next epoch at `begin`; later ones are forgotten.
pub(crate) fn raise(epochs: &mut Vec<Epoch>, begin: CommitOffset) {
    let epoch = epochs.last().map_or(0, |last| last.epoch.saturating_add(1));
    epochs.retain(|row| row.begin < begin || row.epoch == 0);
    epochs.push(Epoch { epoch, begin });
}
