//! Mode S: a Kafka batch as one native frame a record.
//!
//! bornTimestamp is the record's timestamp, the flag its `rmq.flag`, the body its value, decompressed.
//! Every frame carries `__KP`, so that the batch and the sequences of its records can be told afterwards.
//! There is no `UNIQ_KEY` unless the producer gave one: native clients then show the offset message id.
//! Not here: the properties for key, headers and requests (`record_properties`), the way back (`pack`).

use std::io::Write;

use bytes::Bytes;
use gantry_protocols::kafka::batch::BatchView;
use gantry_protocols::kafka::batch_error::BatchError;
use gantry_protocols::kafka::record::{Record, RecordError};
use gantry_store::format::frame::MAX_PROPERTIES_LEN;
use gantry_store::format::hash;
use gantry_store::format::inner::InnerNum;
use gantry_store::format::names;
use gantry_store::format::sysflag::SysFlag;

use super::batch_summary::BatchSummary;
use super::carriers::ProducerMark;
use super::frame_parts::FrameParts;
use super::incoming::IncomingBatch;
use super::record_properties::{self, Scratch, Source, TooLong};
use super::request_headers::{RequestError, Requests};
use super::tag_bloom::TagBloom;

/// Longest `__KP` property: its name, six numbers with their dots, two separators.
const MARK_MAX: usize = names::KAFKA_PRODUCER.len() + 20 + 6 + 11 + 11 + 11 + 3 + 5 + 2;
/// Bytes of properties left for key, headers and requests.
pub const RECORD_PROPERTIES_MAX: usize = MAX_PROPERTIES_LEN - MARK_MAX;

/// Why a batch cannot be stored record by record; nothing of it may be appended then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExplodeError {
    /// The properties of a record are too long (INVALID_RECORD for that record).
    #[error("{error}; shorten them or use a topic with queue.type=BatchCQ")]
    PropertiesTooLong {
        /// Place in the batch, from 0.
        batch_index: i32,
        /// The limit.
        error: TooLong,
    },
    /// The batch was checked without walking its records.
    #[error("the batch was not checked for being stored record by record")]
    NotWalked,
    /// The bytes are no batch; does not happen to a checked one.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// A record is malformed; does not happen in a checked batch.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A request header is malformed; does not happen in a checked batch.
    #[error(transparent)]
    Request(#[from] RequestError),
}

/// Calls `visit` with the frame of every record, in order. All properties are appended to `buffer`.
///
/// # Errors
/// [`ExplodeError`]; frames visited before it are void.
pub fn frames(
    batch: &IncomingBatch,
    scratch: &mut Scratch,
    buffer: &mut Vec<u8>,
    mut visit: impl FnMut(FrameParts),
) -> Result<(), ExplodeError> {
    let view = batch.view()?;
    let block = batch.block().ok_or(ExplodeError::NotWalked)?;
    let interpreted = batch.summary().is_some_and(BatchSummary::searched);
    for (index, record) in (0..).zip(view.records(block)) {
        let record = record?;
        let requests = if interpreted { Some(Requests::read(record.headers)?) } else { None };
        let start = buffer.len();
        let source = Source {
            record: &record,
            requests: requests.as_ref(),
            unique_key: requests.and_then(|requests| requests.msg_id),
        };
        record_properties::write(source, RECORD_PROPERTIES_MAX, scratch, buffer)
            .map_err(|error| ExplodeError::PropertiesTooLong { batch_index: index, error })?;
        write_mark(mark_of(&view, index), buffer);
        visit(FrameParts { properties: start..buffer.len(), ..frame_of(&view, block, &record, requests) });
    }
    Ok(())
}

fn frame_of(
    view: &BatchView<'_>,
    block: &Bytes,
    record: &Record<'_>,
    requests: Option<Requests<'_>>,
) -> FrameParts {
    let requests = requests.unwrap_or_default();
    FrameParts {
        sys_flag: SysFlag(0),
        flag: requests.flag.unwrap_or(0),
        born_timestamp: view.timestamp(record.timestamp_delta),
        body: record.value.map_or_else(Bytes::new, |value| block.slice_ref(value)),
        properties: 0..0,
        tags_code: requests.tags.map_or(0, |tag| hash::tags_code(tag.as_bytes())),
        bloom: TagBloom::UNKNOWN,
        count: InnerNum::ONE,
    }
}

