//! A native read of a batch frame: its records decoded once, handed out one by one as native frames.
//!
//! A record's frame has the record's own queue offset, its [`RecordAddress`] in place of the commit offset, and
//! the batch's hosts and store time. It never has `INNER_` properties or the batch bits, so nothing derived
//! from it can be taken for a batch. Request headers count only where the batch was searched at append (`__KB`).
//! Stock inner batches (0xC0) are unwrapped the same way, for clients that cannot do it themselves.
//! Not here: the cache of decoded batches (`decoded_cache`), transactions (which records may be seen).

use std::io::Write;

use gantry_protocols::compression::DecompressError;
use gantry_protocols::kafka::batch::BatchView;
use gantry_protocols::kafka::batch_error::{BatchError, BlockError};
use gantry_protocols::kafka::record::{Record, RecordError};
use gantry_protocols::kafka::varint::Reader;
use gantry_store::format::frame::{
    EncodeError, FrameFields, FrameView, MAX_PROPERTIES_LEN, Placement, body_crc, encode, frame_len,
};
use gantry_store::format::host::HostAddr;
use gantry_store::format::names;
use gantry_store::format::offset::{CommitOffset, QueueOffset};
use gantry_store::format::properties::find;
use gantry_store::format::sysflag::{BATCH_MASK, BatchKind, SysFlag};

use super::address::{QueueOrdinal, RecordAddress, RecordKey};
use super::inner_batch::{BadItem, Item, Items, split_item};
use super::record_properties::{self, Scratch, Source};
use super::request_headers::Requests;
use super::tag_bloom::{self, TagBloom};

/// Bytes kept for `UNIQ_KEY` when it is computed.
const KEY_ROOM: usize = names::UNIQ_KEY.len() + RecordKey::TEXT_LEN + 2;

/// Why a batch frame cannot be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The frame holds one message and needs no decoding.
    #[error("frame at queue offset {0} is no batch")]
    NotABatch(QueueOffset),
    /// The body is no Kafka batch.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// The records do not decompress, or to more than allowed.
    #[error(transparent)]
    Decompress(#[from] DecompressError),
    /// A record is malformed.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// An item of an inner batch is malformed.
    #[error(transparent)]
    Item(#[from] BadItem),
    /// The decompressed records are beyond 4 GiB.
    #[error("the decoded records have {0} bytes")]
    TooLarge(usize),
}

/// Why a record has no native frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordFrameError {
    /// The record is larger than what one answer may hold; native readers have to go past it.
    #[error("the record's frame has {len} bytes; an answer holds {max}")]
    TooLarge {
        /// Bytes of the frame.
        len: u32,
        /// Bytes allowed.
        max: u32,
    },
    /// There is no record of that index.
    #[error("the batch has no record {0}")]
    NoRecord(usize),
    /// The queue offset is beyond what an address can name.
    #[error("queue offset {0} has no record address")]
    NoAddress(QueueOffset),
    /// The frame cannot be written, for example because of the topic's length.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

/// Where the records are handed to.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    /// Topic written into the frames: the name the client used.
    pub topic: &'a str,
    /// The stored topic, which computed keys are checked against.
    pub stored_topic: &'a str,
    /// brokerName.
    pub broker: &'a str,
    /// Queue id.
    pub queue_id: u16,
    /// The queue's ordinal.
    pub ordinal: QueueOrdinal,
    /// Largest frame, bytes; a remoting frame holds 16 MiB.
    pub frame_max: u32,
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivered {
    /// Its frame was appended.
    Frame {
        /// Bytes of the frame.
        len: u32,
    },
    /// It is a control record: its offset passes, it is never shown.
    Control,
}

/// The records of one batch frame, decompressed and indexed.
#[derive(Clone, Debug)]
pub struct DecodedBatch {
    kind: Kind,
    block: Vec<u8>,
    /// Where each record begins in the block.
    starts: Vec<u32>,
    base: QueueOffset,
    sys_flag: SysFlag,
    born_timestamp: i64,
    born_host: HostAddr,
    store_host: HostAddr,
    store_timestamp: i64,
    reconsume_times: i32,
}

/// What differs between the two kinds of batch.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Kafka { base_timestamp: i64, append_time: Option<i64>, control: bool, searched: bool },
    Inner,
}

