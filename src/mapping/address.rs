//! The two names of one record of a Kafka batch: its synthetic commit offset, and its computed unique key.
//!
//! All records of a batch frame share one commit offset, so requests that address by it (view message,
//! send-back) would hit the whole batch. A [`RecordAddress`] takes its place:
//!
//! | bit | width | field                                                                        |
//! |----:|------:|------------------------------------------------------------------------------|
//! |  62 |     1 | always 1; real commit offsets stay below 2^62                                |
//! |  40 |    22 | queue ordinal: the broker's persisted number of (topic, queue)               |
//! |   0 |    40 | queue offset                                                                 |
//!
//! A [`RecordKey`] is what a record without a client-given id shows as `UNIQ_KEY`: 32 upper-case hex digits of
//! `KF`, queue id (u16), queue offset (u64), CRC-32 of broker name, a zero byte, topic. It is computed on
//! every read, so the text is stable and a query by it needs no index entry.
//!
//! Not here: who hands out ordinals (the broker's topic table).

use std::fmt;

use gantry_store::format::offset::QueueOffset;

const MARK: i64 = 1 << 62;
const ORDINAL_SHIFT: u32 = 40;
const ORDINAL_BITS: u32 = 22;
const OFFSET_MASK: i64 = (1 << ORDINAL_SHIFT) - 1;
const _: () = assert!(ORDINAL_SHIFT + ORDINAL_BITS == 62);

/// The broker's persisted number of one (topic, queue); below 2^22.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueOrdinal(u32);

impl QueueOrdinal {
    /// One more than the largest ordinal.
    pub const END: u32 = 1 << ORDINAL_BITS;

    /// `None` when 22 bits do not hold it.
    #[must_use]
    pub const fn new(ordinal: u32) -> Option<QueueOrdinal> {
        if ordinal < QueueOrdinal::END { Some(QueueOrdinal(ordinal)) } else { None }
    }

    /// The number.
    #[must_use]
    pub fn value(self) -> u32 {
        self.0
    }
}

/// What native clients are told as the commit offset of a record inside a batch frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordAddress(i64);

impl RecordAddress {
    /// `None` when the queue offset is negative or 2^40 and more.
    #[must_use]
    pub fn new(queue: QueueOrdinal, offset: QueueOffset) -> Option<RecordAddress> {
        let fits = 0 <= offset.0 && offset.0 <= OFFSET_MASK;
        fits.then_some(RecordAddress(MARK | i64::from(queue.0) << ORDINAL_SHIFT | offset.0))
    }

    /// Recognises an address among numbers a client sent as a commit offset; `None` for real commit offsets
    /// and for negative numbers.
    #[must_use]
    pub fn from_commit_offset(value: i64) -> Option<RecordAddress> {
        (value & MARK != 0 && value > 0).then_some(RecordAddress(value))
    }

    /// The number that goes into a frame's physical offset field and into offset message ids.
    #[must_use]
    pub fn value(self) -> i64 {
        self.0
    }

    /// Which queue.
    #[must_use]
    pub fn queue(self) -> QueueOrdinal {
        let ordinal = (self.0 & !MARK) >> ORDINAL_SHIFT;
        QueueOrdinal(u32::try_from(ordinal).unwrap_or(0))
    }

    /// Which message of the queue.
    #[must_use]
    pub fn offset(self) -> QueueOffset {
        QueueOffset(self.0 & OFFSET_MASK)
    }
}

/// The computed unique key of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RecordKey {
    /// Queue id; two bytes suffice, a topic has far fewer queues.
    pub queue_id: u16,
    /// Queue offset of the record.
    pub offset: QueueOffset,
    /// CRC-32 of broker and topic: tells a foreign key from ours.
    pub check: u32,
}

impl RecordKey {
    /// Length of the text: 16 bytes in hex.
    pub const TEXT_LEN: usize = 32;

    /// The key of one record.
    #[must_use]
    pub fn new(broker: &str, topic: &str, queue_id: u16, offset: QueueOffset) -> RecordKey {
        RecordKey { queue_id, offset, check: check_of(broker, topic) }
    }

