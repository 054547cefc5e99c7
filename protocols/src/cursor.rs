//! A bounded big-endian reader and the writers that mirror it, for both dialects.
//!
//! A [`Reader`] cannot run past its slice: every take either succeeds or says what was missing. It knows no
//! protocol; lengths are checked against the bytes that remain before anything is sliced or allocated.
//! Not for layouts at fixed offsets (those have a view of their own), and not for variable length integers.

use bytes::{BufMut, BytesMut};
use thiserror::Error;

/// Fewer bytes remained than the field needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{what} needs {needed} bytes but {left} are left")]
pub struct ReadError {
    /// The field that was being read.
    pub what: &'static str,
    /// Bytes the field needs; `usize::MAX` stands for a negative length on the wire.
    pub needed: usize,
    /// Bytes that were left.
    pub left: usize,
}

/// Bytes were left after the last field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{left} bytes follow the end of {what}")]
pub struct TrailingBytes {
    /// The structure that had ended.
    pub what: &'static str,
    /// Bytes that were left.
    pub left: usize,
}

/// Reads big-endian fields from a slice, front to back.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    left: &'a [u8],
    total: usize,
}

impl<'a> Reader<'a> {
    /// A reader at the first byte of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { left: bytes, total: bytes.len() }
    }

    /// Bytes not yet taken.
    pub fn remaining(&self) -> usize {
        self.left.len()
    }

    /// Whether every byte was taken.
    pub fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// Bytes taken so far, counted from where this reader began.
    pub fn position(&self) -> usize {
        self.total - self.left.len()
    }

    /// The bytes not yet taken, without taking them.
    pub fn rest(&self) -> &'a [u8] {
        self.left
    }

    /// Takes `len` bytes.
    pub fn take_bytes(&mut self, len: usize, what: &'static str) -> Result<&'a [u8], ReadError> {
        let Some((taken, left)) = self.left.split_at_checked(len) else {
            return Err(ReadError { what, needed: len, left: self.left.len() });
        };
        self.left = left;
        Ok(taken)
    }

    /// Takes `len` bytes where `len` came from the wire: a negative one is an error, not a huge size.
    pub fn take_sized(&mut self, len: i32, what: &'static str) -> Result<&'a [u8], ReadError> {
        let Ok(len) = usize::try_from(len) else {
            return Err(ReadError { what, needed: usize::MAX, left: self.left.len() });
        };
        self.take_bytes(len, what)
    }

    /// Takes exactly `N` bytes by value.
    pub fn take_array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], ReadError> {
        let Some((taken, left)) = self.left.split_first_chunk::<N>() else {
            return Err(ReadError { what, needed: N, left: self.left.len() });
        };
        self.left = left;
        Ok(*taken)
    }

    /// Takes one byte.
    pub fn take_u8(&mut self, what: &'static str) -> Result<u8, ReadError> {
        self.take_array::<1>(what).map(|[byte]| byte)
    }

    /// Takes one signed byte.
    pub fn take_i8(&mut self, what: &'static str) -> Result<i8, ReadError> {
        self.take_array(what).map(i8::from_be_bytes)
    }

    /// Takes a 16-bit integer.
    pub fn take_i16(&mut self, what: &'static str) -> Result<i16, ReadError> {
        self.take_array(what).map(i16::from_be_bytes)
    }

    /// Takes an unsigned 16-bit integer.
    pub fn take_u16(&mut self, what: &'static str) -> Result<u16, ReadError> {
        self.take_array(what).map(u16::from_be_bytes)
    }

    /// Takes a 32-bit integer.
    pub fn take_i32(&mut self, what: &'static str) -> Result<i32, ReadError> {
        self.take_array(what).map(i32::from_be_bytes)
    }

    /// Takes an unsigned 32-bit integer.
    pub fn take_u32(&mut self, what: &'static str) -> Result<u32, ReadError> {
        self.take_array(what).map(u32::from_be_bytes)
    }

    /// Takes a 64-bit integer.
    pub fn take_i64(&mut self, what: &'static str) -> Result<i64, ReadError> {
        self.take_array(what).map(i64::from_be_bytes)
    }

    /// Takes everything that is left.
    pub fn take_rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.left)
    }

    /// Takes `len` bytes as a reader of their own, so that a nested structure cannot read past its length.
    pub fn sub(&mut self, len: usize, what: &'static str) -> Result<Reader<'a>, ReadError> {
        self.take_bytes(len, what).map(Reader::new)
    }

    /// Says that `what` ends here; bytes that follow are an error.
    pub fn finish(&self, what: &'static str) -> Result<(), TrailingBytes> {
        if self.left.is_empty() { Ok(()) } else { Err(TrailingBytes { what, left: self.left.len() }) }
    }
}

