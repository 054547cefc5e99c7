//! Native clients that live: producer groups and consumer groups, their channels, what each group subscribes.
//!
//! A heartbeat registers at once: a push consumer asks for the consumer list right after its first heartbeat
//! and pulls only what it then finds itself in. The list has one entry a connection, in the order they came,
//! and is not de-duplicated: clients allocate by it.
//!
//! Every client of a group overwrites the same subscriptions; two clients that subscribe differently keep
//! flipping them, as on a stock broker. Not here: whether the group may be native at all ([`super::groups`]);
//! the caller claims it before the heartbeat, for groups that do not broadcast, and releases it on
//! [`Effect::GroupVacated`].
//!
//! Source: RocketMQ 5.3.3 `broker/client/{ConsumerManager,ConsumerGroupInfo,ProducerManager}.java`,
//! `broker/processor/ClientManageProcessor.java`.

mod consumer_group;
mod subscription;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use indexmap::IndexMap;

use super::Millis;
pub use consumer_group::{Channel, ConsumeFrom, ConsumeType, ConsumerGroup, MessageModel};
pub use subscription::Subscription;

/// A channel without a heartbeat for so long is dropped, unless configured (`channelExpiredTimeout`).
pub const CHANNEL_EXPIRY_MS: i64 = 120_000;

/// Names a connection; opaque here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// A consumer group in a heartbeat.
#[derive(Clone, Debug)]
pub struct ConsumerData {
    /// The group.
    pub group: Arc<str>,
    /// Push, pull or pop.
    pub consume_type: ConsumeType,
    /// Clustering or broadcasting.
    pub message_model: MessageModel,
    /// Where a queue without an offset begins.
    pub consume_from: ConsumeFrom,
    /// What the group subscribes; of no meaning in a heartbeat without subscriptions.
    pub subscriptions: Vec<Subscription>,
}

/// A heartbeat.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    /// Who sends it.
    pub client_id: Arc<str>,
    /// Where it came in.
    pub connection: ConnectionId,
    /// Number of the client's language.
    pub language: u8,
    /// Number of the client's version.
    pub version: i32,
    /// Its producer groups.
    pub producers: Vec<Arc<str>>,
    /// Its consumer groups.
    pub consumers: Vec<ConsumerData>,
    /// Hash of the subscriptions; 0 from clients that do not know heartbeat version 2.
    pub fingerprint: i32,
    /// Version 2: no subscriptions inside, they are what the fingerprint says.
    pub without_sub: bool,
}

/// What happens to native clients.
#[derive(Clone, Debug)]
pub enum Event {
    /// HEART_BEAT.
    Heartbeat(Heartbeat),
    /// UNREGISTER_CLIENT: the connection leaves these groups.
    Unregister {
        /// Where it came in.
        connection: ConnectionId,
        /// The producer group to leave.
        producer_group: Option<Arc<str>>,
        /// The consumer group to leave.
        consumer_group: Option<Arc<str>>,
    },
    /// The connection is closed.
    Closed {
        /// Which.
        connection: ConnectionId,
    },
    /// A deadline may have passed.
    Tick,
}

/// What the caller performs, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Create `%RETRY%group` where it is missing.
    EnsureRetryTopic {
        /// The group.
        group: Arc<str>,
    },
    /// Send NOTIFY_CONSUMER_IDS_CHANGED, one-way.
    NotifyConsumerIdsChanged {
        /// The group that changed.
        group: Arc<str>,
        /// All channels of the group.
        connections: Vec<ConnectionId>,
    },
    /// The last consumer of a group went.
    GroupVacated {
        /// The group.
        group: Arc<str>,
    },
    /// Answer the heartbeat: `is_sub_changed` asks the client for a heartbeat with subscriptions.
    Answer {
        /// `IS_SUB_CHANGE`.
        is_sub_changed: bool,
    },
    /// Call `step` with [`Event::Tick`] at this time at the latest; replaces any earlier wish.
    WakeAt(Millis),
}

#[derive(Debug, Default)]
struct Connection {
    producer_groups: Vec<Arc<str>>,
    consumer_groups: Vec<Arc<str>>,
    /// When to look whether its channels are still alive.
    due: Millis,
}

/// The table of live native clients.
#[derive(Debug)]
pub struct Subscriptions {
    consumers: HashMap<Arc<str>, ConsumerGroup>,
    producers: HashMap<Arc<str>, IndexMap<ConnectionId, Channel>>,
    connections: HashMap<ConnectionId, Connection>,
    /// One entry for each connection.
    due: BTreeSet<(Millis, ConnectionId)>,
    armed: Option<Millis>,
    channel_expiry_ms: i64,
}

