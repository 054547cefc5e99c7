//! Batches written by the Java client: read to what Java reads, rebuilt to the same bytes, damaged ones refused.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed step fails the test")]

mod kafka_golden;

use bytes::BytesMut;
use gantry_protocols::kafka::attributes::{Attributes, Codec, UnknownCodec};
use gantry_protocols::kafka::batch::{BatchView, Batches, HEAD_LEN, HEADER_LEN};
use gantry_protocols::kafka::batch_builder::{BatchBuilder, BatchFields, NewRecord, TransactionEnd};
use gantry_protocols::kafka::batch_error::BatchError;
use gantry_protocols::kafka::record::{Record, check_dense};
use serde_json::Value;

const CAP: usize = 1 << 20;

/// File name, bytes and what Java reads, of every golden batch.
fn golden() -> Vec<(String, Vec<u8>, Value)> {
    let text = kafka_golden::text(&kafka_golden::path("batches/expected.json.gz"));
    let expected: Value = serde_json::from_str(&text).unwrap();
    let batches = expected["batches"].as_array().unwrap().clone();
    assert_eq!(batches.len(), 17);
    batches
        .into_iter()
        .map(|batch| {
            let file = batch["file"].as_str().unwrap().to_owned();
            let bytes = std::fs::read(kafka_golden::path("batches").join(&file)).unwrap();
            (file, bytes, batch)
        })
        .collect()
}

