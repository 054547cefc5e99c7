//! Records of a batch: a walk over the decompressed block that borrows everything and allocates nothing.
//!
//! | length varint | attributes i8 | timestamp delta varlong | offset delta varint | key length varint (-1 null), key |
//! | value length varint (-1 null), value | header count varint | each: key length, key, value length (-1 null), value |
//!
//! Not the batch around them (`batch`), and no decompression. Header keys are bytes: they need not be UTF-8, may
//! repeat, and keep their order. Varints must be in shortest form and each record must fill its length exactly.
//! Source: Kafka 4.1 `DefaultRecord.java`.

use thiserror::Error;

use super::varint::{ReadError, Reader};

/// Why a block of records is malformed; the batch is refused with CORRUPT_MESSAGE or INVALID_RECORD.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RecordError {
    /// A value is cut short or a varint is malformed.
    #[error("record is malformed: {0}")]
    Malformed(#[from] ReadError),
    /// A length below -1, or -1 where null is not allowed.
    #[error("length {0} is not allowed here")]
    NegativeLength(i32),
    /// The record ends before its declared length does.
    #[error("{0} bytes are left over inside a record")]
    LeftOver(usize),
    /// Bytes follow the last record.
    #[error("{0} bytes follow the last record")]
    Trailing(usize),
    /// Offset deltas are not 0, 1, 2 ...
    #[error("offset delta {found} where {expected} is due")]
    OffsetDelta {
        /// Delta that a dense batch has here.
        expected: i32,
        /// Delta that is written.
        found: i32,
    },
}

/// One record; all slices borrow the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Unused by Kafka so far; kept.
    pub attributes: i8,
    /// Milliseconds after the batch's base timestamp; may be negative.
    pub timestamp_delta: i64,
    /// Offset after the batch's base offset.
    pub offset_delta: i32,
    /// Key; `None` is null, which differs from empty.
    pub key: Option<&'a [u8]>,
    /// Value; `None` is null (a tombstone on compacted topics).
    pub value: Option<&'a [u8]>,
    /// Headers, in order, duplicates kept.
    pub headers: Headers<'a>,
}

impl<'a> Record<'a> {
    /// Reads one record, its length prefix included.
    ///
    /// # Errors
    /// Whatever is not exactly one record.
    pub fn decode(input: &mut Reader<'a>) -> Result<Self, RecordError> {
        let length = positive(input.varint()?)?;
        let mut body = Reader::new(input.take(length)?);
        let record = Self {
            attributes: body.i8()?,
            timestamp_delta: body.varlong()?,
            offset_delta: body.varint()?,
            key: nullable(&mut body)?,
            value: nullable(&mut body)?,
            headers: Headers::decode(&mut body)?,
        };
        match body.left() {
            0 => Ok(record),
            left => Err(RecordError::LeftOver(left)),
        }
    }
}

/// The headers of a record: checked once, read lazily.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Headers<'a> {
    count: usize,
    block: &'a [u8],
}

impl<'a> Headers<'a> {
    /// Walks all headers once, so that reading them later cannot fail.
    fn decode(body: &mut Reader<'a>) -> Result<Self, RecordError> {
        let count = positive(body.varint()?)?;
        let block = body.rest();
        for _ in 0..count {
            header(body)?;
        }
        let used = block.len() - body.left();
        Ok(Self { count, block: block.get(..used).unwrap_or_default() })
    }

    /// Number of headers.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The encoded headers without their count: can be copied into another record as they are.
    pub fn block(&self) -> &'a [u8] {
        self.block
    }

    /// Key bytes and value of each header, in order.
    pub fn iter(&self) -> HeadersIter<'a> {
        HeadersIter { left: self.count, input: Reader::new(self.block) }
    }
}

impl<'a> IntoIterator for Headers<'a> {
    type Item = (&'a [u8], Option<&'a [u8]>);
    type IntoIter = HeadersIter<'a>;

    fn into_iter(self) -> HeadersIter<'a> {
        self.iter()
    }
}

/// Lazy walk over checked headers.
#[derive(Clone, Debug)]
pub struct HeadersIter<'a> {
    left: usize,
    input: Reader<'a>,
}

impl<'a> Iterator for HeadersIter<'a> {
    type Item = (&'a [u8], Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        header(&mut self.input).ok()
    }
}

