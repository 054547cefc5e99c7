//! One queue beside the log: are its offsets dense, does each frame have its unit, does each unit have its frame?

use std::io;

use super::finding::{QueueName, UnitText};
use super::{Finding, Report};
use crate::config::QueueKind;
use crate::format::properties::Extracted;
use crate::format::{CommitOffset, FrameView, QueueOffset};
use crate::queue_index::{QueueFiles, Unit};

/// Units read at a time.
const PIECE: usize = 512;

/// Where the walk through one queue stands.
pub(super) struct QueueCheck {
    name: QueueName,
    kind: QueueKind,
    /// `None`: the queue has no files.
    files: Option<QueueFiles>,
    /// Number of the first unit on disk.
    first: i64,
    /// Number of the next unit, in a queue of kind Batch.
    index: i64,
    /// The offset that should come; `None` before the first frame.
    next: Option<QueueOffset>,
    buffer: Vec<u8>,
    buffer_at: i64,
    reported: bool,
}

/// What the rest of the store says about a frame.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    /// Frames below have to have their units.
    pub(super) covered: CommitOffset,
    /// First commit offset of the log; units may name earlier ones.
    pub(super) log_min: CommitOffset,
    /// Damaged ranges so far.
    pub(super) damaged: &'a [(CommitOffset, CommitOffset)],
    /// Whether frames before the first unit may be those of a deleted topic of the same name.
    pub(super) may_begin_late: bool,
}

impl QueueCheck {
    pub(super) fn new(name: QueueName, kind: QueueKind, files: Option<QueueFiles>) -> io::Result<QueueCheck> {
        let existing = files.as_ref().map(QueueFiles::existing).transpose()?.unwrap_or_default();
        let first = existing.first().copied().unwrap_or(0);
        Ok(QueueCheck {
            name,
            kind,
            files,
            first,
            index: first,
            next: None,
            buffer: Vec::new(),
            buffer_at: 0,
            reported: false,
        })
    }

    pub(super) fn has_files(&self) -> bool {
        self.files.is_some()
    }

    pub(super) fn kind(&self) -> QueueKind {
        self.kind
    }

    /// Says once that the queue should have files.
    pub(super) fn files_missing(&mut self, at: CommitOffset, report: &mut Report) {
        if !std::mem::replace(&mut self.reported, true) {
            report.add(Finding::FilesMissing { queue: self.name.clone(), at });
        }
    }

    /// Takes the next frame of the queue, which makes `unit`.
    pub(super) fn frame(
        &mut self,
        frame: &FrameView<'_>,
        extracted: &Extracted<'_>,
        unit: &Unit,
        around: Around<'_>,
        report: &mut Report,
    ) -> io::Result<()> {
        let at = unit.commit_offset;
        if self.files.is_some() && self.next.is_none() && self.begins_behind(unit, around)? {
            report.unindexed += 1;
            return Ok(());
        }
        let (queue, found) = (self.name.clone(), unit.queue_offset);
        match self.next {
            Some(expected) if found < expected => {
                report.add(Finding::Repeated { queue, expected, found, at });
                return Ok(());
            }
            Some(expected) if found > expected && around.damaged.is_empty() => {
                report.add(Finding::Gap { queue, expected, found, at });
            }
            _ => {}
        }
        self.next = Some(unit.next_offset());
        if self.files.is_none() {
            return Ok(());
        }
        let stored = self.stored(unit, around)?;
        report.units += u64::from(stored.is_some());
        let (queue, offset) = (self.name.clone(), unit.queue_offset);
        match stored {
            None if at < around.covered => report.add(Finding::UnitMissing { queue, offset, at }),
            Some(stored) if !is_alike(&stored, unit, extracted, frame) => {
                let (unit, frame) = (in_words(&stored), in_words(unit));
                report.add(Finding::UnitDiffers { queue, offset, at, unit, frame });
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether the files begin behind this frame.
    fn begins_behind(&mut self, unit: &Unit, around: Around<'_>) -> io::Result<bool> {
        if !around.may_begin_late {
            return Ok(false);
        }
        let mut index = self.first;
        let mut first = self.read(index)?;
        while first.is_some_and(|first| first.is_filler()) {
            index += 1;
            first = self.read(index)?;
        }
        Ok(first.is_some_and(|first| first.commit_offset > unit.commit_offset))
    }

    /// The unit on disk that should be `unit`.
    fn stored(&mut self, unit: &Unit, around: Around<'_>) -> io::Result<Option<Unit>> {
        if self.kind == QueueKind::Simple {
            self.index = unit.queue_offset.0 + 1;
            return Ok(self.read(unit.queue_offset.0)?.filter(|stored| !stored.is_filler()));
        }
        let is_gone = |stored: &Unit| {
            let at = stored.commit_offset;
            at < around.log_min || around.damaged.iter().any(|(begin, end)| *begin <= at && at < *end)
        };
        while let Some(stored) = self.read(self.index)? {
            self.index += 1;
            if !is_gone(&stored) {
                return Ok(Some(stored));
            }
        }
        Ok(None)
    }

    /// Looks for units behind the last frame.
    pub(super) fn finish(&mut self, log_end: CommitOffset, report: &mut Report) -> io::Result<()> {
        if self.files.is_none() {
            return Ok(());
        }
        report.queues += 1;
        let Some(behind) = self.read(self.index)? else { return Ok(()) };
        // An unclean stop leaves units whose frames were cut; a queue without frames keeps those of deleted files.
        let is_old = behind.commit_offset < report.begin || behind.is_filler();
        if report.is_clean && !is_old || (self.next.is_some() && behind.commit_offset < log_end && !is_old) {
            let (queue, at) = (self.name.clone(), behind.commit_offset);
            let offset = self.next.unwrap_or(behind.queue_offset);
            report.add(Finding::UnitsBehind { queue, offset, at });
        }
        Ok(())
    }

    /// The unit with this number; `None` where nothing was written.
    fn read(&mut self, index: i64) -> io::Result<Option<Unit>> {
        let Some(files) = &self.files else { return Ok(None) };
        let len = Unit::len(self.kind);
        let held = (self.buffer.len() / len) as i64;
        if index < self.buffer_at || index >= self.buffer_at + held {
            match files.read(index, PIECE, &mut self.buffer) {
                Err(e) if [io::ErrorKind::NotFound, io::ErrorKind::UnexpectedEof].contains(&e.kind()) => {
                    self.buffer.clear();
                    return Ok(None);
                }
                other => other?,
            }
            self.buffer_at = index;
        }
        let skip = usize::try_from(index - self.buffer_at).unwrap_or(0) * len;
        Ok(self.buffer.get(skip..).and_then(|bytes| Unit::decode(self.kind, index, bytes)))
    }
}

/// Delay levels may be configured, so a due time only has to lie behind the store time.
fn is_alike(stored: &Unit, unit: &Unit, extracted: &Extracted<'_>, frame: &FrameView<'_>) -> bool {
    let due = extracted.delay_level.is_some() && stored.tags_code > frame.store_timestamp();
    let expected = Unit {
        tags_code: if due { stored.tags_code } else { unit.tags_code },
        // 20-byte units hold no time.
        store_timestamp: if stored.store_timestamp == 0 { 0 } else { unit.store_timestamp },
        ..*unit
    };
    *stored == expected
}

fn in_words(unit: &Unit) -> UnitText {
    let (at, size, tags) = (unit.commit_offset, unit.size, unit.tags_code);
    let words = format!("commit offset {at}, {size} bytes, tags code {tags}, {} messages", unit.records);
    UnitText(words.into())
}
