//! Bit rot: below the flushed place it is fenced and never truncated; no damaged body is delivered.

use std::path::{Path, PathBuf};

use gantry_store::disk::{Disk, SimDisk};
use gantry_store::format::{CommitOffset, QueueOffset};
use gantry_store::{QueueKind, ReadError, Task};

use crate::common::{LIMITS, ROOT, append, contents, open, read};

fn log_file(start: i64) -> PathBuf {
    Path::new(ROOT).join(format!("commitlog/{start:020}"))
}

/// Ten frames in one queue, all flushed; no checkpoint behind them.
fn flushed_disk() -> (SimDisk, Vec<CommitOffset>) {
    let disk = SimDisk::new(1);
    let (store, _) = open(&disk).unwrap();
    let queue = store.create_queue("simple", 0, QueueKind::Simple).unwrap();
    let places = (0..10u8).map(|n| append(&store, &queue, &[n; 300], 1).begin).collect();
    store.step(Task::Flush).unwrap();
    disk.crash();
    (disk.after_kill(), places)
}

#[test]
fn damage_below_the_flushed_place_is_fenced_and_the_rest_is_served() {
    let (disk, places) = flushed_disk();
    let at = usize::try_from(places[4].0).unwrap() + 150;
    disk.damage(&log_file(0), at, |byte| byte ^ 4).unwrap();
    let (store, report) = open(&disk).unwrap();
    assert_eq!((report.cut_bytes, report.damaged.len()), (0, 1));
    assert_eq!((report.damaged[0].begin, report.damaged[0].end), (places[4], places[5]));
    let queue = store.queue("simple", 0).unwrap();
    assert_eq!(queue.next(), QueueOffset(10));
    let before = read(&store, &queue, 0);
    assert_eq!((before.units.len(), before.next), (4, QueueOffset(4)));
    let lost = store.read(&queue, QueueOffset(4), &LIMITS, &mut |_| true);
    assert!(matches!(lost, Err(ReadError::Lost { offset: QueueOffset(4) })), "{lost:?}");
    assert_eq!(read(&store, &queue, 5).units.len(), 5);
    append(&store, &queue, b"goes on", 1);
    // Not a clean stop while a loss is not accepted.
    store.close().unwrap();
    assert!(disk.exists(&Path::new(ROOT).join("abort")));
}

#[test]
fn an_accepted_loss_reads_as_a_gap() {
    let (disk, places) = flushed_disk();
    disk.damage(&log_file(0), usize::try_from(places[4].0).unwrap() + 150, |byte| !byte).unwrap();
    let (store, report) = open(&disk).unwrap();
    assert!(store.accept_loss(report.damaged[0].begin).unwrap());
    let queue = store.queue("simple", 0).unwrap();
    assert_eq!(contents(&store, &queue).len(), 9);
    store.close().unwrap();
    let (store, report) = open(&disk).unwrap();
    assert!(report.clean && report.damaged.is_empty());
    assert_eq!(contents(&store, &store.queue("simple", 0).unwrap()).len(), 9);
}

#[test]
fn damage_above_the_flushed_place_is_the_tail() {
    let disk = SimDisk::new(1);
    let (store, _) = open(&disk).unwrap();
    let queue = store.create_queue("simple", 0, QueueKind::Simple).unwrap();
    append(&store, &queue, b"flushed", 1);
    store.step(Task::Flush).unwrap();
    let torn = append(&store, &queue, &[1; 100], 1).begin;
    append(&store, &queue, &[2; 100], 1);
    disk.crash();
    let disk = disk.after_kill();
    disk.damage(&log_file(0), usize::try_from(torn.0).unwrap() + 120, |byte| !byte).unwrap();
    let (store, report) = open(&disk).unwrap();
    assert_eq!((report.end, store.leader_epoch()), (torn, 1));
    assert!(report.cut_bytes > 200 && report.damaged.is_empty());
    let queue = store.queue("simple", 0).unwrap();
    assert_eq!(queue.next(), QueueOffset(1));
    // The stale frame behind the cut is gone: a frame of the same size cannot bring it back.
    append(&store, &queue, &[3; 100], 1);
    disk.crash();
    let (store, _) = open(&disk.after_kill()).unwrap();
    assert_eq!(contents(&store, &store.queue("simple", 0).unwrap()).len(), 2);
}

#[test]
fn a_damaged_body_is_not_delivered_after_a_clean_stop() {
    let disk = SimDisk::new(1);
    let (store, _) = open(&disk).unwrap();
    let queue = store.create_queue("simple", 0, QueueKind::Simple).unwrap();
    let places: Vec<CommitOffset> = (0..5u8).map(|n| append(&store, &queue, &[n; 300], 1).begin).collect();
    store.close().unwrap();
    let at = usize::try_from(places[2].0).unwrap() + 200;
    disk.damage(&log_file(0), at, |byte| byte ^ 1).unwrap();
    let (store, report) = open(&disk).unwrap();
    assert!(report.clean);
    let queue = store.queue("simple", 0).unwrap();
    assert_eq!(read(&store, &queue, 0).units.len(), 2);
    let damaged = store.read(&queue, QueueOffset(2), &LIMITS, &mut |_| true);
    assert!(matches!(damaged, Err(ReadError::Corrupt { at }) if at == places[2]));
    assert!(matches!(store.frame_at(places[2]), Err(ReadError::Corrupt { .. })));
    assert_eq!(read(&store, &queue, 3).units.len(), 2);
}

#[test]
fn lost_and_damaged_derived_files_are_rebuilt() {
    for lost in ["consumequeue/simple/0/00000000000000000000", "gantry/snapshot", "gantry/queues"] {
        let disk = SimDisk::new(1);
        let (store, _) = open(&disk).unwrap();
        let queue = store.create_queue("simple", 0, QueueKind::Simple).unwrap();
        for n in 0..50u8 {
            append(&store, &queue, &[n; 300], 1);
        }
        let before = contents(&store, &queue);
        store.close().unwrap();
        disk.unlink(&Path::new(ROOT).join(lost)).unwrap();
        let (store, _) = open(&disk).unwrap();
        assert_eq!(contents(&store, &store.queue("simple", 0).unwrap()), before, "{lost}");
    }
}
