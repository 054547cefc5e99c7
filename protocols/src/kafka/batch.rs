//! RecordBatch v2: a checked view of the 61-byte header and the records behind it.
//!
//! |  0 | 8 | base_offset     | offset of the first record; the broker's, outside the CRC                        |
//! |  8 | 4 | batch_length    | bytes after this field                                                            |
//! | 12 | 4 | leader_epoch    | the broker's, outside the CRC                                                     |
//! | 16 | 1 | magic           | 2                                                                                 |
//! | 17 | 4 | crc             | CRC-32C of everything from attributes to the end                                  |
//! | 21 | 2 | attributes      | 0-2 codec, 3 LogAppendTime, 4 transactional, 5 control, 6 delete horizon          |
//! | 23 | 4 | last_offset_delta | offset of the last record minus base_offset                                     |
//! | 27 | 8 | base_timestamp  | ms; the delete horizon where bit 6 is set                                         |
//! | 35 | 8 | max_timestamp   | ms; with LogAppendTime the timestamp of every record                              |
//! | 43 | 8 | producer_id     | -1 none                                                                           |
//! | 51 | 2 | producer_epoch  | -1 none                                                                           |
//! | 53 | 4 | base_sequence   | -1 none                                                                           |
//! | 57 | 4 | record_count    | records in the block                                                              |
//! | 61 |   | records         | one block, compressed as a whole                                                  |
//!
//! The view reads; writing is `batch_builder`. The records inside are `record`, after `decompressed`.
//! Source: Kafka 4.1 `DefaultRecordBatch.java`; produce rules from `ProduceRequest.validateRecords`, `LogValidator`.

use std::borrow::Cow;

use super::attributes::{Attributes, Codec, UnknownCodec};
use super::batch_error::{BatchError, BlockError};
use super::record::Records;
use crate::compression;

pub(super) const BASE_OFFSET: usize = 0;
pub(super) const BATCH_LENGTH: usize = BASE_OFFSET + 8;
pub(super) const LEADER_EPOCH: usize = BATCH_LENGTH + 4;
pub(super) const MAGIC: usize = LEADER_EPOCH + 4;
pub(super) const CRC: usize = MAGIC + 1;
pub(super) const ATTRIBUTES: usize = CRC + 4;
pub(super) const LAST_OFFSET_DELTA: usize = ATTRIBUTES + 2;
pub(super) const BASE_TIMESTAMP: usize = LAST_OFFSET_DELTA + 4;
pub(super) const MAX_TIMESTAMP: usize = BASE_TIMESTAMP + 8;
pub(super) const PRODUCER_ID: usize = MAX_TIMESTAMP + 8;
pub(super) const PRODUCER_EPOCH: usize = PRODUCER_ID + 8;
pub(super) const BASE_SEQUENCE: usize = PRODUCER_EPOCH + 2;
pub(super) const RECORD_COUNT: usize = BASE_SEQUENCE + 4;

/// Bytes of the header; the records follow.
pub const HEADER_LEN: usize = RECORD_COUNT + 4;
const _: () = assert!(HEADER_LEN == 61);

/// Bytes that a fetch response may replace without touching the CRC: base offset, length, leader epoch.
pub const HEAD_LEN: usize = MAGIC;
const _: () = assert!(HEAD_LEN == 16);

/// Bytes in front of what `batch_length` counts.
pub const LENGTH_END: usize = LEADER_EPOCH;

/// The only magic there is since Kafka 4.0.
pub(super) const MAGIC_V2: u8 = 2;

/// Smallest value of `batch_length`: a header without records.
const MIN_BATCH_LENGTH: i32 = 49;
const _: () = assert!(LENGTH_END + 49 == HEADER_LEN);

/// One batch: header complete, as many bytes as it declares. The CRC is checked on demand.
#[derive(Clone, Copy, Debug)]
pub struct BatchView<'a> {
    header: &'a [u8; HEADER_LEN],
    bytes: &'a [u8],
}

impl<'a> BatchView<'a> {
    /// The batch at the start of `input`, and what follows it.
    ///
    /// # Errors
    /// `Truncated`, `Length`, `Magic`.
    pub fn split(input: &'a [u8]) -> Result<(Self, &'a [u8]), BatchError> {
        let left = input.len();
        let header = input.first_chunk().ok_or(BatchError::Truncated { needed: HEADER_LEN, left })?;
        let declared = i32::from_be_bytes(field(header, BATCH_LENGTH));
        let [magic] = field(header, MAGIC);
        if magic != MAGIC_V2 {
            return Err(BatchError::Magic(magic));
        }
        let needed = match usize::try_from(declared) {
            Ok(length) if declared >= MIN_BATCH_LENGTH => LENGTH_END + length,
            _ => return Err(BatchError::Length(declared)),
        };
        let (bytes, rest) = input.split_at_checked(needed).ok_or(BatchError::Truncated { needed, left })?;
        Ok((Self { header, bytes }, rest))
    }

