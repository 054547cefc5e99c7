//! Reading a frame: every length checked once, every field then at hand.

use std::str::Utf8Error;

use super::super::be::Reader;
use super::super::{CommitOffset, HostAddr, QueueOffset, SysFlag, sysflag};
use super::encode::{FrameFields, Placement, body_crc};
use super::{BEHIND_HOSTS_LEN, MAGIC_V1, MAGIC_V2, MIN_LEN};

/// Why bytes are not a frame, or not an intact one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The magic is neither V1 nor V2.
    #[error("magic code {magic} is none of a frame")]
    UnknownMagic {
        /// What stands at byte 4.
        magic: i32,
    },
    /// totalSize is smaller than any frame.
    #[error("total size {total_size} is below the smallest frame of {MIN_LEN} bytes")]
    TooSmall {
        /// What stands at byte 0.
        total_size: i32,
    },
    /// The bytes end before the frame does.
    #[error("frame of {total_size} bytes is cut after {available}")]
    Truncated {
        /// What stands at byte 0, or the smallest frame where even that is cut.
        total_size: usize,
        /// Bytes there are.
        available: usize,
    },
    /// A length inside the frame is negative or reaches behind its end.
    #[error("{field} does not fit into the frame of {total_size} bytes")]
    BadLength {
        /// Name of the length field.
        field: &'static str,
        /// What stands at byte 0.
        total_size: usize,
    },
    /// All fields together are shorter than totalSize says.
    #[error("{surplus} bytes behind the last field of a frame of {total_size} bytes")]
    Surplus {
        /// Bytes that belong to no field.
        surplus: usize,
        /// What stands at byte 0.
        total_size: usize,
    },
    /// The body is not what was written.
    #[error("body checksum is {computed:#010x}, the frame says {stored:#010x}")]
    BodyCrc {
        /// What stands in the frame.
        stored: u32,
        /// What the body gives.
        computed: u32,
    },
}

/// A frame whose sizes add up. The body's checksum is not part of that: see [`FrameView::check_body_crc`].
#[derive(Clone, Copy, Debug)]
pub struct FrameView<'a> {
    bytes: &'a [u8],
    magic: i32,
    body_crc: i32,
    queue_id: i32,
    flag: i32,
    queue_offset: QueueOffset,
    commit_offset: CommitOffset,
    sys_flag: SysFlag,
    born_timestamp: i64,
    born_host: HostAddr,
    store_timestamp: i64,
    store_host: HostAddr,
    reconsume_times: i32,
    prepared_transaction_offset: i64,
    body_at: usize,
    body: &'a [u8],
    topic: &'a [u8],
    properties: &'a [u8],
}

impl<'a> FrameView<'a> {
    /// The frame that begins with the first of `bytes`, which may go on behind it.
    ///
    /// # Errors
    /// Anything but V1 and V2 magic; a frame that is longer than `bytes`; lengths that do not add up to totalSize.
    pub fn parse(bytes: &'a [u8]) -> Result<FrameView<'a>, FrameError> {
        let frame = delimit(bytes)?;
        let total_size = frame.len();
        let bad = |field| FrameError::BadLength { field, total_size };
        let mut reader = Reader::new(frame);
        let (view, body_length) =
            read_head(&mut reader, frame).ok_or_else(|| bad("hosts of the size that sysFlag says"))?;
        let body = part(&mut reader, body_length).ok_or_else(|| bad("bodyLength"))?;
        let topic_length = match view.magic {
            MAGIC_V1 => reader.i8().map(i32::from),
            _ => reader.i16().map(i32::from),
        };
        let topic = topic_length.and_then(|len| part(&mut reader, len)).ok_or_else(|| bad("topicLength"))?;
        let properties_length = reader.i16().map(i32::from);
        let properties = properties_length
            .and_then(|len| part(&mut reader, len))
            .ok_or_else(|| bad("propertiesLength"))?;
        match reader.rest().len() {
            0 => Ok(FrameView { body, topic, properties, ..view }),
            surplus => Err(FrameError::Surplus { surplus, total_size }),
        }
    }

    /// Compares the body with its checksum.
    ///
    /// # Errors
    /// [`FrameError::BodyCrc`] when they differ.
    pub fn check_body_crc(&self) -> Result<(), FrameError> {
        let (stored, computed) = (self.body_crc.cast_unsigned(), body_crc(self.body));
        if stored == computed { Ok(()) } else { Err(FrameError::BodyCrc { stored, computed }) }
    }

    /// The frame's bytes, all of them and no more.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// totalSize: bytes of the frame.
    #[must_use]
    pub fn total_size(&self) -> u32 {
        u32::try_from(self.bytes.len()).unwrap_or(u32::MAX)
    }

    /// magicCode: `MAGIC_V1` or `MAGIC_V2`.
    #[must_use]
    pub const fn magic(&self) -> i32 {
        self.magic
    }

    /// bodyCRC as it stands there, checked or not.
    #[must_use]
    pub const fn body_crc(&self) -> i32 {
        self.body_crc
    }

    /// queueId.
    #[must_use]
    pub const fn queue_id(&self) -> i32 {
        self.queue_id
    }

    /// flag, the application's.
    #[must_use]
    pub const fn flag(&self) -> i32 {
        self.flag
    }

    /// queueOffset: of the first message inside.
    #[must_use]
    pub const fn queue_offset(&self) -> QueueOffset {
        self.queue_offset
    }

    /// physicalOffset: where the frame says it stands.
    #[must_use]
    pub const fn commit_offset(&self) -> CommitOffset {
        self.commit_offset
    }

    /// sysFlag.
    #[must_use]
    pub const fn sys_flag(&self) -> SysFlag {
        self.sys_flag
    }

    /// bornTimestamp, ms.
    #[must_use]
    pub const fn born_timestamp(&self) -> i64 {
        self.born_timestamp
    }

    /// bornHost: the producer.
    #[must_use]
    pub const fn born_host(&self) -> HostAddr {
        self.born_host
    }

    /// storeTimestamp, ms.
    #[must_use]
    pub const fn store_timestamp(&self) -> i64 {
        self.store_timestamp
    }

    /// storeHost: the broker.
    #[must_use]
    pub const fn store_host(&self) -> HostAddr {
        self.store_host
    }

    /// reconsumeTimes.
    #[must_use]
    pub const fn reconsume_times(&self) -> i32 {
        self.reconsume_times
    }

    /// preparedTransactionOffset: commit offset of the half message, or 0.
    #[must_use]
    pub const fn prepared_transaction_offset(&self) -> i64 {
        self.prepared_transaction_offset
    }

    /// Where the body begins in [`FrameView::bytes`], so that an owner of the bytes can slice without a copy.
    #[must_use]
    pub const fn body_at(&self) -> usize {
        self.body_at
    }

    /// The body as stored, compressed where sysFlag says so.
    #[must_use]
    pub const fn body(&self) -> &'a [u8] {
        self.body
    }

