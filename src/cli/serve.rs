//! Serve: configuration, sockets, store, dialects, in this order, so that each error comes early. What
//! `gantry start`, `gantry broker` and `gantry namesrv` share; their files hold what they do not.

pub(super) mod live_config;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use gantry_store::disk::{Disk, RealDisk};

use live_config::LiveConfig;

use super::{Failure, backtraces, banner, logging, roles};
use crate::broker::config::saved_changes;
use crate::config::{Assignment, FlushDiskType, Loaded, Role, Source, from_environment, load, read_file};
use crate::server::{self, Addresses, Clock, Progress, ReadyFile, ReadyFileError, Roles, Shutdown};

/// Options of every process that serves.
#[derive(Debug, Args)]
pub(super) struct Common {
    /// Directory of all data [default: ./gantry-data]
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// Configuration: RocketMQ's broker.conf, in which Kafka's dotted keys may stand, or namesrv.conf
    #[arg(long, value_name = "FILE")]
    conf: Option<PathBuf>,
    /// Address to listen on; 0.0.0.0 or :: for all [default: 127.0.0.1]
    #[arg(long, value_name = "ADDR")]
    listen: Option<IpAddr>,
    /// Port of /healthz, /readyz and /metrics; 0 is a free one [default: 8088]
    #[arg(long, value_name = "PORT")]
    http_port: Option<u16>,
    /// Write a JSON file with the pid and all addresses when ready; removed at the stop
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// Refuse unknown keys and keys without effect instead of warning
    #[arg(long)]
    strict: bool,
}

/// Options of a broker.
#[derive(Debug, Args)]
pub(super) struct BrokerOptions {
    /// Name servers elsewhere to register with, host:port, several separated by commas
    #[arg(long, value_name = "ADDRS")]
    namesrv: Option<String>,
    /// Port of the RocketMQ broker, its fast port is 2 below; 0 is a free one [default: 10911]
    #[arg(long, value_name = "PORT")]
    remoting_port: Option<u16>,
    /// Port of Kafka; 0 is a free one [default: 9092]
    #[arg(long, value_name = "PORT")]
    kafka_port: Option<u16>,
    /// When a send is answered: on the disk, or in the page cache [default: SYNC_FLUSH]
    #[arg(long, value_name = "MODE", value_parser = ["SYNC_FLUSH", "ASYNC_FLUSH"])]
    flush_disk_type: Option<String>,
}

/// An option that sets a key: as typed, the key, the value.
pub(super) type OptionRow = (&'static str, &'static str, Option<String>);

pub(super) fn port_text(port: Option<u16>) -> Option<String> {
    port.map(|port| port.to_string())
}

impl BrokerOptions {
    pub(super) fn rows(&self) -> Vec<OptionRow> {
        vec![
            ("--namesrv", "namesrvAddr", self.namesrv.clone()),
            ("--remoting-port", "listenPort", port_text(self.remoting_port)),
            ("--kafka-port", "kafkaPort", port_text(self.kafka_port)),
            ("--flush-disk-type", "flushDiskType", self.flush_disk_type.clone()),
        ]
    }

    /// The option is the later word also about a port that `listeners` names.
    fn overrule(&self, loaded: &mut Loaded) {
        if let (Some(port), Some(listener)) = (self.kafka_port, &mut loaded.settings.kafka.listeners) {
            listener.port = port;
        }
    }
}

/// What a command wants served.
pub(super) struct Serve<'a> {
    pub(super) roles: Roles,
    pub(super) common: &'a Common,
    pub(super) broker: Option<&'a BrokerOptions>,
    /// Its own options.
    pub(super) rows: Vec<OptionRow>,
}