fn one(file: &str) -> Vec<u8> {
    std::fs::read(kafka_golden::path("batches").join(file)).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hex_or_null(bytes: Option<&[u8]>) -> Value {
    bytes.map_or(Value::Null, |bytes| hex(bytes).into())
}

fn int(batch: &Value, name: &str) -> i64 {
    batch[name].as_i64().unwrap()
}

#[test]
fn headers_read_as_java_reads_them() {
    for (file, bytes, expected) in golden() {
        let batch = BatchView::only(&bytes).unwrap();
        batch.check_crc().unwrap();
        let is = |name: &str, value: i64| assert_eq!(value, int(&expected, name), "{file} {name}");
        is("baseOffset", batch.base_offset());
        is("lastOffset", batch.last_offset());
        is("lastOffsetDelta", batch.last_offset_delta().into());
        is("partitionLeaderEpoch", batch.leader_epoch().into());
        is("attributes", batch.attributes().0.into());
        is("baseTimestamp", batch.base_timestamp());
        is("maxTimestamp", batch.max_timestamp());
        is("producerId", batch.producer_id());
        is("producerEpoch", batch.producer_epoch().into());
        is("baseSequence", batch.base_sequence().into());
        is("lastSequence", batch.sequence(batch.last_offset_delta()).into());
        is("crc", batch.crc().into());
        is("count", batch.count().into());
        is("sizeInBytes", batch.len() as i64);
        assert_eq!(batch.is_transactional(), expected["isTransactional"].as_bool().unwrap(), "{file}");
        assert_eq!(batch.is_control(), expected["isControlBatch"].as_bool().unwrap(), "{file}");
        assert_eq!(batch.is_log_append_time(), expected["timestampType"] == "LogAppendTime", "{file}");
        assert_eq!(batch.delete_horizon(), expected["deleteHorizonMs"].as_i64(), "{file}");
        assert_eq!(
            format!("{:?}", batch.codec().unwrap()).to_lowercase(),
            expected["compression"].as_str().unwrap()
        );
    }
}

#[test]
fn records_read_as_java_reads_them() {
    for (file, bytes, expected) in golden() {
        let batch = BatchView::only(&bytes).unwrap();
        let block = batch.decompressed(CAP).unwrap();
        let records: Vec<Record<'_>> = batch.records(&block).map(Result::unwrap).collect();
        let expected = expected["records"].as_array().unwrap();
        assert_eq!(records.len(), expected.len(), "{file}");
        for (record, expected) in records.iter().zip(expected) {
            assert_eq!(
                batch.base_offset() + i64::from(record.offset_delta),
                int(expected, "offset"),
                "{file}"
            );
            assert_eq!(batch.timestamp(record.timestamp_delta), int(expected, "timestamp"), "{file}");
            assert_eq!(i64::from(batch.sequence(record.offset_delta)), int(expected, "sequence"), "{file}");
            assert_eq!(hex_or_null(record.key), expected["keyHex"], "{file}");
            assert_eq!(hex_or_null(record.value), expected["valueHex"], "{file}");
            check_headers(&file, record, &expected["headers"]);
        }
    }
}

fn check_headers(file: &str, record: &Record<'_>, expected: &Value) {
    let expected = expected.as_array().unwrap();
    assert_eq!(record.headers.len(), expected.len(), "{file}");
    for ((key, value), expected) in record.headers.iter().zip(expected) {
        assert_eq!(String::from_utf8_lossy(key), expected["key"].as_str().unwrap(), "{file}");
        assert_eq!(hex_or_null(value), expected["valueHex"], "{file}");
    }
}

/// Builds the batch again, record by record.
fn rebuild(batch: &BatchView<'_>, block: &[u8], codec: Codec) -> BytesMut {
    let mut builder = BatchBuilder::new();
    match batch.delete_horizon() {
        Some(horizon) => builder.set_delete_horizon(horizon),
        None => builder.set_base_timestamp(batch.base_timestamp()),
    }
    for record in batch.records(block).map(Result::unwrap) {
        let timestamp = batch.base_timestamp() + record.timestamp_delta;
        let Record { offset_delta, key, value, headers, .. } = record;
        builder.push(NewRecord { timestamp, offset_delta, key, value }, headers).unwrap();
    }
    let kind = Attributes(batch.attributes().0 & (Attributes::TRANSACTIONAL.with(Attributes::CONTROL)).0);
    let fields = BatchFields {
        base_offset: batch.base_offset(),
        leader_epoch: batch.leader_epoch(),
        attributes: kind,
        codec,
        log_append_time: batch.is_log_append_time().then(|| batch.max_timestamp()),
        last_offset_delta: Some(batch.last_offset_delta()),
        producer_id: batch.producer_id(),
        producer_epoch: batch.producer_epoch(),
        base_sequence: batch.base_sequence(),
    };
    let mut out = BytesMut::new();
    assert_eq!(builder.finish(&fields, &mut out), Ok(out.len()));
    out
}

#[test]
fn uncompressed_batches_are_rebuilt_byte_for_byte() {
    let mut rebuilt = 0;
    for (file, bytes, _) in golden() {
        let batch = BatchView::only(&bytes).unwrap();
        if batch.codec() == Ok(Codec::None) {
            let block = batch.decompressed(0).unwrap();
            assert_eq!(hex(&rebuild(&batch, &block, Codec::None)), hex(&bytes), "{file}");
            rebuilt += 1;
        }
    }
    assert_eq!(rebuilt, 10);
}

#[test]
fn compressed_batches_are_rebuilt_to_the_same_records_in_every_codec() {
    for (file, bytes, _) in golden() {
        let batch = BatchView::only(&bytes).unwrap();
        let block = batch.decompressed(CAP).unwrap();
        for codec in [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
            let again = rebuild(&batch, &block, codec);
            let again = BatchView::only(&again).unwrap();
            again.check_crc().unwrap();
            assert_eq!(again.codec(), Ok(codec));
            assert_eq!(again.decompressed(CAP).unwrap(), block, "{file} {codec:?}");
            let own = batch.attributes().with_codec(codec);
            assert_eq!(again.attributes(), own, "{file} {codec:?}");
            assert_eq!(again.max_timestamp(), batch.max_timestamp(), "{file} {codec:?}");
        }
    }
}

#[test]
fn transaction_markers_are_built_byte_for_byte() {
    for (file, end) in
        [("control-commit.bin", TransactionEnd::Commit), ("control-abort.bin", TransactionEnd::Abort)]
    {
        let bytes = one(file);
        let batch = BatchView::only(&bytes).unwrap();
        let value = batch.records(batch.stored_records()).next().unwrap().unwrap().value.unwrap();
        let coordinator_epoch = i32::from_be_bytes(value[2..6].try_into().unwrap());
        let mut builder = BatchBuilder::new();
        builder.push_marker(end, coordinator_epoch, batch.base_timestamp()).unwrap();
        let fields = BatchFields {
            base_offset: batch.base_offset(),
            leader_epoch: batch.leader_epoch(),
            attributes: Attributes::TRANSACTIONAL.with(Attributes::CONTROL),
            producer_id: batch.producer_id(),
            producer_epoch: batch.producer_epoch(),
            ..BatchFields::default()
        };
        let mut out = BytesMut::new();
        builder.finish(&fields, &mut out).unwrap();
        assert_eq!(hex(&out), hex(&bytes), "{file}");
    }
}

#[test]
fn every_truncation_is_refused() {
    for (file, bytes, _) in golden() {
        for cut in 0..bytes.len() {
            assert!(BatchView::only(&bytes[..cut]).is_err(), "{file} cut at {cut}");
        }
        let batch = BatchView::only(&bytes).unwrap();
        let (block, count) = (batch.decompressed(CAP).unwrap(), batch.count() as u32);
        for cut in 0..block.len() {
            assert!(batch.records(&block[..cut]).any(|record| record.is_err()), "{file} block cut at {cut}");
            assert!(check_dense(&block[..cut], count).is_err(), "{file} block cut at {cut}");
        }
    }
}

#[test]
fn every_flipped_bit_behind_the_head_is_noticed() {
    for (file, bytes, _) in golden().into_iter().filter(|(_, bytes, _)| bytes.len() < 600) {
        for at in HEAD_LEN..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            let noticed = BatchView::only(&damaged).and_then(|batch| batch.check_crc());
            assert!(noticed.is_err(), "{file} byte {at}");
        }
    }
}

