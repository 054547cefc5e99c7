//! A golden archive unpacked to a directory of its own, and opened with the sizes of its broker.conf.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use flate2::read::GzDecoder;
use gantry_store::disk::{Disk, RealDisk};
use gantry_store::format::checkpoint::Checkpoint;
use gantry_store::{OpenReport, QueueKind, Store, StoreConfig, state_file};
use serde_json::Value;

use crate::golden;

/// Later than every message of the archives, which were made in November 2026.
const NOW_MS: i64 = 1_800_000_000_000;

pub(crate) struct Unpacked {
    dir: tempfile::TempDir,
}

impl Unpacked {
    /// `archive`: relative to the golden data.
    pub(crate) fn new(archive: &str) -> Unpacked {
        let dir = tempfile::tempdir().unwrap();
        let packed = std::fs::File::open(golden::root().join(archive)).unwrap();
        let mut archive = tar::Archive::new(GzDecoder::new(packed));
        for entry in archive.entries().unwrap() {
            entry.unwrap().unpack_in(dir.path()).unwrap();
        }
        Unpacked { dir }
    }

    pub(crate) fn root(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn disk(&self) -> Arc<dyn Disk> {
        Arc::new(RealDisk)
    }

    pub(crate) fn config(&self) -> StoreConfig {
        let text = std::fs::read_to_string(self.root().join("broker.conf")).unwrap();
        let conf: BTreeMap<&str, &str> = text.lines().filter_map(|line| line.split_once('=')).collect();
        let number = |key: &str, default: u32| conf.get(key).map_or(default, |value| value.parse().unwrap());
        let mut config = StoreConfig::new(self.root());
        config.commit_log_file_size = u64::from(number("mappedFileSizeCommitLog", 1 << 30));
        config.queue_file_units = number("mappedFileSizeConsumeQueue", 6_000_000) / 20;
        config.batch_queue_file_units = number("mapperFileSizeBatchConsumeQueue", 13_800_000) / 46;
        config.index_slots = number("maxHashSlotNum", 5_000_000);
        config.index_entries = number("maxIndexNum", 20_000_000);
        config.preallocate = false;
        config.threads = false;
        config
    }

    pub(crate) fn open(&self) -> (Store, OpenReport) {
        let clock = AtomicI64::new(NOW_MS);
        let now = Arc::new(move || clock.fetch_add(1, Ordering::Relaxed));
        let batch_topics = self.batch_topics();
        let kinds = |topic: &str| match batch_topics.iter().any(|name| name == topic) {
            true => QueueKind::Batch,
            false => QueueKind::Simple,
        };
        Store::open(self.config(), self.disk(), now, &kinds, &mut |_| {}).unwrap()
    }

    /// Topics that topics.json gives `queue.type=BatchCQ`.
    fn batch_topics(&self) -> Vec<String> {
        let Ok(text) = std::fs::read(self.root().join("config/topics.json")) else { return Vec::new() };
        let topics: Value = state_file::from_json(&text).unwrap();
        let topics = topics["topicConfigTable"].as_object().unwrap();
        let is_batch = |topic: &Value| topic["attributes"]["queue.type"] == "BatchCQ";
        topics.iter().filter(|(_, topic)| is_batch(topic)).map(|(name, _)| name.clone()).collect()
    }

    /// What Java demands of a directory that it shall take for cleanly closed.
    pub(crate) fn assert_is_left_clean(&self) {
        assert!(!self.root().join("abort").exists());
        let checkpoint = Checkpoint::decode(&std::fs::read(self.root().join("checkpoint")).unwrap()).unwrap();
        assert!(checkpoint.physic_msg_timestamp > 0);
        assert_eq!(checkpoint.physic_msg_timestamp, checkpoint.logics_msg_timestamp);
        let config = self.config();
        let lengths = [
            ("commitlog", config.commit_log_file_size),
            ("consumequeue", u64::from(config.queue_file_units) * 20),
            ("batchconsumequeue", u64::from(config.batch_queue_file_units) * 46),
            ("index", 40 + u64::from(config.index_slots) * 4 + u64::from(config.index_entries) * 20),
        ];
        for (dir, length) in lengths {
            for file in files_below(&self.root().join(dir)) {
                assert_eq!(file.metadata().unwrap().len(), length, "{}", file.display());
            }
        }
    }

    /// The bytes of the CommitLog, file after file.
    pub(crate) fn log_bytes(&self) -> Vec<u8> {
        files_below(&self.root().join("commitlog"))
            .iter()
            .flat_map(|file| std::fs::read(file).unwrap())
            .collect()
    }

    /// What recovery cut from the tail and kept.
    pub(crate) fn kept_aside(&self) -> Vec<u8> {
        let mut kept = files_below(&self.root().join("gantry"));
        kept.retain(|file| file.file_name().unwrap().to_string_lossy().starts_with("cut-"));
        kept.iter().flat_map(|file| std::fs::read(file).unwrap()).collect()
    }
}

/// All files below a directory, by name; none when it is missing.
pub(crate) fn files_below(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let below = |path: PathBuf| if path.is_dir() { files_below(&path) } else { vec![path] };
    paths.into_iter().flat_map(below).collect()
}
