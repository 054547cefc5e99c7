//! Old files go, and queues, key index and readers follow; a full disk refuses appends and nothing else.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use gantry_store::disk::{Disk, SimDisk};
use gantry_store::format::{CommitOffset, QueueOffset};
use gantry_store::{AppendError, QueueKind, ReadStatus, Store, Task};

use crate::common::{ROOT, append, contents, kind_of, push, read, small_config};

const HOUR_MS: i64 = 3_600_000;

/// A store whose clock the test moves; files get its time too.
fn open_at(disk: &SimDisk, now: &Arc<AtomicI64>) -> Store {
    let clock = Arc::clone(now);
    let clock = Arc::new(move || clock.load(Ordering::Relaxed));
    Store::open(small_config(), Arc::new(disk.clone()), clock, &kind_of, &mut |_| {}).unwrap().0
}

#[test]
fn old_files_go_and_the_queues_follow() {
    let (disk, now) = (SimDisk::new(1), Arc::new(AtomicI64::new(HOUR_MS)));
    disk.set_time(HOUR_MS);
    let store = open_at(&disk, &now);
    let simple = store.create_queue("simple", 0, QueueKind::Simple).unwrap();
    let batched = store.create_queue("batch", 0, QueueKind::Batch).unwrap();
    for n in 0..60u8 {
        append(&store, &simple, &[n; 900], 1);
        append(&store, &batched, &[n; 100], 5);
    }
    store.step(Task::Checkpoint).unwrap();
    assert_eq!(store.delete_expired().unwrap(), 0);
    now.store(100 * HOUR_MS, Ordering::Relaxed);
    let deleted = store.delete_expired().unwrap();
    assert!(deleted >= 5, "{deleted}");
    let min = store.watermarks().min;
    assert_eq!(min.0, i64::try_from(deleted).unwrap() * 8192);
    for queue in [&simple, &batched] {
        assert!(queue.min() > QueueOffset(0));
        let first = read(&store, queue, queue.min().0);
        assert!(first.units[0].commit_offset >= min);
        assert_eq!(read(&store, queue, 0).status, ReadStatus::TooSmall);
    }
    let first_queue_file = format!("{ROOT}/consumequeue/simple/0/00000000000000000000");
    assert!(!disk.exists(Path::new(&first_queue_file)));
    let before = (contents(&store, &simple), contents(&store, &batched));
    disk.crash();
    let store = open_at(&disk.after_kill(), &now);
    let after = ["simple", "batch"].map(|topic| contents(&store, &store.queue(topic, 0).unwrap()));
    assert_eq!(after, [before.0, before.1]);
    assert!(store.frame_at(CommitOffset(0)).is_err());
}

#[test]
fn a_full_disk_refuses_appends_until_there_is_room() {
    let (disk, now) = (SimDisk::new(1), Arc::new(AtomicI64::new(HOUR_MS)));
    let store = open_at(&disk, &now);
    let queue = store.create_queue("simple", 0, QueueKind::Simple).unwrap();
    append(&store, &queue, b"first", 1);
    disk.set_capacity(8192 + 1000);
    let mut batch = store.batch();
    push(&mut batch, &queue, &Bytes::from(vec![1; 5000]), 1);
    push(&mut batch, &queue, &Bytes::from(vec![2; 5000]), 1);
    assert!(matches!(store.append(&mut batch), Err(AppendError::DiskFull)));
    assert_eq!(contents(&store, &queue).len(), 1);
    // Beyond 90 % of the disk appends are refused before they are tried.
    store.step(Task::Clean).unwrap();
    assert!(matches!(store.is_writable(), Err(AppendError::DiskFull)));
    disk.set_capacity(1 << 30);
    store.step(Task::Clean).unwrap();
    store.append(&mut batch).unwrap();
    assert_eq!(contents(&store, &queue).len(), 3);
}

#[test]
fn a_removed_topic_stays_removed_and_its_name_can_be_used_again() {
    let (disk, now) = (SimDisk::new(1), Arc::new(AtomicI64::new(HOUR_MS)));
    let store = open_at(&disk, &now);
    let old = store.create_queue("simple", 0, QueueKind::Simple).unwrap();
    append(&store, &old, b"old", 1);
    store.step(Task::Checkpoint).unwrap();
    store.remove_topic("simple").unwrap();
    let mut batch = store.batch();
    push(&mut batch, &old, &Bytes::from_static(b"late"), 1);
    assert!(matches!(store.append(&mut batch), Err(AppendError::QueueRemoved)));
    let new = store.create_queue("simple", 0, QueueKind::Simple).unwrap();
    append(&store, &new, b"new", 1);
    assert_ne!(old.ordinal(), new.ordinal());
    disk.crash();
    let disk = disk.after_kill();
    disk.unlink(&Path::new(ROOT).join("gantry/snapshot")).unwrap();
    let store = open_at(&disk, &now);
    let queue = store.queue("simple", 0).unwrap();
    assert_eq!(contents(&store, &queue), [(0, 1, b"new".to_vec())]);
}

#[test]
fn a_power_loss_after_a_removal_does_not_remove_what_is_written_later() {
    for seed in 0..20 {
        let (disk, now) = (SimDisk::new(seed), Arc::new(AtomicI64::new(HOUR_MS)));
        let store = open_at(&disk, &now);
        let old = store.create_queue("simple", 0, QueueKind::Simple).unwrap();
        append(&store, &old, &[1; 3000], 1);
        store.remove_topic("simple").unwrap();
        disk.crash();
        let disk = disk.after_power_loss(seed);
        let store = open_at(&disk, &now);
        let queue = store.create_queue("simple", 0, QueueKind::Simple).unwrap();
        append(&store, &queue, b"later", 1);
        disk.crash();
        let store = open_at(&disk.after_kill(), &now);
        let queue = store.queue("simple", 0).unwrap();
        assert_eq!(contents(&store, &queue), [(0, 1, b"later".to_vec())], "seed {seed}");
    }
}

#[test]
fn keys_are_found_also_before_and_after_a_crash() {
    let (disk, now) = (SimDisk::new(1), Arc::new(AtomicI64::new(HOUR_MS)));
    let store = open_at(&disk, &now);
    let queue = store.create_queue("simple", 0, QueueKind::Simple).unwrap();
    let hash = gantry_store::format::hash::index_key_hash(b"simple", b"k7");
    let body = Bytes::from_static(b"with a key");
    let mut entry = crate::common::entry(&body);
    let hashes = [hash];
    entry.keys = &hashes;
    entry.properties = &[b"KEYS\x01k7\x02"];
    let mut batch = store.batch();
    batch.push(&queue, &entry).unwrap();
    let at = store.append(&mut batch).unwrap().begin;
    assert_eq!(store.query("simple", "k7", 10, 0, i64::MAX).unwrap(), [at]);
    disk.crash();
    let store = open_at(&disk.after_kill(), &now);
    store.step(Task::IndexKeys).unwrap();
    assert_eq!(store.query("simple", "k7", 10, 0, i64::MAX).unwrap(), [at]);
    assert!(store.query("simple", "k8", 10, 0, i64::MAX).unwrap().is_empty());
}
