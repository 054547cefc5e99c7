//! Queue units, index files and checkpoints that the original wrote: equal to what its CommitLog says.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed step fails the test")]

mod golden;

use std::collections::BTreeMap;

use gantry_store::format::batch_consume_queue::{self, BatchUnit};
use gantry_store::format::checkpoint::{self, Checkpoint};
use gantry_store::format::consume_queue::{self, Unit};
use gantry_store::format::index::{HEADER_LEN, Header};
use gantry_store::format::{FrameView, QueueOffset, inner, properties};
use serde_json::{Value, json};

use golden::GoldenStore;

/// The original's table of delay levels, ms, level 1 first.
const LEVELS: [i64; 18] = {
    const MINUTE: i64 = 60_000;
    [
        1000,
        5000,
        10_000,
        30_000,
        MINUTE,
        2 * MINUTE,
        3 * MINUTE,
        4 * MINUTE,
        5 * MINUTE,
        6 * MINUTE,
        7 * MINUTE,
        8 * MINUTE,
        9 * MINUTE,
        10 * MINUTE,
        20 * MINUTE,
        30 * MINUTE,
        60 * MINUTE,
        120 * MINUTE,
    ]
};

fn tags_code(frame: &FrameView<'_>) -> i64 {
    let extracted = properties::extract(frame.properties(), frame.topic_bytes());
    extracted.tags_code_at(frame.store_timestamp(), &LEVELS)
}

#[test]
fn tags_codes_are_those_of_the_dispatcher() {
    for dir in golden::CLEAN {
        let store = GoldenStore::clean(dir);
        let expected = store.expected["commitLog"]["frames"].as_array().unwrap();
        for (frame, expected) in store.walk().frames.iter().zip(expected) {
            assert_eq!(
                tags_code(frame),
                expected["tagsCode"].as_i64().unwrap(),
                "{dir} {}",
                frame.commit_offset()
            );
        }
    }
}

#[test]
fn queue_files_hold_the_units_of_the_frames() {
    for dir in golden::CLEAN {
        let store = GoldenStore::clean(dir);
        let frames = store.walk().frames;
        for (topic, queues) in store.expected["queues"].as_object().unwrap() {
            for (queue, expected) in queues.as_object().unwrap() {
                let of_queue = frames.iter().filter(|frame| {
                    frame.topic().unwrap() == topic
                        && frame.queue_id().to_string() == *queue
                        && frame.sys_flag().enters_queue()
                });
                if expected["type"] == "BatchCQ" {
                    check_batch_queue(&store, topic, queue, expected, of_queue);
                } else {
                    check_queue(&store, topic, queue, expected, of_queue);
                }
            }
        }
    }
}

fn check_queue<'a>(
    store: &GoldenStore,
    topic: &str,
    queue: &str,
    expected: &Value,
    frames: impl Iterator<Item = &'a FrameView<'a>>,
) {
    let mut on_disk = BTreeMap::new();
    for (name, file) in store.under(&format!("consumequeue/{topic}/{queue}/")) {
        let start: i64 = name.parse().unwrap();
        for (number, bytes) in file.as_chunks::<{ consume_queue::LEN }>().0.iter().enumerate() {
            let offset = QueueOffset(start / 20 + i64::try_from(number).unwrap());
            assert_eq!(consume_queue::position(offset), start + 20 * i64::try_from(number).unwrap());
            if let Some(unit) = Unit::decode(bytes).filter(|unit| !unit.is_filler()) {
                assert_eq!(unit.encode(), *bytes);
                on_disk.insert(offset, unit);
            }
        }
    }
    let built: BTreeMap<QueueOffset, Unit> = frames
        .map(|frame| {
            let size = frame.total_size().cast_signed();
            let unit = Unit { commit_offset: frame.commit_offset(), size, tags_code: tags_code(frame) };
            (frame.queue_offset(), unit)
        })
        .collect();
    assert_eq!(on_disk, built, "{topic}/{queue}");
    let listed: Vec<Value> = on_disk
        .iter()
        .map(|(offset, unit)| json!([offset.0, unit.commit_offset.0, unit.size, unit.tags_code]))
        .collect();
    assert_eq!(Value::from(listed), expected["units"], "{topic}/{queue}");
}

