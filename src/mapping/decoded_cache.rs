//! The decoded batches that native readers used last, bounded in bytes.
//!
//! A native pull takes 32 messages; without this a batch of 10,000 records would be decompressed 312 times.
//! The key is the frame's commit offset, which never names another frame while the log is not cut: whoever cuts
//! the log calls [`DecodedCache::clear`]. Not here: a lock; the owner puts the cache behind one.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use gantry_store::format::offset::CommitOffset;

use super::unwrap::DecodedBatch;

/// Least recently used goes first.
#[derive(Debug)]
pub struct DecodedCache {
    entries: HashMap<CommitOffset, Entry>,
    /// Tick of last use, to the key of the entry; ticks are unique.
    by_use: BTreeMap<u64, CommitOffset>,
    tick: u64,
    bytes: usize,
    max_bytes: usize,
    counters: CacheCounters,
}

#[derive(Debug)]
struct Entry {
    batch: Arc<DecodedBatch>,
    last_use: u64,
    cost: usize,
}

/// How often the cache helped since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheCounters {
    /// Look-ups that found their batch.
    pub hits: u64,
    /// Look-ups that did not.
    pub misses: u64,
    /// Batches dropped to make room.
    pub evictions: u64,
}

impl DecodedCache {
    /// An empty cache of at most `max_bytes`; 0 keeps nothing.
    #[must_use]
    pub fn new(max_bytes: usize) -> DecodedCache {
        DecodedCache {
            entries: HashMap::new(),
            by_use: BTreeMap::new(),
            tick: 0,
            bytes: 0,
            max_bytes,
            counters: CacheCounters::default(),
        }
    }

    /// The decoded batch of the frame at `frame`, which then is the one used last.
    pub fn find(&mut self, frame: CommitOffset) -> Option<Arc<DecodedBatch>> {
        let Some(entry) = self.entries.get_mut(&frame) else {
            self.counters.misses += 1;
            return None;
        };
        self.counters.hits += 1;
        self.by_use.remove(&entry.last_use);
        self.tick += 1;
        entry.last_use = self.tick;
        self.by_use.insert(self.tick, frame);
        Some(Arc::clone(&entry.batch))
    }

    /// Keeps a decoded batch; one larger than the whole cache is not kept.
    pub fn insert(&mut self, frame: CommitOffset, batch: Arc<DecodedBatch>) {
        self.remove(frame);
        let cost = batch.cost_bytes();
        if cost > self.max_bytes {
            return;
        }
        while self.bytes + cost > self.max_bytes {
            let Some((_, oldest)) = self.by_use.first_key_value() else { break };
            self.remove(*oldest);
            self.counters.evictions += 1;
        }
        self.tick += 1;
        self.by_use.insert(self.tick, frame);
        self.entries.insert(frame, Entry { batch, last_use: self.tick, cost });
        self.bytes += cost;
    }

    /// Forgets everything: after a cut of the log.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.by_use.clear();
        self.bytes = 0;
    }

    /// Bytes kept now.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Hits, misses and evictions so far.
    #[must_use]
    pub fn counters(&self) -> CacheCounters {
        self.counters
    }

    fn remove(&mut self, frame: CommitOffset) {
        if let Some(entry) = self.entries.remove(&frame) {
            self.by_use.remove(&entry.last_use);
            self.bytes -= entry.cost;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::test_records::{TestRecord, batch, kept, rules};
    use gantry_protocols::kafka::batch_builder::BatchFields;
    use gantry_store::format::frame::FrameView;

    fn decoded() -> Arc<DecodedBatch> {
        let frame = kept(batch(&[TestRecord::new(None, Some(b"v"))], &BatchFields::default()), &rules(), 0);
        Arc::new(DecodedBatch::decode(&FrameView::parse(&frame).unwrap(), 1000).unwrap())
    }

    #[test]
    fn drops_the_batch_used_longest_ago() {
        let batch = decoded();
        let mut cache = DecodedCache::new(2 * batch.cost_bytes());
        for at in [1, 2] {
            cache.insert(CommitOffset(at), Arc::clone(&batch));
        }
        assert!(cache.find(CommitOffset(1)).is_some());
        cache.insert(CommitOffset(3), Arc::clone(&batch));
        assert!(cache.find(CommitOffset(2)).is_none());
        assert!(cache.find(CommitOffset(1)).is_some() && cache.find(CommitOffset(3)).is_some());
        assert_eq!(cache.counters(), CacheCounters { hits: 3, misses: 1, evictions: 1 });
        assert_eq!(cache.bytes(), 2 * batch.cost_bytes());
    }

    #[test]
    fn keeps_nothing_larger_than_itself_and_counts_a_batch_once() {
        let batch = decoded();
        let mut small = DecodedCache::new(batch.cost_bytes() - 1);
        small.insert(CommitOffset(1), Arc::clone(&batch));
        assert_eq!((small.bytes(), small.find(CommitOffset(1)).is_some()), (0, false));
        let mut cache = DecodedCache::new(10 * batch.cost_bytes());
        cache.insert(CommitOffset(1), Arc::clone(&batch));
        cache.insert(CommitOffset(1), Arc::clone(&batch));
        assert_eq!(cache.bytes(), batch.cost_bytes());
        cache.clear();
        assert_eq!((cache.bytes(), cache.find(CommitOffset(1)).is_some()), (0, false));
    }
}
