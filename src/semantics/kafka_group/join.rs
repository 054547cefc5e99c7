//! JoinGroup: who is admitted at once, who gets an id first, who waits, who is answered from the current
//! generation.

use std::sync::Arc;

use super::{
    Effect, Group, GroupError, Join, JoinDeadline, Joined, JoinedMember, Member, MemberId, Outcome, ReplyTo,
    State,
};
use crate::semantics::Millis;

impl Group {
    pub(super) fn join(&mut self, now: Millis, join: Join, reply: ReplyTo, out: &mut Vec<Effect>) {
        if let Err(error) = self.check_join(&join) {
            return out.push(refusal(reply, error, join.member_id));
        }
        if !join.member_id.is_empty() {
            return self.join_known(now, join, reply, out);
        }
        let current = join.instance_id.as_ref().and_then(|id| self.instances.get(id)).cloned();
        match current {
            Some(replaced) => self.return_static(now, &replaced, join, reply, out),
            None if join.instance_id.is_none() && join.requires_known_member_id => {
                let member_id = join.fresh_member_id;
                self.pending.insert(Arc::clone(&member_id), now.plus(join.session_timeout_ms));
                out.push(refusal(reply, GroupError::MemberIdRequired, member_id));
            }
            None => {
                let member_id = Arc::clone(&join.fresh_member_id);
                self.add(now, member_id, join, reply, out);
            }
        }
    }

    /// The checks that need no member, in Kafka's order.
    fn check_join(&self, join: &Join) -> Result<(), GroupError> {
        let allowed = self.config.min_session_timeout_ms..=self.config.max_session_timeout_ms;
        if !allowed.contains(&join.session_timeout_ms) {
            return Err(GroupError::InvalidSessionTimeout);
        }
        if !self.has_room(&join.member_id) {
            return Err(GroupError::GroupMaxSizeReached);
        }
        if self.state == State::Dead {
            return Err(GroupError::CoordinatorNotAvailable);
        }
        if self.supports(&join.protocol_type, &join.protocols) {
            Ok(())
        } else {
            Err(GroupError::InconsistentGroupProtocol)
        }
    }

    /// While members gather only those that came again count, so that a full group can be taken over.
    fn has_room(&self, member_id: &str) -> bool {
        match self.state {
            State::Empty | State::Dead => true,
            State::PreparingRebalance => {
                let waits = self.members.get(member_id).is_some_and(|member| member.join.is_some());
                waits || self.joins_waiting() < self.config.max_size
            }
            State::CompletingRebalance | State::Stable => {
                self.members.contains_key(member_id) || self.members.len() < self.config.max_size
            }
        }
    }

