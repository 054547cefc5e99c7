//! The log from outside: frames, fillers and damage, one after the other, and what stands behind the last frame.

use std::io;

use crate::commit_log::{self, CommitLog};
use crate::format::{CommitOffset, FrameView};
use crate::scan::{Scanner, Step};

/// What stands at a place of the log.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    /// An intact frame.
    Frame(FrameView<'a>),
    /// The rest of a file, which holds nothing.
    Filler {
        /// Where it begins.
        begin: CommitOffset,
        /// Where the next file begins.
        end: CommitOffset,
    },
    /// Bytes that are no frame, with an intact frame or another file behind them.
    Damaged {
        /// First damaged byte.
        begin: CommitOffset,
        /// Where the log goes on.
        end: CommitOffset,
    },
}

/// A walk through the log.
pub(super) struct Frames<'a> {
    log: &'a CommitLog,
}

impl<'a> Frames<'a> {
    pub(super) fn new(log: &'a CommitLog) -> Frames<'a> {
        Frames { log }
    }

    /// Shows all places until `visit` says no. Gives the bytes behind the last one that are not zero.
    pub(super) fn visit(
        &self,
        from: CommitOffset,
        visit: &mut dyn FnMut(Place<'_>) -> bool,
    ) -> io::Result<u64> {
        let Some(from) = self.first_frame(from)? else { return Ok(0) };
        let mut scanner = Scanner::new(self.log, from);
        loop {
            let at = scanner.at();
            let goes_on = match scanner.step()? {
                Step::Frame(frame) => visit(Place::Frame(frame)),
                Step::NextFile => visit(Place::Filler { begin: at, end: scanner.at() }),
                Step::End | Step::Bad => {
                    let Some(end) = self.behind(&mut scanner, at)? else { return self.tail(at) };
                    scanner.jump(end);
                    visit(Place::Damaged { begin: at, end })
                }
            };
            if !goes_on {
                return Ok(0);
            }
        }
    }

    /// The first place at or behind `from` where a frame begins.
    fn first_frame(&self, from: CommitOffset) -> io::Result<Option<CommitOffset>> {
        let from = from.max(self.log.min());
        let Some(file) = self.log.file_at(from) else { return Ok(None) };
        let mut scanner = Scanner::new(self.log, from);
        if from == file.start || !matches!(scanner.step()?, Step::Bad | Step::End) {
            return Ok(Some(from));
        }
        scanner.jump(from);
        Ok(Some(scanner.resync(file.end())?.unwrap_or(file.end())))
    }

    /// Where intact frames go on behind damage at `at`: in the same file, or with the next one.
    fn behind(&self, scanner: &mut Scanner<'_>, at: CommitOffset) -> io::Result<Option<CommitOffset>> {
        let Some(file) = self.log.file_at(at) else { return Ok(None) };
        scanner.jump(at);
        if let Some(found) = scanner.resync(file.end())? {
            return Ok(Some(found));
        }
        let mut next = self.log.file_at(file.end());
        while let Some(file) = next {
            scanner.jump(file.start);
            if matches!(scanner.step()?, Step::Frame(_)) {
                return Ok(Some(file.start));
            }
            scanner.jump(file.start);
            if let Some(found) = scanner.resync(file.end())? {
                return Ok(Some(found));
            }
            next = self.log.file_at(file.end());
        }
        Ok(None)
    }

    /// Bytes from `at` on that are not zero.
    pub(super) fn tail(&self, at: CommitOffset) -> io::Result<u64> {
        let mut bytes = 0;
        for file in self.log.files().into_iter().filter(|file| file.end() > at) {
            let from = file.position(at);
            bytes += commit_log::last_data(&*file.file, from)?.map_or(0, |behind| behind - from);
        }
        Ok(bytes)
    }
}
