//! The broker as its runtime table shows it, and what administrators order it to do with its files.
//!
//! Source: RocketMQ 5.3.3 `broker/processor/AdminBrokerProcessor.java` (`prepareRuntimeInfo`,
//! `cleanUnusedTopic` ...).

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use gantry_store::CloseError;
use tracing::info;

use super::Broker;
use super::gauges::Gauges;
use super::statistics::Traffic;
use crate::mapping::names;
use crate::semantics::statistics::Flow;
use crate::semantics::{Dialect, Millis};

/// The broker at one moment, with its history.
#[derive(Clone, Debug)]
pub struct Runtime {
    /// When it started.
    pub begun: Millis,
    /// What can be seen by looking.
    pub gauges: Gauges,
    /// Rates and totals of days.
    pub traffic: Traffic,
    /// Stored since the start, by producers of both dialects.
    pub stored: Flow,
    /// Producers' requests that were refused since the start.
    pub refused: u64,
    /// Store time of the oldest message, ms; `None` without messages.
    pub earliest_store_time: Option<i64>,
}

impl Broker {
    /// Looks at everything that the runtime table holds. Reads the oldest frame.
    #[must_use]
    pub fn runtime(&self, now: Millis) -> Runtime {
        let (native, kafka) = (self.totals(Dialect::Native), self.totals(Dialect::Kafka));
        let refused = native.sends_refused.iter().chain(&kafka.sends_refused).sum();
        Runtime {
            begun: self.statistics_begun(),
            gauges: self.gauges(),
            traffic: self.traffic(now),
            stored: native.stored.with(kafka.stored),
            refused,
            earliest_store_time: self.oldest_store_time(),
        }
    }

    /// Store time of the oldest message, ms; `None` without messages. Reads one frame.
    #[must_use]
    pub fn oldest_store_time(&self) -> Option<i64> {
        let mut time = None;
        let oldest = self.store.visit(self.store.watermarks().min, &mut |frame| {
            time = Some(frame.store_timestamp());
            ControlFlow::Break(())
        });
        oldest.ok().and(time)
    }

    /// Deletes log files that are older than they have to be kept, whatever the hour; says how many went. Blocks.
    ///
    /// # Errors
    /// A disk that fails.
    pub fn delete_expired_files(&self) -> Result<usize, CloseError> {
        let deleted = self.store.delete_expired()?;
        info!(deleted, "CommitLog files deleted by order of an administrator");
        Ok(deleted)
    }

    /// Removes the queues of topics that are not in the table any more; says how many topics they were of. Blocks.
    ///
    /// # Errors
    /// A disk that fails.
    pub fn clean_unused_topics(&self) -> Result<usize, CloseError> {
        let queues = self.store.queues();
        let stored: BTreeSet<&str> = queues.iter().map(|queue| queue.topic()).collect();
        // The lock keeps a topic of the same name from being made meanwhile.
        let state = self.topics.state();
        let is_unused =
            |topic: &&str| state.topics.find(topic).is_none() && !names::is_system(topic, self.own_names());
        let unused: Vec<_> = stored.into_iter().filter(is_unused).collect();
        unused.iter().try_for_each(|topic| self.store.remove_topic(topic))?;
        info!(topics = ?unused, "queues without a topic removed by order of an administrator");
        Ok(unused.len())
    }
}

#[cfg(test)]
mod tests {
    use crate::broker::BrokerSettings;
    use crate::broker::test_broker::TestBroker;

    #[test]
    fn the_runtime_knows_what_was_stored_and_since_when() {
        let test = TestBroker::open(BrokerSettings::default());
        let begun = test.broker.now();
        assert_eq!(test.broker.runtime(begun).earliest_store_time, None);
        test.pass(5_000);
        let sent = test.broker.now();
        test.send("t", b"body", b"").unwrap();
        test.pass(5_000);
        assert!(test.send("SELF_TEST_TOPIC", b"body", b"").is_err());
        let runtime = test.broker.runtime(test.broker.now());
        assert_eq!((runtime.begun, runtime.earliest_store_time), (begun, Some(sent.0)));
        assert_eq!((runtime.stored.messages, runtime.stored.bytes, runtime.refused), (1, 4, 1));
    }

    #[test]
    fn only_queues_without_a_topic_are_unused() {
        let test = TestBroker::open(BrokerSettings::default());
        test.send("kept", b"body", b"").unwrap();
        test.send("lost", b"body", b"").unwrap();
        assert_eq!(test.broker.clean_unused_topics().unwrap(), 0);
        // What a crash between the table and the queues leaves behind.
        let mut state = test.broker.topics.state();
        state.topics.remove(test.broker.now(), "lost");
        drop(state);
        assert_eq!(test.broker.clean_unused_topics().unwrap(), 1);
        let left: Vec<_> = test.broker.store.queues().iter().map(|queue| queue.topic().to_owned()).collect();
        assert_eq!(left, ["kept"]);
    }

    #[test]
    fn nothing_that_is_young_is_deleted_as_expired() {
        let test = TestBroker::open(BrokerSettings::default());
        test.send("t", b"body", b"").unwrap();
        assert_eq!(test.broker.delete_expired_files().unwrap(), 0);
        assert_eq!(test.broker.queue_bounds("t", 0).start, 0);
    }
}
