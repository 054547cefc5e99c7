//! A Kafka fetch of native frames: consecutive messages packed into v2 batches.
//!
//! Messages that were records of one producer batch (`__KP`) are packed as that batch, producer id and sequence
//! included; native messages are packed together, without a producer. Offsets are the queue's, gaps stay gaps.
//! Inner batches of a stock broker are unwrapped. Kafka batches are not packed: they are sent as they are.
//! Not here: which frames to read, and the record of one message (`native_record`).

use bytes::BytesMut;
use gantry_protocols::kafka::attributes::{Attributes, Codec};
use gantry_protocols::kafka::batch::HEADER_LEN;
use gantry_protocols::kafka::batch_builder::{BatchBuilder, BatchFields, BuildError, NewRecord};
use gantry_store::format::frame::FrameView;
use gantry_store::format::offset::QueueOffset;
use gantry_store::format::sysflag::BatchKind;

use super::carriers::ProducerMark;
use super::inner_batch::{BadItem, Items};
use super::native_record::{KafkaRecord, NativeHeaders, NativeMessage, RecordScratch, convert};

/// What topic and request say about packed batches.
#[derive(Clone, Copy, Debug)]
pub struct PackRules {
    /// The current leader epoch, which clients need to notice a truncation.
    pub leader_epoch: i32,
    /// `kafka.native.fetch.compression`.
    pub codec: Codec,
    /// `kafka.native.headers`.
    pub headers: NativeHeaders,
    /// Largest body after decompression, bytes.
    pub body_max_bytes: usize,
    /// A batch is closed when it has this many bytes before compression.
    pub batch_max_bytes: usize,
    /// Bytes for all batches together; the first record is packed even when it is larger.
    pub max_bytes: usize,
    /// Native messages show the broker's time (`message.timestamp.type=LogAppendTime`).
    pub log_append_time: bool,
}

/// Whether a frame found room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// All its messages are packed.
    Packed,
    /// `max_bytes` is reached; the message at this offset and later ones are not packed.
    Full {
        /// Where the next fetch goes on.
        next: QueueOffset,
    },
}

/// Why a frame cannot be packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    /// The frame is a Kafka batch already.
    #[error("frame at queue offset {0} is a Kafka batch, which is sent as it is")]
    KafkaBatch(QueueOffset),
    /// The body of an inner batch is malformed.
    #[error("inner batch at queue offset {base}: {error}")]
    Inner {
        /// Of the frame.
        base: QueueOffset,
        /// What is wrong.
        error: BadItem,
    },
    /// Offsets that do not ascend, or a record beyond the format.
    #[error(transparent)]
    Build(#[from] BuildError),
}

/// Packs messages one after the other; its buffers serve many fetches.
#[derive(Debug)]
pub struct Packer {
    rules: PackRules,
    builder: BatchBuilder,
    scratch: RecordScratch,
    open: Option<OpenBatch>,
    used: usize,
}

/// The batch that is being filled.
#[derive(Clone, Copy, Debug)]
struct OpenBatch {
    base: QueueOffset,
    first_mark: Option<ProducerMark>,
    last_mark: Option<ProducerMark>,
    append_time: Option<i64>,
}

impl OpenBatch {
    fn takes(&self, at: QueueOffset, mark: Option<ProducerMark>, append_time: Option<i64>) -> bool {
        let same_producer = match (self.last_mark, mark) {
            (None, None) => true,
            (Some(last), Some(mark)) => mark.continues(last),
            _ => false,
        };
        same_producer && self.append_time == append_time && delta(self.base, at).is_some()
    }
}

fn delta(base: QueueOffset, at: QueueOffset) -> Option<i32> {
    i32::try_from(at.messages_since(base)).ok().filter(|delta| *delta >= 0)
}

impl Packer {
    /// Ready for one fetch.
    #[must_use]
    pub fn new(rules: PackRules) -> Packer {
        Packer { rules, builder: BatchBuilder::new(), scratch: RecordScratch::default(), open: None, used: 0 }
    }

    /// Begins the next fetch with other rules and keeps the buffers.
    pub fn restart(&mut self, rules: PackRules) {
        self.rules = rules;
        self.builder.clear();
        self.open = None;
        self.used = 0;
    }

