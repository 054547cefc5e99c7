//! Record sets: batches v2, their blocks decompressed under a cap, their records.
//!
//! The CRC is checked but hides nothing: a batch whose CRC is wrong is read as far as one that is right.

use bytes::BytesMut;
use gantry_protocols::kafka::attributes::Attributes;
use gantry_protocols::kafka::batch::{BatchView, Batches, HEAD_LEN};
use gantry_protocols::kafka::batch_builder::{BatchBuilder, BatchFields, NewRecord};
use gantry_protocols::kafka::record::{Record, check_dense};

use super::DECOMPRESSED_CAP;

/// Reads `input` as a record set.
pub fn record_batch(input: &[u8]) {
    let mut rest = input;
    for batch in Batches::new(input).map_while(Result::ok) {
        let (taken, after) = rest.split_at_checked(batch.len()).expect("a batch lies in its input");
        assert_eq!(batch.bytes(), taken);
        rest = after;
        header(&batch);
        records(&batch);
    }
}

fn header(batch: &BatchView<'_>) {
    assert_eq!(BatchView::only(batch.bytes()).map(|only| only.len()), Ok(batch.len()));
    let head = batch.fetch_head(batch.base_offset(), batch.leader_epoch());
    assert_eq!(batch.bytes().get(..HEAD_LEN), Some(&head[..]));
    assert!(batch.sequence(batch.last_offset_delta()) >= -1);
    if batch.validate_for_produce().is_ok() {
        assert_eq!(batch.check_crc(), Ok(()));
        assert_eq!(batch.count().checked_sub(1), Some(batch.last_offset_delta()));
    }
}

fn records(batch: &BatchView<'_>) {
    let Ok(block) = batch.decompressed(DECOMPRESSED_CAP) else { return };
    let count = u32::try_from(batch.count()).unwrap_or(0);
    let dense = check_dense(&block, count);
    let Ok(records) = batch.records(&block).collect::<Result<Vec<_>, _>>() else {
        assert!(dense.is_err(), "a dense batch has a record that is none");
        return;
    };
    assert_eq!(records.len(), count as usize);
    for record in &records {
        assert_eq!(record.headers.iter().count(), record.headers.len());
    }
    let is_dense = (0..).zip(&records).all(|(expected, record)| record.offset_delta == expected);
    assert_eq!(dense.is_ok(), is_dense && (block.is_empty() || !records.is_empty()));
    if can_be_built(&records) {
        build_again(batch, &block, &records);
    }
}

/// The builder writes no record attributes, and offsets that ascend from 0.
fn can_be_built(records: &[Record<'_>]) -> bool {
    let ascends = records.is_sorted_by(|left, right| left.offset_delta < right.offset_delta);
    let first = records.first().is_some_and(|record| record.offset_delta >= 0);
    first && ascends && records.iter().all(|record| record.attributes == 0)
}

/// The records give the same block again, and with the CRC right the same batch.
fn build_again(batch: &BatchView<'_>, block: &[u8], records: &[Record<'_>]) {
    let mut builder = BatchBuilder::new();
    builder.set_base_timestamp(batch.base_timestamp());
    for record in records {
        let new = NewRecord {
            timestamp: batch.base_timestamp().wrapping_add(record.timestamp_delta),
            offset_delta: record.offset_delta,
            key: record.key,
            value: record.value,
        };
        builder.push(new, record.headers).expect("a record that was read");
    }
    let mut out = BytesMut::new();
    builder.finish(&fields(batch), &mut out).expect("a batch that was read");
    let again = BatchView::only(&out).expect("own batch");
    assert_eq!(again.check_crc(), Ok(()));
    assert_eq!(again.count(), batch.count());
    assert_eq!(again.attributes(), batch.attributes());
    assert_eq!(again.decompressed(block.len()).as_deref(), Ok(block));
    let verbatim = again.max_timestamp() == batch.max_timestamp() && batch.check_crc().is_ok();
    if verbatim && batch.stored_records() == block {
        assert_eq!(again.bytes(), batch.bytes());
    }
}

fn fields(batch: &BatchView<'_>) -> BatchFields {
    BatchFields {
        base_offset: batch.base_offset(),
        leader_epoch: batch.leader_epoch(),
        attributes: Attributes(batch.attributes().0),
        codec: batch.codec().expect("its block was decompressed"),
        log_append_time: batch.is_log_append_time().then(|| batch.max_timestamp()),
        last_offset_delta: Some(batch.last_offset_delta()),
        producer_id: batch.producer_id(),
        producer_epoch: batch.producer_epoch(),
        base_sequence: batch.base_sequence(),
    }
}
