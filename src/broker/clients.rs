//! Native clients: their heartbeats, who is in which group, and who is told when that changes.
//!
//! One lock over all clients. A clustering consumer claims its group for native clients while that lock is
//! held, and the last one that goes releases it under the same lock, so that a Kafka join sees either all of a
//! group's native members or none. Lock order: clients, then groups.
//! Not here: what a heartbeat means (`semantics::subscriptions`) and which bytes carry it.
//! Source: RocketMQ 5.3.3 `broker/processor/ClientManageProcessor.java`, `broker/client/ConsumerManager.java`.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use tracing::warn;

use super::Broker;
use super::group_settings::GroupRefusal;
use super::groups::GroupDesk;
use super::mailbox::{ConnectionId, Mailbox, Signal};
use crate::semantics::groups::HeldBy;
use crate::semantics::subscriptions::{
    ConnectionId as Channel, ConsumerData, Effect, Event, Heartbeat as Beat, MessageModel, Subscriptions,
};
use crate::semantics::{Dialect, Millis};

/// What a native client says about itself every 30 seconds.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    /// `ip@instanceName`, as the client chose it.
    pub client_id: Arc<str>,
    /// Number of the client's language.
    pub language: u8,
    /// Number of the client's version.
    pub version: i32,
    /// Its producer groups.
    pub producers: Vec<Arc<str>>,
    /// Its consumer groups.
    pub consumers: Vec<ConsumerData>,
    /// Hash of the subscriptions; 0 from clients of version 1.
    pub fingerprint: i32,
    /// The subscriptions are left out, because the broker has them.
    pub without_sub: bool,
}

/// What a heartbeat is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeartbeatAnswer {
    /// The client has to send its subscriptions in full.
    pub is_sub_changed: bool,
}

/// The live native clients and their mailboxes.
#[derive(Debug)]
pub(super) struct ClientDesk {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    clients: Subscriptions,
    mailboxes: HashMap<Channel, Arc<Mailbox>>,
    effects: Vec<Effect>,
    timer: Option<Waker>,
}

/// The live native members of a group, as administrators see them.
#[derive(Clone, Debug)]
pub(super) struct NativeMembers {
    /// Client id and address of each connection, in the order they came.
    pub(super) clients: Vec<(Arc<str>, SocketAddr)>,
    /// The topics that the group subscribes, as its clients name them.
    pub(super) topics: Vec<Arc<str>>,
    /// Whether each member gets every message.
    pub(super) broadcasting: bool,
}

/// What a step leaves to do once the lock is given back.
#[derive(Debug, Default)]
struct Aftermath {
    notices: Vec<(Arc<Mailbox>, Arc<str>)>,
    retry_topics: Vec<Arc<str>>,
    vacated: Vec<Arc<str>>,
    is_sub_changed: bool,
}

/// Which dialect holds a group.
trait Holders {
    fn claim_native(&self, group: &str) -> Result<(), HeldBy>;
    fn release_native(&self, group: &str);
    fn holder(&self, group: &str) -> Option<Dialect>;
}

impl Holders for GroupDesk {
    fn claim_native(&self, group: &str) -> Result<(), HeldBy> {
        self.claim_native(group)
    }

    fn release_native(&self, group: &str) {
        self.release_native(group);
    }

    fn holder(&self, group: &str) -> Option<Dialect> {
        self.holder(group)
    }
}

