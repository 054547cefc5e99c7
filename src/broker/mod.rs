//! The joint: owns the store and the machines, and offers verbs in broker words to the handlers of both dialects.
//!
//! A verb blocks for a write or a read at most, never for a flush, a client or a clock: what has to wait is
//! parked ([`park`]) or promised ([`durability`]). No protocol is spoken here, and no socket is known.

#[cfg(test)]
mod admin_tests;
pub mod alter_configs;
pub mod append;
pub mod client_calls;
pub mod clients;
pub mod config;
pub mod configs;
pub mod connections;
pub mod counters;
pub mod delete_records;
pub mod durability;
pub mod fetch_sessions;
pub mod gauges;
pub mod group_admin;
mod group_files;
pub mod group_settings;
pub mod groups;
pub mod mailbox;
mod offset_expiry;
mod offset_record;
pub mod offsets;
pub mod park;
pub mod partition_growth;
pub mod partition_size;
pub mod persist;
pub mod produce;
mod producer_files;
pub mod progress;
pub mod pull;
pub mod query;
mod queue_locks;
pub mod read;
pub mod requests;
pub mod reset;
mod retention;
pub mod runtime;
pub mod send_back;
pub mod settings;
mod side_json;
mod start;
mod state_json;
pub mod statistics;
#[cfg(test)]
pub(crate) mod test_broker;
#[cfg(test)]
mod tests;
mod time_index;
pub mod topic;
pub mod topic_admin;
mod topic_files;
mod topic_news;
pub mod topic_traffic;
pub mod topics;
mod unique_ids;

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::thread::JoinHandle;

use gantry_store::{AppendError, Store};

use client_calls::CallDesk;
use clients::ClientDesk;
use config::ConfigDesk;
pub use configs::BrokerConfig;
use counters::Counters;
pub use durability::{Durability, DurabilityError, DurableWait};
use fetch_sessions::SessionDesk;
use group_settings::SettingsDesk;
use groups::GroupDesk;
use mailbox::{Mailbox, Token};
use offsets::Ledger;
use park::{Interest, Parked, QueueKey, WaitKey};
use persist::Persist;
use producer_files::ProducerDesk;
use queue_locks::LockDesk;
use requests::Requests;
use retention::RetentionClock;
pub use settings::{BrokerSettings, Identity, LiveSettings, PullSettings};
pub use start::{OpenBroker, StartError};
use statistics::Statistics;
pub use topic::Topic;
use topic_news::TopicNews;
use topics::TopicDesk;
use unique_ids::UniqueIds;

use crate::mapping::decoded_cache::DecodedCache;
use crate::semantics::Millis;
use crate::semantics::kafka_configs::EffectiveConfigs;
use crate::semantics::offset_expiry::OffsetExpiry;

/// The broker. Shared by all connections; every method may be called from any thread.
pub struct Broker {
    identity: Identity,
    settings: BrokerSettings,
    clock: Arc<dyn Fn() -> i64 + Send + Sync>,
    store: Store,
    topics: TopicDesk,
    topic_news: TopicNews,
    parked: Parked,
    persist: Arc<Persist>,
    persist_thread: Mutex<Option<JoinHandle<()>>>,
    ledger: Mutex<Ledger>,
    /// How many queues have a reset that no client took yet; spares pulls the ledger's lock.
    pending_resets: AtomicUsize,
    groups: GroupDesk,
    group_settings: SettingsDesk,
    locks: LockDesk,
    fetch_sessions: SessionDesk,
    offset_expiry: Mutex<OffsetExpiry>,
    clients: ClientDesk,
    calls: CallDesk,
    producers: ProducerDesk,
    decoded: Mutex<DecodedCache>,
    unique_ids: UniqueIds,
    counters: Counters,
    statistics: Statistics,
    requests: Requests,
    kafka_defaults: EffectiveConfigs,
    /// The settings that were read at start, as Kafka clients are told.
    configs: Vec<BrokerConfig>,
    config: ConfigDesk,
    retention: RetentionClock,
    log_dir: String,
    /// What the broker adds to the properties of every native message.
    send_properties: Vec<u8>,
}

impl std::fmt::Debug for Broker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Broker").field("identity", &self.identity).finish_non_exhaustive()
    }
}

impl Broker {
    /// The clock's time.
    #[must_use]
    pub fn now(&self) -> Millis {
        Millis((self.clock)())
    }

    /// Who the broker is.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// How it behaves.
    #[must_use]
    pub fn settings(&self) -> &BrokerSettings {
        &self.settings
    }

    /// Where the log is, as tools show it.
    #[must_use]
    pub fn log_dir(&self) -> &str {
        &self.log_dir
    }

    /// Host and port at which the client behind `mailbox` reaches the Kafka listener: what is configured, else
    /// the address that it dialled.
    #[must_use]
    pub fn kafka_address(&self, mailbox: &Mailbox) -> (String, u16) {
        match &self.identity.kafka_advertised {
            Some(advertised) => advertised.clone(),
            None => (mailbox.local().ip().to_string(), self.identity.kafka_port),
        }
    }

    /// Registers a wait for messages on `queues`; look at them again after this. Queues that do not exist yet are
    /// made, so that the wait has something to stand on; those that cannot be made are left out.
    pub fn park<'t>(
        &self,
        mailbox: &Arc<Mailbox>,
        token: Token,
        deadline: Millis,
        interest: Interest,
        queues: impl Iterator<Item = (&'t Topic, i32)>,
    ) -> WaitKey {
        let partitions: Vec<_> =
            queues.filter_map(|(topic, index)| self.partition(topic, index).ok()).collect();
        let queues = partitions.iter().map(|one| (QueueKey(one.queue.ordinal()), &one.watchers));
        self.parked.park(mailbox, token, deadline, interest, queues)
    }

    /// Calls a wait off.
    pub fn cancel_wait(&self, wait: WaitKey) {
        self.parked.cancel(wait);
    }

    /// Lets every deadline up to `now` act; gives the next one. `timer` is woken when an earlier one appears.
    pub fn tick(&self, now: Millis, timer: &Waker) -> Option<Millis> {
        let deadlines = [
            self.parked.expire(now, timer),
            self.groups.tick(now, timer),
            self.tick_clients(now, timer),
            Some(self.sample_statistics(now)),
            self.calls.tick(now, timer),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// How many requests wait.
    #[must_use]
    pub fn parked_requests(&self) -> usize {
        self.parked.len()
    }

    /// Why the store is lost for this process: a sync failed, so nothing may be acknowledged any more. The process
    /// has to end; the next start recovers.
    #[must_use]
    pub fn fatal_failure(&self) -> Option<String> {
        match self.store.is_writable() {
            Err(AppendError::Poisoned(poisoned)) => Some(poisoned.to_string()),
            Ok(()) | Err(_) => None,
        }
    }

    /// Why the broker should not get traffic now; empty when it should.
    #[must_use]
    pub fn unreadiness(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if let Err(error) = self.store.is_writable() {
            reasons.push(format!("the store takes no messages: {error}"));
        }
        for fence in self.store.fences().iter().filter(|fence| !fence.accepted) {
            let (begin, end) = (fence.begin, fence.end);
            reasons.push(format!(
                "the CommitLog is damaged from {begin} to {end}; restore it, or accept the loss"
            ));
        }
        reasons
    }
}
