//! The properties that carry what RocketMQ has no place for, so that a Kafka record survives any round trip.
//!
//! | property | value                                   | present when                                        |
//! |----------|-----------------------------------------|-----------------------------------------------------|
//! | `__KK`   | key as base64; `-` empty, `!` null      | the key cannot be read back from `KEYS` alone       |
//! | `__KH`   | raw header block as base64              | user properties alone would lose something          |
//! | `__KHX`  | `1`: the header block was too large     | native delivery of a record of a batch frame only   |
//! | `__KN`   | `1`: the value is null, not empty       | a tombstone                                         |
//! | `__KP`   | `pid.epoch.firstSeq.count.index.flags`  | a native frame made from a record of a Kafka batch  |
//!
//! The raw header block is what stands in the record from the header count on. `__KP` tells which frames were
//! one batch, so that producer state can be rebuilt; native senders cannot set it. All others may be copied by
//! applications: that is how a record comes back whole through a native program.
//! Not here: when which one is written (`record_properties`), and the tag bloom `__KB` (`tag_bloom`).

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gantry_protocols::kafka::record::{Headers, Record};
use gantry_protocols::kafka::varint::{Reader, put_varint};

const EMPTY_KEY: &[u8] = b"-";
const NULL_KEY: &[u8] = b"!";

/// Appends the value of `__KK`.
pub fn write_key(key: Option<&[u8]>, out: &mut Vec<u8>) {
    match key {
        None => out.extend_from_slice(NULL_KEY),
        Some([]) => out.extend_from_slice(EMPTY_KEY),
        Some(key) => write_base64(key, out),
    }
}

/// Reads the value of `__KK` into `scratch`. The outer `None`: the text is no carrier, so it decides nothing.
pub fn read_key<'a>(text: &[u8], scratch: &'a mut Vec<u8>) -> Option<Option<&'a [u8]>> {
    scratch.clear();
    match text {
        NULL_KEY => Some(None),
        EMPTY_KEY => Some(Some(&[])),
        _ => read_base64(text, scratch).map(Some),
    }
}

/// Appends the value of `__KH`; `scratch` is overwritten.
pub fn write_headers(headers: Headers<'_>, scratch: &mut Vec<u8>, out: &mut Vec<u8>) {
    scratch.clear();
    put_varint(scratch, i32::try_from(headers.len()).unwrap_or(i32::MAX));
    scratch.extend_from_slice(headers.block());
    write_base64(scratch, out);
}

/// Reads the value of `__KH` into `scratch`; `None` when it is no well-formed header block.
pub fn read_headers<'a>(text: &[u8], scratch: &'a mut Vec<u8>) -> Option<Headers<'a>> {
    // The record walker reads headers as the end of a record, so an otherwise empty record is put before them.
    let padding = text.iter().rev().take_while(|b| **b == b'=').count();
    let len = (text.len() / 4 * 3).checked_sub(padding)?;
    scratch.clear();
    put_varint(scratch, i32::try_from(len + EMPTY_RECORD.len()).ok()?);
    scratch.extend_from_slice(&EMPTY_RECORD);
    STANDARD.decode_vec(text, scratch).ok()?;
    let mut input = Reader::new(scratch);
    let record = Record::decode(&mut input).ok()?;
    (input.left() == 0).then_some(record.headers)
}

/// Attributes, timestamp delta, offset delta, null key, null value.
const EMPTY_RECORD: [u8; 5] = [0, 0, 0, 1, 1];

/// Length of the base64 text of `len` bytes.
#[must_use]
pub const fn base64_len(len: usize) -> usize {
    len.div_ceil(3) * 4
}

fn write_base64(bytes: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + base64_len(bytes.len()), 0);
    if let Some(text) = out.get_mut(start..) {
        let written = STANDARD.encode_slice(bytes, text).unwrap_or(0);
        out.truncate(start + written);
    }
}

fn read_base64<'a>(text: &[u8], scratch: &'a mut Vec<u8>) -> Option<&'a [u8]> {
    STANDARD.decode_vec(text, scratch).ok()?;
    Some(scratch)
}

/// The Kafka batch a native frame was made from, and which record of it the frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerMark {
    /// Producer id; -1 without idempotence.
    pub producer_id: i64,
    /// Producer epoch; -1 without idempotence.
    pub producer_epoch: i16,
    /// Sequence of the batch's first record; -1 without idempotence.
    pub first_sequence: i32,
    /// Records in the batch.
    pub count: i32,
    /// Which record this is, from 0.
    pub index: i32,
    /// The batch was part of a transaction.
    pub transactional: bool,
    /// Its timestamps are the broker's, not the producer's.
    pub log_append_time: bool,
}

const TRANSACTIONAL: u8 = 1;
const LOG_APPEND_TIME: u8 = 2;

