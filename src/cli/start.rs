//! `gantry start`: name server, RocketMQ broker and Kafka broker in one process.

use clap::Args;

use super::Failure;
use super::serve::{BrokerOptions, Common, Serve, port_text};
use crate::server::Roles;

const EXAMPLES: &str = "\
Examples:
  gantry start                                  data in ./gantry-data, loopback only
  gantry start --data /var/lib/gantry --listen 0.0.0.0
  gantry start --conf broker.conf --strict      RocketMQ's broker.conf as it is
  gantry start --flush-disk-type ASYNC_FLUSH    faster; loses the last 500 ms at a power cut
  gantry start --namesrv-port 0 --remoting-port 0 --kafka-port 0 --http-port 0 --ready-file ready.json

What counts: defaults, then --conf, then what `mqadmin updateBrokerConfig` changed, then GANTRY_* variables
(GANTRY_FLUSH_DISK_TYPE), then options.
`gantry config explain` lists every key.

SIGINT or SIGTERM stops; a second one stops at once. RUST_LOG=debug logs more.

Exit codes: 0 stopped by a signal, 1 failed, 2 wrong command line";

/// Starts all roles in this process and serves until SIGINT or SIGTERM.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Start {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    broker: BrokerOptions,
    /// Port of the name server in this process; 0 is a free one [default: 9876]
    #[arg(long, value_name = "PORT")]
    namesrv_port: Option<u16>,
}

impl Start {
    /// Blocks until the server stopped.
    pub(super) fn run(self) -> Result<(), Failure> {
        let rows = vec![("--namesrv-port", "namesrvPort", port_text(self.namesrv_port))];
        let (common, broker) = (&self.common, Some(&self.broker));
        Serve { roles: Roles::All, common, broker, rows }.run()
    }
}
