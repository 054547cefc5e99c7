//! Listening sockets: bound before the store is opened, so that a port in use is said at once.
//!
//! Main ports must be free; secondary ones (the fast port 2 below the broker's, the second metrics port) are
//! worth a warning only. Nothing here needs a runtime.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};

use crate::config::Settings;
use crate::limits;

/// The fast port (`vipChannelEnabled`) is this far below the broker's, in every RocketMQ client.
const FAST_PORT_BELOW: u16 = 2;
/// The replication port is this far above it.
const HA_PORT_ABOVE: u16 = 1;

/// What one process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Roles {
    /// Name server and broker.
    All,
    /// The broker of both dialects; name servers run elsewhere.
    Broker,
    /// The name server only.
    NameServer,
}

/// All sockets of one process, bound and not yet accepting.
#[derive(Debug)]
pub struct Sockets {
    pub(super) namesrv: Option<TcpListener>,
    pub(super) broker: Option<BrokerSockets>,
    pub(super) http: TcpListener,
    pub(super) metrics: Option<TcpListener>,
    addresses: Addresses,
}

/// The broker's.
#[derive(Debug)]
pub(super) struct BrokerSockets {
    pub(super) remoting: TcpListener,
    pub(super) fast: Option<TcpListener>,
    pub(super) kafka: TcpListener,
}

/// Where the sockets listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// The name server, where this process is one.
    pub namesrv: Option<SocketAddr>,
    /// The broker, where this process is one.
    pub broker: Option<BrokerAddresses>,
    /// Health, readiness, metrics.
    pub http: SocketAddr,
    /// The second metrics port, where it was free.
    pub metrics: Option<SocketAddr>,
}

/// Where the broker listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrokerAddresses {
    /// RocketMQ.
    pub remoting: SocketAddr,
    /// RocketMQ's fast port, where one was free.
    pub fast: Option<SocketAddr>,
    /// Kafka.
    pub kafka: SocketAddr,
}

impl Addresses {
    /// Every main listener.
    pub fn main(&self) -> impl Iterator<Item = SocketAddr> {
        let broker = self.broker.map(|broker| [broker.remoting, broker.kafka]);
        self.namesrv.into_iter().chain(broker.into_iter().flatten()).chain([self.http])
    }
}

impl Sockets {
    /// Where they listen.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }
}

