//! Fetch sessions of Kafka clients: begun, continued, ended; performed for `semantics::fetch_sessions`.
//!
//! One lock over the table, held for a look-up; a session has a lock of its own, which only its client's fetches take.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Broker;
use crate::semantics::Millis;
use crate::semantics::fetch_session::{FetchSession, SessionRefusal, TopicKey, Wish};
use crate::semantics::fetch_sessions::FetchSessions;

/// A session that a fetch continues.
#[derive(Clone, Debug)]
pub struct SharedSession(Arc<Mutex<FetchSession>>);

impl SharedSession {
    /// The session itself; nobody else sees it meanwhile.
    pub fn lock(&self) -> MutexGuard<'_, FetchSession> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a fetch continues a session.
#[derive(Clone, Copy, Debug)]
pub struct Continue {
    /// As the client names it.
    pub id: i32,
    /// The epoch that the client says comes next.
    pub epoch: i32,
    /// Whether this request names topics by id.
    pub by_id: bool,
}

/// The fetch sessions.
#[derive(Debug)]
pub(super) struct SessionDesk(Mutex<FetchSessions<SharedSession>>);

impl SessionDesk {
    pub(super) fn new(slots: usize, partitions_max: usize) -> Self {
        Self(Mutex::new(FetchSessions::new(slots, partitions_max)))
    }

    fn lock(&self) -> MutexGuard<'_, FetchSessions<SharedSession>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Broker {
    /// Keeps a session for a client whose first answer is ready: its id, or 0 when there is no room. `fresh` gives ids.
    #[must_use]
    pub fn begin_fetch_session(&self, session: FetchSession, now: Millis, fresh: impl FnMut() -> i32) -> i32 {
        let size = session.len();
        let session = SharedSession(Arc::new(Mutex::new(session)));
        self.fetch_sessions.lock().create(now, size, session, fresh).unwrap_or(0)
    }

    /// Takes the next request of a session: the changes it brings, and the epoch of the request after it.
    ///
    /// # Errors
    /// Why the client has to begin a new session.
    pub fn continue_fetch_session(
        &self,
        ask: Continue,
        now: Millis,
        forgotten: impl Iterator<Item = (TopicKey, i32)>,
        wishes: impl Iterator<Item = (TopicKey, i32, Wish)>,
    ) -> Result<(SharedSession, i32), SessionRefusal> {
        let shared = self.fetch_sessions.lock().find(ask.id).ok_or(SessionRefusal::NotFound)?;
        let (next, size) = {
            let mut session = shared.lock();
            let next = session.advance(ask.epoch, ask.by_id)?;
            wishes.for_each(|(topic, partition, wish)| session.wish(&topic, partition, wish));
            forgotten.for_each(|(topic, partition)| session.forget(&topic, partition));
            (next, session.len())
        };
        let mut sessions = self.fetch_sessions.lock();
        if size == 0 {
            sessions.remove(ask.id);
        } else if !sessions.touch(now, ask.id, size) {
            return Err(SessionRefusal::NotFound);
        }
        Ok((shared, next))
    }

    /// Ends a session, if it is there.
    pub fn end_fetch_session(&self, id: i32) {
        self.fetch_sessions.lock().remove(id);
    }
}