impl ClientDesk {
    /// Nobody yet; clients go after `channel_expiry_ms` without a heartbeat.
    pub(super) fn new(channel_expiry_ms: i64) -> Self {
        let inner = Inner {
            clients: Subscriptions::new(channel_expiry_ms),
            mailboxes: HashMap::new(),
            effects: Vec::new(),
            timer: None,
        };
        Self { inner: Mutex::new(inner) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers the client; consumers of groups that Kafka holds are left out.
    fn heartbeat(
        &self,
        groups: &impl Holders,
        beat: Heartbeat,
        mailbox: &Arc<Mailbox>,
        now: Millis,
    ) -> Aftermath {
        let mut inner = self.lock();
        let connection = channel(mailbox.id());
        let Heartbeat { client_id, language, version, producers, mut consumers, fingerprint, without_sub } =
            beat;
        consumers.retain(|consumer| admit(groups, consumer, &client_id));
        inner.mailboxes.entry(connection).or_insert_with(|| Arc::clone(mailbox));
        let beat =
            Beat { client_id, connection, language, version, producers, consumers, fingerprint, without_sub };
        inner.step(groups, now, Event::Heartbeat(beat))
    }

    fn unregister(
        &self,
        groups: &impl Holders,
        connection: ConnectionId,
        producer_group: Option<&str>,
        consumer_group: Option<&str>,
        now: Millis,
    ) -> Aftermath {
        let event = Event::Unregister {
            connection: channel(connection),
            producer_group: producer_group.map(Arc::from),
            consumer_group: consumer_group.map(Arc::from),
        };
        self.lock().step(groups, now, event)
    }

    fn closed(&self, groups: &impl Holders, connection: ConnectionId, now: Millis) -> Aftermath {
        let mut inner = self.lock();
        let connection = channel(connection);
        if inner.mailboxes.remove(&connection).is_none() {
            return Aftermath::default();
        }
        inner.step(groups, now, Event::Closed { connection })
    }

    fn tick(&self, groups: &impl Holders, now: Millis, timer: &Waker) -> (Aftermath, Option<Millis>) {
        let mut inner = self.lock();
        inner.timer = None;
        let aftermath = inner.step(groups, now, Event::Tick);
        inner.timer = Some(timer.clone());
        let next = inner.clients.next_deadline();
        (aftermath, next)
    }

    /// Groups with live consumers, and how many connections producers and consumers have, one a group.
    pub(super) fn sizes(&self) -> (Vec<Arc<str>>, usize, usize) {
        let inner = self.lock();
        let groups = inner.clients.consumer_groups();
        let consumers = groups.map(|(name, group)| (Arc::from(name), group.channels().count()));
        let (names, counts): (Vec<_>, Vec<_>) = consumers.unzip();
        let producers = inner.clients.producer_groups();
        let producers = producers.map(|group| inner.clients.producer_channels(group).count()).sum();
        (names, producers, counts.into_iter().sum())
    }

    /// Looks at the live clients, and at where they are connected from.
    pub(super) fn look<T>(
        &self,
        look: impl FnOnce(&Subscriptions, &dyn Fn(Channel) -> Option<String>) -> T,
    ) -> T {
        let inner = self.lock();
        let address = |connection| Some(inner.mailboxes.get(&connection)?.remote().to_string());
        look(&inner.clients, &address)
    }

    /// The mailbox of a client of a group.
    pub(super) fn mailbox_of(&self, group: &str, client: &str) -> Option<Arc<Mailbox>> {
        let inner = self.lock();
        let mut channels = inner.clients.consumer_group(group)?.channels();
        let (connection, _) = channels.find(|(_, channel)| *channel.client_id == *client)?;
        inner.mailboxes.get(&connection).cloned()
    }

    /// Who is live in a group; `None` when nobody is.
    pub(super) fn members(&self, group: &str) -> Option<NativeMembers> {
        let inner = self.lock();
        let found = inner.clients.consumer_group(group)?;
        let remote = |connection| inner.mailboxes.get(&connection).map(|mailbox| mailbox.remote());
        let clients = found
            .channels()
            .filter_map(|(connection, channel)| Some((Arc::clone(&channel.client_id), remote(connection)?)));
        Some(NativeMembers {
            clients: clients.collect(),
            topics: found.subscriptions().map(|one| Arc::clone(&one.topic)).collect(),
            broadcasting: found.message_model == MessageModel::Broadcasting,
        })
    }

    fn consumer_ids(&self, group: &str) -> Vec<String> {
        let inner = self.lock();
        inner.clients.consumer_ids(group).into_iter().flatten().map(|id| id.to_string()).collect()
    }

    fn may_consume(&self, groups: &impl Holders, group: &str) -> Result<(), HeldBy> {
        if self.lock().clients.consumer_group(group).is_some() {
            return Ok(());
        }
        match groups.holder(group) {
            Some(dialect @ Dialect::Kafka) => Err(HeldBy { dialect }),
            Some(Dialect::Native) | None => Ok(()),
        }
    }
}

impl Inner {
    fn step(&mut self, groups: &impl Holders, now: Millis, event: Event) -> Aftermath {
        let mut effects = std::mem::take(&mut self.effects);
        self.clients.step(now, event, &mut effects);
        let mut aftermath = Aftermath::default();
        for effect in effects.drain(..) {
            match effect {
                Effect::EnsureRetryTopic { group } => aftermath.retry_topics.push(group),
                Effect::NotifyConsumerIdsChanged { group, connections } => {
                    let mailboxes = connections.iter().filter_map(|one| self.mailboxes.get(one));
                    aftermath.notices.extend(mailboxes.map(|one| (Arc::clone(one), Arc::clone(&group))));
                }
                Effect::GroupVacated { group } => {
                    groups.release_native(&group);
                    aftermath.vacated.push(group);
                }
                Effect::Answer { is_sub_changed } => aftermath.is_sub_changed = is_sub_changed,
                Effect::WakeAt(_) => self.wake_timer(),
            }
        }
        self.effects = effects;
        aftermath
    }

    fn wake_timer(&mut self) {
        if let Some(timer) = self.timer.take() {
            timer.wake();
        }
    }
}

/// Whether the consumer may live in its group; broadcasting ones share no queue and so always may.
fn admit(groups: &impl Holders, consumer: &ConsumerData, client_id: &str) -> bool {
    if consumer.message_model == MessageModel::Broadcasting {
        return true;
    }
    let claimed = groups.claim_native(&consumer.group);
    if let Err(error) = &claimed {
        warn!(group = %consumer.group, client = client_id, %error, "a native consumer is kept out of its group");
    }
    claimed.is_ok()
}

fn channel(connection: ConnectionId) -> Channel {
    Channel(connection.0)
}

impl Broker {
    /// Registers a native client on the connection behind `mailbox`, at once: it finds itself in the very next
    /// consumer list. A clustering consumer whose group Kafka members hold is left out until they are gone, and so
    /// is any consumer whose group has no settings and gets none by itself.
    pub fn heartbeat(&self, mut beat: Heartbeat, mailbox: &Arc<Mailbox>, now: Millis) -> HeartbeatAnswer {
        beat.consumers.retain(|consumer| self.settings_in_use(&consumer.group, now).is_ok());
        let aftermath = self.clients.heartbeat(&self.groups, beat, mailbox, now);
        let is_sub_changed = aftermath.is_sub_changed;
        self.settle_clients(aftermath, now);
        HeartbeatAnswer { is_sub_changed }
    }

    /// Takes a connection out of the named groups and tells those who stay.
    pub fn unregister(
        &self,
        connection: ConnectionId,
        producer_group: Option<&str>,
        consumer_group: Option<&str>,
        now: Millis,
    ) {
        let aftermath =
            self.clients.unregister(&self.groups, connection, producer_group, consumer_group, now);
        self.settle_clients(aftermath, now);
    }

    /// The connection is gone, and its clients with it.
    pub fn connection_closed(&self, connection: ConnectionId) {
        let now = self.now();
        self.calls.closed(connection);
        let aftermath = self.clients.closed(&self.groups, connection, now);
        self.settle_clients(aftermath, now);
    }

    /// Drops clients that fell silent; gives the next time to look and wakes `timer` for an earlier one.
    pub fn tick_clients(&self, now: Millis, timer: &Waker) -> Option<Millis> {
        let (aftermath, next) = self.clients.tick(&self.groups, now, timer);
        self.settle_clients(aftermath, now);
        next
    }

    /// Client ids of a group, one a connection, in the order they came; empty when nobody is there.
    #[must_use]
    pub fn consumer_ids(&self, group: &str) -> Vec<String> {
        self.clients.consumer_ids(group)
    }

    /// What a group subscribes of a topic: expression, its kind (`TAG`, `SQL92`) and version. `None` when no live
    /// client of the group subscribes it. Copies no text.
    #[must_use]
    pub fn subscription_of(&self, group: &str, topic: &str) -> Option<(Arc<str>, Arc<str>, i64)> {
        let inner = self.clients.lock();
        let found = inner.clients.subscription(group, topic)?;
        Some((Arc::clone(&found.expression), Arc::clone(&found.expression_type), found.sub_version))
    }

    /// Whether any live native client is in the consumer group.
    #[must_use]
    pub fn is_group_online(&self, group: &str) -> bool {
        self.clients.lock().clients.consumer_group(group).is_some()
    }

    /// Whether a native client may pull for the group. Members that live there may, and so may broadcasting
    /// ones; nobody else while Kafka members hold it.
    ///
    /// # Errors
    /// [`HeldBy`] the Kafka members.
    pub fn native_may_consume(&self, group: &str) -> Result<(), HeldBy> {
        self.clients.may_consume(&self.groups, group)
    }

    /// Whether the group's clients may be there: broadcasting ones only where the settings allow it.
    pub(super) fn check_broadcast(&self, group: &str) -> Result<(), GroupRefusal> {
        let is_forbidden =
            self.group_settings(group).is_some_and(|settings| !settings.consume_broadcast_enable);
        let is_broadcasting = || {
            let inner = self.clients.lock();
            let group = inner.clients.consumer_group(group);
            group.is_some_and(|group| group.message_model == MessageModel::Broadcasting)
        };
        if is_forbidden && is_broadcasting() {
            return Err(GroupRefusal::Broadcast(group.to_owned()));
        }
        Ok(())
    }

    fn settle_clients(&self, aftermath: Aftermath, now: Millis) {
        aftermath.vacated.iter().for_each(|group| self.drop_resets(group));
        for group in &aftermath.retry_topics {
            self.ensure_retry_topic(group, now);
        }
        let notifies = self.live().notify_consumers;
        let told = |group: &str| {
            notifies && self.group_settings(group).is_none_or(|settings| settings.notify_consumer_ids_changed)
        };
        for (mailbox, group) in aftermath.notices.into_iter().filter(|(_, group)| told(group)) {
            mailbox.post(Signal::ConsumersChanged(group));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::semantics::groups::Groups;
    use crate::semantics::kafka_group::GroupConfig;
    use crate::semantics::subscriptions::{ConsumeFrom, ConsumeType};

    impl Holders for RefCell<Groups> {
        fn claim_native(&self, group: &str) -> Result<(), HeldBy> {
            self.borrow_mut().claim(group, Dialect::Native)
        }

        fn release_native(&self, group: &str) {
            self.borrow_mut().release(group, Dialect::Native);
        }

        fn holder(&self, group: &str) -> Option<Dialect> {
            self.borrow().holder(group)
        }
    }

    struct Scene {
        clients: ClientDesk,
        groups: RefCell<Groups>,
    }

    impl Scene {
        fn new() -> Self {
            Self {
                clients: ClientDesk::new(120_000),
                groups: RefCell::new(Groups::new(GroupConfig::default())),
            }
        }

        fn beat(&self, mailbox: &Arc<Mailbox>, now: i64, consumer: ConsumerData) -> Aftermath {
            let beat = Heartbeat {
                client_id: "client".into(),
                language: 0,
                version: 479,
                producers: vec!["PG".into()],
                consumers: vec![consumer],
                fingerprint: 0,
                without_sub: false,
            };
            self.clients.heartbeat(&self.groups, beat, mailbox, Millis(now))
        }
    }

    fn mailbox() -> Arc<Mailbox> {
        let any = "127.0.0.1:1".parse().unwrap();
        Mailbox::new(any, any)
    }

    fn consumer(message_model: MessageModel) -> ConsumerData {
        ConsumerData {
            group: "G".into(),
            consume_type: ConsumeType::Passively,
            message_model,
            consume_from: ConsumeFrom::LastOffset,
            subscriptions: Vec::new(),
        }
    }

    fn told(aftermath: &Aftermath) -> Vec<ConnectionId> {
        aftermath.notices.iter().map(|(mailbox, _)| mailbox.id()).collect()
    }

    #[test]
    fn everybody_in_the_group_is_told_when_somebody_comes_or_goes() {
        let (scene, one, two) = (Scene::new(), mailbox(), mailbox());
        let clustering = || consumer(MessageModel::Clustering);
        assert_eq!(told(&scene.beat(&one, 0, clustering())), [one.id()]);
        let second = scene.beat(&two, 1, clustering());
        assert_eq!(told(&second), [one.id(), two.id()]);
        assert_eq!(second.retry_topics, [Arc::from("G")]);
        assert_eq!(scene.clients.consumer_ids("G"), ["client", "client"]);
        assert_eq!(told(&scene.beat(&two, 2, clustering())), []);
        assert_eq!(told(&scene.clients.closed(&scene.groups, one.id(), Millis(3))), [two.id()]);
        let last = scene.clients.unregister(&scene.groups, two.id(), None, Some("G"), Millis(4));
        assert_eq!(told(&last), []);
        assert!(scene.clients.consumer_ids("G").is_empty());
    }

    #[test]
    fn the_last_member_frees_the_group_for_kafka() {
        let (scene, one) = (Scene::new(), mailbox());
        scene.beat(&one, 0, consumer(MessageModel::Clustering));
        assert_eq!(scene.groups.holder("G"), Some(Dialect::Native));
        scene.clients.closed(&scene.groups, one.id(), Millis(1));
        assert_eq!(scene.groups.holder("G"), None);
    }

    #[test]
    fn a_group_that_kafka_holds_takes_only_broadcasting_consumers() {
        let (scene, one) = (Scene::new(), mailbox());
        assert_eq!(scene.groups.borrow_mut().claim("G", Dialect::Kafka), Ok(()));
        assert!(scene.beat(&one, 0, consumer(MessageModel::Clustering)).retry_topics.is_empty());
        assert!(scene.clients.consumer_ids("G").is_empty());
        let held = HeldBy { dialect: Dialect::Kafka };
        let may = || scene.clients.may_consume(&scene.groups, "G");
        assert_eq!(may(), Err(held));
        assert_eq!(told(&scene.beat(&one, 1, consumer(MessageModel::Broadcasting))), []);
        assert_eq!(may(), Ok(()));
        scene.clients.closed(&scene.groups, one.id(), Millis(2));
        assert_eq!(scene.groups.holder("G"), Some(Dialect::Kafka));
    }

    #[test]
    fn silent_clients_go_at_their_deadline() {
        let (scene, one) = (Scene::new(), mailbox());
        assert_eq!(scene.clients.tick(&scene.groups, Millis(0), Waker::noop()).1, None);
        scene.beat(&one, 10, consumer(MessageModel::Clustering));
        let (_, next) = scene.clients.tick(&scene.groups, Millis(11), Waker::noop());
        assert_eq!(next, Some(Millis(120_010)));
        let (_, next) = scene.clients.tick(&scene.groups, Millis(120_010), Waker::noop());
        assert_eq!((next, scene.clients.consumer_ids("G").len()), (None, 0));
        assert_eq!(scene.groups.holder("G"), None);
    }

    #[test]
    fn a_registered_client_wakes_the_timer_that_did_not_know_it() {
        struct Woken(std::sync::atomic::AtomicBool);
        impl std::task::Wake for Woken {
            fn wake(self: Arc<Self>) {
                self.0.store(true, std::sync::atomic::Ordering::SeqCst);
            }
        }
        let (scene, woken) = (Scene::new(), Arc::new(Woken(false.into())));
        scene.clients.tick(&scene.groups, Millis(0), &Waker::from(Arc::clone(&woken)));
        scene.beat(&mailbox(), 1, consumer(MessageModel::Clustering));
        assert!(woken.0.load(std::sync::atomic::Ordering::SeqCst));
    }
}
