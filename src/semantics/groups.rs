//! All consumer groups by name: which dialect holds each, the classic Kafka groups, their deadlines.
//!
//! A group has one membership mode at a time: native clients allocate queues themselves, Kafka members are
//! assigned by their leader, and neither can see the other. The first live member sets the mode, the last one
//! that goes clears it. Broadcasting native clients and Kafka clients without group management never claim.
//!
//! Not here: the live native clients ([`super::subscriptions`]) and the offsets ([`super::offsets`]); a group
//! that only has offsets is no entry of this table.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::kafka_group::{
    Commit, Description, Effect, Event, Group, GroupConfig, GroupError, Outcome, ReplyTo, State,
};
use super::{Dialect, Millis};

/// The other dialect has live members in the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("live {dialect:?} clients hold the group; stop them, or use another group name")]
pub struct HeldBy {
    /// Who holds the group.
    pub dialect: Dialect,
}

/// Why a group cannot be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemoveError {
    /// Live members of this dialect are in it.
    #[error("the group has live {dialect:?} members; stop them first")]
    NonEmpty {
        /// Whose members.
        dialect: Dialect,
    },
    /// The table has no such group; it may still have offsets.
    #[error("the group has no members and never had Kafka members")]
    NotFound,
}

#[derive(Debug, Default)]
struct Entry {
    holder: Option<Dialect>,
    group: Option<Group>,
    armed: Option<Millis>,
}

/// The table of groups.
#[derive(Debug)]
pub struct Groups {
    config: GroupConfig,
    entries: HashMap<Arc<str>, Entry>,
    /// The armed deadline of each group that has one.
    deadlines: BTreeSet<(Millis, Arc<str>)>,
}

impl Groups {
    /// No groups yet.
    pub fn new(config: GroupConfig) -> Self {
        Self { config, entries: HashMap::new(), deadlines: BTreeSet::new() }
    }

    /// Which dialect has live members in the group.
    pub fn holder(&self, group: &str) -> Option<Dialect> {
        self.entries.get(group).and_then(|entry| entry.holder)
    }

    /// Every group with live members and which dialect they speak, in no order.
    pub fn holders(&self) -> impl Iterator<Item = (&Arc<str>, Dialect)> {
        self.entries.iter().filter_map(|(name, entry)| entry.holder.map(|holder| (name, holder)))
    }

    /// A live member of `dialect` comes, or is still there.
    ///
    /// # Errors
    /// [`HeldBy`] the other dialect.
    pub fn claim(&mut self, group: &str, dialect: Dialect) -> Result<(), HeldBy> {
        match self.holder(group) {
            Some(holder) if holder != dialect => Err(HeldBy { dialect: holder }),
            Some(_) => Ok(()),
            None => {
                self.entry(group).holder = Some(dialect);
                Ok(())
            }
        }
    }

    /// The last live member of `dialect` went. Nothing happens when the dialect does not hold the group.
    pub fn release(&mut self, group: &str, dialect: Dialect) {
        let Some(entry) = self.entries.get_mut(group).filter(|entry| entry.holder == Some(dialect)) else {
            return;
        };
        entry.holder = None;
        if entry.group.is_none() {
            self.entries.remove(group);
        }
    }

    /// Applies the request of a Kafka client, or an administrator's event, to one group.
    ///
    /// Answers come as effects; [`Effect::WakeAt`] asks for a [`Groups::tick`] when the earliest deadline of
    /// all groups changed.
    pub fn step(&mut self, now: Millis, group: &str, event: Event, out: &mut Vec<Effect>) {
        let before = self.next_deadline();
        if let Err((reply, error)) = self.admit(group, &event) {
            return out.push(Effect::Reply(reply, Outcome::refused(error)));
        }
        self.apply(now, group, event, out);
        self.wish(before, out);
    }

    /// Lets every deadline up to `now` act.
    pub fn tick(&mut self, now: Millis, out: &mut Vec<Effect>) {
        let before = self.next_deadline();
        while let Some((due, _)) = self.deadlines.first().filter(|(due, _)| *due <= now) {
            let due = *due;
            let Some((_, name)) = self.deadlines.pop_first() else { break };
            if let Some(entry) = self.entries.get_mut(&name) {
                entry.armed = None;
            }
            self.apply(now.max(due), &name, Event::Tick, out);
        }
        self.wish(before, out);
    }

    /// The earliest time at which [`Groups::tick`] has something to do; it may come early, never late.
    pub fn next_deadline(&self) -> Option<Millis> {
        self.deadlines.first().map(|(due, _)| *due)
    }

