//! Checkpoint and the side files under `gantry/`: whole, and not ahead of the log.

use std::io;
use std::path::Path;

use super::{Finding, Offline, Report};
use crate::disk;
use crate::flushed_mark::FlushedMark;
use crate::format::CommitOffset;
use crate::format::checkpoint::Checkpoint;
use crate::format::side_file;
use crate::snapshot::Snapshot;

/// Below which commit offset derived files have to be complete.
pub(super) struct Covered {
    pub(super) queues: CommitOffset,
    pub(super) keys: CommitOffset,
}

/// Everything after a clean stop, else what the last checkpoint of ours covers.
pub(super) fn covered(store: &Offline, is_clean: bool) -> io::Result<Covered> {
    let all = CommitOffset(i64::MAX);
    if is_clean {
        return Ok(Covered { queues: all, keys: all });
    }
    let snapshot = Snapshot::load(&*store.disk, &store.config.side_dir().join("snapshot"))?;
    let none = CommitOffset(0);
    Ok(snapshot.map_or(Covered { queues: none, keys: none }, |snapshot| Covered {
        queues: snapshot.end,
        keys: snapshot.indexed,
    }))
}

/// Below which commit offset everything was synced; 0 where no Gantry ever wrote.
pub(super) fn flushed(store: &Offline) -> io::Result<CommitOffset> {
    let (_, flushed) = FlushedMark::open(&*store.disk, &store.config.side_dir().join("flushed"))?;
    Ok(flushed.unwrap_or_default())
}

/// Looks at all of them; `newest_ms` is the newest store timestamp of the log.
pub(super) fn check(store: &Offline, newest_ms: i64, report: &mut Report) -> io::Result<()> {
    check_checkpoint(store, newest_ms, report)?;
    let dir = store.config.side_dir();
    for entry in store.disk.list(&dir)?.into_iter().filter(|entry| !entry.is_dir) {
        if let Some(cause) = damage(store, &dir, &entry.name)? {
            report.add(Finding::SideFile { name: entry.name.into(), cause: cause.into() });
        }
    }
    let flushed = Some(flushed(store)?);
    let snapshot = Snapshot::load(&*store.disk, &dir.join("snapshot"))?;
    let marks = [("flushed", flushed), ("snapshot", snapshot.map(|snapshot| snapshot.end))];
    for (name, says) in marks {
        if let Some(says) = says.filter(|says| *says > report.end) {
            report.add(Finding::Beyond { name: name.into(), says, end: report.end });
        }
    }
    Ok(())
}

fn check_checkpoint(store: &Offline, newest: i64, report: &mut Report) -> io::Result<()> {
    let path = store.config.root.join("checkpoint");
    let found = if store.disk.exists(&path) {
        Checkpoint::decode(&disk::read_file(&*store.disk, &path)?)
    } else {
        None
    };
    let Some(checkpoint) = found else {
        if report.is_clean && report.frames > 0 {
            report.add(Finding::NoCheckpoint);
        }
        return Ok(());
    };
    let fields = [
        ("physicMsgTimestamp", checkpoint.physic_msg_timestamp),
        ("logicsMsgTimestamp", checkpoint.logics_msg_timestamp),
        ("indexMsgTimestamp", checkpoint.index_msg_timestamp),
    ];
    for (field, value) in fields.into_iter().filter(|(_, value)| *value > newest) {
        report.add(Finding::CheckpointLate { field, value, newest });
    }
    Ok(())
}

/// Side files with an envelope of their own, or none: bytes of a log, journals that end in a torn record.
fn has_envelope(name: &str) -> bool {
    let other = ["queues", "flushed"].contains(&name) || name.starts_with("cut-");
    !other && !name.ends_with(".tmp") && !name.contains("journal")
}

/// What is wrong with a side file.
fn damage(store: &Offline, dir: &Path, name: &str) -> io::Result<Option<String>> {
    if !has_envelope(name) {
        return Ok(None);
    }
    let content = disk::read_file(&*store.disk, &dir.join(name))?;
    let own = ["snapshot", "fences", "epochs"].contains(&name);
    let magic = content.first_chunk::<8>().filter(|magic| magic.iter().all(u8::is_ascii_alphanumeric));
    Ok(match magic {
        Some(magic) => side_file::decode(*magic, &content).err().map(|error| error.to_string()),
        None if own => Some("it does not begin as a side file".to_owned()),
        None => None,
    })
}
