//! The remoting dialect of the broker: THE table of request codes, and one file a family of handlers.
//!
//! A row names the code, the lane and the function; dispatch and the support table in README are computed from
//! the rows. To add a code: its header in `protocols/src/remoting/headers/`, its function and row here.

mod broker_config;
mod call;
mod client;
mod client_call;
mod connection;
mod errors;
mod group;
mod lock;
mod offset;
mod offset_admin;
mod progress;
mod pull;
mod query;
mod runtime;
mod send;
mod send_back;
mod session;
mod stats;
mod topic;

use std::sync::LazyLock;

use call::{Answer, Call, Refusal};
use gantry_protocols::remoting::RequestCode;
pub(crate) use session::Session;

use crate::requests::{self, Table};

/// Which queue a request stands in when the broker is busy; an admin listing never delays a send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Writes of messages.
    Send,
    /// Reads of messages.
    Pull,
    /// Clients and their offsets.
    Client,
    /// Look-ups and everything else.
    Admin,
}

type Route = requests::Route<Lane, Handler>;
type Handler = fn(&mut Call<'_>) -> Result<Answer, Refusal>;

static ROUTES: LazyLock<Table<Lane, Handler>> = LazyLock::new(|| {
    Table::new(&[
        broker_config::ROUTES,
        client::ROUTES,
        client_call::ROUTES,
        connection::ROUTES,
        group::ROUTES,
        lock::ROUTES,
        offset::ROUTES,
        offset_admin::ROUTES,
        progress::ROUTES,
        pull::ROUTES,
        query::ROUTES,
        send::ROUTES,
        send_back::ROUTES,
        runtime::ROUTES,
        stats::ROUTES,
        topic::ROUTES,
    ])
});

/// What this broker serves, ascending by code.
pub fn routes() -> impl Iterator<Item = (RequestCode, Lane)> {
    ROUTES.rows()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_stands_once_and_has_a_name() {
        let codes: Vec<_> = routes().map(|(code, _)| code).collect();
        for pair in codes.windows(2) {
            assert!(pair[0] < pair[1], "{} twice", pair[0]);
        }
        assert!(codes.iter().all(|code| code.name().is_some()));
    }
}