fn header<'a>(input: &mut Reader<'a>) -> Result<(&'a [u8], Option<&'a [u8]>), RecordError> {
    let length = positive(input.varint()?)?;
    let key = input.take(length)?;
    Ok((key, nullable(input)?))
}

fn nullable<'a>(input: &mut Reader<'a>) -> Result<Option<&'a [u8]>, RecordError> {
    match input.varint()? {
        -1 => Ok(None),
        length => Ok(Some(input.take(positive(length)?)?)),
    }
}

fn positive(length: i32) -> Result<usize, RecordError> {
    usize::try_from(length).map_err(|_| RecordError::NegativeLength(length))
}

/// Walks the records of a decompressed block; ends after the first error.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    left: u32,
    input: Reader<'a>,
}

impl<'a> Records<'a> {
    /// The `count` records of `block`; bytes behind the last one are an error.
    pub fn new(block: &'a [u8], count: u32) -> Self {
        Self { left: count, input: Reader::new(block) }
    }

    fn step(&mut self) -> Result<Record<'a>, RecordError> {
        let record = Record::decode(&mut self.input)?;
        self.left -= 1;
        match self.input.left() {
            left if self.left == 0 && left > 0 => Err(RecordError::Trailing(left)),
            _ => Ok(record),
        }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        let step = self.step();
        if step.is_err() {
            self.left = 0;
        }
        Some(step)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.left as usize))
    }
}

/// Walks all records of a produced batch: well-formed, as many as declared, offset deltas dense from 0.
///
/// # Errors
/// The first fault found.
pub fn check_dense(block: &[u8], count: u32) -> Result<(), RecordError> {
    if count == 0 && !block.is_empty() {
        return Err(RecordError::Trailing(block.len()));
    }
    for (expected, record) in (0_i32..).zip(Records::new(block, count)) {
        let found = record?.offset_delta;
        if found != expected {
            return Err(RecordError::OffsetDelta { expected, found });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// delta 0, key "k", value null, headers h = "1", h = null.
    const ONE: &[u8] = &[28, 0, 0, 0, 2, b'k', 1, 4, 2, b'h', 2, b'1', 2, b'h', 1];

    #[test]
    fn reads_nulls_and_duplicate_headers_in_order() {
        let record = Record::decode(&mut Reader::new(ONE)).unwrap();
        assert_eq!((record.key, record.value), (Some(&b"k"[..]), None));
        let headers: Vec<_> = record.headers.iter().collect();
        assert_eq!(headers, [(&b"h"[..], Some(&b"1"[..])), (&b"h"[..], None)]);
        assert_eq!((record.headers.len(), record.headers.block()), (2, &ONE[8..]));
    }

    #[test]
    fn refuses_every_truncation_and_every_longer_block() {
        for cut in 0..ONE.len() {
            assert!(Records::new(&ONE[..cut], 1).any(|record| record.is_err()), "cut at {cut}");
        }
        let longer = [ONE, &[0]].concat();
        assert_eq!(check_dense(&longer, 1), Err(RecordError::Trailing(1)));
        assert_eq!(check_dense(ONE, 0), Err(RecordError::Trailing(ONE.len())));
        assert!(check_dense(ONE, 2).is_err());
    }

    #[test]
    fn offset_deltas_must_be_dense() {
        let mut second = ONE.to_vec();
        second[3] = 4;
        let block = [ONE, &second[..]].concat();
        assert_eq!(check_dense(&block, 2), Err(RecordError::OffsetDelta { expected: 1, found: 2 }));
        second[3] = 2;
        assert_eq!(check_dense(&[ONE, &second[..]].concat(), 2), Ok(()));
    }

    #[test]
    fn a_record_must_fill_its_length() {
        let mut padded = ONE.to_vec();
        padded[0] += 2;
        padded.push(9);
        assert_eq!(check_dense(&padded, 1), Err(RecordError::LeftOver(1)));
    }

    #[test]
    fn a_header_count_from_the_wire_reserves_nothing() {
        let mut lying = vec![0, 0, 0, 0, 1, 1];
        lying.extend([0xfe, 0xff, 0xff, 0xff, 0x0f]);
        lying[0] = 20;
        assert!(check_dense(&lying, 1).is_err());
        assert!(check_dense(&lying, u32::MAX).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_walked_without_panic(bytes: Vec<u8>, count in 0_u32..5) {
            for record in Records::new(&bytes, count).flatten() {
                prop_assert_eq!(record.headers.iter().count(), record.headers.len());
            }
        }
    }
}