    /// Packs the messages of `frame` at `from` and later; finished batches are appended to `out`.
    ///
    /// # Errors
    /// [`PackError`]; what was packed before stays.
    pub fn push(
        &mut self,
        frame: &FrameView<'_>,
        from: QueueOffset,
        out: &mut BytesMut,
    ) -> Result<Fit, PackError> {
        let message = NativeMessage {
            body: frame.body(),
            properties: frame.properties(),
            flag: frame.flag(),
            sys_flag: frame.sys_flag(),
            reconsume_times: frame.reconsume_times(),
            origin: Some((frame.born_host(), frame.store_timestamp())),
        };
        match frame.sys_flag().batch_kind() {
            BatchKind::Native if frame.queue_offset() < from => Ok(Fit::Packed),
            BatchKind::Native => self.push_message(frame, &message, frame.queue_offset(), out),
            BatchKind::InnerBatch => self.push_items(frame, &message, from, out),
            BatchKind::KafkaBatch => Err(PackError::KafkaBatch(frame.queue_offset())),
        }
    }

    /// Closes the last batch. Call once, after the last frame.
    ///
    /// # Errors
    /// [`PackError::Build`] when the batch is beyond the format.
    pub fn finish(&mut self, out: &mut BytesMut) -> Result<(), PackError> {
        let Some(open) = self.open.take() else { return Ok(()) };
        let mark = open.first_mark;
        let transactional = mark.is_some_and(|mark| mark.transactional);
        let fields = BatchFields {
            base_offset: open.base.0,
            leader_epoch: self.rules.leader_epoch,
            attributes: if transactional { Attributes::TRANSACTIONAL } else { Attributes::default() },
            codec: self.rules.codec,
            log_append_time: open.append_time,
            last_offset_delta: None,
            producer_id: mark.map_or(-1, |mark| mark.producer_id),
            producer_epoch: mark.map_or(-1, |mark| mark.producer_epoch),
            base_sequence: mark.map_or(-1, ProducerMark::sequence),
        };
        self.used += self.builder.finish(&fields, out)?;
        self.builder.clear();
        Ok(())
    }

    fn push_items(
        &mut self,
        frame: &FrameView<'_>,
        message: &NativeMessage<'_>,
        from: QueueOffset,
        out: &mut BytesMut,
    ) -> Result<Fit, PackError> {
        let base = frame.queue_offset();
        for (index, item) in (0..).zip(Items::new(message.body)) {
            let item = item.map_err(|error| PackError::Inner { base, error })?;
            let at = base.plus(index);
            if at < from {
                continue;
            }
            let message = NativeMessage {
                body: item.body,
                properties: item.properties,
                flag: item.flag,
                sys_flag: Default::default(),
                ..*message
            };
            if let full @ Fit::Full { .. } = self.push_message(frame, &message, at, out)? {
                return Ok(full);
            }
        }
        Ok(Fit::Packed)
    }

    fn push_message(
        &mut self,
        frame: &FrameView<'_>,
        message: &NativeMessage<'_>,
        at: QueueOffset,
        out: &mut BytesMut,
    ) -> Result<Fit, PackError> {
        // The scratch is taken out so that the record may borrow it while the builder is used.
        let mut scratch = std::mem::take(&mut self.scratch);
        let record = convert(message, self.rules.headers, self.rules.body_max_bytes, &mut scratch);
        let pushed = self.push_record(frame, &record, at, out);
        self.scratch = scratch;
        pushed
    }

    fn push_record(
        &mut self,
        frame: &FrameView<'_>,
        record: &KafkaRecord<'_>,
        at: QueueOffset,
        out: &mut BytesMut,
    ) -> Result<Fit, PackError> {
        let size = size_bound(record);
        if self.total() > 0 && self.total() + size > self.rules.max_bytes {
            return Ok(Fit::Full { next: at });
        }
        let append_time = record.mark.filter(|mark| mark.log_append_time).map(|_| frame.born_timestamp());
        let open = self.open.filter(|open| {
            let room = self.builder.uncompressed_len() + size <= self.rules.batch_max_bytes;
            room && open.takes(at, record.mark, append_time)
        });
        let open = match open {
            Some(open) => open,
            None => {
                self.finish(out)?;
                OpenBatch { base: at, first_mark: record.mark, last_mark: None, append_time }
            }
        };
        let own_time = self.rules.log_append_time && record.mark.is_none();
        let new = NewRecord {
            timestamp: if own_time { frame.store_timestamp() } else { frame.born_timestamp() },
            offset_delta: delta(open.base, at).unwrap_or(i32::MAX),
            key: record.key,
            value: record.value,
        };
        self.builder.push(new, record.headers)?;
        self.open = Some(OpenBatch { last_mark: record.mark, ..open });
        Ok(Fit::Packed)
    }

    /// Bytes packed so far, the open batch before compression.
    fn total(&self) -> usize {
        self.used + if self.open.is_some() { self.builder.uncompressed_len() } else { 0 }
    }
}