    /// The topic as it stands there.
    #[must_use]
    pub const fn topic_bytes(&self) -> &'a [u8] {
        self.topic
    }

    /// The topic.
    ///
    /// # Errors
    /// A frame whose topic was damaged may hold bytes that are no text; no checksum covers them.
    pub const fn topic(&self) -> Result<&'a str, Utf8Error> {
        str::from_utf8(self.topic)
    }

    /// The properties, to be read with `properties`.
    #[must_use]
    pub const fn properties(&self) -> &'a [u8] {
        self.properties
    }

    /// What the frame is written from, beside body and properties.
    ///
    /// # Errors
    /// A topic that is not UTF-8.
    pub fn fields(&self) -> Result<FrameFields<'a>, Utf8Error> {
        Ok(FrameFields {
            topic: self.topic()?,
            queue_id: self.queue_id(),
            flag: self.flag(),
            sys_flag: self.sys_flag(),
            born_timestamp: self.born_timestamp(),
            born_host: self.born_host(),
            store_host: self.store_host(),
            reconsume_times: self.reconsume_times(),
            prepared_transaction_offset: self.prepared_transaction_offset(),
            body_len: u32::try_from(self.body().len()).unwrap_or(u32::MAX),
            body_crc: self.body_crc().cast_unsigned(),
        })
    }

    /// Where it stands and when it was stored.
    #[must_use]
    pub const fn placement(&self) -> Placement {
        Placement {
            queue_offset: self.queue_offset(),
            commit_offset: self.commit_offset(),
            store_timestamp: self.store_timestamp(),
        }
    }
}

/// The bytes of the frame, cut at its totalSize, when magic and size allow one.
fn delimit(bytes: &[u8]) -> Result<&[u8], FrameError> {
    let available = bytes.len();
    let mut reader = Reader::new(bytes);
    let (Some(size), Some(magic)) = (reader.i32(), reader.i32()) else {
        return Err(FrameError::Truncated { total_size: MIN_LEN, available });
    };
    if magic != MAGIC_V1 && magic != MAGIC_V2 {
        return Err(FrameError::UnknownMagic { magic });
    }
    let total_size = usize::try_from(size).unwrap_or(0);
    if total_size < MIN_LEN {
        return Err(FrameError::TooSmall { total_size: size });
    }
    bytes.get(..total_size).ok_or(FrameError::Truncated { total_size, available })
}

/// Everything up to and including bodyLength; the parts behind it are still empty in the view.
fn read_head<'a>(reader: &mut Reader<'a>, frame: &'a [u8]) -> Option<(FrameView<'a>, i32)> {
    let _total_size = reader.i32()?;
    let magic = reader.i32()?;
    let body_crc = reader.i32()?;
    let queue_id = reader.i32()?;
    let flag = reader.i32()?;
    let queue_offset = QueueOffset(reader.i64()?);
    let commit_offset = CommitOffset(reader.i64()?);
    let sys_flag = SysFlag(reader.i32()?);
    let born_timestamp = reader.i64()?;
    let born_host = HostAddr::read(reader, sys_flag.has(sysflag::BORN_HOST_V6))?;
    let store_timestamp = reader.i64()?;
    let store_host = HostAddr::read(reader, sys_flag.has(sysflag::STORE_HOST_V6))?;
    let reconsume_times = reader.i32()?;
    let prepared_transaction_offset = reader.i64()?;
    let body_length = reader.i32()?;
    let view = FrameView {
        bytes: frame,
        magic,
        body_crc,
        queue_id,
        flag,
        queue_offset,
        commit_offset,
        sys_flag,
        born_timestamp,
        born_host,
        store_timestamp,
        store_host,
        reconsume_times,
        prepared_transaction_offset,
        body_at: super::FIXED_LEN + born_host.encoded_len() + store_host.encoded_len() + BEHIND_HOSTS_LEN,
        body: &[],
        topic: &[],
        properties: &[],
    };
    Some((view, body_length))
}

/// The next `len` bytes; a negative length is none.
fn part<'a>(reader: &mut Reader<'a>, len: i32) -> Option<&'a [u8]> {
    reader.bytes(usize::try_from(len).ok()?)
}
