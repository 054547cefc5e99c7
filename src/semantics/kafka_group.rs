//! One classic Kafka group: who is a member, which generation, which state.
//!
//! ```text
//! Empty ──join──▶ PreparingRebalance ──all joined or time-out──▶ CompletingRebalance ──leader syncs──▶ Stable
//!   ▲                   │      ▲                                        │                               │
//!   └──nobody is left───┘      └───── join, leave, expiry, sync expiry ─┴───────────────────────────────┘
//! any ──dissolve──▶ Dead
//! ```
//!
//! Not here: offsets ([`super::offsets`]), the table of groups and their dialect ([`super::groups`]), the
//! assignment itself (the leader computes it). KIP-848 groups are another machine.
//! Every request is answered exactly once, also one that a repeated request replaces: answers of a Kafka
//! connection leave in order, so an abandoned one would hold all later ones.
//!
//! Source: Kafka 4.1 `GroupMetadataManager`, `ClassicGroup`; KIP-62 (rebalance time-out), KIP-134 (initial
//! delay), KIP-345 and KIP-814 (static members), KIP-394 (member id required).

mod commit;
mod describe;
mod event;
mod join;
mod leave;
mod member;
mod rebalance;
mod sync;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use indexmap::{IndexMap, IndexSet};

use super::Millis;
pub use commit::Commit;
pub use describe::{Description, MemberDescription};
pub use event::{
    Caller, Effect, Event, GroupError, Join, Joined, JoinedMember, Leaver, Outcome, ReplyTo, Sync,
};
use member::Member;

/// Id of a member, chosen by the broker.
pub type MemberId = Arc<str>;

/// How long a member that was admitted without a known id may stay silent: its client cannot heartbeat yet.
const NEW_MEMBER_JOIN_TIMEOUT_MS: i64 = 5 * 60 * 1000;

/// Settings of all groups, in the words of Kafka's `group.*` keys.
#[derive(Clone, Copy, Debug)]
pub struct GroupConfig {
    /// `group.min.session.timeout.ms`.
    pub min_session_timeout_ms: i64,
    /// `group.max.session.timeout.ms`.
    pub max_session_timeout_ms: i64,
    /// `group.initial.rebalance.delay.ms`: how long an empty group waits for more members, and again while some come.
    /// Kafka waits 3 s. Two members that start together need about 50 ms on a busy machine (librdkafka's tests 0102 and
    /// 0113 fail at 40); this is twice that.
    pub initial_rebalance_delay_ms: i64,
    /// `group.max.size`: members a group may have.
    pub max_size: usize,
}

impl Default for GroupConfig {
    fn default() -> Self {
        Self {
            min_session_timeout_ms: 6_000,
            max_session_timeout_ms: 1_800_000,
            initial_rebalance_delay_ms: 100,
            max_size: i32::MAX as usize,
        }
    }
}

/// Where a group is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// No member; offsets may exist.
    Empty,
    /// Members are asked to join again.
    PreparingRebalance,
    /// The generation is fixed; the leader's assignment is awaited.
    CompletingRebalance,
    /// Every member can have its assignment.
    Stable,
    /// The group is gone.
    Dead,
}

impl State {
    /// The name that Kafka's admin answers carry.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
            Self::Dead => "Dead",
        }
    }
}

/// When the joining of members ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum JoinDeadline {
    /// No rebalance is being prepared.
    None,
    /// The initial delay of a group that was empty: extended while members arrive.
    Initial { at: Millis, delay_ms: i64, remaining_ms: i64, member_added: bool },
    /// The rebalance time-out.
    Rebalance { at: Millis },
}

impl JoinDeadline {
    const fn at(self) -> Option<Millis> {
        match self {
            Self::None => None,
            Self::Initial { at, .. } | Self::Rebalance { at } => Some(at),
        }
    }
}

/// One classic Kafka group.
#[derive(Debug)]
pub struct Group {
    config: GroupConfig,
    state: State,
    generation: i32,
    protocol_type: Option<Arc<str>>,
    protocol_name: Option<Arc<str>>,
    leader: Option<MemberId>,
    /// In the order they came: the first is the leader while it stays.
    members: IndexMap<MemberId, Member>,
    /// Instance id of each static member to its current member id.
    instances: HashMap<Arc<str>, MemberId>,
    /// Ids handed out with MEMBER_ID_REQUIRED, and until when they may be used.
    pending: IndexMap<MemberId, Millis>,
    /// Members of this generation that did not sync yet.
    awaited_syncs: IndexSet<MemberId>,
    sync_deadline: Option<Millis>,
    join_deadline: JoinDeadline,
    armed: Option<Millis>,
}

impl Group {
    /// An empty group, generation 0.
    pub fn new(config: GroupConfig) -> Self {
        Self {
            config,
            state: State::Empty,
            generation: 0,
            protocol_type: None,
            protocol_name: None,
            leader: None,
            members: IndexMap::new(),
            instances: HashMap::new(),
            pending: IndexMap::new(),
            awaited_syncs: IndexSet::new(),
            sync_deadline: None,
            join_deadline: JoinDeadline::None,
            armed: None,
        }
    }

