//! The files of one queue: units read and written by position, one descriptor cache for all queues.
//!
//! A file has its full length from birth and is sparse; its name is the position of its first byte.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use indexmap::IndexMap;

use super::{Position, Unit};
use crate::commit_log::{self, file_start};
use crate::config::{QueueKind, StoreConfig};
use crate::disk::{self, Disk, DiskFile, Open};

/// Where queue files stand and how long they are.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    root: PathBuf,
    queue_file_units: u32,
    batch_queue_file_units: u32,
}

impl Layout {
    pub(crate) fn new(config: &StoreConfig) -> Layout {
        Layout {
            root: config.root.clone(),
            queue_file_units: config.queue_file_units.max(1),
            batch_queue_file_units: config.batch_queue_file_units.max(1),
        }
    }

    /// `consumequeue` or `batchconsumequeue`.
    pub(crate) fn kind_dir(&self, kind: QueueKind) -> PathBuf {
        self.root.join(match kind {
            QueueKind::Simple => "consumequeue",
            QueueKind::Batch => "batchconsumequeue",
        })
    }

    pub(crate) fn topic_dir(&self, kind: QueueKind, topic: &str) -> PathBuf {
        self.kind_dir(kind).join(topic)
    }

    fn units_per_file(&self, kind: QueueKind) -> i64 {
        i64::from(match kind {
            QueueKind::Simple => self.queue_file_units,
            QueueKind::Batch => self.batch_queue_file_units,
        })
    }
}

/// Open descriptors of queue files, the longest unused closed first.
#[derive(Debug)]
pub(crate) struct FileCache {
    disk: Arc<dyn Disk>,
    open: Mutex<IndexMap<(u32, i64), Arc<dyn DiskFile>>>,
}

/// Most queue files open at a time.
const MAX_OPEN: usize = 1024;

impl FileCache {
    pub(crate) fn new(disk: Arc<dyn Disk>) -> FileCache {
        FileCache { disk, open: Mutex::default() }
    }

    pub(crate) fn disk(&self) -> &dyn Disk {
        &*self.disk
    }

    fn file(&self, key: (u32, i64), path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = open.swap_remove(&key) {
            open.insert(key, Arc::clone(&file));
            return Ok(file);
        }
        let file = self.disk.open(path, how)?;
        if open.len() >= MAX_OPEN {
            open.shift_remove_index(0);
        }
        open.insert(key, Arc::clone(&file));
        Ok(file)
    }

    fn forget(&self, queue: u32) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|(owner, _), _| *owner != queue);
    }
}

/// The files of one queue.
#[derive(Debug)]
pub(crate) struct QueueFiles {
    cache: Arc<FileCache>,
    ordinal: u32,
    kind: QueueKind,
    dir: PathBuf,
    units_per_file: i64,
}

impl QueueFiles {
    pub(crate) fn new(
        cache: Arc<FileCache>,
        layout: &Layout,
        ordinal: u32,
        kind: QueueKind,
        topic: &str,
        id: i32,
    ) -> QueueFiles {
        let dir = layout.topic_dir(kind, topic).join(id.to_string());
        QueueFiles { cache, ordinal, kind, dir, units_per_file: layout.units_per_file(kind) }
    }

    fn unit_len(&self) -> i64 {
        Unit::len(self.kind) as i64
    }

    fn file_len(&self) -> i64 {
        self.units_per_file * self.unit_len()
    }

    /// Number of the first unit of the file that holds unit `index`.
    pub(crate) fn first_unit_of_file(&self, index: i64) -> i64 {
        index / self.units_per_file * self.units_per_file
    }

    fn open(&self, first_unit: i64, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        let path = self.path(first_unit);
        self.cache.file((self.ordinal, first_unit), &path, how)
    }

    fn path(&self, first_unit: i64) -> PathBuf {
        self.dir.join(format!("{:020}", first_unit * self.unit_len()))
    }

    /// Reads `count` units at most, from the file that holds `index` only; raw bytes.
    pub(crate) fn read(&self, index: i64, count: usize, into: &mut Vec<u8>) -> io::Result<()> {
        let first = self.first_unit_of_file(index);
        let left = usize::try_from(first + self.units_per_file - index).unwrap_or(0);
        into.clear();
        into.resize(count.min(left) * Unit::len(self.kind), 0);
        let file = self.open(first, Open::Write)?;
        disk::read_exact(&*file, ((index - first) * self.unit_len()).cast_unsigned(), into)
    }

