//! Variable-length integers and the bounded reader of the Kafka dialect.
//!
//! Not a general cursor: it borrows one slice, reads forward, and names what was missing.
//! Two readings of a varint exist on purpose. Envelopes (`uvarint`) accept padding up to five bytes, as Kafka and
//! the `kafka-protocol` crate do. Records (`varint`, `varlong`) must be in shortest form, so that a record has one
//! encoding only.
//! Source: Kafka 4.1 `ByteUtils.java`, KIP-482.

use bytes::BufMut;
use thiserror::Error;

/// Why a read from the input failed; the reader does not move on an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ReadError {
    /// The input ends before the value does.
    #[error("{needed} bytes needed, {left} left")]
    Short {
        /// Bytes the value needs.
        needed: usize,
        /// Bytes that remain.
        left: usize,
    },
    /// The varint has more bits than its type, or does not end in time.
    #[error("varint does not fit its type")]
    VarintTooLarge,
    /// The varint uses more bytes than its value needs.
    #[error("varint is not in its shortest form")]
    VarintPadded,
}

/// Reads forward through one slice; never past its end.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader at the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What has not been read, in bytes.
    pub fn left(&self) -> usize {
        self.rest.len()
    }

    /// What has not been read.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next `len` bytes.
    pub fn take(&mut self, len: usize) -> Result<&'a [u8], ReadError> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(self.short(len))?;
        self.rest = rest;
        Ok(taken)
    }

    /// The next `N` bytes.
    pub fn take_array<const N: usize>(&mut self) -> Result<[u8; N], ReadError> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(self.short(N))?;
        self.rest = rest;
        Ok(*taken)
    }

    /// A signed byte.
    pub fn i8(&mut self) -> Result<i8, ReadError> {
        Ok(i8::from_be_bytes(self.take_array()?))
    }

    /// A big-endian 16-bit integer.
    pub fn i16(&mut self) -> Result<i16, ReadError> {
        Ok(i16::from_be_bytes(self.take_array()?))
    }

    /// A big-endian 32-bit integer.
    pub fn i32(&mut self) -> Result<i32, ReadError> {
        Ok(i32::from_be_bytes(self.take_array()?))
    }

    /// A big-endian 64-bit integer.
    pub fn i64(&mut self) -> Result<i64, ReadError> {
        Ok(i64::from_be_bytes(self.take_array()?))
    }

    /// An unsigned varint of an envelope: 1 to 5 bytes, padding accepted.
    pub fn uvarint(&mut self) -> Result<u32, ReadError> {
        let (value, _) = self.raw_varint(5)?;
        u32::try_from(value).map_err(|_| ReadError::VarintTooLarge)
    }

    /// A zig-zag varint of a record: 32 bits, shortest form only.
    pub fn varint(&mut self) -> Result<i32, ReadError> {
        if let Some((&byte, rest)) = self.rest.split_first()
            && byte < 0x80
        {
            self.rest = rest;
            return Ok(i32::from(byte >> 1) ^ -i32::from(byte & 1));
        }
        let value = self.shortest_varint(5)?;
        let value = u32::try_from(value).map_err(|_| ReadError::VarintTooLarge)?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    /// A zig-zag varint of a record: 64 bits, shortest form only.
    pub fn varlong(&mut self) -> Result<i64, ReadError> {
        let value = self.shortest_varint(10)?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    fn shortest_varint(&mut self, limit: u32) -> Result<u64, ReadError> {
        let before = self.rest;
        let (value, last) = self.raw_varint(limit)?;
        if last == 0 && before.len() - self.rest.len() > 1 {
            self.rest = before;
            return Err(ReadError::VarintPadded);
        }
        Ok(value)
    }

    /// The value and the last byte of a varint of at most `limit` bytes.
    fn raw_varint(&mut self, limit: u32) -> Result<(u64, u8), ReadError> {
        let mut rest = self.rest;
        let mut value = 0_u64;
        for index in 0..limit {
            let (&byte, after) = rest.split_first().ok_or(self.short(self.rest.len() + 1))?;
            rest = after;
            let bits = u64::from(byte & 0x7f);
            if index == 9 && bits > 1 {
                return Err(ReadError::VarintTooLarge);
            }
            value |= bits << (7 * index);
            if byte < 0x80 {
                self.rest = rest;
                return Ok((value, byte));
            }
        }
        Err(ReadError::VarintTooLarge)
    }

    fn short(&self, needed: usize) -> ReadError {
        ReadError::Short { needed, left: self.rest.len() }
    }
}

/// Writes an unsigned varint in its shortest form.
pub fn put_uvarint(out: &mut impl BufMut, value: u32) {
    put_bits(out, u64::from(value));
}

/// Writes a 32-bit zig-zag varint.
pub fn put_varint(out: &mut impl BufMut, value: i32) {
    put_bits(out, u64::from(zigzag32(value)));
}

/// Writes a 64-bit zig-zag varint.
pub fn put_varlong(out: &mut impl BufMut, value: i64) {
    put_bits(out, zigzag64(value));
}

/// Bytes that `put_uvarint` writes.
pub fn uvarint_len(value: u32) -> usize {
    bits_len(u64::from(value))
}

/// Bytes that `put_varint` writes.
pub fn varint_len(value: i32) -> usize {
    bits_len(u64::from(zigzag32(value)))
}

/// Bytes that `put_varlong` writes.
pub fn varlong_len(value: i64) -> usize {
    bits_len(zigzag64(value))
}

fn zigzag32(value: i32) -> u32 {
    ((value << 1) ^ (value >> 31)).cast_unsigned()
}

fn zigzag64(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

fn put_bits(out: &mut impl BufMut, mut value: u64) {
    while value >= 0x80 {
        out.put_u8(low_seven(value) | 0x80);
        value >>= 7;
    }
    out.put_u8(low_seven(value));
}

fn low_seven(value: u64) -> u8 {
    let [low, ..] = value.to_le_bytes();
    low & 0x7f
}

fn bits_len(value: u64) -> usize {
    let bits = u64::BITS - (value | 1).leading_zeros();
    bits.div_ceil(7) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn varints_round_trip_in_their_computed_length(narrow: i32, wide: i64, plain: u32) {
            let mut out = Vec::new();
            put_varint(&mut out, narrow);
            prop_assert_eq!(out.len(), varint_len(narrow));
            put_varlong(&mut out, wide);
            prop_assert_eq!(out.len(), varint_len(narrow) + varlong_len(wide));
            put_uvarint(&mut out, plain);
            prop_assert_eq!(out.len(), varint_len(narrow) + varlong_len(wide) + uvarint_len(plain));
            let mut reader = Reader::new(&out);
            prop_assert_eq!(reader.varint(), Ok(narrow));
            prop_assert_eq!(reader.varlong(), Ok(wide));
            prop_assert_eq!(reader.uvarint(), Ok(plain));
            prop_assert_eq!(reader.left(), 0);
        }

        #[test]
        fn reads_any_bytes_without_panic(bytes: Vec<u8>) {
            let _ = Reader::new(&bytes).varint();
            let _ = Reader::new(&bytes).varlong();
            let _ = Reader::new(&bytes).uvarint();
        }
    }

    #[test]
    fn extremes_keep_their_value() {
        for value in [0, -1, 1, 63, 64, -64, -65, i64::MIN, i64::MAX] {
            let mut out = Vec::new();
            put_varlong(&mut out, value);
            assert_eq!(Reader::new(&out).varlong(), Ok(value));
        }
    }

    #[test]
    fn records_refuse_padded_varints_and_envelopes_accept_them() {
        assert_eq!(Reader::new(&[0x82, 0x00]).varint(), Err(ReadError::VarintPadded));
        assert_eq!(Reader::new(&[0x80, 0x00]).varlong(), Err(ReadError::VarintPadded));
        assert_eq!(Reader::new(&[0x82, 0x00]).uvarint(), Ok(2));
    }

    #[test]
    fn refuses_varints_beyond_their_type() {
        assert_eq!(Reader::new(&[0xff, 0xff, 0xff, 0xff, 0x1f]).uvarint(), Err(ReadError::VarintTooLarge));
        assert_eq!(Reader::new(&[0xff; 6]).uvarint(), Err(ReadError::VarintTooLarge));
        let eleven_bits_too_many = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02];
        assert_eq!(Reader::new(&eleven_bits_too_many).varlong(), Err(ReadError::VarintTooLarge));
    }

    #[test]
    fn a_failed_read_does_not_move() {
        let mut reader = Reader::new(&[0x80]);
        assert!(reader.uvarint().is_err());
        assert!(reader.take(2).is_err());
        assert!(reader.i32().is_err());
        assert_eq!(reader.left(), 1);
    }
}