    /// Admits an offset commit of a Kafka client.
    ///
    /// # Errors
    /// [`GroupError::GroupIdNotFound`] when a member of a missing group commits (below version 9 the answer is
    /// ILLEGAL_GENERATION); else what [`Group::validate_commit`] refuses. A group that native clients hold is
    /// not empty, so nobody but its members may commit.
    pub fn validate_commit(&mut self, now: Millis, group: &str, commit: &Commit) -> Result<(), GroupError> {
        if group.is_empty() {
            return Err(GroupError::InvalidGroupId);
        }
        let entry = self.entries.get_mut(group);
        if entry.as_ref().is_some_and(|entry| entry.holder == Some(Dialect::Native)) {
            return Err(GroupError::UnknownMemberId);
        }
        match entry.and_then(|entry| entry.group.as_mut()) {
            Some(group) => group.validate_commit(now, commit),
            None if commit.caller.generation < 0 => Ok(()),
            None => Err(GroupError::GroupIdNotFound),
        }
    }

    /// The classic group of that name, if it ever had Kafka members.
    pub fn describe(&self, group: &str) -> Option<Description> {
        self.entries.get(group).and_then(|entry| entry.group.as_ref()).map(Group::describe)
    }

    /// The classic group of that name, if it ever had Kafka members.
    pub fn kafka_group(&self, group: &str) -> Option<&Group> {
        self.entries.get(group).and_then(|entry| entry.group.as_ref())
    }

    /// Name, state and protocol type of every classic group, in no order.
    pub fn list(&self) -> impl Iterator<Item = (&str, State, &str)> {
        self.entries.iter().filter_map(|(name, entry)| {
            entry.group.as_ref().map(|group| (&**name, group.state(), group.protocol_type()))
        })
    }

    /// Deletes a group without members.
    ///
    /// # Errors
    /// [`RemoveError`]: somebody is in it, or it is not there.
    pub fn remove(&mut self, group: &str) -> Result<(), RemoveError> {
        let entry = self.entries.get(group).ok_or(RemoveError::NotFound)?;
        if let Some(dialect) = entry.holder {
            return Err(RemoveError::NonEmpty { dialect });
        }
        self.forget(group);
        Ok(())
    }

    /// Forgets empty groups of which `keep` is false: groups without offsets.
    pub fn retire(&mut self, mut keep: impl FnMut(&str) -> bool) {
        let is_idle = |entry: &Entry| entry.holder.is_none();
        let names = self.entries.iter().filter(|(name, entry)| is_idle(entry) && !keep(name));
        for name in names.map(|(name, _)| Arc::clone(name)).collect::<Vec<_>>() {
            self.forget(&name);
        }
    }

    fn forget(&mut self, group: &str) {
        if let Some((name, entry)) = self.entries.remove_entry(group)
            && let Some(armed) = entry.armed
        {
            self.deadlines.remove(&(armed, name));
        }
    }

    fn entry(&mut self, group: &str) -> &mut Entry {
        self.entries.entry(Arc::from(group)).or_default()
    }

    /// Refuses requests to groups that are not there, and joins to groups that native clients hold.
    fn admit(&mut self, group: &str, event: &Event) -> Result<(), (ReplyTo, GroupError)> {
        let exists = self.entries.get(group).is_some_and(|entry| entry.group.is_some());
        let (reply, founds) = match event {
            Event::Join { join, reply } => (*reply, join.member_id.is_empty()),
            Event::Sync { reply, .. } | Event::Heartbeat { reply, .. } | Event::Leave { reply, .. } => {
                (*reply, false)
            }
            Event::Expel | Event::Dissolve | Event::Tick => return Ok(()),
        };
        if group.is_empty() {
            return Err((reply, GroupError::InvalidGroupId));
        }
        if matches!(event, Event::Join { .. }) && self.holder(group) == Some(Dialect::Native) {
            return Err((reply, GroupError::InconsistentGroupProtocol));
        }
        if !exists && !founds {
            return Err((reply, GroupError::UnknownMemberId));
        }
        if !exists {
            self.entry(group).group = Some(Group::new(self.config));
        }
        Ok(())
    }

