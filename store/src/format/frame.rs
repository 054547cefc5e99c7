//! One frame: an entry of the CommitLog, a message or a batch of them. Not the file around it, not its unit.
//!
//! | at    | size   | field                     | meaning                                                     |
//! |-------|--------|---------------------------|-------------------------------------------------------------|
//! | 0     | 4      | totalSize                 | bytes of the whole frame                                    |
//! | 4     | 4      | magicCode                 | V1, or V2 (two bytes of topic length), or blank filler      |
//! | 8     | 4      | bodyCRC                   | CRC-32 of the body, top bit cleared                         |
//! | 12    | 4      | queueId                   |                                                             |
//! | 16    | 4      | flag                      | the application's, opaque                                   |
//! | 20    | 8      | queueOffset               | of the first message inside; 0 for prepared and rollback    |
//! | 28    | 8      | physicalOffset            | commit offset of this frame                                 |
//! | 36    | 4      | sysFlag                   | see `sysflag`                                               |
//! | 40    | 8      | bornTimestamp             | ms                                                          |
//! | 48    | 8, 20  | bornHost                  | see `host`                                                  |
//! |       | 8      | storeTimestamp            | ms                                                          |
//! |       | 8, 20  | storeHost                 |                                                             |
//! |       | 4      | reconsumeTimes            |                                                             |
//! |       | 8      | preparedTransactionOffset | commit offset of the half message                           |
//! |       | 4      | bodyLength                | then the body                                               |
//! |       | 1, 2   | topicLength               | int8 in V1, int16 in V2; then the topic                     |
//! |       | 2      | propertiesLength          | int16; then the properties                                  |
//!
//! A frame of n bytes enters a file when n + [`BLANK_LEN`] bytes are left in it. Otherwise a blank filler takes
//! the rest of the file: int32 rest of the file, blank magic, and whatever was there before.
//!
//! The *head* is everything up to and including bodyLength, the *tail* everything behind the body: an append
//! writes head, body and tail from three places and never copies the body to join them.
//!
//! Source: RocketMQ 5.3.3 `store/CommitLog.java`, `store/MessageExtEncoder.java`,
//! `common/message/MessageDecoder.java`, `common/message/MessageVersion.java`.

mod encode;
mod view;

pub use encode::{
    EncodeError, FrameFields, Placement, body_crc, encode, encode_blank, encode_head, encode_tail, frame_len,
    patch_offsets,
};
pub use view::{FrameError, FrameView};

use super::be::Reader;
use super::host;

/// magicCode of a frame with one byte of topic length.
pub const MAGIC_V1: i32 = -626_843_481;
/// magicCode of a frame with two bytes of topic length.
pub const MAGIC_V2: i32 = -626_843_477;
/// magicCode of the filler at the end of a file.
pub const MAGIC_BLANK: i32 = -875_286_124;

const TOTAL_SIZE: usize = 0;
const MAGIC: usize = TOTAL_SIZE + 4;
const BODY_CRC: usize = MAGIC + 4;
const QUEUE_ID: usize = BODY_CRC + 4;
const FLAG: usize = QUEUE_ID + 4;
const QUEUE_OFFSET: usize = FLAG + 4;
const COMMIT_OFFSET: usize = QUEUE_OFFSET + 8;
const SYS_FLAG: usize = COMMIT_OFFSET + 8;
const BORN_TIMESTAMP: usize = SYS_FLAG + 4;
const BORN_HOST: usize = BORN_TIMESTAMP + 8;

/// Bytes of the fields that stand at fixed places: everything before bornHost.
const FIXED_LEN: usize = BORN_HOST;
/// Bytes of storeTimestamp, reconsumeTimes, preparedTransactionOffset and bodyLength.
const BEHIND_HOSTS_LEN: usize = 8 + 4 + 8 + 4;

const _: () = assert!(QUEUE_OFFSET == 20 && COMMIT_OFFSET == 28 && SYS_FLAG == 36 && FIXED_LEN == 48);

