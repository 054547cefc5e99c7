//! One queue: its bounds as atomics, its units in memory and in files.
//!
//! `next` moves under the append's mutex only; readers need no lock for the bounds. Which frames exist is
//! the CommitLog's business: a unit is pushed after its frame was written.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::tail::Tail;
use super::{Position, QueueFiles, Unit};
use crate::config::QueueKind;
use crate::format::QueueOffset;

/// A queue of a topic. Cheap to clone; stays usable after its topic was removed, appends are refused then.
#[derive(Clone, Debug)]
pub struct Queue(pub(crate) Arc<QueueState>);

#[derive(Debug)]
pub(crate) struct QueueState {
    pub(crate) topic: Arc<str>,
    pub(crate) id: i32,
    pub(crate) kind: QueueKind,
    pub(crate) ordinal: u32,
    pub(crate) min: AtomicI64,
    pub(crate) next: AtomicI64,
    /// Next offset including the batch that is being appended; touched under the append's mutex only.
    pub(crate) reserved: AtomicI64,
    pub(crate) removed: AtomicBool,
    /// Whether the queue stands in the list of queues with pending units.
    pub(crate) listed: AtomicBool,
    pub(crate) tail: Mutex<Tail>,
    pub(crate) files: QueueFiles,
}

impl Queue {
    /// The topic.
    pub fn topic(&self) -> &str {
        &self.0.topic
    }

    /// The queue id (Kafka: partition).
    pub fn id(&self) -> i32 {
        self.0.id
    }

    /// How the queue is indexed.
    pub fn kind(&self) -> QueueKind {
        self.0.kind
    }

    /// A number that names the queue for good, also across restarts.
    pub fn ordinal(&self) -> u32 {
        self.0.ordinal
    }

    /// The oldest queue offset that can be read.
    pub fn min(&self) -> QueueOffset {
        QueueOffset(self.0.min.load(Ordering::Acquire).min(self.0.next.load(Ordering::Acquire)))
    }

    /// The offset the next message gets.
    pub fn next(&self) -> QueueOffset {
        QueueOffset(self.0.next.load(Ordering::Acquire))
    }

    /// Whether the topic was removed.
    pub fn is_removed(&self) -> bool {
        self.0.removed.load(Ordering::Acquire)
    }
}

impl QueueState {
    #[expect(clippy::too_many_arguments, reason = "all of them make the queue, none has a default")]
    pub(crate) fn new(
        topic: Arc<str>,
        id: i32,
        kind: QueueKind,
        ordinal: u32,
        min: QueueOffset,
        next: QueueOffset,
        at: Position,
        files: QueueFiles,
    ) -> QueueState {
        QueueState {
            topic,
            id,
            kind,
            ordinal,
            min: AtomicI64::new(min.0),
            next: AtomicI64::new(next.0),
            reserved: AtomicI64::new(next.0),
            removed: AtomicBool::new(false),
            listed: AtomicBool::new(false),
            tail: Mutex::new(Tail::new(kind, at)),
            files,
        }
    }

    pub(crate) fn tail(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a unit without publishing it.
    pub(crate) fn push(&self, unit: &Unit) {
        self.tail().push(unit);
    }

    /// Makes everything below `next` visible.
    pub(crate) fn publish(&self, next: i64) {
        self.next.store(next, Ordering::Release);
    }

    /// Adds a unit found in the log by a scan, filling the distance to it where messages are missing.
    pub(crate) fn push_found(&self, unit: &Unit) {
        let mut tail = self.tail();
        let at = tail.position();
        let (offset, next) = (unit.queue_offset.0, self.next.load(Ordering::Acquire));
        if at.first == at.next && offset > next {
            if self.kind == QueueKind::Simple {
                let begin = self.files.first_unit_of_file(offset);
                tail.begin_at(begin);
                (begin..offset).for_each(|index| tail.push(&Unit::filler(index)));
                tail.set_first(offset);
            }
            self.min.store(offset, Ordering::Release);
        } else if self.kind == QueueKind::Simple {
            (next..offset).for_each(|index| tail.push(&Unit::filler(index)));
        }
        tail.push(unit);
        drop(tail);
        self.reserved.store(unit.next_offset().0, Ordering::Relaxed);
        self.publish(unit.next_offset().0);
    }

    /// Forgets all units: files are removed, the queue is empty and begins at 0.
    pub(crate) fn reset(&self) -> io::Result<()> {
        self.files.remove_all()?;
        self.place(Position::default(), QueueOffset(0), QueueOffset(0));
        Ok(())
    }

    /// Sets where the queue stands, as files or a snapshot tell.
    pub(crate) fn place(&self, at: Position, min: QueueOffset, next: QueueOffset) {
        *self.tail() = Tail::new(self.kind, at);
        self.min.store(min.0, Ordering::Release);
        self.reserved.store(next.0, Ordering::Relaxed);
        self.publish(next.0);
    }

    /// Writes pending units to the files and says how many. Called by one thread at a time.
    pub(crate) fn write_pending(&self, scratch: &mut Vec<u8>) -> io::Result<i64> {
        let from = self.tail().copy_pending(scratch);
        let units = (scratch.len() / Unit::len(self.kind)) as i64;
        if !self.removed.load(Ordering::Acquire) {
            let mut touched = Vec::new();
            self.files.write(from, scratch, &mut touched)?;
            self.tail().mark_written(from + units, &touched);
        }
        Ok(units)
    }

    /// Removes what stands in the files behind the units that are known.
    pub(crate) fn trim_files(&self) -> io::Result<()> {
        let next = self.tail().position().next;
        self.files.trim(next)
    }

    /// Makes the written units durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        let files = self.tail().take_unsynced();
        files.into_iter().try_for_each(|file| self.files.sync(file))
    }

    /// The unit with this number, from memory or file.
    pub(crate) fn unit(&self, index: i64) -> io::Result<Option<Unit>> {
        let tail = self.tail();
        if index >= tail.first_in_memory() {
            return Ok(tail.unit(index));
        }
        drop(tail);
        let mut bytes = Vec::new();
        self.files.read(index, 1, &mut bytes)?;
        Ok(Unit::decode(self.kind, index, &bytes))
    }

    /// Up to `count` units from number `index` on, appended to `out`.
    pub(crate) fn units(&self, index: i64, count: usize, out: &mut Vec<Unit>) -> io::Result<()> {
        let tail = self.tail();
        if index >= tail.first_in_memory() {
            out.extend((index..).take(count).map_while(|index| tail.unit(index)));
            return Ok(());
        }
        let in_files = usize::try_from(tail.first_in_memory() - index).unwrap_or(usize::MAX);
        drop(tail);
        let mut bytes = Vec::new();
        self.files.read(index, count.min(in_files), &mut bytes)?;
        let numbered = (index..).zip(bytes.chunks_exact(Unit::len(self.kind)));
        out.extend(numbered.map_while(|(index, unit)| Unit::decode(self.kind, index, unit)));
        Ok(())
    }
}
