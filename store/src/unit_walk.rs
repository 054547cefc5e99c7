//! Walking the units of a queue without their frames: what is stored, and how large it is.

use std::ops::ControlFlow;

use crate::error::ReadError;
use crate::format::QueueOffset;
use crate::queue_index::{Queue, Unit};
use crate::store::Store;

/// Units read at a time: 20 KB or 46 KB of a file.
const UNITS: usize = 1024;

impl Store {
    /// Calls `visit` for each unit from the one that holds `from` on, in order, until it breaks or the queue ends.
    /// Messages that no frame holds are left out. Blocks for reads of the queue's files.
    ///
    /// # Errors
    /// A disk that fails.
    pub fn visit_units(
        &self,
        queue: &Queue,
        from: QueueOffset,
        visit: &mut dyn FnMut(&Unit) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        let mut index = queue.0.find(from.max(queue.min()))?;
        let mut units = Vec::new();
        loop {
            units.clear();
            queue.0.units(index, UNITS, &mut units)?;
            if units.is_empty() {
                return Ok(());
            }
            index += units.len() as i64;
            for unit in units.iter().filter(|unit| !unit.is_filler()) {
                if visit(unit).is_break() {
                    return Ok(());
                }
            }
        }
    }
}
