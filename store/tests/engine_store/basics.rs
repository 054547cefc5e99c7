//! The store through its face: what is appended is read back, before and after a restart.

use std::sync::Arc;
use std::task::{Poll, Waker};

use crate::common::{append, contents, open, open_with, push, read, small_config};
use bytes::Bytes;
use gantry_store::disk::{RealDisk, SimDisk};
use gantry_store::format::{CommitOffset, QueueOffset};
use gantry_store::{AppendError, OpenError, PushError, QueueKind, ReadStatus, Task};

#[test]
fn reads_what_was_appended_in_both_kinds_of_queue() {
    let (store, report) = open(&SimDisk::new(1)).unwrap();
    assert!(report.clean && report.scanned_bytes == 0);
    let simple = store.create_queue("simple", 0, QueueKind::Simple).unwrap();
    let batched = store.create_queue("batch", 2, QueueKind::Batch).unwrap();
    let mut batch = store.batch();
    push(&mut batch, &simple, &Bytes::from_static(b"one"), 1);
    push(&mut batch, &batched, &Bytes::from_static(b"three records"), 3);
    push(&mut batch, &simple, &Bytes::from(vec![7; 5000]), 1);
    push(&mut batch, &batched, &Bytes::from_static(b"two records"), 2);
    let appended = store.append(&mut batch).unwrap();
    assert_eq!(appended.begin, CommitOffset(0));
    assert_eq!(store.watermarks().written, appended.end);
    let offsets: Vec<i64> = batch.placed().iter().map(|placed| placed.queue_offset.0).collect();
    assert_eq!(offsets, [0, 0, 1, 3]);
    assert_eq!(contents(&store, &simple), [(0, 1, b"one".to_vec()), (1, 1, vec![7; 5000])]);
    let expected = [(0, 3, b"three records".to_vec()), (3, 2, b"two records".to_vec())];
    assert_eq!(contents(&store, &batched), expected);
    let inside = read(&store, &batched, 4);
    assert_eq!((inside.units[0].queue_offset, inside.next), (QueueOffset(3), QueueOffset(5)));
}

#[test]
fn a_batch_is_reused_and_a_refused_item_leaves_it_unchanged() {
    let (store, _) = open(&SimDisk::new(1)).unwrap();
    let simple = store.create_queue("simple", 0, QueueKind::Simple).unwrap();
    let batched = store.create_queue("batch", 0, QueueKind::Batch).unwrap();
    let mut batch = store.batch();
    push(&mut batch, &simple, &Bytes::from_static(b"first"), 1);
    store.append(&mut batch).unwrap();
    batch.clear();
    let body = Bytes::from_static(b"x");
    let mut wrong = crate::common::entry(&body);
    wrong.records = 32_768;
    assert_eq!(batch.push(&batched, &wrong), Err(PushError::RecordCount { records: 32_768 }));
    wrong.records = 2;
    assert_eq!(batch.push(&batched, &wrong), Err(PushError::SysFlag { sys_flag: 0, records: 2 }));
    wrong.sys_flag.0 = 0x80;
    assert_eq!(batch.push(&simple, &wrong), Err(PushError::QueueKind { kind: QueueKind::Simple }));
    wrong.sys_flag.0 = 0xC0;
    assert_eq!(batch.push(&batched, &wrong), Err(PushError::SysFlag { sys_flag: 0xC0, records: 2 }));
    let torn = entry_of_torn_properties(&body);
    assert_eq!(batch.push(&simple, &torn), Err(PushError::Properties));
    push(&mut batch, &simple, &Bytes::from_static(b"second"), 1);
    assert_eq!(store.append(&mut batch).unwrap().begin.0, contents_end(&store));
}

fn entry_of_torn_properties(body: &Bytes) -> gantry_store::Entry<'_> {
    gantry_store::Entry { properties: &[b"TAGS\x01a\x02", b"\0\0\0"], ..crate::common::entry(body) }
}

