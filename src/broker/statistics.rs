//! Statistics of topics, groups and the broker: looked at every ten seconds, asked for by name.
//!
//! Senders and readers add to counters that their queue and topic have; nothing is looked up by name on their way.
//! Source: RocketMQ 5.3.3 `store/stats/BrokerStatsManager.java`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use super::Broker;
use super::topic::Topic;
use crate::limits;
use crate::semantics::statistics::{Flow, Mornings, Rates, SAMPLE_INTERVAL_MS, Series, Trend, Windows};
use crate::semantics::{Dialect, Millis};

/// A flow that several threads add to.
#[derive(Debug, Default)]
pub(super) struct FlowCells {
    requests: AtomicU64,
    messages: AtomicU64,
    bytes: AtomicU64,
}

impl FlowCells {
    pub(super) fn add(&self, flow: Flow) {
        self.requests.fetch_add(flow.requests, Ordering::Relaxed);
        self.messages.fetch_add(flow.messages, Ordering::Relaxed);
        self.bytes.fetch_add(flow.bytes, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> Flow {
        Flow {
            requests: self.requests.load(Ordering::Relaxed),
            messages: self.messages.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
        }
    }
}

/// What the groups of native clients read of one topic.
#[derive(Debug, Default)]
pub(super) struct Readers(RwLock<HashMap<Box<str>, Arc<FlowCells>>>);

impl Readers {
    /// The counter of a group; `None` when the topic has too many groups to count each.
    pub(super) fn of(&self, group: &str) -> Option<Arc<FlowCells>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner).get(group).cloned();
        if known.is_some() {
            return known;
        }
        let mut readers = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if readers.len() >= limits::COUNTED_GROUPS_PER_TOPIC {
            return None;
        }
        Some(Arc::clone(readers.entry(group.into()).or_default()))
    }

    pub(super) fn read(&self) -> Vec<(Box<str>, Flow)> {
        let readers = self.0.read().unwrap_or_else(PoisonError::into_inner);
        readers.iter().map(|(group, cells)| (group.clone(), cells.read())).collect()
    }
}

/// What statistics are kept of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject<'a> {
    /// Messages stored in a topic, by its native name.
    Topic(&'a str),
    /// Messages of a topic that a group of native clients was given.
    Group {
        /// The topic, by its native name.
        topic: &'a str,
        /// The group.
        group: &'a str,
    },
    /// Messages stored by all producers.
    Stored,
    /// Messages given to all consumers.
    Read,
}

/// Totals at midnights and now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Days {
    /// At yesterday's first moment, UTC.
    pub yesterday: u64,
    /// At today's.
    pub today: u64,
    /// Since the start.
    pub now: u64,
}

/// Rates of the runtime table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Stored.
    pub stored: Rates,
    /// Requests that found messages, and the messages found.
    pub found: Rates,
    /// Requests that found none.
    pub missed: Rates,
    /// Messages stored.
    pub stored_days: Days,
    /// Messages given out.
    pub read_days: Days,
}

/// The histories.
#[derive(Debug)]
pub(super) struct Statistics(Mutex<State>);

#[derive(Debug)]
struct State {
    begun: Millis,
    last_sample: Millis,
    next_sample: Millis,
    topics: HashMap<Arc<str>, TopicSeries>,
    stored: Series,
    read: Series,
    stored_trend: Trend,
    found_trend: Trend,
    missed_trend: Trend,
    stored_mornings: Mornings,
    read_mornings: Mornings,
}

#[derive(Debug)]
struct TopicSeries {
    stored: Series,
    groups: HashMap<Box<str>, Series>,
}

/// All that went through the broker, in both dialects.
struct BrokerFlows {
    stored: Flow,
    found: Flow,
    missed: Flow,
}