impl DecodedBatch {
    /// Decodes a batch frame whose body's CRC holds; the records may have `cap` bytes.
    ///
    /// # Errors
    /// [`DecodeError`]: such a frame is damaged or beyond the cap, and no record of it can be shown.
    pub fn decode(frame: &FrameView<'_>, cap: usize) -> Result<DecodedBatch, DecodeError> {
        let (kind, block, starts) = match frame.sys_flag().batch_kind() {
            BatchKind::Native => return Err(DecodeError::NotABatch(frame.queue_offset())),
            BatchKind::KafkaBatch => decode_kafka(frame, cap)?,
            BatchKind::InnerBatch => decode_inner(frame)?,
        };
        Ok(DecodedBatch {
            kind,
            block,
            starts,
            base: frame.queue_offset(),
            sys_flag: frame.sys_flag().with(BATCH_MASK, false),
            born_timestamp: frame.born_timestamp(),
            born_host: frame.born_host(),
            store_host: frame.store_host(),
            store_timestamp: frame.store_timestamp(),
            reconsume_times: frame.reconsume_times(),
        })
    }

    /// Number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// Whether there is no record: an emptied batch of a compacted log.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// Memory the decoded batch takes, bytes.
    #[must_use]
    pub fn cost_bytes(&self) -> usize {
        size_of::<DecodedBatch>() + self.block.capacity() + self.starts.capacity() * size_of::<u32>()
    }

    /// The index of the first record at or behind `offset`; `len()` when all stand before it.
    #[must_use]
    pub fn index_at(&self, offset: QueueOffset) -> usize {
        let all = 0..self.len();
        let distance = usize::try_from(offset.messages_since(self.base)).unwrap_or(0);
        // Offsets are dense unless a log was compacted, so the guess is nearly always right.
        match self.offset_of(distance) {
            Some(found) if found == offset => distance,
            _ => all.into_iter().find(|i| self.offset_of(*i) >= Some(offset)).unwrap_or(self.len()),
        }
    }

    /// The queue offset of a record.
    #[must_use]
    pub fn offset_of(&self, index: usize) -> Option<QueueOffset> {
        match self.kind {
            Kind::Kafka { .. } => Some(self.base.plus(i64::from(self.record(index)?.offset_delta))),
            Kind::Inner => self.starts.get(index).and(i64::try_from(index).ok()).map(|i| self.base.plus(i)),
        }
    }

    /// The tag of a record.
    #[must_use]
    pub fn tag_of(&self, index: usize) -> Option<&str> {
        match self.kind {
            Kind::Kafka { searched: false, .. } | Kind::Kafka { control: true, .. } => None,
            Kind::Kafka { .. } => Requests::read(self.record(index)?.headers).ok()?.tags,
            Kind::Inner => str::from_utf8(find(self.item(index)?.properties, names::TAGS)?).ok(),
        }
    }

    /// Appends the native frame of a record to `out`.
    ///
    /// # Errors
    /// [`RecordFrameError`]; `out` is then as before.
    pub fn native_frame(
        &self,
        index: usize,
        to: &Delivery<'_>,
        scratch: &mut DeliveryScratch,
        out: &mut Vec<u8>,
    ) -> Result<Delivered, RecordFrameError> {
        let missing = RecordFrameError::NoRecord(index);
        let at = self.offset_of(index).ok_or(missing)?;
        scratch.properties.clear();
        let part = match self.kind {
            Kind::Kafka { control: true, .. } => return Ok(Delivered::Control),
            Kind::Kafka { .. } => self.kafka_part(&self.record(index).ok_or(missing)?, at, to, scratch),
            Kind::Inner => self.inner_part(self.item(index).ok_or(missing)?, scratch),
        };
        let address = RecordAddress::new(to.ordinal, at).ok_or(RecordFrameError::NoAddress(at))?;
        let len = self.write(&part, at, address, to, &scratch.properties, out)?;
        Ok(Delivered::Frame { len })
    }

