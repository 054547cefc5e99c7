//! Where a recovery may begin: at a snapshot that still fits the log, else at the first file.

use std::collections::HashMap;
use std::io;

use super::Recovery;
use crate::config::QueueKind;
use crate::disk;
use crate::format::{CommitOffset, FrameHead, Peek};
use crate::queue_index::Queue;
use crate::snapshot::{QueueSnapshot, Snapshot};

/// The state before the scan.
#[derive(Clone, Debug)]
pub(crate) struct Base {
    /// Queues hold exactly what lies below.
    pub(crate) end: CommitOffset,
    pub(crate) last: Option<CommitOffset>,
    pub(crate) clock_ms: i64,
    /// Ordinals of queues whose files do not hold what they should.
    pub(crate) rebuild: Vec<u32>,
    /// See `Recovered::indexed`.
    pub(crate) indexed: Option<(CommitOffset, CommitOffset)>,
    /// Whether the scan begins at the first file, so that a queue may begin behind 0.
    pub(crate) from_first_file: bool,
    /// Frames older than this whose topic has no queue belong to a deleted topic; by kind of queue.
    pub(crate) deleted_before_ms: HashMap<QueueKind, i64>,
}

impl Recovery<'_> {
    pub(super) fn base(&mut self) -> io::Result<Base> {
        let snapshot = Snapshot::load(&**self.disk, &self.config.side_dir().join("snapshot"))?;
        match snapshot {
            Some(snapshot) if self.fits(&snapshot)? => Ok(self.base_of_snapshot(&snapshot)),
            _ => self.base_of_first_file(),
        }
    }

    /// Whether the log still holds what the snapshot was made of.
    fn fits(&self, snapshot: &Snapshot) -> io::Result<bool> {
        let (min, end) = (self.log.min(), self.log.end_of_files());
        if snapshot.queues.iter().any(|queue| queue.ordinal >= self.queues.next_ordinal()) {
            return Ok(false);
        }
        let inside = end.map_or(snapshot.end.0 == 0, |end| min <= snapshot.end && snapshot.end <= end);
        let Some(last) = snapshot.last.filter(|_| inside) else {
            return Ok(inside && snapshot.end == min);
        };
        let Some(file) = self.log.file_at(last.at) else { return Ok(false) };
        let mut head = [0; 8];
        disk::read_exact(&*file.file, file.position(last.at), &mut head)?;
        let Peek::Frame { size } = FrameHead::peek(&head) else { return Ok(false) };
        if last.at.plus(i64::from(size)) > file.end().min(snapshot.end) {
            return Ok(false);
        }
        Ok(crc32fast::hash(&file.read(last.at, size as usize)?) == last.crc)
    }

    fn base_of_snapshot(&self, snapshot: &Snapshot) -> Base {
        let by_ordinal: HashMap<u32, Queue> =
            self.queues.queues().into_iter().map(|queue| (queue.ordinal(), queue)).collect();
        let mut rebuild = Vec::new();
        for placed in &snapshot.queues {
            // A queue that is not in the table was removed after the snapshot.
            let Some(queue) = by_ordinal.get(&placed.ordinal) else { continue };
            queue.0.place(placed.at, placed.min, placed.next);
            if !is_intact(queue, placed, snapshot.end) {
                tracing::warn!(
                    topic = queue.topic(),
                    queue = queue.id(),
                    "queue files are short, rebuilding"
                );
                rebuild.push(placed.ordinal);
            }
        }
        Base {
            end: snapshot.end,
            last: snapshot.last.map(|last| last.at),
            clock_ms: snapshot.clock_ms,
            rebuild,
            indexed: Some((snapshot.indexed, snapshot.put_from)),
            from_first_file: false,
            deleted_before_ms: HashMap::new(),
        }
    }

    fn base_of_first_file(&self) -> io::Result<Base> {
        self.forget_snapshot()?;
        let mut deleted_before_ms = HashMap::new();
        let kept = self.checkpoint.map_or(0, |checkpoint| checkpoint.recovery_timestamp(false));
        for kind in [QueueKind::Simple, QueueKind::Batch] {
            if self.discover(kind)? {
                deleted_before_ms.insert(kind, if self.unclean { kept } else { i64::MAX });
            }
        }
        // The queues a scan will fill anew have to be known before their files change.
        self.queues.sync_journal()?;
        Ok(Base {
            end: self.log.min(),
            last: None,
            clock_ms: 0,
            rebuild: Vec::new(),
            indexed: None,
            from_first_file: true,
            deleted_before_ms,
        })
    }

    /// Before queue files are written anew: a crash may leave them half done, which no snapshot may cover.
    pub(super) fn forget_snapshot(&self) -> io::Result<()> {
        let path = self.config.side_dir().join("snapshot");
        if self.disk.exists(&path) {
            self.disk.unlink(&path)?;
            self.disk.sync_dir(&self.config.side_dir())?;
        }
        Ok(())
    }

    /// Enters the queues that have a directory; whether there was any.
    fn discover(&self, kind: QueueKind) -> io::Result<bool> {
        let mut any = false;
        let dir = self.queues.layout().kind_dir(kind);
        for topic in self.disk.list(&dir)?.into_iter().filter(|entry| entry.is_dir) {
            for queue in self.disk.list(&dir.join(&topic.name))? {
                if let Ok(id) = queue.name.parse() {
                    self.queues.ensure(&topic.name, id, kind)?;
                    any = true;
                }
            }
        }
        Ok(any)
    }
}

/// Whether all files are there and the newest unit stands where the snapshot says.
fn is_intact(queue: &Queue, placed: &QueueSnapshot, end: CommitOffset) -> bool {
    if placed.at.next == placed.at.first {
        return true;
    }
    let unit = queue.0.unit(placed.at.next - 1).ok().flatten();
    let complete = queue.0.files.holds(placed.at).unwrap_or(false);
    complete
        && unit.is_some_and(|unit| {
            unit.is_filler() || (unit.next_offset() == placed.next && unit.frame_end() <= end)
        })
}
