//! Why a batch or its record block is refused.
//!
//! One fact a variant; the code a client usually gets for it stands behind each, the mapping itself is the broker's.
//! Source: Kafka 4.1 `DefaultRecordBatch.ensureValid`, `ProduceRequest.validateRecords`, `LogValidator.java`.

use thiserror::Error;

use super::attributes::UnknownCodec;
use crate::compression::DecompressError;

/// Why bytes are no batch, or a batch that no client may produce. The usual answer stands behind each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BatchError {
    /// Fewer bytes than a header, or than the batch declares (CORRUPT_MESSAGE).
    #[error("batch needs {needed} bytes, {left} left")]
    Truncated {
        /// Bytes the batch needs.
        needed: usize,
        /// Bytes there are.
        left: usize,
    },
    /// The length field is below a header (CORRUPT_MESSAGE).
    #[error("batch length {0} is smaller than a header")]
    Length(i32),
    /// Message formats 0 and 1 are gone (INVALID_RECORD on produce).
    #[error("batch has magic {0}, only 2 is supported")]
    Magic(u8),
    /// The bytes changed under way (CORRUPT_MESSAGE).
    #[error("batch has crc {found:#010x}, its bytes give {computed:#010x}")]
    Crc {
        /// CRC in the header.
        found: u32,
        /// CRC of the bytes.
        computed: u32,
    },
    /// The codec number is not assigned (INVALID_RECORD).
    #[error(transparent)]
    UnknownCodec(#[from] UnknownCodec),
    /// A record set without a batch (INVALID_RECORD).
    #[error("record set is empty")]
    Empty,
    /// A record set of more than one batch (INVALID_RECORD).
    #[error("{0} bytes follow the batch, send one batch a partition")]
    SecondBatch(usize),
    /// No records, or a negative number (INVALID_RECORD).
    #[error("batch declares {0} records")]
    Count(i32),
    /// Offsets and count differ (INVALID_RECORD).
    #[error("batch declares {count} records and last offset delta {last_offset_delta}")]
    CountOfOffsets {
        /// Declared records.
        count: i32,
        /// Declared last delta.
        last_offset_delta: i32,
    },
    /// Control batches are the broker's (INVALID_RECORD).
    #[error("clients may not write control batches")]
    Control,
    /// LogAppendTime is the broker's (INVALID_RECORD).
    #[error("clients may not set the append time")]
    LogAppendTime,
    /// A producer id without epoch or sequence (INVALID_RECORD).
    #[error("producer id {producer_id} comes with epoch {epoch} and sequence {sequence}")]
    Sequence {
        /// Producer id.
        producer_id: i64,
        /// Producer epoch.
        epoch: i16,
        /// Base sequence.
        sequence: i32,
    },
    /// A transactional batch without a producer id (INVALID_RECORD).
    #[error("transactional batch has no producer id")]
    NoProducer,
}

/// Why a record block cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BlockError {
    /// The batch's header is at fault.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// The compressed data is at fault, or too large.
    #[error(transparent)]
    Decompress(#[from] DecompressError),
}
