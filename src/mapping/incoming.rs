//! What a Kafka producer sent for one partition: checked, searched for requests, ready to be stored.
//!
//! Header rules and CRC hold for every batch. An uncompressed batch is searched for `rmq.` in one pass, a
//! compressed one is decompressed under the cap and searched; topics that say they hold plain messages are not
//! searched. Records are walked only when something was found, or when the topic needs every record.
//! Not here: producer state (epochs, sequences), authorization, wire codes: the handler assigns one to each
//! variant. Nothing is stored when any record is refused.
//! Source: Kafka 4.1 `ProduceRequest.validateRecords`, `LogValidator.java`, `UnifiedLog.analyzeAndValidateRecords`.

use bytes::Bytes;
use gantry_protocols::compression::{DecompressError, lz4_blocks_are_linked};
use gantry_protocols::kafka::attributes::Codec;
use gantry_protocols::kafka::batch::BatchView;
use gantry_protocols::kafka::batch_error::{BatchError, BlockError};
use gantry_protocols::kafka::record::{Record, RecordError};
use gantry_store::format::inner::InnerNum;
use memchr::memmem;

use super::batch_summary::{BatchSummary, Collector};
use super::incoming_error::{FAULTS_MAX, FaultCause, IncomingError, RecordFault};
use super::log_append_time;
use super::request_headers::{self, Requests};

/// Produce version from which a client may send zstd (KIP-110).
const ZSTD_SINCE: i16 = 7;

