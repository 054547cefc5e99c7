//! What comes in and goes out of a classic group: requests, answers, refusals.

use std::sync::Arc;

use super::MemberId;
use crate::semantics::Millis;

/// Names a waiting request; opaque here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplyTo(pub u64);

/// Why a request of a group client is refused; the names are those of Kafka's error table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GroupError {
    /// The group was dissolved while the request was under way.
    #[error("the group was dissolved; look up its coordinator and join again")]
    CoordinatorNotAvailable,
    /// The group name is empty.
    #[error("the group name is empty; set group.id")]
    InvalidGroupId,
    /// The generation is not the current one.
    #[error("the generation is not the current one; join again")]
    IllegalGeneration,
    /// Protocol type or protocols do not fit the members that are there, or the other dialect holds the group.
    #[error("the protocols do not fit the other members of the group; use one assignor that all share")]
    InconsistentGroupProtocol,
    /// The member is not known.
    #[error("the member is not known to the group; join again with an empty member id")]
    UnknownMemberId,
    /// The session time-out is outside of the configured bounds.
    #[error("the session time-out is outside of the broker's bounds; change session.timeout.ms")]
    InvalidSessionTimeout,
    /// The group rebalances.
    #[error("the group rebalances; join again")]
    RebalanceInProgress,
    /// The client must join again with the member id of this answer.
    #[error("join again with the member id of this answer")]
    MemberIdRequired,
    /// The group has as many members as are allowed.
    #[error("the group has as many members as group.max.size allows")]
    GroupMaxSizeReached,
    /// Another client took over the instance id.
    #[error("another client uses the same group.instance.id; give each client its own")]
    FencedInstanceId,
    /// The group does not exist.
    #[error("the group does not exist")]
    GroupIdNotFound,
}

/// A JoinGroup request.
#[derive(Clone, Debug)]
pub struct Join {
    /// Empty when the client has none yet.
    pub member_id: MemberId,
    /// A fresh id (instance id or client id, "-", a random UUID), used when this join needs one.
    pub fresh_member_id: MemberId,
    /// `group.instance.id` of a static member.
    pub instance_id: Option<Arc<str>>,
    /// The client's name for itself.
    pub client_id: Arc<str>,
    /// The client's address, as text.
    pub client_host: Arc<str>,
    /// How long the member may stay silent.
    pub session_timeout_ms: i64,
    /// How long the member may take to join again (the session time-out for version 0).
    pub rebalance_timeout_ms: i64,
    /// "consumer", "connect" ...
    pub protocol_type: Arc<str>,
    /// Name and metadata of each protocol, the preferred one first.
    pub protocols: Vec<(Arc<str>, Arc<[u8]>)>,
    /// Version 4 and above: a dynamic member without an id gets one and must join again with it.
    pub requires_known_member_id: bool,
    /// Version 9 and above: the client understands `skip_assignment`.
    pub supports_skip_assignment: bool,
}

/// Who calls, in a SyncGroup, Heartbeat or OffsetCommit request.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The member; may be empty in a commit.
    pub member_id: MemberId,
    /// `group.instance.id`, when the client is a static member.
    pub instance_id: Option<Arc<str>>,
    /// The generation that the client believes to be in.
    pub generation: i32,
}

/// A SyncGroup request.
#[derive(Clone, Debug)]
pub struct Sync {
    /// Who calls.
    pub caller: Caller,
    /// Version 5 and above.
    pub protocol_type: Option<Arc<str>>,
    /// Version 5 and above.
    pub protocol_name: Option<Arc<str>>,
    /// The leader's assignment of each member; empty from all others.
    pub assignments: Vec<(MemberId, Arc<[u8]>)>,
}

/// One member of a LeaveGroup request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaver {
    /// May be empty when `instance_id` names the member.
    pub member_id: MemberId,
    /// `group.instance.id`, when the member is static.
    pub instance_id: Option<Arc<str>>,
}

/// What happens to a group.
#[derive(Clone, Debug)]
pub enum Event {
    /// JoinGroup.
    Join {
        /// The request.
        join: Box<Join>,
        /// Who waits for the answer.
        reply: ReplyTo,
    },
    /// SyncGroup.
    Sync {
        /// The request.
        sync: Sync,
        /// Who waits for the answer.
        reply: ReplyTo,
    },
    /// Heartbeat.
    Heartbeat {
        /// Who calls.
        caller: Caller,
        /// Who waits for the answer.
        reply: ReplyTo,
    },
    /// LeaveGroup.
    Leave {
        /// Who leaves.
        leavers: Vec<Leaver>,
        /// Who waits for the answer.
        reply: ReplyTo,
    },
    /// An administrator moved the offsets: every member must join again and read the new ones.
    Expel,
    /// The group was deleted.
    Dissolve,
    /// A deadline may have passed.
    Tick,
}

/// What the caller performs, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Answer a request.
    Reply(ReplyTo, Outcome),
    /// Call `step` with [`Event::Tick`] at this time at the latest; replaces any earlier wish.
    WakeAt(Millis),
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// JoinGroup succeeded.
    Joined(Box<Joined>),
    /// SyncGroup succeeded.
    Synced {
        /// The group's protocol type.
        protocol_type: Arc<str>,
        /// The chosen protocol.
        protocol_name: Arc<str>,
        /// The member's assignment; empty when the leader gave none.
        assignment: Arc<[u8]>,
    },
    /// Heartbeat succeeded.
    Alive,
    /// LeaveGroup was processed: each member and its own result.
    Left(Vec<(Leaver, Result<(), GroupError>)>),
    /// The request failed.
    Refused {
        /// Why.
        error: GroupError,
        /// The member id that a JoinGroup answer carries; empty in other answers.
        member_id: MemberId,
    },
}

/// A successful JoinGroup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// The generation that begins.
    pub generation: i32,
    /// The group's protocol type.
    pub protocol_type: Arc<str>,
    /// The protocol chosen by vote.
    pub protocol_name: Arc<str>,
    /// The member that assigns.
    pub leader: MemberId,
    /// The member that is answered.
    pub member_id: MemberId,
    /// KIP-814: the leader keeps the assignment that is there.
    pub skip_assignment: bool,
    /// All members in the order they came, for the leader; empty for others.
    pub members: Vec<JoinedMember>,
}

/// A member as the leader sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedMember {
    /// The member.
    pub member_id: MemberId,
    /// `group.instance.id` of a static member.
    pub instance_id: Option<Arc<str>>,
    /// The member's metadata for the chosen protocol.
    pub metadata: Arc<[u8]>,
}

impl Outcome {
    /// A refusal that carries no member id.
    pub(in crate::semantics) fn refused(error: GroupError) -> Self {
        Self::Refused { error, member_id: Arc::from("") }
    }
}
