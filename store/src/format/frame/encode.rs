//! Writing a frame in three parts: head, the body from where it lies, tail.
//!
//! Offsets and store timestamp are known only inside the append, so the head is made with zeros there and
//! patched in place.

use super::super::be::put;
use super::super::{CommitOffset, HostAddr, QueueOffset, SysFlag, sysflag};
use super::{
    BEHIND_HOSTS_LEN, BLANK_LEN, BORN_HOST, COMMIT_OFFSET, FIXED_LEN, MAGIC_BLANK, MAGIC_V1, MAGIC_V2,
    MAX_PROPERTIES_LEN, MAX_TOPIC_LEN, MAX_TOPIC_V1_LEN, QUEUE_OFFSET, SYS_FLAG,
};
use crate::format::host;

/// Why a frame cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// No topic, or one longer than a frame holds.
    #[error("topic of {len} bytes; a frame holds 1 to {MAX_TOPIC_LEN}")]
    TopicLength {
        /// Bytes of the topic.
        len: usize,
    },
    /// More properties than a frame holds.
    #[error("properties of {len} bytes; a frame holds {MAX_PROPERTIES_LEN}")]
    PropertiesTooLong {
        /// Bytes of the properties.
        len: usize,
    },
    /// All parts together exceed an int32.
    #[error("body of {body_len} bytes makes the frame larger than an int32 can say")]
    FrameTooLong {
        /// Bytes of the body.
        body_len: u32,
    },
    /// The bytes to patch are not a head made by [`encode_head`].
    #[error("{len} bytes are too short for the head of a frame")]
    NotAHead {
        /// Bytes given.
        len: usize,
    },
}

/// What a frame holds besides body, properties and the fields that the append decides.
#[derive(Clone, Copy, Debug)]
pub struct FrameFields<'a> {
    /// The topic, 1 to 255 bytes.
    pub topic: &'a str,
    /// queueId.
    pub queue_id: i32,
    /// flag, the application's.
    pub flag: i32,
    /// sysFlag; its two host bits are set from the hosts, whatever stands here.
    pub sys_flag: SysFlag,
    /// bornTimestamp, ms.
    pub born_timestamp: i64,
    /// bornHost: the producer.
    pub born_host: HostAddr,
    /// storeHost: the broker.
    pub store_host: HostAddr,
    /// reconsumeTimes.
    pub reconsume_times: i32,
    /// preparedTransactionOffset.
    pub prepared_transaction_offset: i64,
    /// Bytes of the body.
    pub body_len: u32,
    /// [`body_crc`] of the body.
    pub body_crc: u32,
}

/// What the append decides: where a frame stands and when it was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Of the first message inside.
    pub queue_offset: QueueOffset,
    /// Of the frame.
    pub commit_offset: CommitOffset,
    /// ms.
    pub store_timestamp: i64,
}

/// The checksum of a body as frames hold it: CRC-32 with the top bit cleared. A stock broker ends the log at
/// the first frame where that bit is set.
#[must_use]
pub fn body_crc(body: &[u8]) -> u32 {
    crc32fast::hash(body) & 0x7FFF_FFFF
}

/// How many bytes a frame takes.
///
/// # Errors
/// Topic or properties that no frame holds, a sum above an int32.
pub fn frame_len(fields: &FrameFields<'_>, properties_len: usize) -> Result<u32, EncodeError> {
    let topic_len = fields.topic.len();
    check_parts(topic_len, properties_len)?;
    let len =
        head_len(fields) as u64 + u64::from(fields.body_len) + tail_len(topic_len, properties_len) as u64;
    let too_long = EncodeError::FrameTooLong { body_len: fields.body_len };
    i32::try_from(len).map(i32::cast_unsigned).map_err(|_| too_long)
}

/// Appends the head to `out`, with 0 for queue offset, commit offset and store timestamp, and says how many
/// bytes the whole frame takes.
///
/// # Errors
/// As [`frame_len`]; nothing is written then.
pub fn encode_head(
    fields: &FrameFields<'_>,
    properties_len: usize,
    out: &mut Vec<u8>,
) -> Result<u32, EncodeError> {
    let total_size = frame_len(fields, properties_len)?;
    let (born, store) = (&fields.born_host, &fields.store_host);
    let sys_flag = fields
        .sys_flag
        .with(sysflag::BORN_HOST_V6, born.ip.is_ipv6())
        .with(sysflag::STORE_HOST_V6, store.ip.is_ipv6());
    out.reserve(head_len(fields));
    out.extend_from_slice(&total_size.to_be_bytes());
    out.extend_from_slice(&magic_for(fields.topic.len()).to_be_bytes());
    out.extend_from_slice(&fields.body_crc.to_be_bytes());
    out.extend_from_slice(&fields.queue_id.to_be_bytes());
    out.extend_from_slice(&fields.flag.to_be_bytes());
    out.extend_from_slice(&[0; 8 + 8]);
    out.extend_from_slice(&sys_flag.0.to_be_bytes());
    out.extend_from_slice(&fields.born_timestamp.to_be_bytes());
    born.encode(out);
    out.extend_from_slice(&[0; 8]);
    store.encode(out);
    out.extend_from_slice(&fields.reconsume_times.to_be_bytes());
    out.extend_from_slice(&fields.prepared_transaction_offset.to_be_bytes());
    out.extend_from_slice(&fields.body_len.to_be_bytes());
    Ok(total_size)
}

