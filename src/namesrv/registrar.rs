//! Registrar: keeps the broker of this process registered with name servers of other processes.
//!
//! One thread for each name server, so that one that hangs delays no other. What is sent when is decided by
//! `semantics::registration`; here are the connection, the bodies and the words for the log. The broker works the
//! same whether anybody takes its registrations.
//! Source: RocketMQ 5.3.3 `broker/out/BrokerOuterAPI.java`, `broker/BrokerController.java`.

use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gantry_protocols::remoting::bodies::route::TopicRouteData;
use gantry_protocols::remoting::bodies::table::KvTable;
use gantry_protocols::remoting::bodies::{BodyError, decode, encode};
use gantry_protocols::remoting::headers::broker::{
    BrokerHeartbeatRequest, BrokerIdentityRequest, QueryDataVersionResponse, RegisterBrokerRequest,
};
use gantry_protocols::remoting::headers::route::RouteRequest;
use gantry_protocols::remoting::headers::topic::DeleteTopicInNamesrvRequest;
use gantry_protocols::remoting::{RequestCode, ResponseCode};
use tracing::{debug, error, info, warn};

use super::bodies::version_body;
use super::registration_body::parts;
use crate::broker::Broker;
use crate::limits;
use crate::mapping::names;
use crate::peer::{Peer, PeerError, Reply};
use crate::semantics::Millis;
use crate::semantics::data_version::DataVersion;
use crate::semantics::registration::{News, Registration, RegistrationRules, Step};

/// How long a thread sleeps before it looks whether its connection still stands.
const LOOK: Duration = Duration::from_millis(500);
/// The replication port is this far above the broker's; slaves are told of it.
const HA_PORT_ABOVE: u16 = 1;

/// What the registrar is started with.
#[derive(Clone, Debug)]
pub struct RegistrarConfig {
    /// `host:port` of each name server.
    pub name_servers: Vec<String>,
    /// When what is sent.
    pub rules: RegistrationRules,
    /// `heartbeatTimeoutMillis`: when a name server drops the broker; `None` leaves that to it.
    pub timeout_ms: Option<i64>,
    /// Where the broker listens.
    pub listens: SocketAddr,
    /// The name server of this process, which needs no registration.
    pub own_name_server: Option<SocketAddr>,
}

/// The threads; dropping it takes the broker out of every name server and joins them.
#[derive(Debug)]
pub struct Registrar {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    bell: Condvar,
    /// Which name servers hold the broker, in the order of the configuration.
    up: Vec<AtomicBool>,
}

#[derive(Debug, Default)]
struct State {
    stop: bool,
    /// Counts what happened to the topics.
    news: u64,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Shared {
    fn wake(self: Arc<Self>) {
        self.lock().news += 1;
        self.bell.notify_all();
    }
}

impl Registrar {
    /// Starts a thread for each name server. Never blocks.
    ///
    /// # Errors
    /// The operating system's when no thread can be started.
    pub fn start(broker: &Arc<Broker>, config: &RegistrarConfig) -> io::Result<Self> {
        let up = config.name_servers.iter().map(|_| AtomicBool::new(false)).collect();
        let shared = Arc::new(Shared { up, ..Shared::default() });
        broker.watch_topics(Waker::from(Arc::clone(&shared)));
        let mut registrar = Self { shared, threads: Vec::new() };
        for (place, name_server) in config.name_servers.iter().enumerate() {
            let mut member = Member {
                shared: Arc::clone(&registrar.shared),
                broker: Arc::clone(broker),
                config: config.clone(),
                place,
                name_server: name_server.clone(),
                registration: Registration::new(config.rules),
                peer: None,
                told: HashSet::new(),
                start: Instant::now(),
            };
            let thread = std::thread::Builder::new().name(format!("gantry-ns-{place}"));
            registrar.threads.push(thread.spawn(move || member.run())?);
        }
        Ok(registrar)
    }

    /// What tells the threads to take the broker out and end. Never blocks.
    pub fn farewell(&self) -> impl FnOnce() + Send + 'static {
        let shared = Arc::clone(&self.shared);
        move || {
            shared.lock().stop = true;
            shared.bell.notify_all();
        }
    }
}

impl Drop for Registrar {
    fn drop(&mut self) {
        self.farewell()();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                error!("a thread that registers the broker panicked");
            }
        }
    }
}