    /// An empty group takes any protocols; later ones must share one with all members.
    fn supports(&self, protocol_type: &str, protocols: &[(Arc<str>, Arc<[u8]>)]) -> bool {
        if self.members.is_empty() {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        let shared = |name: &str| self.members.values().all(|member| member.supports(name));
        self.protocol_type.as_deref() == Some(protocol_type) && protocols.iter().any(|(name, _)| shared(name))
    }

    fn join_known(&mut self, now: Millis, join: Join, reply: ReplyTo, out: &mut Vec<Effect>) {
        let member_id = Arc::clone(&join.member_id);
        if join.instance_id.is_none() && self.pending.contains_key(&member_id) {
            return self.add(now, member_id, join, reply, out);
        }
        if let Err(error) = self.check_member(&member_id, join.instance_id.as_deref()) {
            return out.push(refusal(reply, error, member_id));
        }
        if self.keeps_generation(&member_id, &join) {
            return out.push(Effect::Reply(reply, self.joined(&member_id)));
        }
        self.update_member(&member_id, join, reply, out);
        self.rebalance_or_complete(now, out);
    }

    /// Whether a join changes nothing and is answered with the generation that is there: the answer was lost,
    /// or a follower came again. A leader that joins a stable group asks for a new assignment.
    fn keeps_generation(&self, member_id: &str, join: &Join) -> bool {
        let unchanged = self.members.get(member_id).is_some_and(|member| member.protocols == join.protocols);
        match self.state {
            State::CompletingRebalance => unchanged,
            State::Stable => unchanged && !self.is_leader(member_id),
            State::PreparingRebalance | State::Empty | State::Dead => false,
        }
    }

    fn add(&mut self, now: Millis, member_id: MemberId, join: Join, reply: ReplyTo, out: &mut Vec<Effect>) {
        self.pending.shift_remove(&member_id);
        if let JoinDeadline::Initial { member_added, .. } = &mut self.join_deadline {
            *member_added = true;
        }
        if self.members.is_empty() {
            self.protocol_type = Some(Arc::clone(&join.protocol_type));
        }
        if let Some(instance_id) = &join.instance_id {
            self.instances.insert(Arc::clone(instance_id), Arc::clone(&member_id));
        }
        self.leader.get_or_insert_with(|| Arc::clone(&member_id));
        self.members.insert(member_id, Member::new(now, join, reply));
        self.rebalance_or_complete(now, out);
    }

    /// Takes over a repeated join; the request it replaces is told to come again.
    fn update_member(&mut self, member_id: &str, join: Join, reply: ReplyTo, out: &mut Vec<Effect>) {
        let Some(member) = self.members.get_mut(member_id) else { return };
        member.update(join);
        if let Some(replaced) = member.join.replace(reply) {
            out.push(refusal(replaced, GroupError::RebalanceInProgress, Arc::from(member_id)));
        }
    }

    /// A static member came back with an empty id: it takes the place and the assignment of its former self,
    /// which is fenced from now on. A stable group whose protocol stays the same does not rebalance.
    fn return_static(
        &mut self,
        now: Millis,
        replaced: &str,
        join: Join,
        reply: ReplyTo,
        out: &mut Vec<Effect>,
    ) {
        let member_id = Arc::clone(&join.fresh_member_id);
        let skips = join.supports_skip_assignment;
        let former_leader = self.leader.clone();
        self.replace_static(replaced, &member_id, out);
        self.update_member(&member_id, join, reply, out);
        if let Some(member) = self.members.get_mut(&member_id) {
            member.joined(now);
        }
        let unchanged = self.state == State::Stable && self.select_protocol() == self.protocol_name;
        if !unchanged {
            return self.rebalance_or_complete(now, out);
        }
        if let Some(member) = self.members.get_mut(&member_id) {
            member.join = None;
        }
        out.push(Effect::Reply(reply, self.returned(&member_id, skips, former_leader)));
    }

    /// The answer to a static member that came back to a stable group. An old client must not assign, so it is
    /// told that its former self leads.
    fn returned(&self, member_id: &MemberId, skips: bool, former_leader: Option<MemberId>) -> Outcome {
        let is_leader = self.is_leader(member_id);
        let leader = if skips { self.leader.clone() } else { former_leader };
        Outcome::Joined(Box::new(Joined {
            skip_assignment: skips && is_leader,
            members: if skips && is_leader { self.joined_members() } else { Vec::new() },
            leader: leader.unwrap_or_default(),
            ..self.joined_fields(member_id)
        }))
    }

    fn replace_static(&mut self, replaced: &str, member_id: &MemberId, out: &mut Vec<Effect>) {
        let Some((index, former_id, mut member)) = self.members.shift_remove_full(replaced) else { return };
        for waiting in [member.join.take(), member.sync.take()].into_iter().flatten() {
            out.push(refusal(waiting, GroupError::FencedInstanceId, Arc::clone(&former_id)));
        }
        if self.awaited_syncs.shift_remove(replaced) {
            self.awaited_syncs.insert(Arc::clone(member_id));
        }
        if self.is_leader(replaced) {
            self.leader = Some(Arc::clone(member_id));
        }
        if let Some(instance_id) = &member.instance_id {
            self.instances.insert(Arc::clone(instance_id), Arc::clone(member_id));
        }
        self.members.shift_insert(index, Arc::clone(member_id), member);
    }

    /// The answer to a member of the current generation.
    pub(super) fn joined(&self, member_id: &MemberId) -> Outcome {
        let members = if self.is_leader(member_id) { self.joined_members() } else { Vec::new() };
        Outcome::Joined(Box::new(Joined { members, ..self.joined_fields(member_id) }))
    }

    fn joined_fields(&self, member_id: &MemberId) -> Joined {
        Joined {
            generation: self.generation,
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            protocol_name: self.protocol_name.clone().unwrap_or_default(),
            leader: self.leader.clone().unwrap_or_default(),
            member_id: Arc::clone(member_id),
            skip_assignment: false,
            members: Vec::new(),
        }
    }

    fn joined_members(&self) -> Vec<JoinedMember> {
        let protocol = self.protocol_name.as_deref().unwrap_or_default();
        let seen = |(id, member): (&MemberId, &Member)| JoinedMember {
            member_id: Arc::clone(id),
            instance_id: member.instance_id.clone(),
            metadata: member.metadata(protocol).cloned().unwrap_or_default(),
        };
        self.members.iter().map(seen).collect()
    }
}

/// A refusal of a JoinGroup, which carries a member id.
pub(super) fn refusal(reply: ReplyTo, error: GroupError, member_id: MemberId) -> Effect {
    Effect::Reply(reply, Outcome::Refused { error, member_id })
}
