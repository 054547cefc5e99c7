//! The rebalance: preparing, waiting for members, the vote, the next generation.

use std::sync::Arc;

use super::join::refusal;
use super::{Effect, Group, GroupError, JoinDeadline, MemberId, Outcome, State};
use crate::semantics::Millis;

impl Group {
    /// After members changed: starts a rebalance, or ends the one in preparation if that was all it waited for.
    pub(super) fn rebalance_or_complete(&mut self, now: Millis, out: &mut Vec<Effect>) {
        match self.state {
            State::Empty | State::CompletingRebalance | State::Stable => self.prepare(now, out),
            State::PreparingRebalance => self.complete_if_all_joined(now, out),
            State::Dead => {}
        }
    }

    /// Asks all members to join again. A group that was empty waits for more of them first.
    pub(super) fn prepare(&mut self, now: Millis, out: &mut Vec<Effect>) {
        let was_empty = self.state == State::Empty;
        self.refuse_syncs(now, out);
        self.end_sync_wait();
        self.state = State::PreparingRebalance;
        let rebalance_timeout_ms = self.rebalance_timeout_ms();
        if was_empty {
            let delay_ms = self.config.initial_rebalance_delay_ms;
            let remaining_ms = (rebalance_timeout_ms - delay_ms).max(0);
            let at = now.plus(delay_ms);
            self.join_deadline = JoinDeadline::Initial { at, delay_ms, remaining_ms, member_added: false };
            if delay_ms <= 0 {
                self.complete(now, out);
            }
        } else {
            self.join_deadline = JoinDeadline::Rebalance { at: now.plus(rebalance_timeout_ms) };
            self.complete_if_all_joined(now, out);
        }
    }

    /// The initial delay is never cut short: it exists to catch members that are still starting.
    pub(super) fn complete_if_all_joined(&mut self, now: Millis, out: &mut Vec<Effect>) {
        let waits_for_more = matches!(self.join_deadline, JoinDeadline::Initial { .. });
        let all_joined = self.joins_waiting() == self.members.len() && self.pending.is_empty();
        if self.state == State::PreparingRebalance && !waits_for_more && all_joined {
            self.complete(now, out);
        }
    }

    /// The join deadline passed: extends the initial delay if members came meanwhile, else ends the joining.
    pub(super) fn join_deadline_passed(&mut self, now: Millis, out: &mut Vec<Effect>) {
        if let JoinDeadline::Initial { delay_ms, remaining_ms, member_added: true, .. } = self.join_deadline
            && 0 < remaining_ms
        {
            let next_ms = delay_ms.min(remaining_ms);
            self.join_deadline = JoinDeadline::Initial {
                at: now.plus(next_ms),
                delay_ms: next_ms,
                remaining_ms: (remaining_ms - next_ms).max(0),
                member_added: false,
            };
            return;
        }
        self.complete(now, out);
    }

    /// Ends the joining: absent dynamic members are dropped, static ones stay, the next generation begins.
    fn complete(&mut self, now: Millis, out: &mut Vec<Effect>) {
        let is_absent = |group: &Self, id: &MemberId| {
            group.members.get(id).is_some_and(|m| m.join.is_none() && m.instance_id.is_none())
        };
        let absent: Vec<MemberId> = self.members.keys().filter(|id| is_absent(self, id)).cloned().collect();
        for member_id in &absent {
            self.remove(member_id, out);
        }
        if !self.elect_present_leader() {
            // Only static members are left and none came: wait until one does or their sessions end.
            self.join_deadline = JoinDeadline::Rebalance { at: now.plus(self.rebalance_timeout_ms().max(1)) };
            return;
        }
        self.begin_generation();
        if self.state == State::CompletingRebalance {
            self.answer_joins(now, out);
        }
    }