/// One name server, as its thread sees it.
struct Member {
    shared: Arc<Shared>,
    broker: Arc<Broker>,
    config: RegistrarConfig,
    place: usize,
    name_server: String,
    registration: Registration,
    peer: Option<Peer>,
    /// Topics that it was told, under the names that it was told.
    told: HashSet<String>,
    start: Instant,
}

/// Why a round failed.
#[derive(Debug, thiserror::Error)]
enum RoundError {
    #[error(transparent)]
    Peer(#[from] PeerError),
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The address is our own name server's.
    #[error("the name server is in this process")]
    Own,
}

impl Member {
    /// Milliseconds that only count forward.
    fn now(&self) -> Millis {
        Millis(i64::try_from(self.start.elapsed().as_millis()).unwrap_or(i64::MAX))
    }

    fn run(&mut self) {
        loop {
            let (stop, seen) = {
                let state = self.shared.lock();
                (state.stop, state.news)
            };
            if stop {
                return self.leave();
            }
            let step = self.registration.next(self.now(), self.broker.kept_topics_version());
            let done = match step {
                Step::Wait(until) => {
                    self.pause(until, seen);
                    self.look();
                    Ok(())
                }
                Step::Register => self.register(),
                Step::AskVersion => self.ask_version(),
                Step::Heartbeat => self.heartbeat(),
            };
            match done {
                Ok(()) => {}
                Err(RoundError::Own) => {
                    info!(name_server = %self.name_server, "namesrvAddr names the name server of this process; nothing to register");
                    return;
                }
                Err(error) => self.failed(&error),
            }
        }
    }

    /// Sleeps until `until`, the next look at the connection, or news.
    fn pause(&self, until: Millis, seen: u64) {
        let left = Duration::from_millis(until.since(self.now()).max(1).unsigned_abs());
        let state = self.shared.lock();
        if state.stop || state.news != seen {
            return;
        }
        // Awake too early is harmless: the next step is decided anew.
        drop(self.shared.bell.wait_timeout(state, left.min(LOOK)));
    }

    /// A connection that closed while nothing was asked.
    fn look(&mut self) {
        if self.peer.as_ref().is_some_and(|peer| !peer.is_open()) {
            let address = self.name_server.clone();
            let source = io::Error::new(io::ErrorKind::ConnectionReset, "the other side closed it");
            self.failed(&PeerError::Io { address, source }.into());
        }
    }

    fn failed(&mut self, error: &RoundError) {
        self.peer = None;
        self.set_up(false);
        let name_server = &self.name_server;
        match self.registration.failed(self.now()) {
            Some(News::Lost) => {
                warn!(%name_server, %error, "name server lost; the broker goes on and keeps trying");
            }
            Some(_) => {
                warn!(%name_server, %error, "name server does not take the broker; it goes on and keeps trying");
            }
            None => debug!(%name_server, %error, "still no registration"),
        }
    }

    fn set_up(&self, is_up: bool) {
        if let Some(flag) = self.shared.up.get(self.place) {
            flag.store(is_up, Ordering::Relaxed);
        }
    }

    /// The connection, made anew where there is none.
    fn peer(&mut self) -> Result<&mut Peer, RoundError> {
        if self.peer.is_none() {
            let peer = Peer::connect(&self.name_server, limits::NAME_SERVER_CALL)?;
            if self.config.own_name_server.is_some_and(|own| is_same(&peer, own)) {
                return Err(RoundError::Own);
            }
            self.peer = Some(peer);
        }
        self.peer.as_mut().ok_or(RoundError::Own)
    }

