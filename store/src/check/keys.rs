//! The key index beside the log: entries stand in the order of the frames, each frame's keys together.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use super::keys_file::KeysFile;
use super::{Finding, Offline, Report};
use crate::format::hash::index_key_hash;
use crate::format::index::{Entry, Shape};
use crate::format::{CommitOffset, FrameView, properties};

pub(super) struct Keys {
    /// Files that were not read to their end, oldest first.
    files: VecDeque<KeysFile>,
    /// Frames below have to have their keys in the index.
    covered: CommitOffset,
    log_min: CommitOffset,
    damaged: Vec<(CommitOffset, CommitOffset)>,
    /// The frame before: a Java broker that recovered may have put its keys twice.
    last: CommitOffset,
    last_hashes: Vec<i32>,
    hashes: Vec<i32>,
    /// Whether an entry of the log was met: an index may begin later than the log.
    begun: bool,
}

impl Keys {
    pub(super) fn open(store: &Offline, covered: CommitOffset, report: &mut Report) -> io::Result<Keys> {
        let shape = Shape { slots: store.config.index_slots, entries: store.config.index_entries };
        let dir = store.config.root.join("index");
        let mut files = VecDeque::new();
        for entry in store.disk.list(&dir)?.into_iter().filter(|entry| !entry.is_dir) {
            if entry.name.bytes().all(|byte| byte.is_ascii_digit()) {
                files.extend(KeysFile::open(&*store.disk, &dir, &entry.name, shape, report)?);
            }
        }
        let mut keys = Keys {
            files,
            covered,
            log_min: store.log.min(),
            damaged: Vec::new(),
            last: CommitOffset(-1),
            last_hashes: Vec::new(),
            hashes: Vec::new(),
            begun: false,
        };
        keys.leave_finished(report)?;
        Ok(keys)
    }

    pub(super) fn damaged(&mut self, begin: CommitOffset, end: CommitOffset) {
        self.damaged.push((begin, end));
    }

    /// Takes the next frame of the log.
    pub(super) fn frame(&mut self, frame: &FrameView<'_>, report: &mut Report) -> io::Result<()> {
        let at = frame.commit_offset();
        self.hashes.clear();
        if frame.sys_flag().enters_key_index() {
            let extracted = properties::extract(frame.properties(), frame.topic_bytes());
            let hash = |key| index_key_hash(frame.topic_bytes(), key);
            self.hashes.extend(extracted.index_keys().map(hash));
        }
        self.skip_below(at, report)?;
        for index in 0..self.hashes.len() {
            let Some(hash) = self.hashes.get(index).copied() else { break };
            match self.peek() {
                Some((_, entry)) if entry.commit_offset == at && entry.key_hash == hash => {
                    self.begun = true;
                    report.keys += 1;
                    self.advance(report)?;
                }
                next => self.missing(at, next.is_some(), report),
            }
        }
        (self.last, self.last_hashes) = (at, std::mem::take(&mut self.hashes));
        Ok(())
    }

    fn missing(&self, at: CommitOffset, more: bool, report: &mut Report) {
        // An index that begins later lost its oldest files; one without any entry is switched off.
        let begins_later = !self.begun && at < self.covered;
        if begins_later || at >= self.covered {
            return;
        }
        let newest = self.files.back().filter(|_| !more).or(self.files.front());
        let file = newest.map_or_else(|| Arc::from("newest"), |file| Arc::clone(&file.name));
        report.add(Finding::KeyMissing { file, at });
    }

    /// Passes entries of frames before `at`; those that nothing explains are findings.
    fn skip_below(&mut self, at: CommitOffset, report: &mut Report) -> io::Result<()> {
        while let Some((number, entry)) = self.peek().filter(|(_, entry)| entry.commit_offset < at) {
            self.judge_surplus(number, entry, report);
            self.advance(report)?;
        }
        Ok(())
    }

    fn judge_surplus(&self, number: u32, entry: Entry, report: &mut Report) {
        let at = entry.commit_offset;
        let is_old = at < self.log_min;
        let is_lost = self.damaged.iter().any(|(begin, end)| *begin <= at && at < *end);
        let is_twice = at == self.last && self.last_hashes.contains(&entry.key_hash);
        if let Some(file) = self.files.front()
            && !is_old
            && !is_lost
            && !is_twice
        {
            report.add(Finding::KeyUnknown { file: Arc::clone(&file.name), number, at });
        }
    }

    /// The next entry and its number.
    fn peek(&self) -> Option<(u32, Entry)> {
        self.files.front().and_then(KeysFile::peek)
    }

    fn advance(&mut self, report: &mut Report) -> io::Result<()> {
        let Some(file) = self.files.front_mut() else { return Ok(()) };
        file.advance(report)?;
        self.leave_finished(report)
    }

    /// Leaves files behind that have no further entries; the newest one stays.
    fn leave_finished(&mut self, report: &mut Report) -> io::Result<()> {
        while self.files.len() > 1 && self.peek().is_none() {
            self.files.pop_front().map_or(Ok(()), |mut done| done.finish(report))?;
        }
        Ok(())
    }

    /// Judges what no frame accounts for.
    pub(super) fn finish(&mut self, report: &mut Report) -> io::Result<()> {
        // Behind the end of a log that was not closed, the next start forgets entries.
        let end = if report.is_clean { CommitOffset(i64::MAX) } else { report.end };
        self.skip_below(end, report)?;
        self.files.iter_mut().try_for_each(|file| file.finish(report))
    }
}
