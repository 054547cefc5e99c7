//! Groups as administrators see and delete them: both dialects in one list, in the words of Kafka's classic groups.
//!
//! A group exists here when it has members of either dialect, had Kafka members since the start, or has offsets. Native
//! members are shown as consumers that hold what the default strategy gives them; the broker does not know what another
//! strategy made of it.
//! Source: Kafka 4.1 `GroupMetadataManager.listGroups`, `describeGroups`, `OffsetMetadataManager.deleteOffsets`.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::clients::NativeMembers;
use super::offsets::OffsetError;
use super::{Broker, Topic};
use crate::mapping::{consumer_protocol, names};
use crate::semantics::allocation::{AVERAGELY, averagely};
use crate::semantics::groups::RemoveError;
use crate::semantics::kafka_group::{Description, MemberDescription, State};
use crate::semantics::offsets::OffsetKey;
use crate::semantics::{Dialect, Millis};

/// Groups of RocketMQ's own services begin so.
const SYSTEM_GROUPS: &str = "CID_RMQ_SYS_";

/// A group in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupListing {
    /// Its stored name.
    pub name: Arc<str>,
    /// Where it is in its life.
    pub state: State,
    /// "consumer", "connect" ...; empty when nothing is known but that Kafka clients committed offsets.
    pub protocol_type: Arc<str>,
}

/// Why a group, or an offset of it, is not deleted.
#[derive(Debug, thiserror::Error)]
pub enum DeleteError {
    /// No such group.
    #[error("the group does not exist")]
    NotFound,
    /// It has live members.
    #[error("the group has live {0:?} members; stop them first")]
    NonEmpty(Dialect),
    /// Live members subscribe the topic.
    #[error("live members of the group subscribe the topic; stop them first")]
    Subscribed,
    /// The offset journal could not be written; nothing is deleted.
    #[error(transparent)]
    Offsets(#[from] OffsetError),
}

/// Leave to delete offsets of one group, and of which topics not.
#[derive(Debug)]
pub struct OffsetDeletion<'g> {
    group: &'g str,
    /// Kafka names of topics that live members subscribe; `None`: nobody knows which, so all are.
    subscribed: Option<HashSet<String>>,
}

impl Broker {
    /// Every group, in the order of their names.
    #[must_use]
    pub fn list_groups(&self) -> Vec<GroupListing> {
        let mut groups: BTreeMap<Arc<str>, GroupListing> = BTreeMap::new();
        let mut add = |name: &str, state, protocol_type: &str| {
            let name: Arc<str> = name.into();
            let listing =
                GroupListing { name: Arc::clone(&name), state, protocol_type: protocol_type.into() };
            groups.insert(name, listing);
        };
        for group in self.committed_groups() {
            add(&group, State::Empty, self.type_by_offsets(&group).unwrap_or_default());
        }
        let (native, ..) = self.clients.sizes();
        let kafka = self.groups.list();
        let (idle, busy): (Vec<_>, Vec<_>) = kafka.iter().partition(|group| group.state == State::Empty);
        idle.iter().for_each(|group| add(&group.name, group.state, &group.protocol_type));
        native.iter().for_each(|group| add(group, State::Stable, consumer_protocol::PROTOCOL_TYPE));
        busy.iter().for_each(|group| add(&group.name, group.state, &group.protocol_type));
        groups.into_values().filter(|group| !group.name.starts_with(SYSTEM_GROUPS)).collect()
    }

    /// A group with its members; `None` when it does not exist.
    #[must_use]
    pub fn describe_group(&self, group: &str) -> Option<Description> {
        let kafka = self.groups.describe(group);
        if let Some(kafka) = kafka.as_ref().filter(|kafka| !kafka.members.is_empty()) {
            return Some(kafka.clone());
        }
        if let Some(native) = self.clients.members(group) {
            return Some(self.describe_native(&native));
        }
        kafka.or_else(|| self.type_by_offsets(group).map(describe_empty))
    }