    /// Sends a request about this broker.
    fn ask(
        &mut self,
        code: RequestCode,
        body: &[u8],
        ask: impl FnOnce(&mut Peer, &Called<'_>, &[u8]) -> Result<Reply, PeerError>,
    ) -> Result<Reply, RoundError> {
        let broker = Arc::clone(&self.broker);
        let (own, listens) = (broker.identity(), self.config.listens);
        let peer = self.peer()?;
        let address = broker_address(own.native_host.as_deref(), listens, peer);
        debug!(name_server = peer.address(), %code, "asked");
        let called = Called { cluster: &own.cluster, broker: &own.broker, id: own.broker_id, address };
        Ok(ask(peer, &called, body)?)
    }

    fn register(&mut self) -> Result<(), RoundError> {
        // Read before the topics: one that changes meanwhile brings a later version.
        let version = self.broker.kept_topics_version();
        let timeout_ms = self.config.timeout_ms;
        let mut last = None;
        for part in parts(&self.broker, version) {
            let body = encode(&part)?;
            self.told.extend(part.topic_config_serialize_wrapper.topic_config_table.into_keys());
            last = Some(self.ask(RequestCode::REGISTER_BROKER, &body, |peer, called, body| {
                peer.ask(RequestCode::REGISTER_BROKER, &called.registration(timeout_ms, body), body)
            })?);
        }
        self.withdraw_deleted()?;
        self.registered(version);
        if let Some(reply) = last {
            self.apply_orders(&reply)?;
        }
        Ok(())
    }

    /// Takes back topics that were deleted, which no registration does; those that another broker has as well
    /// stay, since the request is about all of them.
    fn withdraw_deleted(&mut self) -> Result<(), RoundError> {
        let broker = Arc::clone(&self.broker);
        let kept: HashSet<_> =
            broker.topics().iter().map(|topic| names::native_alias(topic.name()).into_owned()).collect();
        let gone: Vec<_> = self.told.difference(&kept).cloned().collect();
        let own = broker.identity();
        for topic in gone {
            let asked = RouteRequest {
                topic: topic.as_str().into(),
                accept_standard_json_only: Some(true),
                zone_mode: None,
                zone_name: None,
            };
            let reply = self.peer()?.invoke(RequestCode::GET_ROUTEINFO_BY_TOPIC, &asked, b"")?;
            let route: Option<TopicRouteData> =
                (reply.code == ResponseCode::SUCCESS).then(|| decode(&reply.body)).transpose()?;
            if route.is_some_and(|route| route.queue_datas.iter().all(|one| one.broker_name == own.broker)) {
                let cluster_name = Some(own.cluster.as_str().into());
                let request = DeleteTopicInNamesrvRequest { topic: topic.as_str().into(), cluster_name };
                self.peer()?.invoke(RequestCode::DELETE_TOPIC_IN_NAMESRV, &request, b"")?;
                info!(name_server = %self.name_server, topic, "deleted topic taken out of name server");
            }
            self.told.remove(&topic);
        }
        Ok(())
    }

    fn registered(&mut self, version: DataVersion) {
        self.set_up(true);
        let name_server = &self.name_server;
        match self.registration.registered(self.now(), version) {
            Some(News::Returned) => info!(%name_server, "name server is there again; registered"),
            Some(_) => {
                info!(%name_server, "registered with name server");
                self.warn_of_loopback();
            }
            None => {}
        }
    }

    /// An address that only this machine can dial, told to another one.
    fn warn_of_loopback(&self) {
        let Some(peer) = &self.peer else { return };
        let own = self.broker.identity();
        let address = broker_address(own.native_host.as_deref(), self.config.listens, peer);
        let is_elsewhere = peer.peer_addr().is_ok_and(|address| !address.ip().to_canonical().is_loopback());
        if is_elsewhere && address.parse::<SocketAddr>().is_ok_and(|address| address.ip().is_loopback()) {
            warn!(name_server = %self.name_server, %address, "clients of other machines are told an address that they cannot dial; set --listen or brokerIP1");
        }
    }

    /// The order configuration of the first name server that holds us: several may differ.
    fn apply_orders(&self, reply: &Reply) -> Result<(), RoundError> {
        let is_first = self.shared.up.iter().take(self.place).all(|up| !up.load(Ordering::Relaxed));
        if reply.body.is_empty() || !is_first {
            return Ok(());
        }
        let orders: KvTable = decode(&reply.body)?;
        self.broker.apply_order_topics(|topic| orders.table.contains_key(topic), self.broker.now());
        Ok(())
    }

    fn ask_version(&mut self) -> Result<(), RoundError> {
        let version = self.broker.kept_topics_version();
        let body = encode(&version_body(version))?;
        let reply = self.ask(RequestCode::QUERY_DATA_VERSION, &body, |peer, called, body| {
            peer.invoke(RequestCode::QUERY_DATA_VERSION, &called.identity(), body)
        })?;
        // One that does not know the request is registered with in full.
        let changed = reply.header::<QueryDataVersionResponse>().is_ok_and(|header| !header.changed);
        let is_equal = reply.code == ResponseCode::SUCCESS && changed;
        self.registration.answered_version(self.now(), is_equal);
        Ok(())
    }

    fn heartbeat(&mut self) -> Result<(), RoundError> {
        self.ask(RequestCode::BROKER_HEARTBEAT, &[], |peer, called, body| {
            peer.invoke(RequestCode::BROKER_HEARTBEAT, &called.heartbeat(), body)
        })?;
        self.registration.heard(self.now());
        Ok(())
    }

    fn leave(&mut self) {
        if !self.registration.is_up() {
            return;
        }
        let left = self.ask(RequestCode::UNREGISTER_BROKER, &[], |peer, called, body| {
            peer.ask(RequestCode::UNREGISTER_BROKER, &called.identity(), body)
        });
        match left {
            Ok(_) => info!(name_server = %self.name_server, "taken out of name server"),
            Err(error) => {
                warn!(name_server = %self.name_server, %error, "not taken out of name server; it drops the broker by itself");
            }
        }
    }
}

/// The broker as a name server knows it.
struct Called<'b> {
    cluster: &'b str,
    broker: &'b str,
    id: i64,
    address: String,
}

impl Called<'_> {
    fn identity(&self) -> BrokerIdentityRequest<'_> {
        BrokerIdentityRequest {
            broker_name: self.broker.into(),
            broker_addr: self.address.as_str().into(),
            cluster_name: self.cluster.into(),
            broker_id: self.id,
        }
    }

    fn heartbeat(&self) -> BrokerHeartbeatRequest<'_> {
        BrokerHeartbeatRequest {
            cluster_name: self.cluster.into(),
            broker_addr: self.address.as_str().into(),
            broker_name: self.broker.into(),
            broker_id: Some(self.id),
            epoch: None,
            max_offset: None,
            confirm_offset: None,
            heartbeat_timeout_mills: None,
            election_priority: None,
        }
    }

    fn registration(&self, timeout_ms: Option<i64>, body: &[u8]) -> RegisterBrokerRequest<'_> {
        // Java clears the sign.
        let crc = i32::try_from(crc32fast::hash(body) & 0x7fff_ffff).unwrap_or_default();
        RegisterBrokerRequest {
            broker_name: self.broker.into(),
            broker_addr: self.address.as_str().into(),
            cluster_name: self.cluster.into(),
            ha_server_addr: ha_address(&self.address).into(),
            broker_id: self.id,
            heartbeat_timeout_millis: timeout_ms,
            enable_acting_master: Some(timeout_ms.is_some()),
            compressed: false,
            body_crc32: crc,
            zone_name: None,
        }
    }
}

