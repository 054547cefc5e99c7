//! Classic groups: FindCoordinator (10), JoinGroup (11), Heartbeat (12), LeaveGroup (13), SyncGroup (14).
//!
//! The group machine decides; a request waits until its answer comes to the connection's mailbox.
//! Source: Kafka 4.1 `GroupMetadataManager`, KIP-62, KIP-345, KIP-394, KIP-699 (several coordinators at once).

use std::sync::Arc;

use bytes::Bytes;
use gantry_protocols::kafka::error_code::ErrorCode;
use gantry_protocols::kafka::messages::find_coordinator_response::Coordinator;
use gantry_protocols::kafka::messages::join_group_response::JoinGroupResponseMember;
use gantry_protocols::kafka::messages::leave_group_response::MemberResponse;
use gantry_protocols::kafka::messages::{
    BrokerId, FindCoordinatorRequest, FindCoordinatorResponse, HeartbeatRequest, HeartbeatResponse,
    JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, LeaveGroupResponse, StrBytes, SyncGroupRequest,
    SyncGroupResponse,
};
use uuid::Uuid;

use super::call::{Answer, Call, CallError, Progress, Reply, Waiting};
use super::{Lane, Route, errors, names};
use crate::broker::mailbox::Signal;
use crate::semantics::kafka_group::{
    Caller, Event, GroupError, Join, Joined, Leaver, MemberId, Outcome, ReplyTo, Sync,
};

pub(super) const ROUTES: &[Route] = &[
    Route::new(10, (0, 5), Lane::Group, find_coordinator),
    Route::new(11, (0, 9), Lane::Group, join_group),
    Route::new(12, (0, 4), Lane::Group, heartbeat),
    Route::new(13, (0, 5), Lane::Group, leave_group),
    Route::new(14, (0, 5), Lane::Group, sync_group),
];

const GROUP_KEY: i8 = 0;

fn find_coordinator(call: &mut Call<'_>) -> Result<Answer, CallError> {
    let request: FindCoordinatorRequest = call.decode()?;
    let version = call.version();
    let (host, port) = call.broker().kafka_address(call.reply.mailbox);
    let node = BrokerId(call.broker().identity().node_id);
    // Transactions are refused at InitProducerId; their coordinator does not exist.
    let known = request.key_type == GROUP_KEY;
    let error = if known { ErrorCode::NONE } else { ErrorCode::COORDINATOR_NOT_AVAILABLE };
    let host = StrBytes::from_string(if known { host } else { String::new() });
    let (node, port) = if known { (node, i32::from(port)) } else { (BrokerId(-1), -1) };
    if version < 4 {
        let response = FindCoordinatorResponse::default().with_error_code(error.0).with_node_id(node);
        return call.answer(&response.with_host(host).with_port(port));
    }
    let coordinators = request.coordinator_keys.into_iter().map(|key| {
        let coordinator = Coordinator::default().with_key(key).with_error_code(error.0);
        coordinator.with_node_id(node).with_host(host.clone()).with_port(port)
    });
    let coordinators = coordinators.collect();
    call.answer(&FindCoordinatorResponse::default().with_coordinators(coordinators))
}

fn join_group(call: &mut Call<'_>) -> Result<Answer, CallError> {
    let request: JoinGroupRequest = call.decode()?;
    let version = call.version();
    let instance_id = text(request.group_instance_id.as_ref());
    let client_id: Arc<str> = call.client_id.unwrap_or_default().into();
    let stem = instance_id.as_deref().unwrap_or(&client_id);
    let fresh_member_id: MemberId = format!("{stem}-{}", Uuid::new_v4()).into();
    let rebalance = if version >= 1 { request.rebalance_timeout_ms } else { request.session_timeout_ms };
    let protocols =
        request.protocols.iter().map(|one| (Arc::from(one.name.as_str()), Arc::from(&*one.metadata)));
    let join = Join {
        member_id: request.member_id.as_str().into(),
        fresh_member_id,
        instance_id,
        client_id,
        client_host: format!("/{}", call.reply.mailbox.remote().ip()).into(),
        session_timeout_ms: request.session_timeout_ms.into(),
        rebalance_timeout_ms: rebalance.into(),
        protocol_type: request.protocol_type.as_str().into(),
        protocols: protocols.collect(),
        requires_known_member_id: version >= 4,
        supports_skip_assignment: version >= 9,
    };
    let group = names::group(&request.group_id);
    ask(call, &group, |reply| Event::Join { join: Box::new(join), reply }, joined)
}

fn heartbeat(call: &mut Call<'_>) -> Result<Answer, CallError> {
    let request: HeartbeatRequest = call.decode()?;
    let caller = Caller {
        member_id: request.member_id.as_str().into(),
        instance_id: text(request.group_instance_id.as_ref()),
        generation: request.generation_id,
    };
    let group = names::group(&request.group_id);
    ask(
        call,
        &group,
        |reply| Event::Heartbeat { caller, reply },
        |reply, outcome| {
            let error = match outcome {
                Outcome::Refused { error, .. } => errors::group(error),
                _ => ErrorCode::NONE,
            };
            reply.send(&HeartbeatResponse::default().with_error_code(error.0))
        },
    )
}

fn leave_group(call: &mut Call<'_>) -> Result<Answer, CallError> {
    let request: LeaveGroupRequest = call.decode()?;
    let leavers = if call.version() >= 3 {
        let members = request.members.iter().map(|member| Leaver {
            member_id: member.member_id.as_str().into(),
            instance_id: text(member.group_instance_id.as_ref()),
        });
        members.collect()
    } else {
        vec![Leaver { member_id: request.member_id.as_str().into(), instance_id: None }]
    };
    let group = names::group(&request.group_id);
    ask(call, &group, |reply| Event::Leave { leavers, reply }, left)
}

