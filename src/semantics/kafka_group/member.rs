//! One member of a classic group: what it offered, what it was assigned, what it waits for.
//!
//! Source: Kafka 4.1 `ClassicGroupMember`.

use std::sync::Arc;

use super::{Join, NEW_MEMBER_JOIN_TIMEOUT_MS, ReplyTo};
use crate::semantics::Millis;

#[derive(Debug)]
pub(super) struct Member {
    pub(super) instance_id: Option<Arc<str>>,
    pub(super) client_id: Arc<str>,
    pub(super) client_host: Arc<str>,
    pub(super) session_timeout_ms: i64,
    pub(super) rebalance_timeout_ms: i64,
    pub(super) protocols: Vec<(Arc<str>, Arc<[u8]>)>,
    pub(super) assignment: Arc<[u8]>,
    /// A join that waits for the end of the preparation.
    pub(super) join: Option<ReplyTo>,
    /// A sync that waits for the leader's assignment.
    pub(super) sync: Option<ReplyTo>,
    /// Joined for the first time and not answered yet.
    is_new: bool,
    session_deadline: Millis,
}

impl Member {
    pub(super) fn new(now: Millis, join: Join, reply: ReplyTo) -> Self {
        Self {
            instance_id: join.instance_id,
            client_id: join.client_id,
            client_host: join.client_host,
            session_timeout_ms: join.session_timeout_ms,
            rebalance_timeout_ms: join.rebalance_timeout_ms,
            protocols: join.protocols,
            assignment: Arc::from([]),
            join: Some(reply),
            sync: None,
            is_new: true,
            session_deadline: now.plus(NEW_MEMBER_JOIN_TIMEOUT_MS),
        }
    }

    /// Takes over what a repeated join says.
    pub(super) fn update(&mut self, join: Join) {
        self.client_id = join.client_id;
        self.client_host = join.client_host;
        self.session_timeout_ms = join.session_timeout_ms;
        self.rebalance_timeout_ms = join.rebalance_timeout_ms;
        self.protocols = join.protocols;
    }

    pub(super) fn renew(&mut self, now: Millis) {
        self.session_deadline = now.plus(self.session_timeout_ms);
    }

    /// The member's join was answered: from now on it must heartbeat.
    pub(super) fn joined(&mut self, now: Millis) {
        self.is_new = false;
        self.renew(now);
    }

    /// When the session ends; `None` while a request of an established member waits here, since such a client
    /// shows by waiting that it lives.
    pub(super) fn deadline(&self) -> Option<Millis> {
        let waits = self.join.is_some() || self.sync.is_some();
        (self.is_new || !waits).then_some(self.session_deadline)
    }

    pub(super) fn metadata(&self, protocol: &str) -> Option<&Arc<[u8]>> {
        self.protocols.iter().find(|(name, _)| &**name == protocol).map(|(_, metadata)| metadata)
    }

    pub(super) fn supports(&self, protocol: &str) -> bool {
        self.metadata(protocol).is_some()
    }
}
