//! `gantry start`: configuration, sockets, store, dialects, in this order, so that each error comes early.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::Args;

use super::{Failure, backtraces, banner, logging, roles};
use crate::config::{
    Assignment, ConfigError, FlushDiskType, Loaded, Role, Source, from_environment, load, read_file,
};
use crate::server::{self, Addresses, Clock, Progress, ReadyFile, ReadyFileError, Shutdown};

const EXAMPLES: &str = "\
Examples:
  gantry start                                  data in ./gantry-data, loopback only
  gantry start --data /var/lib/gantry --listen 0.0.0.0
  gantry start --conf broker.conf --strict      RocketMQ's broker.conf as it is
  gantry start --flush-disk-type ASYNC_FLUSH    faster; loses the last 500 ms at a power cut
  gantry start --namesrv-port 0 --remoting-port 0 --kafka-port 0 --http-port 0 --ready-file ready.json

What counts: defaults, then --conf, then GANTRY_* variables (GANTRY_FLUSH_DISK_TYPE), then options.
`gantry config explain` lists every key.

SIGINT or SIGTERM stops; a second one stops at once. RUST_LOG=debug logs more.

Exit codes: 0 stopped by a signal, 1 failed, 2 wrong command line";

/// Starts all roles in this process and serves until SIGINT or SIGTERM.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Start {
    /// Directory of all data [default: ./gantry-data]
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// Configuration: a RocketMQ broker.conf; Kafka's dotted keys may stand in it
    #[arg(long, value_name = "FILE")]
    conf: Option<PathBuf>,
    /// Address to listen on; 0.0.0.0 or :: for all [default: 127.0.0.1]
    #[arg(long, value_name = "ADDR")]
    listen: Option<IpAddr>,
    /// Port of the name server; 0 is a free one [default: 9876]
    #[arg(long, value_name = "PORT")]
    namesrv_port: Option<u16>,
    /// Port of the RocketMQ broker, its fast port is 2 below; 0 is a free one [default: 10911]
    #[arg(long, value_name = "PORT")]
    remoting_port: Option<u16>,
    /// Port of Kafka; 0 is a free one [default: 9092]
    #[arg(long, value_name = "PORT")]
    kafka_port: Option<u16>,
    /// Port of /healthz, /readyz and /metrics; 0 is a free one [default: 8088]
    #[arg(long, value_name = "PORT")]
    http_port: Option<u16>,
    /// Write a JSON file with the pid and all addresses when ready; removed at the stop
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// Refuse unknown keys and keys without effect instead of warning
    #[arg(long)]
    strict: bool,
    /// When a send is answered: on the disk, or in the page cache [default: SYNC_FLUSH]
    #[arg(long, value_name = "MODE", value_parser = ["SYNC_FLUSH", "ASYNC_FLUSH"])]
    flush_disk_type: Option<String>,
}

impl Start {
    /// Blocks until the server stopped.
    pub(super) fn run(self) -> Result<(), Failure> {
        logging::start();
        backtraces::warn_when_captured();
        let loaded = self.load()?;
        for notice in &loaded.notices {
            tracing::warn!("{notice}");
        }
        let sockets = server::bind(&loaded.settings)?;
        let (settings, addresses) = (loaded.settings.clone(), *sockets.addresses());
        let shutdown = Shutdown::new();
        let stop = shutdown.clone();
        let open = move || {
            let mut progress = Progress::new("recovering the log");
            roles::open(&settings, &addresses, &Clock::system(), &stop, &mut progress)
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

    fn load(&self) -> Result<Loaded, ConfigError> {
        let mut assignments = self.conf.as_deref().map(read_file).transpose()?.unwrap_or_default();
        assignments.extend(from_environment(std::env::vars_os()));
        assignments.extend(self.assignments());
        let mut loaded = load(assignments, Role::Broker, self.strict)?;
        // The option is the later word also about a port that `listeners` names.
        if let (Some(port), Some(listener)) = (self.kafka_port, &mut loaded.settings.kafka.listeners) {
            listener.port = port;
        }
        Ok(loaded)
    }

    fn assignments(&self) -> Vec<Assignment> {
        let text = |port: Option<u16>| port.map(|port| port.to_string());
        let rows = [
            ("--data", "storePathRootDir", self.data.clone()),
            ("--listen", "bindAddress", self.listen.map(|address| address.to_string())),
            ("--namesrv-port", "namesrvPort", text(self.namesrv_port)),
            ("--remoting-port", "listenPort", text(self.remoting_port)),
            ("--kafka-port", "kafkaPort", text(self.kafka_port)),
            ("--http-port", "httpPort", text(self.http_port)),
            ("--flush-disk-type", "flushDiskType", self.flush_disk_type.clone()),
        ];
        let set = rows.into_iter().filter_map(|(option, key, value)| Some((option, key, value?)));
        set.map(|(option, key, value)| Assignment {
            key: key.to_owned(),
            value,
            at: Source::CommandLine(option),
        })
        .collect()
    }

    /// Every socket is served: say so in the log, in the ready file, on the terminal.
    fn ready(&self, loaded: &Loaded, addresses: &Addresses) -> Result<Option<ReadyFile>, ReadyFileError> {
        log_flush_mode(loaded);
        warn_of_open_listeners(addresses);
        let file = self.ready_file.as_deref().map(|path| ReadyFile::write(path, addresses)).transpose()?;
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
    let all = [addresses.namesrv, addresses.remoting, addresses.kafka, addresses.http];
    let open: Vec<SocketAddr> = all.into_iter().filter(|address| !address.ip().is_loopback()).collect();
    if !open.is_empty() {
        tracing::warn!(
            ?open,
            "open to the network without authentication: who reaches it can read and write"
        );
    }
}
