//! The round-trip rules R1 to R6 on bytes: what goes in through one dialect comes back through it, directly or
//! by way of the other. And the batches made by the Java client, through every path.

use bytes::Bytes;
use gantry_protocols::kafka::attributes::Codec;
use gantry_protocols::kafka::batch::BatchView;
use gantry_protocols::kafka::batch_builder::BatchFields;
use gantry_store::format::frame::FrameView;
use gantry_store::format::offset::{CommitOffset, QueueOffset};
use gantry_store::format::properties::{find, properties};
use gantry_store::format::sysflag::BatchKind;
use proptest::prelude::*;

use super::address::{QueueOrdinal, RecordAddress};
use super::incoming::{IncomingBatch, ProduceRules};
use super::pack::PackRules;
use super::test_records::{
    TestRecord, any_codec, any_record, batch, exploded, fetched, kept, native, pack_rules, packed, records,
    rules,
};
use super::unwrap::{DecodedBatch, Delivered, Delivery, DeliveryScratch};

const TO: Delivery<'_> = Delivery {
    topic: "orders",
    stored_topic: "orders",
    broker: "broker-a",
    queue_id: 1,
    ordinal: match QueueOrdinal::new(3) {
        Some(ordinal) => ordinal,
        None => panic!("3 is an ordinal"),
    },
    frame_max: 16 << 20,
};

/// The native frames of all records of a batch frame.
fn unwrapped(frame: &[u8]) -> Vec<Vec<u8>> {
    let decoded = DecodedBatch::decode(&FrameView::parse(frame).unwrap(), 64 << 20).unwrap();
    let mut scratch = DeliveryScratch::default();
    (0..decoded.len())
        .map(|index| {
            let mut out = Vec::new();
            let delivered = decoded.native_frame(index, &TO, &mut scratch, &mut out).unwrap();
            assert_eq!(delivered, Delivered::Frame { len: u32::try_from(out.len()).unwrap() });
            out
        })
        .collect()
}

fn at(base: i64, records: &[TestRecord]) -> Vec<(i64, TestRecord)> {
    (base..).zip(records.iter().cloned()).collect()
}

/// Headers without those the system gives to native messages.
fn without_ids(mut records: Vec<(i64, TestRecord)>) -> Vec<(i64, TestRecord)> {
    records.iter_mut().for_each(|(_, record)| record.headers.retain(|(name, _)| name != b"rmq.msg.id"));
    records
}

