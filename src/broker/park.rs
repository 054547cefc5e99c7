//! Requests that wait: for the next append to a queue, or just for a point in time.
//!
//! A wait is 40 bytes in a slab, with one node per queue it watches on that queue's intrusive list; no task,
//! no channel, no timer of its own. An append looks at one atomic counter of its queue and takes the lock
//! only when somebody waits there. Deadlines stand in one ordered set; the server's single timer task asks
//! for the next one.
//!
//! Lost wake-ups are excluded by order: register here first, look at the queue's end after that, and only
//! then go to sleep (RocketMQ's 5 s sweep exists for want of this, apache/rocketmq#7358).

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use slab::Slab;

use super::mailbox::{Mailbox, Signal, Token};
use crate::filter::tag::TagFilter;
use crate::semantics::Millis;

/// Names a wait so that its owner can call it off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitKey(usize, u32);

/// What a wait watches for.
#[derive(Debug)]
pub struct Interest {
    /// Bytes that must arrive on the watched queues together before it is worth waking (Kafka `min_bytes`).
    pub min_bytes: i64,
    /// Wake only for messages whose tag hash may match (native pull).
    pub tags: Option<TagFilter>,
}

/// A queue's end of the bargain: how many waits stand on its list.
///
/// Its address identifies nothing; [`QueueKey`] does.
#[derive(Debug, Default)]
pub struct Watchers(AtomicU32);

impl Watchers {
    fn any(&self) -> bool {
        self.0.load(Ordering::SeqCst) > 0
    }
}

/// The store's ordinal of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct QueueKey(pub u32);

#[derive(Debug)]
struct Wait {
    generation: u32,
    token: Token,
    mailbox: Arc<Mailbox>,
    deadline: Millis,
    debt: i64,
    tags: Option<TagFilter>,
    first_node: Option<usize>,
}

#[derive(Debug)]
struct Node {
    wait: usize,
    queue: QueueKey,
    watchers: Arc<Watchers>,
    of_same_wait: Option<usize>,
    before: Option<usize>,
    after: Option<usize>,
}

#[derive(Debug, Default)]
struct Inner {
    waits: Slab<Wait>,
    nodes: Slab<Node>,
    heads: HashMap<QueueKey, usize>,
    deadlines: BTreeSet<(Millis, usize)>,
    generation: u32,
    timer: Option<Waker>,
}

/// All waits of the broker.
#[derive(Debug, Default)]
pub struct Parked {
    inner: Mutex<Inner>,
}

impl Parked {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a wait on `queues` (none: a plain alarm) until `deadline`; the mailbox then gets
    /// `Signal::Wake(token)` exactly once, unless it is called off before. Look at the queues again after this.
    pub fn park<'q>(
        &self,
        mailbox: &Arc<Mailbox>,
        token: Token,
        deadline: Millis,
        interest: Interest,
        queues: impl Iterator<Item = (QueueKey, &'q Arc<Watchers>)>,
    ) -> WaitKey {
        let mut inner = self.lock();
        inner.generation = inner.generation.wrapping_add(1);
        let generation = inner.generation;
        let wait = inner.waits.insert(Wait {
            generation,
            token,
            mailbox: Arc::clone(mailbox),
            deadline,
            debt: interest.min_bytes,
            tags: interest.tags,
            first_node: None,
        });
        for (queue, watchers) in queues {
            inner.link(wait, queue, watchers);
        }
        let earliest = inner.deadlines.first().is_none_or(|&(first, _)| deadline < first);
        inner.deadlines.insert((deadline, wait));
        if earliest && let Some(timer) = inner.timer.take() {
            timer.wake();
        }
        WaitKey(wait, generation)
    }

    /// Calls a wait off; false when it already fired (its signal is then on the way or delivered).
    pub fn cancel(&self, key: WaitKey) -> bool {
        let mut inner = self.lock();
        let live = inner.waits.get(key.0).is_some_and(|wait| wait.generation == key.1);
        live && inner.unlink_wait(key.0).is_some()
    }

    /// Tells the waits of `queue` that `bytes` arrived with these tag hashes (`None`: any). Cheap when nobody waits.
    pub fn arrived(
        &self,
        queue: QueueKey,
        watchers: &Watchers,
        bytes: i64,
        tags: impl Iterator<Item = Option<i64>> + Clone,
    ) {
        if !watchers.any() {
            return;
        }
        let mut inner = self.lock();
        let mut next = inner.heads.get(&queue).copied();
        while let Some(at) = next {
            let Some(node) = inner.nodes.get(at) else { return };
            next = node.after;
            let wait = node.wait;
            if inner.satisfied(wait, bytes, tags.clone()) {
                // Unlinking removes only nodes of this wait; a wait stands at most once on a queue's list.
                inner.fire(wait);
            }
        }
    }

    /// Fires every wait whose deadline is at or before `now`; gives the next deadline and remembers whom to
    /// wake when an earlier one is registered.
    pub fn expire(&self, now: Millis, timer: &Waker) -> Option<Millis> {
        let mut inner = self.lock();
        while let Some(&(deadline, wait)) = inner.deadlines.first() {
            if deadline > now {
                break;
            }
            inner.fire(wait);
        }
        inner.timer = Some(timer.clone());
        inner.deadlines.first().map(|&(deadline, _)| deadline)
    }

    /// How many requests wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().waits.len()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Inner {
    fn link(&mut self, wait: usize, queue: QueueKey, watchers: &Arc<Watchers>) {
        let after = self.heads.get(&queue).copied();
        let of_same_wait = self.waits.get(wait).and_then(|w| w.first_node);
        let node = self.nodes.insert(Node {
            wait,
            queue,
            watchers: Arc::clone(watchers),
            of_same_wait,
            before: None,
            after,
        });
        if let Some(after) = after.and_then(|at| self.nodes.get_mut(at)) {
            after.before = Some(node);
        }
        self.heads.insert(queue, node);
        if let Some(wait) = self.waits.get_mut(wait) {
            wait.first_node = Some(node);
        }
        watchers.0.fetch_add(1, Ordering::SeqCst);
    }

