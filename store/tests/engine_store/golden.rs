//! Directories that a Java broker wrote: opened here, they hold the queues Java sees; what we write at the
//! end of a file is what Java writes.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use flate2::read::GzDecoder;
use gantry_store::disk::{Disk, Open, SimDisk, write_all};
use gantry_store::format::{CommitOffset, QueueOffset};
use gantry_store::{Boundary, OpenReport, Queue, QueueKind, Store, StoreConfig};
use serde_json::Value;

use crate::common::{LIMITS, ROOT, entry, open_with, small_config, tree};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../compat-tests/golden").join(name)
}

fn expected(name: &str) -> Value {
    let mut text = String::new();
    let packed = std::fs::File::open(golden(name)).unwrap();
    GzDecoder::new(packed).read_to_string(&mut text).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The archive as a disk; everything in it is durable.
fn unpack(archive: &str) -> SimDisk {
    let disk = SimDisk::new(1);
    let packed = std::fs::File::open(golden(archive)).unwrap();
    for entry in tar::Archive::new(GzDecoder::new(packed)).entries().unwrap() {
        let mut entry = entry.unwrap();
        let path =
            Path::new(ROOT).join(entry.path().unwrap().strip_prefix("./").unwrap_or(&entry.path().unwrap()));
        if !entry.header().entry_type().is_file() {
            disk.create_dirs(&path).unwrap();
            continue;
        }
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        disk.create_dirs(path.parent().unwrap()).unwrap();
        let file = disk.open(&path, Open::Truncate).unwrap();
        write_all(&*file, 0, &content).unwrap();
        file.sync().unwrap();
        disk.sync_dir(path.parent().unwrap()).unwrap();
    }
    disk
}

fn config(commit_log_file_size: u64) -> StoreConfig {
    let mut config = small_config();
    config.commit_log_file_size = commit_log_file_size;
    config.queue_file_units = 100;
    config.batch_queue_file_units = 20;
    config.index_slots = 500;
    config.index_entries = 400;
    config
}

fn open_golden(archive: &str, commit_log_file_size: u64) -> (SimDisk, Store, OpenReport) {
    let disk = unpack(archive);
    let (store, report) = open_with(config(commit_log_file_size), Arc::new(disk.clone())).unwrap();
    (disk, store, report)
}

/// Units of a queue as `expected.json` lists them: queue offset, commit offset, size, tags code, records.
fn units(store: &Store, queue: &Queue) -> Vec<Vec<i64>> {
    let mut found = Vec::new();
    let mut from = queue.min();
    while from < queue.next() {
        let extract = store.read(queue, from, &LIMITS, &mut |_| true).unwrap();
        from = extract.next;
        found.extend(extract.units.iter().map(|unit| {
            let mut row =
                vec![unit.queue_offset.0, unit.commit_offset.0, i64::from(unit.size), unit.tags_code];
            if queue.kind() == QueueKind::Batch {
                row.extend([i64::from(unit.records), -1]);
            }
            row
        }));
    }
    found
}

fn check_queues(store: &Store, expected: &Value) {
    let mut seen = 0;
    for (topic, queues) in expected["queues"].as_object().unwrap() {
        for (id, wanted) in queues.as_object().unwrap() {
            let rows: Vec<Vec<i64>> = serde_json::from_value(wanted["units"].clone()).unwrap();
            let Some(queue) = store.queue(topic, id.parse().unwrap()) else {
                assert!(rows.is_empty(), "{topic} {id} is missing");
                continue;
            };
            seen += 1;
            assert_eq!(queue.next().0, wanted["maxOffset"].as_i64().unwrap(), "{topic} {id}");
            assert_eq!(units(store, &queue), rows, "{topic} {id}");
            check_times(store, &queue, &wanted["offsetByTime"]);
        }
    }
    let ours = store.queues().iter().filter(|queue| queue.next() > QueueOffset(0)).count();
    assert!(ours <= seen, "queues that Java does not have");
}

fn check_times(store: &Store, queue: &Queue, expected: &Value) {
    for row in expected.as_array().into_iter().flatten() {
        let [timestamp, lower, upper] = [0, 1, 2].map(|n| row[n].as_i64().unwrap());
        let found = |boundary| store.offset_by_time(queue, timestamp, boundary).unwrap().0;
        let what = (queue.topic(), queue.id(), timestamp);
        assert_eq!(found(Boundary::Lower), lower, "{what:?}");
        if queue.kind() == QueueKind::Simple {
            assert_eq!(found(Boundary::Upper), upper, "{what:?}");
        }
    }
}

#[test]
fn a_java_directory_after_a_clean_stop_holds_the_same_queues() {
    for (name, size) in [("store-basic", 262_144), ("store-batchcq", 262_144), ("store-boundary", 8192)] {
        let archive = format!("{name}/store.tar.gz");
        let (disk, store, report) = open_golden(&archive, size);
        let expected = expected(&format!("{name}/expected.json.gz"));
        assert_eq!(report.cut_bytes, 0, "{name}");
        assert_eq!(report.end.0, expected["commitLog"]["maxOffset"].as_i64().unwrap());
        check_queues(&store, &expected);
        store.close().unwrap();
        // The files that Java wrote are there again, byte for byte.
        let before: BTreeMap<_, _> = tree(&unpack(&archive), Path::new(ROOT)).into_iter().collect();
        let after: BTreeMap<_, _> = tree(&disk, Path::new(ROOT)).into_iter().collect();
        for dir in ["commitlog", "consumequeue", "batchconsumequeue", "index"] {
            let dir = format!("{ROOT}/{dir}/");
            for (file, content) in before.iter().filter(|(file, _)| file.starts_with(&dir)) {
                // An index file without an entry (its count is 1) is not kept.
                let unused = content.iter().map(|byte| u32::from(*byte)).sum::<u32>() <= 1;
                assert!(unused || after.get(file) == Some(content), "{name}: {file} changed");
            }
        }
    }
}

#[test]
fn a_killed_java_broker_lost_nothing() {
    for name in ["killed", "killed-no-checkpoint"] {
        let (_, store, report) = open_golden(&format!("store-killed/{name}.tar.gz"), 131_072);
        assert!(!report.clean && report.cut_bytes == 0 && report.damaged.is_empty());
        check_queues(&store, &expected(&format!("store-killed/{name}.expected.json.gz")));
    }
}

#[test]
fn lost_queue_files_of_a_java_broker_come_back_whole() {
    let (_, store, _) = open_golden("store-killed/killed-no-index-cq.tar.gz", 131_072);
    check_queues(&store, &expected("store-killed/killed.expected.json.gz"));
}

#[test]
fn a_torn_last_frame_of_a_java_broker_is_cut_and_kept_aside() {
    for name in ["killed-torn-body", "killed-torn-crc", "killed-torn-size", "killed-torn-props"] {
        let (disk, store, report) = open_golden(&format!("store-killed/{name}.tar.gz"), 131_072);
        assert!(report.cut_bytes > 0, "{name}: {report:?}");
        assert_eq!(store.leader_epoch(), 1);
        let kept = disk.list(&Path::new(ROOT).join("gantry")).unwrap();
        assert!(kept.iter().any(|entry| entry.name.starts_with("cut-")), "{name}");
    }
}

#[test]
fn damage_that_no_checkpoint_of_java_covers_is_cut_as_java_does() {
    let (_, store, report) = open_golden("store-killed/killed-mid-crc.tar.gz", 131_072);
    let expected = expected("store-killed/killed-mid-crc.expected.json.gz");
    assert_eq!(report.end.0, expected["commitLog"]["maxOffset"].as_i64().unwrap());
    check_queues(&store, &expected);
}

#[test]
fn frames_roll_to_the_next_file_exactly_as_in_java() {
    let wanted = expected("store-boundary/expected.json.gz");
    let disk = SimDisk::new(1);
    let (store, _) = open_with(config(8192), Arc::new(disk.clone())).unwrap();
    let queue = store.create_queue("BoundaryTopic", 0, QueueKind::Simple).unwrap();
    for frame in wanted["commitLog"]["frames"].as_array().unwrap() {
        let size = usize::try_from(frame["storeSize"].as_i64().unwrap()).unwrap();
        let overhead = 91 + "BoundaryTopic".len();
        let body = Bytes::from(vec![b'b'; size - overhead]);
        let mut plain = entry(&body);
        plain.properties = &[];
        let mut batch = store.batch();
        batch.push(&queue, &plain).unwrap();
        let appended = store.append(&mut batch).unwrap();
        assert_eq!(appended.begin.0, frame["physicalOffset"].as_i64().unwrap());
    }
    assert_eq!(store.watermarks().written.0, wanted["commitLog"]["maxOffset"].as_i64().unwrap());
    for filler in wanted["commitLog"]["endOfFileFillers"].as_array().unwrap() {
        let [at, length] = ["physicalOffset", "length"].map(|name| filler[name].as_i64().unwrap());
        let file = format!("{ROOT}/commitlog/{:020}", at / 8192 * 8192);
        let content = gantry_store::disk::read_file(&disk, Path::new(&file)).unwrap();
        let blank = &content[usize::try_from(at % 8192).unwrap()..][..8];
        assert_eq!(blank, gantry_store::format::frame::encode_blank(u32::try_from(length).unwrap()));
    }
    assert_eq!(store.frame_at(CommitOffset(8192)).unwrap().len(), 4000);
}