    fn kafka_part<'a>(
        &self,
        record: &Record<'a>,
        at: QueueOffset,
        to: &Delivery<'_>,
        scratch: &mut DeliveryScratch,
    ) -> Part<'a> {
        let Kind::Kafka { base_timestamp, append_time, searched, .. } = self.kind else {
            return Part::default();
        };
        // What was refused at append cannot stand here; should it, it is data.
        let requests = if searched { Requests::read(record.headers).ok() } else { None };
        let asked = requests.unwrap_or_default();
        let source = Source { record, requests: requests.as_ref(), unique_key: asked.msg_id };
        let DeliveryScratch { properties, record: buffers } = scratch;
        record_properties::write_cut(source, MAX_PROPERTIES_LEN - KEY_ROOM, buffers, properties);
        if asked.msg_id.is_none() {
            let key = RecordKey::new(to.broker, to.stored_topic, to.queue_id, at);
            let written = write!(properties, "{}\x01{key}\x02", names::UNIQ_KEY);
            debug_assert!(written.is_ok(), "a vector takes every byte");
        }
        let born = append_time.unwrap_or(base_timestamp.wrapping_add(record.timestamp_delta));
        Part { flag: asked.flag.unwrap_or(0), born_timestamp: born, body: record.value.unwrap_or_default() }
    }

    fn inner_part<'a>(&self, item: Item<'a>, scratch: &mut DeliveryScratch) -> Part<'a> {
        scratch.properties.extend_from_slice(item.properties);
        Part { flag: item.flag, born_timestamp: self.born_timestamp, body: item.body }
    }

    fn write(
        &self,
        part: &Part<'_>,
        at: QueueOffset,
        address: RecordAddress,
        to: &Delivery<'_>,
        properties: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<u32, RecordFrameError> {
        let fields = FrameFields {
            topic: to.topic,
            queue_id: i32::from(to.queue_id),
            flag: part.flag,
            sys_flag: self.sys_flag,
            born_timestamp: part.born_timestamp,
            born_host: self.born_host,
            store_host: self.store_host,
            reconsume_times: self.reconsume_times,
            prepared_transaction_offset: 0,
            body_len: u32::try_from(part.body.len()).unwrap_or(u32::MAX),
            body_crc: body_crc(part.body),
        };
        let (len, max) = (frame_len(&fields, properties.len())?, to.frame_max);
        if len > max {
            return Err(RecordFrameError::TooLarge { len, max });
        }
        let placement = Placement {
            queue_offset: at,
            commit_offset: CommitOffset(address.value()),
            store_timestamp: self.store_timestamp,
        };
        Ok(encode(&fields, part.body, properties, placement, out)?)
    }

    fn record(&self, index: usize) -> Option<Record<'_>> {
        Record::decode(&mut Reader::new(self.bytes_at(index)?)).ok()
    }

    fn item(&self, index: usize) -> Option<Item<'_>> {
        split_item(self.bytes_at(index)?).map(|(item, _)| item)
    }

    fn bytes_at(&self, index: usize) -> Option<&[u8]> {
        let start = usize::try_from(*self.starts.get(index)?).ok()?;
        self.block.get(start..)
    }
}

/// Buffers of [`DecodedBatch::native_frame`], used again for every record.
#[derive(Debug, Default)]
pub struct DeliveryScratch {
    properties: Vec<u8>,
    record: Scratch,
}

/// What a record gives to its frame.
#[derive(Clone, Copy, Debug, Default)]
struct Part<'a> {
    flag: i32,
    born_timestamp: i64,
    body: &'a [u8],
}

type Decoded = (Kind, Vec<u8>, Vec<u32>);

fn decode_kafka(frame: &FrameView<'_>, cap: usize) -> Result<Decoded, DecodeError> {
    let view = BatchView::only(frame.body())?;
    let block = match view.decompressed(cap) {
        Ok(block) => block.into_owned(),
        Err(BlockError::Batch(error)) => return Err(error.into()),
        Err(BlockError::Decompress(error)) => return Err(error.into()),
    };
    let mut starts = Vec::new();
    let mut input = Reader::new(&block);
    for _ in 0..view.count() {
        starts.push(start_of(block.len() - input.left())?);
        Record::decode(&mut input)?;
    }
    if input.left() > 0 {
        return Err(RecordError::Trailing(input.left()).into());
    }
    let bloom = find(frame.properties(), tag_bloom::PROPERTY).map_or(TagBloom::UNKNOWN, TagBloom::parse);
    let kind = Kind::Kafka {
        base_timestamp: view.base_timestamp(),
        append_time: view.is_log_append_time().then(|| view.max_timestamp()),
        control: view.is_control(),
        searched: bloom != TagBloom::UNKNOWN,
    };
    starts.shrink_to_fit();
    Ok((kind, block, starts))
}

