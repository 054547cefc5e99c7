//! Forgets what nobody needs of Kafka groups: offsets past their retention, and groups that left nothing behind.

use std::sync::PoisonError;

use tracing::{info, warn};

use super::Broker;
use super::group_admin::DeleteError;

impl Broker {
    /// Looks where it is time to. Called with every round of state files; blocks for the journal only.
    pub(super) fn expire_offsets(&self) {
        let now = self.now();
        let mut expiry = self.offset_expiry.lock().unwrap_or_else(PoisonError::into_inner);
        if !expiry.is_due(now) {
            return;
        }
        let expired = self.with_offsets(|offsets| {
            expiry.expired(now, offsets, |group| self.groups.holder(group).is_some())
        });
        drop(expiry);
        for group in expired {
            // Deleted like by an administrator: a member that came meanwhile keeps it.
            match self.delete_group(&group, now) {
                Ok(()) => {
                    info!(group, "offsets expired: nobody was in the group for offsets.retention.minutes")
                }
                Err(DeleteError::NonEmpty(_)) => {}
                Err(error) => warn!(group, %error, "offsets past their retention stay for now"),
            }
        }
        let kept = self.committed_groups();
        self.groups.retire(|group| kept.contains(group));
    }
}

#[cfg(test)]
mod tests {
    use crate::broker::BrokerSettings;
    use crate::broker::offsets::KafkaCommit;
    use crate::broker::test_broker::TestBroker;
    use crate::semantics::offset_expiry::ExpiryConfig;

    #[test]
    fn offsets_of_an_empty_kafka_group_go_and_native_ones_stay() {
        let offset_expiry = ExpiryConfig { retention_ms: 1_000, check_interval_ms: 100 };
        let test = TestBroker::open(BrokerSettings { offset_expiry, ..BrokerSettings::default() });
        test.create("k");
        let (topic, now) = (test.broker.topic("k").unwrap(), test.broker.now());
        let commit = KafkaCommit { partition: 0, offset: 0, leader_epoch: -1, metadata: "" };
        test.broker.commit_kafka_offset("kafka", &topic, &commit, now).unwrap();
        test.broker.commit_offset("native", "k", 0, 0, now).unwrap();
        let offsets = || ["kafka", "native"].map(|group| test.broker.committed_offset(group, "k", 0, false));
        test.pass(999);
        test.broker.expire_offsets();
        assert_eq!(offsets(), [Some(0), Some(0)]);
        test.pass(101);
        test.broker.expire_offsets();
        assert_eq!(offsets(), [None, Some(0)]);
    }
}
