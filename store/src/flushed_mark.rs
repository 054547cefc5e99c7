//! `gantry/flushed`: below which commit offset every byte was synced. It tells a torn tail from bit rot.
//!
//! Two slots of one sector each, written in turn, so that a torn write leaves the other one:
//!
//! |  0 | 8 | magic `GNTYFLSH` |
//! |  8 | 8 | turn             |
//! | 16 | 8 | commit offset    |
//! | 24 | 4 | CRC-32           |
//!
//! The mark is written after each sync and not synced itself (the checkpointer does that): it may be too
//! low after a power loss, never too high.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::disk::{self, Disk, DiskFile, Open};
use crate::format::{CommitOffset, Reader};

const MAGIC: [u8; 8] = *b"GNTYFLSH";
const SLOT_LEN: u64 = 4096;
const CRC_AT: usize = 8 + 8 + 8;
const USED: usize = CRC_AT + 4;

#[derive(Debug)]
pub(crate) struct FlushedMark {
    file: Arc<dyn DiskFile>,
    turn: u64,
}

impl FlushedMark {
    /// Opens the mark and reads it; `None` when it was never written.
    pub(crate) fn open(disk: &dyn Disk, path: &Path) -> io::Result<(FlushedMark, Option<CommitOffset>)> {
        let file = disk.open(path, Open::Create)?;
        path.parent().map_or(Ok(()), |dir| disk.sync_dir(dir))?;
        let mut best: Option<(u64, CommitOffset)> = None;
        for slot in 0..2 {
            let mut bytes = [0; USED];
            let complete = disk::read_exact(&*file, slot * SLOT_LEN, &mut bytes).is_ok();
            best = best.max(complete.then(|| decode(&bytes)).flatten());
        }
        let turn = best.map_or(0, |(turn, _)| turn);
        Ok((FlushedMark { file, turn }, best.map(|(_, at)| at)))
    }

    /// Writes the mark, without a sync.
    pub(crate) fn write(&mut self, at: CommitOffset) -> io::Result<()> {
        self.turn += 1;
        let mut bytes = Vec::with_capacity(USED);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&self.turn.to_be_bytes());
        bytes.extend_from_slice(&at.0.to_be_bytes());
        bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
        disk::write_all(&*self.file, self.turn % 2 * SLOT_LEN, &bytes)
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }
}

fn decode(bytes: &[u8; USED]) -> Option<(u64, CommitOffset)> {
    let mut reader = Reader::new(bytes);
    let magic = reader.array::<8>()?;
    let turn = u64::from_be_bytes(reader.array()?);
    let at = CommitOffset(reader.i64()?);
    let crc = u32::from_be_bytes(reader.array()?);
    (magic == MAGIC && crc32fast::hash(bytes.get(..CRC_AT)?) == crc).then_some((turn, at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::SimDisk;

    #[test]
    fn a_damaged_slot_falls_back_to_the_one_before() {
        let disk = SimDisk::new(3);
        disk.create_dirs(Path::new("/s")).unwrap();
        let path = Path::new("/s/flushed");
        let (mut mark, none) = FlushedMark::open(&disk, path).unwrap();
        assert_eq!(none, None);
        mark.write(CommitOffset(10)).unwrap();
        mark.write(CommitOffset(20)).unwrap();
        assert_eq!(FlushedMark::open(&disk, path).unwrap().1, Some(CommitOffset(20)));
        disk.damage(path, 20, |byte| byte ^ 1).unwrap();
        assert_eq!(FlushedMark::open(&disk, path).unwrap().1, Some(CommitOffset(10)));
    }
}