    fn apply(&mut self, now: Millis, name: &str, event: Event, out: &mut Vec<Effect>) {
        let only_later = matches!(event, Event::Heartbeat { .. });
        let Some((name, entry)) = self
            .entries
            .get_key_value(name)
            .map(|(name, _)| Arc::clone(name))
            .and_then(|name| self.entries.get_mut(&name).map(|entry| (name, entry)))
        else {
            return;
        };
        let Some(group) = entry.group.as_mut() else { return };
        group.apply(now, event, out);
        if group.is_occupied() {
            entry.holder = Some(Dialect::Kafka);
        } else if entry.holder == Some(Dialect::Kafka) {
            entry.holder = None;
        }
        if !only_later {
            rearm(&mut self.deadlines, &name, entry);
        }
        let is_over = entry.group.as_ref().is_some_and(is_over);
        if is_over && entry.holder.is_none() {
            self.forget(&name);
        }
    }

    /// Asks to be woken when the earliest deadline is not what it was.
    fn wish(&self, before: Option<Millis>, out: &mut Vec<Effect>) {
        let next = self.next_deadline();
        if next != before {
            out.extend(next.map(Effect::WakeAt));
        }
    }
}

/// A group nobody was ever admitted to, or that was dissolved, is not kept: names come from the wire.
fn is_over(group: &Group) -> bool {
    let never_joined = group.state() == State::Empty && group.generation() == 0 && !group.is_occupied();
    never_joined || group.state() == State::Dead
}

fn rearm(deadlines: &mut BTreeSet<(Millis, Arc<str>)>, name: &Arc<str>, entry: &mut Entry) {
    let next = entry.group.as_ref().and_then(Group::next_deadline);
    if next == entry.armed {
        return;
    }
    if let Some(armed) = entry.armed {
        deadlines.remove(&(armed, Arc::clone(name)));
    }
    deadlines.extend(next.map(|due| (due, Arc::clone(name))));
    entry.armed = next;
}

#[cfg(test)]
mod tests {
    use super::super::kafka_group::{Caller, Join, Leaver};
    use super::*;

    fn join(group: &mut Groups, now: i64, name: &str, id: &str) -> Vec<Effect> {
        let join = Join {
            member_id: "".into(),
            fresh_member_id: id.into(),
            instance_id: None,
            client_id: "c".into(),
            client_host: "/h".into(),
            session_timeout_ms: 10_000,
            rebalance_timeout_ms: 10_000,
            protocol_type: "consumer".into(),
            protocols: vec![("range".into(), Arc::from([]))],
            requires_known_member_id: false,
            supports_skip_assignment: false,
        };
        let mut out = Vec::new();
        group.step(Millis(now), name, Event::Join { join: Box::new(join), reply: ReplyTo(1) }, &mut out);
        out
    }

    fn leave(groups: &mut Groups, now: i64, name: &str, id: &str) -> Vec<Effect> {
        let mut out = Vec::new();
        let leavers = vec![Leaver { member_id: id.into(), instance_id: None }];
        groups.step(Millis(now), name, Event::Leave { leavers, reply: ReplyTo(2) }, &mut out);
        out
    }

    fn commit(generation: i32, member_id: &str) -> Commit {
        let caller = Caller { member_id: member_id.into(), instance_id: None, generation };
        Commit { caller, is_transactional: false }
    }

    fn groups() -> Groups {
        Groups::new(GroupConfig { initial_rebalance_delay_ms: 1_000, ..GroupConfig::default() })
    }

    #[test]
    fn refuses_a_kafka_join_while_native_clients_hold_the_group() {
        let mut groups = groups();
        assert_eq!(groups.claim("g", Dialect::Native), Ok(()));
        let refused = Outcome::refused(GroupError::InconsistentGroupProtocol);
        assert_eq!(join(&mut groups, 0, "g", "a"), [Effect::Reply(ReplyTo(1), refused)]);
        groups.release("g", Dialect::Native);
        assert_eq!(join(&mut groups, 1, "g", "a"), [Effect::WakeAt(Millis(1_001))]);
    }

    #[test]
    fn refuses_native_clients_until_the_last_kafka_member_left() {
        let mut groups = groups();
        join(&mut groups, 0, "g", "a");
        assert_eq!(groups.claim("g", Dialect::Native), Err(HeldBy { dialect: Dialect::Kafka }));
        groups.tick(Millis(1_000), &mut Vec::new());
        leave(&mut groups, 1_001, "g", "a");
        assert_eq!(groups.claim("g", Dialect::Native), Ok(()));
    }

