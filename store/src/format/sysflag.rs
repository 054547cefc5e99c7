//! The bits of a frame's sysFlag.
//!
//! | bits  | meaning                                                                    |
//! |-------|----------------------------------------------------------------------------|
//! | 0x001 | body is compressed                                                         |
//! | 0x002 | several tags                                                               |
//! | 0x00C | transaction: 0 none, 4 prepared, 8 commit, C rollback                      |
//! | 0x010 | bornHost is IPv6                                                           |
//! | 0x020 | storeHost is IPv6                                                          |
//! | 0x040 | the body is a client batch that the reader unwraps                         |
//! | 0x080 | several messages stand in the body; with 0x40 clear: a Kafka `RecordBatch` |
//! | 0x700 | compression: 0 zlib (old clients), 1 LZ4, 2 ZSTD, 3 zlib                   |
//!
//! Source: RocketMQ 5.3.3 `common/sysflag/MessageSysFlag.java`. The meaning of 0x80 without 0x40 is ours: the
//! original never writes that pair.

/// The body is compressed; [`COMPRESSION_MASK`] says how.
pub const COMPRESSED: i32 = 0x1;
/// The message carries several tags.
pub const MULTI_TAGS: i32 = 0x2;
/// The bits of the transaction kind.
pub const TRANSACTION_MASK: i32 = 0xC;
/// Half message, not yet decided.
pub const TRANSACTION_PREPARED: i32 = 0x4;
/// Message of a committed transaction.
pub const TRANSACTION_COMMIT: i32 = 0x8;
/// Record of a rollback.
pub const TRANSACTION_ROLLBACK: i32 = 0xC;
/// bornHost takes 20 bytes.
pub const BORN_HOST_V6: i32 = 0x10;
/// storeHost takes 20 bytes.
pub const STORE_HOST_V6: i32 = 0x20;
/// The reader has to unwrap the body.
pub const NEED_UNWRAP: i32 = 0x40;
/// The body holds several messages.
pub const INNER_BATCH: i32 = 0x80;
/// The bits that tell what the body is.
pub const BATCH_MASK: i32 = INNER_BATCH | NEED_UNWRAP;
/// The bits of the compression kind.
pub const COMPRESSION_MASK: i32 = 0x700;
/// [`COMPRESSION_MASK`]: LZ4 frame.
pub const COMPRESSION_LZ4: i32 = 0x100;
/// [`COMPRESSION_MASK`]: ZSTD frame.
pub const COMPRESSION_ZSTD: i32 = 0x200;
/// [`COMPRESSION_MASK`]: zlib stream; 0 means the same.
pub const COMPRESSION_ZLIB: i32 = 0x300;

/// A frame's sysFlag; unknown bits keep their value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SysFlag(pub i32);

/// What the body of a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BatchKind {
    /// One message; its body is the body.
    Native,
    /// A Kafka `RecordBatch` v2, stored as it was received.
    KafkaBatch,
    /// A client batch of RocketMQ, as the stock broker stores it in a `BatchCQ` topic.
    InnerBatch,
}

/// The part a frame plays in a RocketMQ transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TransactionKind {
    /// None.
    NotTransactional,
    /// Half message with the prepared bit.
    Prepared,
    /// Message of a committed transaction.
    Commit,
    /// Record of a rollback.
    Rollback,
}

impl SysFlag {
    /// Whether all of `bits` are set.
    #[must_use]
    pub const fn has(self, bits: i32) -> bool {
        self.0 & bits == bits
    }

    /// The same flag with `bits` set or cleared.
    #[must_use]
    pub const fn with(self, bits: i32, set: bool) -> SysFlag {
        SysFlag(if set { self.0 | bits } else { self.0 & !bits })
    }

    /// What the body is. 0x40 alone is a native message: the original ignores it without 0x80.
    #[must_use]
    pub const fn batch_kind(self) -> BatchKind {
        match self.0 & BATCH_MASK {
            BATCH_MASK => BatchKind::InnerBatch,
            INNER_BATCH => BatchKind::KafkaBatch,
            _ => BatchKind::Native,
        }
    }

    /// The part in a transaction.
    #[must_use]
    pub const fn transaction(self) -> TransactionKind {
        match self.0 & TRANSACTION_MASK {
            TRANSACTION_PREPARED => TransactionKind::Prepared,
            TRANSACTION_COMMIT => TransactionKind::Commit,
            TRANSACTION_ROLLBACK => TransactionKind::Rollback,
            _ => TransactionKind::NotTransactional,
        }
    }

    /// Whether the frame gets a unit in its queue: prepared and rollback frames do not.
    #[must_use]
    pub const fn enters_queue(self) -> bool {
        matches!(self.transaction(), TransactionKind::NotTransactional | TransactionKind::Commit)
    }

    /// Whether the frame's keys go into the key index: rollback frames' do not.
    #[must_use]
    pub const fn enters_key_index(self) -> bool {
        !matches!(self.transaction(), TransactionKind::Rollback)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_bits_tell_what_the_body_is() {
        assert_eq!(SysFlag(0).batch_kind(), BatchKind::Native);
        assert_eq!(SysFlag(0x40).batch_kind(), BatchKind::Native);
        assert_eq!(SysFlag(0x80).batch_kind(), BatchKind::KafkaBatch);
        assert_eq!(SysFlag(0xC1).batch_kind(), BatchKind::InnerBatch);
    }

    #[test]
    fn half_and_rollback_frames_stay_out_of_queues() {
        assert!(SysFlag(0).enters_queue() && SysFlag(8).enters_queue());
        assert!(!SysFlag(4).enters_queue() && !SysFlag(0xC).enters_queue());
        assert!(SysFlag(4).enters_key_index() && !SysFlag(0xC).enters_key_index());
    }
}
