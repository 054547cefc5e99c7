//! Puts, rolls, cuts and crashes of the key index on a simulated disk.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::disk::{Fault, SimDisk, read_file};

const SHAPE: Shape = Shape { slots: 7, entries: 10 };
const ALWAYS: (i64, i64) = (0, i64::MAX);

fn open(disk: &SimDisk, left: LeftBehind) -> Result<KeyIndex, KeyIndexError> {
    KeyIndex::open(Arc::new(disk.clone()), PathBuf::from("/store/index"), SHAPE, left)
}

/// Frame `number` stands at 100 * number, is stored 400 ms after the one before, and has 0 to 3 keys.
fn put_frame(index: &mut KeyIndex, number: i64) -> Result<(), KeyIndexError> {
    let hashes: Vec<i32> =
        (0..number % 4).map(|key| index_key_hash(b"T", key_name(number, key).as_bytes())).collect();
    index.put(CommitOffset(100 * number), 1_700_000_000_000 + 400 * number, &hashes)
}

/// A third of the keys are one that many frames carry.
fn key_name(frame: i64, key: i64) -> String {
    if (frame + key) % 3 == 0 { "often".to_owned() } else { format!("{frame}-{key}") }
}

fn query(index: &KeyIndex, key: &str) -> Vec<i64> {
    let found = index.query("T", key, 1000, ALWAYS.0, ALWAYS.1).unwrap();
    found.into_iter().map(|offset| offset.0 / 100).collect()
}

fn files(disk: &SimDisk) -> BTreeMap<String, Vec<u8>> {
    let names = disk.list(Path::new("/store/index")).unwrap();
    let read = |name: &str| read_file(disk, &Path::new("/store/index").join(name)).unwrap();
    names.into_iter().map(|entry| (entry.name.clone(), read(&entry.name))).collect()
}

/// An index over frames 0 to `count`, flushed once at the end.
fn uninterrupted(count: i64) -> SimDisk {
    let disk = SimDisk::new(1);
    let mut index = open(&disk, LeftBehind::Clean).unwrap();
    (0..count).for_each(|number| put_frame(&mut index, number).unwrap());
    index.flush().unwrap();
    disk
}

#[test]
fn finds_frames_newest_first_across_files() {
    let disk = uninterrupted(40);
    for left in [LeftBehind::Clean, LeftBehind::Crashed] {
        let mut index = open(&disk, left).unwrap();
        (0..40).for_each(|number| put_frame(&mut index, number).unwrap());
        let often: Vec<i64> = (0..40)
            .rev()
            .flat_map(|n| (0..n % 4).filter(move |key| (n + key) % 3 == 0).map(move |_| n))
            .collect();
        assert_eq!(query(&index, "often"), often);
        assert_eq!(query(&index, "38-0"), [38]);
        assert_eq!(query(&index, "none"), Vec::<i64>::new());
        assert_eq!(index.query("T", "often", 2, ALWAYS.0, ALWAYS.1).unwrap().len(), 2);
    }
}

#[test]
fn finds_frames_before_they_are_flushed() {
    let disk = SimDisk::new(1);
    let mut index = open(&disk, LeftBehind::Clean).unwrap();
    (0..20).for_each(|number| put_frame(&mut index, number).unwrap());
    assert_eq!(query(&index, "18-1"), [18]);
    assert_eq!(index.flushed_timestamp(), 0);
    index.flush().unwrap();
    assert_eq!(index.flushed_timestamp(), 1_700_000_000_000 + 400 * 19);
    assert_eq!(query(&index, "18-1"), [18]);
}

#[test]
fn time_range_leaves_out_other_frames() {
    let index = open(&uninterrupted(40), LeftBehind::Clean).unwrap();
    let at = |frame: i64| 1_700_000_000_000 + 400 * frame;
    let all = query(&index, "often");
    let middle = index.query("T", "often", 1000, at(10), at(20)).unwrap();
    assert!(!middle.is_empty() && middle.len() < all.len());
    // Entries keep whole seconds, so a frame may seem older by up to one.
    assert!(middle.iter().all(|offset| (10..=23).contains(&(offset.0 / 100))), "{middle:?}");
}

#[test]
fn putting_again_changes_nothing() {
    let disk = uninterrupted(40);
    let before = files(&disk);
    let mut index = open(&disk, LeftBehind::Clean).unwrap();
    (0..40).for_each(|number| put_frame(&mut index, number).unwrap());
    index.flush().unwrap();
    assert!(files(&disk) == before);
    assert_eq!(index.put_from(), CommitOffset(3901));
}