    /// What offsets alone tell of a group: Kafka shows no type for groups that only ever committed.
    fn type_by_offsets(&self, group: &str) -> Option<&'static str> {
        let only_kafkas = self.is_only_kafkas(group)?;
        Some(if only_kafkas { "" } else { consumer_protocol::PROTOCOL_TYPE })
    }

    fn describe_native(&self, native: &NativeMembers) -> Description {
        let topics: Vec<(String, i32)> =
            native.topics.iter().filter_map(|name| self.subscribed(name)).collect();
        let metadata = consumer_protocol::subscription(topics.iter().map(|(name, _)| name.as_str()));
        let metadata: Arc<[u8]> = metadata.into();
        let mut ranks: Vec<usize> = (0..native.clients.len()).collect();
        ranks.sort_by_key(|at| native.clients.get(*at).map(|(id, _)| Arc::clone(id)));
        let members = native.clients.iter().enumerate().map(|(at, (client_id, remote))| {
            let rank = ranks.iter().position(|ranked| *ranked == at).unwrap_or(0);
            let share = |queues| match native.broadcasting {
                true => 0..queues,
                false => averagely(queues, ranks.len(), rank),
            };
            let owned: Vec<(String, Vec<i32>)> = topics
                .iter()
                .map(|(name, queues)| (name.clone(), share(*queues).collect::<Vec<i32>>()))
                .filter(|(_, queues)| !queues.is_empty())
                .collect();
            MemberDescription {
                member_id: Arc::clone(client_id),
                instance_id: None,
                client_id: Arc::clone(client_id),
                client_host: format!("/{}", remote.ip()).into(),
                metadata: Arc::clone(&metadata),
                assignment: consumer_protocol::assignment(&owned).into(),
            }
        });
        Description {
            state: State::Stable,
            protocol_type: consumer_protocol::PROTOCOL_TYPE.into(),
            protocol_name: AVERAGELY.into(),
            members: members.collect(),
        }
    }

    /// A topic that a native client subscribes: its Kafka name and its queues.
    fn subscribed(&self, name: &str) -> Option<(String, i32)> {
        let stored = names::from_native(name, |stored| self.topic(stored).is_some());
        let topic = self.topic(&stored)?;
        Some((topic.kafka_name()?.to_owned(), topic.config().read_queues))
    }

    /// Deletes a group without members and its offsets. Survives a kill once this returns.
    ///
    /// # Errors
    /// Somebody is in it, it is not there, or the journal's failure.
    pub fn delete_group(&self, group: &str, now: Millis) -> Result<(), DeleteError> {
        if self.is_group_online(group) {
            return Err(DeleteError::NonEmpty(Dialect::Native));
        }
        let known = match self.groups.remove(group) {
            Ok(()) => true,
            Err(RemoveError::NotFound) => false,
            Err(RemoveError::NonEmpty { dialect }) => return Err(DeleteError::NonEmpty(dialect)),
        };
        let had_offsets = self.remove_offsets_of_group(group, now)?;
        if known || had_offsets { Ok(()) } else { Err(DeleteError::NotFound) }
    }

    /// Whether offsets of the group may be deleted at all.
    ///
    /// # Errors
    /// The group is not there, or has members that are no consumers.
    pub fn offset_deletion<'g>(&self, group: &'g str) -> Result<OffsetDeletion<'g>, DeleteError> {
        let found = self.describe_group(group).ok_or(DeleteError::NotFound)?;
        if found.members.is_empty() {
            return Ok(OffsetDeletion { group, subscribed: Some(HashSet::new()) });
        }
        if &*found.protocol_type != consumer_protocol::PROTOCOL_TYPE {
            return Err(DeleteError::NonEmpty(Dialect::Kafka));
        }
        let subscribed = match found.state {
            State::Stable => topics_of(found.members.iter().map(|member| &*member.metadata)),
            _ => self.groups.subscribed(group),
        };
        Ok(OffsetDeletion { group, subscribed })
    }

    /// Deletes the offset of one partition, if it is there.
    ///
    /// # Errors
    /// The partition does not exist, live members subscribe the topic, or the journal's failure.
    pub fn delete_offset(
        &self,
        deletion: &OffsetDeletion<'_>,
        topic: &Topic,
        partition: i32,
        now: Millis,
    ) -> Result<(), DeleteError> {
        if !(0..topic.partitions()).contains(&partition) {
            let topic = topic.name().to_owned();
            return Err(OffsetError::UnknownPartition { topic, partition }.into());
        }
        let named = topic.kafka_name().unwrap_or_default();
        if deletion.subscribed.as_ref().is_none_or(|topics| topics.contains(named)) {
            return Err(DeleteError::Subscribed);
        }
        let key = OffsetKey { group: deletion.group, topic: topic.name(), queue: partition };
        Ok(self.remove_offset(key, now)?)
    }
}

