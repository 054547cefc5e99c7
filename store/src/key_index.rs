//! The key index: which frames carry a key. IndexFiles of RocketMQ, written in log order, read newest first.
//!
//! It knows hashes, not keys: two keys may share one, so whoever reads the frames compares the key itself. It is
//! derived from the CommitLog and is written behind it: what a crash takes is put again from
//! [`KeyIndex::put_from`] on, and every put before that place is ignored, so that a second run over the same frames
//! changes nothing.
//!
//! Frames must be put in the order of the log; then two indexes over one log are equal, file names included: a file
//! is named after the store timestamp of its first entry (RocketMQ: after the wall clock), in UTC and above all
//! names there are.
//!
//! Not for concurrent use: the owner serialises puts and queries.
//!
//! Source: RocketMQ 5.3.3 `store/index/IndexService.java`, `store/index/IndexFile.java`.

mod index_file;
mod name;
mod slots;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use index_file::IndexFile;

use crate::disk::Disk;
use crate::format::CommitOffset;
use crate::format::hash::index_key_hash;
use crate::format::index::Shape;

/// Why the key index could not be opened, written or read.
#[derive(Debug, thiserror::Error)]
pub enum KeyIndexError {
    /// The disk refused.
    #[error("key index file {path}: the disk refused")]
    Disk {
        /// The file or directory.
        path: PathBuf,
        /// What the disk says.
        source: io::Error,
    },
    /// A file was made with other settings.
    #[error(
        "key index file {path} has {len} bytes where maxHashSlotNum and maxIndexNum make {expected}; restore the \
         settings or remove the index directory, which is rebuilt"
    )]
    Length {
        /// The file.
        path: PathBuf,
        /// Bytes it has.
        len: u64,
        /// Bytes the settings ask for.
        expected: u64,
    },
}

/// How the files were left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftBehind {
    /// By a clean stop: every header says what stands in its file.
    Clean,
    /// By a crash of ours: the newest file may hold more than its header says, and its last frame may be incomplete.
    Crashed,
    /// By a crash of a Java broker: as it does itself, files newer than the checkpoint are not trusted.
    CrashedJava {
        /// indexMsgTimestamp of the checkpoint, ms.
        index_msg_timestamp: i64,
    },
}

/// The key index of a store.
#[derive(Debug)]
pub struct KeyIndex {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    shape: Shape,
    /// Oldest first; only the last one takes puts.
    files: Vec<IndexFile>,
}

impl KeyIndex {
    /// Opens the files in `dir`, which need not exist. Blocks; reads the slot table of the newest file after a crash.
    ///
    /// # Errors
    /// A disk error, or a file whose length does not fit `shape`.
    pub fn open(
        disk: Arc<dyn Disk>,
        dir: PathBuf,
        shape: Shape,
        left: LeftBehind,
    ) -> Result<KeyIndex, KeyIndexError> {
        let mut index = KeyIndex { disk, dir, shape, files: Vec::new() };
        let mut names = index.disk.list(&index.dir).map_err(|source| index.refused(source))?;
        names.retain(|entry| !entry.is_dir && name::is_index_file(&entry.name));
        let newest = names.len().saturating_sub(1);
        for (number, entry) in names.into_iter().enumerate() {
            match IndexFile::open(&*index.disk, index.dir.join(entry.name), shape) {
                Ok(file) => index.files.push(file),
                // A crash may come between a file's name and its length. Nothing was put into it then.
                Err(KeyIndexError::Length { path, .. }) if number == newest && left != LeftBehind::Clean => {
                    index.disk.unlink(&path).map_err(|source| index.refused(source))?;
                }
                Err(error) => return Err(error),
            }
        }
        match left {
            LeftBehind::Clean => {}
            LeftBehind::Crashed => index.repair()?,
            LeftBehind::CrashedJava { index_msg_timestamp } => {
                let trusted = |file: &&IndexFile| file.header().end_timestamp <= index_msg_timestamp;
                let keep = index.files.iter().take_while(trusted).count();
                index.remove(keep, index.files.len() - keep)?;
                index.repair()?;
            }
        }
        Ok(index)
    }

    /// From where frames have to be put; earlier ones are in the files. `CommitOffset(0)` for an empty index.
    ///
    /// Files of another log or with a damaged header may name a place behind the end of the log, and frames before
    /// it would be ignored: after opening, [`KeyIndex::truncate`] at the end of the log.
    #[must_use]
    pub fn put_from(&self) -> CommitOffset {
        self.last_frame().map_or(CommitOffset(0), |last| last.plus(1))
    }