fn contents_end(store: &gantry_store::Store) -> i64 {
    let mut last = 0;
    store
        .visit(CommitOffset(0), &mut |frame| {
            last = frame.commit_offset().0;
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    last
}

#[test]
fn status_and_next_offset_are_those_of_the_original() {
    let (store, _) = open(&SimDisk::new(1)).unwrap();
    let queue = store.create_queue("simple", 0, QueueKind::Simple).unwrap();
    let at = |from: i64| {
        let extract = read(&store, &queue, from);
        (extract.status, extract.next.0)
    };
    assert_eq!(at(0), (ReadStatus::NoMessage, 0));
    append(&store, &queue, b"m", 1);
    assert_eq!(at(0), (ReadStatus::Found, 1));
    assert_eq!(at(1), (ReadStatus::OverflowOne, 1));
    assert_eq!(at(2), (ReadStatus::OverflowBadly, 1));
    let none = store.read(&queue, QueueOffset(0), &crate::common::LIMITS, &mut |_| false).unwrap();
    assert_eq!((none.status, none.next.0), (ReadStatus::NoMatched, 1));
}

#[test]
fn a_clean_stop_needs_no_scan_and_loses_nothing() {
    let disk = SimDisk::new(1);
    let (store, _) = open(&disk).unwrap();
    let simple = store.create_queue("simple", 0, QueueKind::Simple).unwrap();
    let batched = store.create_queue("batch", 0, QueueKind::Batch).unwrap();
    for n in 0..100u8 {
        append(&store, &simple, &[n; 300], 1);
        append(&store, &batched, &[n; 100], i32::from(n) + 1);
    }
    let before = (contents(&store, &simple), contents(&store, &batched));
    store.close().unwrap();
    let (store, report) = open(&disk).unwrap();
    assert!(report.clean);
    assert_eq!((report.scanned_bytes, report.cut_bytes), (0, 0));
    let simple = store.queue("simple", 0).unwrap();
    let batched = store.queue("batch", 0).unwrap();
    assert_eq!((contents(&store, &simple), contents(&store, &batched)), before);
    assert_eq!((simple.ordinal(), batched.ordinal()), (0, 1));
    append(&store, &simple, b"next", 1);
    assert_eq!(contents(&store, &simple).last().unwrap(), &(100, 1, b"next".to_vec()));
}

#[test]
fn a_kill_loses_nothing_whatever_was_written_of_the_queues() {
    for written in 0..3 {
        let disk = SimDisk::new(1);
        let (store, _) = open(&disk).unwrap();
        let simple = store.create_queue("simple", 0, QueueKind::Simple).unwrap();
        for n in 0..70u8 {
            append(&store, &simple, &[n; 300], 1);
            if n == 30 && written > 0 {
                store.step(Task::WriteQueues).unwrap();
            }
            if n == 50 && written > 1 {
                store.step(Task::Checkpoint).unwrap();
            }
        }
        let before = contents(&store, &simple);
        let (store, report) = open(&disk.after_kill()).unwrap();
        assert!(!report.clean);
        assert_eq!(report.cut_bytes, 0);
        assert_eq!(contents(&store, &store.queue("simple", 0).unwrap()), before);
    }
}

#[test]
fn waits_for_durability_and_is_woken() {
    let (store, _) = open(&SimDisk::new(1)).unwrap();
    let queue = store.create_queue("simple", 0, QueueKind::Simple).unwrap();
    let end = append(&store, &queue, b"m", 1).end;
    assert!(store.poll_flushed(end, Waker::noop()).is_pending());
    store.step(Task::Flush).unwrap();
    assert!(matches!(store.poll_flushed(end, Waker::noop()), Poll::Ready(Ok(()))));
    assert_eq!(store.watermarks().flushed, end);
}

#[test]
fn the_directory_is_locked_until_close() {
    let disk = SimDisk::new(1);
    let (store, _) = open(&disk).unwrap();
    assert!(matches!(open(&disk), Err(OpenError::InUse { .. })));
    store.close().unwrap();
    open(&disk).unwrap();
}

#[test]
fn a_closed_store_refuses_appends_of_other_clones() {
    let (store, _) = open(&SimDisk::new(1)).unwrap();
    let queue = store.create_queue("simple", 0, QueueKind::Simple).unwrap();
    let other = store.clone();
    store.close().unwrap();
    let mut batch = other.batch();
    push(&mut batch, &queue, &Bytes::from_static(b"late"), 1);
    assert!(matches!(other.append(&mut batch), Err(AppendError::Closed)));
}

#[test]
fn works_with_threads_on_the_file_system() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = small_config();
    config.root = dir.path().join("store");
    config.threads = true;
    config.commit_log_file_size = 1 << 20;
    let (store, _) = open_with(config.clone(), Arc::new(RealDisk)).unwrap();
    let queue = store.create_queue("simple", 0, QueueKind::Simple).unwrap();
    for n in 0..300u32 {
        append(&store, &queue, &vec![n as u8; 10_000], 1);
    }
    let end = store.watermarks().written;
    let (sender, receiver) = std::sync::mpsc::channel();
    let waker = Waker::from(Arc::new(Ring(sender)));
    if store.poll_flushed(end, &waker).is_pending() {
        receiver.recv().unwrap();
    }
    assert!(store.watermarks().flushed >= end);
    let before = contents(&store, &queue);
    assert_eq!(before.len(), 300);
    store.close().unwrap();
    let (store, report) = open_with(config, Arc::new(RealDisk)).unwrap();
    assert!(report.clean);
    assert_eq!(contents(&store, &store.queue("simple", 0).unwrap()), before);
}

struct Ring(std::sync::mpsc::Sender<()>);

impl std::task::Wake for Ring {
    fn wake(self: Arc<Self>) {
        self.0.send(()).unwrap();
    }
}