fn check_batch_queue<'a>(
    store: &GoldenStore,
    topic: &str,
    queue: &str,
    expected: &Value,
    frames: impl Iterator<Item = &'a FrameView<'a>>,
) {
    let mut on_disk = Vec::new();
    for (_, file) in store.under(&format!("batchconsumequeue/{topic}/{queue}/")) {
        let units = file.as_chunks::<{ batch_consume_queue::LEN }>().0.iter();
        for (bytes, unit) in units.map_while(|bytes| Some((bytes, BatchUnit::decode(bytes)?))) {
            assert_eq!(unit.encode(), *bytes);
            on_disk.push(unit);
        }
    }
    let built: Vec<BatchUnit> = frames
        .map(|frame| BatchUnit {
            commit_offset: frame.commit_offset(),
            size: frame.total_size().cast_signed(),
            tags_code: tags_code(frame),
            store_time: frame.store_timestamp(),
            base_offset: frame.queue_offset(),
            batch_size: inner::inner_num(frame).unwrap().value(),
            compacted_offset: batch_consume_queue::NOT_COMPACTED,
            reserved: 0,
        })
        .collect();
    assert_eq!(on_disk, built, "{topic}/{queue}");
    let listed: Vec<Value> = on_disk
        .iter()
        .map(|unit| {
            let places = (unit.base_offset.0, unit.commit_offset.0, unit.size);
            json!([places.0, places.1, places.2, unit.tags_code, unit.batch_size, unit.compacted_offset])
        })
        .collect();
    assert_eq!(Value::from(listed), expected["units"], "{topic}/{queue}");
    let next = on_disk.last().map_or(0, |unit| unit.next_offset().0);
    assert_eq!(next, expected["maxOffset"].as_i64().unwrap(), "{topic}/{queue}");
}

#[test]
fn index_headers_are_those_of_java() {
    for dir in golden::CLEAN {
        let store = GoldenStore::clean(dir);
        for expected in store.expected["index"]["files"].as_array().unwrap() {
            let file = &store.files[&format!("index/{}", expected["file"].as_str().unwrap())];
            let header = Header::decode(file.first_chunk::<HEADER_LEN>().unwrap());
            assert_eq!(header.encode(), file[..HEADER_LEN]);
            let seen = json!({
                "file": expected["file"],
                "beginTimestamp": header.begin_timestamp,
                "endTimestamp": header.end_timestamp,
                "beginPhyOffset": header.begin_commit_offset.0,
                "endPhyOffset": header.end_commit_offset.0,
                "hashSlotCount": header.slot_count,
                "indexCount": header.index_count,
            });
            assert_eq!(seen, *expected, "{dir}");
        }
    }
}

#[test]
fn checkpoints_are_those_of_java() {
    for dir in golden::CLEAN {
        let store = GoldenStore::clean(dir);
        let file = &store.files["checkpoint"];
        let checkpoint = Checkpoint::decode(file).unwrap();
        assert_eq!(file.len(), checkpoint::LEN);
        assert_eq!(checkpoint.encode(), file[..]);
        let seen = json!({
            "physicMsgTimestamp": checkpoint.physic_msg_timestamp,
            "logicsMsgTimestamp": checkpoint.logics_msg_timestamp,
            "indexMsgTimestamp": checkpoint.index_msg_timestamp,
            "masterFlushedOffset": checkpoint.master_flushed_offset.0,
            "confirmPhyOffset": checkpoint.confirm_commit_offset.0,
        });
        assert_eq!(seen, store.expected["before"]["checkpoint"], "{dir}");
    }
}
