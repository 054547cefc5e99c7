//! Kafka frames: a 4-byte length, then a header, then the body.
//!
//! Cuts one frame out of what a socket delivered, reads the request header, and writes the head of a response.
//! Not the body: that is `guard` and `codec`. Which versions are served is the broker's table, not decided here.
//!
//! | request header | api key i16, version i16, correlation i32, client id (i16 length, never compact), tags from v2 |
//! | response header | correlation i32, tags from v1; ApiVersions answers with v0 in every version              |
//!
//! Source: Kafka 4.1 `RequestHeader.json`, `ResponseHeader.json`, `ApiMessageType`, KIP-482, KIP-511.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;
use thiserror::Error;

use super::guard::{self, GuardError, shapes};
use super::varint::{ReadError, Reader};

/// Bytes of the length field in front of each frame; the length does not count itself.
pub const LENGTH_LEN: usize = 4;

/// API key of ApiVersions, whose response header never became flexible.
const API_VERSIONS: i16 = 18;

/// Why bytes are not a frame or a header; the connection should be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// The length is below the smallest header.
    #[error("frame length {0} is smaller than a request header")]
    TooShort(i32),
    /// The length is above the limit of the connection or of the key.
    #[error("frame of {length} bytes exceeds the limit of {limit}")]
    TooLong {
        /// Declared bytes.
        length: usize,
        /// Allowed bytes.
        limit: usize,
    },
    /// The header is cut short.
    #[error("request header is malformed: {0}")]
    Header(#[from] ReadError),
    /// The header's tags are malformed.
    #[error("tags of the request header: {0}")]
    HeaderTags(GuardError),
    /// The key is not one the guard knows.
    #[error("api key {0} is not known")]
    UnknownKey(i16),
    /// The client id has a negative length below -1.
    #[error("client id length {0} is not allowed")]
    ClientIdLength(i16),
    /// The client id is not UTF-8.
    #[error("client id is not utf-8")]
    ClientIdText,
    /// A response grew beyond what a 4-byte length can say.
    #[error("response of {0} bytes does not fit a frame")]
    ResponseTooLong(usize),
}

/// Smallest request: key, version, correlation id and the length of a null client id.
const HEADER_MIN: i32 = 2 + 2 + 4 + 2;

/// Cuts the first frame off `input`: the frame without its length, sharing the buffer. `None`: more bytes needed.
///
/// `limit` is in bytes without the length field; the declared length is checked as soon as it is there, so a caller
/// never has to buffer more than `limit`. With the API key in the buffer, the smaller of `limit` and the key's own
/// limit counts.
///
/// # Errors
/// `TooShort` (negative lengths included) or `TooLong`.
pub fn split_frame(input: &mut BytesMut, limit: usize) -> Result<Option<Bytes>, FrameError> {
    let mut head = Reader::new(input);
    let Ok(declared) = head.i32() else { return Ok(None) };
    let limit = head.i16().map_or(limit, |key| limit.min(guard::frame_limit(key)));
    let length = match usize::try_from(declared) {
        Ok(length) if declared >= HEADER_MIN => length,
        _ => return Err(FrameError::TooShort(declared)),
    };
    if length > limit {
        return Err(FrameError::TooLong { length, limit });
    }
    if input.len() < LENGTH_LEN + length {
        return Ok(None);
    }
    let frame = input.split_to(LENGTH_LEN + length).freeze();
    Ok(Some(frame.slice(LENGTH_LEN..)))
}

/// The header of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHeader {
    /// API key, known to the guard.
    pub api_key: i16,
    /// Version the client asked for, not checked yet.
    pub api_version: i16,
    /// Number the response repeats.
    pub correlation_id: i32,
    /// Name the client gave itself; shares the frame's buffer.
    pub client_id: Option<StrBytes>,
}

