//! Queue locks of orderly consumers: which client of a group may consume a queue now.
//!
//! A lock is renewed by asking for it again (clients do so every 20 seconds) and is free for others once it was
//! not renewed for a minute. A client that went without giving its locks back keeps them that long: messages it
//! still works on must not be handed to another one meanwhile.
//! Not here: whether group and queue exist; the caller asks for queues that are there.
//!
//! Source: RocketMQ 5.3.3 `broker/client/rebalance/RebalanceLockManager.java`.

use std::collections::HashMap;
use std::sync::Arc;

use super::Millis;

/// A lock that was not renewed for so long is free.
pub const LOCK_EXPIRY_MS: i64 = 60_000;

/// A queue of a topic.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LockedQueue {
    /// The topic.
    pub topic: Arc<str>,
    /// The queue.
    pub queue: i32,
}

#[derive(Debug)]
struct Lock {
    client: Arc<str>,
    renewed: Millis,
}

impl Lock {
    fn is_expired(&self, now: Millis) -> bool {
        now.since(self.renewed) > LOCK_EXPIRY_MS
    }
}

/// The locks of all groups.
#[derive(Debug)]
pub struct QueueLocks {
    groups: HashMap<Arc<str>, HashMap<LockedQueue, Lock>>,
    /// Locks in all groups.
    count: usize,
    max: usize,
    swept: Millis,
}

impl QueueLocks {
    /// No locks; at most `max` at a time, above which none is granted.
    pub fn new(max: usize) -> Self {
        Self { groups: HashMap::new(), count: 0, max, swept: Millis(0) }
    }

    /// Grants `client` those of `queues` that nobody else holds, and renews those it has; gives the granted ones.
    pub fn lock(
        &mut self,
        now: Millis,
        group: &str,
        client: &Arc<str>,
        queues: Vec<LockedQueue>,
    ) -> Vec<LockedQueue> {
        self.sweep(now);
        queues.into_iter().filter(|queue| self.lock_one(now, group, client, queue)).collect()
    }

    /// `client` gives locks back; those of others stay.
    pub fn unlock(&mut self, group: &str, client: &str, queues: &[LockedQueue]) {
        let Some(locks) = self.groups.get_mut(group) else { return };
        for queue in queues {
            if locks.get(queue).is_some_and(|lock| *lock.client == *client) {
                locks.remove(queue);
                self.count -= 1;
            }
        }
        if locks.is_empty() {
            self.groups.remove(group);
        }
    }

    /// Whether anybody of the group holds a queue: the group consumes in order.
    pub fn holds_any(&self, now: Millis, group: &str) -> bool {
        self.groups.get(group).is_some_and(|locks| locks.values().any(|lock| !lock.is_expired(now)))
    }

    fn lock_one(&mut self, now: Millis, group: &str, client: &Arc<str>, queue: &LockedQueue) -> bool {
        if let Some(lock) = self.groups.get_mut(group).and_then(|locks| locks.get_mut(queue)) {
            if *lock.client != **client && !lock.is_expired(now) {
                return false;
            }
            *lock = Lock { client: Arc::clone(client), renewed: now };
            return true;
        }
        if self.count >= self.max {
            return false;
        }
        let locks = match self.groups.get_mut(group) {
            Some(locks) => locks,
            None => self.groups.entry(Arc::from(group)).or_default(),
        };
        locks.insert(queue.clone(), Lock { client: Arc::clone(client), renewed: now });
        self.count += 1;
        true
    }

    /// Forgets what expired; at most once in the life of a lock, so that the cost is spread.
    fn sweep(&mut self, now: Millis) {
        if now.since(self.swept) < LOCK_EXPIRY_MS {
            return;
        }
        self.swept = now;
        for locks in self.groups.values_mut() {
            locks.retain(|_, lock| !lock.is_expired(now));
        }
        self.groups.retain(|_, locks| !locks.is_empty());
        self.count = self.groups.values().map(HashMap::len).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queues(ids: &[i32]) -> Vec<LockedQueue> {
        ids.iter().map(|&queue| LockedQueue { topic: "t".into(), queue }).collect()
    }

    fn lock(locks: &mut QueueLocks, now: i64, client: &str, ids: &[i32]) -> Vec<i32> {
        let granted = locks.lock(Millis(now), "g", &client.into(), queues(ids));
        granted.into_iter().map(|queue| queue.queue).collect()
    }

    #[test]
    fn a_queue_has_one_holder_until_it_gives_it_back() {
        let mut locks = QueueLocks::new(10);
        assert_eq!(lock(&mut locks, 0, "a", &[0, 1]), [0, 1]);
        assert_eq!(lock(&mut locks, 1, "b", &[0, 1, 2]), [2]);
        assert_eq!(lock(&mut locks, 2, "a", &[0]), [0]);
        locks.unlock("g", "b", &queues(&[0]));
        assert!(lock(&mut locks, 3, "b", &[0]).is_empty());
        locks.unlock("g", "a", &queues(&[0]));
        assert_eq!(lock(&mut locks, 4, "b", &[0]), [0]);
    }

    #[test]
    fn groups_do_not_see_each_other() {
        let mut locks = QueueLocks::new(10);
        assert_eq!(lock(&mut locks, 0, "a", &[0]), [0]);
        assert_eq!(locks.lock(Millis(0), "h", &"b".into(), queues(&[0])).len(), 1);
    }

    #[test]
    fn a_lock_that_is_not_renewed_for_a_minute_is_free() {
        let mut locks = QueueLocks::new(10);
        lock(&mut locks, 0, "a", &[0, 1]);
        assert_eq!(lock(&mut locks, 30_000, "a", &[0]), [0]);
        assert!(lock(&mut locks, 60_000, "b", &[0, 1]).is_empty());
        assert_eq!(lock(&mut locks, 60_001, "b", &[0, 1]), [1]);
        assert!(locks.holds_any(Millis(60_001), "g"));
        assert!(!locks.holds_any(Millis(200_000), "g"));
    }

    #[test]
    fn above_the_bound_nothing_is_granted_until_locks_expire() {
        let mut locks = QueueLocks::new(2);
        assert_eq!(lock(&mut locks, 100_000, "a", &[0, 1, 2]), [0, 1]);
        assert!(lock(&mut locks, 100_001, "a", &[2]).is_empty());
        assert_eq!(lock(&mut locks, 200_000, "a", &[2]), [2]);
        locks.unlock("g", "a", &queues(&[2]));
        assert_eq!(lock(&mut locks, 200_001, "b", &[5, 6, 7]), [5, 6]);
    }
}