/// At least as many bytes as the record takes, a batch header for it included.
fn size_bound(record: &KafkaRecord<'_>) -> usize {
    const NUMBERS: usize = 5 + 1 + 10 + 5 + 5 + 5 + 5;
    let data = record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
    HEADER_LEN + NUMBERS + data + record.headers.byte_len() + 10 * record.headers.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::inner_batch::encode_item;
    use crate::mapping::test_records::{fetched, native, pack_rules, packed};
    use gantry_protocols::kafka::batch::{BatchView, Batches};

    fn push(packer: &mut Packer, frame: &[u8], from: i64, out: &mut BytesMut) -> Result<Fit, PackError> {
        packer.push(&FrameView::parse(frame).unwrap(), QueueOffset(from), out)
    }

    #[test]
    fn gaps_between_offsets_stay_gaps_in_one_batch() {
        let frames = [3, 4, 9].map(|at| native(b"v", 0, 0, b"", at));
        let answer = packed(&frames, pack_rules());
        let view = BatchView::only(&answer).unwrap();
        assert_eq!((view.base_offset(), view.last_offset_delta(), view.count()), (3, 6, 3));
        assert_eq!(fetched(&answer).iter().map(|(at, _)| *at).collect::<Vec<_>>(), [3, 4, 9]);
    }

    #[test]
    fn offsets_too_far_apart_begin_a_new_batch() {
        let frames = [0, 1 << 33].map(|at| native(b"v", 0, 0, b"", at));
        let answer = packed(&frames, pack_rules());
        let bases: Vec<_> = Batches::new(&answer).map(|batch| batch.unwrap().base_offset()).collect();
        assert_eq!(bases, [0, 1 << 33]);
    }

    #[test]
    fn the_first_record_is_packed_whatever_its_size_and_the_answer_stays_below_its_bound() {
        let mut packer = Packer::new(PackRules { max_bytes: 1000, ..pack_rules() });
        let mut out = BytesMut::new();
        assert_eq!(push(&mut packer, &native(&[b'x'; 5000], 0, 0, b"", 0), 0, &mut out), Ok(Fit::Packed));
        let full = push(&mut packer, &native(b"v", 0, 0, b"", 1), 0, &mut out);
        assert_eq!(full, Ok(Fit::Full { next: QueueOffset(1) }));
        packer.restart(PackRules { max_bytes: 1000, ..pack_rules() });
        out.clear();
        let mut at = 0;
        while push(&mut packer, &native(&[b'x'; 50], 0, 0, b"a\x01b\x02", at), 0, &mut out) == Ok(Fit::Packed)
        {
            at += 1;
        }
        packer.finish(&mut out).unwrap();
        assert!(out.len() <= 1000 && out.len() > 700, "{}", out.len());
        assert_eq!(fetched(&out).len() as i64, at);
    }

    #[test]
    fn messages_before_the_asked_offset_are_left_out() {
        let body = [encode_item(0, b"one", b""), encode_item(7, b"two", b"TAGS\x01A\x02")].concat();
        let frame = native(&body, 0xC0, 0, b"INNER_NUM\x012\x02", 40);
        let mut packer = Packer::new(pack_rules());
        let mut out = BytesMut::new();
        push(&mut packer, &native(b"v", 0, 0, b"", 39), 41, &mut out).unwrap();
        push(&mut packer, &frame, 41, &mut out).unwrap();
        packer.finish(&mut out).unwrap();
        let records = fetched(&out);
        assert_eq!((records.len(), records[0].0, records[0].1.value.as_deref()), (1, 41, Some(&b"two"[..])));
        let headers =
            [(b"rmq.tags".to_vec(), Some(b"A".to_vec())), (b"rmq.flag".to_vec(), Some(b"7".to_vec()))];
        assert_eq!(records[0].1.headers, headers);
    }

    #[test]
    fn kafka_batches_and_damaged_inner_batches_are_refused() {
        let mut packer = Packer::new(pack_rules());
        let mut out = BytesMut::new();
        let refused = push(&mut packer, &native(b"v", 0x80, 0, b"", 3), 0, &mut out);
        assert_eq!(refused, Err(PackError::KafkaBatch(QueueOffset(3))));
        let refused = push(&mut packer, &native(b"v", 0xC0, 0, b"", 3), 0, &mut out);
        assert_eq!(refused, Err(PackError::Inner { base: QueueOffset(3), error: BadItem { at: 0 } }));
    }

    #[test]
    fn broker_time_is_the_store_time_of_native_messages() {
        let answer =
            packed(&[native(b"v", 0, 0, b"", 0)], PackRules { log_append_time: true, ..pack_rules() });
        assert_eq!(fetched(&answer)[0].1.timestamp, 9_999);
    }
}
