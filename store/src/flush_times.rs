//! How long the syncs of the log took, in buckets; one thread writes, anyone reads.
//!
//! Not a clock of its own: it measures a duration, which decides nothing, so that a simulated run stays the same.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the buckets, microseconds; a last bucket takes the rest. From a page-cache-only disk to one
/// that is about to time producers out.
pub const FLUSH_BOUNDS_US: [u64; BOUNDS] =
    [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000];

const BOUNDS: usize = 12;
const BUCKETS: usize = BOUNDS + 1;

/// Durations of all syncs since the store was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlushTimes {
    /// How many syncs fell between each bound of [`FLUSH_BOUNDS_US`] and the one before; the last: above all.
    pub counts: [u64; BUCKETS],
    /// Their durations together, microseconds.
    pub sum_us: u64,
}

/// The cells behind it.
#[derive(Debug, Default)]
pub(crate) struct FlushClock {
    counts: [AtomicU64; BUCKETS],
    sum_us: AtomicU64,
}

impl FlushClock {
    /// Counts one sync.
    pub(crate) fn record(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = FLUSH_BOUNDS_US.partition_point(|bound| *bound < us);
        if let Some(count) = self.counts.get(bucket) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    /// The counts now.
    pub(crate) fn read(&self) -> FlushTimes {
        let counts = std::array::from_fn(|at| self.counts.get(at).map_or(0, |n| n.load(Ordering::Relaxed)));
        FlushTimes { counts, sum_us: self.sum_us.load(Ordering::Relaxed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sync_falls_into_the_first_bucket_that_holds_it() {
        let clock = FlushClock::default();
        for us in [1, 100, 101, 1_000_000, 1_000_001] {
            clock.record(Duration::from_micros(us));
        }
        let times = clock.read();
        assert_eq!(times.counts, [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!(times.sum_us, 2_000_203);
    }
}