    fn satisfied(&mut self, wait: usize, bytes: i64, mut tags: impl Iterator<Item = Option<i64>>) -> bool {
        let Some(wait) = self.waits.get_mut(wait) else { return false };
        if let Some(filter) = &wait.tags
            && !tags.any(|code| code.is_none_or(|code| filter.matches_code(code)))
        {
            return false;
        }
        wait.debt -= bytes;
        wait.debt <= 0
    }

    fn fire(&mut self, wait: usize) {
        if let Some(wait) = self.unlink_wait(wait) {
            wait.mailbox.post(Signal::Wake(wait.token));
        }
    }

    fn unlink_wait(&mut self, key: usize) -> Option<Wait> {
        let wait = self.waits.try_remove(key)?;
        self.deadlines.remove(&(wait.deadline, key));
        let mut next = wait.first_node;
        while let Some(at) = next {
            next = self.unlink_node(at);
        }
        Some(wait)
    }

    fn unlink_node(&mut self, at: usize) -> Option<usize> {
        let node = self.nodes.try_remove(at)?;
        node.watchers.0.fetch_sub(1, Ordering::SeqCst);
        match node.before.and_then(|before| self.nodes.get_mut(before)) {
            Some(before) => before.after = node.after,
            None => match node.after {
                Some(after) => {
                    self.heads.insert(node.queue, after);
                }
                None => {
                    self.heads.remove(&node.queue);
                }
            },
        }
        if let Some(after) = node.after.and_then(|after| self.nodes.get_mut(after)) {
            after.before = node.before;
        }
        node.of_same_wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mailbox() -> Arc<Mailbox> {
        let here = "127.0.0.1:1".parse().unwrap();
        Mailbox::new(here, here)
    }

    fn woken(mailbox: &Mailbox) -> Vec<u32> {
        let mut signals = Vec::new();
        mailbox.drain(Waker::noop(), &mut signals);
        signals
            .into_iter()
            .map(|s| if let Signal::Wake(Token(t)) = s { t } else { panic!("{s:?}") })
            .collect()
    }

    fn bytes(min_bytes: i64) -> Interest {
        Interest { min_bytes, tags: None }
    }

    #[test]
    fn an_append_wakes_exactly_the_waits_of_its_queue() {
        let (parked, mailbox) = (Parked::default(), mailbox());
        let (one, two) = (Arc::new(Watchers::default()), Arc::new(Watchers::default()));
        parked.park(&mailbox, Token(1), Millis(50), bytes(1), [(QueueKey(1), &one)].into_iter());
        parked.park(&mailbox, Token(2), Millis(50), bytes(1), [(QueueKey(2), &two)].into_iter());
        parked.park(
            &mailbox,
            Token(3),
            Millis(50),
            bytes(1),
            [(QueueKey(1), &one), (QueueKey(2), &two)].into_iter(),
        );
        parked.arrived(QueueKey(1), &one, 10, [Some(0)].into_iter());
        let mut got = woken(&mailbox);
        got.sort_unstable();
        assert_eq!(got, [1, 3]);
        parked.arrived(QueueKey(2), &two, 10, [Some(0)].into_iter());
        assert_eq!(woken(&mailbox), [2]);
        assert!(parked.is_empty() && !one.any() && !two.any());
    }

    #[test]
    fn a_wait_for_bytes_wakes_when_its_debt_is_paid() {
        let (parked, mailbox, queue) = (Parked::default(), mailbox(), Arc::new(Watchers::default()));
        parked.park(&mailbox, Token(1), Millis(50), bytes(100), [(QueueKey(1), &queue)].into_iter());
        parked.arrived(QueueKey(1), &queue, 60, [Some(0)].into_iter());
        assert!(woken(&mailbox).is_empty());
        parked.arrived(QueueKey(1), &queue, 60, [Some(0)].into_iter());
        assert_eq!(woken(&mailbox), [1]);
    }

    #[test]
    fn deadlines_fire_in_order_and_name_the_next_one() {
        let (parked, mailbox) = (Parked::default(), mailbox());
        parked.park(&mailbox, Token(1), Millis(30), bytes(1), [].into_iter());
        parked.park(&mailbox, Token(2), Millis(10), bytes(1), [].into_iter());
        assert_eq!(parked.expire(Millis(9), Waker::noop()), Some(Millis(10)));
        assert_eq!(parked.expire(Millis(10), Waker::noop()), Some(Millis(30)));
        assert_eq!(woken(&mailbox), [2]);
        assert_eq!(parked.expire(Millis(99), Waker::noop()), None);
        assert_eq!(woken(&mailbox), [1]);
    }

    #[test]
    fn a_cancelled_wait_never_fires_and_its_key_is_not_mistaken_for_a_later_one() {
        let (parked, mailbox, queue) = (Parked::default(), mailbox(), Arc::new(Watchers::default()));
        let first = parked.park(&mailbox, Token(1), Millis(9), bytes(1), [(QueueKey(1), &queue)].into_iter());
        assert!(parked.cancel(first));
        parked.park(&mailbox, Token(2), Millis(9), bytes(1), [(QueueKey(1), &queue)].into_iter());
        assert!(!parked.cancel(first));
        parked.arrived(QueueKey(1), &queue, 1, [Some(0)].into_iter());
        assert_eq!(woken(&mailbox), [2]);
    }
}
