//! The parts of an IndexFile: header, slot table, entries. Which key goes where is `key_index`'s work.
//!
//! | part    | at                    | size | field                                                               |
//! |---------|-----------------------|------|---------------------------------------------------------------------|
//! | header  | 0                     | 8    | beginTimestamp, ms, of the first entry                              |
//! |         | 8                     | 8    | endTimestamp, ms, of the last entry                                 |
//! |         | 16                    | 8    | beginPhyOffset, commit offset of the first entry                    |
//! |         | 24                    | 8    | endPhyOffset, commit offset of the last entry                       |
//! |         | 32                    | 4    | hashSlotCount, slots in use                                         |
//! |         | 36                    | 4    | indexCount, number of the next entry; the first one has number 1    |
//! | slot s  | 40 + 4s               | 4    | number of the newest entry of the slot; 0 is none                   |
//! | entry n | 40 + 4 slots + 20n    | 4    | keyHash                                                             |
//! |         |                       | 8    | phyOffset, commit offset of the frame                               |
//! |         |                       | 4    | timeDiff, seconds since beginTimestamp                              |
//! |         |                       | 4    | prevIndex, number of the next older entry of the slot; 0 is none    |
//!
//! Source: RocketMQ 5.3.3 `store/index/IndexFile.java`, `store/index/IndexHeader.java`.

use super::CommitOffset;
use super::be::{i32_at, i64_at, put};

/// Bytes of the header.
pub const HEADER_LEN: usize = 40;
/// Bytes of a slot.
pub const SLOT_LEN: usize = 4;
/// Bytes of an entry.
pub const ENTRY_LEN: usize = 20;
/// indexCount of an empty file.
pub const FIRST_ENTRY: u32 = 1;

const BEGIN_TIMESTAMP: usize = 0;
const END_TIMESTAMP: usize = BEGIN_TIMESTAMP + 8;
const BEGIN_COMMIT_OFFSET: usize = END_TIMESTAMP + 8;
const END_COMMIT_OFFSET: usize = BEGIN_COMMIT_OFFSET + 8;
const SLOT_COUNT: usize = END_COMMIT_OFFSET + 8;
const INDEX_COUNT: usize = SLOT_COUNT + 4;
const _: () = assert!(INDEX_COUNT + 4 == HEADER_LEN);

const KEY_HASH: usize = 0;
const COMMIT_OFFSET: usize = KEY_HASH + 4;
const TIME_DIFF: usize = COMMIT_OFFSET + 8;
const PREV_INDEX: usize = TIME_DIFF + 4;
const _: () = assert!(PREV_INDEX + 4 == ENTRY_LEN);

/// How many slots and entries a file has: what is configured, not what is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Slots of the hash table (`maxHashSlotNum`), at least 1.
    pub slots: u32,
    /// Places for entries (`maxIndexNum`); place 0 is never used.
    pub entries: u32,
}

impl Shape {
    /// The original's default: 5 million slots, 20 million entries, 420,000,040 bytes.
    pub const DEFAULT: Shape = Shape { slots: 5_000_000, entries: 20_000_000 };

    /// Bytes of a file.
    #[must_use]
    pub const fn file_len(self) -> u64 {
        HEADER_LEN as u64 + self.slots as u64 * SLOT_LEN as u64 + self.entries as u64 * ENTRY_LEN as u64
    }

    /// At which byte the slot of `key_hash` stands.
    #[must_use]
    pub const fn slot_at(self, key_hash: i32) -> u64 {
        let slots = if self.slots == 0 { 1 } else { self.slots };
        HEADER_LEN as u64 + (key_hash.unsigned_abs() % slots) as u64 * SLOT_LEN as u64
    }

    /// At which byte entry `number` stands.
    #[must_use]
    pub const fn entry_at(self, number: u32) -> u64 {
        HEADER_LEN as u64 + self.slots as u64 * SLOT_LEN as u64 + number as u64 * ENTRY_LEN as u64
    }
}

/// The header of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// storeTimestamp of the first entry, ms.
    pub begin_timestamp: i64,
    /// storeTimestamp of the last entry, ms.
    pub end_timestamp: i64,
    /// Of the first entry.
    pub begin_commit_offset: CommitOffset,
    /// Of the last entry.
    pub end_commit_offset: CommitOffset,
    /// Slots in use.
    pub slot_count: i32,
    /// Number of the next entry.
    pub index_count: u32,
}

impl Header {
    /// The header of a file without entries.
    pub const EMPTY: Header = Header {
        begin_timestamp: 0,
        end_timestamp: 0,
        begin_commit_offset: CommitOffset(0),
        end_commit_offset: CommitOffset(0),
        slot_count: 0,
        index_count: FIRST_ENTRY,
    };

