//! Kafka records as owned values, for the tests of this module: made into batches by the builder, and compared
//! after a round trip.

use bytes::{Bytes, BytesMut};
use gantry_protocols::kafka::attributes::Codec;
use gantry_protocols::kafka::batch::{BatchView, Batches};
use gantry_protocols::kafka::batch_builder::{BatchBuilder, BatchFields, NewRecord};
use gantry_protocols::kafka::record::Record;
use gantry_store::format::frame::{FrameFields, FrameView, Placement, body_crc, encode};
use gantry_store::format::host::HostAddr;
use gantry_store::format::inner::{INNER_LEN, InnerNum, inner_properties};
use gantry_store::format::offset::{CommitOffset, QueueOffset};
use gantry_store::format::sysflag::SysFlag;
use proptest::prelude::*;

use super::frame_parts::FrameParts;
use super::incoming::{IncomingBatch, ProduceRules};
use super::native_record::NativeHeaders;
use super::pack::{Fit, PackRules, Packer};
use super::record_properties::Scratch;
use super::tag_bloom::TagBloom;
use super::{explode, verbatim};

/// One record; `None` is null.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TestRecord {
    pub(crate) timestamp: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl TestRecord {
    pub(crate) fn new(key: Option<&[u8]>, value: Option<&[u8]>) -> TestRecord {
        TestRecord {
            timestamp: 1000,
            key: key.map(<[u8]>::to_vec),
            value: value.map(<[u8]>::to_vec),
            headers: Vec::new(),
        }
    }

    pub(crate) fn header(mut self, name: &str, value: &[u8]) -> TestRecord {
        self.headers.push((name.as_bytes().to_vec(), Some(value.to_vec())));
        self
    }
}

/// A batch of `records` at consecutive offsets.
pub(crate) fn batch(records: &[TestRecord], fields: &BatchFields) -> Bytes {
    let mut builder = BatchBuilder::new();
    for (offset_delta, record) in (0..).zip(records) {
        let new = NewRecord {
            timestamp: record.timestamp,
            offset_delta,
            key: record.key.as_deref(),
            value: record.value.as_deref(),
        };
        builder.push(new, record.headers.iter().map(|(n, v)| (n.as_slice(), v.as_deref()))).unwrap();
    }
    let mut out = BytesMut::new();
    builder.finish(fields, &mut out).unwrap();
    out.freeze()
}

/// The records of a batch and their offsets.
pub(crate) fn records(batch: &BatchView<'_>) -> Vec<(i64, TestRecord)> {
    let block = batch.decompressed(1 << 30).unwrap();
    let owned = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
    batch
        .records(&block)
        .map(|record| {
            let record = record.unwrap();
            let headers = record.headers.iter().map(|(n, v)| (n.to_vec(), owned(v))).collect();
            let offset = batch.base_offset() + i64::from(record.offset_delta);
            let timestamp = batch.timestamp(record.timestamp_delta);
            (offset, TestRecord { timestamp, key: owned(record.key), value: owned(record.value), headers })
        })
        .collect()
}

