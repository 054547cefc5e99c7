//! How many requests of each kind were answered, and how long that took.
//!
//! A kind is the place of its row in the dialect's table of routes; names are the server's part. Threads add to
//! shards of their own, which are made when the first request of a dialect comes by. Requests that waited (for a
//! message, a flush, a member) are counted apart, so that long polls do not hide slow answers.
//! Source: RocketMQ 5.3.3 `remoting/metrics/RemotingMetricsManager.java` (bounds), Kafka's `RequestMetrics`.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::Broker;
use super::counters::{SHARDS, shard_of_this_thread};
use crate::semantics::Dialect;

/// Upper bounds of the buckets, ms; one more bucket holds what took longer.
pub const REQUEST_BOUNDS_MS: [u64; 9] = [1, 3, 5, 7, 10, 100, 1000, 2000, 3000];
const BUCKETS: usize = REQUEST_BOUNDS_MS.len() + 1;
/// Kinds that one dialect can have; a test in the server compares the tables of routes.
pub const KINDS: usize = 160;

/// Times of one kind of request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// Requests by time, in the order of [`REQUEST_BOUNDS_MS`]; the last bucket is open.
    pub buckets: [u64; BUCKETS],
    /// Sum of all times, µs.
    pub sum_us: u64,
}

impl Times {
    /// All requests.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// The bound, ms, below which `share` (0 to 1) of the requests were answered; `None` when that many were not.
    #[must_use]
    pub fn quantile_ms(&self, share: f64) -> Option<u64> {
        let wanted = (self.count() as f64 * share).ceil() as u64;
        let mut below = 0;
        REQUEST_BOUNDS_MS.into_iter().zip(self.buckets).find_map(|(bound, count)| {
            below += count;
            (below >= wanted).then_some(bound)
        })
    }

    /// Both together.
    #[must_use]
    pub fn with(mut self, other: &Self) -> Self {
        self.buckets.iter_mut().zip(other.buckets).for_each(|(mine, theirs)| *mine += theirs);
        self.sum_us += other.sum_us;
        self
    }
}

/// Requests of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestTimes {
    /// Answered at once.
    pub direct: Times,
    /// Answered after a wait.
    pub waited: Times,
}

#[derive(Debug, Default)]
struct TimeCells {
    buckets: [AtomicU64; BUCKETS],
    sum_us: AtomicU64,
}

impl TimeCells {
    fn add(&self, took: Duration, requests: u64) {
        let took_ms = took.as_millis();
        let bucket = REQUEST_BOUNDS_MS.partition_point(|bound| u128::from(*bound) < took_ms);
        if let Some(cell) = self.buckets.get(bucket) {
            cell.fetch_add(requests, Ordering::Relaxed);
        }
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.sum_us.fetch_add(took_us.saturating_mul(requests), Ordering::Relaxed);
    }

    fn read(&self) -> Times {
        let mut times = Times { sum_us: self.sum_us.load(Ordering::Relaxed), ..Times::default() };
        let cells = self.buckets.iter().zip(&mut times.buckets);
        cells.for_each(|(cell, count)| *count = cell.load(Ordering::Relaxed));
        times
    }
}

#[derive(Debug, Default)]
struct KindCells {
    direct: TimeCells,
    waited: TimeCells,
}

type Table = Vec<KindCells>;

#[derive(Debug, Default)]
struct Shard {
    native: OnceLock<Table>,
    kafka: OnceLock<Table>,
}

/// The requests of a broker.
#[derive(Debug, Default)]
pub(super) struct Requests([Shard; SHARDS]);

impl Requests {
    fn add(&self, dialect: Dialect, kind: usize, waited: bool, took: Duration, requests: u64) {
        let [first, ..] = &self.0;
        let shard = self.0.get(shard_of_this_thread()).unwrap_or(first);
        let table = shard
            .of(dialect)
            .get_or_init(|| std::iter::repeat_with(KindCells::default).take(KINDS).collect());
        if let Some(cells) = table.get(kind) {
            if waited { &cells.waited } else { &cells.direct }.add(took, requests);
        }
    }

    fn read(&self, dialect: Dialect, kind: usize) -> RequestTimes {
        let tables = self.0.iter().filter_map(|shard| shard.of(dialect).get());
        tables.filter_map(|table| table.get(kind)).fold(RequestTimes::default(), |sum, cells| RequestTimes {
            direct: sum.direct.with(&cells.direct.read()),
            waited: sum.waited.with(&cells.waited.read()),
        })
    }
}

impl Shard {
    fn of(&self, dialect: Dialect) -> &OnceLock<Table> {
        match dialect {
            Dialect::Native => &self.native,
            Dialect::Kafka => &self.kafka,
        }
    }
}

impl Broker {
    /// So many requests of a kind were answered, each after `took`. Blocks on nothing.
    pub fn answered(&self, dialect: Dialect, kind: usize, waited: bool, took: Duration, requests: u64) {
        self.requests.add(dialect, kind, waited, took, requests);
    }

    /// How long requests of a kind took since the start. Blocks on nothing.
    #[must_use]
    pub fn request_times(&self, dialect: Dialect, kind: usize) -> RequestTimes {
        self.requests.read(dialect, kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_falls_into_the_bucket_of_its_time() {
        let requests = Requests::default();
        let ms = Duration::from_millis;
        for (took, waited) in [(ms(0), false), (ms(1), false), (ms(2), false), (ms(3001), true)] {
            requests.add(Dialect::Kafka, 7, waited, took, 1);
        }
        let times = requests.read(Dialect::Kafka, 7);
        assert_eq!(times.direct.buckets[..3], [2, 1, 0]);
        assert_eq!((times.direct.count(), times.direct.sum_us), (3, 3_000));
        assert_eq!((times.waited.count(), times.waited.buckets[9]), (1, 1));
        assert_eq!(requests.read(Dialect::Native, 7), RequestTimes::default());
        assert_eq!(requests.read(Dialect::Kafka, KINDS), RequestTimes::default());
    }

    #[test]
    fn a_quantile_is_the_bound_that_so_many_stayed_below() {
        let mut times = Times { buckets: [90, 0, 9, 0, 0, 0, 0, 0, 0, 0], sum_us: 0 };
        assert_eq!((times.quantile_ms(0.5), times.quantile_ms(0.99)), (Some(1), Some(5)));
        times.buckets[9] = 50;
        assert_eq!(times.quantile_ms(0.99), None);
    }
}