    /// The one batch that fills `records`, as a produce request must send it.
    ///
    /// # Errors
    /// As `split`, and `Empty` or `SecondBatch`.
    pub fn only(records: &'a [u8]) -> Result<Self, BatchError> {
        if records.is_empty() {
            return Err(BatchError::Empty);
        }
        match Self::split(records)? {
            (batch, []) => Ok(batch),
            (_, rest) => Err(BatchError::SecondBatch(rest.len())),
        }
    }

    /// Bytes of the batch, header included.
    #[expect(clippy::len_without_is_empty, reason = "a batch has at least its header")]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The whole batch.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Offset of the first record.
    pub fn base_offset(&self) -> i64 {
        i64::from_be_bytes(field(self.header, BASE_OFFSET))
    }

    /// Offset of the last record; `base_offset` plus the delta, wrapping.
    pub fn last_offset(&self) -> i64 {
        self.base_offset().wrapping_add(i64::from(self.last_offset_delta()))
    }

    /// Bytes after the length field.
    pub fn batch_length(&self) -> i32 {
        i32::from_be_bytes(field(self.header, BATCH_LENGTH))
    }

    /// Epoch of the leader that wrote the batch, -1 for none.
    pub fn leader_epoch(&self) -> i32 {
        i32::from_be_bytes(field(self.header, LEADER_EPOCH))
    }

    /// CRC-32C as written.
    pub fn crc(&self) -> u32 {
        u32::from_be_bytes(field(self.header, CRC))
    }

    /// Attribute bits.
    pub fn attributes(&self) -> Attributes {
        Attributes(i16::from_be_bytes(field(self.header, ATTRIBUTES)))
    }

    /// Codec of the records.
    ///
    /// # Errors
    /// `UnknownCodec`.
    pub fn codec(&self) -> Result<Codec, UnknownCodec> {
        self.attributes().codec()
    }

    /// Whether every record's timestamp is `max_timestamp`.
    pub fn is_log_append_time(&self) -> bool {
        self.attributes().has(Attributes::LOG_APPEND_TIME)
    }

    /// Whether the batch belongs to a transaction.
    pub fn is_transactional(&self) -> bool {
        self.attributes().has(Attributes::TRANSACTIONAL)
    }

    /// Whether the batch is a marker and not data.
    pub fn is_control(&self) -> bool {
        self.attributes().has(Attributes::CONTROL)
    }

    /// The delete horizon in ms, where one is set.
    pub fn delete_horizon(&self) -> Option<i64> {
        self.attributes().has(Attributes::DELETE_HORIZON).then(|| self.base_timestamp())
    }

    /// Last offset minus base offset.
    pub fn last_offset_delta(&self) -> i32 {
        i32::from_be_bytes(field(self.header, LAST_OFFSET_DELTA))
    }

    /// What timestamp deltas count from, ms.
    pub fn base_timestamp(&self) -> i64 {
        i64::from_be_bytes(field(self.header, BASE_TIMESTAMP))
    }

    /// Greatest timestamp, ms; -1 for none.
    pub fn max_timestamp(&self) -> i64 {
        i64::from_be_bytes(field(self.header, MAX_TIMESTAMP))
    }

    /// Timestamp of a record with `delta`, ms: the sum wraps, or is the maximum with LogAppendTime.
    pub fn timestamp(&self, delta: i64) -> i64 {
        if self.is_log_append_time() {
            self.max_timestamp()
        } else {
            self.base_timestamp().wrapping_add(delta)
        }
    }

    /// Producer id, -1 for none.
    pub fn producer_id(&self) -> i64 {
        i64::from_be_bytes(field(self.header, PRODUCER_ID))
    }

    /// Producer epoch, -1 for none.
    pub fn producer_epoch(&self) -> i16 {
        i16::from_be_bytes(field(self.header, PRODUCER_EPOCH))
    }

    /// Sequence of the first record, -1 for none.
    pub fn base_sequence(&self) -> i32 {
        i32::from_be_bytes(field(self.header, BASE_SEQUENCE))
    }

    /// Sequence of the record with `offset_delta`, -1 where the batch has none; 2,147,483,647 is followed by 0.
    pub fn sequence(&self, offset_delta: i32) -> i32 {
        match self.base_sequence() {
            base if base < 0 => -1,
            base => base.wrapping_add(offset_delta) & i32::MAX,
        }
    }

    /// Number of records as declared; may be negative in a batch that was not validated.
    pub fn count(&self) -> i32 {
        i32::from_be_bytes(field(self.header, RECORD_COUNT))
    }