    /// Writes encoded units from unit `index` on; the files that were touched are added to `touched`.
    pub(crate) fn write(&self, mut index: i64, mut units: &[u8], touched: &mut Vec<i64>) -> io::Result<()> {
        while !units.is_empty() {
            let first = self.first_unit_of_file(index);
            let left = usize::try_from((first + self.units_per_file - index) * self.unit_len()).unwrap_or(0);
            let (now, later) = units.split_at_checked(left).unwrap_or((units, &[]));
            let file = self.ensure_file(first)?;
            disk::write_all(&*file, ((index - first) * self.unit_len()).cast_unsigned(), now)?;
            if !touched.contains(&first) {
                touched.push(first);
            }
            index += now.len() as i64 / self.unit_len();
            units = later;
        }
        Ok(())
    }

    /// A crash may leave a file without its length, so that is looked at each time.
    fn ensure_file(&self, first_unit: i64) -> io::Result<Arc<dyn DiskFile>> {
        let (file, is_new) = match self.open(first_unit, Open::Write) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                self.cache.disk.create_dirs(&self.dir)?;
                (self.open(first_unit, Open::Create)?, true)
            }
            other => (other?, false),
        };
        if file.len()? < self.file_len().cast_unsigned() {
            file.set_len(self.file_len().cast_unsigned())?;
        }
        if is_new {
            self.cache.disk.sync_dir(&self.dir)?;
        }
        Ok(file)
    }

    /// Makes the content of one file durable.
    pub(crate) fn sync(&self, first_unit: i64) -> io::Result<()> {
        match self.open(first_unit, Open::Write) {
            // Removed by retention meanwhile.
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other?.sync(),
        }
    }

    /// First units of the files that are there, ascending; other names are left out.
    pub(crate) fn existing(&self) -> io::Result<Vec<i64>> {
        let entries = self.cache.disk.list(&self.dir)?;
        let starts = entries.iter().filter_map(|entry| file_start(&entry.name));
        let starts = starts.filter(|start| start.0 % self.file_len() == 0);
        Ok(starts.map(|start| start.0 / self.unit_len()).collect())
    }

    /// Whether there is a file for each unit of a position.
    pub(crate) fn holds(&self, at: Position) -> io::Result<bool> {
        let existing = self.existing()?;
        let mut first = self.first_unit_of_file(at.first);
        while first < at.next {
            if existing.binary_search(&first).is_err() {
                return Ok(false);
            }
            first += self.units_per_file;
        }
        Ok(true)
    }

    /// Zeros what stands behind unit `next` in its file and removes files without units.
    pub(crate) fn trim(&self, next: i64) -> io::Result<()> {
        for first in self.existing()? {
            let position = ((next - first) * self.unit_len()).max(0).cast_unsigned();
            if position == 0 {
                self.remove_file(first)?;
                self.cache.disk.sync_dir(&self.dir)?;
            } else if position < self.file_len().cast_unsigned() {
                let file = self.ensure_file(first)?;
                if let Some(behind) = commit_log::last_data(&*file, position)? {
                    let zeros = vec![0; usize::try_from(behind - position).unwrap_or(0)];
                    disk::write_all(&*file, position, &zeros)?;
                    file.sync()?;
                }
            }
        }
        Ok(())
    }

    /// Removes one file.
    pub(crate) fn remove_file(&self, first_unit: i64) -> io::Result<()> {
        self.cache.forget(self.ordinal);
        self.cache.disk.unlink(&self.path(first_unit))
    }

    /// Removes all files and the directory.
    pub(crate) fn remove_all(&self) -> io::Result<()> {
        self.cache.forget(self.ordinal);
        let disk = &self.cache.disk;
        for entry in disk.list(&self.dir)? {
            disk.unlink(&self.dir.join(entry.name))?;
        }
        if disk.exists(&self.dir) {
            disk.remove_dir(&self.dir)?;
        }
        self.dir.parent().filter(|topic| disk.exists(topic)).map_or(Ok(()), |topic| disk.sync_dir(topic))
    }

    /// Units of one file.
    pub(crate) fn units_per_file(&self) -> i64 {
        self.units_per_file
    }
}