/// `address` as a client of this machine dials it: every address becomes loopback.
pub fn dialable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// Why a main port cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Something else listens there.
    #[error(
        "port {port} is in use: the {what} cannot listen on {address}; choose another with {option} \
         (0 is a free one) or stop what listens there", port = address.port()
    )]
    InUse {
        /// Who wanted it.
        what: &'static str,
        /// Where.
        address: SocketAddr,
        /// The option that changes it.
        option: &'static str,
    },
    /// No interface has the address.
    #[error("{address} is no address of this machine: choose one with --listen", address = address.ip())]
    NotLocal {
        /// The address.
        address: SocketAddr,
    },
    /// The process may not.
    #[error("no permission to listen on port {port}: choose one above 1023 with {option}", port = address.port())]
    Denied {
        /// Where.
        address: SocketAddr,
        /// The option that changes it.
        option: &'static str,
    },
    /// The host of `listeners` has no address.
    #[error("listeners: no address found for host {host}: {source}")]
    UnknownHost {
        /// The host.
        host: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// No free port has free neighbours.
    #[error("no free port for the broker whose neighbours are free too: choose one with --remoting-port")]
    NoneFree,
    /// Anything else.
    #[error("the {what} cannot listen on {address}: {source}")]
    Failed {
        /// Who wanted it.
        what: &'static str,
        /// Where.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// Binds the listeners that `roles` have. Blocks only to resolve a host name in `listeners`.
///
/// # Errors
/// When a main port cannot be listened on; a busy secondary port is logged as a warning.
pub fn bind(settings: &Settings, roles: Roles) -> Result<Sockets, BindError> {
    let network = &settings.network;
    let at = |port| SocketAddr::new(network.bind_address, port);
    let broker = (roles != Roles::NameServer).then(|| bind_broker(settings)).transpose()?;
    let option = if roles == Roles::NameServer { "--port" } else { "--namesrv-port" };
    let namesrv = (roles != Roles::Broker)
        .then(|| bind_main("name server", at(network.namesrv_port), option))
        .transpose()?;
    let http = bind_main("HTTP listener", at(network.http_port), "--http-port")?;
    let metrics_host = network.metrics_host.unwrap_or(network.bind_address);
    let metrics = broker.as_ref().and_then(|_| {
        bind_secondary("second metrics port", SocketAddr::new(metrics_host, network.metrics_port))
    });
    let broker_addresses = broker.as_ref().map(|broker| {
        Ok(BrokerAddresses {
            remoting: local("broker", &broker.remoting)?,
            fast: broker.fast.as_ref().and_then(|listener| listener.local_addr().ok()),
            kafka: local("Kafka listener", &broker.kafka)?,
        })
    });
    let addresses = Addresses {
        namesrv: namesrv.as_ref().map(|listener| local("name server", listener)).transpose()?,
        broker: broker_addresses.transpose()?,
        http: local("HTTP listener", &http)?,
        metrics: metrics.as_ref().and_then(|listener| listener.local_addr().ok()),
    };
    Ok(Sockets { namesrv, broker, http, metrics, addresses })
}

fn local(what: &'static str, listener: &TcpListener) -> Result<SocketAddr, BindError> {
    let unknown = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0);
    listener.local_addr().map_err(|source| BindError::Failed { what, address: unknown, source })
}

fn bind_broker(settings: &Settings) -> Result<BrokerSockets, BindError> {
    let network = &settings.network;
    let (remoting, fast) = bind_remoting(SocketAddr::new(network.bind_address, network.listen_port))?;
    let kafka = bind_main("Kafka listener", kafka_address(settings)?, "--kafka-port")?;
    Ok(BrokerSockets { remoting, fast, kafka })
}

fn kafka_address(settings: &Settings) -> Result<SocketAddr, BindError> {
    let network = &settings.network;
    let Some(listener) = &settings.kafka.listeners else {
        return Ok(SocketAddr::new(network.bind_address, network.kafka_port));
    };
    if listener.host.is_empty() {
        return Ok(SocketAddr::new(network.bind_address, listener.port));
    }
    let host = &listener.host;
    let unknown = |source| BindError::UnknownHost { host: host.clone(), source };
    let mut found = (host.as_str(), listener.port).to_socket_addrs().map_err(unknown)?;
    found.next().ok_or_else(|| unknown(ErrorKind::NotFound.into()))
}

/// The broker's port and the fast port; with port 0, one whose neighbours are free.
fn bind_remoting(address: SocketAddr) -> Result<(TcpListener, Option<TcpListener>), BindError> {
    const WHAT: &str = "RocketMQ broker";
    const OPTION: &str = "--remoting-port";
    if address.port() != 0 {
        let broker = bind_main(WHAT, address, OPTION)?;
        let fast = address.port().checked_sub(FAST_PORT_BELOW).filter(|port| *port != 0);
        let fast = fast.and_then(|port| bind_secondary("fast port", SocketAddr::new(address.ip(), port)));
        return Ok((broker, fast));
    }
    // Refused candidates stay bound until one fits, so that the system offers others.
    let mut refused = Vec::new();
    for _ in 0..limits::FREE_PORT_TRIES {
        let broker = bind_main(WHAT, address, OPTION)?;
        let port = broker.local_addr().map(|local| local.port()).unwrap_or_default();
        let neighbour = |port: Option<u16>| listen(SocketAddr::new(address.ip(), port?)).ok();
        let fast = neighbour(port.checked_sub(FAST_PORT_BELOW).filter(|port| *port != 0));
        if fast.is_some() && neighbour(port.checked_add(HA_PORT_ABOVE)).is_some() {
            return Ok((broker, fast));
        }
        refused.push(broker);
    }
    Err(BindError::NoneFree)
}

fn bind_main(
    what: &'static str,
    address: SocketAddr,
    option: &'static str,
) -> Result<TcpListener, BindError> {
    listen(address).map_err(|source| match source.kind() {
        ErrorKind::AddrInUse => BindError::InUse { what, address, option },
        ErrorKind::AddrNotAvailable => BindError::NotLocal { address },
        ErrorKind::PermissionDenied => BindError::Denied { address, option },
        _ => BindError::Failed { what, address, source },
    })
}

fn bind_secondary(what: &'static str, address: SocketAddr) -> Option<TcpListener> {
    let bound = listen(address);
    if let Err(error) = &bound {
        tracing::warn!(what, %address, %error, "cannot listen on a secondary port; going on without it");
    }
    bound.ok()
}

/// `SO_REUSEADDR` is set by the standard library: a restart needs no waiting for old connections.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::KafkaAddress;

    /// Every port a free one.
    fn free() -> Settings {
        let mut settings = Settings::default();
        let network = &mut settings.network;
        (network.listen_port, network.namesrv_port, network.kafka_port) = (0, 0, 0);
        (network.http_port, network.metrics_port) = (0, 0);
        settings
    }

    #[test]
    fn free_ports_have_their_neighbours() {
        let sockets = bind(&free(), Roles::All).unwrap();
        let addresses = sockets.addresses();
        let broker = addresses.broker.unwrap();
        assert_eq!(broker.fast.unwrap().port() + 2, broker.remoting.port());
        assert!(addresses.metrics.is_some());
        assert!(addresses.main().all(|address| address.ip().is_loopback()));
        assert_eq!(addresses.main().count(), 4);
    }

    #[test]
    fn a_role_binds_what_it_serves() {
        let broker = *bind(&free(), Roles::Broker).unwrap().addresses();
        assert_eq!((broker.namesrv, broker.broker.is_some()), (None, true));
        let name_server = *bind(&free(), Roles::NameServer).unwrap().addresses();
        assert_eq!((name_server.broker, name_server.metrics), (None, None));
        assert!(name_server.namesrv.is_some());
    }

    #[test]
    fn a_busy_main_port_says_what_to_do() {
        let busy = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = busy.local_addr().unwrap().port();
        let mut settings = free();
        settings.network.kafka_port = port;
        assert_eq!(
            bind(&settings, Roles::All).unwrap_err().to_string(),
            format!(
                "port {port} is in use: the Kafka listener cannot listen on 127.0.0.1:{port}; choose another \
                 with --kafka-port (0 is a free one) or stop what listens there"
            )
        );
    }

    #[test]
    fn a_busy_secondary_port_is_done_without() {
        let busy = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut settings = free();
        settings.network.metrics_port = busy.local_addr().unwrap().port();
        assert_eq!(bind(&settings, Roles::All).unwrap().addresses().metrics, None);
    }

    #[test]
    fn a_foreign_address_is_named() {
        let mut settings = free();
        settings.network.bind_address = "192.0.2.1".parse().unwrap();
        let error = bind(&settings, Roles::All).unwrap_err().to_string();
        assert_eq!(error, "192.0.2.1 is no address of this machine: choose one with --listen");
    }

    #[test]
    fn kafka_listeners_win_over_the_port() {
        let mut settings = free();
        settings.kafka.listeners = Some(KafkaAddress { host: "localhost".into(), port: 0 });
        assert!(bind(&settings, Roles::All).unwrap().addresses().broker.unwrap().kafka.ip().is_loopback());
    }

    #[test]
    fn every_address_is_dialled_as_loopback() {
        assert_eq!(dialable("0.0.0.0:1".parse().unwrap()), "127.0.0.1:1".parse().unwrap());
        assert_eq!(dialable("[::]:1".parse().unwrap()), "[::1]:1".parse().unwrap());
        assert_eq!(dialable("10.0.0.1:1".parse().unwrap()), "10.0.0.1:1".parse().unwrap());
    }
}