/// The topics of all members; `None` when one of them cannot be read.
pub(super) fn topics_of<'m>(metadata: impl Iterator<Item = &'m [u8]>) -> Option<HashSet<String>> {
    let mut topics = HashSet::new();
    for one in metadata {
        topics.extend(consumer_protocol::subscribed_topics(one).ok()?.into_iter().map(str::to_owned));
    }
    Some(topics)
}

fn describe_empty(protocol_type: &str) -> Description {
    Description {
        state: State::Empty,
        protocol_type: protocol_type.into(),
        protocol_name: "".into(),
        members: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::BrokerSettings;
    use crate::broker::test_broker::TestBroker;

    fn listed(test: &TestBroker) -> Vec<(String, State, String)> {
        let groups = test.broker.list_groups().into_iter();
        groups.map(|group| (group.name.to_string(), group.state, group.protocol_type.to_string())).collect()
    }

    #[test]
    fn a_native_group_is_seen_while_it_lives_and_while_it_has_offsets() {
        let test = TestBroker::open(BrokerSettings::default());
        test.create("k");
        test.heartbeat();
        assert_eq!(listed(&test), [("CG".to_owned(), State::Stable, "consumer".to_owned())]);
        let found = test.broker.describe_group("CG").unwrap();
        assert_eq!((found.members.len(), &*found.members[0].client_host), (1, "/127.0.0.1"));
        let refused = test.broker.delete_group("CG", test.broker.now());
        assert!(matches!(refused, Err(DeleteError::NonEmpty(Dialect::Native))), "{refused:?}");
        test.broker.commit_offset("CG", "k", 0, 0, test.broker.now()).unwrap();
        test.pass(120_000);
        assert_eq!(listed(&test), [("CG".to_owned(), State::Empty, "consumer".to_owned())]);
        test.broker.delete_group("CG", test.broker.now()).unwrap();
        assert_eq!(test.broker.committed_offset("CG", "k", 0, false), None);
        assert!(listed(&test).is_empty());
        let gone = test.broker.delete_group("CG", test.broker.now());
        assert!(matches!(gone, Err(DeleteError::NotFound)), "{gone:?}");
    }

    #[test]
    fn one_offset_is_deleted_and_the_others_stay() {
        let test = TestBroker::open(BrokerSettings::default());
        test.create("k");
        let (topic, now) = (test.broker.topic("k").unwrap(), test.broker.now());
        assert!(matches!(test.broker.offset_deletion("g"), Err(DeleteError::NotFound)));
        test.create("other");
        for name in ["k", "other"] {
            test.broker.commit_offset("g", name, 0, 0, now).unwrap();
        }
        let deletion = test.broker.offset_deletion("g").unwrap();
        test.broker.delete_offset(&deletion, &topic, 0, now).unwrap();
        let unknown = test.broker.delete_offset(&deletion, &topic, 1, now);
        assert!(matches!(unknown, Err(DeleteError::Offsets(OffsetError::UnknownPartition { .. }))));
        assert_eq!(test.broker.committed_offset("g", "k", 0, false), None);
        assert_eq!(test.broker.committed_offset("g", "other", 0, false), Some(0));
    }
}