impl Serve<'_> {
    /// Blocks until the server stopped.
    pub(super) fn run(self) -> Result<(), Failure> {
        logging::start();
        backtraces::warn_when_captured();
        let (loaded, configuration) = self.load()?;
        for notice in &loaded.notices {
            tracing::warn!("{notice}");
        }
        let sockets = server::bind(&loaded.settings, self.roles)?;
        let (settings, addresses) = (loaded.settings.clone(), *sockets.addresses());
        let shutdown = Shutdown::new();
        let stop = shutdown.clone();
        let open = move || {
            let mut progress = Progress::new("recovering the log");
            roles::open(&settings, &configuration, &addresses, &Clock::system(), &stop, &mut progress)
        };
        // Held until the server has stopped.
        let mut ready_file = None;
        let ready = |addresses: &Addresses| {
            ready_file = self.ready(&loaded, addresses)?;
            Ok(())
        };
        server::run(sockets, &loaded.settings, &shutdown, open, ready)?;
        tracing::info!("stopped");
        Ok(())
    }

    /// What holds, and what administrators may still change of it.
    fn load(&self) -> Result<(Loaded, LiveConfig), Failure> {
        let common = self.common;
        let mut assignments = common.conf.as_deref().map(read_file).transpose()?.unwrap_or_default();
        assignments.extend(from_environment(std::env::vars_os()));
        assignments.extend(self.assignments());
        let role = if self.roles == Roles::NameServer { Role::Namesrv } else { Role::Broker };
        let mut loaded = load(assignments.clone(), role, common.strict)?;
        let configuration = LiveConfig::new(assignments);
        if self.broker.is_some() {
            let disk: Arc<dyn Disk> = Arc::new(RealDisk);
            let changes = saved_changes(&disk, &loaded.settings.store.root)?;
            loaded = load(configuration.with(&changes), role, common.strict)?;
        }
        if let Some(broker) = self.broker {
            broker.overrule(&mut loaded);
        }
        Ok((loaded, configuration))
    }

    fn assignments(&self) -> Vec<Assignment> {
        let common = self.common;
        let shared = [
            ("--data", "storePathRootDir", common.data.clone()),
            ("--listen", "bindAddress", common.listen.map(|address| address.to_string())),
            ("--http-port", "httpPort", port_text(common.http_port)),
        ];
        let broker = self.broker.map(BrokerOptions::rows).unwrap_or_default();
        let rows = shared.into_iter().chain(broker).chain(self.rows.iter().cloned());
        let set = rows.filter_map(|(option, key, value)| Some((option, key, value?)));
        set.map(|(option, key, value)| Assignment {
            key: key.to_owned(),
            value,
            at: Source::CommandLine(option),
        })
        .collect()
    }

    /// Every socket is served: say so in the log, in the ready file, on the terminal.
    fn ready(&self, loaded: &Loaded, addresses: &Addresses) -> Result<Option<ReadyFile>, ReadyFileError> {
        if addresses.broker.is_some() {
            log_flush_mode(loaded);
        }
        warn_of_open_listeners(addresses);
        let path = self.common.ready_file.as_deref();
        let file = path.map(|path| ReadyFile::write(path, addresses)).transpose()?;
        banner::print(&mut io::stdout().lock(), &loaded.settings, addresses);
        Ok(file)
    }
}

/// One line that says what an acknowledgement means in this run.
fn log_flush_mode(loaded: &Loaded) {
    let source = loaded.sources.get("flushDiskType").map_or_else(|| "default".to_owned(), Source::to_string);
    match loaded.settings.store.flush_disk_type {
        FlushDiskType::Sync => {
            tracing::info!(%source, "SYNC_FLUSH: an answered message is on the disk and survives power loss");
        }
        FlushDiskType::Async => {
            let interval_ms = loaded.settings.store.flush_interval_ms;
            tracing::info!(%source, interval_ms, "ASYNC_FLUSH: a power cut loses what the interval had not flushed");
        }
    }
}

fn warn_of_open_listeners(addresses: &Addresses) {
    let open: Vec<SocketAddr> = addresses.main().filter(|address| !address.ip().is_loopback()).collect();
    if !open.is_empty() {
        tracing::warn!(
            ?open,
            "open to the network without authentication: who reaches it can read and write"
        );
    }
}
