//! Connections of a command: name server, broker and Kafka, opened when they are first needed.
//!
//! What the other side answers becomes words and an exit code here, once for all commands.

use std::time::{Duration, Instant};

use clap::Args;
use gantry_protocols::kafka::error_code::ErrorCode;
use gantry_protocols::kafka::messages::Request;
use gantry_protocols::remoting::bodies::route::{BrokerData, ClusterInfo};
use gantry_protocols::remoting::bodies::{self, BodyError};
use gantry_protocols::remoting::headers::CustomHeader;
use gantry_protocols::remoting::{RequestCode, ResponseCode};
use serde::de::DeserializeOwned;

use crate::cli::failure::{Exit, Failure};
use crate::cli::output::Screen;
use crate::cli::time;
use crate::peer::{NoHeader, Peer, PeerError, Reply};
use crate::peer_kafka::{KafkaPeer, KafkaPeerError};

const NAMESRV_PORT: u16 = 9876;
const BROKER_PORT: u16 = 10911;
const KAFKA_PORT: u16 = 9092;

/// Where to ask.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Addresses")]
pub(super) struct Addresses {
    /// Name servers, separated by ';'
    #[arg(
        long,
        global = true,
        value_name = "HOST:PORT",
        env = "GANTRY_NAMESRV",
        hide_env_values = true,
        default_value = "127.0.0.1:9876"
    )]
    namesrv: String,
    /// RocketMQ broker [default: the first master that the name server knows]
    #[arg(long, global = true, value_name = "HOST:PORT", env = "GANTRY_BROKER", hide_env_values = true)]
    broker: Option<String>,
    /// Kafka broker [default: port 9092 where the name server is]
    #[arg(long, global = true, value_name = "HOST:PORT", env = "GANTRY_KAFKA", hide_env_values = true)]
    kafka: Option<String>,
    /// How long one answer may take
    #[arg(long, global = true, value_name = "TIME", env = "GANTRY_TIMEOUT", hide_env_values = true, default_value = "5s", value_parser = time::duration)]
    timeout: Duration,
}

impl Addresses {
    fn kafka(&self) -> String {
        self.kafka.as_deref().map_or_else(|| self.beside(KAFKA_PORT), |kafka| with_port(kafka, KAFKA_PORT))
    }

    /// Another port where the first name server is.
    fn beside(&self, port: u16) -> String {
        let first = self.namesrv.split([';', ',']).next().unwrap_or_default();
        let address = with_port(first, NAMESRV_PORT);
        let host = address.rsplit_once(':').map_or(first, |(host, _)| host);
        format!("{host}:{port}")
    }
}

/// The address with a port, the usual one when it has none.
pub(super) fn with_port(address: &str, port: u16) -> String {
    let has_port = address.rsplit_once(':').is_some_and(|(host, port)| {
        port.chars().all(|c| c.is_ascii_digit()) && (!host.contains(':') || host.ends_with(']'))
    });
    if has_port { address.to_owned() } else { format!("{address}:{port}") }
}

/// The connections of one command.
pub(super) struct Wire {
    addresses: Addresses,
    screen: Screen,
    namesrv: Option<Peer>,
    broker: Option<Peer>,
    kafka: Option<KafkaPeer>,
}

impl Wire {
    /// Nothing is opened yet.
    pub(super) fn new(addresses: Addresses, screen: Screen) -> Wire {
        Wire { addresses, screen, namesrv: None, broker: None, kafka: None }
    }

    /// How long one answer may take.
    pub(super) fn timeout(&self) -> Duration {
        self.addresses.timeout
    }

    /// Another port where the first name server is.
    pub(super) fn beside(&self, port: u16) -> String {
        self.addresses.beside(port)
    }

    /// The brokers that the name server knows.
    pub(super) fn cluster(&mut self) -> Result<ClusterInfo, Failure> {
        let reply = self.namesrv(RequestCode::GET_BROKER_CLUSTER_INFO, &NoHeader, b"")?;
        decode(&reply)
    }

