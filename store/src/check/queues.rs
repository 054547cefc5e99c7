//! All queues beside the log: which frame belongs to which queue, and which queues should have files.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use super::finding::QueueName;
use super::queue::{Around, QueueCheck};
use super::{Finding, Offline, Report};
use crate::config::QueueKind;
use crate::format::inner::inner_num;
use crate::format::{BatchKind, CommitOffset, FrameView, properties};
use crate::queue_index::{FileCache, Layout, QueueFiles, QueueTable, Unit};

pub(super) struct Queues {
    by_topic: HashMap<Arc<str>, HashMap<i32, QueueCheck>>,
    /// What `gantry/queues` says.
    table: QueueTable,
    /// Whether the directory has queue files at all: a store may be left without, to be rebuilt.
    has_files: bool,
    level_delays_ms: Vec<i64>,
    covered: CommitOffset,
    log_min: CommitOffset,
    damaged: Vec<(CommitOffset, CommitOffset)>,
}

const KINDS: [QueueKind; 2] = [QueueKind::Simple, QueueKind::Batch];

impl Queues {
    /// Finds the queues that have files. `covered`: frames below have to have units.
    pub(super) fn open(store: &Offline, covered: CommitOffset) -> io::Result<Queues> {
        let layout = Layout::new(&store.config);
        let journal = store.config.side_dir().join("queues");
        let table = QueueTable::open(&store.disk, layout.clone(), &journal)?;
        let mut queues = Queues {
            by_topic: HashMap::new(),
            table,
            has_files: false,
            level_delays_ms: store.config.level_delays_ms.clone(),
            covered,
            log_min: store.log.min(),
            damaged: Vec::new(),
        };
        let cache = Arc::new(FileCache::new(Arc::clone(&store.disk)));
        let mut number = 0;
        for kind in KINDS {
            let dir = layout.kind_dir(kind);
            for topic in store.disk.list(&dir)?.into_iter().filter(|entry| entry.is_dir) {
                for queue in store.disk.list(&dir.join(&topic.name))? {
                    let Ok(id) = queue.name.parse() else { continue };
                    let files = QueueFiles::new(Arc::clone(&cache), &layout, number, kind, &topic.name, id);
                    number += 1;
                    queues.insert(&topic.name, id, kind, Some(files))?;
                    queues.has_files = true;
                }
            }
        }
        Ok(queues)
    }

    fn insert(&mut self, topic: &str, id: i32, kind: QueueKind, files: Option<QueueFiles>) -> io::Result<()> {
        let name = QueueName { topic: Arc::from(topic), id };
        let of_topic = self.by_topic.entry(Arc::clone(&name.topic)).or_default();
        of_topic.insert(id, QueueCheck::new(name, kind, files)?);
        Ok(())
    }

    /// Whether a Gantry had the directory: then `gantry/queues` knows every queue.
    fn is_ours(&self) -> bool {
        self.table.next_ordinal() > 0
    }

    pub(super) fn damaged(&mut self, begin: CommitOffset, end: CommitOffset) {
        self.damaged.push((begin, end));
    }

    /// Takes the next frame of the log.
    pub(super) fn frame(&mut self, frame: &FrameView<'_>, report: &mut Report) -> io::Result<()> {
        let (at, id) = (frame.commit_offset(), frame.queue_id());
        let Ok(topic) = frame.topic() else {
            report.unindexed += 1;
            return Ok(());
        };
        if !frame.sys_flag().enters_queue() {
            return Ok(());
        }
        if self.table.is_removed(topic, at) {
            report.unindexed += 1;
            return Ok(());
        }
        let known = self.by_topic.get(topic).is_some_and(|queues| queues.contains_key(&id));
        if !known {
            let kind = match frame.sys_flag().batch_kind() {
                BatchKind::Native => {
                    self.table.queue(topic, id).map_or(QueueKind::Simple, |queue| queue.kind())
                }
                BatchKind::KafkaBatch | BatchKind::InnerBatch => QueueKind::Batch,
            };
            self.insert(topic, id, kind, None)?;
        }
        let should_have_files = self.has_files
            && at < self.covered
            && (self.table.queue(topic, id).is_some()
                || (!self.is_ours() && self.by_topic.get(topic).is_some_and(some_files)));
        let around = Around {
            covered: self.covered,
            log_min: self.log_min,
            damaged: &self.damaged,
            may_begin_late: self.table.next_ordinal() == 0,
        };
        let queue = self.by_topic.get_mut(topic).and_then(|queues| queues.get_mut(&id));
        let Some(queue) = queue else { return Ok(()) };
        if !queue.has_files() {
            if should_have_files {
                queue.files_missing(at, report);
            } else if self.has_files {
                report.unindexed += 1;
                return Ok(());
            }
        }
        let extracted = properties::extract(frame.properties(), frame.topic_bytes());
        let fits = frame.sys_flag().batch_kind() == BatchKind::Native || queue.kind() == QueueKind::Batch;
        let Some(records) = inner_num(frame).ok().filter(|_| fits) else {
            let queue = QueueName { topic: Arc::from(topic), id };
            report.add(Finding::Misfit { queue, offset: frame.queue_offset(), at });
            return Ok(());
        };
        let unit = Unit {
            queue_offset: frame.queue_offset(),
            records: records.value(),
            commit_offset: at,
            size: frame.total_size(),
            tags_code: extracted.tags_code_at(frame.store_timestamp(), &self.level_delays_ms),
            store_timestamp: frame.store_timestamp(),
        };
        queue.frame(frame, &extracted, &unit, around, report)
    }

    /// Looks for what no frame accounts for.
    pub(super) fn finish(&mut self, report: &mut Report) -> io::Result<()> {
        let (ours, end) = (self.is_ours(), report.end);
        for (topic, queues) in &mut self.by_topic {
            for (id, queue) in queues {
                queue.finish(end, report)?;
                let known = self.table.queue(topic, *id).is_some_and(|known| known.kind() == queue.kind());
                if ours && report.is_clean && queue.has_files() && !known {
                    report.add(Finding::Stranger { queue: QueueName { topic: Arc::clone(topic), id: *id } });
                }
            }
        }
        Ok(())
    }
}

fn some_files(queues: &HashMap<i32, QueueCheck>) -> bool {
    queues.values().any(QueueCheck::has_files)
}
