//! What the engine's tests share: a small store over a simulated disk, messages that can be recognised.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use gantry_store::disk::{Disk, SimDisk};
use gantry_store::format::{HostAddr, QueueOffset, SysFlag, sysflag};
use gantry_store::{
    AppendBatch, Entry, Extract, OpenError, OpenReport, Queue, QueueKind, ReadLimits, Store, StoreConfig,
    TagsCode,
};

pub(crate) const ROOT: &str = "/store";

/// Settings of the smallest useful store: no threads, files that are full soon.
pub(crate) fn small_config() -> StoreConfig {
    let mut config = StoreConfig::new(ROOT);
    config.commit_log_file_size = 8192;
    config.queue_file_units = 20;
    config.batch_queue_file_units = 10;
    config.index_slots = 50;
    config.index_entries = 40;
    config.threads = false;
    config
}

/// Topics that begin with `batch` have queues of kind Batch.
pub(crate) fn kind_of(topic: &str) -> QueueKind {
    if topic.starts_with("batch") { QueueKind::Batch } else { QueueKind::Simple }
}

pub(crate) fn open(disk: &SimDisk) -> Result<(Store, OpenReport), OpenError> {
    open_with(small_config(), Arc::new(disk.clone()))
}

pub(crate) fn open_with(config: StoreConfig, disk: Arc<dyn Disk>) -> Result<(Store, OpenReport), OpenError> {
    let clock = AtomicI64::new(1_700_000_000_000);
    let now = Arc::new(move || clock.fetch_add(1, Ordering::Relaxed));
    Store::open(config, disk, now, &kind_of, &mut |_| {})
}

pub(crate) const LIMITS: ReadLimits =
    ReadLimits { max_units: 1000, max_bytes: 1 << 30, max_scanned: 1000, upto: QueueOffset(i64::MAX) };

/// An ordinary entry over a body.
pub(crate) fn entry(body: &Bytes) -> Entry<'_> {
    Entry {
        flag: 7,
        sys_flag: SysFlag(0),
        born_timestamp: 1_699_999_999_000,
        born_host: HostAddr::LOCAL,
        reconsume_times: 0,
        prepared_transaction_offset: 0,
        body,
        properties: &[b"TAGS\x01a\x02"],
        records: 1,
        tags_code: TagsCode::Hash(97),
        keys: &[],
        joined: false,
    }
}

/// Adds one message, or a batch of `records` in a queue of kind Batch.
pub(crate) fn push(batch: &mut AppendBatch, queue: &Queue, body: &Bytes, records: i32) {
    let mut entry = entry(body);
    if queue.kind() == QueueKind::Batch {
        entry.sys_flag = SysFlag(sysflag::INNER_BATCH);
        entry.records = records;
    }
    batch.push(queue, &entry).unwrap();
}

pub(crate) fn append(store: &Store, queue: &Queue, body: &[u8], records: i32) -> gantry_store::Appended {
    let mut batch = store.batch();
    push(&mut batch, queue, &Bytes::copy_from_slice(body), records);
    store.append(&mut batch).unwrap()
}

pub(crate) fn read(store: &Store, queue: &Queue, from: i64) -> Extract {
    store.read(queue, QueueOffset(from), &LIMITS, &mut |_| true).unwrap()
}

/// Every message of a queue as (queue offset, records, body), read piece by piece.
pub(crate) fn contents(store: &Store, queue: &Queue) -> Vec<(i64, i16, Vec<u8>)> {
    let mut all = Vec::new();
    let mut from = queue.min();
    while from < queue.next() {
        let extract = store.read(queue, from, &LIMITS, &mut |_| true).unwrap();
        assert!(extract.next > from, "a read at {from} does not advance: {extract:?}");
        for (unit, frame) in extract.frames() {
            let view = gantry_store::format::FrameView::parse(&frame).unwrap();
            view.check_body_crc().unwrap();
            assert_eq!(view.queue_offset(), unit.queue_offset);
            assert_eq!(view.commit_offset(), unit.commit_offset);
            all.push((unit.queue_offset.0, unit.records, view.body().to_vec()));
        }
        from = extract.next;
    }
    all
}

/// Every file below a directory with its content.
pub(crate) fn tree(disk: &SimDisk, dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in disk.list(dir).unwrap() {
        let path = dir.join(&entry.name);
        if entry.is_dir {
            files.extend(tree(disk, &path));
        } else {
            files.push((path.display().to_string(), gantry_store::disk::read_file(disk, &path).unwrap()));
        }
    }
    files
}
