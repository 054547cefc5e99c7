//! The header of a frame: one value, two codecs.
//!
//! [`HeaderView`] reads a received header in place, [`Head`] writes one. Both codecs say the same things, with
//! one exception: the binary form keeps 16 bits of the code, so that POP codes (200050 and on) need JSON.
//! Source: RocketMQ 5.3.3 `remoting/protocol/RemotingCommand.java`, `RocketMQSerializable.java`.

mod binary;
mod json;

use bytes::{BufMut, BytesMut};
use thiserror::Error;

use super::ext::{ExtFields, ExtValue, MAX_EXT_FIELDS, TooManyFields};
use super::ext_writer::ExtWriter;
use super::frame::{Codec, Frame, HEADER_LENGTH_MAX};
use super::language::Language;
use super::request_code::RequestCode;
use super::response_code::ResponseCode;
use crate::cursor::{LengthOverflow, LengthPrefix, ReadError, TrailingBytes};

/// The version a broker states in every answer: `V5_3_3` in `common/MQVersion.java`. Clients refuse SQL92 pulls
/// from a broker that once answered a heartbeat with a version below `V4_1_0`.
pub const VERSION: i32 = 479;

/// Bits of a header that say what kind of frame it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Flag(pub i32);

impl Flag {
    /// A request that is answered.
    pub const REQUEST: Self = Self(0);
    /// An answer.
    pub const RESPONSE: Self = Self(1);
    /// A request that is not answered. The Go client does not set this bit on its one-way calls.
    pub const ONEWAY: Self = Self(2);

    /// Whether the frame is an answer.
    pub fn is_response(self) -> bool {
        self.0 & Self::RESPONSE.0 != 0
    }

    /// Whether the sender wants no answer.
    pub fn is_oneway(self) -> bool {
        self.0 & Self::ONEWAY.0 != 0
    }
}

/// The bytes are no header. The frame around it was whole, so the connection could go on, but there is no
/// `opaque` to answer to; Java closes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum HeaderDecodeError {
    /// The JSON breaks off or has something else where a character is due.
    #[error("header is no JSON object: {expected} expected at byte {at}")]
    Json {
        /// What would have been right.
        expected: &'static str,
        /// Byte of the header.
        at: usize,
    },
    /// A value that nobody reads is nested too deeply.
    #[error("header nests deeper than {limit} at byte {at}")]
    TooDeep {
        /// The deepest nesting that is skipped.
        limit: usize,
        /// Byte of the header.
        at: usize,
    },
    /// A number of the fixed part is none.
    #[error("header field {field} is no 32-bit integer")]
    NotANumber {
        /// The field.
        field: &'static str,
    },
    /// The header says no code.
    #[error("header has no code")]
    NoCode,
    /// More ext fields than are accepted.
    #[error("header has more than {MAX_EXT_FIELDS} ext fields")]
    TooManyFields,
    /// The binary header breaks off.
    #[error("binary header breaks off: {0}")]
    Short(#[from] ReadError),
    /// Bytes follow the binary header.
    #[error("binary header goes on: {0}")]
    Trailing(#[from] TrailingBytes),
}

impl From<TooManyFields> for HeaderDecodeError {
    fn from(_: TooManyFields) -> Self {
        Self::TooManyFields
    }
}

/// A received header; its text stays in the frame.
#[derive(Debug, Clone)]
pub struct HeaderView<'a> {
    /// Request or response code, by [`Flag::is_response`].
    pub code: i32,
    /// What the sender is written in.
    pub language: Language,
    /// Ordinal of the sender's version (`common/MQVersion.java`).
    pub version: i32,
    /// The number that ties an answer to its request; chosen by the requester, may repeat.
    pub opaque: i32,
    /// Request, answer or one-way.
    pub flag: Flag,
    /// Free text of an answer.
    pub remark: Option<ExtValue<'a>>,
    /// The named arguments.
    pub ext: ExtFields<'a>,
}

impl<'a> HeaderView<'a> {
    /// Reads a header in the given codec; its length was bounded by the frame. Does not block, allocates only
    /// for more than 24 ext fields.
    pub fn decode(codec: Codec, header: &'a [u8]) -> Result<Self, HeaderDecodeError> {
        match codec {
            Codec::Json => json::decode(header),
            Codec::Rocketmq => binary::decode(header),
        }
    }