impl RequestHeader {
    /// Reads the header of `frame` (without length) and returns it with the body; nothing is copied.
    ///
    /// The version may be one we do not serve: ApiVersions has to answer that, all others close the connection.
    ///
    /// # Errors
    /// Truncated or malformed headers and unknown keys.
    pub fn decode(frame: &Bytes) -> Result<(Self, Bytes), FrameError> {
        let mut input = Reader::new(frame);
        let api_key = input.i16()?;
        let api_version = input.i16()?;
        let correlation_id = input.i32()?;
        let client_id = client_id(frame, &mut input)?;
        if request_header_version(api_key, api_version).ok_or(FrameError::UnknownKey(api_key))? >= 2 {
            input = guard::skip_header_tags(input).map_err(FrameError::HeaderTags)?;
        }
        let header = Self { api_key, api_version, correlation_id, client_id };
        Ok((header, frame.slice_ref(input.rest())))
    }
}

fn client_id(frame: &Bytes, input: &mut Reader<'_>) -> Result<Option<StrBytes>, FrameError> {
    let length = input.i16()?;
    match usize::try_from(length) {
        Ok(length) => {
            let text = frame.slice_ref(input.take(length)?);
            StrBytes::from_utf8(text).map(Some).map_err(|_| FrameError::ClientIdText)
        }
        Err(_) if length == -1 => Ok(None),
        Err(_) => Err(FrameError::ClientIdLength(length)),
    }
}

/// Version of the request header (1 or 2) for a request of `api_key` and `api_version`; `None` for unknown keys.
pub fn request_header_version(api_key: i16, api_version: i16) -> Option<i16> {
    shapes::shape(api_key).map(|shape| if shape.is_flexible(api_version) { 2 } else { 1 })
}

/// Version of the response header (0 or 1) for `api_key` and `api_version`; `None` for unknown keys.
pub fn response_header_version(api_key: i16, api_version: i16) -> Option<i16> {
    let shape = shapes::shape(api_key)?;
    Some(i16::from(api_key != API_VERSIONS && shape.is_flexible(api_version)))
}

/// Where a response's length field stands in the output, until `finish_response` fills it.
#[derive(Debug)]
#[must_use = "a response without its length cannot be sent"]
pub struct ResponseStart(usize);

/// Writes room for the length, then the response header. `header_version` is from `response_header_version`.
pub fn start_response(out: &mut BytesMut, header_version: i16, correlation_id: i32) -> ResponseStart {
    let start = out.len();
    out.put_i32(0);
    out.put_i32(correlation_id);
    if header_version >= 1 {
        out.put_u8(0);
    }
    ResponseStart(start)
}

