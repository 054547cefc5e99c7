//! The CommitLog as files: which file holds a commit offset, creation, reading. What is written where is
//! decided by the append; what a frame is, by `format::frame`.
//!
//! Files are contiguous, named by their first commit offset in 20 digits, and have their full length from
//! birth: a Java broker refuses any other length. Source: RocketMQ 5.3.3 `store/MappedFileQueue.java`.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use bytes::Bytes;

use crate::disk::{self, Disk, DiskFile, Open};
use crate::error::OpenError;
use crate::format::CommitOffset;
use crate::mapped::Region;

/// One file of the log.
#[derive(Debug)]
pub(crate) struct LogFile {
    pub(crate) start: CommitOffset,
    pub(crate) size: u64,
    pub(crate) file: Arc<dyn DiskFile>,
    region: Region,
}

impl LogFile {
    /// First commit offset behind the file.
    pub(crate) fn end(&self) -> CommitOffset {
        self.start.plus(self.size.cast_signed())
    }

    /// Place of `at` inside the file, in bytes.
    pub(crate) fn position(&self, at: CommitOffset) -> u64 {
        at.bytes_since(self.start).max(0).cast_unsigned()
    }

    /// Bytes as a view of the map; only for ranges that are written and final.
    pub(crate) fn view(&self, at: CommitOffset, len: usize) -> Option<Bytes> {
        self.region.slice(self.position(at), len)
    }

    pub(crate) fn is_resident(&self, at: CommitOffset, len: usize) -> bool {
        self.region.is_resident(self.position(at), len)
    }

    /// Bytes by `pread`: an error instead of a signal when the disk fails.
    pub(crate) fn read(&self, at: CommitOffset, len: usize) -> io::Result<Bytes> {
        let mut buffer = vec![0; len];
        disk::read_exact(&*self.file, self.position(at), &mut buffer)?;
        Ok(Bytes::from(buffer))
    }
}

/// All files of the log.
#[derive(Debug)]
pub(crate) struct CommitLog {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    file_size: u64,
    files: RwLock<Vec<Arc<LogFile>>>,
    /// Held while a file is made or removed, which may take long; readers only need `files`.
    changing: Mutex<()>,
}

impl CommitLog {
    /// Opens the files that are there. A last file that got no length or no content is removed.
    pub(crate) fn load(disk: Arc<dyn Disk>, dir: PathBuf, file_size: u64) -> Result<CommitLog, OpenError> {
        let log = CommitLog { disk, dir, file_size, files: RwLock::default(), changing: Mutex::default() };
        let io = |source| OpenError::Io { doing: "reading the CommitLog", root: log.dir.clone(), source };
        let mut starts = log.listed().map_err(io)?;
        while let Some(last) = starts.last().copied() {
            if !log.is_stillborn(last).map_err(io)? {
                break;
            }
            log.disk.unlink(&log.path(last)).map_err(io)?;
            starts.pop();
        }
        let mut files = Vec::with_capacity(starts.len());
        let mut expected = starts.first().copied().unwrap_or_default();
        for start in starts {
            if start != expected {
                return Err(OpenError::MissingFile { path: log.path(expected) });
            }
            let file = log.disk.open(&log.path(start), Open::Write).map_err(io)?;
            let len = file.len().map_err(io)?;
            if len != file_size {
                return Err(OpenError::FileLength { path: log.path(start), len, expected: file_size });
            }
            files.push(Arc::new(log.log_file(start, file).map_err(io)?));
            expected = start.plus(file_size.cast_signed());
        }
        // The process that made the newest files may have been killed before it synced them.
        let newest = files.iter().rev().take(2);
        newest.map(|file: &Arc<LogFile>| &file.file).try_for_each(|file| file.sync()).map_err(io)?;
        log.disk.sync_dir(&log.dir).map_err(io)?;
        *log.files.write().unwrap_or_else(PoisonError::into_inner) = files;
        Ok(log)
    }

    /// Starts of the files in the directory, ascending; other names are left alone.
    fn listed(&self) -> io::Result<Vec<CommitOffset>> {
        let entries = self.disk.list(&self.dir)?;
        Ok(entries.iter().filter(|entry| !entry.is_dir).filter_map(|entry| file_start(&entry.name)).collect())
    }

