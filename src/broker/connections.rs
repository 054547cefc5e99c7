//! Who is connected: members of consumer groups of both dialects, producers, and what groups subscribe.
//!
//! Kafka members are shown in RocketMQ's words: a connection for each, with the member id as client id, and the topics
//! they subscribe.
//! Source: RocketMQ 5.3.3 `AdminBrokerProcessor.getConsumerConnectionList`, `getAllProducerInfo`, bridge rule G7.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use indexmap::IndexSet;

use super::Broker;
use crate::mapping::names;
use crate::semantics::Millis;
use crate::semantics::subscriptions::{ConsumeFrom, ConsumeType, MessageModel, Subscription};

/// A client on a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientConnection {
    /// The client's id; of a Kafka member its member id.
    pub client_id: Arc<str>,
    /// Where it comes from; without a port where nobody knows it.
    pub address: String,
    /// Number of its language; `None`: a Kafka client, which does not say.
    pub language: Option<u8>,
    /// Number of its version; 0 for Kafka clients.
    pub version: i32,
    /// When it was heard last.
    pub last_heartbeat: Millis,
}

/// A consumer group with live members.
#[derive(Clone, Debug)]
pub struct ConsumerConnections {
    /// Where a queue without an offset begins.
    pub consume_from: ConsumeFrom,
    /// Push, pull or pop.
    pub consume_type: ConsumeType,
    /// Clustering or broadcasting.
    pub message_model: MessageModel,
    /// What the group subscribes.
    pub subscriptions: Vec<Subscription>,
    /// In the order they came.
    pub connections: Vec<ClientConnection>,
}

impl Broker {
    /// The live members of a group of either dialect; `None` when nobody is there.
    #[must_use]
    pub fn consumer_connections(&self, group: &str) -> Option<ConsumerConnections> {
        self.native_connections(group).or_else(|| self.kafka_connections(group))
    }

    fn native_connections(&self, group: &str) -> Option<ConsumerConnections> {
        self.clients.look(|clients, address| {
            let found = clients.consumer_group(group)?;
            let connections = found.channels().filter_map(|(connection, channel)| {
                Some(ClientConnection {
                    client_id: Arc::clone(&channel.client_id),
                    address: address(connection)?,
                    language: Some(channel.language),
                    version: channel.version,
                    last_heartbeat: channel.last_heartbeat,
                })
            });
            Some(ConsumerConnections {
                consume_from: found.consume_from,
                consume_type: found.consume_type,
                message_model: found.message_model,
                subscriptions: found.subscriptions().cloned().collect(),
                connections: connections.collect(),
            })
        })
    }

    fn kafka_connections(&self, group: &str) -> Option<ConsumerConnections> {
        let found = self.groups.describe(group).filter(|found| !found.members.is_empty())?;
        let topics = self.groups.subscribed(group).unwrap_or_default();
        let stored = topics.iter().filter_map(|topic| {
            names::from_kafka(topic, |stored| self.topic(stored).is_some()).map(Cow::into_owned)
        });
        let subscriptions: BTreeSet<String> = stored.collect();
        let connections = found.members.iter().map(|member| ClientConnection {
            client_id: Arc::clone(&member.member_id),
            address: member.client_host.trim_start_matches('/').to_owned(),
            language: None,
            version: 0,
            last_heartbeat: self.now(),
        });
        Some(ConsumerConnections {
            consume_from: ConsumeFrom::LastOffset,
            consume_type: ConsumeType::Actively,
            message_model: MessageModel::Clustering,
            subscriptions: subscriptions.iter().map(|topic| everything_of(topic)).collect(),
            connections: connections.collect(),
        })
    }

    /// The live producers of a group; `None` when nobody is there.
    #[must_use]
    pub fn producer_connections(&self, group: &str) -> Option<Vec<ClientConnection>> {
        let found = self.all_producers().into_iter().find(|(name, _)| **name == *group)?;
        Some(found.1)
    }

    /// All producer groups with their live producers.
    #[must_use]
    pub fn all_producers(&self) -> Vec<(Arc<str>, Vec<ClientConnection>)> {
        self.clients.look(|clients, address| {
            let producers = |group: &str| {
                let channels = clients.producer_channels(group).filter_map(|(connection, channel)| {
                    Some(ClientConnection {
                        client_id: Arc::clone(&channel.client_id),
                        address: address(connection)?,
                        language: Some(channel.language),
                        version: channel.version,
                        last_heartbeat: channel.last_heartbeat,
                    })
                });
                channels.collect()
            };
            clients.producer_groups().map(|group| (Arc::from(group), producers(group))).collect()
        })
    }

    /// Groups of either dialect that subscribe the topic or committed offsets in it, sorted.
    #[must_use]
    pub fn groups_of_topic(&self, topic: &str) -> Vec<String> {
        let stored = self.resolve_native(topic);
        let mut groups: BTreeSet<String> = self.groups_with_offsets_in(&stored);
        self.clients.look(|clients, _| {
            for name in [topic, &*stored] {
                groups.extend(clients.groups_subscribing(name).map(str::to_owned));
            }
        });
        let Some(found) = self.topic(&stored) else { return groups.into_iter().collect() };
        for group in self.groups.names(crate::semantics::Dialect::Kafka) {
            let subscribed = self.groups.subscribed(&group).unwrap_or_default();
            if found.kafka_name().is_some_and(|name| subscribed.contains(name)) {
                groups.insert(group.to_string());
            }
        }
        groups.into_iter().collect()
    }

    /// What the live clients of a group subscribe of a topic.
    #[must_use]
    pub fn subscription(&self, group: &str, topic: &str) -> Option<Subscription> {
        let stored = self.resolve_native(topic);
        let native = self.clients.look(|clients, _| {
            let found = clients.subscription(group, topic).or_else(|| clients.subscription(group, &stored));
            found.cloned()
        });
        native.or_else(|| {
            let members = self.kafka_connections(group)?;
            members.subscriptions.into_iter().find(|one| *one.topic == *stored)
        })
    }

    /// Whether live clients of the group subscribe something, and not this topic.
    pub(super) fn subscribes_others_only(&self, group: &str, stored: &str) -> bool {
        let Some(found) = self.consumer_connections(group) else { return false };
        let is_it = |one: &Subscription| *self.resolve_native(&one.topic) == *stored;
        !found.subscriptions.is_empty() && !found.subscriptions.iter().any(is_it)
    }
}

fn everything_of(topic: &str) -> Subscription {
    Subscription {
        topic: topic.into(),
        expression: "*".into(),
        expression_type: "TAG".into(),
        tags: IndexSet::new(),
        codes: IndexSet::new(),
        sub_version: 0,
        is_class_filter: false,
    }
}