    /// Notes that the frame at `commit_offset` carries keys with these hashes. Nothing happens for a frame before
    /// [`KeyIndex::put_from`] or without keys. Writes to the file in blocks and does not sync.
    ///
    /// # Errors
    /// A disk error; the index is then to be opened again as crashed and put from [`KeyIndex::put_from`] on.
    pub fn put(
        &mut self,
        commit_offset: CommitOffset,
        store_timestamp: i64,
        key_hashes: &[i32],
    ) -> Result<(), KeyIndexError> {
        if commit_offset < self.put_from() {
            return Ok(());
        }
        for key_hash in key_hashes {
            if self.files.last().is_none_or(IndexFile::is_full) {
                let next = self.create(store_timestamp)?;
                self.files.push(next);
            }
            if let Some(newest) = self.files.last_mut() {
                newest.put(*key_hash, commit_offset, store_timestamp)?;
            }
        }
        Ok(())
    }

    /// The newest frames first that carry a key with the hash of `topic#key` and were stored from `begin` to `end`,
    /// ms, at most `max` of them. Times are known to the second, as the files keep them. Blocks.
    ///
    /// # Errors
    /// A disk error.
    pub fn query(
        &self,
        topic: &str,
        key: &str,
        max: usize,
        begin: i64,
        end: i64,
    ) -> Result<Vec<CommitOffset>, KeyIndexError> {
        let key_hash = index_key_hash(topic.as_bytes(), key.as_bytes());
        let mut found = Vec::new();
        for file in self.files.iter().rev() {
            if file.overlaps(begin, end) {
                file.query(key_hash, max, begin, end, &mut found)?;
            }
            if found.len() >= max || file.header().begin_timestamp < begin {
                break;
            }
        }
        Ok(found)
    }

    /// Makes everything that was put durable, oldest file first. Blocks for three syncs of each file that changed.
    ///
    /// # Errors
    /// A disk error; what is durable is unknown then.
    pub fn flush(&mut self) -> Result<(), KeyIndexError> {
        self.files.iter_mut().try_for_each(IndexFile::flush)
    }

    /// The store timestamp, ms, up to which [`KeyIndex::flush`] has made the index durable; 0 for an empty one. This
    /// is `indexMsgTimestamp` of the checkpoint.
    #[must_use]
    pub fn flushed_timestamp(&self) -> i64 {
        self.files.iter().map(IndexFile::flushed_timestamp).max().unwrap_or(0)
    }

    /// Deletes the files whose frames are all before `min`; the newest one stays. Says how many went. Blocks.
    ///
    /// # Errors
    /// A disk error; the files deleted until then are gone.
    pub fn delete_before(&mut self, min: CommitOffset) -> Result<usize, KeyIndexError> {
        let others = self.files.len().saturating_sub(1);
        let is_old = |file: &&IndexFile| file.header().end_commit_offset < min;
        let count = self.files.iter().take(others).take_while(is_old).count();
        self.remove(0, count)
    }

    /// Forgets every frame at or behind `end`, where the log was cut. Blocks; durable when it returns.
    ///
    /// # Errors
    /// A disk error.
    pub fn truncate(&mut self, end: CommitOffset) -> Result<(), KeyIndexError> {
        let keep = self.files.iter().take_while(|file| file.begins_before(end)).count();
        self.remove(keep, self.files.len() - keep)?;
        self.files.last_mut().map_or(Ok(()), |newest| newest.truncate(end))
    }

    /// Forgets everything, to be put again from the first frame of the log. Blocks.
    ///
    /// # Errors
    /// A disk error.
    pub fn clear(&mut self) -> Result<(), KeyIndexError> {
        self.remove(0, self.files.len()).map(drop)
    }

    /// Makes header and slots of the newest file agree, then forgets the last frame: its keys may span two files, of
    /// which the crash left one.
    fn repair(&mut self) -> Result<(), KeyIndexError> {
        self.files.last_mut().map_or(Ok(()), IndexFile::repair)?;
        self.last_frame().map_or(Ok(()), |last| self.truncate(last))
    }

    fn last_frame(&self) -> Option<CommitOffset> {
        let newest = self.files.iter().rev().find(|file| !file.is_empty())?;
        Some(newest.header().end_commit_offset)
    }

    fn remove(&mut self, first: usize, count: usize) -> Result<usize, KeyIndexError> {
        for file in self.files.drain(first..first + count) {
            let path = || self.dir.clone();
            self.disk.unlink(file.path()).map_err(|source| KeyIndexError::Disk { path: path(), source })?;
        }
        if count > 0 {
            self.disk.sync_dir(&self.dir).map_err(|source| self.refused(source))?;
        }
        Ok(count)
    }

    fn create(&self, store_timestamp: i64) -> Result<IndexFile, KeyIndexError> {
        let previous = self.files.last();
        let last_name = previous.and_then(|file| file.path().file_name()).and_then(|name| name.to_str());
        let path = self.dir.join(name::next(store_timestamp, last_name));
        self.disk.create_dirs(&self.dir).map_err(|source| self.refused(source))?;
        let file = IndexFile::create(&*self.disk, path, self.shape, previous.map(IndexFile::header))?;
        self.disk.sync_dir(&self.dir).map_err(|source| self.refused(source))?;
        Ok(file)
    }

    fn refused(&self, source: io::Error) -> KeyIndexError {
        KeyIndexError::Disk { path: self.dir.clone(), source }
    }
}

#[cfg(test)]
mod tests;