    #[test]
    fn frees_a_group_whose_kafka_members_expire() {
        let mut groups = groups();
        join(&mut groups, 0, "g", "a");
        groups.tick(Millis(1_000), &mut Vec::new());
        groups.tick(Millis(11_000), &mut Vec::new());
        assert_eq!(groups.holder("g"), None);
        assert_eq!(groups.next_deadline(), None);
    }

    #[test]
    fn wakes_at_the_earliest_deadline_of_all_groups() {
        let mut groups = groups();
        join(&mut groups, 500, "late", "a");
        assert!(join(&mut groups, 0, "early", "b").contains(&Effect::WakeAt(Millis(1_000))));
        let mut out = Vec::new();
        groups.tick(Millis(1_000), &mut out);
        assert!(out.contains(&Effect::WakeAt(Millis(1_500))));
    }

    #[test]
    fn forgets_a_group_whose_only_join_was_refused() {
        let mut groups =
            Groups::new(GroupConfig { min_session_timeout_ms: 20_000, ..GroupConfig::default() });
        join(&mut groups, 0, "g", "a");
        assert!(groups.describe("g").is_none());
        assert!(groups.entries.is_empty());
    }

    #[test]
    fn refuses_unknown_groups_and_empty_names() {
        let mut groups = groups();
        let unknown = Outcome::refused(GroupError::UnknownMemberId);
        assert_eq!(leave(&mut groups, 0, "g", "a"), [Effect::Reply(ReplyTo(2), unknown)]);
        let invalid = Outcome::refused(GroupError::InvalidGroupId);
        assert_eq!(join(&mut groups, 0, "", "a"), [Effect::Reply(ReplyTo(1), invalid)]);
    }

    #[test]
    fn admits_commits_without_membership_only_while_nobody_holds_the_group() {
        let mut groups = groups();
        assert_eq!(groups.validate_commit(Millis(0), "g", &commit(-1, "")), Ok(()));
        assert_eq!(groups.validate_commit(Millis(0), "g", &commit(1, "a")), Err(GroupError::GroupIdNotFound));
        assert_eq!(groups.claim("g", Dialect::Native), Ok(()));
        assert_eq!(groups.validate_commit(Millis(0), "g", &commit(-1, "")), Err(GroupError::UnknownMemberId));
    }

    #[test]
    fn deletes_only_groups_without_members() {
        let mut groups = groups();
        assert_eq!(groups.remove("g"), Err(RemoveError::NotFound));
        join(&mut groups, 0, "g", "a");
        assert_eq!(groups.remove("g"), Err(RemoveError::NonEmpty { dialect: Dialect::Kafka }));
        groups.tick(Millis(1_000), &mut Vec::new());
        leave(&mut groups, 1_001, "g", "a");
        assert_eq!(groups.list().collect::<Vec<_>>(), [("g", State::Empty, "consumer")]);
        assert_eq!(groups.remove("g"), Ok(()));
    }

    /// Whatever is joined, left and waited for: deadlines and entries agree, and once all is quiet nobody holds
    /// a group, no deadline is left, and each join was answered once.
    #[test]
    fn keeps_deadlines_and_holders_in_step_under_random_schedules() {
        for seed in 0..100 {
            let mut schedule = super::super::Schedule::new(seed);
            let (mut groups, mut answers, mut joins, mut now) = (groups(), 0, 0, 0);
            let count =
                |out: &[Effect]| out.iter().filter(|e| matches!(e, Effect::Reply(ReplyTo(1), _))).count();
            for turn in 0..200 {
                now += schedule.below(2_000) as i64;
                let name = ["a", "b", "c"][schedule.below(3) as usize];
                let mut out = Vec::new();
                match schedule.below(4) {
                    0 => out = leave(&mut groups, now, name, &format!("m{}", schedule.below(turn + 1))),
                    1 => groups.tick(Millis(now), &mut out),
                    _ => {
                        joins += 1;
                        out = join(&mut groups, now, name, &format!("m{turn}"));
                    }
                }
                answers += count(&out);
                let armed =
                    groups.entries.iter().filter_map(|(name, e)| e.armed.map(|at| (at, Arc::clone(name))));
                assert_eq!(armed.collect::<BTreeSet<_>>(), groups.deadlines, "seed {seed}");
            }
            while let Some(due) = groups.next_deadline() {
                let mut out = Vec::new();
                groups.tick(due.max(Millis(now)), &mut out);
                answers += count(&out);
            }
            assert_eq!(answers, joins, "seed {seed}");
            assert!(["a", "b", "c"].iter().all(|name| groups.holder(name).is_none()), "seed {seed}");
        }
    }
}
