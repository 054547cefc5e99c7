//! Finding units: by queue offset in queues of kind Batch, by commit offset for the lower bound.
//!
//! Units ascend in both offsets, so all searches are binary; fillers count as older than any frame.

use std::io;

use super::{QueueState, Unit};
use crate::config::QueueKind;
use crate::format::{CommitOffset, QueueOffset};

impl QueueState {
    /// Number of the unit that holds `offset`, or of the next one where no unit holds it.
    pub(crate) fn find(&self, offset: QueueOffset) -> io::Result<i64> {
        match self.kind {
            QueueKind::Simple => Ok(offset.0),
            QueueKind::Batch => self.partition(|unit| Ok(unit.next_offset() <= offset)),
        }
    }

    /// Number of the first unit for which `before` is false; it is true for units up to some place.
    pub(crate) fn partition(&self, before: impl Fn(&Unit) -> io::Result<bool>) -> io::Result<i64> {
        let at = self.tail().position();
        let (mut low, mut high) = (at.first, at.next);
        while low < high {
            let middle = low + (high - low) / 2;
            let is_before = match self.unit(middle)? {
                Some(unit) => unit.is_filler() || before(&unit)?,
                None => true,
            };
            if is_before {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    /// Raises the queue's lower bound to its first frame at or behind `log_min`, and removes files that lie
    /// wholly before it.
    pub(crate) fn raise_min(&self, log_min: CommitOffset) -> io::Result<()> {
        let at = self.tail().position();
        if at.first == at.next
            || self.unit(at.first)?.is_some_and(|unit| unit.commit_offset >= log_min && !unit.is_filler())
        {
            return Ok(());
        }
        let first = self.partition(|unit| Ok(unit.commit_offset < log_min))?;
        if first == at.first {
            return Ok(());
        }
        let min = match self.unit(first)? {
            Some(unit) => unit.queue_offset.0,
            None => self.next().0,
        };
        self.min.fetch_max(min, std::sync::atomic::Ordering::AcqRel);
        self.tail().set_first(first);
        self.remove_files_before(first)
    }

    fn remove_files_before(&self, unit: i64) -> io::Result<()> {
        for file in self.files.existing()? {
            let end = file + self.files.units_per_file();
            if end <= unit && end <= self.tail().written() {
                self.files.remove_file(file)?;
            }
        }
        Ok(())
    }

    fn next(&self) -> QueueOffset {
        QueueOffset(self.next.load(std::sync::atomic::Ordering::Acquire))
    }
}
