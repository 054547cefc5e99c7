//! Random record batches: builder, view and walk agree with each other and, where it is able, with the crate.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use bytes::{Bytes, BytesMut};
use gantry_protocols::kafka::attributes::{Attributes, Codec};
use gantry_protocols::kafka::batch::{BatchView, Batches};
use gantry_protocols::kafka::batch_builder::{BatchBuilder, BatchFields, BuildError, NewRecord};
use gantry_protocols::kafka::record::{RecordError, check_dense};
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records::{
    Compression, Record as CrateRecord, RecordBatchDecoder, RecordBatchEncoder, RecordEncodeOptions,
    TimestampType,
};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

const CODECS: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];
const CAP: usize = 1 << 20;

type Headers = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// An owned record as the strategy makes it.
#[derive(Clone, Debug, PartialEq)]
struct Owned {
    timestamp: i64,
    gap: i32,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Headers,
}

fn record() -> impl Strategy<Value = Owned> {
    let bytes = || of(vec(any::<u8>(), 0..200));
    // Timestamps of this century: the crate adds deltas without a check.
    (0..4_000_000_000_000_i64, 1..4_i32, bytes(), bytes(), vec((vec(any::<u8>(), 0..9), bytes()), 0..4))
        .prop_map(|(timestamp, gap, key, value, headers)| Owned { timestamp, gap, key, value, headers })
}

/// Pushes all records; deltas leave gaps only if `gaps`.
fn filled(records: &[Owned], gaps: bool) -> BatchBuilder {
    let mut builder = BatchBuilder::new();
    let mut offset_delta = -1;
    for record in records {
        offset_delta += if gaps { record.gap } else { 1 };
        let new = NewRecord {
            timestamp: record.timestamp,
            offset_delta,
            key: record.key.as_deref(),
            value: record.value.as_deref(),
        };
        let headers = record.headers.iter().map(|(key, value)| (&key[..], value.as_deref()));
        builder.push(new, headers).unwrap();
    }
    assert_eq!(builder.count(), records.len());
    builder
}