fn decode_inner(frame: &FrameView<'_>) -> Result<Decoded, DecodeError> {
    let mut starts = Vec::new();
    let mut items = Items::new(frame.body());
    loop {
        let at = items.at();
        match items.next() {
            Some(item) => item.map(|_| ())?,
            None => break,
        }
        starts.push(start_of(at)?);
    }
    Ok((Kind::Inner, frame.body().to_vec(), starts))
}

fn start_of(at: usize) -> Result<u32, DecodeError> {
    u32::try_from(at).map_err(|_| DecodeError::TooLarge(at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::inner_batch::encode_item;
    use crate::mapping::test_records::{TestRecord, batch, kept, native, rules};
    use gantry_protocols::kafka::attributes::{Attributes, Codec};
    use gantry_protocols::kafka::batch_builder::{BatchBuilder, BatchFields, TransactionEnd};

    fn to() -> Delivery<'static> {
        let ordinal = QueueOrdinal::new(1).unwrap();
        let (topic, stored_topic) = ("orders%2Ev1", "orders.v1");
        Delivery { topic, stored_topic, broker: "b", queue_id: 1, ordinal, frame_max: 1 << 20 }
    }

    fn decode(frame: &[u8]) -> Result<DecodedBatch, DecodeError> {
        DecodedBatch::decode(&FrameView::parse(frame).unwrap(), 1 << 20)
    }

    fn frame_of(decoded: &DecodedBatch, index: usize) -> Result<(Delivered, Vec<u8>), RecordFrameError> {
        let mut out = Vec::new();
        let delivered = decoded.native_frame(index, &to(), &mut DeliveryScratch::default(), &mut out)?;
        Ok((delivered, out))
    }

    fn tagged(tags: &[&str]) -> Vec<TestRecord> {
        let record = |tag: &&str| TestRecord::new(Some(b"k"), Some(b"v")).header("rmq.tags", tag.as_bytes());
        tags.iter().map(record).collect()
    }

    #[test]
    fn a_read_begins_inside_the_batch() {
        let bytes =
            batch(&tagged(&["A", "B", "A"]), &BatchFields { codec: Codec::Zstd, ..BatchFields::default() });
        let decoded = decode(&kept(bytes, &rules(), 700)).unwrap();
        let index = |at| decoded.index_at(QueueOffset(at));
        assert_eq!((index(0), index(700), index(702), index(703), index(i64::MAX)), (0, 0, 2, 3, 3));
        assert_eq!([0, 1, 2, 3].map(|i| decoded.tag_of(i)), [Some("A"), Some("B"), Some("A"), None]);
        assert_eq!(frame_of(&decoded, 3), Err(RecordFrameError::NoRecord(3)));
    }

    #[test]
    fn headers_count_only_where_the_batch_was_searched() {
        let plain = crate::mapping::incoming::ProduceRules { search: false, ..rules() };
        let decoded = decode(&kept(batch(&tagged(&["A"]), &BatchFields::default()), &plain, 0)).unwrap();
        assert_eq!(decoded.tag_of(0), None);
        let (_, frame) = frame_of(&decoded, 0).unwrap();
        let view = FrameView::parse(&frame).unwrap();
        assert_eq!(find(view.properties(), "TAGS"), None);
        assert_eq!(find(view.properties(), "rmq.tags"), Some(&b"A"[..]));
    }

    #[test]
    fn the_client_sees_the_name_it_used_and_a_key_of_the_stored_one() {
        let decoded = decode(&kept(batch(&tagged(&["A"]), &BatchFields::default()), &rules(), 7)).unwrap();
        let (_, frame) = frame_of(&decoded, 0).unwrap();
        let view = FrameView::parse(&frame).unwrap();
        assert_eq!(view.topic(), Ok("orders%2Ev1"));
        let key = RecordKey::new("b", "orders.v1", 1, QueueOffset(7)).to_string();
        assert_eq!(find(view.properties(), "UNIQ_KEY"), Some(key.as_bytes()));
        assert_eq!(view.store_timestamp(), 9_999);
    }

    #[test]
    fn control_records_pass_unseen() {
        let mut builder = BatchBuilder::new();
        builder.push_marker(TransactionEnd::Commit, 1, 5).unwrap();
        let attributes = Attributes::TRANSACTIONAL.with(Attributes::CONTROL);
        let mut body = bytes::BytesMut::new();
        builder.finish(&BatchFields { attributes, ..BatchFields::default() }, &mut body).unwrap();
        let decoded = decode(&native(&body, 0x80, 0, b"INNER_NUM\x011\x02", 3)).unwrap();
        assert_eq!(frame_of(&decoded, 0), Ok((Delivered::Control, Vec::new())));
        assert_eq!((decoded.len(), decoded.tag_of(0)), (1, None));
    }

    #[test]
    fn a_record_larger_than_an_answer_has_no_frame() {
        let large = TestRecord::new(None, Some(&vec![b'x'; 900_000]));
        let decoded = decode(&kept(batch(&[large], &BatchFields::default()), &rules(), 0)).unwrap();
        let small = Delivery { frame_max: 1000, ..to() };
        let mut out = b"before".to_vec();
        let refused = decoded.native_frame(0, &small, &mut DeliveryScratch::default(), &mut out);
        assert!(matches!(refused, Err(RecordFrameError::TooLarge { max: 1000, .. })));
        assert_eq!(out, b"before");
    }

    #[test]
    fn a_header_block_beyond_the_properties_is_cut_and_marked() {
        let record = TestRecord::new(Some(b"k"), None).header("bin", &[0xff; 40_000]).header("x", b"1");
        let decoded = decode(&kept(batch(&[record], &BatchFields::default()), &rules(), 0)).unwrap();
        let (_, frame) = frame_of(&decoded, 0).unwrap();
        let view = FrameView::parse(&frame).unwrap();
        let found = |name| find(view.properties(), name);
        assert_eq!(
            (found("__KHX"), found("__KH"), found("x"), found("__KN")),
            (Some(&b"1"[..]), None, Some(&b"1"[..]), Some(&b"1"[..]))
        );
        assert!(found("UNIQ_KEY").is_some());
    }

    #[test]
    fn inner_batches_of_a_stock_broker_become_single_messages() {
        let body = [encode_item(7, b"one", b"TAGS\x01A\x02UNIQ_KEY\x01id\x02"), encode_item(0, b"two", b"")]
            .concat();
        let decoded = decode(&native(&body, 0xC0, 0, b"INNER_NUM\x012\x02INNER_BASE\x0140\x02", 40)).unwrap();
        assert_eq!((decoded.len(), decoded.index_at(QueueOffset(41)), decoded.tag_of(0)), (2, 1, Some("A")));
        let (_, frame) = frame_of(&decoded, 0).unwrap();
        let view = FrameView::parse(&frame).unwrap();
        assert_eq!(
            (view.body(), view.flag(), view.sys_flag().0, view.born_timestamp()),
            (&b"one"[..], 7, 0, 1234)
        );
        assert_eq!(view.properties(), b"TAGS\x01A\x02UNIQ_KEY\x01id\x02");
    }

    #[test]
    fn damaged_and_foreign_frames_are_refused() {
        assert_eq!(decode(&native(b"x", 0, 0, b"", 3)).unwrap_err(), DecodeError::NotABatch(QueueOffset(3)));
        assert!(matches!(decode(&native(b"x", 0x80, 0, b"", 3)), Err(DecodeError::Batch(_))));
        assert!(matches!(
            decode(&native(b"xyz", 0xC0, 0, b"", 3)),
            Err(DecodeError::Item(BadItem { at: 0 }))
        ));
        let bytes =
            batch(&tagged(&["A"; 100]), &BatchFields { codec: Codec::Gzip, ..BatchFields::default() });
        let frame = kept(bytes, &rules(), 0);
        let capped = DecodedBatch::decode(&FrameView::parse(&frame).unwrap(), 100);
        assert_eq!(capped.unwrap_err(), DecodeError::Decompress(DecompressError::TooLarge { cap: 100 }));
    }
}
