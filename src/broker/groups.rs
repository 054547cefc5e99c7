//! Kafka groups: hands requests to the group machine and performs what it decides.
//!
//! An answer goes to the mailbox of the connection that waits for it. One lock over all groups: a step takes
//! microseconds and blocks on nothing.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use slab::Slab;

use super::Broker;
use super::group_admin::{GroupListing, topics_of};
use super::mailbox::{Mailbox, Signal, Token};
use crate::semantics::groups::{Groups, HeldBy, RemoveError};
use crate::semantics::kafka_group::{
    Caller, Commit, Description, Effect, Event, GroupConfig, GroupError, ReplyTo,
};
use crate::semantics::{Dialect, Millis};

/// The group table, who waits for its answers, and whom to wake for an earlier deadline.
#[derive(Debug)]
pub(super) struct GroupDesk {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    groups: Groups,
    waiting: Slab<(Arc<Mailbox>, Token)>,
    effects: Vec<Effect>,
    timer: Option<Waker>,
}

impl GroupDesk {
    pub(super) fn new(config: GroupConfig) -> Self {
        let inner =
            Inner { groups: Groups::new(config), waiting: Slab::new(), effects: Vec::new(), timer: None };
        Self { inner: Mutex::new(inner) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets deadlines act; gives the next one and remembers whom to wake for an earlier one.
    pub(super) fn tick(&self, now: Millis, timer: &Waker) -> Option<Millis> {
        let mut inner = self.lock();
        let mut effects = std::mem::take(&mut inner.effects);
        inner.groups.tick(now, &mut effects);
        inner.perform(effects);
        inner.timer = Some(timer.clone());
        inner.groups.next_deadline()
    }

    /// A native client is a live member of `group`, or wants to be.
    pub(super) fn claim_native(&self, group: &str) -> Result<(), HeldBy> {
        self.lock().groups.claim(group, Dialect::Native)
    }

    /// Which dialect has live members in `group`.
    pub(super) fn holder(&self, group: &str) -> Option<Dialect> {
        self.lock().groups.holder(group)
    }

    /// Names of the groups that live members of `dialect` hold.
    pub(super) fn names(&self, dialect: Dialect) -> Vec<Arc<str>> {
        let inner = self.lock();
        let held = inner.groups.holders().filter(|(_, holder)| *holder == dialect);
        held.map(|(name, _)| Arc::clone(name)).collect()
    }

    /// Every group that Kafka members are in or were in.
    pub(super) fn list(&self) -> Vec<GroupListing> {
        let inner = self.lock();
        let listed = inner.groups.list().map(|(name, state, protocol_type)| GroupListing {
            name: name.into(),
            state,
            protocol_type: protocol_type.into(),
        });
        listed.collect()
    }

    /// The group as its Kafka members made it; `None` when it never had any.
    pub(super) fn describe(&self, group: &str) -> Option<Description> {
        self.lock().groups.describe(group)
    }

    /// Kafka names of the topics that the group's Kafka members subscribe; `None` when nobody knows which.
    pub(super) fn subscribed(&self, group: &str) -> Option<HashSet<String>> {
        topics_of(self.lock().groups.kafka_group(group)?.chosen_metadata()?)
    }

    /// Forgets groups without members of which `keep` is false.
    pub(super) fn retire(&self, keep: impl FnMut(&str) -> bool) {
        self.lock().groups.retire(keep);
    }

    /// Forgets a group without members.
    pub(super) fn remove(&self, group: &str) -> Result<(), RemoveError> {
        self.lock().groups.remove(group)
    }

    /// The last native client of `group` went.
    pub(super) fn release_native(&self, group: &str) {
        self.lock().groups.release(group, Dialect::Native);
    }
}

impl Inner {
    fn perform(&mut self, mut effects: Vec<Effect>) {
        for effect in effects.drain(..) {
            match effect {
                Effect::Reply(ReplyTo(slot), outcome) => {
                    let slot = usize::try_from(slot).ok().and_then(|slot| self.waiting.try_remove(slot));
                    if let Some((mailbox, token)) = slot {
                        mailbox.post(Signal::Group(token, outcome));
                    }
                }
                Effect::WakeAt(_) => {
                    if let Some(timer) = self.timer.take() {
                        timer.wake();
                    }
                }
            }
        }
        self.effects = effects;
    }
}

impl Broker {
    /// Puts a request to the group; the answer comes to `mailbox` as `Signal::Group(token, …)`, exactly once.
    pub fn ask_group(
        &self,
        group: &str,
        mailbox: &Arc<Mailbox>,
        token: Token,
        now: Millis,
        event: impl FnOnce(ReplyTo) -> Event,
    ) {
        let mut inner = self.groups.lock();
        let slot = inner.waiting.insert((Arc::clone(mailbox), token));
        let mut effects = std::mem::take(&mut inner.effects);
        inner.groups.step(now, group, event(ReplyTo(slot as u64)), &mut effects);
        inner.perform(effects);
    }

    /// Whether this Kafka client may commit offsets for the group; counts as its heartbeat.
    ///
    /// # Errors
    /// What every partition of the commit is answered with.
    pub fn validate_kafka_commit(
        &self,
        group: &str,
        member: &str,
        instance: Option<&str>,
        generation: i32,
        now: Millis,
    ) -> Result<(), GroupError> {
        let caller = Caller { member_id: member.into(), instance_id: instance.map(Into::into), generation };
        self.groups.lock().groups.validate_commit(now, group, &Commit { caller, is_transactional: false })
    }
}
