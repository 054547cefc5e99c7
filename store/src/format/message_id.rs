//! The offset message id: hexadecimal digits of the broker's address, its port, and a commit offset.
//!
//! 32 digits for an IPv4 broker, 56 for IPv6: address, int32 port, int64 commit offset. Clients ask for a message
//! by it without knowing the topic. The id that producers make (`UNIQ_KEY`) has the same look and is opaque.
//!
//! Source: RocketMQ 5.3.3 `common/message/MessageDecoder.java` (`createMessageId`, `decodeMessageId`).

use std::fmt::Write;

use super::be::Reader;
use super::host::{V4_LEN, V6_LEN};
use super::{CommitOffset, HostAddr};

const OFFSET_LEN: usize = 8;
const V4_DIGITS: usize = 2 * (V4_LEN + OFFSET_LEN);
const V6_DIGITS: usize = 2 * (V6_LEN + OFFSET_LEN);
const _: () = assert!(V4_DIGITS == 32 && V6_DIGITS == 56);

/// Why a text is no offset message id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageIdError {
    /// Neither 32 nor 56 characters.
    #[error("message id of {len} characters; 32 or 56 are expected")]
    Length {
        /// Bytes of the text.
        len: usize,
    },
    /// A character that is no hexadecimal digit.
    #[error("message id holds something else than hexadecimal digits")]
    NotHex,
}

/// The id of the frame at `commit_offset` of the broker `store_host`, upper-case.
#[must_use]
pub fn encode(store_host: HostAddr, commit_offset: CommitOffset) -> String {
    let mut bytes = Vec::with_capacity(V6_LEN + OFFSET_LEN);
    store_host.encode(&mut bytes);
    bytes.extend_from_slice(&commit_offset.0.to_be_bytes());
    let mut id = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string does not fail.
        let _ = write!(id, "{byte:02X}");
    }
    id
}

/// Broker and commit offset of an id in upper or lower case.
///
/// # Errors
/// A wrong length, or characters that are no digits.
pub fn decode(id: &str) -> Result<(HostAddr, CommitOffset), MessageIdError> {
    let v6 = match id.len() {
        V4_DIGITS => false,
        V6_DIGITS => true,
        len => return Err(MessageIdError::Length { len }),
    };
    let bytes: Option<Vec<u8>> = id.as_bytes().chunks_exact(2).map(byte).collect();
    let bytes = bytes.ok_or(MessageIdError::NotHex)?;
    let mut reader = Reader::new(&bytes);
    let host = HostAddr::read(&mut reader, v6).ok_or(MessageIdError::NotHex)?;
    let offset = reader.i64().ok_or(MessageIdError::NotHex)?;
    Ok((host, CommitOffset(offset)))
}

fn byte(pair: &[u8]) -> Option<u8> {
    let digit = |place: Option<&u8>| char::from(*place?).to_digit(16);
    u8::try_from(digit(pair.first())? << 4 | digit(pair.get(1))?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_the_id_of_the_original() {
        let host = HostAddr { ip: [10, 0, 0, 1].into(), port: 10911 };
        let id = encode(host, CommitOffset(1024));
        assert_eq!(id, "0A00000100002A9F0000000000000400");
        assert_eq!(decode(&id), Ok((host, CommitOffset(1024))));
        assert_eq!(decode(&id.to_lowercase()), Ok((host, CommitOffset(1024))));
    }

    #[test]
    fn holds_ipv6_brokers() {
        let host = HostAddr { ip: std::net::Ipv6Addr::LOCALHOST.into(), port: 1 };
        let id = encode(host, CommitOffset(-1));
        assert_eq!(id.len(), 56);
        assert_eq!(decode(&id), Ok((host, CommitOffset(-1))));
    }

    #[test]
    fn rejects_other_texts() {
        assert_eq!(decode(""), Err(MessageIdError::Length { len: 0 }));
        assert_eq!(decode(&"0".repeat(33)), Err(MessageIdError::Length { len: 33 }));
        assert_eq!(decode(&"+".repeat(32)), Err(MessageIdError::NotHex));
        assert_eq!(decode(&"\u{e9}".repeat(16)), Err(MessageIdError::NotHex));
    }
}
