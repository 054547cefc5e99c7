//! Why a produced batch is refused: one fact a variant, with the answer a Kafka client expects behind it.
//!
//! The handler assigns the wire code; the text goes into the answer. Source: Kafka 4.1 `LogValidator.java`, KIP-467.

use gantry_protocols::compression::DecompressError;
use gantry_protocols::kafka::batch_error::BatchError;
use gantry_protocols::kafka::record::RecordError;

use super::request_headers::RequestError;

/// Faults reported in one answer; a client needs one to find its error.
pub const FAULTS_MAX: usize = 16;

/// Why a batch is refused. The usual answer stands behind each.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IncomingError {
    /// Header, CRC, or not exactly one batch (as [`BatchError`] says).
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// Larger than the topic allows (MESSAGE_TOO_LARGE).
    #[error("the batch has {len} bytes; the topic allows {max} (max.message.bytes)")]
    TooLarge {
        /// Bytes sent.
        len: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// More records than one frame can hold; Java producers split and retry (MESSAGE_TOO_LARGE).
    #[error("the batch has {count} records; send at most 32767 in one batch")]
    TooManyRecords {
        /// Records declared.
        count: i32,
    },
    /// The records are larger than allowed once decompressed (MESSAGE_TOO_LARGE).
    #[error("the records exceed {max} bytes after decompression; send smaller batches")]
    DecompressedTooLarge {
        /// Bytes allowed.
        max: usize,
    },
    /// zstd from a client that must not send it (UNSUPPORTED_COMPRESSION_TYPE).
    #[error("zstd needs produce version 7 or later, the request has version {api_version}")]
    ZstdTooOld {
        /// Version of the request.
        api_version: i16,
    },
    /// An LZ4 frame that Kafka's Java clients could not read (INVALID_RECORD; Kafka refuses it, too).
    #[error(
        "the blocks of the LZ4 frame are linked, which Kafka's clients cannot read; compress them independently"
    )]
    Lz4Linked,
    /// The compressed block does not decompress (CORRUPT_MESSAGE).
    #[error("the records do not decompress: {0}")]
    Compression(DecompressError),
    /// A record is malformed, or counts and offsets disagree (INVALID_RECORD).
    #[error("record {index}: {error}")]
    Record {
        /// Place in the batch, from 0.
        index: i32,
        /// What is wrong.
        error: RecordError,
    },
    /// A timestamp outside the allowed window (INVALID_TIMESTAMP).
    #[error("timestamp {timestamp} is outside the allowed range {earliest} to {latest}")]
    Timestamp {
        /// Timestamp sent, epoch ms.
        timestamp: i64,
        /// Earliest allowed.
        earliest: i64,
        /// Latest allowed.
        latest: i64,
    },
    /// Single records are refused, and with them the batch (INVALID_RECORD with record errors).
    #[error("{} of the batch's records are refused, the first is record {}", .0.len(), .0.first().map_or(0, |f| f.batch_index))]
    InvalidRecords(Vec<RecordFault>),
}

/// One refused record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordFault {
    /// Place in the batch, from 0.
    pub batch_index: i32,
    /// What is wrong; its text goes into the answer.
    pub cause: FaultCause,
}

/// What is wrong with a refused record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultCause {
    /// A compacted topic keeps the last record of each key.
    #[error("the topic is compacted, so every record needs a key")]
    NoKey,
    /// A request header cannot be honoured.
    #[error(transparent)]
    Request(#[from] RequestError),
}
