//! The `checkpoint` file: up to which store timestamp each kind of file is on disk. One page, the rest zeros.
//!
//! |  0 | 8 | physicMsgTimestamp  | ms; frames up to here are flushed                  |
//! |  8 | 8 | logicsMsgTimestamp  | ms; queue units up to here are flushed             |
//! | 16 | 8 | indexMsgTimestamp   | ms; key index entries up to here are flushed       |
//! | 24 | 8 | masterFlushedOffset | commit offset; 0 on a single master                |
//! | 32 | 8 | confirmPhyOffset    | commit offset; 0 on a single master                |
//!
//! Source: RocketMQ 5.3.3 `store/StoreCheckpoint.java`.

use super::CommitOffset;
use super::be::{i64_at, put};

/// Bytes of the file.
pub const LEN: usize = 4096;

const PHYSIC_MSG_TIMESTAMP: usize = 0;
const LOGICS_MSG_TIMESTAMP: usize = PHYSIC_MSG_TIMESTAMP + 8;
const INDEX_MSG_TIMESTAMP: usize = LOGICS_MSG_TIMESTAMP + 8;
const MASTER_FLUSHED_OFFSET: usize = INDEX_MSG_TIMESTAMP + 8;
const CONFIRM_COMMIT_OFFSET: usize = MASTER_FLUSHED_OFFSET + 8;
const USED: usize = CONFIRM_COMMIT_OFFSET + 8;
const _: () = assert!(USED == 40);

/// The original starts recovery this much before the smallest timestamp.
pub const RECOVERY_MARGIN_MS: i64 = 3000;

/// The fields of the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checkpoint {
    /// Of the newest flushed frame, ms.
    pub physic_msg_timestamp: i64,
    /// Of the newest frame whose queue unit is flushed, ms.
    pub logics_msg_timestamp: i64,
    /// Of the newest frame whose keys are flushed, ms.
    pub index_msg_timestamp: i64,
    /// How far the master had flushed, on a slave.
    pub master_flushed_offset: CommitOffset,
    /// How far replicas had confirmed.
    pub confirm_commit_offset: CommitOffset,
}

impl Checkpoint {
    /// `None` when the file is shorter than its fields.
    #[must_use]
    pub fn decode(file: &[u8]) -> Option<Checkpoint> {
        let page = file.first_chunk::<USED>()?;
        Some(Checkpoint {
            physic_msg_timestamp: i64_at::<PHYSIC_MSG_TIMESTAMP, USED>(page),
            logics_msg_timestamp: i64_at::<LOGICS_MSG_TIMESTAMP, USED>(page),
            index_msg_timestamp: i64_at::<INDEX_MSG_TIMESTAMP, USED>(page),
            master_flushed_offset: CommitOffset(i64_at::<MASTER_FLUSHED_OFFSET, USED>(page)),
            confirm_commit_offset: CommitOffset(i64_at::<CONFIRM_COMMIT_OFFSET, USED>(page)),
        })
    }

    /// The 4096 bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; LEN] {
        let mut page = [0; LEN];
        put::<PHYSIC_MSG_TIMESTAMP, 8, LEN>(&mut page, self.physic_msg_timestamp.to_be_bytes());
        put::<LOGICS_MSG_TIMESTAMP, 8, LEN>(&mut page, self.logics_msg_timestamp.to_be_bytes());
        put::<INDEX_MSG_TIMESTAMP, 8, LEN>(&mut page, self.index_msg_timestamp.to_be_bytes());
        put::<MASTER_FLUSHED_OFFSET, 8, LEN>(&mut page, self.master_flushed_offset.0.to_be_bytes());
        put::<CONFIRM_COMMIT_OFFSET, 8, LEN>(&mut page, self.confirm_commit_offset.0.to_be_bytes());
        page
    }

    /// The storeTimestamp from which frames have to be looked at again after an unclean stop, ms. Frames stored
    /// before it have their units on disk, and their keys where `with_index` counts them.
    #[must_use]
    pub fn recovery_timestamp(&self, with_index: bool) -> i64 {
        let both = self.physic_msg_timestamp.min(self.logics_msg_timestamp);
        let least = if with_index { both.min(self.index_msg_timestamp) } else { both };
        least.saturating_sub(RECOVERY_MARGIN_MS).max(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_and_reads_the_same_fields() {
        let checkpoint = Checkpoint {
            physic_msg_timestamp: 10_000,
            logics_msg_timestamp: 9_000,
            index_msg_timestamp: 2_000,
            master_flushed_offset: CommitOffset(4),
            confirm_commit_offset: CommitOffset(5),
        };
        assert_eq!(Checkpoint::decode(&checkpoint.encode()), Some(checkpoint));
        assert_eq!(checkpoint.recovery_timestamp(false), 6_000);
        assert_eq!(checkpoint.recovery_timestamp(true), 0);
    }

    #[test]
    fn rejects_a_truncated_page() {
        assert_eq!(Checkpoint::decode(&[0; USED - 1]), None);
    }
}
