//! One native consumer group: its channels and what it subscribes.
//!
//! Source: RocketMQ 5.3.3 `broker/client/ConsumerGroupInfo.java`.

use std::collections::HashSet;
use std::sync::Arc;

use indexmap::IndexMap;

use super::{ConnectionId, ConsumerData, Subscription};
use crate::semantics::Millis;

/// How a group consumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsumeType {
    /// `CONSUME_ACTIVELY`: pull.
    Actively,
    /// `CONSUME_PASSIVELY`: push.
    Passively,
    /// `CONSUME_POP`.
    Pop,
}

/// Who of a group gets a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageModel {
    /// One member.
    Clustering,
    /// Every member.
    Broadcasting,
}

/// Where a queue without a committed offset begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsumeFrom {
    /// `CONSUME_FROM_LAST_OFFSET`, also for the legacy words.
    LastOffset,
    /// `CONSUME_FROM_FIRST_OFFSET`.
    FirstOffset,
    /// `CONSUME_FROM_TIMESTAMP`.
    Timestamp,
}

/// A client on a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// `ip@instanceName`, as the client chose it.
    pub client_id: Arc<str>,
    /// Number of the client's language.
    pub language: u8,
    /// Number of the client's version.
    pub version: i32,
    /// When it was heard last.
    pub last_heartbeat: Millis,
}

/// A consumer group with at least one channel.
#[derive(Clone, Debug)]
pub struct ConsumerGroup {
    /// Push, pull or pop; the last heartbeat's word counts.
    pub consume_type: ConsumeType,
    /// Clustering or broadcasting; the last heartbeat's word counts.
    pub message_model: MessageModel,
    /// Where a queue without an offset begins; the last heartbeat's word counts.
    pub consume_from: ConsumeFrom,
    channels: IndexMap<ConnectionId, Channel>,
    subscriptions: IndexMap<Arc<str>, Subscription>,
    /// Of the last heartbeat; 0 from clients that do not know heartbeat version 2.
    fingerprint: Option<i32>,
}

impl ConsumerGroup {
    pub(super) fn new(data: &ConsumerData) -> Self {
        Self {
            consume_type: data.consume_type,
            message_model: data.message_model,
            consume_from: data.consume_from,
            channels: IndexMap::new(),
            subscriptions: IndexMap::new(),
            fingerprint: None,
        }
    }

    /// Channels in the order they came.
    pub fn channels(&self) -> impl Iterator<Item = (ConnectionId, &Channel)> {
        self.channels.iter().map(|(connection, channel)| (*connection, channel))
    }

    /// The channel on a connection.
    pub fn channel(&self, connection: ConnectionId) -> Option<&Channel> {
        self.channels.get(&connection)
    }

    /// What the group subscribes, in the order it came.
    pub fn subscriptions(&self) -> impl Iterator<Item = &Subscription> {
        self.subscriptions.values()
    }

    /// What the group subscribes of a topic.
    pub fn subscription(&self, topic: &str) -> Option<&Subscription> {
        self.subscriptions.get(topic)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.channels.is_empty()
    }

    /// Registers or refreshes a channel; true when the connection is new in the group.
    pub(super) fn join(&mut self, connection: ConnectionId, channel: Channel, data: &ConsumerData) -> bool {
        self.consume_type = data.consume_type;
        self.message_model = data.message_model;
        self.consume_from = data.consume_from;
        self.channels.insert(connection, channel).is_none()
    }

    pub(super) fn leave(&mut self, connection: ConnectionId) -> bool {
        self.channels.shift_remove(&connection).is_some()
    }

    /// Takes over what a heartbeat subscribes: new topics are added, a higher version replaces, topics that are
    /// absent go. True when a topic was added or went; a replaced one moves no queue, so nobody is told of it.
    pub(super) fn subscribe(&mut self, subscriptions: Vec<Subscription>) -> bool {
        let before = self.subscriptions.len();
        let named: HashSet<&str> = subscriptions.iter().map(|new| &*new.topic).collect();
        self.subscriptions.retain(|topic, _| named.contains(&**topic));
        let mut changed = self.subscriptions.len() != before;
        for new in subscriptions {
            match self.subscriptions.get_mut(&new.topic) {
                Some(known) if known.is_older_than(new.sub_version) => *known = new,
                Some(_) => {}
                None => {
                    self.subscriptions.insert(Arc::clone(&new.topic), new);
                    changed = true;
                }
            }
        }
        changed
    }

    /// Stores the fingerprint of a heartbeat; true when the client should send its subscriptions (again): another
    /// fingerprint was there, or this heartbeat had none and nobody sent them before. A stock broker forgets the
    /// second case, and after a restart never learns what such a group subscribes.
    pub(super) fn replace_fingerprint(&mut self, fingerprint: i32, without_sub: bool) -> bool {
        let before = self.fingerprint.replace(fingerprint);
        before.map_or(without_sub, |before| before != fingerprint)
    }
}