    /// Applies one event at `now`. Never fails: a refusal is an [`Effect::Reply`].
    ///
    /// A [`Effect::WakeAt`] follows when the wish to be woken changed. A heartbeat alone never changes it: the
    /// deadline moves later, and the wake-up that comes too early finds nothing to do and asks again.
    pub fn step(&mut self, now: Millis, event: Event, out: &mut Vec<Effect>) {
        let only_later = matches!(event, Event::Heartbeat { .. });
        self.apply(now, event, out);
        if only_later {
            return;
        }
        let next = self.next_deadline();
        if next != self.armed {
            out.extend(next.map(Effect::WakeAt));
            self.armed = next;
        }
    }

    /// Like [`Group::step`], without the wish to be woken.
    pub(super) fn apply(&mut self, now: Millis, event: Event, out: &mut Vec<Effect>) {
        match event {
            Event::Join { join, reply } => self.join(now, *join, reply, out),
            Event::Sync { sync, reply } => self.sync(now, sync, reply, out),
            Event::Heartbeat { caller, reply } => {
                let outcome = match self.heartbeat(now, &caller) {
                    Ok(()) => Outcome::Alive,
                    Err(error) => Outcome::refused(error),
                };
                out.push(Effect::Reply(reply, outcome));
            }
            Event::Leave { leavers, reply } => self.leave(now, leavers, reply, out),
            Event::Expel => self.expel(now, out),
            Event::Dissolve => self.dissolve(out),
            Event::Tick => self.expire(now, out),
        }
        debug_assert_eq!(self.invariants(), Ok(()));
    }

    /// The earliest time at which [`Event::Tick`] has something to do.
    pub fn next_deadline(&self) -> Option<Millis> {
        let members = self.members.values().filter_map(Member::deadline);
        let pending = self.pending.values().copied();
        let phases = [self.join_deadline.at(), self.sync_deadline].into_iter().flatten();
        members.chain(pending).chain(phases).min()
    }

    /// Where the group is in its life.
    pub const fn state(&self) -> State {
        self.state
    }

    /// The current generation.
    pub const fn generation(&self) -> i32 {
        self.generation
    }

    /// Whether somebody is in the group, or was given an id and may come.
    pub fn is_occupied(&self) -> bool {
        !self.members.is_empty() || !self.pending.is_empty()
    }

    /// A heartbeat during a rebalance still renews the session, then tells the member to join again.
    fn heartbeat(&mut self, now: Millis, caller: &Caller) -> Result<(), GroupError> {
        self.admit(caller)?;
        self.renew(now, &caller.member_id);
        match self.state {
            State::PreparingRebalance => Err(GroupError::RebalanceInProgress),
            State::CompletingRebalance | State::Stable => Ok(()),
            State::Empty | State::Dead => Err(GroupError::UnknownMemberId),
        }
    }

    /// Checks group, instance, member and generation, in Kafka's order.
    fn admit(&self, caller: &Caller) -> Result<(), GroupError> {
        if self.state == State::Dead {
            return Err(GroupError::CoordinatorNotAvailable);
        }
        self.check_member(&caller.member_id, caller.instance_id.as_deref())?;
        if caller.generation == self.generation { Ok(()) } else { Err(GroupError::IllegalGeneration) }
    }

    fn check_member(&self, member_id: &str, instance_id: Option<&str>) -> Result<(), GroupError> {
        if let Some(instance_id) = instance_id {
            let current = self.instances.get(instance_id).ok_or(GroupError::UnknownMemberId)?;
            if &**current != member_id {
                return Err(GroupError::FencedInstanceId);
            }
        }
        if self.members.contains_key(member_id) { Ok(()) } else { Err(GroupError::UnknownMemberId) }
    }

    fn renew(&mut self, now: Millis, member_id: &str) {
        if let Some(member) = self.members.get_mut(member_id) {
            member.renew(now);
        }
    }

    fn is_leader(&self, member_id: &str) -> bool {
        self.leader.as_deref() == Some(member_id)
    }

    /// What must hold after every event; the error is the sentence that does not.
    pub fn invariants(&self) -> Result<(), &'static str> {
        let rules = [
            (
                self.leader.as_ref().is_none_or(|leader| self.members.contains_key(leader)),
                "the leader is a member",
            ),
            (self.leader.is_some() != self.members.is_empty(), "a group with members has a leader"),
            (self.pending.keys().all(|id| !self.members.contains_key(id)), "a pending id is not a member"),
            (
                self.awaited_syncs.iter().all(|id| self.members.contains_key(id)),
                "only members are awaited to sync",
            ),
            (
                self.instances.values().all(|id| self.members.contains_key(id)),
                "an instance id names a member",
            ),
            (
                self.members.values().filter(|m| m.instance_id.is_some()).count() == self.instances.len(),
                "every static member is named by its instance id",
            ),
            (
                (self.join_deadline != JoinDeadline::None) == (self.state == State::PreparingRebalance),
                "exactly a rebalance in preparation has a join deadline",
            ),
            (
                self.state == State::PreparingRebalance || self.members.values().all(|m| m.join.is_none()),
                "joins wait only while a rebalance is prepared",
            ),
            (
                self.state == State::CompletingRebalance || self.members.values().all(|m| m.sync.is_none()),
                "syncs wait only for the leader's assignment",
            ),
            (
                !matches!(self.state, State::Empty | State::Dead) || self.members.is_empty(),
                "an empty or dead group has no members",
            ),
            (
                !matches!(self.state, State::CompletingRebalance | State::Stable) || !self.members.is_empty(),
                "a generation has members",
            ),
            (
                self.sync_deadline.is_none() || !self.awaited_syncs.is_empty(),
                "a sync deadline waits for somebody",
            ),
        ];
        rules.iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, rule)| Err(*rule))
    }
}
