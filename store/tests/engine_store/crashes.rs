//! A small workload, ended at each of its disk calls in turn, by a kill and by a power loss; and each of its
//! disk calls refused.

use bytes::Bytes;
use gantry_store::disk::{Fault, SimDisk};
use gantry_store::format::CommitOffset;
use gantry_store::{QueueKind, Task};

use crate::common::{contents, open, push};

/// What the workload was told: bodies acknowledged, and how many of them were flushed before the end.
#[derive(Debug, Default)]
struct Told {
    acknowledged: Vec<Vec<u8>>,
    flushed: usize,
    closed: bool,
}

/// Appends over several files with syncs and checkpoints between, then closes. Ends at the first error.
fn workload(disk: &SimDisk) -> Option<Told> {
    let mut told = Told::default();
    let (store, _) = open(disk).ok()?;
    let Ok(queue) = store.create_queue("simple", 0, QueueKind::Simple) else { return Some(told) };
    for n in 0..14u8 {
        let body = vec![n; 100 + 150 * usize::from(n)];
        let mut batch = store.batch();
        push(&mut batch, &queue, &Bytes::from(body.clone()), 1);
        if store.append(&mut batch).is_err() {
            return Some(told);
        }
        told.acknowledged.push(body);
        let task = [Task::Flush, Task::WriteQueues, Task::Checkpoint, Task::Preallocate][usize::from(n % 4)];
        if store.step(task).is_err() {
            return Some(told);
        }
        if matches!(task, Task::Flush | Task::Checkpoint) {
            told.flushed = told.acknowledged.len();
        }
    }
    told.closed = store.close().is_ok();
    if told.closed {
        told.flushed = told.acknowledged.len();
    }
    Some(told)
}

fn check(disk: &SimDisk, told: &Told, at_least: usize, what: &str) {
    let (store, _) = open(disk).unwrap_or_else(|error| panic!("{what}: {error:?}"));
    let found = store.queue("simple", 0).map(|queue| contents(&store, &queue)).unwrap_or_default();
    let bodies: Vec<Vec<u8>> = found.into_iter().map(|(_, _, body)| body).collect();
    assert!(bodies.len() >= at_least, "{what}: {} of {at_least} survive", bodies.len());
    let common = bodies.len().min(told.acknowledged.len());
    assert_eq!(bodies[..common], told.acknowledged[..common], "{what}");
    assert!(bodies.len() <= told.acknowledged.len() + 1, "{what}");
    assert!(store.fences().is_empty(), "{what}");
    store.close().unwrap();
}

fn calls_of_workload() -> u64 {
    let disk = SimDisk::new(9);
    assert!(workload(&disk).unwrap().closed);
    disk.calls()
}

#[test]
fn recovers_from_a_kill_at_every_disk_call() {
    for call in 0..calls_of_workload() {
        let disk = SimDisk::new(9);
        disk.fail_at(call, Fault::Crash);
        let told = workload(&disk).unwrap_or_default();
        disk.crash();
        check(&disk.after_kill(), &told, told.acknowledged.len(), &format!("kill at call {call}"));
    }
}

#[test]
fn recovers_from_a_power_loss_at_every_disk_call() {
    for call in 0..calls_of_workload() {
        for seed in 0..6 {
            let disk = SimDisk::new(seed);
            disk.fail_at(call, Fault::Crash);
            let told = workload(&disk).unwrap_or_default();
            disk.crash();
            let what = format!("power loss at call {call}, seed {seed}");
            check(&disk.after_power_loss(seed), &told, told.flushed, &what);
        }
    }
}

#[test]
fn recovers_from_a_crash_at_every_disk_call_of_a_recovery() {
    let crashed = SimDisk::new(9);
    crashed.fail_at(calls_of_workload() / 2, Fault::Crash);
    let told = workload(&crashed).unwrap();
    let count = {
        let disk = crashed.after_power_loss(5);
        let _store = open(&disk).unwrap();
        disk.calls()
    };
    for call in 0..count {
        for seed in 0..4 {
            let disk = crashed.after_power_loss(5);
            disk.fail_at(call, Fault::Crash);
            let _ = open(&disk).map(drop);
            disk.crash();
            let what = format!("recovery ended at call {call}");
            check(&disk.after_kill(), &told, told.flushed, &what);
            check(&disk.after_power_loss(seed), &told, told.flushed, &what);
        }
    }
}

#[test]
fn a_refused_call_never_shows_half_a_batch_or_loses_what_was_flushed() {
    for fault in [Fault::NoSpace, Fault::Io, Fault::ShortWrite] {
        for call in 0..calls_of_workload() {
            let disk = SimDisk::new(9);
            disk.fail_at(call, fault);
            let told = workload(&disk).unwrap_or_default();
            disk.crash();
            check(&disk.after_power_loss(call), &told, told.flushed, &format!("{fault:?} at call {call}"));
        }
    }
}

#[test]
fn a_failed_write_leaves_the_store_usable_and_a_failed_sync_ends_it() {
    let disk = SimDisk::new(1);
    let (store, _) = open(&disk).unwrap();
    let queue = store.create_queue("simple", 0, QueueKind::Simple).unwrap();
    let send = |body: &'static [u8]| {
        let mut batch = store.batch();
        push(&mut batch, &queue, &Bytes::from_static(body), 1);
        store.append(&mut batch).map(|appended| appended.begin)
    };
    assert_eq!(send(b"first").unwrap(), CommitOffset(0));
    disk.fail_at(disk.calls(), Fault::NoSpace);
    assert!(matches!(send(b"refused"), Err(gantry_store::AppendError::DiskFull)));
    send(b"second").unwrap();
    let bodies: Vec<Vec<u8>> = contents(&store, &queue).into_iter().map(|(_, _, body)| body).collect();
    assert_eq!(bodies, [b"first".to_vec(), b"second".to_vec()]);
    disk.fail_at(disk.calls() + 1, Fault::Io);
    assert!(store.step(Task::Flush).is_err());
    let poisoned = store.poll_flushed(store.watermarks().written, std::task::Waker::noop());
    assert!(matches!(poisoned, std::task::Poll::Ready(Err(_))));
    assert!(matches!(send(b"third"), Err(gantry_store::AppendError::Poisoned(_))));
    assert!(store.close().is_err());
}