    /// Reads the header of `frame`.
    pub fn of(frame: &'a Frame) -> Result<Self, HeaderDecodeError> {
        Self::decode(frame.codec, &frame.header)
    }

    /// The code of a request.
    pub fn request_code(&self) -> RequestCode {
        RequestCode(self.code)
    }

    /// The code of an answer.
    pub fn response_code(&self) -> ResponseCode {
        ResponseCode(self.code)
    }

    fn empty(header: &'a [u8]) -> Self {
        Self {
            code: 0,
            language: Language::JAVA,
            version: 0,
            opaque: 0,
            flag: Flag::REQUEST,
            remark: None,
            ext: ExtFields::new(header),
        }
    }
}

/// A frame cannot be written; nothing of it is left in the buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum HeadEncodeError {
    /// The code has more bits than the binary header keeps; send it with a JSON header.
    #[error("code {code} does not fit the binary header, send it as JSON")]
    CodeTooLarge {
        /// The code.
        code: i32,
    },
    /// The version has more bits than the binary header keeps.
    #[error("version {version} does not fit the binary header")]
    VersionTooLarge {
        /// The version.
        version: i32,
    },
    /// The header is longer than the frame's 24 bits can say.
    #[error("header of {len} bytes is above the {HEADER_LENGTH_MAX} a frame can say")]
    HeaderTooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// A length field is too small for what follows it.
    #[error(transparent)]
    Length(#[from] LengthOverflow),
}

/// The fixed part of a header to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head<'a> {
    /// Request or response code.
    pub code: i32,
    /// Language to state.
    pub language: Language,
    /// Version to state.
    pub version: i32,
    /// Ties the answer to the request.
    pub opaque: i32,
    /// Request, answer or one-way.
    pub flag: Flag,
    /// Free text of an answer.
    pub remark: Option<&'a str>,
}

impl<'a> Head<'a> {
    /// The head of a request.
    pub fn request(code: RequestCode, opaque: i32, flag: Flag) -> Self {
        Self { code: code.0, language: Language::JAVA, version: VERSION, opaque, flag, remark: None }
    }

    /// The head of the answer to the request with this `opaque`.
    pub fn response(code: ResponseCode, opaque: i32, remark: Option<&'a str>) -> Self {
        let flag = Flag::RESPONSE;
        Self { code: code.0, language: Language::JAVA, version: VERSION, opaque, flag, remark }
    }

    /// Appends length, header word and header. `ext` writes the named arguments; the caller then sends
    /// `body_len` bytes of body, from wherever they lie.
    pub fn write(
        &self,
        codec: Codec,
        body_len: usize,
        out: &mut BytesMut,
        ext: impl FnOnce(&mut ExtWriter<'_>),
    ) -> Result<(), HeadEncodeError> {
        let start = out.len();
        let written = self.write_parts(codec, body_len, out, ext);
        if written.is_err() {
            out.truncate(start);
        }
        written
    }

    fn write_parts(
        &self,
        codec: Codec,
        body_len: usize,
        out: &mut BytesMut,
        ext: impl FnOnce(&mut ExtWriter<'_>),
    ) -> Result<(), HeadEncodeError> {
        let frame = LengthPrefix::open(out);
        let word_at = out.len();
        out.put_u32(0);
        let header_at = out.len();
        match codec {
            Codec::Json => json::encode(self, out, ext)?,
            Codec::Rocketmq => binary::encode(self, out, ext)?,
        }
        let word = header_word(codec, out.len() - header_at)?;
        if let Some(place) = out.get_mut(word_at..header_at) {
            place.copy_from_slice(&word);
        }
        Ok(frame.close(out, body_len, "frame")?)
    }
}

/// Codec in the high byte, header length in the other three.
fn header_word(codec: Codec, len: usize) -> Result<[u8; 4], HeadEncodeError> {
    let bits = u32::try_from(len).ok().filter(|_| len <= HEADER_LENGTH_MAX);
    let [_, high, middle, low] = bits.ok_or(HeadEncodeError::HeaderTooLong { len })?.to_be_bytes();
    Ok([codec.byte(), high, middle, low])
}
