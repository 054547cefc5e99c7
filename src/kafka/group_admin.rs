//! Groups for administrators: DescribeGroups (15), ListGroups (16), DeleteGroups (42), OffsetDelete (47).
//!
//! Groups that native clients hold are shown too, with the same offsets.
//! Source: Kafka 4.1 `KafkaApis`, `GroupCoordinatorService`; KIP-229 (delete groups), KIP-496 (delete offsets),
//! KIP-518 (states filter), KIP-848 (types filter), KIP-1043 (GROUP_ID_NOT_FOUND from version 6 on).

use bytes::Bytes;
use gantry_protocols::kafka::error_code::ErrorCode;
use gantry_protocols::kafka::messages::delete_groups_response::DeletableGroupResult;
use gantry_protocols::kafka::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use gantry_protocols::kafka::messages::list_groups_response::ListedGroup;
use gantry_protocols::kafka::messages::offset_delete_request::OffsetDeleteRequestTopic;
use gantry_protocols::kafka::messages::offset_delete_response::{
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use gantry_protocols::kafka::messages::{
    DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest, DescribeGroupsResponse, GroupId,
    ListGroupsRequest, ListGroupsResponse, OffsetDeleteRequest, OffsetDeleteResponse, StrBytes,
};

use super::call::{Answer, Call, CallError};
use super::{Lane, Route, errors, names};
use crate::broker::Broker;
use crate::broker::group_admin::{GroupListing, OffsetDeletion};
use crate::semantics::Millis;
use crate::semantics::kafka_group::{Description, MemberDescription, State};

pub(super) const ROUTES: &[Route] = &[
    Route::new(15, (0, 6), Lane::Admin, describe_groups),
    Route::new(16, (0, 5), Lane::Admin, list_groups),
    Route::new(42, (0, 2), Lane::Admin, delete_groups),
    Route::new(47, (0, 0), Lane::Admin, offset_delete),
];

/// KIP-848's name for groups of the first protocol.
const CLASSIC: &str = "classic";

/// Everything that can be done with a group, as bits of Kafka's `AclOperation`: read 3, delete 6, describe 8,
/// describe configs 10, alter configs 11. Nobody is refused anything yet.
const ALL_OPERATIONS: i32 = 1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11;

fn list_groups(call: &mut Call<'_>) -> Result<Answer, CallError> {
    let request: ListGroupsRequest = call.decode()?;
    let version = call.version();
    let asks = |filter: &[StrBytes], word: &str| {
        filter.is_empty() || filter.iter().any(|asked| asked.trim().eq_ignore_ascii_case(word))
    };
    let mut groups = call.broker().list_groups();
    groups.retain(|group| asks(&request.states_filter, group.state.name()));
    groups.retain(|_| asks(&request.types_filter, CLASSIC));
    let groups = groups.iter().map(|group| listed(group, version)).collect();
    call.answer(&ListGroupsResponse::default().with_groups(groups))
}

fn listed(group: &GroupListing, version: i16) -> ListedGroup {
    let mut listed = ListedGroup::default()
        .with_group_id(names::group_id(&group.name))
        .with_protocol_type(owned(&group.protocol_type));
    if version >= 4 {
        listed.group_state = StrBytes::from_static_str(group.state.name());
    }
    if version >= 5 {
        listed.group_type = StrBytes::from_static_str(CLASSIC);
    }
    listed
}

fn describe_groups(call: &mut Call<'_>) -> Result<Answer, CallError> {
    let request: DescribeGroupsRequest = call.decode()?;
    let (broker, version) = (call.broker(), call.version());
    let groups = request.groups.into_iter().map(|id| {
        let found = broker.describe_group(&names::group(&id));
        let mut described = match found {
            Some(found) => described(id, found, version),
            None => absent(id, version),
        };
        if request.include_authorized_operations && described.error_code == 0 {
            described.authorized_operations = ALL_OPERATIONS;
        }
        described
    });
    let groups = groups.collect();
    call.answer(&DescribeGroupsResponse::default().with_groups(groups))
}

fn described(id: GroupId, found: Description, version: i16) -> DescribedGroup {
    let members = found.members.iter().map(|member| described_member(member, version));
    DescribedGroup::default()
        .with_group_id(id)
        .with_group_state(StrBytes::from_static_str(found.state.name()))
        .with_protocol_type(owned(&found.protocol_type))
        .with_protocol_data(owned(&found.protocol_name))
        .with_members(members.collect())
}

/// A group that is not there is dead; only from version 6 on that is an error.
fn absent(id: GroupId, version: i16) -> DescribedGroup {
    let message = StrBytes::from_string(format!("Group {} not found.", id.as_str()));
    let absent = DescribedGroup::default()
        .with_group_id(id)
        .with_group_state(StrBytes::from_static_str(State::Dead.name()));
    if version < 6 {
        return absent;
    }
    absent.with_error_code(ErrorCode::GROUP_ID_NOT_FOUND.0).with_error_message(Some(message))
}

fn described_member(member: &MemberDescription, version: i16) -> DescribedGroupMember {
    let mut described = DescribedGroupMember::default()
        .with_member_id(owned(&member.member_id))
        .with_client_id(owned(&member.client_id))
        .with_client_host(owned(&member.client_host))
        .with_member_metadata(Bytes::copy_from_slice(&member.metadata))
        .with_member_assignment(Bytes::copy_from_slice(&member.assignment));
    if version >= 4 {
        described.group_instance_id = member.instance_id.as_deref().map(owned);
    }
    described
}

fn delete_groups(call: &mut Call<'_>) -> Result<Answer, CallError> {
    let request: DeleteGroupsRequest = call.decode()?;
    let (broker, now) = (call.broker(), call.reply.now);
    let results = request.groups_names.into_iter().map(|id| {
        let deleted = broker.delete_group(&names::group(&id), now);
        let error = deleted.err().map_or(ErrorCode::NONE, |error| errors::delete_group(&error));
        DeletableGroupResult::default().with_group_id(id).with_error_code(error.0)
    });
    let results = results.collect();
    call.answer(&DeleteGroupsResponse::default().with_results(results))
}

fn offset_delete(call: &mut Call<'_>) -> Result<Answer, CallError> {
    let request: OffsetDeleteRequest = call.decode()?;
    let (broker, now) = (call.broker(), call.reply.now);
    let group = names::group(&request.group_id);
    let response = match broker.offset_deletion(&group) {
        Ok(deletion) => {
            let topics =
                request.topics.into_iter().map(|topic| delete_of_topic(broker, &deletion, topic, now));
            OffsetDeleteResponse::default().with_topics(topics.collect())
        }
        Err(error) => OffsetDeleteResponse::default().with_error_code(errors::delete_group(&error).0),
    };
    call.answer(&response)
}

fn delete_of_topic(
    broker: &Broker,
    deletion: &OffsetDeletion<'_>,
    asked: OffsetDeleteRequestTopic,
    now: Millis,
) -> OffsetDeleteResponseTopic {
    let topic = names::topic(broker, &asked.name);
    let partitions = asked.partitions.iter().map(|partition| {
        let index = partition.partition_index;
        let error = match &topic {
            None => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            Some(topic) => broker
                .delete_offset(deletion, topic, index, now)
                .err()
                .map_or(ErrorCode::NONE, |error| errors::delete_group(&error)),
        };
        OffsetDeleteResponsePartition::default().with_partition_index(index).with_error_code(error.0)
    });
    let partitions = partitions.collect();
    OffsetDeleteResponseTopic::default().with_name(asked.name).with_partitions(partitions)
}

fn owned(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}
