//! Envelopes: request bodies to the `kafka-protocol` crate's values, its responses to bytes.
//!
//! Decoding always passes the guard first and takes `Bytes`, so record sets and texts are slices of the frame (they
//! keep it alive: copy a name that outlives the request). The crate's error type stays inside: it carries a
//! backtrace that no client should be able to order. Fetch responses are written by `fetch_response` instead.
//! Source: `kafka-protocol` 0.18, generated from the Kafka 4.1 message definitions.

use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::protocol::{Encodable, Request};
use thiserror::Error;

use super::guard::{self, GuardError};

/// Why a body cannot be decoded; the connection should be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The guard refused it.
    #[error(transparent)]
    Refused(#[from] GuardError),
    /// The lengths are right, the content is not: text that is not UTF-8, or a tag of another version.
    #[error("body of api key {key} version {version} is malformed")]
    Malformed {
        /// API key.
        key: i16,
        /// Version of the body.
        version: i16,
    },
    /// The decoder and the guard disagree on where the body ends.
    #[error("the decoder left {0} bytes of the body")]
    Trailing(usize),
}

/// Why a response cannot be encoded: a bug on our side, not the client's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum EncodeError {
    /// A field is set that the version does not have, or a text is too long for it.
    #[error("response does not fit version {version}: a field is set that the version lacks")]
    Unfit {
        /// Version asked for.
        version: i16,
    },
}

/// Decodes the request of type `R` at the start of `body`; payload and texts share it. Bytes behind it are ignored.
///
/// # Errors
/// Whatever the guard refuses, malformed content.
pub fn decode_request<R: Request>(version: i16, body: Bytes) -> Result<R, DecodeError> {
    let length = guard::body_length(R::KEY, version, &body)?;
    let mut rest = body.slice(..length);
    let decoded = R::decode(&mut rest, version).ok();
    let request = decoded.ok_or(DecodeError::Malformed { key: R::KEY, version })?;
    match rest.remaining() {
        0 => Ok(request),
        left => Err(DecodeError::Trailing(left)),
    }
}

/// Appends `response` in `version` to `out`, growing it once.
///
/// # Errors
/// `Unfit`; `out` is then as it was.
pub fn encode_response<M: Encodable>(
    response: &M,
    version: i16,
    out: &mut BytesMut,
) -> Result<(), EncodeError> {
    let unfit = EncodeError::Unfit { version };
    let size = response.compute_size(version).ok().ok_or(unfit)?;
    let start = out.len();
    out.reserve(size);
    if response.encode(out, version).is_err() {
        out.truncate(start);
        return Err(unfit);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::BufMut;
    use kafka_protocol::messages::{ListOffsetsResponse, TopicName};
    use kafka_protocol::messages::{MetadataRequest, ProduceRequest, SaslHandshakeRequest};
    use kafka_protocol::messages::{list_offsets_response::*, produce_request::*};
    use kafka_protocol::protocol::StrBytes;

    #[test]
    fn the_four_byte_metadata_bomb_is_refused() {
        let bomb = Bytes::from_static(&[0x7f, 0xff, 0xff, 0xff]);
        let refused = decode_request::<MetadataRequest>(1, bomb);
        let expected = GuardError::LengthBeyondFrame { length: 0x7fff_ffff, left: 0 };
        assert_eq!(refused, Err(DecodeError::Refused(expected)));
    }

    #[test]
    fn what_librdkafka_leaves_behind_a_request_for_all_topics_is_ignored() {
        // The array's count takes one byte where librdkafka 2.15 made room for four; the flags follow those.
        let body = Bytes::from_static(&[0, 0, 0, 0, 1, 0, 0]);
        let request: MetadataRequest = decode_request(13, body).unwrap();
        assert_eq!((request.topics, request.allow_auto_topic_creation), (None, false));
    }

    #[test]
    fn records_are_slices_of_the_frame() {
        let records = Bytes::from(vec![7; 5000]);
        let partition = PartitionProduceData::default().with_records(Some(records.clone()));
        let topic = TopicProduceData::default()
            .with_name(TopicName(StrBytes::from_static_str("t")))
            .with_partition_data(vec![partition]);
        let request = ProduceRequest::default().with_topic_data(vec![topic]);
        let mut out = BytesMut::new();
        request.encode(&mut out, 9).unwrap();
        let body = out.freeze();
        let decoded: ProduceRequest = decode_request(9, body.clone()).unwrap();
        let slice = decoded.topic_data[0].partition_data[0].records.clone().unwrap();
        assert_eq!(slice, records);
        assert!(body.as_ptr_range().contains(&slice.as_ptr()));
    }

    #[test]
    fn text_that_is_not_utf8_is_malformed() {
        let mut out = BytesMut::new();
        out.put_slice(&[0, 1, 0xff]);
        let refused = decode_request::<SaslHandshakeRequest>(1, out.freeze());
        assert_eq!(refused, Err(DecodeError::Malformed { key: 17, version: 1 }));
    }

    #[test]
    fn a_response_unfit_for_its_version_leaves_the_output_alone() {
        let partition = ListOffsetsPartitionResponse::default().with_leader_epoch(3);
        let topic = ListOffsetsTopicResponse::default().with_partitions(vec![partition]);
        let response = ListOffsetsResponse::default().with_topics(vec![topic]);
        let mut out = BytesMut::from(&b"before"[..]);
        assert_eq!(encode_response(&response, 3, &mut out), Err(EncodeError::Unfit { version: 3 }));
        assert_eq!(&out[..], b"before");
        encode_response(&response, 4, &mut out).unwrap();
        assert!(out.len() > 6);
    }
}
