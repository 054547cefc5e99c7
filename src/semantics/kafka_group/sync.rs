//! SyncGroup: members wait for the leader's assignment, the leader brings it.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Effect, Group, GroupError, MemberId, Outcome, ReplyTo, State, Sync};
use crate::semantics::Millis;

impl Group {
    pub(super) fn sync(&mut self, now: Millis, sync: Sync, reply: ReplyTo, out: &mut Vec<Effect>) {
        if let Err(error) = self.check_sync(&sync) {
            return out.push(Effect::Reply(reply, Outcome::refused(error)));
        }
        let member_id = Arc::clone(&sync.caller.member_id);
        self.awaited_syncs.shift_remove(&member_id);
        if self.awaited_syncs.is_empty() {
            self.sync_deadline = None;
        }
        if self.state == State::Stable {
            self.renew(now, &member_id);
            return out.extend(self.synced(&member_id).map(|outcome| Effect::Reply(reply, outcome)));
        }
        self.wait_for_assignment(&member_id, reply, out);
        if self.is_leader(&member_id) {
            self.distribute(now, sync.assignments, out);
        }
    }

    fn check_sync(&self, sync: &Sync) -> Result<(), GroupError> {
        self.admit(&sync.caller)?;
        let fits = |asked: &Option<Arc<str>>, ours: &Option<Arc<str>>| asked.is_none() || asked == ours;
        if !fits(&sync.protocol_type, &self.protocol_type) || !fits(&sync.protocol_name, &self.protocol_name)
        {
            return Err(GroupError::InconsistentGroupProtocol);
        }
        match self.state {
            State::CompletingRebalance | State::Stable => Ok(()),
            State::PreparingRebalance => Err(GroupError::RebalanceInProgress),
            State::Empty | State::Dead => Err(GroupError::UnknownMemberId),
        }
    }

    fn wait_for_assignment(&mut self, member_id: &str, reply: ReplyTo, out: &mut Vec<Effect>) {
        let Some(member) = self.members.get_mut(member_id) else { return };
        if let Some(replaced) = member.sync.replace(reply) {
            out.push(Effect::Reply(replaced, Outcome::refused(GroupError::RebalanceInProgress)));
        }
    }

    /// Stores the leader's assignment and answers all that wait. Members it left out get nothing.
    fn distribute(&mut self, now: Millis, assignments: Vec<(MemberId, Arc<[u8]>)>, out: &mut Vec<Effect>) {
        let mut assignments: HashMap<MemberId, Arc<[u8]>> = assignments.into_iter().collect();
        self.state = State::Stable;
        for (member_id, member) in &mut self.members {
            member.assignment = assignments.remove(member_id).unwrap_or_default();
        }
        let ids: Vec<MemberId> = self.members.keys().cloned().collect();
        for member_id in &ids {
            let waiting = self.members.get_mut(member_id).and_then(|member| member.sync.take());
            if let (Some(reply), Some(outcome)) = (waiting, self.synced(member_id)) {
                self.renew(now, member_id);
                out.push(Effect::Reply(reply, outcome));
            }
        }
    }

    fn synced(&self, member_id: &str) -> Option<Outcome> {
        self.members.get(member_id).map(|member| Outcome::Synced {
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            protocol_name: self.protocol_name.clone().unwrap_or_default(),
            assignment: Arc::clone(&member.assignment),
        })
    }
}
