//! A store beside what `expected.json` says Java sees in the same directory: the differences, by name.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use gantry_store::format::{FrameView, QueueOffset, message_id, properties};
use gantry_store::{Boundary, Queue, QueueKind, ReadLimits, ReadStatus, Store, Unit};
use serde_json::{Value, json};

use crate::frames::{described, wanted};

/// `getMessage` of a Java broker: at most 32 messages of 256 KiB together.
const JAVA_MESSAGES: i64 = 32;
const JAVA_BYTES: usize = 256 << 10;

/// Everything that is not as in `java`: `log`, `frames`, `keys`, and for queues `<topic>/<queue>: ` with what differs.
pub(crate) fn differences(store: &Store, java: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut note = |what: &str, equal: bool| {
        if !equal {
            found.push(what.to_owned());
        }
    };
    let marks = store.watermarks();
    let log = &java["commitLog"];
    note("log", log["minOffset"] == marks.min.0 && log["maxOffset"] == marks.written.0);
    note("frames", frames(store, log["frames"].as_array().unwrap()));
    note("keys", java["index"]["queries"].as_array().unwrap().iter().all(|query| answers(store, query)));
    let mut java_queues = BTreeSet::new();
    for (topic, queues) in java["queues"].as_object().unwrap() {
        for (id, queue) in queues.as_object().unwrap() {
            java_queues.insert((topic.clone(), id.parse::<i32>().unwrap()));
            let differs = queue_differences(store, topic, id.parse().unwrap(), queue);
            if !differs.is_empty() {
                found.push(format!("{topic}/{id}: {}", differs.join(", ")));
            }
        }
    }
    let ours = store.queues().into_iter().filter(|queue| queue.next() > QueueOffset(0));
    let names: BTreeSet<(String, i32)> = ours.map(|queue| (queue.topic().to_owned(), queue.id())).collect();
    found.extend(names.difference(&java_queues).map(|(topic, id)| format!("{topic}/{id}: not in Java")));
    found.sort();
    found
}

/// Whether every frame is there, in order, with the fields that Java's decoder gives it.
fn frames(store: &Store, java: &[Value]) -> bool {
    let (mut seen, mut equal) = (0, true);
    let marks = store.watermarks();
    let end = store.visit(marks.min, &mut |frame| {
        assert_eq!(store.frame_at(frame.commit_offset()).unwrap(), frame.bytes());
        equal &= java.get(seen).is_some_and(|java| described(frame) == wanted(java));
        seen += 1;
        ControlFlow::Continue(())
    });
    assert_eq!(end.unwrap(), marks.written);
    equal && seen == java.len()
}

/// Whether a query by key finds what Java finds.
fn answers(store: &Store, query: &Value) -> bool {
    let (topic, key) = (query["topic"].as_str().unwrap(), query["key"].as_str().unwrap());
    let found = store.query(topic, key, 32, 0, i64::MAX).unwrap();
    let mut found: Vec<i64> = found.iter().map(|at| at.0).collect();
    found.sort_unstable();
    Value::from(found) == query["physicalOffsets"]
}

/// What of a queue is not as in `java`.
fn queue_differences(store: &Store, topic: &str, id: i32, java: &Value) -> Vec<&'static str> {
    let Some(queue) = store.queue(topic, id) else { return vec!["missing"] };
    let kind = if java["type"] == "BatchCQ" { QueueKind::Batch } else { QueueKind::Simple };
    assert_eq!(queue.kind(), kind, "{topic}/{id}");
    let checks = [
        ("bounds", java["minOffset"] == queue.min().0 && java["maxOffset"] == queue.next().0),
        ("units", java["units"] == Value::from(units(store, &queue))),
        ("reads", rows(&java["getMessage32"]).iter().all(|read| is_read_alike(store, &queue, read))),
        (
            "times lower",
            rows(&java["offsetByTime"]).iter().all(|row| row[1] == time(store, &queue, row, Boundary::Lower)),
        ),
        (
            "times upper",
            rows(&java["offsetByTime"]).iter().all(|row| row[2] == time(store, &queue, row, Boundary::Upper)),
        ),
    ];
    checks.into_iter().filter(|(_, equal)| !equal).map(|(what, _)| what).collect()
}