proptest! {
    #[test]
    fn r1_a_kept_batch_is_the_body_unchanged(
        list in proptest::collection::vec(any_record(), 1..6), codec in any_codec(),
    ) {
        let bytes = batch(&list, &BatchFields { codec, ..BatchFields::default() });
        let frame = kept(bytes.clone(), &rules(), 700);
        let view = FrameView::parse(&frame).unwrap();
        view.check_body_crc().unwrap();
        prop_assert_eq!(view.body(), &bytes[..]);
        prop_assert_eq!(view.sys_flag().batch_kind(), BatchKind::KafkaBatch);
        prop_assert_eq!(find(view.properties(), "INNER_BASE"), Some(&b"00000000000000000700"[..]));
        prop_assert_eq!(view.born_timestamp(), list.iter().map(|r| r.timestamp).max().unwrap());
    }

    #[test]
    fn r2_exploded_records_come_back_equal(
        list in proptest::collection::vec(any_record(), 1..6), codec in any_codec(), pid in -1i64..3, search: bool,
    ) {
        let (producer_epoch, base_sequence) = if pid < 0 { (-1, -1) } else { (4, i32::MAX - 2) };
        let fields = BatchFields { codec, producer_id: pid, producer_epoch, base_sequence, ..BatchFields::default() };
        let frames = exploded(batch(&list, &fields), &ProduceRules { search, ..rules() }, 700);
        let answer = packed(&frames, pack_rules());
        let view = BatchView::only(&answer).unwrap();
        prop_assert_eq!(records(&view), at(700, &list));
        prop_assert_eq!((view.producer_id(), view.producer_epoch(), view.base_sequence()), (pid, producer_epoch, base_sequence));
        prop_assert_eq!(view.leader_epoch(), 5);
        // From the middle of the batch: the sequences go on.
        let rest = packed(&frames[list.len() - 1..], pack_rules());
        let rest = BatchView::only(&rest).unwrap();
        let last = fields.base_sequence.wrapping_add(i32::try_from(list.len() - 1).unwrap()) & i32::MAX;
        prop_assert_eq!((rest.base_offset(), rest.base_sequence()), (699 + list.len() as i64, if pid < 0 { -1 } else { last }));
    }

    #[test]
    fn r4_records_of_a_kept_batch_come_back_through_native_frames(
        list in proptest::collection::vec(any_record(), 1..6), codec in any_codec(), search: bool,
    ) {
        let bytes = batch(&list, &BatchFields { codec, ..BatchFields::default() });
        let frames = unwrapped(&kept(bytes, &ProduceRules { search, ..rules() }, 700));
        for (frame, record) in frames.iter().zip(&list) {
            let view = FrameView::parse(frame).unwrap();
            view.check_body_crc().unwrap();
            prop_assert_eq!(view.sys_flag().0, 0);
            prop_assert_eq!(view.body(), record.value.as_deref().unwrap_or_default());
            prop_assert_eq!(find(view.properties(), "INNER_NUM"), None);
        }
        // A native program copied body and properties: key, value and headers are there, and an id.
        let expected = without_ids(at(700, &list));
        prop_assert_eq!(without_ids(fetched(&packed(&frames, pack_rules()))), expected);
    }

    #[test]
    fn r5_tags_keys_flag_and_user_properties_come_back_through_a_kafka_program(
        tags in proptest::option::of("[A-C]{1,3}"), keys in proptest::option::of("[a-c]{1,2}( [a-c]{1,2}){0,2}"),
        order_key in proptest::option::of("[a-c]{1,2}"), flag: i32, user in proptest::collection::btree_map("(rmq\\.|kafka\\.h\\.)?[a-z]{1,3}", "[a-zß ]{1,4}", 0..4),
        body in "[a-z]{1,4}",
    ) {
        let mut block = String::new();
        for (name, value) in [("TAGS", &tags), ("KEYS", &keys), ("__SHARDINGKEY", &order_key)] {
            value.iter().for_each(|value| block += &format!("{name}\x01{value}\x02"));
        }
        user.iter().for_each(|(name, value)| block += &format!("{name}\x01{value}\x02"));
        let answer = packed(&[native(body.as_bytes(), 0, flag, block.as_bytes(), 9)], pack_rules());
        let frames = exploded(produced(&answer), &rules(), 10);
        let view = FrameView::parse(&frames[0]).unwrap();
        prop_assert_eq!((view.body(), view.flag()), (body.as_bytes(), flag));
        let back: std::collections::BTreeMap<_, _> = properties(view.properties())
            .map(|p| (String::from_utf8(p.name.to_vec()).unwrap(), String::from_utf8(p.value.to_vec()).unwrap()))
            .filter(|(name, _)| !matches!(name.as_str(), "__KP" | "__KH" | "__KK" | "UNIQ_KEY"))
            .collect();
        let mut expected = user;
        for (name, value) in [("TAGS", tags), ("KEYS", keys), ("__SHARDINGKEY", order_key)] {
            value.into_iter().for_each(|value| drop(expected.insert(name.to_owned(), value)));
        }
        prop_assert_eq!(back, expected);
    }

    #[test]
    fn r6_headers_of_any_name_never_act(name in "(rmq\\.|kafka\\.h\\.|__|)[A-Za-z_.#0-9]{0,8}|DELAY|TRAN_MSG|REAL_TOPIC|TIMER_DELIVER_MS|POP_CK", value in "[0-9]{1,3}") {
        prop_assume!(!super::request_headers::is_request(name.as_bytes()));
        let record = TestRecord::new(None, Some(b"v")).header(&name, value.as_bytes());
        let bytes = batch(&[record], &BatchFields::default());
        let mut frames = exploded(bytes.clone(), &rules(), 5);
        frames.extend(unwrapped(&kept(bytes, &rules(), 5)));
        for frame in frames {
            let view = FrameView::parse(&frame).unwrap();
            prop_assert_eq!(view.flag(), 0);
            for property in properties(view.properties()) {
                let ours = matches!(property.name, b"__KP" | b"__KH" | b"UNIQ_KEY");
                let system = gantry_store::format::names::is_system_name(std::str::from_utf8(property.name).unwrap());
                prop_assert!(ours || !system, "{:?}", property);
            }
        }
    }

    #[test]
    fn any_frame_is_packed_and_decoded_without_panic(body: Vec<u8>, flags in 0i32..0x800, block: Vec<u8>) {
        let frame = native(&body, flags & !0x30, 0, &block, 3);
        let view = FrameView::parse(&frame).unwrap();
        let mut out = bytes::BytesMut::new();
        let _ = super::pack::Packer::new(pack_rules()).push(&view, QueueOffset(0), &mut out);
        let _ = DecodedBatch::decode(&view, 1 << 20);
    }
}