/// Calls `look` with the record as the walker reads it.
pub(crate) fn with_record<T>(record: &TestRecord, look: impl FnOnce(&Record<'_>) -> T) -> T {
    let bytes = batch(std::slice::from_ref(record), &BatchFields::default());
    let view = BatchView::only(&bytes).unwrap();
    look(&view.records(view.stored_records()).next().unwrap().unwrap())
}

/// Keys, values and headers of every kind the mapping treats differently.
pub(crate) fn any_record() -> impl Strategy<Value = TestRecord> {
    let text = || {
        prop_oneof![
            Just(Vec::new()),
            Just(b"k1".to_vec()),
            Just(b"k1 k2".to_vec()),
            Just(b"\x01\x02".to_vec()),
            proptest::collection::vec(any::<u8>(), 0..6),
            "[a-zß ]{0,4}".prop_map(String::into_bytes),
        ]
    };
    let name = prop_oneof![
        3 => "[abß]{1,2}", 1 => Just(String::new()), 1 => Just("DELAY".to_owned()), 1 => Just("rmq.user.a".to_owned()),
        1 => Just("rmq.reconsume.times".to_owned()), 1 => Just("kafka.h.a".to_owned()), 1 => Just("__KK".to_owned()),
    ];
    let data = (name.prop_map(String::into_bytes), proptest::option::of(text()));
    let request = (
        prop_oneof![Just("rmq.tags"), Just("rmq.keys"), Just("rmq.sharding.key"), Just("rmq.msg.id")],
        "[a-c]{1,2}( [a-c])?",
    );
    let request = request.prop_map(|(n, v)| (n.as_bytes().to_vec(), Some(v.into_bytes())));
    let headers = proptest::collection::vec(prop_oneof![4 => data, 1 => request], 0..5);
    (0i64..5000, proptest::option::of(text()), proptest::option::of(text()), headers)
        .prop_map(|(timestamp, key, value, headers)| TestRecord { timestamp, key, value, headers })
}

/// Every codec.
pub(crate) fn any_codec() -> impl Strategy<Value = Codec> {
    prop_oneof![
        Just(Codec::None),
        Just(Codec::Gzip),
        Just(Codec::Snappy),
        Just(Codec::Lz4),
        Just(Codec::Zstd)
    ]
}

/// Rules of an ordinary mode B topic.
pub(crate) fn rules() -> ProduceRules {
    ProduceRules {
        api_version: 9,
        max_message_bytes: 1 << 20,
        max_decompressed_bytes: 64 << 20,
        search: true,
        compacted: false,
        explode: false,
        index_record_keys: false,
        now_ms: 2_000_000_000_000,
        timestamp_before_max_ms: i64::MAX,
        timestamp_after_max_ms: i64::MAX,
        log_append_time: false,
    }
}

/// Rules of a fetch.
pub(crate) fn pack_rules() -> PackRules {
    PackRules {
        leader_epoch: 5,
        codec: Codec::None,
        headers: NativeHeaders::Basic,
        body_max_bytes: 1 << 20,
        batch_max_bytes: 1 << 20,
        max_bytes: 16 << 20,
        log_append_time: false,
    }
}

/// The stored bytes of a frame of topic `orders`, queue 1.
pub(crate) fn stored(parts: &FrameParts, buffer: &[u8], queue_offset: QueueOffset) -> Vec<u8> {
    native_frame(parts, parts.properties(buffer), queue_offset)
}

/// As [`stored`], with other properties.
pub(crate) fn native_frame(parts: &FrameParts, properties: &[u8], queue_offset: QueueOffset) -> Vec<u8> {
    let fields = FrameFields {
        topic: "orders",
        queue_id: 1,
        flag: parts.flag,
        sys_flag: parts.sys_flag,
        born_timestamp: parts.born_timestamp,
        born_host: HostAddr { ip: [10, 0, 0, 9].into(), port: 5000 },
        store_host: HostAddr { ip: [10, 0, 0, 1].into(), port: 10911 },
        reconsume_times: 0,
        prepared_transaction_offset: 0,
        body_len: u32::try_from(parts.body.len()).unwrap(),
        body_crc: body_crc(&parts.body),
    };
    let commit_offset = CommitOffset(queue_offset.0 * 1000);
    let at = Placement { queue_offset, commit_offset, store_timestamp: 9_999 };
    let mut out = Vec::new();
    encode(&fields, &parts.body, properties, at, &mut out).unwrap();
    out
}

/// The frame of a native message.
pub(crate) fn native(body: &[u8], sys_flag: i32, flag: i32, properties: &[u8], queue_offset: i64) -> Vec<u8> {
    let parts = FrameParts {
        sys_flag: SysFlag(sys_flag),
        flag,
        born_timestamp: 1234,
        body: Bytes::copy_from_slice(body),
        properties: 0..0,
        tags_code: 0,
        bloom: TagBloom::UNKNOWN,
        count: InnerNum::ONE,
    };
    native_frame(&parts, properties, QueueOffset(queue_offset))
}

/// The mode S frames of a batch, as stored from `base` on.
pub(crate) fn exploded(bytes: Bytes, rules: &ProduceRules, base: i64) -> Vec<Vec<u8>> {
    let incoming = IncomingBatch::check(bytes, &ProduceRules { explode: true, ..*rules }).unwrap();
    let (mut parts, mut buffer) = (Vec::new(), Vec::new());
    explode::frames(&incoming, &mut Scratch::default(), &mut buffer, |frame| parts.push(frame)).unwrap();
    (base..).zip(&parts).map(|(at, parts)| stored(parts, &buffer, QueueOffset(at))).collect()
}

/// The mode B frame of a batch, as stored at `base`.
pub(crate) fn kept(bytes: Bytes, rules: &ProduceRules, base: i64) -> Vec<u8> {
    let incoming = IncomingBatch::check(bytes, rules).unwrap();
    let mut buffer = Vec::new();
    let parts = verbatim::frame(&incoming, &mut buffer).unwrap();
    let properties = inner_properties(parts.count, QueueOffset(base)).into_iter();
    let properties: Vec<u8> =
        properties.chain(parts.properties(&buffer)[INNER_LEN..].iter().copied()).collect();
    native_frame(&parts, &properties, QueueOffset(base))
}

/// Packs frames into one fetch answer.
pub(crate) fn packed(frames: &[Vec<u8>], rules: PackRules) -> Bytes {
    let mut packer = Packer::new(rules);
    let mut out = BytesMut::new();
    for frame in frames {
        let frame = FrameView::parse(frame).unwrap();
        assert_eq!(packer.push(&frame, QueueOffset(0), &mut out), Ok(Fit::Packed));
    }
    packer.finish(&mut out).unwrap();
    out.freeze()
}

/// All records of a fetch answer with their offsets.
pub(crate) fn fetched(answer: &[u8]) -> Vec<(i64, TestRecord)> {
    Batches::new(answer)
        .flat_map(|batch| {
            let batch = batch.unwrap();
            batch.check_crc().unwrap();
            records(&batch)
        })
        .collect()
}

/// An uncompressed batch of these values.
pub(crate) fn values(values: &[&[u8]]) -> Bytes {
    let records: Vec<_> = values.iter().map(|value| TestRecord::new(None, Some(value))).collect();
    batch(&records, &BatchFields::default())
}
