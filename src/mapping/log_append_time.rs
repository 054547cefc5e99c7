//! The one change the broker makes inside a produced batch: its own time for all records.
//!
//! Attributes bit 3 and the greatest timestamp are set, and the CRC is computed anew; the records keep their
//! deltas, which readers then ignore.
//! Source: Kafka 4.1 `DefaultRecordBatch.setMaxTimestamp`.

use bytes::{Bytes, BytesMut};
use gantry_protocols::kafka::attributes::Attributes;
use gantry_protocols::kafka::batch::{BatchView, HEAD_LEN, crc32c};

// Places in a RecordBatch v2, counted from the end of the head that a fetch response replaces.
const CRC: usize = HEAD_LEN + 1;
const ATTRIBUTES: usize = CRC + 4;
const MAX_TIMESTAMP: usize = ATTRIBUTES + 2 + 4 + 8;
const _: () = assert!(ATTRIBUTES == 21 && MAX_TIMESTAMP == 35);

/// A copy of the batch with `now_ms` as the timestamp of every record.
#[must_use]
pub fn set(view: &BatchView<'_>, now_ms: i64) -> Bytes {
    let mut bytes = BytesMut::from(view.bytes());
    let attributes = view.attributes().with(Attributes::LOG_APPEND_TIME);
    put(&mut bytes, ATTRIBUTES, &attributes.0.to_be_bytes());
    put(&mut bytes, MAX_TIMESTAMP, &now_ms.to_be_bytes());
    let crc = crc32c(bytes.get(ATTRIBUTES..).unwrap_or_default());
    put(&mut bytes, CRC, &crc.to_be_bytes());
    bytes.freeze()
}

/// A view has a whole header, so every field is there.
fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(field) = bytes.get_mut(at..at + value.len()) {
        field.copy_from_slice(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::test_records::{TestRecord, batch};
    use gantry_protocols::kafka::batch_builder::BatchFields;

    #[test]
    fn sets_bit_time_and_crc_and_nothing_else() {
        let before = batch(&[TestRecord::new(None, Some(b"v"))], &BatchFields::default());
        let after = set(&BatchView::only(&before).unwrap(), 123_456);
        let view = BatchView::only(&after).unwrap();
        view.check_crc().unwrap();
        assert!(view.is_log_append_time());
        assert_eq!((view.max_timestamp(), view.timestamp(77)), (123_456, 123_456));
        let changed: Vec<usize> = (0..after.len()).filter(|i| before[*i] != after[*i]).collect();
        assert!(changed.iter().all(|i| (17..23).contains(i) || (35..43).contains(i)), "{changed:?}");
    }
}
