//! How members go: LeaveGroup, expired sessions, syncs that never came, an administrator.

use std::sync::Arc;

use super::{Effect, Group, GroupError, JoinDeadline, Leaver, Member, MemberId, Outcome, ReplyTo, State};
use crate::semantics::Millis;

impl Group {
    pub(super) fn leave(&mut self, now: Millis, leavers: Vec<Leaver>, reply: ReplyTo, out: &mut Vec<Effect>) {
        if self.state == State::Dead {
            return out.push(Effect::Reply(reply, Outcome::refused(GroupError::CoordinatorNotAvailable)));
        }
        let members_before = self.members.len();
        let results = leavers.into_iter().map(|leaver| {
            let result = self.leave_one(&leaver, out);
            (leaver, result)
        });
        let left = Outcome::Left(results.collect());
        out.push(Effect::Reply(reply, left));
        self.settle(now, members_before, out);
    }

    /// A static member may be named by its instance id alone; Admin, Connect and Streams do so.
    fn leave_one(&mut self, leaver: &Leaver, out: &mut Vec<Effect>) -> Result<(), GroupError> {
        if leaver.member_id.is_empty() {
            let instance_id = leaver.instance_id.as_ref().ok_or(GroupError::UnknownMemberId)?;
            let member_id = self.instances.get(instance_id).cloned().ok_or(GroupError::UnknownMemberId)?;
            self.remove(&member_id, out);
            return Ok(());
        }
        if self.pending.shift_remove(&leaver.member_id).is_some() {
            return Ok(());
        }
        self.check_member(&leaver.member_id, leaver.instance_id.as_deref())?;
        self.remove(&leaver.member_id, out);
        Ok(())
    }

    /// Rebalances if members went; a pending id that went may be all that a rebalance waited for.
    fn settle(&mut self, now: Millis, members_before: usize, out: &mut Vec<Effect>) {
        match self.state {
            State::Stable | State::CompletingRebalance if self.members.len() < members_before => {
                self.prepare(now, out);
            }
            State::PreparingRebalance => self.complete_if_all_joined(now, out),
            State::Stable | State::CompletingRebalance | State::Empty | State::Dead => {}
        }
    }

    /// Every deadline that passed, in the order: sessions, pending ids, missing syncs, the end of the joining.
    pub(super) fn expire(&mut self, now: Millis, out: &mut Vec<Effect>) {
        let members_before = self.members.len();
        self.pending.retain(|_, until| now < *until);
        let is_over = |member: &Member| member.deadline().is_some_and(|deadline| deadline <= now);
        let over: Vec<MemberId> =
            self.members.iter().filter(|(_, member)| is_over(member)).map(|(id, _)| Arc::clone(id)).collect();
        for member_id in &over {
            self.remove(member_id, out);
        }
        self.settle(now, members_before, out);
        if self.sync_deadline.is_some_and(|deadline| deadline <= now) {
            self.drop_unsynced(now, out);
        }
        if self.join_deadline.at().is_some_and(|deadline| deadline <= now) {
            self.join_deadline_passed(now, out);
        }
    }

    fn drop_unsynced(&mut self, now: Millis, out: &mut Vec<Effect>) {
        let missing: Vec<MemberId> = self.awaited_syncs.iter().cloned().collect();
        for member_id in &missing {
            self.remove(member_id, out);
        }
        self.prepare(now, out);
    }

    /// Drops all members, so that clients join again and read the offsets an administrator set.
    pub(super) fn expel(&mut self, now: Millis, out: &mut Vec<Effect>) {
        let members_before = self.members.len();
        self.remove_all(out);
        if let JoinDeadline::Initial { .. } = self.join_deadline {
            self.join_deadline = JoinDeadline::Rebalance { at: now };
        }
        self.settle(now, members_before, out);
    }

    pub(super) fn dissolve(&mut self, out: &mut Vec<Effect>) {
        self.remove_all(out);
        self.join_deadline = JoinDeadline::None;
        self.state = State::Dead;
    }

    fn remove_all(&mut self, out: &mut Vec<Effect>) {
        self.pending.clear();
        let all: Vec<MemberId> = self.members.keys().cloned().collect();
        for member_id in &all {
            self.remove(member_id, out);
        }
    }
}
