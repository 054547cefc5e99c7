//! Typed settings: what a user may configure, one struct per subsystem, checked once at start.
//!
//! Each key stands in exactly one row (`section!` in the files below this module): name, type, default, unit,
//! sentence. The parser, `gantry config explain`, the generated `conf/*.conf` and the struct all come from it.
//! RocketMQ's keys keep their names and meanings (RocketMQ 5.3.3 `common/BrokerConfig.java`,
//! `store/config/MessageStoreConfig.java`, `remoting/netty/NettyServerConfig.java`,
//! `common/namesrv/NamesrvConfig.java`), Kafka's keep their dotted names. Bounds that are not for users to set
//! stand in `limits`.

mod document;
mod fault;
mod identity;
mod kafka;
mod key;
mod known;
mod load;
mod namesrv;
mod native;
mod nearest;
mod network;
mod registration;
mod store;
mod value;
mod without_effect;

pub use document::{document, explain, keys_of};
pub use fault::{ConfigError, Fault, Notice};
pub use identity::Identity;
pub use kafka::Kafka;
pub use key::{Allowed, Key, Origin, Role, Unit};
pub use load::{Assignment, Loaded, Source, from_environment, load, read_file};
pub use namesrv::Namesrv;
pub use native::Native;
pub use network::Network;
pub use registration::Registration;
pub use store::Store;
pub use value::{FlushDiskType, HostPorts, Hours, KafkaAddress};

/// Everything that can be configured, after defaults, file, environment and command line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// Who the broker is.
    pub identity: Identity,
    /// Where it listens.
    pub network: Network,
    /// Files, flushing, retention.
    pub store: Store,
    /// RocketMQ clients.
    pub native: Native,
    /// Kafka clients.
    pub kafka: Kafka,
    /// Name servers of other processes.
    pub registration: Registration,
    /// The name server.
    pub namesrv: Namesrv,
}

/// Every key, in the order of the documented files.
pub fn keys() -> impl Iterator<Item = &'static Key> {
    [identity::KEYS, network::KEYS, store::KEYS, native::KEYS, kafka::KEYS, registration::KEYS, namesrv::KEYS]
        .into_iter()
        .flatten()
}