impl Default for Subscriptions {
    fn default() -> Self {
        Self::new(CHANNEL_EXPIRY_MS)
    }
}

impl Subscriptions {
    /// Nobody yet; a channel is dropped after `channel_expiry_ms` without a heartbeat.
    pub fn new(channel_expiry_ms: i64) -> Self {
        Self {
            consumers: HashMap::new(),
            producers: HashMap::new(),
            connections: HashMap::new(),
            due: BTreeSet::new(),
            armed: None,
            channel_expiry_ms,
        }
    }

    /// Applies one event at `now`.
    pub fn step(&mut self, now: Millis, event: Event, out: &mut Vec<Effect>) {
        match event {
            Event::Heartbeat(heartbeat) => self.heartbeat(now, heartbeat, out),
            Event::Unregister { connection, producer_group, consumer_group } => {
                if let Some(group) = producer_group {
                    self.leave_producers(connection, &group);
                }
                if let Some(group) = consumer_group {
                    self.leave_consumers(connection, &group, out);
                }
                self.forget_if_idle(connection);
            }
            Event::Closed { connection } => self.closed(connection, out),
            Event::Tick => self.expire(now, out),
        }
        let next = self.next_deadline();
        if next != self.armed {
            out.extend(next.map(Effect::WakeAt));
            self.armed = next;
        }
    }

    /// The earliest time at which [`Event::Tick`] may have something to do; heartbeats only move it later.
    pub fn next_deadline(&self) -> Option<Millis> {
        self.due.first().map(|(at, _)| *at)
    }

    /// A consumer group with live channels.
    pub fn consumer_group(&self, group: &str) -> Option<&ConsumerGroup> {
        self.consumers.get(group)
    }

    /// All consumer groups with live channels, in no order.
    pub fn consumer_groups(&self) -> impl Iterator<Item = (&str, &ConsumerGroup)> {
        self.consumers.iter().map(|(name, group)| (&**name, group))
    }

    /// Client ids of a group, one for each connection, in the order they came. `None` when nobody is there:
    /// clients expect an error then, not an empty list.
    pub fn consumer_ids(&self, group: &str) -> Option<impl Iterator<Item = &Arc<str>>> {
        self.consumers.get(group).map(|group| group.channels().map(|(_, channel)| &channel.client_id))
    }

    /// What a group subscribes of a topic. A pull that names a newer version must be told to wait for the next
    /// heartbeat ([`Subscription::is_older_than`]); any other difference is no error.
    pub fn subscription(&self, group: &str, topic: &str) -> Option<&Subscription> {
        self.consumers.get(group)?.subscription(topic)
    }

    /// Groups with live channels that subscribe a topic, in no order.
    pub fn groups_subscribing(&self, topic: &str) -> impl Iterator<Item = &str> {
        self.consumer_groups()
            .filter(move |(_, group)| group.subscription(topic).is_some())
            .map(|(name, _)| name)
    }

    /// Channels of a producer group, in the order they came; none when nobody is there.
    pub fn producer_channels(&self, group: &str) -> impl Iterator<Item = (ConnectionId, &Channel)> {
        self.producers.get(group).into_iter().flatten().map(|(connection, channel)| (*connection, channel))
    }

    /// All producer groups with live channels, in no order.
    pub fn producer_groups(&self) -> impl Iterator<Item = &str> {
        self.producers.keys().map(|group| &**group)
    }

    fn heartbeat(&mut self, now: Millis, heartbeat: Heartbeat, out: &mut Vec<Effect>) {
        let Heartbeat {
            client_id,
            connection,
            language,
            version,
            producers,
            consumers,
            fingerprint,
            without_sub,
        } = heartbeat;
        let channel = Channel { client_id, language, version, last_heartbeat: now };
        let mut is_sub_changed = fingerprint == 0;
        for data in consumers {
            out.push(Effect::EnsureRetryTopic { group: Arc::clone(&data.group) });
            self.know(now, connection, &data.group, |known| &mut known.consumer_groups);
            let group =
                self.consumers.entry(Arc::clone(&data.group)).or_insert_with(|| ConsumerGroup::new(&data));
            is_sub_changed |= group.replace_fingerprint(fingerprint, without_sub);
            let name = Arc::clone(&data.group);
            let joined = group.join(connection, channel.clone(), &data);
            let changed = !without_sub && group.subscribe(data.subscriptions);
            if joined || changed {
                notify(&name, group, out);
            }
        }
        for group in producers {
            self.know(now, connection, &group, |known| &mut known.producer_groups);
            self.producers.entry(group).or_default().insert(connection, channel.clone());
        }
        out.push(Effect::Answer { is_sub_changed });
    }

