//! All queues of the store by topic and id, and the list of those with pending units.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use super::{FileCache, Journal, Layout, Position, Queue, QueueFiles, QueueState, Row};
use crate::config::QueueKind;
use crate::disk::Disk;
use crate::format::{CommitOffset, QueueOffset};

/// Queues of one topic by id.
type Topic = BTreeMap<i32, Queue>;

#[derive(Debug)]
pub(crate) struct QueueTable {
    layout: Layout,
    cache: Arc<FileCache>,
    topics: RwLock<HashMap<Arc<str>, Topic>>,
    births: Mutex<Births>,
    listed: Mutex<Vec<Queue>>,
    /// Queues with units that were written and not synced.
    unsynced: Mutex<Vec<Queue>>,
    /// Units that are not in files yet.
    pending: AtomicI64,
    writing: Mutex<Vec<u8>>,
}

/// What the journal holds.
#[derive(Debug)]
struct Births {
    journal: Journal,
    next_ordinal: u32,
    removed: HashMap<String, CommitOffset>,
}

impl QueueTable {
    /// Reads the journal; the queues start empty and are placed by recovery.
    pub(crate) fn open(disk: &Arc<dyn Disk>, layout: Layout, journal: &Path) -> io::Result<QueueTable> {
        let (journal, rows) = Journal::open(&**disk, journal)?;
        let births = Births { journal, next_ordinal: 0, removed: HashMap::new() };
        let table = QueueTable {
            layout,
            cache: Arc::new(FileCache::new(Arc::clone(disk))),
            topics: RwLock::default(),
            births: Mutex::new(births),
            listed: Mutex::default(),
            unsynced: Mutex::default(),
            pending: AtomicI64::new(0),
            writing: Mutex::default(),
        };
        rows.into_iter().for_each(|row| table.replay(row));
        Ok(table)
    }

    fn replay(&self, row: Row) {
        let mut births = self.births();
        match row {
            Row::Created { kind, id, topic } => {
                let ordinal = births.next_ordinal;
                births.next_ordinal += 1;
                self.insert(ordinal, &topic, id, kind);
            }
            Row::Removed { at, topic } => {
                self.take(&topic);
                births.removed.insert(topic, at);
            }
        }
    }