fn rows(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn time(store: &Store, queue: &Queue, row: &Value, boundary: Boundary) -> i64 {
    store.offset_by_time(queue, row[0].as_i64().unwrap(), boundary).unwrap().0
}

/// Units of a queue as `expected.json` lists them.
fn units(store: &Store, queue: &Queue) -> Vec<Value> {
    let mut rows = Vec::new();
    let mut from = queue.min();
    while from < queue.next() {
        let extract = store.read(queue, from, &limits(1000, 1 << 30), &mut |_| true).unwrap();
        assert!(extract.next > from);
        from = extract.next;
        rows.extend(extract.frames().map(|(unit, frame)| row(queue, unit, &frame)));
    }
    rows
}

fn row(queue: &Queue, unit: &Unit, frame: &[u8]) -> Value {
    let frame = FrameView::parse(frame).unwrap();
    frame.check_body_crc().unwrap();
    assert_eq!((frame.commit_offset(), frame.queue_offset()), (unit.commit_offset, unit.queue_offset));
    let places = (unit.queue_offset.0, unit.commit_offset.0, unit.size, unit.tags_code);
    match queue.kind() {
        QueueKind::Simple => json!([places.0, places.1, places.2, places.3]),
        QueueKind::Batch => json!([places.0, places.1, places.2, places.3, unit.records, -1]),
    }
}

fn limits(max_units: usize, max_bytes: usize) -> ReadLimits {
    ReadLimits { max_units, max_bytes, max_scanned: 1000, upto: QueueOffset(i64::MAX) }
}

/// One `getMessage(offset, 32)`: status, next offset, bounds, and the units it returns.
fn is_read_alike(store: &Store, queue: &Queue, java: &Value) -> bool {
    let from = QueueOffset(java["offset"].as_i64().unwrap());
    let frames = frames_of_32_messages(store, queue, from);
    let extract = store.read(queue, from, &limits(frames, JAVA_BYTES), &mut |_| true).unwrap();
    let offsets: Vec<i64> = extract.units.iter().map(|unit| unit.queue_offset.0).collect();
    java["status"] == status(extract.status)
        && java["nextBeginOffset"] == extract.next.0
        && java["minOffset"] == extract.min.0
        && java["maxOffset"] == extract.max.0
        && java["messages"] == Value::from(offsets)
}

/// Java's limit counts messages, the store's counts frames.
fn frames_of_32_messages(store: &Store, queue: &Queue, from: QueueOffset) -> usize {
    let extract = store.read(queue, from, &limits(32, JAVA_BYTES), &mut |_| true).unwrap();
    let sums = extract.units.iter().scan(0, |sum, unit| {
        *sum += i64::from(unit.records);
        Some(*sum)
    });
    sums.take_while(|sum| *sum <= JAVA_MESSAGES).count().max(1)
}

/// The status under RocketMQ's name.
fn status(status: ReadStatus) -> &'static str {
    match status {
        ReadStatus::Found => "FOUND",
        ReadStatus::NoMatched => "NO_MATCHED_MESSAGE",
        ReadStatus::NoMessage => "NO_MESSAGE_IN_QUEUE",
        ReadStatus::TooSmall => "OFFSET_TOO_SMALL",
        ReadStatus::OverflowOne => "OFFSET_OVERFLOW_ONE",
        ReadStatus::OverflowBadly => "OFFSET_OVERFLOW_BADLY",
        ReadStatus::Removing => "MESSAGE_WAS_REMOVING",
    }
}

/// A line of killed-acked.txt: UNIQ_KEY, offset message id, queue id, queue offset of a confirmed send.
pub(crate) fn assert_holds_acked(store: &Store, line: &str) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [key, id, queue_id, offset] = words[..] else { panic!("not an acknowledgement: {line}") };
    let (_, at) = message_id::decode(id).unwrap();
    let frame = store.frame_at(at).unwrap();
    let frame = FrameView::parse(&frame).unwrap();
    assert_eq!(properties::find(frame.properties(), "UNIQ_KEY"), Some(key.as_bytes()), "{line}");
    // Delayed and half messages stand in system topics and are confirmed with the queue they are meant for.
    if frame.topic() == Ok("KilledTopic") {
        let place = (frame.queue_id().to_string(), frame.queue_offset().0.to_string());
        assert_eq!(place, (queue_id.to_owned(), offset.to_owned()), "{line}");
        let queue = store.queue("KilledTopic", frame.queue_id()).unwrap();
        let extract = store.read(&queue, frame.queue_offset(), &limits(1, 1), &mut |_| true).unwrap();
        assert_eq!(extract.units[0].commit_offset, at, "{line}");
    }
}
