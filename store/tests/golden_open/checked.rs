//! The offline check: each kind of damage is found, where it is, and nothing is changed.

use std::path::{Path, PathBuf};

use gantry_store::check::{CheckError, Finding, Offline, Report};

use crate::directory::{Unpacked, files_below};

/// store-basic after a clean close by the store.
fn closed() -> Unpacked {
    let directory = Unpacked::new("store-basic/store.tar.gz");
    directory.open().0.close().unwrap();
    directory
}

fn check(directory: &Unpacked) -> Report {
    Offline::open(directory.root(), &directory.disk()).unwrap().check(&mut |_| {}).unwrap()
}

/// Flips bits of one byte.
fn flip(directory: &Unpacked, file: &str, at: usize) {
    let path = directory.root().join(file);
    let mut content = std::fs::read(&path).unwrap();
    content[at] ^= 0x21;
    std::fs::write(path, content).unwrap();
}

#[track_caller]
fn assert_found(directory: &Unpacked, place: &str, is_meant: impl Fn(&Finding) -> bool) {
    let report = check(directory);
    let found = report.findings.iter().any(|finding| finding.place() == place && is_meant(finding));
    assert!(found, "nothing at {place}: {:?}", report.findings);
}

/// Every file with its content.
fn content(root: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    files_below(root).into_iter().map(|file| (file.clone(), std::fs::read(file).unwrap())).collect()
}

#[test]
fn changes_nothing() {
    for archive in ["store-basic/store.tar.gz", "store-killed/killed-torn-body.tar.gz"] {
        let directory = Unpacked::new(archive);
        let before = content(directory.root());
        check(&directory);
        assert!(content(directory.root()) == before, "{archive}");
    }
}

#[test]
fn a_damaged_body_is_found() {
    let directory = closed();
    // The first frame stands at 0 and its body at 88.
    flip(&directory, "commitlog/00000000000000000000", 90);
    assert_found(&directory, "commitlog 0", |finding| {
        matches!(finding, Finding::Damaged { end, .. } if end.0 == 377) && !finding.is_derived()
    });
}

#[test]
fn damaged_and_missing_units_are_found() {
    let (unit, file) = (7, "consumequeue/GoldenMany/0/00000000000000000000");
    let directory = closed();
    flip(&directory, file, unit * 20 + 15);
    assert_found(&directory, "queue GoldenMany/0 offset 7", |finding| {
        matches!(finding, Finding::UnitDiffers { .. }) && finding.is_derived()
    });
    std::fs::remove_file(directory.root().join(file)).unwrap();
    assert_found(&directory, "queue GoldenMany/0 offset 99", |finding| {
        matches!(finding, Finding::UnitMissing { .. })
    });
    std::fs::remove_dir_all(directory.root().join("consumequeue/GoldenMany")).unwrap();
    assert_found(&directory, "queue GoldenMany/0", |finding| matches!(finding, Finding::FilesMissing { .. }));
}

#[test]
fn units_and_queues_without_messages_are_found() {
    let directory = closed();
    let file = directory.root().join("consumequeue/GoldenUnicode/0/00000000000000000000");
    let mut units = std::fs::read(&file).unwrap();
    let next = units.chunks(20).position(|unit| unit == [0; 20]).unwrap();
    units.copy_within((next - 1) * 20..next * 20, next * 20);
    std::fs::write(&file, &units).unwrap();
    assert_found(&directory, &format!("queue GoldenUnicode/0 offset {next}"), |finding| {
        matches!(finding, Finding::UnitsBehind { .. })
    });
    let stranger = directory.root().join("consumequeue/Stranger/3");
    std::fs::create_dir_all(&stranger).unwrap();
    std::fs::write(stranger.join("00000000000000000000"), vec![0; 2000]).unwrap();
    assert_found(&directory, "queue Stranger/3", |finding| matches!(finding, Finding::Stranger { .. }));
}

#[test]
fn a_damaged_key_index_is_found() {
    let file = "20261121090824947";
    let (path, place) = (format!("index/{file}"), format!("index/{file}"));
    let entry = |number: usize| 40 + 500 * 4 + number * 20;
    let directory = closed();
    flip(&directory, &path, entry(5) + 2);
    assert_found(&directory, &place, |finding| matches!(finding, Finding::KeyMissing { .. }));
    assert_found(&directory, &place, |finding| matches!(finding, Finding::KeyUnknown { number: 5, .. }));
    let directory = closed();
    flip(&directory, &path, entry(300) + 19);
    assert_found(&directory, &place, |finding| matches!(finding, Finding::KeyChain { number: 300, .. }));
    let directory = closed();
    flip(&directory, &path, 35);
    assert_found(&directory, &place, |finding| {
        matches!(finding, Finding::KeyHeader { field: "hashSlotCount", .. })
    });
}

#[test]
fn a_checkpoint_that_java_would_trust_too_far_is_found() {
    let directory = closed();
    flip(&directory, "checkpoint", 1);
    assert_found(&directory, "checkpoint", |finding| {
        matches!(finding, Finding::CheckpointLate { field: "physicMsgTimestamp", .. })
    });
    std::fs::remove_file(directory.root().join("checkpoint")).unwrap();
    assert_found(&directory, "checkpoint", |finding| *finding == Finding::NoCheckpoint);
}

#[test]
fn damaged_side_files_are_found() {
    let directory = closed();
    flip(&directory, "gantry/snapshot", 30);
    assert_found(&directory, "gantry/snapshot", |finding| matches!(finding, Finding::SideFile { .. }));
    // A log that lost its newest file.
    let directory = closed();
    std::fs::remove_file(directory.root().join("commitlog/00000000000001572864")).unwrap();
    assert_found(&directory, "gantry/snapshot", |finding| matches!(finding, Finding::Beyond { .. }));
    assert_found(&directory, "gantry/flushed", |finding| matches!(finding, Finding::Beyond { .. }));
}

#[test]
fn a_directory_in_use_and_a_directory_without_a_log_are_refused() {
    let directory = closed();
    let (store, _) = directory.open();
    let refused = Offline::open(directory.root(), &directory.disk());
    assert!(matches!(refused, Err(CheckError::InUse { .. })), "{refused:?}");
    drop(store);
    let empty = tempfile::tempdir().unwrap();
    let refused = Offline::open(empty.path(), &directory.disk());
    assert!(matches!(refused, Err(CheckError::NoStore { .. })), "{refused:?}");
}
