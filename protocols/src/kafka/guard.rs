//! The guard: measures a request body before the envelope decoder sees it.
//!
//! The `kafka-protocol` crate asks the allocator for as many elements as a length field claims; four bytes of
//! Metadata abort the process. So each body is walked first by its shape: a count larger than the bytes that remain
//! is refused, elements are budgeted per frame, and known tags must fill exactly the size they declare. Where the walk
//! ends the body ends; bytes behind it are not read, as Kafka does not: librdkafka 2.15 leaves three behind a Metadata
//! request for all topics. The guard allocates nothing and understands no field; texts are checked as UTF-8 later.
//! Source: our own rule, Kafka has no such step; the shapes and their origin stand in `guard/shapes.rs`.

use thiserror::Error;

use super::varint::{ReadError, Reader};
use shapes::{Field, Kind, shape};

pub(crate) mod shapes;

/// Largest Produce frame in bytes, as Kafka's `socket.request.max.bytes`.
pub const PRODUCE_FRAME_LIMIT: usize = 100 * 1024 * 1024;

/// Largest frame of any other key in bytes: room for a Fetch of 30,000 partitions.
pub const CONTROL_FRAME_LIMIT: usize = 1024 * 1024;

/// Array elements and tagged fields one frame may hold: at some 100 bytes each decoded, 13 MB.
pub const ELEMENT_BUDGET: usize = 131_072;

/// API key of Produce, the only one whose frames carry payload.
const PRODUCE: i16 = 0;

/// Why the guard refuses a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum GuardError {
    /// No shape is known for the key.
    #[error("api key {0} is not known")]
    UnknownKey(i16),
    /// The key is known, this version is not.
    #[error("api key {key} has no version {version}")]
    UnknownVersion {
        /// API key.
        key: i16,
        /// Version asked for.
        version: i16,
    },
    /// A value is cut short or a varint is malformed.
    #[error("body is malformed: {0}")]
    Malformed(#[from] ReadError),
    /// A length or count is larger than the bytes that remain.
    #[error("length {length} exceeds the {left} bytes left")]
    LengthBeyondFrame {
        /// Declared elements or bytes.
        length: usize,
        /// Bytes that remain.
        left: usize,
    },
    /// A length is negative where null is not allowed, or below -1.
    #[error("length {0} is not allowed here")]
    NegativeLength(i32),
    /// The frame holds more elements than `ELEMENT_BUDGET`.
    #[error("more than {ELEMENT_BUDGET} elements in one frame, split the request")]
    TooManyElements,
    /// Tags do not ascend, or a known tag does not fill the size it declares.
    #[error("tagged field {0} is out of order or does not fill its size")]
    Tag(u32),
    /// Bytes follow the body.
    #[error("{0} bytes follow the body")]
    Trailing(usize),
}

/// Largest frame in bytes (without the 4-byte length) of `api_key`.
pub fn frame_limit(api_key: i16) -> usize {
    if api_key == PRODUCE { PRODUCE_FRAME_LIMIT } else { CONTROL_FRAME_LIMIT }
}

/// The protocol's name of `api_key`, if the guard knows it.
pub fn api_name(api_key: i16) -> Option<&'static str> {
    shape(api_key).map(|shape| shape.name)
}

/// Lowest and highest version of `api_key` that the guard can measure.
pub fn measured_versions(api_key: i16) -> Option<(i16, i16)> {
    shape(api_key).map(|shape| (shape.min, shape.max))
}

/// API keys the guard knows, ascending.
pub fn known_keys() -> impl Iterator<Item = i16> {
    shapes::SHAPES.iter().map(|shape| shape.key)
}

/// Measures the request of `api_key` and `version` at the start of `body`: its length in bytes. Does not allocate or
/// block.
///
/// # Errors
/// Any way in which the bytes do not begin with a request of that shape; the connection should be closed.
pub fn body_length(api_key: i16, version: i16, body: &[u8]) -> Result<usize, GuardError> {
    let shape = shape(api_key).ok_or(GuardError::UnknownKey(api_key))?;
    if !shape.measures(version) {
        return Err(GuardError::UnknownVersion { key: api_key, version });
    }
    let mut walk = Walk {
        input: Reader::new(body),
        version,
        flexible: shape.is_flexible(version),
        elements_left: ELEMENT_BUDGET,
    };
    walk.structure(shape.body)?;
    Ok(body.len() - walk.input.left())
}

/// Like [`body_length`], for callers that know where the request ends.
///
/// # Errors
/// The same, and bytes that follow the request.
pub fn check_body(api_key: i16, version: i16, body: &[u8]) -> Result<(), GuardError> {
    match body.len() - body_length(api_key, version, body)? {
        0 => Ok(()),
        left => Err(GuardError::Trailing(left)),
    }
}

/// Skips the tagged fields of a request header; all of them are unknown to us.
pub(crate) fn skip_header_tags<'a>(input: Reader<'a>) -> Result<Reader<'a>, GuardError> {
    let mut walk = Walk { input, version: 0, flexible: true, elements_left: ELEMENT_BUDGET };
    walk.tags(&[])?;
    Ok(walk.input)
}

