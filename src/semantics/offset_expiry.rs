//! Which committed offsets are too old to be kept: those of Kafka groups that nobody is in for long.
//!
//! Kafka's clients expect offsets of a group to vanish some days after its last member; RocketMQ's never do. So a group
//! expires only when Kafka clients made all of its commits, and only while it is empty. Its age counts from the last
//! time it was seen with members, else from its latest commit, which an active group makes all the time.
//! Source: KIP-211, Kafka 4.1 `OffsetExpirationConditionImpl`; that rule counts each offset of a group that never had
//! members by itself, this one the whole group.

use std::collections::HashMap;

use super::Millis;
use super::offsets::Offsets;

/// How long offsets are kept, and how often that is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpiryConfig {
    /// `offsets.retention.minutes`, as milliseconds.
    pub retention_ms: i64,
    /// `offsets.retention.check.interval.ms`.
    pub check_interval_ms: i64,
}

impl Default for ExpiryConfig {
    fn default() -> Self {
        Self { retention_ms: 7 * 24 * 3_600_000, check_interval_ms: 600_000 }
    }
}

/// When groups were seen with members, and when to look again.
#[derive(Debug)]
pub struct OffsetExpiry {
    config: ExpiryConfig,
    next: Millis,
    occupied: HashMap<String, Millis>,
}

impl OffsetExpiry {
    /// The first look comes one interval after `now`: members that rejoin after a start are there by then.
    pub fn new(config: ExpiryConfig, now: Millis) -> Self {
        Self { config, next: now.plus(config.check_interval_ms), occupied: HashMap::new() }
    }

    /// Whether it is time to look; if so, the next look is one interval later.
    pub fn is_due(&mut self, now: Millis) -> bool {
        let due = self.next <= now;
        if due {
            self.next = now.plus(self.config.check_interval_ms);
        }
        due
    }

    /// The groups whose offsets expire at `now`, in no order; `is_occupied` tells whether somebody is in a group.
    pub fn expired(
        &mut self,
        now: Millis,
        offsets: &Offsets,
        is_occupied: impl Fn(&str) -> bool,
    ) -> Vec<String> {
        self.occupied.retain(|group, _| offsets.of_group(group).next().is_some());
        let mut expired = Vec::new();
        for group in offsets.groups() {
            if is_occupied(group) {
                self.occupied.insert(group.to_owned(), now);
                continue;
            }
            let Some(latest) = offsets.latest_kafka_commit(group) else { continue };
            let alive = self.occupied.get(group).map_or(latest, |seen| latest.max(*seen));
            if self.config.retention_ms <= now.since(alive) {
                expired.push(group.to_owned());
            }
        }
        expired
    }
}

#[cfg(test)]
mod tests {
    use super::super::offsets::{KafkaFacts, OffsetKey};
    use super::*;

    const CONFIG: ExpiryConfig = ExpiryConfig { retention_ms: 1_000, check_interval_ms: 100 };

    fn commit(offsets: &mut Offsets, group: &str, queue: i32, now: i64) {
        let facts = KafkaFacts { leader_epoch: -1, metadata: "", commit_time: Millis(now) };
        offsets.commit_kafka(OffsetKey { group, topic: "t", queue }, 1, facts).unwrap();
    }

    #[test]
    fn a_group_expires_whole_after_its_latest_commit() {
        let (mut offsets, mut expiry) = (Offsets::default(), OffsetExpiry::new(CONFIG, Millis(0)));
        commit(&mut offsets, "g", 0, 0);
        commit(&mut offsets, "g", 1, 500);
        assert!(expiry.expired(Millis(1_499), &offsets, |_| false).is_empty());
        assert_eq!(expiry.expired(Millis(1_500), &offsets, |_| false), ["g"]);
    }

    #[test]
    fn members_keep_it_and_its_age_counts_from_the_last_one() {
        let (mut offsets, mut expiry) = (Offsets::default(), OffsetExpiry::new(CONFIG, Millis(0)));
        commit(&mut offsets, "g", 0, 0);
        assert!(expiry.expired(Millis(5_000), &offsets, |_| true).is_empty());
        assert!(expiry.expired(Millis(5_999), &offsets, |_| false).is_empty());
        assert_eq!(expiry.expired(Millis(6_000), &offsets, |_| false), ["g"]);
    }

    #[test]
    fn a_group_with_a_commit_of_a_native_client_never_expires() {
        let (mut offsets, mut expiry) = (Offsets::default(), OffsetExpiry::new(CONFIG, Millis(0)));
        commit(&mut offsets, "g", 0, 0);
        offsets.commit(Millis(0), OffsetKey { group: "g", topic: "t", queue: 1 }, 3).unwrap();
        assert!(expiry.expired(Millis(1_000_000), &offsets, |_| false).is_empty());
    }

    #[test]
    fn looks_once_an_interval() {
        let mut expiry = OffsetExpiry::new(CONFIG, Millis(0));
        assert_eq!([99, 100, 150, 200].map(|now| expiry.is_due(Millis(now))), [false, true, false, true]);
    }
}
