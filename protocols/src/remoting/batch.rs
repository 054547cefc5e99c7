//! The body of a client batch: messages in a short layout, one behind the other.
//!
//! | offset | width | field |
//! |---|---|---|
//! | 0 | 4 | size of the item, this field included |
//! | 4 | 4 | magic, 0 from stock clients |
//! | 8 | 4 | body CRC, 0 from stock clients |
//! | 12 | 4 | flag |
//! | 16 | 4 + n | body |
//! | then | 2 + n | properties |
//!
//! What the properties mean belongs to the store's formats.
//! Source: RocketMQ 5.3.3 `common/message/MessageDecoder.java` `encodeMessage`, `decodeMessage`.

use bytes::{BufMut, BytesMut};
use thiserror::Error;

use crate::cursor::{LengthOverflow, ReadError, Reader, TrailingBytes};

const SIZE_SIZE: usize = 4;
const FIXED_SIZE: usize = SIZE_SIZE + 4 + 4 + 4 + 4 + 2;
const _: () = assert!(FIXED_SIZE == 22);

/// A batch body is cut short or its lengths disagree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BatchError {
    /// An item ends before its fields do.
    #[error("batch item breaks off: {0}")]
    Short(#[from] ReadError),
    /// An item goes on after its fields.
    #[error("batch item is longer than its fields: {0}")]
    Trailing(#[from] TrailingBytes),
    /// The size field is smaller than the fixed fields.
    #[error("batch item says {size} bytes, the smallest is {FIXED_SIZE}")]
    BadSize {
        /// The field's value.
        size: i32,
    },
}

/// One message of a batch; body and properties are slices of the request's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchItem<'a> {
    /// Magic; nobody reads it.
    pub magic: i32,
    /// Body CRC as the client states it; nobody reads it.
    pub body_crc: i32,
    /// The message's flag.
    pub flag: i32,
    /// The message's body; may be empty.
    pub body: &'a [u8],
    /// The property string.
    pub properties: &'a [u8],
}

impl<'a> BatchItem<'a> {
    fn take(reader: &mut Reader<'a>) -> Result<Self, BatchError> {
        let size = reader.take_i32("item size")?;
        let left = usize::try_from(size).ok().filter(|size| *size >= FIXED_SIZE);
        let left = left.ok_or(BatchError::BadSize { size })? - SIZE_SIZE;
        let mut item = reader.sub(left, "item")?;
        let magic = item.take_i32("magic")?;
        let body_crc = item.take_i32("body CRC")?;
        let flag = item.take_i32("flag")?;
        let body_len = item.take_i32("body length")?;
        let body = item.take_sized(body_len, "body")?;
        let properties_len = i32::from(item.take_i16("properties length")?);
        let properties = item.take_sized(properties_len, "properties")?;
        item.finish("the item")?;
        Ok(Self { magic, body_crc, flag, body, properties })
    }

    /// Appends the item. Nothing is written on an error.
    pub fn write(&self, out: &mut BytesMut) -> Result<(), LengthOverflow> {
        let size = FIXED_SIZE.saturating_add(self.body.len()).saturating_add(self.properties.len());
        let too_long = |what, len, max| LengthOverflow { what, len, max };
        let total = i32::try_from(size).map_err(|_| too_long("item", size, i32::MAX as usize))?;
        let body_len = i32::try_from(self.body.len())
            .map_err(|_| too_long("body", self.body.len(), i32::MAX as usize))?;
        let properties_len = i16::try_from(self.properties.len())
            .map_err(|_| too_long("properties", self.properties.len(), i16::MAX as usize))?;
        out.put_i32(total);
        out.put_i32(self.magic);
        out.put_i32(self.body_crc);
        out.put_i32(self.flag);
        out.put_i32(body_len);
        out.put_slice(self.body);
        out.put_i16(properties_len);
        out.put_slice(self.properties);
        Ok(())
    }
}

/// The items of a batch body, in order; ends after the first error.
#[derive(Debug, Clone)]
pub struct BatchItems<'a> {
    reader: Reader<'a>,
}

impl<'a> BatchItems<'a> {
    /// Walks over the body of a SEND_BATCH_MESSAGE request.
    pub fn new(body: &'a [u8]) -> Self {
        Self { reader: Reader::new(body) }
    }
}

impl<'a> Iterator for BatchItems<'a> {
    type Item = Result<BatchItem<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.reader.is_empty() {
            return None;
        }
        let item = BatchItem::take(&mut self.reader);
        if item.is_err() {
            self.reader.take_rest();
        }
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by the original's encoder: body `x`, properties WAIT=true, TAGS=A.
    const GOLDEN: &[u8] = b"\0\0\0\x28\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01x\0\x11WAIT\x01true\x02TAGS\x01A\x02";

    #[test]
    fn reads_and_writes_the_original_item() {
        let twice = [GOLDEN, GOLDEN].concat();
        let items = BatchItems::new(&twice).collect::<Result<Vec<_>, _>>().unwrap();
        assert_eq!(items.len(), 2);
        assert_eq!((items[1].body, items[1].properties), (&b"x"[..], &b"WAIT\x01true\x02TAGS\x01A\x02"[..]));
        let mut out = BytesMut::new();
        items[0].write(&mut out).unwrap();
        assert_eq!(&out[..], GOLDEN);
    }

    #[test]
    fn rejects_every_truncation_and_stops() {
        for len in 1..GOLDEN.len() {
            let items: Vec<_> = BatchItems::new(&GOLDEN[..len]).collect();
            assert!(matches!(items[..], [Err(_)]), "{len} bytes");
        }
    }

    #[test]
    fn rejects_lengths_that_disagree() {
        let mut longer = GOLDEN.to_vec();
        longer[3] += 1;
        longer.push(0);
        assert!(matches!(BatchItems::new(&longer).next(), Some(Err(BatchError::Trailing(_)))));
        let mut negative = GOLDEN.to_vec();
        negative[0] = 0x80;
        assert!(matches!(BatchItems::new(&negative).next(), Some(Err(BatchError::BadSize { .. }))));
    }

    #[test]
    fn accepts_an_item_without_body_and_properties() {
        let item = BatchItem { magic: 0, body_crc: 0, flag: 7, body: b"", properties: b"" };
        let mut out = BytesMut::new();
        item.write(&mut out).unwrap();
        assert_eq!(BatchItems::new(&out).next(), Some(Ok(item)));
    }
}
