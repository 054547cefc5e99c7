//! The Kafka dialect: THE table of API keys, and one file a family of handlers.
//!
//! A row names the key, the versions, the lane and the function. ApiVersions, dispatch and the support table
//! in README are computed from the rows. To add a key: its function and row in a family file, nothing else.
//! Source of versions: Kafka 4.1 message definitions, KIP-896 (minima); reasons for the caps:
//! InitProducerId 6 and OffsetCommit/OffsetFetch 10 are unstable, FindCoordinator 6 means share groups.

mod api_versions;
mod call;
mod cluster;
mod configs;
mod describe_topics;
mod errors;
mod fetch;
mod fetch_source;
mod group_admin;
mod list_offsets;
mod membership;
mod metadata;
mod names;
mod offsets;
mod partitions;
mod produce;
mod producers;
mod session;
mod topics;

use std::sync::LazyLock;

use call::{Answer, Call, CallError};
use gantry_protocols::kafka::guard;
pub(crate) use session::Session;

/// Which queue a request stands in when the broker is busy; an admin listing never delays a produce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Writes of messages.
    Produce,
    /// Reads of messages.
    Fetch,
    /// Groups and their offsets.
    Group,
    /// Everything else.
    Admin,
}

/// One API key: what is served, and by which function.
pub struct Route {
    /// API key.
    pub key: i16,
    /// Lowest and highest version served.
    pub versions: (i16, i16),
    /// Lowest version that ApiVersions names; differs from the lowest served one for Produce only (KAFKA-18659).
    pub advertised_min: i16,
    /// Admission lane.
    pub lane: Lane,
    run: Handler,
}

type Handler = fn(&mut Call<'_>) -> Result<Answer, CallError>;

impl Route {
    const fn new(key: i16, versions: (i16, i16), lane: Lane, run: Handler) -> Self {
        Self { key, versions, advertised_min: versions.0, lane, run }
    }

    const fn advertised_from(mut self, version: i16) -> Self {
        self.advertised_min = version;
        self
    }

    /// The protocol's name of the key.
    #[must_use]
    pub fn name(&self) -> &'static str {
        guard::api_name(self.key).unwrap_or("?")
    }

    fn serves(&self, version: i16) -> bool {
        (self.versions.0..=self.versions.1).contains(&version)
    }
}

/// Every row, ascending by key.
static ROUTES: LazyLock<Vec<&'static Route>> = LazyLock::new(|| {
    let families = [
        api_versions::ROUTES,
        cluster::ROUTES,
        configs::ROUTES,
        describe_topics::ROUTES,
        fetch::ROUTES,
        group_admin::ROUTES,
        list_offsets::ROUTES,
        membership::ROUTES,
        metadata::ROUTES,
        offsets::ROUTES,
        partitions::ROUTES,
        produce::ROUTES,
        producers::ROUTES,
        topics::ROUTES,
    ];
    let mut rows: Vec<_> = families.into_iter().flatten().collect();
    rows.sort_unstable_by_key(|route| route.key);
    rows
});

/// What this broker serves, ascending by key.
pub fn routes() -> &'static [&'static Route] {
    &ROUTES
}

/// The place of a key among the rows, and its row.
fn route(key: i16) -> Option<(usize, &'static Route)> {
    let at = ROUTES.binary_search_by_key(&key, |route| route.key).ok()?;
    ROUTES.get(at).map(|route| (at, *route))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_measured_by_the_guard_and_stands_once() {
        for pair in routes().windows(2) {
            assert!(pair[0].key < pair[1].key, "{} twice", pair[0].name());
        }
        for route in routes() {
            let (low, high) = guard::measured_versions(route.key).unwrap();
            assert!(low <= route.versions.0 && route.versions.1 <= high, "{}", route.name());
        }
    }
}
