//! Reading a queue: units first, then the frames they name, adjacent frames as one piece of memory.
//!
//! Statuses and next offsets are those of RocketMQ 5.3.3 `store/DefaultMessageStore.java` (`getMessage`).
//! Frames this process wrote are slices of the map when they are in memory; all others are read by `pread`
//! and their checksums compared first: no damaged body leaves the store.

use std::ops::Range;

use bytes::Bytes;

use crate::commit_log::CommitLog;
use crate::error::ReadError;
use crate::format::{CommitOffset, FrameView, QueueOffset};
use crate::queue_index::{QueueState, Unit};

/// How much one read returns at most. The first accepted frame is returned whatever its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadLimits {
    /// Frames.
    pub max_units: usize,
    /// Bytes of frames.
    pub max_bytes: usize,
    /// Units looked at, accepted or not.
    pub max_scanned: usize,
    /// Queue offsets at or behind this one are not returned (confirm offset, last stable offset).
    pub upto: QueueOffset,
}

/// How a read ended, in the field's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadStatus {
    /// At least one frame.
    Found,
    /// `NO_MATCHED_MESSAGE`: units were there, none was accepted.
    NoMatched,
    /// `NO_MESSAGE_IN_QUEUE`: nothing was ever written.
    NoMessage,
    /// `OFFSET_TOO_SMALL`.
    TooSmall,
    /// `OFFSET_OVERFLOW_ONE`: the offset is the next one to be written.
    OverflowOne,
    /// `OFFSET_OVERFLOW_BADLY`.
    OverflowBadly,
    /// `MESSAGE_WAS_REMOVING`: the frame was deleted meanwhile.
    Removing,
}

/// Adjacent frames in one piece.
#[derive(Clone, Debug)]
pub struct Extent {
    /// The frames, one behind the other.
    pub bytes: Bytes,
    /// Which of [`Extract::units`] it holds.
    pub units: Range<usize>,
}

/// What a read found.
#[derive(Clone, Debug)]
pub struct Extract {
    /// How it ended.
    pub status: ReadStatus,
    /// Where to read next.
    pub next: QueueOffset,
    /// Lower bound of the queue.
    pub min: QueueOffset,
    /// Next offset of the queue.
    pub max: QueueOffset,
    /// Accepted units in order. The first one may begin before the offset asked for (batches).
    pub units: Vec<Unit>,
    /// Their frames.
    pub extents: Vec<Extent>,
}

impl Extract {
    pub(crate) fn empty(
        status: ReadStatus,
        next: QueueOffset,
        min: QueueOffset,
        max: QueueOffset,
    ) -> Extract {
        Extract { status, next, min, max, units: Vec::new(), extents: Vec::new() }
    }

    /// Each unit with its frame.
    pub fn frames(&self) -> impl Iterator<Item = (&Unit, Bytes)> {
        self.extents.iter().flat_map(|extent| {
            let units = self.units.get(extent.units.clone()).unwrap_or_default();
            units.iter().scan(0, |at, unit| {
                let from = *at;
                *at += unit.size as usize;
                Some((unit, extent.bytes.slice(from..*at)))
            })
        })
    }

    /// Bytes of all frames.
    pub fn len(&self) -> usize {
        self.extents.iter().map(|extent| extent.bytes.len()).sum()
    }

    /// Whether no frame was found.
    pub fn is_empty(&self) -> bool {
        self.units.is_empty()
    }
}

/// What a reader needs of the store.
pub(crate) struct Reader<'a> {
    pub(crate) log: &'a CommitLog,
    pub(crate) written: CommitOffset,
    /// Bytes from here on were written by this process.
    pub(crate) warm_from: CommitOffset,
}

/// Distance from the end within which written pages are taken to be in memory without asking.
const FRESH: i64 = 64 << 20;
/// Units fetched at a time.
const UNITS: usize = 64;
/// Largest piece that adjacent frames are merged into.
const MAX_EXTENT: u64 = 1 << 20;