    /// A count below 1, as in a file of zeros, is read as 1.
    #[must_use]
    pub fn decode(header: &[u8; HEADER_LEN]) -> Header {
        let index_count = u32::try_from(i32_at::<INDEX_COUNT, HEADER_LEN>(header)).unwrap_or(0);
        Header {
            begin_timestamp: i64_at::<BEGIN_TIMESTAMP, HEADER_LEN>(header),
            end_timestamp: i64_at::<END_TIMESTAMP, HEADER_LEN>(header),
            begin_commit_offset: CommitOffset(i64_at::<BEGIN_COMMIT_OFFSET, HEADER_LEN>(header)),
            end_commit_offset: CommitOffset(i64_at::<END_COMMIT_OFFSET, HEADER_LEN>(header)),
            slot_count: i32_at::<SLOT_COUNT, HEADER_LEN>(header),
            index_count: index_count.max(FIRST_ENTRY),
        }
    }

    /// The 40 bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; HEADER_LEN] {
        let mut header = [0; HEADER_LEN];
        put::<BEGIN_TIMESTAMP, 8, HEADER_LEN>(&mut header, self.begin_timestamp.to_be_bytes());
        put::<END_TIMESTAMP, 8, HEADER_LEN>(&mut header, self.end_timestamp.to_be_bytes());
        put::<BEGIN_COMMIT_OFFSET, 8, HEADER_LEN>(&mut header, self.begin_commit_offset.0.to_be_bytes());
        put::<END_COMMIT_OFFSET, 8, HEADER_LEN>(&mut header, self.end_commit_offset.0.to_be_bytes());
        put::<SLOT_COUNT, 4, HEADER_LEN>(&mut header, self.slot_count.to_be_bytes());
        put::<INDEX_COUNT, 4, HEADER_LEN>(&mut header, self.index_count.to_be_bytes());
        header
    }
}

/// One entry: one key of one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// `hash::index_key_hash` of topic and key.
    pub key_hash: i32,
    /// Of the frame.
    pub commit_offset: CommitOffset,
    /// Seconds since beginTimestamp of the file.
    pub time_diff: i32,
    /// Number of the next older entry of the slot, 0 for none.
    pub prev_index: i32,
}

impl Entry {
    /// Every pattern of 20 bytes is an entry.
    #[must_use]
    pub fn decode(entry: &[u8; ENTRY_LEN]) -> Entry {
        Entry {
            key_hash: i32_at::<KEY_HASH, ENTRY_LEN>(entry),
            commit_offset: CommitOffset(i64_at::<COMMIT_OFFSET, ENTRY_LEN>(entry)),
            time_diff: i32_at::<TIME_DIFF, ENTRY_LEN>(entry),
            prev_index: i32_at::<PREV_INDEX, ENTRY_LEN>(entry),
        }
    }

    /// The 20 bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; ENTRY_LEN] {
        let mut entry = [0; ENTRY_LEN];
        put::<KEY_HASH, 4, ENTRY_LEN>(&mut entry, self.key_hash.to_be_bytes());
        put::<COMMIT_OFFSET, 8, ENTRY_LEN>(&mut entry, self.commit_offset.0.to_be_bytes());
        put::<TIME_DIFF, 4, ENTRY_LEN>(&mut entry, self.time_diff.to_be_bytes());
        put::<PREV_INDEX, 4, ENTRY_LEN>(&mut entry, self.prev_index.to_be_bytes());
        entry
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_file_has_the_length_of_the_original() {
        assert_eq!(Shape::DEFAULT.file_len(), 420_000_040);
        assert_eq!(Shape::DEFAULT.slot_at(2_746_024), 40 + 2_746_024 * 4);
        assert_eq!(Shape { slots: 500, entries: 400 }.entry_at(1), 40 + 2000 + 20);
    }

    #[test]
    fn writes_and_reads_the_same_header_and_entry() {
        let header = Header {
            begin_timestamp: 1,
            end_timestamp: 2,
            begin_commit_offset: CommitOffset(3),
            end_commit_offset: CommitOffset(4),
            slot_count: 5,
            index_count: 6,
        };
        assert_eq!(Header::decode(&header.encode()), header);
        let entry = Entry { key_hash: 1, commit_offset: CommitOffset(2), time_diff: 3, prev_index: 4 };
        assert_eq!(Entry::decode(&entry.encode()), entry);
    }

    #[test]
    fn a_file_of_zeros_has_an_empty_header() {
        assert_eq!(Header::decode(&[0; HEADER_LEN]), Header::EMPTY);
        assert_eq!(Header::decode(&[0xFF; HEADER_LEN]).index_count, FIRST_ENTRY);
    }
}
