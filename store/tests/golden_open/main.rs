//! Every golden store opened by the store itself, on the file system: what Java sees in it, Gantry sees, and the
//! directory it leaves can be opened by either.
//!
//! Differences that are meant stand in `differences.rs`, with their reasons, and nowhere else.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed step fails the test")]

mod checked;
mod differences;
mod directory;
#[path = "../golden/frames.rs"]
mod frames;
#[expect(dead_code, reason = "what other tests of golden stores use")]
#[path = "../golden/mod.rs"]
mod golden;
mod java_view;

use differences::{CASES, Case};
use directory::Unpacked;
use gantry_store::check::{Finding, Offline};
use java_view::differences;

/// The newest index file of the killed broker.
const KILLED_INDEX: &str = "index/20261121085405285";

/// Opens, compares, closes, and does it again: what a close leaves is what was there.
fn opens_as_java_sees_it(case: &Case) {
    let directory = Unpacked::new(case.archive);
    let java = golden::json(case.expected);
    for open in ["first", "second"] {
        let (store, report) = directory.open();
        assert_eq!(report.clean, open == "second" || !case.archive.contains("killed"), "{}", case.archive);
        assert_eq!(report.cut_bytes > 0, open == "first" && case.is_cut, "{}: {report:?}", case.archive);
        assert!(report.damaged.is_empty(), "{}: {report:?}", case.archive);
        let found = differences(&store, &java);
        assert_eq!(found, case.differs, "{}, {open} open: {}", case.archive, case.reason);
        if let Some(equal) = case.equal {
            assert_eq!(differences(&store, &golden::json(equal)), [""; 0], "{}", case.archive);
        }
        store.close().unwrap();
        directory.assert_is_left_clean();
        let offline = Offline::open(directory.root(), &directory.disk()).unwrap();
        let report = offline.check(&mut |_| {}).unwrap();
        assert_eq!(report.findings, [], "{}, after the {open} close", case.archive);
        assert!(report.is_clean, "{}", case.archive);
    }
}

#[test]
fn stores_that_java_closed_hold_what_java_sees() {
    CASES.iter().filter(|case| !case.archive.contains("killed")).for_each(opens_as_java_sees_it);
}

#[test]
fn a_store_whose_java_broker_was_killed_holds_what_java_sees() {
    CASES.iter().filter(|case| case.archive.contains("/killed.")).for_each(opens_as_java_sees_it);
}

#[test]
fn damaged_copies_hold_what_java_sees_or_better() {
    let damaged: Vec<&Case> = CASES.iter().filter(|case| case.archive.contains("/killed-")).collect();
    assert_eq!(damaged.len(), 8);
    damaged.into_iter().for_each(opens_as_java_sees_it);
}

#[test]
fn every_message_a_killed_broker_had_confirmed_is_there() {
    let directory = Unpacked::new("store-killed/killed.tar.gz");
    let (store, _) = directory.open();
    let acked = std::fs::read_to_string(golden::root().join("store-killed/killed-acked.txt")).unwrap();
    let mut count = 0;
    for line in acked.lines().filter(|line| !line.is_empty()) {
        java_view::assert_holds_acked(&store, line);
        count += 1;
    }
    assert!(count > 500, "{count}");
}

#[test]
fn a_cut_tail_is_kept_aside_byte_for_byte() {
    for case in CASES.iter().filter(|case| case.is_cut) {
        let directory = Unpacked::new(case.archive);
        let before = directory.log_bytes();
        let (store, report) = directory.open();
        let from = usize::try_from(report.end.0).unwrap();
        let kept = directory.kept_aside();
        assert_eq!(kept.len() as u64, report.cut_bytes, "{}", case.archive);
        assert_eq!(kept, before[from..from + kept.len()], "{}", case.archive);
        assert!(before[from + kept.len()..].iter().all(|byte| *byte == 0), "{}", case.archive);
        let after = directory.log_bytes();
        assert!(after[..from] == before[..from], "{}: the log changed below the cut", case.archive);
        assert!(after[from..].iter().all(|byte| *byte == 0), "{}: the cut is not erased", case.archive);
        store.close().unwrap();
    }
}

#[test]
fn a_directory_that_java_left_passes_the_check_before_it_is_opened() {
    for case in CASES {
        let directory = Unpacked::new(case.archive);
        let report = Offline::open(directory.root(), &directory.disk()).unwrap().check(&mut |_| {}).unwrap();
        let expected: &[&str] = match case.archive {
            // Java ends its log there; whole frames stand behind the damage.
            "store-killed/killed-mid-crc.tar.gz" => &["commitlog 655360"],
            // What was written before the damage does not fit the damaged frame.
            "store-killed/killed-torn-topic.tar.gz" => {
                &["queue RMQ_SYS_TRANS_HALF_TOPIC/0 offset 25", KILLED_INDEX, KILLED_INDEX]
            }
            _ => &[],
        };
        let places: Vec<String> = report.findings.iter().map(Finding::place).collect();
        assert_eq!(places, expected, "{}: {:?}", case.archive, report.findings);
        assert_eq!(report.is_clean, !case.archive.contains("killed"), "{}", case.archive);
        assert!(report.units > 0 || case.archive.contains("no-index-cq"), "{}: {report:?}", case.archive);
        let has_keys = !["store-boundary", "no-index-cq"].iter().any(|name| case.archive.contains(name));
        assert_eq!(report.keys > 0, has_keys, "{}: {report:?}", case.archive);
    }
}