/// Appends the tail to `out`: topic and properties with their lengths. The properties may come in several
/// parts, which are joined as they are; their sum is the `properties_len` of [`encode_head`].
///
/// # Errors
/// Topic or properties that no frame holds; nothing is written then.
pub fn encode_tail(topic: &str, properties: &[&[u8]], out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let properties_len = properties.iter().map(|part| part.len()).sum();
    check_parts(topic.len(), properties_len)?;
    out.reserve(tail_len(topic.len(), properties_len));
    // Both lengths were checked to fit an int16; the low bytes are all there is.
    let [.., high, low] = (topic.len() as u64).to_be_bytes();
    if magic_for(topic.len()) == MAGIC_V2 {
        out.push(high);
    }
    out.push(low);
    out.extend_from_slice(topic.as_bytes());
    let [.., high, low] = (properties_len as u64).to_be_bytes();
    out.extend_from_slice(&[high, low]);
    properties.iter().for_each(|part| out.extend_from_slice(part));
    Ok(())
}

/// Writes what the append decided into a head made by [`encode_head`].
///
/// # Errors
/// [`EncodeError::NotAHead`] when `head` is too short for one.
pub fn patch_offsets(
    head: &mut [u8],
    queue_offset: QueueOffset,
    commit_offset: CommitOffset,
    store_timestamp: i64,
) -> Result<(), EncodeError> {
    let not_a_head = EncodeError::NotAHead { len: head.len() };
    let (fixed, behind) = head.split_first_chunk_mut::<FIXED_LEN>().ok_or(not_a_head)?;
    let sys_flag = SysFlag(super::super::be::i32_at::<SYS_FLAG, FIXED_LEN>(fixed));
    let born_host_len = if sys_flag.has(sysflag::BORN_HOST_V6) { host::V6_LEN } else { host::V4_LEN };
    let store_timestamp_field =
        behind.get_mut(born_host_len..).and_then(|rest| rest.first_chunk_mut::<8>()).ok_or(not_a_head)?;
    *store_timestamp_field = store_timestamp.to_be_bytes();
    put::<QUEUE_OFFSET, 8, FIXED_LEN>(fixed, queue_offset.0.to_be_bytes());
    put::<COMMIT_OFFSET, 8, FIXED_LEN>(fixed, commit_offset.0.to_be_bytes());
    Ok(())
}

/// The filler for the last `remaining` bytes of a file.
#[must_use]
pub fn encode_blank(remaining: u32) -> [u8; BLANK_LEN] {
    let mut filler = [0; BLANK_LEN];
    put::<0, 4, BLANK_LEN>(&mut filler, remaining.to_be_bytes());
    put::<4, 4, BLANK_LEN>(&mut filler, MAGIC_BLANK.to_be_bytes());
    filler
}

/// Appends a whole frame to `out`, the body copied: for delivery of messages that no frame holds, and tests.
///
/// `body_len` and `body_crc` of `fields` are taken as they are.
///
/// # Errors
/// As [`frame_len`]; nothing is written then.
pub fn encode(
    fields: &FrameFields<'_>,
    body: &[u8],
    properties: &[u8],
    at: Placement,
    out: &mut Vec<u8>,
) -> Result<u32, EncodeError> {
    let start = out.len();
    let total_size = encode_head(fields, properties.len(), out)?;
    let (_, head) = out.split_at_mut(start);
    patch_offsets(head, at.queue_offset, at.commit_offset, at.store_timestamp)?;
    out.extend_from_slice(body);
    encode_tail(fields.topic, &[properties], out)?;
    Ok(total_size)
}

const fn head_len(fields: &FrameFields<'_>) -> usize {
    BORN_HOST + fields.born_host.encoded_len() + fields.store_host.encoded_len() + BEHIND_HOSTS_LEN
}

const fn tail_len(topic_len: usize, properties_len: usize) -> usize {
    let topic_length_len = if topic_len > MAX_TOPIC_V1_LEN { 2 } else { 1 };
    topic_length_len + topic_len + 2 + properties_len
}