proptest! {
    #[test]
    fn damaged_batches_are_decoded_and_handed_out_without_panic(
        list in proptest::collection::vec(any_record(), 1..4), at in 0usize..400, bits in 1u8..=255,
    ) {
        let mut body = batch(&list, &BatchFields::default()).to_vec();
        let place = 16 + at % (body.len() - 16);
        body[place] ^= bits;
        let frame = native(&body, 0x80, 0, b"INNER_NUM\x011\x02__KB\x0180000000\x02", 7);
        if let Ok(decoded) = DecodedBatch::decode(&FrameView::parse(&frame).unwrap(), 1 << 20) {
            for index in 0..decoded.len() {
                let _ = decoded.tag_of(index);
                let _ = decoded.index_at(QueueOffset(7 + index as i64));
                let _ = decoded.native_frame(index, &TO, &mut DeliveryScratch::default(), &mut Vec::new());
            }
        }
    }
}

/// A fetched batch as its reader would produce it again: base offset 0, no producer.
fn produced(answer: &[u8]) -> Bytes {
    let list: Vec<TestRecord> = fetched(answer).into_iter().map(|(_, record)| record).collect();
    batch(&list, &BatchFields::default())
}

#[test]
fn r3_a_native_frame_is_not_touched_by_being_packed() {
    let frame = native(b"body", 0, 7, b"TAGS\x01A\x02", 4);
    let before = frame.clone();
    packed(std::slice::from_ref(&frame), pack_rules());
    assert_eq!(frame, before);
}

#[test]
fn native_frames_of_records_have_addresses_and_stable_keys() {
    let list = vec![TestRecord::new(Some(b"k"), Some(b"v")); 3];
    let frames = unwrapped(&kept(batch(&list, &BatchFields::default()), &rules(), 700));
    let view = FrameView::parse(&frames[2]).unwrap();
    assert_eq!(view.queue_offset(), QueueOffset(702));
    assert_eq!(
        view.commit_offset(),
        CommitOffset(RecordAddress::new(TO.ordinal, QueueOffset(702)).unwrap().value())
    );
    let key = std::str::from_utf8(find(view.properties(), "UNIQ_KEY").unwrap()).unwrap();
    let key = super::address::RecordKey::parse(key).unwrap();
    assert_eq!((key.queue_id, key.offset), (1, QueueOffset(702)));
    assert!(key.belongs_to("broker-a", "orders"));
}

/// The batches made by the Java client.
fn golden(name: &str) -> Bytes {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/compat-tests/golden/kafka/batches/");
    std::fs::read(format!("{path}{name}")).unwrap().into()
}