impl Reader<'_> {
    /// Reads from `from` on; see `Store::read`.
    pub(crate) fn read(
        &self,
        queue: &QueueState,
        (min, max): (QueueOffset, QueueOffset),
        from: QueueOffset,
        limits: &ReadLimits,
        accept: &mut dyn FnMut(&Unit) -> bool,
    ) -> Result<Extract, ReadError> {
        if let Some((status, next)) = refused(from, min, max) {
            return Ok(Extract::empty(status, next, min, max));
        }
        let max = max.min(limits.upto);
        if from >= max {
            return Ok(Extract::empty(ReadStatus::OverflowOne, from, min, max));
        }
        let mut extract = Extract::empty(ReadStatus::NoMatched, from, min, max);
        self.select(queue, limits, accept, &mut extract)?;
        self.fetch(&mut extract)?;
        Ok(extract)
    }

    /// Chooses the units.
    fn select(
        &self,
        queue: &QueueState,
        limits: &ReadLimits,
        accept: &mut dyn FnMut(&Unit) -> bool,
        extract: &mut Extract,
    ) -> Result<(), ReadError> {
        let (mut index, mut scanned, mut bytes) = (queue.find(extract.next)?, 0, 0);
        let mut units = Vec::with_capacity(UNITS.min(limits.max_units));
        'all: loop {
            units.clear();
            queue.units(index, UNITS.min(limits.max_scanned - scanned), &mut units)?;
            if units.is_empty() {
                break;
            }
            let lost = units.first().is_some_and(|unit| unit.is_filler() || unit.queue_offset > extract.next);
            if lost && extract.units.is_empty() {
                return Err(ReadError::Lost { offset: extract.next });
            }
            index += units.len() as i64;
            scanned += units.len();
            for unit in &units {
                if unit.next_offset() > extract.max || unit.is_filler() {
                    break 'all;
                }
                let full = extract.units.len() >= limits.max_units
                    || (!extract.units.is_empty() && bytes + unit.size as usize > limits.max_bytes);
                if full {
                    break 'all;
                }
                extract.next = unit.next_offset();
                if accept(unit) {
                    bytes += unit.size as usize;
                    extract.units.push(*unit);
                }
            }
        }
        Ok(())
    }

    /// Reads the frames of the chosen units. Stops before a damaged frame; an error when that is the first.
    fn fetch(&self, extract: &mut Extract) -> Result<(), ReadError> {
        let mut begin = 0;
        while begin < extract.units.len() {
            let end = self.extent_end(&extract.units, begin);
            let units = extract.units.get(begin..end).unwrap_or_default();
            match self.extent(units) {
                Ok(bytes) => extract.extents.push(Extent { bytes, units: begin..end }),
                Err(ReadError::OutOfRange { .. }) if begin == 0 => {
                    let next = units.last().map_or(extract.next, Unit::next_offset);
                    *extract = Extract::empty(ReadStatus::Removing, next, extract.min, extract.max);
                    return Ok(());
                }
                Err(ReadError::Corrupt { at })
                    if begin > 0 || units.first().is_some_and(|u| u.commit_offset < at) =>
                {
                    let good = units.iter().take_while(|unit| unit.commit_offset < at).count();
                    let units = units.get(..good).unwrap_or_default();
                    if !units.is_empty() {
                        let bytes = self.extent(units)?;
                        extract.extents.push(Extent { bytes, units: begin..begin + good });
                    }
                    extract.units.truncate(begin + good);
                    extract.next = extract.units.last().map_or(extract.next, Unit::next_offset);
                    break;
                }
                Err(e) => return Err(e),
            }
            begin = end;
        }
        if !extract.units.is_empty() {
            extract.status = ReadStatus::Found;
        }
        Ok(())
    }

    /// How many units from `begin` on have adjacent frames in one file.
    fn extent_end(&self, units: &[Unit], begin: usize) -> usize {
        let Some(first) = units.get(begin) else { return begin };
        let (mut end, mut at, mut bytes) = (begin + 1, first.frame_end(), u64::from(first.size));
        let file_end = self.log.file_at(first.commit_offset).map(|file| file.end());
        while let Some(unit) = units.get(end) {
            bytes += u64::from(unit.size);
            if unit.commit_offset != at || Some(at) == file_end || bytes > MAX_EXTENT {
                break;
            }
            at = unit.frame_end();
            end += 1;
        }
        end
    }

    /// The frames of adjacent units.
    fn extent(&self, units: &[Unit]) -> Result<Bytes, ReadError> {
        let (Some(first), Some(last)) = (units.first(), units.last()) else { return Ok(Bytes::new()) };
        let bytes = self.bytes(first.commit_offset, last.frame_end().bytes_since(first.commit_offset))?;
        if first.commit_offset < self.warm_from {
            let mut at = 0;
            for unit in units {
                let end = at + unit.size as usize;
                check(bytes.get(at..end).unwrap_or_default(), unit.commit_offset)?;
                at = end;
            }
        }
        Ok(bytes)
    }

    /// Bytes of the log, unchecked.
    pub(crate) fn bytes(&self, at: CommitOffset, len: i64) -> Result<Bytes, ReadError> {
        let out_of_range = ReadError::OutOfRange { at };
        let len = usize::try_from(len).map_err(|_| ReadError::OutOfRange { at })?;
        let Some(file) = self.log.file_at(at) else { return Err(out_of_range) };
        let end = at.plus(len as i64);
        if end > self.written || end > file.end() {
            return Err(out_of_range);
        }
        let warm =
            at >= self.warm_from && (self.written.bytes_since(at) < FRESH || file.is_resident(at, len));
        match file.view(at, len).filter(|_| warm) {
            Some(view) => Ok(view),
            None => Ok(file.read(at, len)?),
        }
    }
}

/// Compares a cold frame with its place and checksum.
pub(crate) fn check(bytes: &[u8], at: CommitOffset) -> Result<(), ReadError> {
    let frame = FrameView::parse(bytes).map_err(|_| ReadError::Corrupt { at })?;
    let intact = frame.commit_offset() == at && frame.bytes().len() == bytes.len();
    if intact && frame.check_body_crc().is_ok() { Ok(()) } else { Err(ReadError::Corrupt { at }) }
}

/// The answers that need no unit.
fn refused(from: QueueOffset, min: QueueOffset, max: QueueOffset) -> Option<(ReadStatus, QueueOffset)> {
    if max.0 == 0 {
        Some((ReadStatus::NoMessage, QueueOffset(0)))
    } else if from < min {
        Some((ReadStatus::TooSmall, min))
    } else if from == max {
        Some((ReadStatus::OverflowOne, from))
    } else if from > max {
        Some((ReadStatus::OverflowBadly, max))
    } else {
        None
    }
}