    /// The leader stays while it is there; else the first that came leads. False when nobody of somebody came.
    fn elect_present_leader(&mut self) -> bool {
        if self.members.is_empty() {
            return true;
        }
        let is_present = |id: &MemberId| self.members.get(id).is_some_and(|member| member.join.is_some());
        if self.leader.as_ref().is_some_and(is_present) {
            return true;
        }
        let present = self.members.keys().find(|id| is_present(id)).cloned();
        let elected = present.is_some();
        self.leader = present.or_else(|| self.leader.take());
        elected
    }

    fn begin_generation(&mut self) {
        self.generation = self.generation.checked_add(1).unwrap_or(1);
        self.join_deadline = JoinDeadline::None;
        self.protocol_name = self.select_protocol();
        self.end_sync_wait();
        self.state = if self.members.is_empty() { State::Empty } else { State::CompletingRebalance };
    }

    fn answer_joins(&mut self, now: Millis, out: &mut Vec<Effect>) {
        let ids: Vec<MemberId> = self.members.keys().cloned().collect();
        for member_id in &ids {
            let answer = self.joined(member_id);
            let Some(member) = self.members.get_mut(member_id) else { continue };
            member.joined(now);
            member.assignment = Arc::from([]);
            out.extend(member.join.take().map(|reply| Effect::Reply(reply, answer)));
        }
        self.awaited_syncs.extend(ids);
        self.sync_deadline = Some(now.plus(self.rebalance_timeout_ms()));
    }

    /// Each member votes for the first of its protocols that all support; most votes win, and among equals the
    /// one that the first member prefers.
    pub(super) fn select_protocol(&self) -> Option<Arc<str>> {
        let first = self.members.values().next()?;
        let shared = |name: &Arc<str>| self.members.values().all(|member| member.supports(name));
        let candidates: Vec<&Arc<str>> =
            first.protocols.iter().map(|(name, _)| name).filter(|n| shared(n)).collect();
        let vote = |protocols: &[(Arc<str>, Arc<[u8]>)]| {
            protocols
                .iter()
                .position(|(name, _)| candidates.contains(&name))
                .and_then(|at| protocols.get(at))
                .cloned()
        };
        let votes: Vec<Arc<str>> = self
            .members
            .values()
            .filter_map(|member| vote(&member.protocols))
            .map(|(name, _)| name)
            .collect();
        let count = |name: &Arc<str>| votes.iter().filter(|vote| *vote == name).count();
        let most = candidates.iter().map(|name| count(name)).max()?;
        candidates.iter().find(|name| count(name) == most).map(|name| Arc::clone(name))
    }

    /// Removes a member; its waiting requests are told that it is unknown, so that the client joins anew.
    pub(super) fn remove(&mut self, member_id: &str, out: &mut Vec<Effect>) {
        let Some((id, member)) = self.members.shift_remove_entry(member_id) else { return };
        for reply in [member.join, member.sync].into_iter().flatten() {
            out.push(refusal(reply, GroupError::UnknownMemberId, Arc::clone(&id)));
        }
        if let Some(instance_id) = &member.instance_id {
            self.instances.remove(instance_id);
        }
        self.awaited_syncs.shift_remove(member_id);
        if self.awaited_syncs.is_empty() {
            self.sync_deadline = None;
        }
        if self.is_leader(member_id) {
            self.leader = self.members.keys().next().cloned();
        }
    }

    fn refuse_syncs(&mut self, now: Millis, out: &mut Vec<Effect>) {
        for member in self.members.values_mut() {
            if let Some(reply) = member.sync.take() {
                member.renew(now);
                out.push(Effect::Reply(reply, Outcome::refused(GroupError::RebalanceInProgress)));
            }
        }
    }

    pub(super) fn end_sync_wait(&mut self) {
        self.awaited_syncs.clear();
        self.sync_deadline = None;
    }

    pub(super) fn joins_waiting(&self) -> usize {
        self.members.values().filter(|member| member.join.is_some()).count()
    }

    fn rebalance_timeout_ms(&self) -> i64 {
        self.members.values().map(|member| member.rebalance_timeout_ms).max().unwrap_or(0)
    }
}
