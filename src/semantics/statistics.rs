//! Statistics as RocketMQ's tools read them: counters looked at every ten seconds, and rates between two looks.
//!
//! The counters themselves only ever rise and stand elsewhere; what is kept here is their history: the last minute
//! in steps of 10 s, the last hour in steps of 10 min, the last day in steps of an hour, and the totals at the
//! last two midnights (UTC). A question is answered with the counters of its own moment, not of the last look.
//! Source: RocketMQ 5.3.3 `common/stats/StatsItem.java`, `store/StoreStatsService.java`,
//! `store/stats/BrokerStats.java`.

use std::collections::VecDeque;

use super::Millis;

/// Time between two looks.
pub const SAMPLE_INTERVAL_MS: i64 = 10_000;
const TEN_MINUTES_MS: i64 = 600_000;
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 86_400_000;

/// What went one way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// Requests, or parts of one for a queue each.
    pub requests: u64,
    /// Messages (Kafka: records).
    pub messages: u64,
    /// Bytes of bodies on the way in, of frames or batches on the way out.
    pub bytes: u64,
}

impl Flow {
    /// Both together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self {
            requests: self.requests + other.requests,
            messages: self.messages + other.messages,
            bytes: self.bytes + other.bytes,
        }
    }

    const fn since(self, earlier: Self) -> Self {
        Self {
            requests: self.requests.saturating_sub(earlier.requests),
            messages: self.messages.saturating_sub(earlier.messages),
            bytes: self.bytes.saturating_sub(earlier.bytes),
        }
    }
}

/// What went through in a stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// What it was.
    pub flow: Flow,
    /// How long the stretch is.
    pub duration_ms: i64,
}

impl Window {
    /// So much of something in a second.
    #[must_use]
    pub fn per_second(&self, sum: u64) -> f64 {
        if self.duration_ms <= 0 { 0.0 } else { sum as f64 * 1000.0 / self.duration_ms as f64 }
    }
}

/// The newest stretches of one flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Windows {
    /// A minute.
    pub minute: Window,
    /// An hour.
    pub hour: Window,
    /// A day.
    pub day: Window,
}

#[derive(Clone, Copy, Debug)]
struct Point {
    at: Millis,
    flow: Flow,
}

/// Readings of one counter, not closer than `step_ms`, as many as a window needs.
#[derive(Clone, Debug)]
struct History {
    points: VecDeque<Point>,
    step_ms: i64,
    most: usize,
}

impl History {
    fn new(first: Point, step_ms: i64, most: usize) -> Self {
        Self { points: VecDeque::from([first]), step_ms, most }
    }

    fn push(&mut self, point: Point) {
        if self.points.back().is_some_and(|last| point.at.since(last.at) < self.step_ms) {
            return;
        }
        if self.points.len() >= self.most {
            self.points.pop_front();
        }
        self.points.push_back(point);
    }

    fn window(&self, now: Point) -> Window {
        let Some(first) = self.points.front() else { return Window::default() };
        Window { flow: now.flow.since(first.flow), duration_ms: now.at.since(first.at) }
    }

    /// From the newest reading that is at least `duration_ms` old, or the oldest there is.
    fn back_by(&self, now: Point, duration_ms: i64) -> Window {
        let old_enough = self.points.iter().rev().find(|point| now.at.since(point.at) >= duration_ms);
        let Some(from) = old_enough.or(self.points.front()) else { return Window::default() };
        Window { flow: now.flow.since(from.flow), duration_ms: now.at.since(from.at) }
    }
}

/// The history of one counter.
#[derive(Clone, Debug)]
pub struct Series {
    minute: History,
    hour: History,
    day: History,
    last: Flow,
}

impl Series {
    /// A counter that was zero at `begin`.
    #[must_use]
    pub fn new(begin: Millis) -> Self {
        let first = Point { at: begin, flow: Flow::default() };
        Self {
            minute: History::new(first, SAMPLE_INTERVAL_MS, 7),
            hour: History::new(first, TEN_MINUTES_MS, 7),
            day: History::new(first, HOUR_MS, 25),
            last: Flow::default(),
        }
    }

    /// Takes a reading in. One that fell belongs to something new of the same name, whose history begins here.
    pub fn sample(&mut self, now: Millis, flow: Flow) {
        if flow.messages < self.last.messages {
            *self = Self::new(now.plus(-SAMPLE_INTERVAL_MS));
        }
        self.last = flow;
        for history in [&mut self.minute, &mut self.hour, &mut self.day] {
            history.push(Point { at: now, flow });
        }
    }

    /// The newest windows, up to a reading of this moment.
    #[must_use]
    pub fn windows(&self, now: Millis, flow: Flow) -> Windows {
        let now = Point { at: now, flow };
        Windows { minute: self.minute.window(now), hour: self.hour.window(now), day: self.day.window(now) }
    }
}