const fn magic_for(topic_len: usize) -> i32 {
    if topic_len > MAX_TOPIC_V1_LEN { MAGIC_V2 } else { MAGIC_V1 }
}

const fn check_parts(topic_len: usize, properties_len: usize) -> Result<(), EncodeError> {
    if topic_len == 0 || topic_len > MAX_TOPIC_LEN {
        return Err(EncodeError::TopicLength { len: topic_len });
    }
    if properties_len > MAX_PROPERTIES_LEN {
        return Err(EncodeError::PropertiesTooLong { len: properties_len });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::FrameView;
    use super::*;

    /// The frame of the original's classes: topic `TopicTest`, body `hello`, two properties.
    const GOLDEN: &str = "0000007edaa320a73610a6860000000300000000000000000000002a0000000000000400000000000000\
        018bcfe568000a0000090000d4310000018bcfe568050a00000100002a9f0000000000000000000000000000000568656c6c6f\
        09546f7069635465737400154b455953016b31206b320254414753015461674102";

    fn golden() -> Vec<u8> {
        let digits: Vec<u8> = GOLDEN.bytes().filter(u8::is_ascii_hexdigit).collect();
        let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.chunks(2).map(byte).collect()
    }

    fn fields<'a>(topic: &'a str, body: &[u8]) -> FrameFields<'a> {
        FrameFields {
            topic,
            queue_id: 3,
            flag: 0,
            sys_flag: SysFlag(0),
            born_timestamp: 1_700_000_000_000,
            born_host: HostAddr { ip: [10, 0, 0, 9].into(), port: 54321 },
            store_host: HostAddr { ip: [10, 0, 0, 1].into(), port: 10911 },
            reconsume_times: 0,
            prepared_transaction_offset: 0,
            body_len: u32::try_from(body.len()).unwrap(),
            body_crc: body_crc(body),
        }
    }

    const AT: Placement = Placement {
        queue_offset: QueueOffset(42),
        commit_offset: CommitOffset(1024),
        store_timestamp: 1_700_000_000_005,
    };

    #[test]
    fn writes_the_frame_of_the_original() {
        let mut out = Vec::new();
        let properties = b"KEYS\x01k1 k2\x02TAGS\x01TagA\x02";
        let size = encode(&fields("TopicTest", b"hello"), b"hello", properties, AT, &mut out).unwrap();
        assert_eq!(out, golden());
        assert_eq!(size, 126);
        FrameView::parse(&out).unwrap().check_body_crc().unwrap();
    }

    #[test]
    fn host_bits_follow_the_hosts() {
        let mut fields = fields("T", b"");
        fields.born_host.ip = std::net::Ipv6Addr::LOCALHOST.into();
        fields.sys_flag = SysFlag(sysflag::STORE_HOST_V6);
        let mut out = Vec::new();
        encode(&fields, b"", b"", AT, &mut out).unwrap();
        let view = FrameView::parse(&out).unwrap();
        assert_eq!(view.sys_flag(), SysFlag(sysflag::BORN_HOST_V6));
        assert_eq!(view.store_timestamp(), AT.store_timestamp);
    }

    #[test]
    fn refuses_what_a_frame_cannot_hold() {
        let mut out = Vec::new();
        let long = "t".repeat(256);
        assert_eq!(encode_head(&fields("", b""), 0, &mut out), Err(EncodeError::TopicLength { len: 0 }));
        assert_eq!(encode_head(&fields(&long, b""), 0, &mut out), Err(EncodeError::TopicLength { len: 256 }));
        let too_long = Err(EncodeError::PropertiesTooLong { len: 32768 });
        assert_eq!(encode_tail("T", &[&[b'x'; 32767], b"y"], &mut out), too_long);
        let mut huge = fields("T", b"");
        huge.body_len = i32::MAX.cast_unsigned();
        let refused = Err(EncodeError::FrameTooLong { body_len: huge.body_len });
        assert_eq!(encode_head(&huge, 0, &mut out), refused);
        assert_eq!(
            patch_offsets(&mut [0; 60], QueueOffset(0), CommitOffset(0), 0),
            Err(EncodeError::NotAHead { len: 60 })
        );
        assert!(out.is_empty());
    }

    #[test]
    fn topic_length_chooses_the_version() {
        for (len, magic) in [(127, MAGIC_V1), (128, MAGIC_V2), (255, MAGIC_V2)] {
            let topic = "t".repeat(len);
            let mut out = Vec::new();
            encode(&fields(&topic, b"x"), b"x", b"", AT, &mut out).unwrap();
            let view = FrameView::parse(&out).unwrap();
            assert_eq!((view.magic(), view.topic().unwrap()), (magic, topic.as_str()));
        }
    }
}
