//! `gantry namesrv`: the name server alone, for brokers of other processes, Gantry's or RocketMQ's.

use clap::Args;

use super::Failure;
use super::serve::{Common, Serve, port_text};
use crate::server::Roles;

const EXAMPLES: &str = "\
Examples:
  gantry namesrv                                port 9876, loopback only
  gantry namesrv --listen 0.0.0.0 --port 9876
  gantry namesrv --conf namesrv.conf            RocketMQ's namesrv.conf as it is

It keeps nothing but its key-value configuration (namesrv/kvConfig.json below the data directory); brokers register
again within seconds of a restart.

Exit codes: 0 stopped by a signal, 1 failed, 2 wrong command line";

/// Starts the name server alone and serves until SIGINT or SIGTERM.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Namesrv {
    #[command(flatten)]
    common: Common,
    /// Port of the name server; 0 is a free one [default: 9876]
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
}

impl Namesrv {
    /// Blocks until the server stopped.
    pub(super) fn run(self) -> Result<(), Failure> {
        let rows = vec![("--port", "namesrvPort", port_text(self.port))];
        Serve { roles: Roles::NameServer, common: &self.common, broker: None, rows }.run()
    }
}
