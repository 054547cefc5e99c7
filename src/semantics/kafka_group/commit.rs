//! Whether an offset commit comes from somebody who may commit for the group.
//!
//! Source: Kafka 4.1 `ClassicGroup.validateOffsetCommit`.

use super::{Caller, Group, GroupError, State};
use crate::semantics::Millis;

/// Who commits offsets.
#[derive(Clone, Debug)]
pub struct Commit {
    /// The committing client; generation below 0 and no member id without group membership.
    pub caller: Caller,
    /// TxnOffsetCommit: fenced by its producer, so it may come while the group rebalances.
    pub is_transactional: bool,
}

impl Commit {
    /// Whether the client claims to be a member.
    pub(in crate::semantics) fn names_a_member(&self) -> bool {
        0 <= self.caller.generation || !self.caller.member_id.is_empty() || self.caller.instance_id.is_some()
    }
}

impl Group {
    /// Admits a commit, and renews the session of the member that sent it: a commit counts as a heartbeat.
    ///
    /// # Errors
    /// The refusal that every partition of the request is answered with.
    pub fn validate_commit(&mut self, now: Millis, commit: &Commit) -> Result<(), GroupError> {
        if self.state == State::Dead {
            return Err(GroupError::CoordinatorNotAvailable);
        }
        if commit.caller.generation < 0 && self.state == State::Empty {
            return Ok(());
        }
        if commit.names_a_member() {
            self.admit(&commit.caller)?;
        } else if !commit.is_transactional && self.state != State::Empty {
            return Err(GroupError::UnknownMemberId);
        }
        if self.state == State::CompletingRebalance && !commit.is_transactional {
            return Err(GroupError::RebalanceInProgress);
        }
        self.renew(now, &commit.caller.member_id);
        Ok(())
    }
}
