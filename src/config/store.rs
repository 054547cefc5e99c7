//! Files, flushing and retention. Sizes of files must equal those of a directory that exists already.

use std::path::PathBuf;

use super::key::{Allowed, section};
use super::value::{FlushDiskType, Hours};

/// Smallest file: the boundary cases of the formats are tested at this size.
const SMALLEST_FILE: i64 = 4096;

section! {
    /// The store.
    store: Store {
        /// Directory of all data (RocketMQ: `store` in the home directory).
        root: PathBuf = "./gantry-data", "storePathRootDir", RocketMq, Path;
        /// Directory of the CommitLog; only `commitlog` below `storePathRootDir` is supported.
        commit_log: Option<PathBuf> = "", "storePathCommitLog", RocketMq, Path;
        /// SYNC_FLUSH answers when the message is on the disk, ASYNC_FLUSH (RocketMQ's default) when it is in the page cache.
        flush_disk_type: FlushDiskType = "SYNC_FLUSH", "flushDiskType", RocketMq, Text;
        /// Longest time between two flushes under ASYNC_FLUSH.
        flush_interval_ms: u64 = "500", "flushIntervalCommitLog", RocketMq, Milliseconds, Allowed::Range(1, 3_600_000);
        /// How long a producer waits for its flush under SYNC_FLUSH before the answer is FLUSH_DISK_TIMEOUT.
        sync_flush_timeout_ms: u64 = "5000", "syncFlushTimeout", RocketMq, Milliseconds, Allowed::Range(1, 600_000);
        /// Size of a CommitLog file.
        commit_log_file_size: u64 = "1073741824", "mappedFileSizeCommitLog", RocketMq, Bytes, Allowed::Range(SMALLEST_FILE, i32::MAX as i64);
        /// Size of a ConsumeQueue file; a multiple of 20.
        consume_queue_file_size: u64 = "6000000", "mappedFileSizeConsumeQueue", RocketMq, Bytes, Allowed::Range(20, i32::MAX as i64);
        /// Size of a BatchConsumeQueue file; a multiple of 46.
        batch_consume_queue_file_size: u64 = "13800000", "mapperFileSizeBatchConsumeQueue", RocketMq, Bytes, Allowed::Range(46, i32::MAX as i64);
        /// False leaves keys out of the index; a query by key then finds nothing.
        message_index_enable: bool = "true", "messageIndexEnable", RocketMq, Flag;
        /// Hash slots of an IndexFile.
        max_hash_slots: u32 = "5000000", "maxHashSlotNum", RocketMq, Count, Allowed::Range(1, 50_000_000);
        /// Entries of an IndexFile.
        max_index_entries: u32 = "20000000", "maxIndexNum", RocketMq, Count, Allowed::Range(2, 100_000_000);
        /// Largest body of a message.
        max_message_size: u32 = "4194304", "maxMessageSize", RocketMq, Bytes, Allowed::Range(1, 64 << 20);
        /// Age at which a CommitLog file is deleted, unless `log.retention.*` is set.
        file_reserved_hours: u64 = "72", "fileReservedTime", RocketMq, Hours, Allowed::Range(1, 876_000);
        /// Hours of the day in which expired files are deleted, separated by `;`.
        delete_when: Hours = "04", "deleteWhen", RocketMq, Hours;
        /// Disk use at which expired files are deleted at any hour.
        disk_max_used_percent: u32 = "75", "diskMaxUsedSpaceRatio", RocketMq, Percent, Allowed::Range(10, 95);
        /// Disk use at which the oldest files are deleted before they expire.
        disk_clean_forcibly_percent: u32 = "85", "diskSpaceCleanForciblyRatio", RocketMq, Percent, Allowed::Range(10, 99);
        /// Disk use at which writes are refused.
        disk_warning_percent: u32 = "90", "diskSpaceWarningLevelRatio", RocketMq, Percent, Allowed::Range(10, 99);
        /// False keeps unexpired files even on a disk that is nearly full.
        clean_file_forcibly_enable: bool = "true", "cleanFileForciblyEnable", RocketMq, Flag;
    }
}

impl Store {
    /// True when `storePathCommitLog` is unset or names where the CommitLog is anyway.
    pub(super) fn keeps_commit_log_below_root(&self) -> bool {
        self.commit_log.as_ref().is_none_or(|path| *path == self.root.join("commitlog"))
    }
}
