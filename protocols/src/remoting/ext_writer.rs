//! Writes the named arguments of a header in either codec, in the order they are given.
//!
//! Absent values are not written: both codecs have no other way to say null.

use bytes::{BufMut, BytesMut};

use super::frame::Codec;
use super::text;
use crate::cursor::{LengthOverflow, put_bytes_i16, put_bytes_i32};

/// Receives the fields of one header.
#[derive(Debug)]
pub struct ExtWriter<'b> {
    out: &'b mut BytesMut,
    codec: Codec,
    fields: usize,
    failed: Option<LengthOverflow>,
}

impl<'b> ExtWriter<'b> {
    pub(super) fn new(out: &'b mut BytesMut, codec: Codec) -> Self {
        Self { out, codec, fields: 0, failed: None }
    }

    /// Writes a field of text.
    pub fn text(&mut self, key: &str, value: &str) {
        match self.codec {
            Codec::Json => {
                self.json_key(key);
                text::write_json_string(value, self.out);
            }
            Codec::Rocketmq => self.binary_field(key, value.as_bytes()),
        }
        self.fields += 1;
    }

    /// Writes a number, in decimal.
    pub fn number(&mut self, key: &str, value: i64) {
        let mut digits = [0; Decimal::MAX_LEN];
        self.text(key, Decimal::of(value, &mut digits));
    }

    /// Writes `true` or `false`.
    pub fn boolean(&mut self, key: &str, value: bool) {
        self.text(key, if value { "true" } else { "false" });
    }

    fn json_key(&mut self, key: &str) {
        self.out.put_slice(if self.fields == 0 { b"\"extFields\":{" } else { b"," });
        text::write_json_string(key, self.out);
        self.out.put_u8(b':');
    }

    fn binary_field(&mut self, key: &str, value: &[u8]) {
        let written = put_bytes_i16(self.out, key.as_bytes(), "field name")
            .and_then(|()| put_bytes_i32(self.out, value, "field value"));
        self.failed = self.failed.or(written.err());
    }

    /// Ends the fields; says what could not be written.
    pub(super) fn finish(self) -> Result<(), LengthOverflow> {
        if self.codec == Codec::Json && self.fields > 0 {
            self.out.put_slice(b"},");
        }
        self.failed.map_or(Ok(()), Err)
    }
}

/// Decimal digits of a number, without an allocation.
pub(super) struct Decimal;

impl Decimal {
    /// Digits and sign of `i64::MIN`.
    pub(super) const MAX_LEN: usize = 20;

    /// Writes the digits to the end of `buffer`.
    pub(super) fn of(value: i64, buffer: &mut [u8; Self::MAX_LEN]) -> &str {
        let mut left = value.unsigned_abs();
        let mut start = Self::MAX_LEN;
        for slot in buffer.iter_mut().rev() {
            *slot = b'0' + (left % 10) as u8;
            left /= 10;
            start -= 1;
            if left == 0 {
                break;
            }
        }
        if let Some(sign) = start.checked_sub(1).and_then(|at| buffer.get_mut(at)).filter(|_| value < 0) {
            *sign = b'-';
            start -= 1;
        }
        std::str::from_utf8(buffer.get(start..).unwrap_or_default()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_numbers_as_the_standard_library_does() {
        for value in [0, 7, -1, 10, 1_700_000_000_000, i64::MAX, i64::MIN] {
            assert_eq!(Decimal::of(value, &mut [0; Decimal::MAX_LEN]), value.to_string());
        }
    }
}
