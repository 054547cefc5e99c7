//! What DescribeGroups and ListGroups tell about a group.
//!
//! Source: Kafka 4.1 `ClassicGroup.describe`.

use std::sync::Arc;

use super::{Group, Member, MemberId, State};

/// A group as DescribeGroups shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Where the group is in its life.
    pub state: State,
    /// "consumer", "connect" ...; empty when no member ever joined.
    pub protocol_type: Arc<str>,
    /// The chosen protocol; empty unless the group is stable.
    pub protocol_name: Arc<str>,
    /// In the order they came.
    pub members: Vec<MemberDescription>,
}

/// A member as DescribeGroups shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberDescription {
    /// The member.
    pub member_id: MemberId,
    /// `group.instance.id` of a static member.
    pub instance_id: Option<Arc<str>>,
    /// The client's name for itself.
    pub client_id: Arc<str>,
    /// The client's address, as text.
    pub client_host: Arc<str>,
    /// The metadata for the chosen protocol; empty unless the group is stable.
    pub metadata: Arc<[u8]>,
    /// The assignment; empty unless the group is stable.
    pub assignment: Arc<[u8]>,
}

impl Group {
    /// Members with metadata and assignment; these two and the protocol only while the group is stable.
    pub fn describe(&self) -> Description {
        let protocol = self.protocol_name.clone().filter(|_| self.state == State::Stable);
        let members = self.members.iter().map(|(id, member)| describe(id, member, protocol.as_deref()));
        let members = members.collect();
        Description {
            state: self.state,
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            protocol_name: protocol.unwrap_or_default(),
            members,
        }
    }

    /// The metadata of each member for the protocol that was chosen last, if one was.
    pub fn chosen_metadata(&self) -> Option<impl Iterator<Item = &[u8]>> {
        let protocol = self.protocol_name.as_deref()?;
        Some(self.members.values().filter_map(move |member| member.metadata(protocol).map(|bytes| &**bytes)))
    }

    /// The protocol type; empty when no member ever joined.
    pub fn protocol_type(&self) -> &str {
        self.protocol_type.as_deref().unwrap_or_default()
    }
}

fn describe(id: &MemberId, member: &Member, protocol: Option<&str>) -> MemberDescription {
    MemberDescription {
        member_id: Arc::clone(id),
        instance_id: member.instance_id.clone(),
        client_id: Arc::clone(&member.client_id),
        client_host: Arc::clone(&member.client_host),
        metadata: protocol.and_then(|name| member.metadata(name)).cloned().unwrap_or_default(),
        assignment: protocol.map(|_| Arc::clone(&member.assignment)).unwrap_or_default(),
    }
}