/// Fills in the length. `beside` counts payload bytes that follow this buffer's content by reference.
///
/// # Errors
/// `ResponseTooLong` above 2,147,483,647 bytes; the output is cut back to where the response began.
pub fn finish_response(out: &mut BytesMut, start: ResponseStart, beside: usize) -> Result<(), FrameError> {
    let ResponseStart(start) = start;
    let length = (out.len() + beside).saturating_sub(start + LENGTH_LEN);
    let Ok(declared) = i32::try_from(length) else {
        out.truncate(start);
        return Err(FrameError::ResponseTooLong(length));
    };
    if let Some(field) = out.get_mut(start..start + LENGTH_LEN) {
        field.copy_from_slice(&declared.to_be_bytes());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::messages::{ApiKey, RequestHeader as CrateHeader};
    use kafka_protocol::protocol::Encodable;
    use proptest::prelude::*;

    fn framed(body: &[u8]) -> BytesMut {
        let mut out = BytesMut::new();
        out.put_i32(body.len() as i32);
        out.extend_from_slice(body);
        out
    }

    #[test]
    fn waits_for_the_whole_frame_and_leaves_the_next_one() {
        let whole = framed(&[0; 12]);
        for cut in 0..whole.len() {
            let mut input = BytesMut::from(&whole[..cut]);
            assert_eq!(split_frame(&mut input, 100), Ok(None));
            assert_eq!(input.len(), cut);
        }
        let mut two = whole.clone();
        two.extend_from_slice(&whole);
        assert_eq!(split_frame(&mut two, 100).unwrap().unwrap().len(), 12);
        assert_eq!(two, whole);
    }

    #[test]
    fn refuses_lengths_below_a_header_and_above_the_limit() {
        for length in [i32::MIN, -1, 0, 3, 9] {
            let mut input = BytesMut::from(&length.to_be_bytes()[..]);
            assert_eq!(split_frame(&mut input, 100), Err(FrameError::TooShort(length)));
        }
        let mut input = BytesMut::from(&101_i32.to_be_bytes()[..]);
        assert_eq!(split_frame(&mut input, 100), Err(FrameError::TooLong { length: 101, limit: 100 }));
    }

    #[test]
    fn only_produce_may_be_large() {
        let large = (guard::CONTROL_FRAME_LIMIT + 1) as i32;
        for key in [1_i16, 3, 18, 999] {
            let mut input = BytesMut::new();
            input.put_i32(large);
            input.put_i16(key);
            let refused = split_frame(&mut input, guard::PRODUCE_FRAME_LIMIT);
            assert!(matches!(refused, Err(FrameError::TooLong { .. })), "key {key}");
        }
        let mut input = BytesMut::new();
        input.put_i32(large);
        input.put_i16(0);
        assert_eq!(split_frame(&mut input, guard::PRODUCE_FRAME_LIMIT), Ok(None));
    }

    #[test]
    fn header_versions_agree_with_the_crate_for_every_key_and_version() {
        for key in guard::known_keys() {
            let api = ApiKey::try_from(key).unwrap();
            let (min, max) = guard::measured_versions(key).unwrap();
            for version in min..=max {
                assert_eq!(request_header_version(key, version), Some(api.request_header_version(version)));
                assert_eq!(response_header_version(key, version), Some(api.response_header_version(version)));
            }
        }
    }

    #[test]
    fn reads_what_the_crate_writes_and_refuses_every_truncation() {
        for (key, version, tags) in [(0, 7, 0), (3, 12, 2), (18, 3, 1), (18, 99, 0)] {
            let mut header = CrateHeader::default()
                .with_request_api_key(key)
                .with_request_api_version(version)
                .with_correlation_id(77)
                .with_client_id(Some(StrBytes::from_static_str("größe")));
            for tag in 0..tags {
                header.unknown_tagged_fields.insert(tag, Bytes::from_static(b"abc"));
            }
            let mut out = BytesMut::new();
            header.encode(&mut out, request_header_version(key, version).unwrap()).unwrap();
            let head_len = out.len();
            out.put_slice(b"body");
            let frame = out.freeze();
            let (read, body) = RequestHeader::decode(&frame).unwrap();
            assert_eq!(body, &b"body"[..]);
            assert_eq!((read.api_key, read.api_version, read.correlation_id), (key, version, 77));
            assert_eq!(read.client_id.as_deref(), Some("größe"));
            for cut in 0..head_len {
                assert!(RequestHeader::decode(&frame.slice(..cut)).is_err(), "cut at {cut}");
            }
        }
    }

    #[test]
    fn api_versions_answers_without_tags_and_others_with() {
        assert_eq!(response_header_version(18, 4), Some(0));
        let mut out = BytesMut::from(&b"before"[..]);
        let start = start_response(&mut out, response_header_version(3, 12).unwrap(), 9);
        out.put_slice(b"xyz");
        finish_response(&mut out, start, 10).unwrap();
        assert_eq!(&out[..], b"before\0\0\0\x12\0\0\0\x09\0xyz");
    }

    #[test]
    fn a_response_beyond_a_frame_leaves_no_bytes() {
        let mut out = BytesMut::from(&b"before"[..]);
        let start = start_response(&mut out, 0, 1);
        let beside = i32::MAX as usize;
        assert_eq!(finish_response(&mut out, start, beside), Err(FrameError::ResponseTooLong(beside + 4)));
        assert_eq!(&out[..], b"before");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes: Vec<u8>) {
            let _ = RequestHeader::decode(&Bytes::from(bytes.clone()));
            let _ = split_frame(&mut BytesMut::from(&bytes[..]), 1000);
        }
    }
}