/// What topic and request say about the batches they accept.
#[derive(Clone, Copy, Debug)]
pub struct ProduceRules {
    /// Version of the produce request.
    pub api_version: i16,
    /// `max.message.bytes`: the batch as sent.
    pub max_message_bytes: usize,
    /// The record block after decompression, bytes.
    pub max_decompressed_bytes: usize,
    /// Look for request headers; false on topics with `message.type=NORMAL`.
    pub search: bool,
    /// Every record must have a key (`cleanup.policy=compact`).
    pub compacted: bool,
    /// The records will be stored one by one, so all of them are walked.
    pub explode: bool,
    /// Put record keys into the frame's index keys (`kafka.key.index`), which walks all records.
    pub index_record_keys: bool,
    /// The broker's clock, epoch ms.
    pub now_ms: i64,
    /// `message.timestamp.before.max.ms`.
    pub timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`.
    pub timestamp_after_max_ms: i64,
    /// `message.timestamp.type=LogAppendTime`: the batch gets `now_ms` as the time of all its records.
    pub log_append_time: bool,
}

/// One checked batch.
#[derive(Clone, Debug)]
pub struct IncomingBatch {
    bytes: Bytes,
    block: Option<Bytes>,
    summary: Option<BatchSummary>,
    count: InnerNum,
}

/// The producer's part of a batch header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerFacts {
    /// Producer id, -1 for none.
    pub producer_id: i64,
    /// Producer epoch, -1 for none.
    pub producer_epoch: i16,
    /// Sequence of the first record, -1 for none.
    pub base_sequence: i32,
    /// Sequence of the last record: wraps to 0 after 2^31 - 1; -1 for none.
    pub last_sequence: i32,
    /// Part of a transaction.
    pub transactional: bool,
}

impl IncomingBatch {
    /// Checks `records`, the payload of one partition of a produce request.
    ///
    /// # Errors
    /// [`IncomingError`]: the first rule broken, or all refused records up to [`FAULTS_MAX`].
    pub fn check(records: Bytes, rules: &ProduceRules) -> Result<IncomingBatch, IncomingError> {
        let view = BatchView::only(&records)?;
        check_sizes(&view, rules)?;
        view.validate_for_produce()?;
        let count = InnerNum::new(i64::from(view.count()))
            .ok_or(IncomingError::TooManyRecords { count: view.count() })?;
        check_header_times(&view, rules)?;
        let needs_walk = rules.compacted || rules.explode || rules.index_record_keys;
        let block = if needs_walk || rules.search { Some(decompress(&records, &view, rules)?) } else { None };
        let asked = rules.search && block.as_ref().is_some_and(|block| has_requests(block));
        let walk = block.filter(|_| needs_walk || asked);
        let mut summary = rules.search.then(BatchSummary::default);
        if let Some(block) = &walk {
            let found = walk_records(&view, block, rules)?;
            summary = (rules.search || rules.index_record_keys).then_some(found);
        }
        let bytes = if rules.log_append_time { log_append_time::set(&view, rules.now_ms) } else { records };
        Ok(IncomingBatch { bytes, block: walk, summary, count })
    }

    /// The batch to be stored: as received, or with the broker's time where the topic asks for it.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// A view of [`IncomingBatch::bytes`].
    ///
    /// # Errors
    /// None in practice: the bytes were checked.
    pub fn view(&self) -> Result<BatchView<'_>, BatchError> {
        BatchView::only(&self.bytes)
    }

    /// The decompressed records, present when they were walked.
    #[must_use]
    pub fn block(&self) -> Option<&Bytes> {
        self.block.as_ref()
    }

    /// What the records ask for together; `None` when nobody looked.
    #[must_use]
    pub fn summary(&self) -> Option<&BatchSummary> {
        self.summary.as_ref()
    }

    /// Records in the batch.
    #[must_use]
    pub fn count(&self) -> InnerNum {
        self.count
    }

    /// What the producer state is checked against.
    ///
    /// # Errors
    /// None in practice: the bytes were checked.
    pub fn producer(&self) -> Result<ProducerFacts, BatchError> {
        let view = self.view()?;
        let base_sequence = view.base_sequence();
        let last = base_sequence.wrapping_add(view.last_offset_delta()) & i32::MAX;
        Ok(ProducerFacts {
            producer_id: view.producer_id(),
            producer_epoch: view.producer_epoch(),
            base_sequence,
            last_sequence: if base_sequence < 0 { -1 } else { last },
            transactional: view.is_transactional(),
        })
    }
}

fn check_sizes(view: &BatchView<'_>, rules: &ProduceRules) -> Result<(), IncomingError> {
    let (len, max) = (view.len(), rules.max_message_bytes);
    if len > max {
        return Err(IncomingError::TooLarge { len, max });
    }
    if view.codec() == Ok(Codec::Zstd) && rules.api_version < ZSTD_SINCE {
        return Err(IncomingError::ZstdTooOld { api_version: rules.api_version });
    }
    if view.codec() == Ok(Codec::Lz4) && lz4_blocks_are_linked(view.stored_records()) {
        return Err(IncomingError::Lz4Linked);
    }
    Ok(())
}

/// The first record's time and the greatest one stand in the header, so they are checked without a walk.
fn check_header_times(view: &BatchView<'_>, rules: &ProduceRules) -> Result<(), IncomingError> {
    check_time(view.base_timestamp(), rules)?;
    check_time(view.max_timestamp(), rules)
}

/// A negative timestamp is none, which is always allowed.
fn check_time(timestamp: i64, rules: &ProduceRules) -> Result<(), IncomingError> {
    let earliest = rules.now_ms.saturating_sub(rules.timestamp_before_max_ms);
    let latest = rules.now_ms.saturating_add(rules.timestamp_after_max_ms);
    let inside = (earliest..=latest).contains(&timestamp);
    if rules.log_append_time || timestamp < 0 || inside {
        return Ok(());
    }
    Err(IncomingError::Timestamp { timestamp, earliest, latest })
}

fn decompress(records: &Bytes, view: &BatchView<'_>, rules: &ProduceRules) -> Result<Bytes, IncomingError> {
    let max = rules.max_decompressed_bytes;
    match view.decompressed(max) {
        Ok(std::borrow::Cow::Borrowed(block)) => Ok(records.slice_ref(block)),
        Ok(std::borrow::Cow::Owned(block)) => Ok(block.into()),
        Err(BlockError::Batch(error)) => Err(error.into()),
        Err(BlockError::Decompress(DecompressError::TooLarge { .. })) => {
            Err(IncomingError::DecompressedTooLarge { max })
        }
        Err(BlockError::Decompress(error)) => Err(IncomingError::Compression(error)),
    }
}

/// May a record have request headers? Values that hold the text are false positives.
fn has_requests(block: &[u8]) -> bool {
    memmem::find(block, request_headers::PREFIX.as_bytes()).is_some()
}

/// Reads every record once: well-formed, dense, in time, with a key where one is needed, requests honoured.
fn walk_records(
    view: &BatchView<'_>,
    block: &[u8],
    rules: &ProduceRules,
) -> Result<BatchSummary, IncomingError> {
    let mut collector = Collector::new(rules.search, rules.index_record_keys);
    let mut faults = Vec::new();
    let mut walked = 0;
    for (index, record) in (0..).zip(view.records(block)) {
        let record = record.map_err(|error| IncomingError::Record { index, error })?;
        check_place(index, &record)?;
        check_time(view.timestamp(record.timestamp_delta), rules)?;
        match check_record(&record, rules) {
            Ok(requests) => collector.add(&record, &requests),
            Err(cause) if faults.len() < FAULTS_MAX => faults.push(RecordFault { batch_index: index, cause }),
            Err(_) => {}
        }
        walked = index + 1;
    }
    debug_assert_eq!(walked, view.count(), "the walk reads as many records as the header declares, or fails");
    if faults.is_empty() { Ok(collector.finish()) } else { Err(IncomingError::InvalidRecords(faults)) }
}

fn check_place(index: i32, record: &Record<'_>) -> Result<(), IncomingError> {
    let found = record.offset_delta;
    if found == index {
        return Ok(());
    }
    Err(IncomingError::Record { index, error: RecordError::OffsetDelta { expected: index, found } })
}

fn check_record<'a>(record: &Record<'a>, rules: &ProduceRules) -> Result<Requests<'a>, FaultCause> {
    if rules.compacted && record.key.is_none() {
        return Err(FaultCause::NoKey);
    }
    let requests = if rules.search { Requests::read(record.headers)? } else { Requests::default() };
    Ok(requests)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::request_headers::RequestError;
    use crate::mapping::tag_bloom::TagBloom;
    use crate::mapping::test_records::{TestRecord, batch, rules};
    use gantry_protocols::kafka::attributes::Attributes;
    use gantry_protocols::kafka::batch::crc32c;
    use gantry_protocols::kafka::batch_builder::BatchFields;
    use proptest::prelude::*;

    fn plain(count: usize) -> Vec<TestRecord> {
        vec![TestRecord::new(Some(b"k"), Some(b"v")); count]
    }

    fn check(
        records: &[TestRecord],
        codec: Codec,
        rules: &ProduceRules,
    ) -> Result<IncomingBatch, IncomingError> {
        IncomingBatch::check(batch(records, &BatchFields { codec, ..BatchFields::default() }), rules)
    }

    /// The batch with `value` at `at`, and the CRC that fits.
    fn patched(at: usize, value: &[u8]) -> Bytes {
        let mut bytes = batch(&plain(2), &BatchFields::default()).to_vec();
        bytes[at..at + value.len()].copy_from_slice(value);
        let crc = crc32c(&bytes[21..]);
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());
        bytes.into()
    }

    fn refused(bytes: Bytes) -> IncomingError {
        IncomingBatch::check(bytes, &rules()).unwrap_err()
    }

    #[test]
    fn a_plain_batch_is_kept_as_it_is_and_not_walked() {
        for codec in [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
            let bytes = batch(&plain(3), &BatchFields { codec, ..BatchFields::default() });
            let incoming = IncomingBatch::check(bytes.clone(), &rules()).unwrap();
            assert_eq!(incoming.bytes(), &bytes);
            assert_eq!((incoming.count().value(), incoming.block()), (3, None));
            assert_eq!(incoming.summary(), Some(&BatchSummary::default()));
        }
    }

    #[test]
    fn exactly_one_batch_of_format_two() {
        let one = batch(&plain(1), &BatchFields::default());
        assert_eq!(refused(Bytes::new()), BatchError::Empty.into());
        let two = Bytes::from([one.clone(), one.clone()].concat());
        assert_eq!(refused(two), BatchError::SecondBatch(one.len()).into());
        assert_eq!(refused(patched(16, &[1])), BatchError::Magic(1).into());
    }

    #[test]
    fn every_truncation_and_every_flipped_bit_is_refused() {
        let bytes = batch(&plain(1), &BatchFields::default());
        for cut in 0..bytes.len() {
            assert!(IncomingBatch::check(bytes.slice(..cut), &rules()).is_err());
        }
        // Base offset and leader epoch are not covered by the CRC.
        for at in (8..12).chain(16..bytes.len()) {
            let mut damaged = bytes.to_vec();
            damaged[at] ^= 1;
            assert!(IncomingBatch::check(damaged.into(), &rules()).is_err(), "byte {at}");
        }
    }

    #[test]
    fn header_rules_of_a_produced_batch() {
        let bits = |attributes: Attributes| attributes.0.to_be_bytes();
        assert_eq!(refused(patched(21, &bits(Attributes::CONTROL))), BatchError::Control.into());
        assert_eq!(
            refused(patched(21, &bits(Attributes::LOG_APPEND_TIME))),
            BatchError::LogAppendTime.into()
        );
        let offsets = BatchError::CountOfOffsets { count: 2, last_offset_delta: 7 };
        assert_eq!(refused(patched(23, &7i32.to_be_bytes())), offsets.into());
        let producer = BatchError::Sequence { producer_id: 9, epoch: -1, sequence: -1 };
        assert_eq!(refused(patched(43, &9i64.to_be_bytes())), producer.into());
        assert_eq!(refused(patched(57, &0i32.to_be_bytes())), BatchError::Count(0).into());
    }

    #[test]
    fn sizes_and_counts_are_bounded() {
        let bytes = batch(&plain(2), &BatchFields::default());
        let tight = ProduceRules { max_message_bytes: bytes.len() - 1, ..rules() };
        let error = IncomingBatch::check(bytes.clone(), &tight).unwrap_err();
        assert_eq!(error, IncomingError::TooLarge { len: bytes.len(), max: bytes.len() - 1 });
        let many = check(&plain(32_768), Codec::None, &rules()).unwrap_err();
        assert_eq!(many, IncomingError::TooManyRecords { count: 32_768 });
        assert!(check(&plain(32_767), Codec::None, &rules()).is_ok());
        let small = ProduceRules { max_decompressed_bytes: 10, ..rules() };
        let bomb = check(&plain(100), Codec::Zstd, &small).unwrap_err();
        assert_eq!(bomb, IncomingError::DecompressedTooLarge { max: 10 });
    }

    #[test]
    fn lz4_with_linked_blocks_is_refused_before_it_is_opened() {
        let fields = BatchFields { codec: Codec::Lz4, ..BatchFields::default() };
        let mut linked = batch(&plain(2), &fields).to_vec();
        // The flags follow the batch's head and the frame's magic.
        linked[61 + 4] &= !0x20;
        let crc = crc32c(&linked[21..]);
        linked[17..21].copy_from_slice(&crc.to_be_bytes());
        let refused = IncomingBatch::check(linked.into(), &rules());
        assert_eq!(refused.unwrap_err(), IncomingError::Lz4Linked);
        assert!(check(&plain(2), Codec::Lz4, &rules()).is_ok());
    }

    #[test]
    fn zstd_needs_produce_seven() {
        let old = ProduceRules { api_version: 6, ..rules() };
        assert_eq!(
            check(&plain(1), Codec::Zstd, &old).unwrap_err(),
            IncomingError::ZstdTooOld { api_version: 6 }
        );
        assert!(check(&plain(1), Codec::Lz4, &old).is_ok());
    }

    #[test]
    fn timestamps_must_be_near_the_clock_unless_the_broker_sets_them() {
        let at = |timestamp| vec![TestRecord { timestamp, ..TestRecord::default() }];
        let strict = ProduceRules {
            now_ms: 10_000,
            timestamp_before_max_ms: 1000,
            timestamp_after_max_ms: 500,
            ..rules()
        };
        for allowed in [9000, 10_500, -1] {
            assert!(check(&at(allowed), Codec::None, &strict).is_ok(), "{allowed}");
        }
        for timestamp in [8999, 10_501] {
            let expected = IncomingError::Timestamp { timestamp, earliest: 9000, latest: 10_500 };
            assert_eq!(check(&at(timestamp), Codec::None, &strict).unwrap_err(), expected);
        }
        let ours = check(&at(1), Codec::None, &ProduceRules { log_append_time: true, ..strict }).unwrap();
        let view = ours.view().unwrap();
        assert!(view.is_log_append_time() && view.check_crc().is_ok());
        assert_eq!(view.max_timestamp(), 10_000);
    }

    #[test]
    fn a_middle_record_out_of_time_is_found_by_the_walk() {
        let mut records = plain(3);
        records[1].timestamp = 1;
        let strict = ProduceRules { now_ms: 1000, timestamp_before_max_ms: 10, explode: true, ..rules() };
        let expected = IncomingError::Timestamp { timestamp: 1, earliest: 990, latest: i64::MAX };
        assert_eq!(check(&records, Codec::None, &strict).unwrap_err(), expected);
    }

    #[test]
    fn a_compacted_topic_names_each_record_without_a_key() {
        let mut records = plain(4);
        records[1].key = None;
        records[3].key = None;
        let compacted = ProduceRules { compacted: true, ..rules() };
        let IncomingError::InvalidRecords(faults) = check(&records, Codec::Gzip, &compacted).unwrap_err()
        else {
            panic!("record errors expected");
        };
        let indexes: Vec<_> = faults.iter().map(|fault| (fault.batch_index, fault.cause)).collect();
        assert_eq!(indexes, [(1, FaultCause::NoKey), (3, FaultCause::NoKey)]);
    }

    #[test]
    fn a_delay_request_refuses_its_record_in_every_codec() {
        let mut records = plain(2);
        records[1] = records[1].clone().header("rmq.delay.level", b"3");
        for codec in [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
            let cause = FaultCause::Request(RequestError::DelayUnsupported { header: "rmq.delay.level" });
            let expected = IncomingError::InvalidRecords(vec![RecordFault { batch_index: 1, cause }]);
            assert_eq!(check(&records, codec, &rules()).unwrap_err(), expected);
            let unsearched = ProduceRules { search: false, ..rules() };
            assert!(check(&records, codec, &unsearched).unwrap().summary().is_none());
        }
    }

    #[test]
    fn a_value_with_the_marker_is_walked_and_harmless() {
        let incoming = check(&[TestRecord::new(None, Some(b"see rmq.tags"))], Codec::None, &rules()).unwrap();
        assert_eq!(incoming.summary(), Some(&BatchSummary::default()));
    }

    #[test]
    fn one_tag_of_all_records_is_the_batches_tag() {
        let tagged = |tag: &[u8]| TestRecord::new(Some(b"k"), Some(b"v")).header("rmq.tags", tag);
        let same = check(&[tagged(b"A"), tagged(b"A")], Codec::Lz4, &rules()).unwrap();
        assert_eq!(same.summary().unwrap().tag.as_deref(), Some("A"));
        for mixed in [[tagged(b"A"), tagged(b"B")], [tagged(b"A"), plain(1).remove(0)]] {
            let incoming = check(&mixed, Codec::None, &rules()).unwrap();
            let summary = incoming.summary().unwrap();
            assert_eq!(summary.tag, None);
            assert!(summary.bloom.may_match([65]) && summary.bloom != TagBloom::NO_TAGS);
        }
    }

    #[test]
    fn keys_are_collected_once_and_bounded() {
        let keyed = |keys: &str| TestRecord::new(Some(b"k"), None).header("rmq.keys", keys.as_bytes());
        let first = keyed("a b").header("rmq.msg.id", b"id0");
        let second = keyed("b c").header("rmq.msg.id", b"id1");
        let incoming = check(&[first, second, keyed(&"x".repeat(20_000))], Codec::None, &rules()).unwrap();
        let summary = incoming.summary().unwrap();
        assert_eq!((summary.keys.as_str(), summary.first_msg_id.as_deref()), ("a b id1 c", Some("id0")));
        let indexed = ProduceRules { index_record_keys: true, search: false, ..rules() };
        let incoming = check(&plain(2), Codec::None, &indexed).unwrap();
        assert_eq!(incoming.summary().map(|s| (s.keys.as_str(), s.searched())), Some(("k", false)));
    }

    #[test]
    fn producer_facts_wrap_like_the_sequence() {
        let fields = BatchFields {
            producer_id: 7,
            producer_epoch: 1,
            base_sequence: i32::MAX - 1,
            ..BatchFields::default()
        };
        let facts = IncomingBatch::check(batch(&plain(4), &fields), &rules()).unwrap().producer().unwrap();
        assert_eq!((facts.base_sequence, facts.last_sequence), (i32::MAX - 1, 1));
        let none = check(&plain(4), Codec::None, &rules()).unwrap().producer().unwrap();
        assert_eq!((none.producer_id, none.last_sequence), (-1, -1));
    }

    #[test]
    fn a_walked_batch_must_hold_the_records_it_declares() {
        let walked = ProduceRules { explode: true, ..rules() };
        let mut bytes = batch(&plain(3), &BatchFields::default()).to_vec();
        bytes[57..61].copy_from_slice(&2i32.to_be_bytes());
        bytes[23..27].copy_from_slice(&1i32.to_be_bytes());
        let crc = crc32c(&bytes[21..]);
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());
        let error = IncomingBatch::check(bytes.into(), &walked).unwrap_err();
        assert!(
            matches!(error, IncomingError::Record { index: 1, error: RecordError::Trailing(_) }),
            "{error}"
        );
    }

    proptest! {
        #[test]
        fn any_bytes_behind_a_valid_crc_are_checked_without_panic(header: [u8; 40], block: Vec<u8>) {
            let mut bytes = vec![0; 21];
            bytes.extend(header);
            bytes.extend(&block);
            let len = u32::try_from(bytes.len() - 12).unwrap();
            bytes[8..12].copy_from_slice(&len.to_be_bytes());
            bytes[16] = 2;
            bytes[21..23].copy_from_slice(&i16::from(header[0] & 7).to_be_bytes());
            let count = i32::from(header[1] % 4);
            bytes[23..27].copy_from_slice(&(count - 1).to_be_bytes());
            bytes[57..61].copy_from_slice(&count.to_be_bytes());
            let crc = crc32c(&bytes[21..]);
            bytes[17..21].copy_from_slice(&crc.to_be_bytes());
            let _ = IncomingBatch::check(bytes.into(), &ProduceRules { explode: true, ..rules() });
        }
    }
}
