//! Queue locks of orderly consumers; what they mean stands in `semantics::queue_lock`.
//!
//! A queue that does not exist is not granted, so that names from the wire take no memory.
//! Source: RocketMQ 5.3.3 `AdminBrokerProcessor.lockBatchMQ`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Broker;
use crate::limits;
use crate::semantics::Millis;
use crate::semantics::queue_lock::{LockedQueue, QueueLocks};

/// All locks, under one lock of ours.
#[derive(Debug)]
pub(super) struct LockDesk(Mutex<QueueLocks>);

impl Default for LockDesk {
    fn default() -> Self {
        Self(Mutex::new(QueueLocks::new(limits::QUEUE_LOCKS)))
    }
}

impl LockDesk {
    fn table(&self) -> MutexGuard<'_, QueueLocks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the group consumes in order now.
    pub(super) fn holds_any(&self, group: &str, now: Millis) -> bool {
        self.table().holds_any(now, group)
    }
}

impl Broker {
    /// Grants `client` those of the queues (topic as the client says it, queue id) that nobody else of the group
    /// holds; gives their places in `queues`.
    pub fn lock_queues(
        &self,
        group: &str,
        client: &Arc<str>,
        queues: &[(&str, i32)],
        now: Millis,
    ) -> Vec<usize> {
        let mut table = self.locks.table();
        let is_granted = |&(topic, queue): &(&str, i32)| {
            let Some(queue) = self.lockable(topic, queue) else { return false };
            !table.lock(now, group, client, vec![queue]).is_empty()
        };
        let mut is_granted = is_granted;
        queues.iter().enumerate().filter(|(_, queue)| is_granted(queue)).map(|(at, _)| at).collect()
    }

    /// `client` gives queues back.
    pub fn unlock_queues(&self, group: &str, client: &str, queues: &[(&str, i32)]) {
        let queues: Vec<_> =
            queues.iter().filter_map(|&(topic, queue)| self.lockable(topic, queue)).collect();
        self.locks.table().unlock(group, client, &queues);
    }

    fn lockable(&self, topic: &str, queue: i32) -> Option<LockedQueue> {
        let topic = self.topic(&self.resolve_native(topic))?;
        let name = || Arc::clone(&topic.config().name);
        (0..topic.partitions()).contains(&queue).then(|| LockedQueue { topic: name(), queue })
    }
}
