//! The name server: THE table of its request codes, and one file a family of handlers.
//!
//! Here too: the registrar, which keeps the broker of this process registered with name servers of others.
//!
//! Clients ask it which brokers hold a topic and then talk to those. It is told by brokers that register over
//! the network, and computes what the broker of its own process has when it is asked. A row names the code, the
//! lane and the function; dispatch and the support table in README are computed from the rows.
//! Source: RocketMQ 5.3.3 `namesrv/processor/{ClientRequestProcessor,DefaultRequestProcessor}.java`.

mod bodies;
mod call;
mod cluster;
mod config;
mod kv;
mod kv_keeper;
mod local;
mod name_server;
mod perm;
mod register;
mod registrar;
mod registration_body;
mod route;
mod session;
mod switches;
mod table;
#[cfg(test)]
mod tests;
mod units;

use std::sync::LazyLock;

use call::{Answer, Call, Refusal};
use gantry_protocols::remoting::RequestCode;
pub use kv_keeper::{KvKeepError, KvKeeper, KvOpenError};
pub use local::{LocalBroker, LocalIdentity};
pub use name_server::{NameServer, RegistrationError};
pub use registrar::{Registrar, RegistrarConfig};
pub use session::{Session, SessionError};
pub use switches::{NameServerConfig, Switches};

use crate::requests::{self, Table};

/// Which queue a request stands in when the name server is busy; a client never waits behind a registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Routes for clients.
    Client,
    /// Registrations of brokers.
    Broker,
    /// Everything else.
    Admin,
}

type Route = requests::Route<Lane, Handler>;
type Handler = fn(&mut Call<'_>) -> Result<Answer, Refusal>;

static ROUTES: LazyLock<Table<Lane, Handler>> = LazyLock::new(|| {
    Table::new(&[
        cluster::ROUTES,
        config::ROUTES,
        kv::ROUTES,
        perm::ROUTES,
        register::ROUTES,
        route::ROUTES,
        units::ROUTES,
    ])
});

/// What this name server serves, ascending by code.
pub fn routes() -> impl Iterator<Item = (RequestCode, Lane)> {
    ROUTES.rows()
}
