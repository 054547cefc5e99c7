//! `gantry broker`: the broker of both dialects; name servers run elsewhere.

use clap::Args;

use super::Failure;
use super::serve::{BrokerOptions, Common, Serve};
use crate::server::Roles;

const EXAMPLES: &str = "\
Examples:
  gantry broker --namesrv ns-1:9876,ns-2:9876   registers with both, RocketMQ's or Gantry's
  gantry broker --conf broker.conf              namesrvAddr from RocketMQ's broker.conf
  GANTRY_NAMESRV_ADDR=ns-1:9876 gantry broker --listen 0.0.0.0

It serves whether or not a name server answers, and registers as soon as one does. Without any, Kafka clients and
RocketMQ clients that were told its address still work.

Exit codes: 0 stopped by a signal, 1 failed, 2 wrong command line";

/// Starts the broker without a name server of its own and serves until SIGINT or SIGTERM.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Broker {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    broker: BrokerOptions,
}

impl Broker {
    /// Blocks until the server stopped.
    pub(super) fn run(self) -> Result<(), Failure> {
        let (common, broker) = (&self.common, Some(&self.broker));
        Serve { roles: Roles::Broker, common, broker, rows: Vec::new() }.run()
    }
}
