//! Commands that ask a running broker, Gantry or another, over the wire: one family of commands a file.

pub(super) mod cluster;
pub(super) mod group;
pub(super) mod msg;
pub(super) mod topic;
mod wire;

use clap::Args;

use super::output::{Screen, Show};
use wire::Wire;

/// Options of every command that asks a broker.
#[derive(Args, Clone, Debug)]
pub(super) struct Common {
    #[command(flatten)]
    addresses: wire::Addresses,
    #[command(flatten)]
    show: Show,
}

impl Common {
    /// Where to ask and where to answer.
    fn open(&self) -> (Wire, Screen) {
        let screen = Screen::new(&self.show);
        (Wire::new(self.addresses.clone(), screen.clone()), screen)
    }
}
