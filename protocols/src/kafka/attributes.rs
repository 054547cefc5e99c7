//! The attribute bits of a record batch, and the codec three of them name.
//!
//! | 0-2 | codec | 3 | LogAppendTime | 4 | transactional | 5 | control | 6 | delete horizon (KIP-534) |
//!
//! Not their meaning for a reader: that is `batch`. Source: Kafka 4.1 `DefaultRecordBatch.java`, `CompressionType.java`.

use thiserror::Error;

use crate::compression::Format;

/// A codec number that Kafka has not assigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("codec {0} is not known")]
pub struct UnknownCodec(pub i16);

/// The compression of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Codec {
    /// Not compressed.
    #[default]
    None,
    /// gzip.
    Gzip,
    /// snappy; xerial framing.
    Snappy,
    /// lz4 frame.
    Lz4,
    /// zstd; Produce version 7 and later only.
    Zstd,
}

impl Codec {
    /// The codec's number in the attributes.
    pub const fn number(self) -> i16 {
        match self {
            Codec::None => 0,
            Codec::Gzip => 1,
            Codec::Snappy => 2,
            Codec::Lz4 => 3,
            Codec::Zstd => 4,
        }
    }

    /// The compressed format, unless there is none.
    pub const fn format(self) -> Option<Format> {
        match self {
            Codec::None => None,
            Codec::Gzip => Some(Format::Gzip),
            Codec::Snappy => Some(Format::Snappy),
            Codec::Lz4 => Some(Format::Lz4),
            Codec::Zstd => Some(Format::Zstd),
        }
    }
}

/// Attribute bits of a batch; unknown bits are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes(pub i16);

impl Attributes {
    /// Bits of the codec number.
    const CODEC: i16 = 0x07;
    /// Every record's timestamp is the batch's maximum.
    pub const LOG_APPEND_TIME: Attributes = Attributes(0x08);
    /// Part of a transaction.
    pub const TRANSACTIONAL: Attributes = Attributes(0x10);
    /// Not data: a transaction marker or a leader change.
    pub const CONTROL: Attributes = Attributes(0x20);
    /// The base timestamp is a delete horizon (KIP-534).
    pub const DELETE_HORIZON: Attributes = Attributes(0x40);

    /// The codec.
    ///
    /// # Errors
    /// A number that is not assigned.
    pub fn codec(self) -> Result<Codec, UnknownCodec> {
        match self.0 & Self::CODEC {
            0 => Ok(Codec::None),
            1 => Ok(Codec::Gzip),
            2 => Ok(Codec::Snappy),
            3 => Ok(Codec::Lz4),
            4 => Ok(Codec::Zstd),
            number => Err(UnknownCodec(number)),
        }
    }

    /// These bits and those of `codec`.
    #[must_use]
    pub const fn with_codec(self, codec: Codec) -> Attributes {
        Attributes((self.0 & !Self::CODEC) | codec.number())
    }

    /// These bits and `others`.
    #[must_use]
    pub const fn with(self, others: Attributes) -> Attributes {
        Attributes(self.0 | others.0)
    }

    /// Whether all bits of `others` are set.
    pub const fn has(self, others: Attributes) -> bool {
        self.0 & others.0 == others.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codecs_keep_their_number_and_unassigned_ones_are_named() {
        for codec in [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
            assert_eq!(Attributes(0x7ff8).with_codec(codec).codec(), Ok(codec));
            assert_eq!(Attributes(7).with_codec(codec).0, codec.number());
            assert_eq!(codec.format().is_none(), codec == Codec::None);
        }
        for number in [5, 6, 7] {
            assert_eq!(Attributes(0x10 | number).codec(), Err(UnknownCodec(number)));
        }
    }

    #[test]
    fn unknown_bits_are_kept() {
        let odd = Attributes(0x4000).with(Attributes::TRANSACTIONAL);
        assert!(odd.has(Attributes::TRANSACTIONAL) && !odd.has(Attributes::CONTROL));
        assert_eq!(odd.0, 0x4010);
    }
}