impl ProducerMark {
    /// Reads the value of `__KP`; `None` when it is not one.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<ProducerMark> {
        let mut fields = std::str::from_utf8(text).ok()?.split('.');
        let mark = ProducerMark {
            producer_id: fields.next()?.parse().ok()?,
            producer_epoch: fields.next()?.parse().ok()?,
            first_sequence: fields.next()?.parse().ok()?,
            count: fields.next()?.parse().ok()?,
            index: fields.next()?.parse().ok()?,
            transactional: false,
            log_append_time: false,
        };
        let flags: u8 = fields.next()?.parse().ok()?;
        let placed = 0 <= mark.index && mark.index < mark.count && fields.next().is_none();
        placed.then_some(ProducerMark {
            transactional: flags & TRANSACTIONAL != 0,
            log_append_time: flags & LOG_APPEND_TIME != 0,
            ..mark
        })
    }

    /// Is `self` a later record of the batch that `earlier` is a record of?
    #[must_use]
    pub fn continues(self, earlier: ProducerMark) -> bool {
        earlier.index < self.index && ProducerMark { index: earlier.index, ..self } == earlier
    }

    /// The record's own sequence number, which wraps to 0 after 2^31 - 1; -1 without idempotence.
    #[must_use]
    pub fn sequence(self) -> i32 {
        if self.first_sequence < 0 {
            return self.first_sequence;
        }
        self.first_sequence.wrapping_add(self.index) & i32::MAX
    }

    fn flags(self) -> u8 {
        u8::from(self.transactional) * TRANSACTIONAL + u8::from(self.log_append_time) * LOG_APPEND_TIME
    }
}

impl fmt::Display for ProducerMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ProducerMark { producer_id, producer_epoch, first_sequence, count, index, .. } = self;
        write!(f, "{producer_id}.{producer_epoch}.{first_sequence}.{count}.{index}.{}", self.flags())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MARK: ProducerMark = ProducerMark {
        producer_id: 4000,
        producer_epoch: 2,
        first_sequence: i32::MAX - 1,
        count: 5,
        index: 3,
        transactional: true,
        log_append_time: false,
    };

    #[test]
    fn a_key_keeps_its_nullness() {
        for (key, text) in [(None, "!"), (Some(&b""[..]), "-"), (Some(b"\x00\xff".as_slice()), "AP8=")] {
            let mut out = Vec::new();
            write_key(key, &mut out);
            assert_eq!(out, text.as_bytes());
            assert_eq!(read_key(&out, &mut Vec::new()), Some(key));
        }
    }

    #[test]
    fn text_that_is_no_carrier_decides_nothing() {
        assert_eq!(read_key(b"not base64", &mut Vec::new()), None);
        assert_eq!(read_headers(b"A", &mut Vec::new()), None);
        for text in [
            "",
            "1.2.3.4.5",
            "1.2.3.4.4.0",
            "1.2.3.4.-1.0",
            "1.2.3.4.0.0.0",
            "x.2.3.4.0.0",
            "1.99999.3.4.0.0",
        ] {
            assert_eq!(ProducerMark::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_mark_is_six_numbers() {
        assert_eq!(MARK.to_string(), "4000.2.2147483646.5.3.1");
        assert_eq!(ProducerMark::parse(b"4000.2.2147483646.5.3.1"), Some(MARK));
    }

    #[test]
    fn sequences_wrap_to_zero() {
        assert_eq!(ProducerMark { index: 1, ..MARK }.sequence(), i32::MAX);
        assert_eq!(ProducerMark { index: 2, ..MARK }.sequence(), 0);
        assert_eq!(ProducerMark { first_sequence: -1, ..MARK }.sequence(), -1);
    }

    #[test]
    fn only_later_records_of_the_same_batch_continue_it() {
        assert!(ProducerMark { index: 4, ..MARK }.continues(MARK));
        assert!(!MARK.continues(MARK));
        assert!(!ProducerMark { index: 4, first_sequence: 0, ..MARK }.continues(MARK));
    }

    proptest! {
        #[test]
        fn keys_round_trip(key: Option<Vec<u8>>) {
            let mut out = Vec::new();
            write_key(key.as_deref(), &mut out);
            let mut scratch = Vec::new();
            prop_assert_eq!(read_key(&out, &mut scratch), Some(key.as_deref()));
        }

        #[test]
        fn header_blocks_round_trip(block in proptest::collection::vec((".{0,3}", proptest::option::of(".{0,3}")), 0..70)) {
            let mut record = EMPTY_RECORD.to_vec();
            put_varint(&mut record, i32::try_from(block.len()).unwrap());
            for (name, value) in &block {
                put_varint(&mut record, i32::try_from(name.len()).unwrap());
                record.extend(name.as_bytes());
                put_varint(&mut record, value.as_ref().map_or(-1, |v| i32::try_from(v.len()).unwrap()));
                record.extend(value.as_deref().unwrap_or_default().as_bytes());
            }
            let mut bytes = Vec::new();
            put_varint(&mut bytes, i32::try_from(record.len()).unwrap());
            bytes.extend(record);
            let headers = Record::decode(&mut Reader::new(&bytes)).unwrap().headers;
            let (mut out, mut scratch) = (Vec::new(), Vec::new());
            write_headers(headers, &mut scratch, &mut out);
            prop_assert_eq!(read_headers(&out, &mut scratch), Some(headers));
        }

        #[test]
        fn any_text_is_read_without_panic(text: Vec<u8>) {
            let _ = read_headers(&text, &mut Vec::new());
            let _ = read_key(&text, &mut Vec::new());
            let _ = ProducerMark::parse(&text);
        }
    }
}