    fn births(&self) -> MutexGuard<'_, Births> {
        self.births.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The ordinal of the next queue; all lower ones were given.
    pub(crate) fn next_ordinal(&self) -> u32 {
        self.births().next_ordinal
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    pub(crate) fn queue(&self, topic: &str, id: i32) -> Option<Queue> {
        self.topics.read().unwrap_or_else(PoisonError::into_inner).get(topic)?.get(&id).cloned()
    }

    pub(crate) fn has_topic(&self, topic: &str) -> bool {
        self.topics.read().unwrap_or_else(PoisonError::into_inner).contains_key(topic)
    }

    pub(crate) fn queues(&self) -> Vec<Queue> {
        let topics = self.topics.read().unwrap_or_else(PoisonError::into_inner);
        topics.values().flat_map(|topic| topic.values().cloned()).collect()
    }

    /// The queue of this name, created when missing. An existing one keeps its kind.
    pub(crate) fn ensure(&self, topic: &str, id: i32, kind: QueueKind) -> io::Result<Queue> {
        if let Some(queue) = self.queue(topic, id) {
            return Ok(queue);
        }
        let mut births = self.births();
        if let Some(queue) = self.queue(topic, id) {
            return Ok(queue);
        }
        births.journal.append(&Row::Created { kind, id, topic: topic.to_owned() })?;
        let ordinal = births.next_ordinal;
        births.next_ordinal += 1;
        Ok(self.insert(ordinal, topic, id, kind))
    }

    fn insert(&self, ordinal: u32, topic: &str, id: i32, kind: QueueKind) -> Queue {
        let mut topics = self.topics.write().unwrap_or_else(PoisonError::into_inner);
        let name = topics.get_key_value(topic).map_or_else(|| Arc::from(topic), |(name, _)| Arc::clone(name));
        let files = QueueFiles::new(Arc::clone(&self.cache), &self.layout, ordinal, kind, topic, id);
        let (zero, at) = (QueueOffset(0), Position::default());
        let state = QueueState::new(Arc::clone(&name), id, kind, ordinal, zero, zero, at, files);
        let queue = Queue(Arc::new(state));
        topics.entry(name).or_default().insert(id, queue.clone());
        queue
    }

    fn take(&self, topic: &str) -> Option<Topic> {
        let taken = self.topics.write().unwrap_or_else(PoisonError::into_inner).remove(topic);
        for queue in taken.iter().flat_map(BTreeMap::values) {
            queue.0.removed.store(true, Ordering::Release);
        }
        taken
    }

    /// Removes a topic's queues and their files; its frames below `at` are never indexed again.
    pub(crate) fn remove(&self, topic: &str, at: CommitOffset) -> io::Result<()> {
        let mut births = self.births();
        births.journal.append(&Row::Removed { at, topic: topic.to_owned() })?;
        births.journal.sync()?;
        births.removed.insert(topic.to_owned(), at);
        let taken = self.take(topic);
        drop(births);
        let _no_writer = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        taken.iter().flat_map(BTreeMap::values).try_for_each(|queue| queue.0.files.remove_all())
    }

    /// Whether the frame of `topic` at `at` belongs to a removed incarnation of the topic.
    pub(crate) fn is_removed(&self, topic: &str, at: CommitOffset) -> bool {
        self.births().removed.get(topic).is_some_and(|removed| at < *removed)
    }

    /// Makes the births of all queues durable.
    pub(crate) fn sync_journal(&self) -> io::Result<()> {
        self.births().journal.sync()
    }

    /// Notes that `queue` got `units` more units that are not in files.
    pub(crate) fn list(&self, queue: &Queue, units: i64) {
        self.pending.fetch_add(units, Ordering::Relaxed);
        if !queue.0.listed.swap(true, Ordering::AcqRel) {
            self.listed.lock().unwrap_or_else(PoisonError::into_inner).push(queue.clone());
        }
    }

    /// Units that wait to be written.
    pub(crate) fn pending(&self) -> i64 {
        self.pending.load(Ordering::Relaxed)
    }

    /// Writes all pending units to the files; without a sync.
    pub(crate) fn write_pending(&self) -> io::Result<()> {
        let mut scratch = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let listed = std::mem::take(&mut *self.listed.lock().unwrap_or_else(PoisonError::into_inner));
        let mut rest = listed.into_iter();
        for queue in rest.by_ref() {
            queue.0.listed.store(false, Ordering::Release);
            match queue.0.write_pending(&mut scratch) {
                Ok(written) => self.pending.fetch_sub(written, Ordering::Relaxed),
                Err(e) => {
                    self.list(&queue, 0);
                    rest.for_each(|queue| self.relist(queue));
                    return Err(e);
                }
            };
            self.unsynced().push(queue);
        }
        Ok(())
    }

    /// Removes what a crash left in queue files: units behind the last one, and files of queues that do not
    /// exist. A queue made later would take both for its own.
    pub(crate) fn trim_files(&self) -> io::Result<()> {
        self.queues().iter().try_for_each(|queue| queue.0.trim_files())?;
        [QueueKind::Simple, QueueKind::Batch].into_iter().try_for_each(|kind| self.remove_strangers(kind))
    }

    fn remove_strangers(&self, kind: QueueKind) -> io::Result<()> {
        let dir = self.layout.kind_dir(kind);
        for topic in self.cache.disk().list(&dir)?.into_iter().filter(|entry| entry.is_dir) {
            for entry in self.cache.disk().list(&dir.join(&topic.name))? {
                let Ok(id) = entry.name.parse() else { continue };
                if self.queue(&topic.name, id).is_none_or(|queue| queue.kind() != kind) {
                    let cache = Arc::clone(&self.cache);
                    QueueFiles::new(cache, &self.layout, u32::MAX, kind, &topic.name, id).remove_all()?;
                }
            }
        }
        Ok(())
    }

    /// Makes all written units durable.
    pub(crate) fn sync_written(&self) -> io::Result<()> {
        let queues = std::mem::take(&mut *self.unsynced());
        queues.iter().try_for_each(|queue| queue.0.sync())
    }

    fn unsynced(&self) -> MutexGuard<'_, Vec<Queue>> {
        self.unsynced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn relist(&self, queue: Queue) {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner).push(queue);
    }
}
