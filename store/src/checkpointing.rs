//! The checkpoint: log, queue files and side files durable up to one place, then said so.
//!
//! Ours is `gantry/snapshot`; for a Java broker the `checkpoint` file gets the store timestamp of that place
//! in all its fields, so that its recovery begins early enough. Source: RocketMQ 5.3.3
//! `store/StoreCheckpoint.java`.

use std::io;
use std::sync::PoisonError;

use crate::core::Core;
use crate::disk::{self, Open};
use crate::error::CloseError;
use crate::format::CommitOffset;
use crate::format::checkpoint::Checkpoint;
use crate::snapshot::{LastFrame, QueueSnapshot, Snapshot};

impl Core {
    /// Makes everything appended so far durable and records it. `clean`: nothing will follow.
    pub(crate) fn checkpoint(&self, clean: bool) -> Result<(), CloseError> {
        let mut last = self.checkpointed.lock().unwrap_or_else(PoisonError::into_inner);
        self.poison.check()?;
        if *last == Some((self.written(), clean)) {
            return Ok(());
        }
        let mut snapshot = self.freeze();
        self.flush()?;
        let caught_up =
            if clean { self.index_keys().map(|()| true) } else { self.key_indexer.step(&self.log) };
        caught_up?;
        (snapshot.indexed, snapshot.put_from) = self.key_indexer.flush()?;
        self.sync_queues()?;
        if let Some(frame) = &mut snapshot.last {
            frame.crc = self.frame_crc(frame.at, snapshot.end)?;
        }
        let all_indexed = snapshot.indexed >= snapshot.end;
        let indexed_ms = if all_indexed { snapshot.clock_ms } else { self.key_indexer.flushed_timestamp() };
        self.save_java_checkpoint(snapshot.clock_ms, indexed_ms)?;
        snapshot.save(&*self.disk, &self.side_file("snapshot"))?;
        self.flusher.sync_mark()?;
        *last = Some((snapshot.end, clean));
        Ok(())
    }

    /// Bytes appended since the last checkpoint.
    pub(crate) fn uncheckpointed(&self) -> i64 {
        let last = *self.checkpointed.lock().unwrap_or_else(PoisonError::into_inner);
        self.written().bytes_since(last.map_or(self.log.min(), |(end, _)| end))
    }

    /// Where everything stands at one moment between two appends.
    fn freeze(&self) -> Snapshot {
        let position = self.position();
        let queues = self.queues.queues().into_iter().map(|queue| QueueSnapshot {
            ordinal: queue.ordinal(),
            min: queue.min(),
            next: queue.next(),
            at: queue.0.tail().position(),
        });
        Snapshot {
            end: position.at,
            last: position.last.map(|at| LastFrame { at, crc: 0 }),
            clock_ms: position.clock_ms,
            indexed: CommitOffset(0),
            put_from: CommitOffset(0),
            queues: queues.collect(),
        }
    }

    /// A failed sync leaves it unknown what is on disk, so it ends the store as one of the log does.
    fn sync_queues(&self) -> Result<(), CloseError> {
        self.queues.write_pending()?;
        self.queues.sync_written().map_err(|e| self.poison.set("syncing queue files", &e))?;
        Ok(())
    }

    fn frame_crc(&self, at: CommitOffset, end: CommitOffset) -> io::Result<u32> {
        let file = self.log.file_at(at).ok_or(io::ErrorKind::NotFound)?;
        let limit = file.end().min(end).bytes_since(at);
        let head = file.read(at, usize::try_from(limit.min(8)).unwrap_or(0))?;
        let size = head.first_chunk().map_or(0, |size| u32::from_be_bytes(*size));
        Ok(crc32fast::hash(&file.read(at, (size as usize).min(usize::try_from(limit).unwrap_or(0)))?))
    }

    fn save_java_checkpoint(&self, clock_ms: i64, indexed_ms: i64) -> io::Result<()> {
        let checkpoint = Checkpoint {
            physic_msg_timestamp: clock_ms,
            logics_msg_timestamp: clock_ms,
            index_msg_timestamp: indexed_ms.min(clock_ms),
            ..Checkpoint::default()
        };
        let path = self.config.root.join("checkpoint");
        let existed = self.disk.exists(&path);
        let file = self.disk.open(&path, Open::Create)?;
        disk::write_all(&*file, 0, &checkpoint.encode())?;
        file.sync()?;
        if existed { Ok(()) } else { self.disk.sync_dir(&self.config.root) }
    }
}
