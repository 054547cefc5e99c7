//! Doing what `retention` decides: old log files go, and what points into them follows.
//!
//! Source: RocketMQ 5.3.3 `store/DefaultMessageStore.java` (`CleanCommitLogService`,
//! `CleanConsumeQueueService`).

use std::io;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use crate::core::Core;
use crate::error::CloseError;
use crate::retention::{LogFile, Situation, decide};

const HOUR_MS: i64 = 3_600_000;
const MINUTE_MS: i64 = 60_000;

impl Core {
    /// One round: decides, deletes, and says how many files went. `manual`: an operator asked.
    pub(crate) fn clean(&self, manual: bool) -> Result<usize, CloseError> {
        let files = self.retained_files()?;
        let now = (self.now)();
        let space = self.disk.space(&self.config.root)?;
        let local = now.saturating_add(i64::from(self.config.utc_offset_minutes) * MINUTE_MS);
        let situation = Situation {
            files: &files,
            now,
            hour: u8::try_from(local.div_euclid(HOUR_MS).rem_euclid(24)).unwrap_or(0),
            disk_used: space.total.saturating_sub(space.available),
            disk_total: space.total,
            manual,
        };
        let retention = *self.retention.lock().unwrap_or_else(PoisonError::into_inner);
        let decision = decide(&retention, &situation);
        self.refuse(decision.refuse_appends);
        let mut deleted = 0;
        for file in decision.delete {
            // What is not durable yet is not old; and the active file never goes.
            if file.end > self.flusher.flushed() || self.log.min() != file.start {
                break;
            }
            self.log.remove_oldest()?;
            tracing::info!(commit_offset = %file.start, occasion = ?decision.occasion, "deleted a CommitLog file");
            deleted += 1;
        }
        if deleted > 0 {
            self.follow_log_min()?;
        }
        Ok(deleted)
    }

    fn retained_files(&self) -> io::Result<Vec<LogFile>> {
        let file = |file: &std::sync::Arc<crate::commit_log::LogFile>| {
            Ok(LogFile { start: file.start, end: file.end(), last_modified: file.file.modified_ms()? })
        };
        let written = self.written();
        self.log.files().iter().filter(|file| file.start <= written).map(file).collect()
    }

    fn refuse(&self, refuse: bool) {
        if self.refused.swap(refuse, Ordering::Relaxed) != refuse {
            tracing::warn!(refuse, "the disk's use crossed diskSpaceWarningLevelRatio");
        }
    }

    fn follow_log_min(&self) -> Result<(), CloseError> {
        let min = self.log.min();
        for queue in self.queues.queues() {
            queue.0.raise_min(min)?;
        }
        self.key_indexer.delete_before(min)?;
        Ok(())
    }
}