/// The position in a body and what is left of the budget.
struct Walk<'a> {
    input: Reader<'a>,
    version: i16,
    flexible: bool,
    elements_left: usize,
}

impl Walk<'_> {
    fn structure(&mut self, fields: &[Field]) -> Result<(), GuardError> {
        for field in fields {
            if field.exists_in(self.version) {
                self.value(field)?;
            }
        }
        if self.flexible { self.tags(fields) } else { Ok(()) }
    }

    fn value(&mut self, field: &Field) -> Result<(), GuardError> {
        let nullable = field.may_be_null_in(self.version);
        match field.kind {
            Kind::Fixed(width) => self.skip(width),
            Kind::Text => self.text(nullable),
            Kind::Blob => self.blob(nullable),
            Kind::List(item) => self.list(item, nullable),
            Kind::Rows(fields) => self.rows(fields, nullable),
            Kind::Maybe(fields) if self.input.i8()? >= 0 => self.structure(fields),
            Kind::Inner(fields) => self.structure(fields),
            Kind::Maybe(_) | Kind::Tag(..) => Ok(()),
        }
    }

    fn text(&mut self, nullable: bool) -> Result<(), GuardError> {
        let length = if self.flexible { self.compact()? } else { plain(i32::from(self.input.i16()?))? };
        self.counted(length, nullable).and_then(|length| self.skip(length))
    }

    fn blob(&mut self, nullable: bool) -> Result<(), GuardError> {
        let length = self.array_length()?;
        self.counted(length, nullable).and_then(|length| self.skip(length))
    }

    fn list(&mut self, item: &Field, nullable: bool) -> Result<(), GuardError> {
        let count = self.array_count(nullable)?;
        for _ in 0..count {
            self.value(item)?;
        }
        Ok(())
    }

    fn rows(&mut self, fields: &[Field], nullable: bool) -> Result<(), GuardError> {
        let count = self.array_count(nullable)?;
        for _ in 0..count {
            self.structure(fields)?;
        }
        Ok(())
    }

    /// Elements of an array: each takes at least one byte, so a larger count is a lie.
    fn array_count(&mut self, nullable: bool) -> Result<usize, GuardError> {
        let length = self.array_length()?;
        let count = self.counted(length, nullable)?;
        self.spend(count)?;
        Ok(count)
    }

    fn array_length(&mut self) -> Result<Option<usize>, GuardError> {
        if self.flexible { self.compact() } else { plain(self.input.i32()?) }
    }

    /// A compact length: one more than the length, zero for null.
    fn compact(&mut self) -> Result<Option<usize>, GuardError> {
        Ok(self.input.uvarint()?.checked_sub(1).map(|length| length as usize))
    }

    fn counted(&self, length: Option<usize>, nullable: bool) -> Result<usize, GuardError> {
        let left = self.input.left();
        match length {
            Some(length) if length > left => Err(GuardError::LengthBeyondFrame { length, left }),
            Some(length) => Ok(length),
            None if nullable => Ok(0),
            None => Err(GuardError::NegativeLength(-1)),
        }
    }

    fn skip(&mut self, length: usize) -> Result<(), GuardError> {
        self.input.take(length)?;
        Ok(())
    }

    fn spend(&mut self, elements: usize) -> Result<(), GuardError> {
        self.elements_left = self.elements_left.checked_sub(elements).ok_or(GuardError::TooManyElements)?;
        Ok(())
    }

    /// Tags ascend; the decoder reads a known one by its type, so its declared size must agree with that.
    fn tags(&mut self, fields: &[Field]) -> Result<(), GuardError> {
        let count = self.input.uvarint()? as usize;
        let count = self.counted(Some(count), false)?;
        self.spend(count)?;
        let mut lowest = 0;
        for _ in 0..count {
            let number = self.input.uvarint()?;
            if number < lowest {
                return Err(GuardError::Tag(number));
            }
            lowest = number.saturating_add(1);
            self.tag(number, fields)?;
        }
        Ok(())
    }

    fn tag(&mut self, number: u32, fields: &[Field]) -> Result<(), GuardError> {
        let size = self.input.uvarint()? as usize;
        let size = self.counted(Some(size), false)?;
        let Some(field) = self.known_tag(number, fields) else {
            return self.skip(size);
        };
        let end = self.input.left() - size;
        self.value(field)?;
        if self.input.left() == end { Ok(()) } else { Err(GuardError::Tag(number)) }
    }

    fn known_tag<'f>(&self, number: u32, fields: &'f [Field]) -> Option<&'f Field> {
        fields.iter().filter(|field| field.exists_in(self.version)).find_map(|field| match field.kind {
            Kind::Tag(tag, inner) if tag == number => Some(inner),
            _ => None,
        })
    }
}

/// A length with a sign: -1 is null, anything below is refused.
fn plain(length: i32) -> Result<Option<usize>, GuardError> {
    match usize::try_from(length) {
        Ok(length) => Ok(Some(length)),
        Err(_) if length == -1 => Ok(None),
        Err(_) => Err(GuardError::NegativeLength(length)),
    }
}

#[cfg(test)]
mod tests;