    /// Asks the name server.
    pub(super) fn namesrv<'h>(
        &mut self,
        code: RequestCode,
        header: &impl CustomHeader<'h>,
        body: &[u8],
    ) -> Result<Reply, Failure> {
        if self.namesrv.is_none() {
            self.namesrv = Some(self.dial_namesrv()?);
        }
        ask(self.namesrv.as_mut(), &self.screen, code, header, body)
    }

    /// Asks the broker.
    pub(super) fn broker<'h>(
        &mut self,
        code: RequestCode,
        header: &impl CustomHeader<'h>,
        body: &[u8],
    ) -> Result<Reply, Failure> {
        if self.broker.is_none() {
            let address = self.broker_address()?;
            self.broker = Some(self.dial_broker(&address, self.addresses.timeout)?);
        }
        ask(self.broker.as_mut(), &self.screen, code, header, body)
    }

    /// Asks the broker for a body; `None` when it says that it does not serve the code.
    pub(super) fn broker_if_served<'h, T: DeserializeOwned>(
        &mut self,
        code: RequestCode,
        header: &impl CustomHeader<'h>,
    ) -> Result<Option<T>, Failure> {
        match self.broker(code, header, b"") {
            Ok(reply) => decode(&reply).map(Some),
            Err(failure) if failure.is_not_served() => {
                self.screen.trace(&format!("{failure}"));
                Ok(None)
            }
            Err(failure) => Err(failure),
        }
    }

    /// The broker's address: the option, else the first master that the name server knows.
    pub(super) fn broker_address(&mut self) -> Result<String, Failure> {
        if let Some(broker) = &self.addresses.broker {
            return Ok(with_port(broker, BROKER_PORT));
        }
        let cluster = self.cluster()?;
        let masters: Vec<&BrokerData> = cluster
            .broker_addr_table
            .values()
            .filter(|broker| broker.broker_addrs.contains_key(&0))
            .collect();
        if let [first, _, ..] = masters.as_slice() {
            self.screen
                .note(&format!("several brokers; this is {}, name another with --broker", first.broker_name));
        }
        let first = masters.first().and_then(|broker| broker.broker_addrs.get(&0));
        first.cloned().ok_or_else(|| {
            Failure::new(
                Exit::Unreachable,
                format!("the name server at {} knows no broker", self.addresses.namesrv),
            )
            .cure("start one with `gantry start`, or name it with --broker")
        })
    }

    /// A connection of its own to a broker.
    pub(super) fn dial_broker(&self, address: &str, timeout: Duration) -> Result<Peer, Failure> {
        let cure = "start one with `gantry start`, or name another with --broker or GANTRY_BROKER";
        self.screen.trace(&format!("broker {address}: connecting"));
        Peer::connect(address, timeout).map_err(|error| unreachable("broker", address, &error, cure))
    }

    /// The first name server that answers.
    fn dial_namesrv(&self) -> Result<Peer, Failure> {
        let cure = "start one with `gantry start`, or name another with --namesrv or GANTRY_NAMESRV";
        let mut failure = None;
        for address in self.addresses.namesrv.split([';', ',']).filter(|address| !address.is_empty()) {
            let address = with_port(address, NAMESRV_PORT);
            self.screen.trace(&format!("name server {address}: connecting"));
            match Peer::connect(&address, self.addresses.timeout) {
                Ok(peer) => return Ok(peer),
                Err(error) => failure = Some(unreachable("name server", &address, &error, cure)),
            }
        }
        Err(failure.unwrap_or_else(|| Failure::usage("--namesrv names no address")))
    }

    /// The Kafka connection.
    pub(super) fn kafka_peer(&mut self) -> Result<&mut KafkaPeer, Failure> {
        let peer = match self.kafka.take() {
            Some(peer) => peer,
            None => self.dial_kafka(self.addresses.timeout)?,
        };
        Ok(self.kafka.insert(peer))
    }

    /// A Kafka connection of its own.
    pub(super) fn dial_kafka(&self, timeout: Duration) -> Result<KafkaPeer, Failure> {
        let address = self.addresses.kafka();
        self.screen.trace(&format!("Kafka {address}: connecting"));
        KafkaPeer::connect(&address, timeout).map_err(|error| kafka_failure(&error))
    }

    /// Asks in Kafka's dialect; the newest version that both sides know, at most `newest`.
    pub(super) fn kafka<R: Request>(
        &mut self,
        newest: i16,
        request: impl FnOnce(i16) -> R,
    ) -> Result<R::Response, Failure> {
        let screen = self.screen.clone();
        let peer = self.kafka_peer()?;
        let began = Instant::now();
        let (version, response) = peer.call(newest, request).map_err(|error| kafka_failure(&error))?;
        let (address, key) = (peer.address(), R::KEY);
        screen.trace(&format!("Kafka {address}: key {key} v{version} in {:?}", began.elapsed()));
        Ok(response)
    }

    /// What Kafka adds to an answer: nothing, and a note, when it is not there.
    pub(super) fn if_kafka<T>(&mut self, ask: impl FnOnce(&mut Wire) -> Result<T, Failure>) -> Option<T> {
        match ask(self) {
            Ok(found) => Some(found),
            Err(failure) => {
                self.screen.note(&format!("without what Kafka knows: {}", failure.what()));
                None
            }
        }
    }
}

fn ask<'h>(
    peer: Option<&mut Peer>,
    screen: &Screen,
    code: RequestCode,
    header: &impl CustomHeader<'h>,
    body: &[u8],
) -> Result<Reply, Failure> {
    let peer = peer.ok_or_else(|| Failure::failed("no connection"))?;
    let began = Instant::now();
    let reply = peer.invoke(code, header, body).map_err(|error| peer_failure(&error))?;
    screen.trace(&format!("{}: {code} answered {} in {:?}", peer.address(), reply.code, began.elapsed()));
    if reply.code == ResponseCode::SUCCESS { Ok(reply) } else { Err(refusal(peer.address(), code, &reply)) }
}