/// Where clients dial the broker: what is configured, else where it listens, else (on all addresses) the address
/// by which it reached the name server, which clients of that name server reach in most networks.
fn broker_address(configured: Option<&str>, listens: SocketAddr, peer: &Peer) -> String {
    let port = listens.port();
    let on_port = |ip: IpAddr| SocketAddr::new(ip.to_canonical(), port).to_string();
    match configured {
        Some(host) => host.parse().map_or_else(|_| format!("{host}:{port}"), on_port),
        None if listens.ip().is_unspecified() => {
            peer.local_addr().map_or_else(|_| on_port(listens.ip()), |local| on_port(local.ip()))
        }
        None => on_port(listens.ip()),
    }
}

fn ha_address(address: &str) -> String {
    let Some((host, port)) = address.rsplit_once(':') else { return address.to_owned() };
    let port = port.parse().unwrap_or(0u16).saturating_add(HA_PORT_ABOVE);
    format!("{host}:{port}")
}

/// Whether the connection leads back to a listener of this process: our own address, and its port.
fn is_same(peer: &Peer, own: SocketAddr) -> bool {
    let (Ok(local), Ok(remote)) = (peer.local_addr(), peer.peer_addr()) else { return false };
    let is_ours = own.ip().is_unspecified() || own.ip() == remote.ip();
    remote.port() == own.port() && remote.ip() == local.ip() && is_ours
}

#[cfg(test)]
mod tests;