#[test]
fn a_cut_index_grows_into_the_same_files() {
    let expected = files(&uninterrupted(40));
    for cut in 0..41 {
        let disk = uninterrupted(40);
        let mut index = open(&disk, LeftBehind::Clean).unwrap();
        index.truncate(CommitOffset(100 * cut)).unwrap();
        assert!(index.put_from() <= CommitOffset(100 * cut));
        assert!(query(&index, "often").iter().all(|frame| *frame < cut), "cut at {cut}");
        (0..40).for_each(|number| put_frame(&mut index, number).unwrap());
        index.flush().unwrap();
        assert!(files(&disk) == expected, "cut at {cut}");
    }
}

#[test]
fn deletes_files_wholly_before_the_log() {
    let disk = uninterrupted(40);
    let mut index = open(&disk, LeftBehind::Clean).unwrap();
    let count = files(&disk).len();
    assert_eq!(index.delete_before(CommitOffset(2000)).unwrap(), 3);
    assert_eq!(files(&disk).len(), count - 3);
    assert!(query(&index, "often").contains(&38));
    index.delete_before(CommitOffset(i64::MAX)).unwrap();
    assert_eq!(files(&disk).len(), 1);
    index.clear().unwrap();
    assert!(files(&disk).is_empty());
    assert_eq!(index.put_from(), CommitOffset(0));
}

#[test]
fn a_crashed_java_broker_leaves_what_its_checkpoint_covers() {
    let disk = uninterrupted(40);
    let full = files(&disk).len();
    let first_end = open(&disk, LeftBehind::Clean).unwrap().files[0].header().end_timestamp;
    let index = open(&disk, LeftBehind::CrashedJava { index_msg_timestamp: first_end }).unwrap();
    assert_eq!((index.files.len(), files(&disk).len()), (1, 1));
    assert!(full > 1);
}

#[test]
fn refuses_files_of_another_shape() {
    let disk = uninterrupted(5);
    let dir = PathBuf::from("/store/index");
    let other = Shape { slots: 8, entries: 10 };
    let error = KeyIndex::open(Arc::new(disk), dir, other, LeftBehind::Clean).unwrap_err();
    assert!(matches!(error, KeyIndexError::Length { len: 268, expected: 272, .. }), "{error}");
}

#[test]
fn any_crash_leaves_an_index_that_grows_into_the_same_files() {
    let frames = 30;
    let expected = files(&uninterrupted(frames));
    for call in 0.. {
        let disk = SimDisk::new(call);
        disk.fail_at(call, Fault::Crash);
        let finished = run(&disk, frames).is_ok();
        let lost = (0..4).map(|seed| disk.after_power_loss(4 * call + seed));
        for after in lost.chain([disk.after_kill()]) {
            let mut index = open(&after, LeftBehind::Crashed).unwrap();
            (0..frames).for_each(|number| put_frame(&mut index, number).unwrap());
            index.flush().unwrap();
            assert_eq!(query(&index, "26-0"), [26], "call {call}");
            assert!(files(&after) == expected, "call {call}");
        }
        if finished {
            return;
        }
    }
}

/// Puts all frames and flushes after each seventh.
fn run(disk: &SimDisk, frames: i64) -> Result<(), KeyIndexError> {
    let mut index = open(disk, LeftBehind::Clean)?;
    for number in 0..frames {
        put_frame(&mut index, number)?;
        if number % 7 == 6 {
            index.flush()?;
        }
    }
    index.flush()
}

proptest! {
    #[test]
    fn no_damage_of_a_file_makes_the_index_panic_or_hang(
        damage in proptest::collection::vec((0usize..268, any::<u8>()), 1..40),
        crashed in any::<bool>(),
        cut in -1i64..5000,
    ) {
        let disk = uninterrupted(12);
        let newest = disk.list(Path::new("/store/index")).unwrap().pop().unwrap().name;
        for (at, value) in damage {
            disk.damage(&Path::new("/store/index").join(&newest), at, |_| value).unwrap();
        }
        let mut index = open(&disk, if crashed { LeftBehind::Crashed } else { LeftBehind::Clean }).unwrap();
        query(&index, "often");
        index.truncate(CommitOffset(cut)).unwrap();
        (0..30).for_each(|number| put_frame(&mut index, number).unwrap());
        index.flush().unwrap();
        query(&index, "often");
    }
}