fn read(batch: &BatchView<'_>) -> Vec<Owned> {
    let block = batch.decompressed(CAP).unwrap();
    let mut last = -1;
    batch
        .records(&block)
        .map(|record| {
            let record = record.unwrap();
            let gap = record.offset_delta - last;
            last = record.offset_delta;
            Owned {
                timestamp: batch.timestamp(record.timestamp_delta),
                gap,
                key: record.key.map(<[u8]>::to_vec),
                value: record.value.map(<[u8]>::to_vec),
                headers: record.headers.iter().map(|(k, v)| (k.to_vec(), v.map(<[u8]>::to_vec))).collect(),
            }
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_built_reads_back_in_every_codec(records in vec(record(), 1..20), base_offset: i64, epoch: i32) {
        let mut builder = filled(&records, true);
        for codec in CODECS {
            let fields = BatchFields { base_offset, leader_epoch: epoch, codec, ..BatchFields::default() };
            let mut out = BytesMut::from(&b"before"[..]);
            let length = builder.finish(&fields, &mut out).unwrap();
            prop_assert_eq!(length, out.len() - 6);
            let batch = BatchView::only(&out[6..]).unwrap();
            prop_assert_eq!(batch.check_crc(), Ok(()));
            prop_assert_eq!((batch.base_offset(), batch.leader_epoch()), (base_offset, epoch));
            prop_assert_eq!(batch.max_timestamp(), records.iter().map(|r| r.timestamp).max().unwrap());
            prop_assert_eq!(batch.last_offset_delta(), records.iter().map(|r| r.gap).sum::<i32>() - 1);
            prop_assert_eq!(&read(&batch), &records);
        }
    }

    #[test]
    fn the_crate_reads_what_is_built(mut records in vec(record(), 1..20), base_offset in 0..i64::MAX / 2) {
        // The crate keeps one header a key and wants text, so it gets none here.
        records.iter_mut().for_each(|record| record.headers.clear());
        let mut out = BytesMut::new();
        let fields = BatchFields { base_offset, producer_id: 7, producer_epoch: 1, base_sequence: 0, ..Default::default() };
        filled(&records, false).finish(&fields, &mut out).unwrap();
        prop_assert_eq!(BatchView::only(&out).unwrap().validate_for_produce(), Ok(()));
        let decoded = RecordBatchDecoder::decode(&mut out.freeze()).unwrap().records;
        prop_assert_eq!(decoded.len(), records.len());
        for ((offset, theirs), ours) in (base_offset..).zip(&decoded).zip(&records) {
            prop_assert_eq!((theirs.offset, theirs.timestamp, theirs.producer_id), (offset, ours.timestamp, 7));
            prop_assert_eq!(theirs.key.as_deref(), ours.key.as_deref());
            prop_assert_eq!(theirs.value.as_deref(), ours.value.as_deref());
        }
    }

    #[test]
    fn what_the_crate_writes_is_read(records in vec(record(), 1..20)) {
        let theirs: Vec<CrateRecord> = (0..).zip(&records).map(|(offset, record)| crate_record(offset, record)).collect();
        let mut out = BytesMut::new();
        let options = RecordEncodeOptions { version: 2, compression: Compression::None };
        RecordBatchEncoder::encode(&mut out, theirs.iter(), &options).unwrap();
        let mut at = 0;
        for batch in Batches::new(&out) {
            let batch = batch.unwrap();
            prop_assert_eq!(batch.check_crc(), Ok(()));
            for (ours, theirs) in read(&batch).iter().zip(&theirs[at..]) {
                prop_assert_eq!(ours.timestamp, theirs.timestamp);
                prop_assert_eq!((ours.key.as_deref(), ours.value.as_deref()), (theirs.key.as_deref(), theirs.value.as_deref()));
                prop_assert_eq!(ours.headers.len(), theirs.headers.len());
                at += 1;
            }
        }
        prop_assert_eq!(at, records.len());
    }

    #[test]
    fn no_damage_makes_a_reader_panic(records in vec(record(), 1..5), damage: Vec<(prop::sample::Index, u8)>) {
        for codec in CODECS {
            let mut out = BytesMut::new();
            filled(&records, false).finish(&BatchFields { codec, ..Default::default() }, &mut out).unwrap();
            for (at, bits) in &damage {
                let at = at.index(out.len());
                out[at] ^= bits;
            }
            for batch in Batches::new(&out).flatten() {
                let _ = (batch.validate_for_produce(), batch.last_offset(), batch.sequence(i32::MAX));
                if let Ok(block) = batch.decompressed(CAP) {
                    let _ = check_dense(&block, batch.count().unsigned_abs());
                    let _ = batch.records(&block).flatten().map(|record| batch.timestamp(record.timestamp_delta)).max();
                }
            }
        }
    }
}

fn crate_record(offset: i64, record: &Owned) -> CrateRecord {
    let header = |n: usize| (StrBytes::from_string(format!("h{n}")), Some(Bytes::from_static(b"v")));
    CrateRecord {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: 0,
        producer_id: -1,
        producer_epoch: -1,
        timestamp_type: TimestampType::Creation,
        offset,
        sequence: offset as i32,
        timestamp: record.timestamp,
        key: record.key.clone().map(Bytes::from),
        value: record.value.clone().map(Bytes::from),
        headers: (0..record.headers.len()).map(header).collect(),
    }
}

const PLAIN: NewRecord<'static> = NewRecord { timestamp: 5, offset_delta: 3, key: None, value: Some(b"v") };

#[test]
fn offset_deltas_must_ascend_and_a_refused_record_leaves_no_trace() {
    let mut builder = BatchBuilder::new();
    builder.push(PLAIN, []).unwrap();
    let before = builder.uncompressed_len();
    for found in [3, 2, -1] {
        let refused = builder.push(NewRecord { offset_delta: found, ..PLAIN }, []);
        assert_eq!(refused, Err(BuildError::OffsetDelta { last: 3, found }));
    }
    assert_eq!((builder.count(), builder.uncompressed_len()), (1, before));
}

#[test]
fn a_cleared_builder_starts_anew() {
    let mut builder = BatchBuilder::new();
    builder.set_delete_horizon(99);
    builder.push(PLAIN, [(&b"k"[..], None)]).unwrap();
    builder.clear();
    builder.push(NewRecord { offset_delta: 0, ..PLAIN }, []).unwrap();
    let (mut reused, mut fresh) = (BytesMut::new(), BytesMut::new());
    builder.finish(&BatchFields::default(), &mut reused).unwrap();
    let mut other = BatchBuilder::new();
    other.push(NewRecord { offset_delta: 0, ..PLAIN }, []).unwrap();
    other.finish(&BatchFields::default(), &mut fresh).unwrap();
    assert_eq!(reused, fresh);
}

#[test]
fn an_emptied_batch_keeps_its_offsets() {
    let fields = BatchFields { base_offset: 40, last_offset_delta: Some(9), ..BatchFields::default() };
    let mut out = BytesMut::new();
    BatchBuilder::new().finish(&fields, &mut out).unwrap();
    let batch = BatchView::only(&out).unwrap();
    assert_eq!((batch.len(), batch.count(), batch.last_offset()), (61, 0, 49));
    assert_eq!(check_dense(batch.stored_records(), 0), Ok(()));
}

#[test]
fn with_append_time_every_record_has_it() {
    let mut builder = BatchBuilder::new();
    builder.push(PLAIN, []).unwrap();
    let fields = BatchFields {
        log_append_time: Some(77),
        attributes: Attributes::TRANSACTIONAL,
        ..BatchFields::default()
    };
    let mut out = BytesMut::new();
    builder.finish(&fields, &mut out).unwrap();
    let batch = BatchView::only(&out).unwrap();
    assert!(batch.is_log_append_time() && batch.is_transactional() && !batch.is_control());
    assert_eq!(batch.timestamp(123), 77);
}

#[test]
fn a_hundred_kilobytes_of_snappy_pass_in_several_blocks() {
    let value = vec![b'x'; 100_000];
    let mut builder = BatchBuilder::new();
    builder.push(NewRecord { value: Some(&value), offset_delta: 0, ..PLAIN }, []).unwrap();
    let mut out = BytesMut::new();
    builder.finish(&BatchFields { codec: Codec::Snappy, ..BatchFields::default() }, &mut out).unwrap();
    let batch = BatchView::only(&out).unwrap();
    assert!(batch.len() < 10_000);
    assert!(batch.decompressed(99_999).is_err());
    let block = batch.decompressed(CAP).unwrap();
    assert_eq!(check_dense(&block, 1), Ok(()));
    assert!(matches!(check_dense(&block, 2), Err(RecordError::Malformed(_))));
}
