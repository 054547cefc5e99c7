//! Walking the CommitLog frame by frame: recovery, rebuilds, visits. What to do about a bad frame is the
//! caller's decision.
//!
//! Source: RocketMQ 5.3.3 `store/CommitLog.java` (`checkMessageAndReturnSize`); unlike it a scanner never
//! treats a bad frame as the end.

use std::io;
use std::sync::Arc;

use crate::commit_log::{CommitLog, LogFile};
use crate::disk;
use crate::format::{CommitOffset, FrameHead, FrameView, Peek};

/// What stands at a place of the log.
#[derive(Debug)]
pub(crate) enum Step<'a> {
    /// An intact frame; the scanner stands behind it now.
    Frame(FrameView<'a>),
    /// The rest of a file holds nothing; the scanner stands at the next file.
    NextFile,
    /// Nothing was written here.
    End,
    /// Bytes that are no intact frame.
    Bad,
}

pub(crate) struct Scanner<'a> {
    log: &'a CommitLog,
    at: CommitOffset,
    file: Option<Arc<LogFile>>,
    buffer: Vec<u8>,
    buffer_at: CommitOffset,
}

/// Bytes of one read.
const PIECE: usize = 1 << 20;

impl<'a> Scanner<'a> {
    pub(crate) fn new(log: &'a CommitLog, at: CommitOffset) -> Scanner<'a> {
        Scanner { log, at, file: None, buffer: Vec::new(), buffer_at: at }
    }

    pub(crate) fn at(&self) -> CommitOffset {
        self.at
    }

    /// Goes on at another place; what was read ahead is read again, because it may have changed.
    pub(crate) fn jump(&mut self, at: CommitOffset) {
        self.at = at;
        self.buffer.clear();
    }

    /// Judges what stands at the current place, and goes behind it when it is intact.
    pub(crate) fn step(&mut self) -> io::Result<Step<'_>> {
        let Some(file) = self.current_file() else { return Ok(Step::End) };
        let left = file.end().bytes_since(self.at);
        if self.fill(&file, left.min(HEAD))? < 8 {
            return Ok(Step::Bad);
        }
        match FrameHead::peek(self.ahead()) {
            Peek::End => Ok(Step::End),
            Peek::Blank { size } if i64::from(size) == left => {
                self.at = file.end();
                Ok(Step::NextFile)
            }
            Peek::Frame { size } if i64::from(size) <= left => self.frame(&file, i64::from(size)),
            Peek::Blank { .. } | Peek::Frame { .. } | Peek::Bad => Ok(Step::Bad),
        }
    }

    fn frame(&mut self, file: &LogFile, size: i64) -> io::Result<Step<'_>> {
        self.fill(file, size)?;
        let at = self.at;
        let skip = usize::try_from(at.bytes_since(self.buffer_at)).unwrap_or(0);
        let bytes = self.buffer.get(skip..).unwrap_or_default();
        match FrameView::parse(bytes) {
            Ok(frame) if frame.commit_offset() == at && frame.check_body_crc().is_ok() => {
                self.at = at.plus(size);
                Ok(Step::Frame(frame))
            }
            _ => Ok(Step::Bad),
        }
    }

    /// First place in `(from, limit)` of the current file where an intact frame begins.
    pub(crate) fn resync(&mut self, limit: CommitOffset) -> io::Result<Option<CommitOffset>> {
        let mut at = self.at.plus(1);
        while at < limit {
            self.at = at;
            let Some(file) = self.current_file().filter(|file| at < file.end()) else { return Ok(None) };
            let left = file.end().bytes_since(at);
            self.fill(&file, left.min(PIECE as i64))?;
            let Some(candidate) = magic_distance(self.ahead()) else {
                at = at.plus((self.ahead().len() as i64 - 7).max(1));
                continue;
            };
            let found = at.plus(candidate);
            self.at = found;
            if found < limit && matches!(self.step()?, Step::Frame(_)) {
                return Ok(Some(found));
            }
            at = found.plus(1);
        }
        Ok(None)
    }

    fn current_file(&mut self) -> Option<Arc<LogFile>> {
        let known = self.file.as_ref().filter(|file| (file.start..file.end()).contains(&self.at));
        if known.is_none() {
            self.file = self.log.file_at(self.at);
            self.buffer.clear();
        }
        self.file.clone()
    }

    fn ahead(&self) -> &[u8] {
        let skip = usize::try_from(self.at.bytes_since(self.buffer_at)).unwrap_or(usize::MAX);
        self.buffer.get(skip..).unwrap_or_default()
    }

    /// Makes `need` bytes from the current place on available; returns how many there are.
    fn fill(&mut self, file: &LogFile, need: i64) -> io::Result<usize> {
        let need = usize::try_from(need).unwrap_or(0);
        if self.at < self.buffer_at || self.ahead().len() < need {
            let left = usize::try_from(file.end().bytes_since(self.at)).unwrap_or(0);
            self.buffer.clear();
            self.buffer.resize(need.max(PIECE).min(left), 0);
            self.buffer_at = self.at;
            disk::read_exact(&*file.file, file.position(self.at), &mut self.buffer)?;
        }
        Ok(self.ahead().len())
    }
}

/// Bytes read to judge what stands at a place.
const HEAD: i64 = 8;

/// How far ahead a frame may begin: 4 bytes before the first magic code of a frame.
fn magic_distance(bytes: &[u8]) -> Option<i64> {
    let magics = [crate::format::frame::MAGIC_V1.to_be_bytes(), crate::format::frame::MAGIC_V2.to_be_bytes()];
    let found = bytes.windows(8).position(|window| magics.iter().any(|magic| window.ends_with(magic)))?;
    i64::try_from(found).ok()
}