fn sync_group(call: &mut Call<'_>) -> Result<Answer, CallError> {
    let request: SyncGroupRequest = call.decode()?;
    let assignments = request.assignments.iter();
    let sync = Sync {
        caller: Caller {
            member_id: request.member_id.as_str().into(),
            instance_id: text(request.group_instance_id.as_ref()),
            generation: request.generation_id,
        },
        protocol_type: text(request.protocol_type.as_ref()),
        protocol_name: text(request.protocol_name.as_ref()),
        assignments: assignments
            .map(|one| (one.member_id.as_str().into(), Arc::from(&*one.assignment)))
            .collect(),
    };
    let group = names::group(&request.group_id);
    ask(call, &group, |reply| Event::Sync { sync, reply }, synced)
}

fn text(value: Option<&StrBytes>) -> Option<Arc<str>> {
    value.map(|text| Arc::from(text.as_str()))
}

type Write = fn(&mut Reply<'_>, Outcome) -> Result<(), CallError>;

/// Puts `event` to the group and waits for its outcome, which `write` turns into the answer.
fn ask(
    call: &mut Call<'_>,
    group: &str,
    event: impl FnOnce(ReplyTo) -> Event,
    write: Write,
) -> Result<Answer, CallError> {
    let reply = &call.reply;
    reply.broker.ask_group(group, reply.mailbox, reply.head.token, reply.now, event);
    Ok(Answer::Parked(Box::new(AwaitGroup(write))))
}

struct AwaitGroup(Write);

impl Waiting for AwaitGroup {
    fn resume(&mut self, reply: &mut Reply<'_>, signal: Option<Signal>) -> Result<Progress, CallError> {
        let Some(Signal::Group(_, outcome)) = signal else { return Ok(Progress::Waits) };
        (self.0)(reply, outcome)?;
        Ok(Progress::Done)
    }
}

fn joined(reply: &mut Reply<'_>, outcome: Outcome) -> Result<(), CallError> {
    let version = reply.head.version;
    let nothing = || (version < 7).then(StrBytes::default);
    let response = match outcome {
        Outcome::Joined(joined) => join_response(*joined, version),
        Outcome::Refused { error, member_id } => JoinGroupResponse::default()
            .with_error_code(errors::group(error).0)
            .with_generation_id(-1)
            .with_protocol_name(nothing())
            .with_member_id(owned(&member_id)),
        _ => JoinGroupResponse::default()
            .with_error_code(ErrorCode::UNKNOWN_SERVER_ERROR.0)
            .with_protocol_name(nothing()),
    };
    reply.send(&response)
}

fn join_response(joined: Joined, version: i16) -> JoinGroupResponse {
    let members = joined.members.iter().map(|member| {
        let mut listed = JoinGroupResponseMember::default()
            .with_member_id(owned(&member.member_id))
            .with_metadata(Bytes::copy_from_slice(&member.metadata));
        if version >= 5 {
            listed.group_instance_id = member.instance_id.as_deref().map(owned);
        }
        listed
    });
    let mut response = JoinGroupResponse::default()
        .with_generation_id(joined.generation)
        .with_protocol_name(Some(owned(&joined.protocol_name)))
        .with_leader(owned(&joined.leader))
        .with_member_id(owned(&joined.member_id))
        .with_members(members.collect());
    if version >= 7 {
        response.protocol_type = Some(owned(&joined.protocol_type));
    }
    if version >= 9 {
        response.skip_assignment = joined.skip_assignment;
    }
    response
}

fn synced(reply: &mut Reply<'_>, outcome: Outcome) -> Result<(), CallError> {
    let response = match outcome {
        Outcome::Synced { protocol_type, protocol_name, assignment } => {
            let mut response =
                SyncGroupResponse::default().with_assignment(Bytes::copy_from_slice(&assignment));
            if reply.head.version >= 5 {
                response.protocol_type = Some(owned(&protocol_type));
                response.protocol_name = Some(owned(&protocol_name));
            }
            response
        }
        Outcome::Refused { error, .. } => {
            SyncGroupResponse::default().with_error_code(errors::group(error).0)
        }
        _ => SyncGroupResponse::default().with_error_code(ErrorCode::UNKNOWN_SERVER_ERROR.0),
    };
    reply.send(&response)
}

/// Below version 3 one member leaves and its result is the request's; above, each has its own.
fn left(reply: &mut Reply<'_>, outcome: Outcome) -> Result<(), CallError> {
    let code = |result: Result<(), GroupError>| result.err().map_or(ErrorCode::NONE, errors::group);
    let response = match outcome {
        Outcome::Left(members) if reply.head.version >= 3 => {
            let members = members.into_iter().map(|(leaver, result)| {
                MemberResponse::default()
                    .with_member_id(owned(&leaver.member_id))
                    .with_group_instance_id(leaver.instance_id.as_deref().map(owned))
                    .with_error_code(code(result).0)
            });
            LeaveGroupResponse::default().with_members(members.collect())
        }
        Outcome::Left(members) => {
            let error = members.into_iter().map(|(_, result)| code(result)).next().unwrap_or(ErrorCode::NONE);
            LeaveGroupResponse::default().with_error_code(error.0)
        }
        Outcome::Refused { error, .. } => {
            LeaveGroupResponse::default().with_error_code(errors::group(error).0)
        }
        _ => LeaveGroupResponse::default().with_error_code(ErrorCode::UNKNOWN_SERVER_ERROR.0),
    };
    reply.send(&response)
}

fn owned(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}
