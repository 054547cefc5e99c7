//! Cutting the tail: bytes behind the last intact frame are kept aside, then zeroed and synced.
//!
//! Stale frames behind the cut stand at their own offsets; left there they would pass every check of the
//! next recovery once the log has grown up to them.

use std::io;
use std::path::Path;

use crate::append;
use crate::commit_log::{self, CommitLog, LogFile};
use crate::disk::{self, Disk, Open};
use crate::format::CommitOffset;

/// Keeps aside and zeros everything from `end` on; returns how many bytes there were. `before_erase` runs
/// once, before the first byte goes.
pub(crate) fn cut_tail(
    disk: &dyn Disk,
    log: &CommitLog,
    side_dir: &Path,
    end: CommitOffset,
    now_ms: i64,
    before_erase: &mut dyn FnMut() -> io::Result<()>,
) -> io::Result<u64> {
    let mut cuts = Vec::new();
    for file in log.files() {
        let from = file.position(end);
        if file.end() > end
            && let Some(behind) = commit_log::last_data(&*file.file, from)?
        {
            save(disk, side_dir, &file, from, behind, now_ms)?;
            cuts.push((file, from, behind));
        }
    }
    if cuts.is_empty() {
        return Ok(0);
    }
    disk.sync_dir(side_dir)?;
    before_erase()?;
    let mut bytes = 0;
    for (file, from, behind) in cuts.into_iter().rev() {
        append::erase(&file, from, behind - from)?;
        file.file.sync()?;
        bytes += behind - from;
    }
    Ok(bytes)
}

/// Copies a range of a log file to `cut-<commit offset>-<time>`.
fn save(disk: &dyn Disk, dir: &Path, file: &LogFile, from: u64, behind: u64, now_ms: i64) -> io::Result<()> {
    let at = file.start.plus(from.cast_signed());
    let copy = disk.open(&dir.join(format!("cut-{:020}-{now_ms}", at.0)), Open::Truncate)?;
    let mut buffer = vec![0; PIECE];
    let mut done = from;
    while done < behind {
        let want = usize::try_from(behind - done).unwrap_or(PIECE).min(PIECE);
        let piece = buffer.get_mut(..want).unwrap_or_default();
        disk::read_exact(&*file.file, done, piece)?;
        disk::write_all(&*copy, done - from, piece)?;
        done += want as u64;
    }
    copy.sync()
}

const PIECE: usize = 1 << 20;