#[test]
fn golden_batches_come_back_equal_through_frames_and_through_native_records() {
    let names = [
        "create-none",
        "create-gzip",
        "create-snappy",
        "create-lz4",
        "create-zstd",
        "produce-request",
        "idempotent",
        "transactional",
        "single-null-null",
        "300-records-gzip",
    ];
    for name in names {
        let bytes = golden(&format!("{name}.bin"));
        let view = BatchView::only(&bytes).unwrap();
        let base = view.base_offset();
        let expected = records(&view);
        let frames = exploded(bytes.clone(), &rules(), base);
        let answer = packed(&frames, PackRules { codec: Codec::Lz4, ..pack_rules() });
        let again = BatchView::only(&answer).unwrap();
        assert_eq!(records(&again), expected, "{name}");
        let producer = |view: &BatchView<'_>| {
            (view.producer_id(), view.producer_epoch(), view.base_sequence(), view.is_transactional())
        };
        assert_eq!(producer(&again), producer(&view), "{name}");
        let native = unwrapped(&kept(bytes, &rules(), 7));
        let moved: Vec<_> = expected.into_iter().map(|(at, record)| (at - base + 7, record)).collect();
        assert_eq!(without_ids(fetched(&packed(&native, pack_rules()))), moved, "{name}");
    }
}

#[test]
fn golden_batches_of_the_broker_are_refused_from_a_client() {
    for name in [
        "append-none",
        "append-zstd",
        "control-commit",
        "control-abort",
        "control-leader-change",
        "compacted",
    ] {
        assert!(IncomingBatch::check(golden(&format!("{name}.bin")), &rules()).is_err(), "{name}");
    }
}

#[test]
fn broker_time_holds_for_all_records_on_both_paths() {
    let append = ProduceRules { log_append_time: true, now_ms: 5_000_000, ..rules() };
    let list = vec![TestRecord::new(Some(b"k"), Some(b"v")); 2];
    let bytes = batch(&list, &BatchFields::default());
    let answer = packed(&exploded(bytes.clone(), &append, 0), pack_rules());
    let view = BatchView::only(&answer).unwrap();
    assert!(view.is_log_append_time());
    assert_eq!(view.max_timestamp(), 5_000_000);
    let frames = unwrapped(&kept(bytes, &append, 0));
    assert_eq!(FrameView::parse(&frames[1]).unwrap().born_timestamp(), 5_000_000);
}

#[test]
fn two_producer_batches_stay_two_batches() {
    let fields = |base_sequence| BatchFields {
        producer_id: 9,
        producer_epoch: 0,
        base_sequence,
        ..BatchFields::default()
    };
    let list = vec![TestRecord::new(Some(b"k"), Some(b"v")); 2];
    let mut frames = exploded(batch(&list, &fields(0)), &rules(), 0);
    frames.push(native(b"native", 0, 0, b"", 2));
    frames.extend(exploded(batch(&list, &fields(2)), &rules(), 3));
    let answer = packed(&frames, pack_rules());
    let heads: Vec<_> = gantry_protocols::kafka::batch::Batches::new(&answer)
        .map(|batch| batch.map(|b| (b.base_offset(), b.count(), b.producer_id(), b.base_sequence())).unwrap())
        .collect();
    assert_eq!(heads, [(0, 2, 9, 0), (2, 1, -1, -1), (3, 2, 9, 2)]);
}

/// The first frame that a stock 5.3.3 broker wrote into the `BatchCQ` topic of golden/store-batchcq.
#[test]
fn an_inner_batch_of_the_original_is_read_by_both_dialects() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/compat-tests/golden/mapping/inner-batch.bin");
    let frame = std::fs::read(path).unwrap();
    let fetched = fetched(&packed(std::slice::from_ref(&frame), pack_rules()));
    let (at, first) = &fetched[0];
    assert_eq!((fetched.len(), *at, first.key.as_deref()), (3, 0, Some(&b"three-0"[..])));
    let headers = [("i", "0"), ("rmq.tags", "TagB"), ("rmq.msg.id", "7F00000173D44E0E2F2A68F54F4A0000")];
    let headers = headers.map(|(name, value)| (name.as_bytes().to_vec(), Some(value.as_bytes().to_vec())));
    assert_eq!(first.headers, headers);
    let native = unwrapped(&frame);
    let last = FrameView::parse(&native[2]).unwrap();
    assert_eq!((last.body(), last.queue_offset()), (&b"three item 2"[..], QueueOffset(2)));
    assert_eq!(find(last.properties(), "UNIQ_KEY"), Some(&b"7F00000173D44E0E2F2A68F54F4A0002"[..]));
    assert_eq!((last.sys_flag().0, find(last.properties(), "INNER_NUM")), (0, None));
}