/// The JSON of an answer.
pub(super) fn decode<T: DeserializeOwned>(reply: &Reply) -> Result<T, Failure> {
    bodies::decode(&reply.body).map_err(|error: BodyError| {
        Failure::failed("the answer cannot be read")
            .cause(error)
            .cure("is the other side a RocketMQ or Gantry broker?")
    })
}

fn unreachable(who: &str, address: &str, error: &PeerError, cure: &str) -> Failure {
    let cause: String = match error {
        PeerError::Connect { source, .. } | PeerError::Address { source, .. } => source.to_string(),
        other => other.to_string(),
    };
    Failure::new(Exit::Unreachable, format!("cannot reach the {who} at {address}")).cause(cause).cure(cure)
}

/// A request without an answer.
pub(super) fn peer_failure(error: &PeerError) -> Failure {
    let unreachable = Failure::new(Exit::Unreachable, error.to_string());
    match error {
        PeerError::TimedOut { .. } => unreachable.cure("is it busy? --timeout 30s waits longer"),
        PeerError::Foreign { .. } => {
            unreachable.cure("is this the RocketMQ port of a broker or name server?")
        }
        PeerError::Address { .. }
        | PeerError::Connect { .. }
        | PeerError::Io { .. }
        | PeerError::Header { .. } => unreachable,
        PeerError::RequestTooLarge { .. } | PeerError::Encode(_) | PeerError::Refused { .. } => {
            Failure::failed(error.to_string())
        }
    }
}

/// A request in Kafka's dialect without an answer.
pub(super) fn kafka_failure(error: &KafkaPeerError) -> Failure {
    let unreachable = Failure::new(Exit::Unreachable, error.to_string());
    match error {
        KafkaPeerError::Connect { address, source } => {
            Failure::new(Exit::Unreachable, format!("cannot reach Kafka at {address}"))
                .cause(source)
                .cure("start one with `gantry start`, or name another with --kafka or GANTRY_KAFKA")
        }
        KafkaPeerError::TimedOut { .. } => unreachable.cure("is it busy? --timeout 30s waits longer"),
        KafkaPeerError::Foreign { .. } => unreachable.cure("is this the Kafka port?"),
        KafkaPeerError::Io { .. } => unreachable,
        KafkaPeerError::NotServed { .. } => Failure::failed(error.to_string()).not_served(),
        KafkaPeerError::Unfit { .. } => Failure::failed(error.to_string()),
    }
}

/// A request that was answered with another code than success.
pub(super) fn refusal(address: &str, request: RequestCode, reply: &Reply) -> Failure {
    let exit = match reply.code {
        ResponseCode::TOPIC_NOT_EXIST
        | ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST
        | ResponseCode::SUBSCRIPTION_NOT_EXIST
        | ResponseCode::QUERY_NOT_FOUND
        | ResponseCode::CONSUMER_NOT_ONLINE
        | ResponseCode::BROKER_NOT_EXIST
        | ResponseCode::NO_MESSAGE => Exit::NotFound,
        ResponseCode::NO_PERMISSION => Exit::Denied,
        _ => Exit::Failed,
    };
    // Java puts its exception with a help link into the remark; the first line says it.
    let remark = reply.remark.as_deref().unwrap_or_default();
    let words = remark.lines().next().filter(|line| !line.is_empty()).unwrap_or("no reason given");
    let failure = Failure::new(exit, format!("{request} at {address}: {words}")).cause(reply.code);
    match reply.code {
        ResponseCode::REQUEST_CODE_NOT_SUPPORTED => {
            failure.cure("this broker does not serve it").not_served()
        }
        ResponseCode::SYSTEM_BUSY | ResponseCode::FLOW_CONTROL => failure.cure("try again"),
        _ => failure,
    }
}

/// An error code of an answer of Kafka; `what` was asked for.
pub(super) fn kafka_refusal(what: &str, code: i16, message: Option<&str>) -> Result<(), Failure> {
    let code = ErrorCode(code);
    if code.is_success() {
        return Ok(());
    }
    let exit = match code {
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
        | ErrorCode::GROUP_ID_NOT_FOUND
        | ErrorCode::UNKNOWN_TOPIC_ID => Exit::NotFound,
        ErrorCode::TOPIC_AUTHORIZATION_FAILED
        | ErrorCode::GROUP_AUTHORIZATION_FAILED
        | ErrorCode::CLUSTER_AUTHORIZATION_FAILED => Exit::Denied,
        _ => Exit::Failed,
    };
    let name = code.name().map_or_else(|| code.0.to_string(), str::to_owned);
    Err(Failure::new(exit, what)
        .cause(message.map_or_else(|| name.clone(), |message| format!("{name}: {message}"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_a_port_gets_the_usual_one() {
        for (address, expected) in [
            ("here", "here:9092"),
            ("here:1", "here:1"),
            ("127.0.0.1", "127.0.0.1:9092"),
            ("[::1]", "[::1]:9092"),
            ("[::1]:1", "[::1]:1"),
        ] {
            assert_eq!(with_port(address, KAFKA_PORT), expected);
        }
    }
}