    /// The record block as stored, compressed or not.
    pub fn stored_records(&self) -> &'a [u8] {
        self.bytes.get(HEADER_LEN..).unwrap_or_default()
    }

    /// The record block, decompressed into at most `cap` bytes; uncompressed blocks are borrowed.
    ///
    /// # Errors
    /// Unknown codecs and whatever the decompressor refuses.
    pub fn decompressed(&self, cap: usize) -> Result<Cow<'a, [u8]>, BlockError> {
        let Some(format) = self.codec().map_err(BatchError::from)?.format() else {
            return Ok(Cow::Borrowed(self.stored_records()));
        };
        let mut block = Vec::new();
        compression::decompress(format, self.stored_records(), cap, &mut block)?;
        Ok(Cow::Owned(block))
    }

    /// A walk over `block`, which is this batch's decompressed block. A negative count walks nothing.
    pub fn records<'b>(&self, block: &'b [u8]) -> Records<'b> {
        Records::new(block, u32::try_from(self.count()).unwrap_or(0))
    }

    /// Compares the CRC. One pass over the batch; hardware where there is any.
    ///
    /// # Errors
    /// `Crc`.
    pub fn check_crc(&self) -> Result<(), BatchError> {
        let computed = crc32c(self.bytes.get(ATTRIBUTES..).unwrap_or_default());
        let found = self.crc();
        if computed == found { Ok(()) } else { Err(BatchError::Crc { found, computed }) }
    }

    /// All rules for a client's batch that need no look at its records: CRC, codec, counts, kind, producer.
    ///
    /// # Errors
    /// The first rule broken.
    pub fn validate_for_produce(&self) -> Result<(), BatchError> {
        self.check_crc()?;
        self.codec()?;
        self.check_count()?;
        if self.is_control() {
            return Err(BatchError::Control);
        }
        if self.is_log_append_time() {
            return Err(BatchError::LogAppendTime);
        }
        self.check_producer()
    }

    fn check_count(&self) -> Result<(), BatchError> {
        let (count, last_offset_delta) = (self.count(), self.last_offset_delta());
        if count <= 0 {
            return Err(BatchError::Count(count));
        }
        // `count` is positive, so this cannot overflow.
        if last_offset_delta != count - 1 {
            return Err(BatchError::CountOfOffsets { count, last_offset_delta });
        }
        Ok(())
    }

    fn check_producer(&self) -> Result<(), BatchError> {
        let (producer_id, epoch, sequence) =
            (self.producer_id(), self.producer_epoch(), self.base_sequence());
        if producer_id < 0 {
            return if self.is_transactional() { Err(BatchError::NoProducer) } else { Ok(()) };
        }
        if epoch < 0 || sequence < 0 {
            return Err(BatchError::Sequence { producer_id, epoch, sequence });
        }
        Ok(())
    }

    /// The first 16 bytes as a fetch response sends them; the stored bytes from `HEAD_LEN` on follow unchanged.
    pub fn fetch_head(&self, base_offset: i64, leader_epoch: i32) -> [u8; HEAD_LEN] {
        fetch_head(base_offset, self.batch_length(), leader_epoch)
    }
}

/// The 16 bytes in front of a stored batch's magic: base offset, length, leader epoch. Not covered by the CRC.
pub fn fetch_head(base_offset: i64, batch_length: i32, leader_epoch: i32) -> [u8; HEAD_LEN] {
    let mut head = u128::from(base_offset.cast_unsigned()) << 64;
    head |= u128::from(batch_length.cast_unsigned()) << 32;
    head |= u128::from(leader_epoch.cast_unsigned());
    head.to_be_bytes()
}

/// Walks the batches of a record set; ends after the first error.
#[derive(Clone, Debug)]
pub struct Batches<'a> {
    rest: &'a [u8],
}

impl<'a> Batches<'a> {
    /// The batches of `records`, one after the other.
    pub fn new(records: &'a [u8]) -> Self {
        Self { rest: records }
    }
}

impl<'a> Iterator for Batches<'a> {
    type Item = Result<BatchView<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        match BatchView::split(self.rest) {
            Ok((batch, rest)) => {
                self.rest = rest;
                Some(Ok(batch))
            }
            Err(error) => {
                self.rest = &[];
                Some(Err(error))
            }
        }
    }
}

/// CRC-32C (Castagnoli) as Kafka computes it.
pub fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(bytes)
}

/// `N` bytes of the header; `at + N` lies inside for every offset of this file.
fn field<const N: usize>(header: &[u8; HEADER_LEN], at: usize) -> [u8; N] {
    header.get(at..).and_then(|from| from.first_chunk()).copied().unwrap_or([0; N])
}