/// A value does not fit the length field in front of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{what} is {len} bytes long, above the {max} its length field can say")]
pub struct LengthOverflow {
    /// The field that was being written.
    pub what: &'static str,
    /// Its length in bytes.
    pub len: usize,
    /// The largest length the field in front of it can say.
    pub max: usize,
}

/// Writes a 4-byte length and the bytes; nothing is written on an error.
pub fn put_bytes_i32(out: &mut BytesMut, bytes: &[u8], what: &'static str) -> Result<(), LengthOverflow> {
    let Ok(len) = i32::try_from(bytes.len()) else {
        return Err(LengthOverflow { what, len: bytes.len(), max: i32::MAX as usize });
    };
    out.put_i32(len);
    out.put_slice(bytes);
    Ok(())
}

/// Writes a 2-byte length and the bytes; nothing is written on an error.
pub fn put_bytes_i16(out: &mut BytesMut, bytes: &[u8], what: &'static str) -> Result<(), LengthOverflow> {
    let Ok(len) = i16::try_from(bytes.len()) else {
        return Err(LengthOverflow { what, len: bytes.len(), max: i16::MAX as usize });
    };
    out.put_i16(len);
    out.put_slice(bytes);
    Ok(())
}

/// A 4-byte length that is not known yet: reserved first, filled in by [`LengthPrefix::close`].
///
/// Until it is closed the prefix holds `i32::MAX`, so that a forgotten one can never be read as a short frame.
#[derive(Debug)]
#[must_use = "a length prefix has to be closed"]
pub struct LengthPrefix {
    at: usize,
}

impl LengthPrefix {
    const SIZE: usize = 4;

    /// Reserves the prefix at the end of `out`.
    pub fn open(out: &mut BytesMut) -> Self {
        let at = out.len();
        out.put_i32(i32::MAX);
        Self { at }
    }

    /// Writes the number of bytes that follow the prefix, plus `more` that are sent but not in `out`.
    pub fn close(self, out: &mut BytesMut, more: usize, what: &'static str) -> Result<(), LengthOverflow> {
        let inside = out.len().saturating_sub(self.at + Self::SIZE);
        let len = inside.saturating_add(more);
        let Ok(value) = i32::try_from(len) else {
            return Err(LengthOverflow { what, len, max: i32::MAX as usize });
        };
        if let Some(prefix) = out.get_mut(self.at..self.at + Self::SIZE) {
            prefix.copy_from_slice(&value.to_be_bytes());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_fields_in_order_and_counts() {
        let mut reader = Reader::new(&[1, 0xff, 0xfe, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 1, 0, b'a', b'b']);
        assert_eq!(reader.take_u8("a"), Ok(1));
        assert_eq!(reader.take_i16("b"), Ok(-2));
        assert_eq!(reader.take_i32("c"), Ok(7));
        assert_eq!(reader.take_i64("d"), Ok(256));
        assert_eq!((reader.position(), reader.remaining()), (15, 2));
        assert_eq!(reader.take_bytes(2, "e"), Ok(&b"ab"[..]));
        assert_eq!(reader.finish("all"), Ok(()));
    }

    #[test]
    fn names_what_was_missing_and_takes_nothing() {
        let mut reader = Reader::new(&[1, 2]);
        assert_eq!(reader.take_i32("queue id"), Err(ReadError { what: "queue id", needed: 4, left: 2 }));
        assert_eq!(reader.remaining(), 2);
        assert_eq!(
            reader.take_sized(-1, "body").map(<[u8]>::len),
            Err(ReadError { what: "body", needed: usize::MAX, left: 2 })
        );
    }

    #[test]
    fn confines_a_nested_reader_and_reports_trailing_bytes() {
        let mut reader = Reader::new(&[1, 2, 3]);
        let mut inner = reader.sub(2, "inner").unwrap();
        assert!(inner.take_i32("field").is_err());
        assert_eq!(inner.finish("inner"), Err(TrailingBytes { what: "inner", left: 2 }));
        assert_eq!(reader.take_rest(), &[3]);
    }

    #[test]
    fn fills_in_a_length_prefix_with_bytes_that_are_elsewhere() {
        let mut out = BytesMut::from(&b"x"[..]);
        let prefix = LengthPrefix::open(&mut out);
        out.put_slice(b"abc");
        prefix.close(&mut out, 10, "frame").unwrap();
        assert_eq!(&out[..], b"x\0\0\0\x0dabc");
    }

    #[test]
    fn refuses_bytes_longer_than_their_length_field() {
        let mut out = BytesMut::new();
        assert!(put_bytes_i16(&mut out, &vec![0; 32768], "key").is_err());
        assert!(out.is_empty());
        put_bytes_i16(&mut out, b"k", "key").unwrap();
        put_bytes_i32(&mut out, b"v", "value").unwrap();
        assert_eq!(&out[..], b"\0\x01k\0\0\0\x01v");
    }
}
