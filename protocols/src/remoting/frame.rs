//! One frame of the remoting stream: found in the bytes received, bounded before anything is allocated.
//!
//! | offset | width | field |
//! |---|---|---|
//! | 0 | 4 | length of everything after this field |
//! | 4 | 1 | header codec: 0 JSON, 1 ROCKETMQ |
//! | 5 | 3 | header length |
//! | 8 | header length | header |
//! | then | rest | body |
//!
//! It splits; what the header says is read by [`super::header`].
//! Source: RocketMQ 5.3.3 `remoting/netty/NettyDecoder.java`, `remoting/protocol/RemotingCommand.java`.

use bytes::{Bytes, BytesMut};
use thiserror::Error;

/// Largest frame a Java peer accepts, in bytes, its length field included.
pub const MAX_FRAME_SIZE: usize = 16_777_216;

const LENGTH_SIZE: usize = 4;
const HEADER_WORD_SIZE: usize = 4;
pub(super) const PREFIX_SIZE: usize = LENGTH_SIZE + HEADER_WORD_SIZE;
pub(super) const HEADER_LENGTH_MAX: usize = 0x00ff_ffff;
const _: () = assert!(PREFIX_SIZE == 8);

/// How a header is written; an answer goes out in the codec of its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// A JSON object.
    Json,
    /// The binary form, `ROCKETMQ` in Java's settings.
    Rocketmq,
}

impl Codec {
    pub(super) fn byte(self) -> u8 {
        match self {
            Self::Json => 0,
            Self::Rocketmq => 1,
        }
    }

    fn from_byte(byte: u8) -> Result<Self, FrameError> {
        match byte {
            0 => Ok(Self::Json),
            1 => Ok(Self::Rocketmq),
            codec => Err(FrameError::UnknownCodec { codec }),
        }
    }
}

/// The bytes are no remoting frame; the connection has to be closed, because its next frame cannot be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FrameError {
    /// The length field is negative or too small for the header word.
    #[error("frame length {length} is impossible, the smallest is {HEADER_WORD_SIZE}")]
    BadLength {
        /// The field's value.
        length: i32,
    },
    /// The frame would be larger than the receiver allows.
    #[error("frame of {size} bytes is above the limit of {limit}")]
    TooLong {
        /// Size of the whole frame in bytes, length field included.
        size: usize,
        /// The limit it was compared with.
        limit: usize,
    },
    /// The header would end behind the frame.
    #[error("header of {header} bytes does not fit a frame with {room} bytes for it")]
    HeaderTooLong {
        /// Header length in bytes.
        header: usize,
        /// Bytes the frame has for header and body.
        room: usize,
    },
    /// The codec byte is neither 0 nor 1.
    #[error("header codec {codec} is unknown, send 0 for JSON or 1 for ROCKETMQ")]
    UnknownCodec {
        /// The byte.
        codec: u8,
    },
}

/// One whole frame; header and body share the buffer they were received in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// How the header is written.
    pub codec: Codec,
    /// The header's bytes.
    pub header: Bytes,
    /// The body's bytes; empty when the frame has none.
    pub body: Bytes,
}

/// Sizes read from the first eight bytes of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Prefix {
    codec: Codec,
    header_len: usize,
    size: usize,
}

impl Prefix {
    /// Reads and checks the sizes; `None` while fewer bytes have arrived than are needed to say.
    fn read(bytes: &[u8], limit: usize) -> Result<Option<Self>, FrameError> {
        let Some((length, rest)) = bytes.split_first_chunk::<LENGTH_SIZE>() else { return Ok(None) };
        let length = i32::from_be_bytes(*length);
        let room = usize::try_from(length).ok().and_then(|length| length.checked_sub(HEADER_WORD_SIZE));
        let room = room.ok_or(FrameError::BadLength { length })?;
        let size = room.saturating_add(PREFIX_SIZE);
        if size > limit {
            return Err(FrameError::TooLong { size, limit });
        }
        let Some([codec, high, middle, low]) = rest.first_chunk::<HEADER_WORD_SIZE>() else {
            return Ok(None);
        };
        let codec = Codec::from_byte(*codec)?;
        let header_len = u32::from_be_bytes([0, *high, *middle, *low]) as usize;
        if header_len > room {
            return Err(FrameError::HeaderTooLong { header: header_len, room });
        }
        Ok(Some(Self { codec, header_len, size }))
    }
}

impl Frame {
    /// Takes one frame off the front of `received`, or returns `None` and leaves it as it is when the frame
    /// has not arrived whole. Wrong sizes are refused as soon as they are seen.
    ///
    /// `limit` is the largest frame in bytes, its length field included ([`MAX_FRAME_SIZE`]).
    pub fn split(received: &mut BytesMut, limit: usize) -> Result<Option<Self>, FrameError> {
        match Prefix::read(received, limit)? {
            Some(prefix) if received.len() >= prefix.size => {
                let mut header = received.split_to(prefix.size).freeze().split_off(PREFIX_SIZE);
                let body = header.split_off(prefix.header_len);
                Ok(Some(Self { codec: prefix.codec, header, body }))
            }
            Some(_) | None => Ok(None),
        }
    }

    /// Size in bytes of the frame at the front of `received`, its length field included; `None` while fewer
    /// than eight bytes have arrived. Tells a reader how much to reserve.
    pub fn size(received: &[u8], limit: usize) -> Result<Option<usize>, FrameError> {
        Ok(Prefix::read(received, limit)?.map(|prefix| prefix.size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(bytes: &[u8]) -> Result<Option<Frame>, FrameError> {
        Frame::split(&mut BytesMut::from(bytes), MAX_FRAME_SIZE)
    }

    #[test]
    fn splits_header_and_body_and_leaves_the_next_frame() {
        let mut received = BytesMut::from(&b"\0\0\0\x09\0\0\0\x02{}abc\0\0"[..]);
        let frame = Frame::split(&mut received, MAX_FRAME_SIZE).unwrap().unwrap();
        assert_eq!((frame.codec, &frame.header[..], &frame.body[..]), (Codec::Json, &b"{}"[..], &b"abc"[..]));
        assert_eq!(&received[..], b"\0\0");
        assert_eq!(Frame::split(&mut received, MAX_FRAME_SIZE), Ok(None));
    }

    #[test]
    fn waits_for_a_frame_that_has_not_arrived_whole() {
        let whole = b"\0\0\0\x09\x01\0\0\x02hhabc";
        for len in 0..whole.len() {
            assert_eq!(split(&whole[..len]), Ok(None), "{len} bytes");
        }
    }

    #[test]
    fn rejects_impossible_lengths_before_the_frame_arrives() {
        assert_eq!(split(b"\xff\xff\xff\xff"), Err(FrameError::BadLength { length: -1 }));
        assert_eq!(split(b"\0\0\0\x03"), Err(FrameError::BadLength { length: 3 }));
        assert_eq!(
            split(b"\x00\xff\xff\xfd"),
            Err(FrameError::TooLong { size: MAX_FRAME_SIZE + 1, limit: MAX_FRAME_SIZE })
        );
        assert_eq!(split(b"\x00\xff\xff\xfc"), Ok(None));
        assert_eq!(split(b"\0\0\0\x05\0\0\0\x02"), Err(FrameError::HeaderTooLong { header: 2, room: 1 }));
        assert_eq!(split(b"\0\0\0\x05\x02\0\0\0"), Err(FrameError::UnknownCodec { codec: 2 }));
    }
}