/// Stretches that the runtime table shows: 10 s, 60 s and 600 s.
pub type Rates = [Window; 3];

/// The history of one counter of the runtime table.
#[derive(Clone, Debug)]
pub struct Trend(History);

impl Trend {
    /// A counter that was zero at `begin`.
    #[must_use]
    pub fn new(begin: Millis) -> Self {
        Self(History::new(Point { at: begin, flow: Flow::default() }, SAMPLE_INTERVAL_MS, 61))
    }

    /// Takes a reading in.
    pub fn sample(&mut self, now: Millis, flow: Flow) {
        self.0.push(Point { at: now, flow });
    }

    /// The last 10, 60 and 600 seconds; shorter while the broker is younger.
    #[must_use]
    pub fn rates(&self, now: Millis, flow: Flow) -> Rates {
        let now = Point { at: now, flow };
        [10_000, 60_000, 600_000].map(|duration_ms| self.0.back_by(now, duration_ms))
    }
}

/// Totals at the last two midnights; zero before the first one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mornings {
    day: i64,
    /// Today's first moment.
    pub today: u64,
    /// Yesterday's first moment.
    pub yesterday: u64,
}

impl Mornings {
    /// Begins on the day of `now`.
    #[must_use]
    pub const fn new(now: Millis) -> Self {
        Self { day: now.0.div_euclid(DAY_MS), today: 0, yesterday: 0 }
    }

    /// Takes the total in when a day begins.
    pub fn sample(&mut self, now: Millis, total: u64) {
        let day = now.0.div_euclid(DAY_MS);
        if day != self.day {
            *self = Self { day, today: total, yesterday: self.today };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(messages: u64) -> Flow {
        Flow { requests: messages / 2, messages, bytes: messages * 10 }
    }

    #[test]
    fn windows_end_at_the_moment_of_the_question() {
        let mut series = Series::new(Millis(0));
        for step in 1..=100_i64 {
            series.sample(Millis(step * 10_000), flow(step.unsigned_abs() * 10));
        }
        let windows = series.windows(Millis(1_005_000), flow(1_007));
        // The oldest of seven readings is a minute older than the newest.
        assert_eq!(windows.minute, Window { flow: flow(1_007).since(flow(940)), duration_ms: 65_000 });
        assert_eq!((windows.hour.flow.messages, windows.hour.duration_ms), (1_007, 1_005_000));
        assert_eq!((windows.day.flow.messages, windows.day.duration_ms), (1_007, 1_005_000));
        assert!((windows.minute.per_second(65) - 1.0).abs() < 1e-9);
        assert_eq!(Window::default().per_second(7).to_bits(), 0.0_f64.to_bits());
    }

    #[test]
    fn a_day_has_25_readings_and_an_hour_7() {
        let mut series = Series::new(Millis(0));
        for step in 1..=20_000_i64 {
            series.sample(Millis(step * 10_000), flow(step.unsigned_abs()));
        }
        let windows = series.windows(Millis(200_000_000), flow(20_000));
        assert!((HOUR_MS..=HOUR_MS + TEN_MINUTES_MS).contains(&windows.hour.duration_ms));
        assert!((DAY_MS..=DAY_MS + HOUR_MS).contains(&windows.day.duration_ms));
    }

    #[test]
    fn a_counter_that_falls_begins_anew() {
        let mut series = Series::new(Millis(0));
        series.sample(Millis(10_000), flow(100));
        series.sample(Millis(20_000), flow(4));
        let windows = series.windows(Millis(20_000), flow(4));
        assert_eq!((windows.day.flow.messages, windows.day.duration_ms), (4, 10_000));
    }

    #[test]
    fn rates_of_a_young_broker_cover_its_life() {
        let mut trend = Trend::new(Millis(0));
        trend.sample(Millis(10_000), flow(10));
        let rates = trend.rates(Millis(15_000), flow(40));
        assert_eq!(rates.map(|window| window.duration_ms), [15_000, 15_000, 15_000]);
        for step in 2..=100_i64 {
            trend.sample(Millis(step * 10_000), flow(10));
        }
        let rates = trend.rates(Millis(1_005_000), flow(40));
        assert_eq!(rates.map(|window| window.duration_ms), [15_000, 65_000, 605_000]);
        assert_eq!(rates[0].flow.messages, 30);
    }

    #[test]
    fn mornings_move_at_midnight() {
        let mut mornings = Mornings::new(Millis(DAY_MS + 5));
        mornings.sample(Millis(DAY_MS + 20), 7);
        assert_eq!((mornings.today, mornings.yesterday), (0, 0));
        mornings.sample(Millis(2 * DAY_MS + 3), 9);
        mornings.sample(Millis(3 * DAY_MS + 3), 30);
        assert_eq!((mornings.today, mornings.yesterday), (30, 9));
    }
}
