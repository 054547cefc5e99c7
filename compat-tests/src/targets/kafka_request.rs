//! Bytes of a Kafka connection: frames, request headers, and bodies of every key the guard knows.
//!
//! The input is also read as a bare body, its first two bytes choosing key and version, so that a fuzzer reaches
//! every shape without keeping a frame's length right.

#[macro_use]
#[path = "../../../protocols/tests/kafka_requests/table.rs"]
mod table;

use bytes::{BufMut, Bytes, BytesMut};
use gantry_protocols::kafka::codec::decode_request;
use gantry_protocols::kafka::frame::{
    LENGTH_LEN, RequestHeader, request_header_version, response_header_version, split_frame,
};
use gantry_protocols::kafka::guard::{PRODUCE_FRAME_LIMIT, body_length, known_keys, measured_versions};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::Request;

/// Reads `input` as a Kafka stream and as a body.
pub fn kafka_request(input: &[u8]) {
    let mut received = BytesMut::from(input);
    let mut left = input.len();
    while let Ok(split) = split_frame(&mut received, PRODUCE_FRAME_LIMIT) {
        let Some(frame) = split else {
            assert_eq!(received.len(), left, "an incomplete frame was touched");
            break;
        };
        left -= LENGTH_LEN + frame.len();
        assert_eq!(received.len(), left, "a frame is not what was taken");
        request(&frame);
    }
    bare_body(input);
}

fn request(frame: &Bytes) {
    let Ok((header, body)) = RequestHeader::decode(frame) else { return };
    let (key, version) = (header.api_key, header.api_version);
    assert!(response_header_version(key, version).is_some(), "a known key has an answer");
    let head = header_again(&header);
    assert_eq!(frame.get(..head.len()), Some(&head[..]));
    if request_header_version(key, version) == Some(1) {
        assert_eq!(frame.len(), head.len() + body.len());
    }
    assert!(decode(key, version, body), "no decoder for key {key}");
}

/// The header in front of its tags.
fn header_again(header: &RequestHeader) -> BytesMut {
    let mut out = BytesMut::new();
    out.put_i16(header.api_key);
    out.put_i16(header.api_version);
    out.put_i32(header.correlation_id);
    match &header.client_id {
        None => out.put_i16(-1),
        Some(id) => {
            out.put_i16(i16::try_from(id.len()).expect("a client id that was read"));
            out.put_slice(id.as_bytes());
        }
    }
    out
}

fn bare_body(input: &[u8]) {
    let Some(([key, version], body)) = input.split_first_chunk() else { return };
    let keys = known_keys().count();
    let Some(key) = known_keys().nth(usize::from(*key) % keys) else { return };
    let (min, max) = measured_versions(key).expect("a known key has versions");
    let version = min + i16::from(*version) % (max - min + 1);
    assert!(decode(key, version, Bytes::copy_from_slice(body)), "no decoder for key {key}");
}

/// Decodes `body`; what decodes has passed the guard, and survives encoding.
fn again<R: Request + std::fmt::Debug>(version: i16, body: Bytes) {
    let measured = body_length(R::KEY, version, &body);
    let Ok(request) = decode_request::<R>(version, body) else { return };
    assert!(measured.is_ok(), "{measured:?}");
    let bytes = encoded(&request, version);
    let again = decode_request::<R>(version, bytes.clone());
    // Bytes are compared, because a value may hold a NaN.
    let is_same = again.as_ref().is_ok_and(|again| encoded(again, version) == bytes);
    assert!(is_same || has_negative_tag(&request), "{request:?} became {again:?}");
}

fn encoded(request: &impl Request, version: i16) -> Bytes {
    let mut out = BytesMut::new();
    request.encode(&mut out, version).expect("a request that was decoded");
    out.freeze()
}

/// The crate keeps unknown tags under signed numbers and loses those above 2^31 - 1 when it encodes. Requests are
/// never encoded by a broker, so nothing depends on it.
fn has_negative_tag(request: &impl std::fmt::Debug) -> bool {
    format!("{request:?}").contains("unknown_tagged_fields: {-")
}

macro_rules! requests {
    ($($key:ident: $request:ty,)*) => {
        /// Whether bodies of `key` can be decoded here; true for every key the guard knows.
        pub fn decodes_key(key: i16) -> bool {
            $(key == ApiKey::$key as i16)||*
        }

        fn decode(key: i16, version: i16, body: Bytes) -> bool {
            $(if key == ApiKey::$key as i16 { again::<$request>(version, body); return true; })*
            false
        }
    };
}

for_each_request!(requests);