    /// Reads the text form. `None` for anything that is not one: another client's id is just a string.
    #[must_use]
    pub fn parse(text: &str) -> Option<RecordKey> {
        let digits = text.strip_prefix("4B46")?;
        let upper_hex = |b: u8| b.is_ascii_digit() || (b'A'..=b'F').contains(&b);
        if text.len() != RecordKey::TEXT_LEN || !digits.bytes().all(upper_hex) {
            return None;
        }
        let (queue, rest) = digits.split_at_checked(4)?;
        let (offset, check) = rest.split_at_checked(16)?;
        Some(RecordKey {
            queue_id: u16::from_str_radix(queue, 16).ok()?,
            offset: QueueOffset(i64::from_str_radix(offset, 16).ok()?),
            check: u32::from_str_radix(check, 16).ok()?,
        })
    }

    /// Was this key computed for a record of that broker and topic?
    #[must_use]
    pub fn belongs_to(self, broker: &str, topic: &str) -> bool {
        self.check == check_of(broker, topic)
    }
}

impl fmt::Display for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "4B46{:04X}{:016X}{:08X}", self.queue_id, self.offset.0, self.check)
    }
}

fn check_of(broker: &str, topic: &str) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(broker.as_bytes());
    crc.update(&[0]);
    crc.update(topic.as_bytes());
    crc.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_address_is_bit_62_ordinal_and_offset() {
        let address = RecordAddress::new(QueueOrdinal::new(3).unwrap(), QueueOffset(5)).unwrap();
        assert_eq!(address.value(), 0x4000_0300_0000_0005);
    }

    #[test]
    fn refuses_what_does_not_fit() {
        let last = QueueOrdinal::new(QueueOrdinal::END - 1).unwrap();
        assert_eq!(QueueOrdinal::new(QueueOrdinal::END), None);
        assert_eq!(RecordAddress::new(last, QueueOffset(1 << 40)), None);
        assert_eq!(RecordAddress::new(last, QueueOffset(-1)), None);
        assert!(RecordAddress::new(last, QueueOffset((1 << 40) - 1)).unwrap().value() > 0);
    }

    #[test]
    fn real_commit_offsets_are_no_addresses() {
        for value in [0, 1, (1 << 62) - 1, -1, i64::MIN] {
            assert_eq!(RecordAddress::from_commit_offset(value), None);
        }
    }

    #[test]
    fn key_text_is_32_upper_hex_digits() {
        let key = RecordKey { queue_id: 7, offset: QueueOffset(0x1234), check: 0xDEAD_BEEF };
        assert_eq!(key.to_string(), "4B4600070000000000001234DEADBEEF");
        assert_eq!(RecordKey::parse("4B4600070000000000001234DEADBEEF"), Some(key));
    }

    #[test]
    fn foreign_ids_are_no_record_keys() {
        for text in [
            "",
            "4B46",
            "0A00000100002A9F0000000000000400",
            "4b4600070000000000001234deadbeef",
            "4B46000700000000000012 4DEADBEEF",
            "4B4600070000000000001234DEADBEEF0",
            "4B46+0070000000000001234DEADBEEF",
            "4B460007F000000000001234DEADBEEF",
        ] {
            assert_eq!(RecordKey::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_check_tells_topics_and_brokers_apart() {
        let key = RecordKey::new("broker-a", "orders", 0, QueueOffset(1));
        assert!(key.belongs_to("broker-a", "orders"));
        assert!(!key.belongs_to("broker-a", "order") && !key.belongs_to("broker-", "aorders"));
    }

    proptest! {
        #[test]
        fn addresses_and_keys_round_trip(ordinal in 0..QueueOrdinal::END, offset in 0i64..1 << 40, queue_id: u16) {
            let queue = QueueOrdinal::new(ordinal).unwrap();
            let address = RecordAddress::new(queue, QueueOffset(offset)).unwrap();
            let read = RecordAddress::from_commit_offset(address.value()).unwrap();
            prop_assert_eq!((read.queue(), read.offset()), (queue, QueueOffset(offset)));
            let key = RecordKey::new("b", "t", queue_id, QueueOffset(offset));
            prop_assert_eq!(RecordKey::parse(&key.to_string()), Some(key));
        }
    }
}
