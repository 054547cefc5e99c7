//! The remoting dialect of the broker: THE table of request codes, and one file a family of handlers.
//!
//! A row names the code, the lane and the function; dispatch and the support table in README are computed from
//! the rows. To add a code: its header in `protocols/src/remoting/headers/`, its function and row here.

mod call;
mod client;
mod errors;
mod offset;
mod pull;
mod query;
mod send;
mod session;

use std::sync::LazyLock;

use call::{Answer, Call, Refusal};
use gantry_protocols::remoting::RequestCode;
pub(crate) use session::Session;

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

/// One request code: in which lane, by which function.
pub struct Route {
    /// The code.
    pub code: RequestCode,
    /// Admission lane.
    pub lane: Lane,
    run: Handler,
}

type Handler = fn(&mut Call<'_>) -> Result<Answer, Refusal>;

impl Route {
    const fn new(code: RequestCode, lane: Lane, run: Handler) -> Self {
        Self { code, lane, run }
    }
}

/// Every row, ascending by code.
static ROUTES: LazyLock<Vec<&'static Route>> = LazyLock::new(|| {
    let families = [client::ROUTES, offset::ROUTES, pull::ROUTES, query::ROUTES, send::ROUTES];
    let mut rows: Vec<_> = families.into_iter().flatten().collect();
    rows.sort_unstable_by_key(|route| route.code);
    rows
});

/// What this broker serves, ascending by code.
pub fn routes() -> &'static [&'static Route] {
    &ROUTES
}

fn route(code: RequestCode) -> Option<&'static Route> {
    let at = ROUTES.binary_search_by_key(&code, |route| route.code).ok()?;
    ROUTES.get(at).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_stands_once_and_has_a_name() {
        for pair in routes().windows(2) {
            assert!(pair[0].code < pair[1].code, "{} twice", pair[0].code);
        }
        assert!(routes().iter().all(|route| route.code.name().is_some()));
    }
}