impl Statistics {
    pub(super) fn new(now: Millis) -> Self {
        Self(Mutex::new(State {
            begun: now,
            last_sample: now,
            next_sample: now.plus(SAMPLE_INTERVAL_MS),
            topics: HashMap::new(),
            stored: Series::new(now),
            read: Series::new(now),
            stored_trend: Trend::new(now),
            found_trend: Trend::new(now),
            missed_trend: Trend::new(now),
            stored_mornings: Mornings::new(now),
            read_mornings: Mornings::new(now),
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn sample_broker(&mut self, now: Millis, flows: &BrokerFlows) {
        self.stored.sample(now, flows.stored);
        self.read.sample(now, flows.found);
        self.stored_trend.sample(now, flows.stored);
        self.found_trend.sample(now, flows.found);
        self.missed_trend.sample(now, flows.missed);
        self.stored_mornings.sample(now, flows.stored.messages);
        self.read_mornings.sample(now, flows.found.messages);
    }

    /// A history begins with the first message; the look before it saw nothing.
    fn sample_topic(&mut self, now: Millis, topic: &Topic) {
        let (stored, readers) = (topic.stored(), topic.readers().read());
        if stored.messages == 0 && readers.is_empty() {
            return;
        }
        let begin = self.last_sample;
        let series = self
            .topics
            .entry(Arc::clone(&topic.config().name))
            .or_insert_with(|| TopicSeries { stored: Series::new(begin), groups: HashMap::new() });
        series.stored.sample(now, stored);
        for (group, flow) in readers {
            series.groups.entry(group).or_insert_with(|| Series::new(begin)).sample(now, flow);
        }
    }
}

impl Broker {
    /// Looks at all counters when it is time; gives the next time.
    pub(super) fn sample_statistics(&self, now: Millis) -> Millis {
        let mut state = self.statistics.state();
        if now < state.next_sample {
            return state.next_sample;
        }
        state.sample_broker(now, &self.broker_flows());
        let topics = self.topics();
        for topic in &topics {
            state.sample_topic(now, topic);
        }
        state.topics.retain(|name, _| self.topic(name).is_some());
        state.last_sample = now;
        state.next_sample = now.plus(SAMPLE_INTERVAL_MS);
        state.next_sample
    }

    fn broker_flows(&self) -> BrokerFlows {
        let (native, kafka) = (self.totals(Dialect::Native), self.totals(Dialect::Kafka));
        let read = native.read.with(kafka.read);
        let missed = native.missed + kafka.missed;
        BrokerFlows {
            stored: native.stored.with(kafka.stored),
            // A fetch of Kafka's counts as read whether it found messages or not.
            found: Flow { requests: read.requests.saturating_sub(kafka.missed), ..read },
            missed: Flow { requests: missed, messages: missed, bytes: 0 },
        }
    }

    /// The last minute, hour and day of something; `None` when nothing ever happened to it.
    #[must_use]
    pub fn statistics(&self, subject: Subject<'_>, now: Millis) -> Option<Windows> {
        let state = self.statistics.state();
        let young = Series::new(state.last_sample);
        match subject {
            Subject::Stored => Some(state.stored.windows(now, self.broker_flows().stored)),
            Subject::Read => Some(state.read.windows(now, self.broker_flows().found)),
            Subject::Topic(name) => {
                let topic = self.native_topic(name)?;
                let flow = Some(topic.stored()).filter(|flow| flow.messages > 0)?;
                let series = state.topics.get(topic.name()).map_or(&young, |topic| &topic.stored);
                Some(series.windows(now, flow))
            }
            Subject::Group { topic, group } => {
                let topic = self.native_topic(topic)?;
                let (_, flow) = topic.readers().read().into_iter().find(|(name, _)| **name == *group)?;
                let flow = Some(flow).filter(|flow| flow.messages > 0)?;
                let series = state.topics.get(topic.name()).and_then(|topic| topic.groups.get(group));
                Some(series.unwrap_or(&young).windows(now, flow))
            }
        }
    }

    /// When counting began: with the broker.
    pub(super) fn statistics_begun(&self) -> Millis {
        self.statistics.state().begun
    }

    /// What goes through the broker, for the runtime table.
    #[must_use]
    pub fn traffic(&self, now: Millis) -> Traffic {
        let flows = self.broker_flows();
        let state = self.statistics.state();
        let days = |mornings: Mornings, total| Days {
            yesterday: mornings.yesterday,
            today: mornings.today,
            now: total,
        };
        Traffic {
            stored: state.stored_trend.rates(now, flows.stored),
            found: state.found_trend.rates(now, flows.found),
            missed: state.missed_trend.rates(now, flows.missed),
            stored_days: days(state.stored_mornings, flows.stored.messages),
            read_days: days(state.read_mornings, flows.found.messages),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::BrokerSettings;
    use crate::broker::pull::PullStatus;
    use crate::broker::test_broker::TestBroker;

    #[test]
    fn what_is_sent_and_pulled_is_counted_by_topic_and_group() {
        let test = TestBroker::open(BrokerSettings::default());
        let ask = |subject| test.broker.statistics(subject, test.broker.now());
        let group = Subject::Group { topic: "t", group: "CG" };
        assert_eq!((ask(Subject::Topic("t")), ask(group)), (None, None));
        test.pass(5_000);
        (0..3).for_each(|_| test.send("t", b"body", b"").unwrap());
        let pull = test.plan_pull("t", 32).unwrap();
        assert_eq!(test.broker.pull(&pull).status, PullStatus::Found);
        let sent = ask(Subject::Topic("t")).unwrap().minute.flow;
        assert_eq!((sent.requests, sent.messages, sent.bytes), (3, 3, 12));
        let read = ask(group).unwrap().minute;
        assert_eq!((read.flow.requests, read.flow.messages, read.duration_ms), (1, 3, 5_000));
        assert_eq!(ask(Subject::Stored).unwrap().day.flow.messages, 3);
        assert_eq!(ask(Subject::Read).unwrap().day.flow.messages, 3);
    }

    #[test]
    fn a_minute_forgets_and_a_topic_of_the_same_name_begins_anew() {
        let test = TestBroker::open(BrokerSettings::default());
        test.send("t", b"body", b"").unwrap();
        (0..8).for_each(|_| test.pass(10_000));
        let windows = test.broker.statistics(Subject::Topic("t"), test.broker.now()).unwrap();
        assert_eq!((windows.minute.flow.messages, windows.hour.flow.messages), (0, 1));
        test.broker.delete_topic("t").unwrap();
        test.pass(10_000);
        assert_eq!(test.broker.statistics(Subject::Topic("t"), test.broker.now()), None);
    }

    #[test]
    fn both_dialects_count_for_the_broker() {
        let test = TestBroker::open(BrokerSettings::default());
        test.create("k");
        test.produce("k", &[b"a", b"b"]).unwrap();
        test.send("t", b"body", b"").unwrap();
        test.pass(10_000);
        let traffic = test.broker.traffic(test.broker.now());
        assert_eq!(traffic.stored_days, Days { yesterday: 0, today: 0, now: 3 });
        assert!((traffic.stored[0].per_second(traffic.stored[0].flow.messages) - 0.3).abs() < 1e-9);
        let kafka = test.broker.statistics(Subject::Topic("k"), test.broker.now()).unwrap();
        assert_eq!(kafka.minute.flow.messages, 2);
    }
}
