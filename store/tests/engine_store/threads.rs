//! Many threads over a real directory: appenders, readers and the store's own threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use gantry_store::QueueKind;
use gantry_store::disk::RealDisk;
use gantry_store::format::QueueOffset;

use crate::common::{LIMITS, contents, open_with, push, small_config};

#[test]
fn readers_see_only_whole_messages_in_order_while_others_append() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = small_config();
    config.root = dir.path().join("store");
    config.threads = true;
    config.commit_log_file_size = 1 << 20;
    config.checkpoint_interval_ms = 20;
    config.queue_file_units = 500;
    config.batch_queue_file_units = 300;
    // How full this machine's disk is must not decide.
    config.clean_interval_ms = 3_600_000;
    let (store, _) = open_with(config.clone(), Arc::new(RealDisk)).unwrap();
    let simple = store.create_queue("simple", 0, QueueKind::Simple).unwrap();
    let batched = store.create_queue("batch", 0, QueueKind::Batch).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let appenders: Vec<_> = (0..3u8)
            .map(|thread| {
                let (store, simple, batched) = (&store, &simple, &batched);
                scope.spawn(move || {
                    let mut batch = store.batch();
                    for n in 0..400usize {
                        batch.clear();
                        push(&mut batch, simple, &Bytes::from(vec![thread; n * 7 % 3000]), 1);
                        push(&mut batch, batched, &Bytes::from(vec![thread; 5000]), 3);
                        push(&mut batch, simple, &Bytes::from(vec![thread; 20]), 1);
                        store.append(&mut batch).unwrap();
                    }
                })
            })
            .collect();
        for queue in [&simple, &batched] {
            let (store, done) = (&store, &done);
            scope.spawn(move || {
                let mut from = QueueOffset(0);
                while !done.load(Ordering::Relaxed) || from < queue.next() {
                    let extract = store.read(queue, from, &LIMITS, &mut |_| true).unwrap();
                    for (unit, frame) in extract.frames() {
                        assert_eq!(unit.queue_offset, from);
                        let view = gantry_store::format::FrameView::parse(&frame).unwrap();
                        view.check_body_crc().unwrap();
                        assert_eq!((view.queue_offset(), view.commit_offset()), (from, unit.commit_offset));
                        from = unit.next_offset();
                    }
                }
            });
        }
        appenders.into_iter().for_each(|appender| appender.join().unwrap());
        done.store(true, Ordering::Relaxed);
    });
    let before = (contents(&store, &simple), contents(&store, &batched));
    assert_eq!((before.0.len(), before.1.len()), (2400, 1200));
    drop(store);
    let (store, report) = open_with(config, Arc::new(RealDisk)).unwrap();
    assert!(!report.clean && report.cut_bytes == 0);
    let after = ["simple", "batch"].map(|topic| contents(&store, &store.queue(topic, 0).unwrap()));
    assert_eq!(after, [before.0, before.1]);
}

#[test]
fn a_directory_is_opened_once_also_within_one_process() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = small_config();
    config.root = dir.path().join("store");
    let (store, _) = open_with(config.clone(), Arc::new(RealDisk)).unwrap();
    let refused = open_with(config.clone(), Arc::new(RealDisk)).err().unwrap();
    assert!(refused.to_string().contains("is in use"), "{refused}");
    drop(store);
    open_with(config, Arc::new(RealDisk)).unwrap();
}
