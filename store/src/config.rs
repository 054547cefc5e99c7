//! What the store is told at open: sizes, intervals, places. No file is read here.
//!
//! Defaults are RocketMQ's where RocketMQ has the setting (`store/config/MessageStoreConfig.java`, 5.3.3).

use std::path::PathBuf;

use crate::format::HostAddr;
use crate::retention::RetentionConfig;

/// When appended bytes are made durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlushMode {
    /// As soon as somebody waits for it; while one sync runs the next group gathers.
    Sync,
    /// Every so many milliseconds.
    Async {
        /// Longest time between two syncs while bytes are pending.
        interval_ms: u64,
    },
}

/// How a queue's index is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QueueKind {
    /// `SimpleCQ`: one message a frame, 20-byte units.
    Simple,
    /// `BatchCQ`: up to 32,767 messages a frame, 46-byte units.
    Batch,
}

/// Settings of one store.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// `storePathRootDir`; created when missing.
    pub root: PathBuf,
    /// `mappedFileSizeCommitLog`, bytes.
    pub commit_log_file_size: u64,
    /// `mappedFileSizeConsumeQueue`, in units of 20 bytes.
    pub queue_file_units: u32,
    /// `mapperFileSizeBatchConsumeQueue`, in units of 46 bytes.
    pub batch_queue_file_units: u32,
    /// `maxHashSlotNum`.
    pub index_slots: u32,
    /// `maxIndexNum`; the first entry of a file is never used.
    pub index_entries: u32,
    /// `flushDiskType` and `flushIntervalCommitLog`.
    pub flush: FlushMode,
    /// Largest frame, bytes; larger ones are refused before anything is written.
    pub max_frame_size: u32,
    /// Address written into every frame: clients ask it for messages by id.
    pub store_host: HostAddr,
    /// `messageDelayLevel`, level 1 first, ms: what rebuilt units of the schedule topic are computed from.
    pub level_delays_ms: Vec<i64>,
    /// Whether the next CommitLog file is made ahead of time.
    pub preallocate: bool,
    /// Longest time between two checkpoints, ms.
    pub checkpoint_interval_ms: u64,
    /// Most bytes of log between two checkpoints.
    pub checkpoint_bytes: u64,
    /// When log files are deleted, and from which use of the disk on appends are refused.
    pub retention: RetentionConfig,
    /// Minutes that local time is ahead of UTC, for the hours of `deleteWhen`.
    pub utc_offset_minutes: i32,
    /// Milliseconds between two looks whether files are to be deleted (`cleanResourceInterval`).
    pub clean_interval_ms: u64,
    /// Whether flusher, preallocator and checkpointer get threads. Without, `Store::step` drives them.
    pub threads: bool,
}

impl StoreConfig {
    /// The defaults, over a directory.
    pub fn new(root: impl Into<PathBuf>) -> StoreConfig {
        StoreConfig {
            root: root.into(),
            commit_log_file_size: 1 << 30,
            queue_file_units: 300_000,
            batch_queue_file_units: 300_000,
            index_slots: 5_000_000,
            index_entries: 20_000_000,
            flush: FlushMode::Sync,
            max_frame_size: 128 << 20,
            store_host: HostAddr::LOCAL,
            level_delays_ms: DEFAULT_LEVEL_DELAYS_MS.to_vec(),
            preallocate: true,
            checkpoint_interval_ms: 5_000,
            checkpoint_bytes: 256 << 20,
            retention: RetentionConfig::default(),
            utc_offset_minutes: 0,
            clean_interval_ms: 10_000,
            threads: true,
        }
    }

    /// Milliseconds between two syncs that nobody asked for.
    pub(crate) fn flush_interval_ms(&self) -> u64 {
        match self.flush {
            FlushMode::Sync => DEFAULT_FLUSH_INTERVAL_MS,
            FlushMode::Async { interval_ms } => interval_ms,
        }
    }

    pub(crate) fn commit_log_dir(&self) -> PathBuf {
        self.root.join("commitlog")
    }

    /// Where our own side files stand; Java ignores the directory.
    pub(crate) fn side_dir(&self) -> PathBuf {
        self.root.join("gantry")
    }
}

const DEFAULT_FLUSH_INTERVAL_MS: u64 = 500;

/// `1s 5s 10s 30s 1m 2m 3m 4m 5m 6m 7m 8m 9m 10m 20m 30m 1h 2h`.
const DEFAULT_LEVEL_DELAYS_MS: [i64; 18] = [
    1_000, 5_000, 10_000, 30_000, 60_000, 120_000, 180_000, 240_000, 300_000, 360_000, 420_000, 480_000,
    540_000, 600_000, 1_200_000, 1_800_000, 3_600_000, 7_200_000,
];