fn mark_of(view: &BatchView<'_>, index: i32) -> ProducerMark {
    ProducerMark {
        producer_id: view.producer_id(),
        producer_epoch: view.producer_epoch(),
        first_sequence: view.base_sequence(),
        count: view.count(),
        index,
        transactional: view.is_transactional(),
        log_append_time: view.is_log_append_time(),
    }
}

/// Room for it was kept, and writing to a vector does not fail.
fn write_mark(mark: ProducerMark, buffer: &mut Vec<u8>) {
    let written = write!(buffer, "{}\x01{mark}\x02", names::KAFKA_PRODUCER);
    debug_assert!(written.is_ok(), "a vector takes every byte");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::incoming::ProduceRules;
    use crate::mapping::test_records::{TestRecord, batch, rules};
    use gantry_protocols::kafka::batch_builder::BatchFields;

    type Exploded = (Vec<FrameParts>, Vec<u8>);

    fn explode(records: &[TestRecord], explode: bool) -> Result<Exploded, ExplodeError> {
        let fields =
            BatchFields { producer_id: 12, producer_epoch: 3, base_sequence: 40, ..BatchFields::default() };
        let rules = ProduceRules { explode, ..rules() };
        let incoming = IncomingBatch::check(batch(records, &fields), &rules).unwrap();
        let (mut parts, mut buffer) = (Vec::new(), Vec::new());
        frames(&incoming, &mut Scratch::default(), &mut buffer, |frame| parts.push(frame))?;
        Ok((parts, buffer))
    }

    #[test]
    fn every_record_is_a_frame_with_its_own_time_flag_tag_and_mark() {
        let tagged =
            TestRecord::new(Some(b"k"), Some(b"one")).header("rmq.tags", b"TagA").header("rmq.flag", b"9");
        let plain = TestRecord { timestamp: 2000, ..TestRecord::new(None, None) };
        let (parts, buffer) = explode(&[tagged, plain], true).unwrap();
        let texts: Vec<_> =
            parts.iter().map(|p| std::str::from_utf8(p.properties(&buffer)).unwrap()).collect();
        assert!(texts[0].starts_with("KEYS\x01k\x02TAGS\x01TagA\x02__KH\x01"));
        assert!(texts[0].ends_with("\x02__KP\x0112.3.40.2.0.0\x02"));
        assert_eq!(texts[1], "__KN\x011\x02__KP\x0112.3.40.2.1.0\x02");
        assert_eq!((parts[0].flag, parts[0].tags_code, parts[0].born_timestamp), (9, 2_598_919, 1000));
        assert_eq!((parts[1].flag, parts[1].tags_code, parts[1].born_timestamp), (0, 0, 2000));
        assert_eq!((&parts[0].body[..], parts[1].body.len()), (&b"one"[..], 0));
    }

    #[test]
    fn a_record_with_too_long_properties_is_named() {
        let long = TestRecord::new(None, None).header("h", &[b'x'; 33_000]);
        let refused = explode(&[TestRecord::new(None, None), long], true).unwrap_err();
        let error = TooLong { max: RECORD_PROPERTIES_MAX };
        assert_eq!(refused, ExplodeError::PropertiesTooLong { batch_index: 1, error });
    }

    #[test]
    fn the_longest_mark_fits_beside_the_longest_properties() {
        let mark = ProducerMark {
            producer_id: i64::MIN,
            producer_epoch: i16::MIN,
            first_sequence: i32::MIN,
            count: i32::MIN,
            index: i32::MIN,
            transactional: true,
            log_append_time: true,
        };
        let mut buffer = Vec::new();
        write_mark(mark, &mut buffer);
        assert!(buffer.len() <= MARK_MAX, "{}", buffer.len());
    }

    #[test]
    fn a_batch_checked_for_mode_b_is_not_exploded() {
        assert_eq!(explode(&[TestRecord::new(None, None)], false).unwrap_err(), ExplodeError::NotWalked);
    }
}
