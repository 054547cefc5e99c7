//! The request types of the `kafka-protocol` crate, reached by API key.

#[macro_use]
mod table;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Decodable, Encodable};

/// What the crate makes of a body: bytes it did not read, and the body encoded again.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Again {
    pub(crate) left: usize,
    pub(crate) body: Bytes,
}

fn again<R: Decodable + Encodable>(version: i16, mut body: Bytes) -> Option<Again> {
    let request = R::decode(&mut body, version).ok()?;
    let mut out = BytesMut::new();
    request.encode(&mut out, version).ok()?;
    Some(Again { left: body.len(), body: out.freeze() })
}

macro_rules! requests {
    ($($key:ident: $request:ty,)*) => {
        /// Decodes and encodes `body` with the crate; `None` if it refuses.
        pub(crate) fn decode_again(key: i16, version: i16, body: Bytes) -> Option<Again> {
            match ApiKey::try_from(key).ok()? {
                $(ApiKey::$key => again::<$request>(version, body),)*
                _ => None,
            }
        }
    };
}

for_each_request!(requests);