    /// A crash between creation and allocation leaves a last file that is short and holds nothing.
    fn is_stillborn(&self, start: CommitOffset) -> io::Result<bool> {
        let file = self.disk.open(&self.path(start), Open::Read)?;
        Ok(file.len()? < self.file_size && is_blank(&*file)?)
    }

    fn log_file(&self, start: CommitOffset, file: Arc<dyn DiskFile>) -> io::Result<LogFile> {
        let region = file.map(self.file_size)?;
        Ok(LogFile { start, size: self.file_size, file, region })
    }

    fn path(&self, start: CommitOffset) -> PathBuf {
        self.dir.join(format!("{:020}", start.0))
    }

    /// Bytes of each file.
    pub(crate) fn file_size(&self) -> u64 {
        self.file_size
    }

    /// All files, oldest first.
    pub(crate) fn files(&self) -> Vec<Arc<LogFile>> {
        self.files.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The file that holds `at`.
    pub(crate) fn file_at(&self, at: CommitOffset) -> Option<Arc<LogFile>> {
        let files = self.files.read().unwrap_or_else(PoisonError::into_inner);
        let distance = u64::try_from(at.bytes_since(files.first()?.start)).ok()?;
        files.get(usize::try_from(distance / self.file_size).ok()?).cloned()
    }

    /// First commit offset of the oldest file, 0 when there is none.
    pub(crate) fn min(&self) -> CommitOffset {
        let files = self.files.read().unwrap_or_else(PoisonError::into_inner);
        files.first().map_or(CommitOffset(0), |file| file.start)
    }

    /// First commit offset behind the newest file, `None` when there is none.
    pub(crate) fn end_of_files(&self) -> Option<CommitOffset> {
        self.files.read().unwrap_or_else(PoisonError::into_inner).last().map(|file| file.end())
    }

    /// The file that begins at `start`, made durable with its full length when it is not there yet.
    pub(crate) fn ensure_file(&self, start: CommitOffset) -> io::Result<Arc<LogFile>> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = self.file_at(start) {
            return Ok(found);
        }
        let made = Arc::new(self.create(start)?);
        self.files.write().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&made));
        Ok(made)
    }

    fn create(&self, start: CommitOffset) -> io::Result<LogFile> {
        let path = self.path(start);
        let file = self.disk.open(&path, Open::Create)?;
        let filled = file.allocate(self.file_size).and_then(|()| file.sync());
        if let Err(e) = filled.and_then(|()| self.disk.sync_dir(&self.dir)) {
            // A short file would keep a Java broker from starting; that it cannot be removed either is
            // met again at the next start, which removes it.
            let _unlinked = self.disk.unlink(&path);
            return Err(e);
        }
        self.log_file(start, file)
    }

    /// Removes the oldest file. Readers that hold bytes of it keep them.
    pub(crate) fn remove_oldest(&self) -> io::Result<()> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(oldest) = self.files().first().cloned() else { return Ok(()) };
        self.disk.unlink(&self.path(oldest.start))?;
        self.files.write().unwrap_or_else(PoisonError::into_inner).remove(0);
        self.disk.sync_dir(&self.dir)
    }
}

/// Whether a file holds zeros only.
pub(crate) fn is_blank(file: &dyn DiskFile) -> io::Result<bool> {
    Ok(last_data(file, 0)?.is_none())
}

/// Position behind the last byte at or after `from` that is not zero.
pub(crate) fn last_data(file: &dyn DiskFile, from: u64) -> io::Result<Option<u64>> {
    let (len, mut at, mut last) = (file.len()?, from, None);
    let mut buffer = vec![0; CHUNK];
    while let Some(next) = file.next_data(at)?.filter(|next| *next < len) {
        let want = usize::try_from(len - next).unwrap_or(CHUNK).min(CHUNK);
        let chunk = buffer.get_mut(..want).unwrap_or_default();
        disk::read_exact(file, next, chunk)?;
        if let Some(found) = chunk.iter().rposition(|byte| *byte != 0) {
            last = Some(next + found as u64 + 1);
        }
        at = next + want as u64;
    }
    Ok(last)
}

const CHUNK: usize = 256 << 10;

/// Start of a file of this name, `None` for other names.
pub(crate) fn file_start(name: &str) -> Option<CommitOffset> {
    let digits = name.len() == 20 && name.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| name.parse().ok().map(CommitOffset)).flatten()
}