#[test]
fn a_new_head_keeps_the_crc_valid() {
    let mut bytes = one("create-none.bin");
    let head = BatchView::only(&bytes).unwrap().fetch_head(0x0102_0304_0506_0708, 77);
    bytes[..HEAD_LEN].copy_from_slice(&head);
    let batch = BatchView::only(&bytes).unwrap();
    assert_eq!((batch.base_offset(), batch.leader_epoch()), (0x0102_0304_0506_0708, 77));
    assert_eq!(batch.check_crc(), Ok(()));
}

#[test]
fn batches_follow_each_other_until_the_first_fault() {
    let set = [one("create-gzip.bin"), one("control-commit.bin"), one("transactional.bin")].concat();
    let offsets: Vec<i64> = Batches::new(&set).map(|batch| batch.unwrap().base_offset()).collect();
    assert_eq!(offsets, [100, 305, 300]);
    let torn = &set[..set.len() - 1];
    let read: Vec<bool> = Batches::new(torn).map(|batch| batch.is_ok()).collect();
    assert_eq!(read, [true, true, false]);
}

#[test]
fn clients_may_produce_data_and_nothing_else() {
    for file in [
        "produce-request.bin",
        "idempotent.bin",
        "transactional.bin",
        "300-records-gzip.bin",
        "create-zstd.bin",
    ] {
        let bytes = one(file);
        let batch = BatchView::only(&bytes).unwrap();
        assert_eq!(batch.validate_for_produce(), Ok(()), "{file}");
        let block = batch.decompressed(CAP).unwrap();
        assert_eq!(check_dense(&block, batch.count() as u32), Ok(()), "{file}");
    }
    let refused = |file: &str| BatchView::only(&one(file)).unwrap().validate_for_produce();
    assert_eq!(refused("control-abort.bin"), Err(BatchError::Control));
    assert_eq!(refused("append-none.bin"), Err(BatchError::LogAppendTime));
    assert_eq!(refused("compacted.bin"), Err(BatchError::CountOfOffsets { count: 2, last_offset_delta: 4 }));
}

/// A golden batch with `change` applied and its CRC made right again.
fn forged(change: impl Fn(&mut [u8])) -> Result<(), BatchError> {
    let mut bytes = one("idempotent.bin");
    change(&mut bytes);
    let crc = gantry_protocols::kafka::batch::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    BatchView::only(&bytes).and_then(|batch| batch.validate_for_produce())
}

#[test]
fn forged_headers_are_refused_each_for_its_reason() {
    assert_eq!(forged(|_| ()), Ok(()));
    assert_eq!(forged(|b| b[16] = 1), Err(BatchError::Magic(1)));
    assert_eq!(forged(|b| b[22] |= 7), Err(BatchError::UnknownCodec(UnknownCodec(7))));
    assert_eq!(forged(|b| b[57..61].fill(0)), Err(BatchError::Count(0)));
    assert_eq!(forged(|b| b[57..61].fill(0xff)), Err(BatchError::Count(-1)));
    let refused = forged(|b| b[57..61].copy_from_slice(&i32::MAX.to_be_bytes()));
    assert_eq!(refused, Err(BatchError::CountOfOffsets { count: i32::MAX, last_offset_delta: 4 }));
    let refused = forged(|b| b[53..57].fill(0xff));
    assert_eq!(refused, Err(BatchError::Sequence { producer_id: 4001, epoch: 2, sequence: -1 }));
    let refused = forged(|b| {
        b[22] |= 0x10;
        b[43..57].fill(0xff);
    });
    assert_eq!(refused, Err(BatchError::NoProducer));
    assert_eq!(forged(|b| b[8..12].fill(0xff)), Err(BatchError::Length(-1)));
    assert_eq!(forged(|b| b[8..12].copy_from_slice(&48_i32.to_be_bytes())), Err(BatchError::Length(48)));
    let refused = forged(|b| b[8..12].copy_from_slice(&i32::MAX.to_be_bytes()));
    assert!(matches!(refused, Err(BatchError::Truncated { .. })));
}

#[test]
fn a_record_set_of_none_or_two_batches_is_refused() {
    assert!(matches!(BatchView::only(&[]), Err(BatchError::Empty)));
    let two = [one("produce-request.bin"), one("single-null-null.bin")].concat();
    assert!(matches!(BatchView::only(&two), Err(BatchError::SecondBatch(68))));
    assert_eq!(HEADER_LEN, 61);
}