    /// Remembers that the connection is in a group, and when to look after it.
    fn know(
        &mut self,
        now: Millis,
        connection: ConnectionId,
        group: &Arc<str>,
        list: impl Fn(&mut Connection) -> &mut Vec<Arc<str>>,
    ) {
        let known = self.connections.entry(connection).or_insert_with(|| {
            let due = now.plus(self.channel_expiry_ms);
            self.due.insert((due, connection));
            Connection { due, ..Connection::default() }
        });
        let groups = list(known);
        if !groups.contains(group) {
            groups.push(Arc::clone(group));
        }
    }

    fn leave_producers(&mut self, connection: ConnectionId, group: &str) {
        if let Some(known) = self.connections.get_mut(&connection) {
            known.producer_groups.retain(|name| &**name != group);
        }
        if let Some(channels) = self.producers.get_mut(group) {
            channels.shift_remove(&connection);
            if channels.is_empty() {
                self.producers.remove(group);
            }
        }
    }

    fn leave_consumers(&mut self, connection: ConnectionId, group: &str, out: &mut Vec<Effect>) {
        if let Some(known) = self.connections.get_mut(&connection) {
            known.consumer_groups.retain(|name| &**name != group);
        }
        let Some(members) = self.consumers.get_mut(group) else { return };
        if !members.leave(connection) {
            return;
        }
        let name: Arc<str> = Arc::from(group);
        if members.is_empty() {
            self.consumers.remove(group);
            out.push(Effect::GroupVacated { group: name });
        } else {
            notify(&name, members, out);
        }
    }

    fn closed(&mut self, connection: ConnectionId, out: &mut Vec<Effect>) {
        let Some(known) = self.connections.remove(&connection) else { return };
        self.due.remove(&(known.due, connection));
        for group in &known.producer_groups {
            self.leave_producers(connection, group);
        }
        for group in &known.consumer_groups {
            self.leave_consumers(connection, group, out);
        }
    }

    fn forget_if_idle(&mut self, connection: ConnectionId) {
        let is_idle =
            |known: &Connection| known.producer_groups.is_empty() && known.consumer_groups.is_empty();
        if let Some(known) = self.connections.get(&connection).filter(|known| is_idle(known)) {
            self.due.remove(&(known.due, connection));
            self.connections.remove(&connection);
        }
    }

    fn expire(&mut self, now: Millis, out: &mut Vec<Effect>) {
        while self.due.first().is_some_and(|(at, _)| *at <= now) {
            let Some((_, connection)) = self.due.pop_first() else { return };
            self.look_after(now, connection, out);
        }
    }

    /// Drops the channels of a connection that were silent too long; looks again when the next one would be.
    fn look_after(&mut self, now: Millis, connection: ConnectionId, out: &mut Vec<Effect>) {
        let Some(known) = self.connections.get(&connection) else { return };
        let expiry_ms = self.channel_expiry_ms;
        let is_silent = |channel: &Channel| channel.last_heartbeat.plus(expiry_ms) <= now;
        let consumer =
            |group: &Arc<str>| self.consumers.get(group).and_then(|group| group.channel(connection));
        let producer = |group: &Arc<str>| self.producers.get(group).and_then(|group| group.get(&connection));
        let (silent_consumers, live_consumers): (Vec<_>, Vec<_>) =
            known.consumer_groups.iter().cloned().partition(|group| consumer(group).is_none_or(is_silent));
        let (silent_producers, live_producers): (Vec<_>, Vec<_>) =
            known.producer_groups.iter().cloned().partition(|group| producer(group).is_none_or(is_silent));
        let live =
            live_consumers.iter().filter_map(consumer).chain(live_producers.iter().filter_map(producer));
        let next = live.map(|channel| channel.last_heartbeat.plus(expiry_ms)).min();
        for group in &silent_producers {
            self.leave_producers(connection, group);
        }
        for group in &silent_consumers {
            self.leave_consumers(connection, group, out);
        }
        match (next, self.connections.get_mut(&connection)) {
            (Some(due), Some(known)) => {
                known.due = due;
                self.due.insert((due, connection));
            }
            _ => drop(self.connections.remove(&connection)),
        }
    }
}

/// Broadcasting consumers read every queue whoever else is there, so they are not told.
fn notify(name: &Arc<str>, group: &ConsumerGroup, out: &mut Vec<Effect>) {
    if group.message_model == MessageModel::Clustering {
        let connections = group.channels().map(|(connection, _)| connection).collect();
        out.push(Effect::NotifyConsumerIdsChanged { group: Arc::clone(name), connections });
    }
}