/// Bytes of the smallest frame: IPv4 hosts, V1, and neither body nor topic nor properties.
pub const MIN_LEN: usize = FIXED_LEN + 2 * host::V4_LEN + BEHIND_HOSTS_LEN + 1 + 2;
const _: () = assert!(MIN_LEN == 91);

/// Bytes of a blank filler that mean something; what follows them up to the end of the file does not.
pub const BLANK_LEN: usize = 4 + 4;
/// The longest topic of a V1 frame.
pub const MAX_TOPIC_V1_LEN: usize = i8::MAX as usize;
/// The longest topic of a V2 frame: the longest name RocketMQ makes, `%RETRY%` and a group.
pub const MAX_TOPIC_LEN: usize = 255;
/// The longest properties.
pub const MAX_PROPERTIES_LEN: usize = i16::MAX as usize;

/// What stands at a place of the CommitLog, judged by its first 8 bytes alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peek {
    /// A frame of this many bytes may begin here; [`FrameView::parse`] tells.
    Frame {
        /// totalSize, at least [`MIN_LEN`].
        size: u32,
    },
    /// A filler: this many bytes up to the end of the file hold nothing.
    Blank {
        /// Bytes from the beginning of the filler, at least [`BLANK_LEN`].
        size: u32,
    },
    /// Nothing was written here: size or magic is 0, or fewer than 8 bytes are left.
    End,
    /// None of these.
    Bad,
}

/// The first 8 bytes of a frame, for scanners that walk a file.
#[derive(Clone, Copy, Debug)]
pub struct FrameHead;

impl FrameHead {
    /// Bytes from which [`FrameHead::store_timestamp`] can always answer.
    pub const STORE_TIMESTAMP_LEN: usize = BORN_HOST + host::V6_LEN + 8;

    /// storeTimestamp, ms, of the frame that begins with the first of `bytes`.
    #[must_use]
    pub fn store_timestamp(bytes: &[u8]) -> Option<i64> {
        let mut reader = Reader::new(bytes.get(SYS_FLAG..)?);
        let sys_flag = super::SysFlag(reader.i32()?);
        let _born_timestamp = reader.i64()?;
        let born_host_v6 = sys_flag.has(super::sysflag::BORN_HOST_V6);
        reader.bytes(if born_host_v6 { host::V6_LEN } else { host::V4_LEN })?;
        reader.i64()
    }

    /// What begins with the first of `bytes`. Does not look at anything behind the first 8.
    #[must_use]
    pub fn peek(bytes: &[u8]) -> Peek {
        let mut reader = Reader::new(bytes);
        let (Some(size), Some(magic)) = (reader.i32(), reader.i32()) else { return Peek::End };
        if size == 0 || magic == 0 {
            return Peek::End;
        }
        let Ok(size) = u32::try_from(size) else { return Peek::Bad };
        match magic {
            MAGIC_V1 | MAGIC_V2 if size as usize >= MIN_LEN => Peek::Frame { size },
            MAGIC_BLANK if size as usize >= BLANK_LEN => Peek::Blank { size },
            _ => Peek::Bad,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peek(size: i32, magic: i32) -> Peek {
        FrameHead::peek(&[size.to_be_bytes(), magic.to_be_bytes()].concat())
    }

    #[test]
    fn tells_frames_fillers_and_nothing() {
        assert_eq!(peek(126, MAGIC_V1), Peek::Frame { size: 126 });
        assert_eq!(peek(126, MAGIC_V2), Peek::Frame { size: 126 });
        assert_eq!(peek(8, MAGIC_BLANK), Peek::Blank { size: 8 });
        assert_eq!(peek(0, 0), Peek::End);
        assert_eq!(peek(126, 0), Peek::End);
        assert_eq!(FrameHead::peek(&[0; 7]), Peek::End);
    }

    #[test]
    fn refuses_impossible_sizes_and_unknown_magic() {
        assert_eq!(peek(90, MAGIC_V1), Peek::Bad);
        assert_eq!(peek(-1, MAGIC_V1), Peek::Bad);
        assert_eq!(peek(7, MAGIC_BLANK), Peek::Bad);
        assert_eq!(peek(126, 1), Peek::Bad);
    }
}
