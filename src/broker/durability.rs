//! What an answer still has to wait for before it may be sent: bytes flushed, a state file written.

use std::sync::Arc;
use std::task::{Poll, Waker};

use gantry_store::format::offset::CommitOffset;

use super::Broker;
use super::mailbox::{Mailbox, Token};
use super::park::{Interest, WaitKey};
use super::persist::Version;
use crate::semantics::Millis;

/// A promise that is not kept yet. The empty one is kept at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Durability {
    /// The CommitLog must be flushed up to here.
    flushed: Option<CommitOffset>,
    /// The state files must be written up to here.
    version: Version,
    /// `None`: `syncFlushTimeout`.
    timeout_ms: Option<i64>,
}

/// Why a promise could not be kept; the change itself may have happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurabilityError {
    /// The time allowed for it is over.
    #[error("the disk took too long; the change may be there")]
    TimedOut,
    /// The disk failed; the store takes no more writes.
    #[error("the disk failed; the store takes no more writes until the broker is restarted")]
    StoreFailed,
    /// A state file could not be written.
    #[error("the broker could not write its state files; its log names the cause")]
    StateFile,
}

impl Durability {
    /// Nothing to wait for.
    pub const NONE: Self = Self { flushed: None, version: Version::NONE, timeout_ms: None };

    /// Waits for the CommitLog up to `end`.
    #[must_use]
    pub fn flushed(end: CommitOffset) -> Self {
        Self { flushed: Some(end), ..Self::NONE }
    }

    /// Waits for a state file.
    #[must_use]
    pub fn written(version: Version) -> Self {
        Self { version, ..Self::NONE }
    }

    /// Waits for both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            flushed: self.flushed.max(other.flushed),
            version: self.version.max(other.version),
            timeout_ms: self.timeout_ms,
        }
    }

    /// At most `timeout_ms` milliseconds.
    #[must_use]
    pub fn within(self, timeout_ms: i64) -> Self {
        Self { timeout_ms: Some(timeout_ms), ..self }
    }
}

/// A [`Durability`] that is being waited for, with its alarm.
#[derive(Debug)]
pub struct DurableWait {
    durability: Durability,
    deadline: Option<Millis>,
    alarm: Option<WaitKey>,
}

impl DurableWait {
    /// Begins to wait; nothing is registered before the first poll.
    #[must_use]
    pub fn new(durability: Durability) -> Self {
        Self { durability, deadline: None, alarm: None }
    }

    /// Ready when the promise is kept, broken, or out of time; else `waker` and an alarm are registered.
    pub fn poll(
        &mut self,
        broker: &Broker,
        mailbox: &Arc<Mailbox>,
        token: Token,
        now: Millis,
        waker: &Waker,
    ) -> Poll<Result<(), DurabilityError>> {
        if let Poll::Ready(result) = broker.poll_durable(&self.durability, waker) {
            self.abandon(broker);
            return Poll::Ready(result);
        }
        let deadline = *self.deadline.get_or_insert(
            now.plus(self.durability.timeout_ms.unwrap_or(broker.settings.sync_flush_timeout_ms)),
        );
        if now >= deadline {
            self.abandon(broker);
            return Poll::Ready(Err(DurabilityError::TimedOut));
        }
        if self.alarm.is_none() {
            let never = Interest { min_bytes: i64::MAX, tags: None };
            self.alarm = Some(broker.parked.park(mailbox, token, deadline, never, std::iter::empty()));
        }
        Poll::Pending
    }

    /// Calls the alarm off.
    pub fn abandon(&mut self, broker: &Broker) {
        if let Some(alarm) = self.alarm.take() {
            broker.parked.cancel(alarm);
        }
    }
}

impl Broker {
    /// Ready when `durability` is reached or cannot be any more; else `waker` is woken when that changes.
    pub fn poll_durable(&self, durability: &Durability, waker: &Waker) -> Poll<Result<(), DurabilityError>> {
        let flushed = match durability.flushed {
            None => Poll::Ready(Ok(())),
            Some(end) => self.store.poll_flushed(end, waker).map_err(|_| DurabilityError::StoreFailed),
        };
        let written = self.persist.poll(durability.version, waker).map_err(|_| DurabilityError::StateFile);
        match (flushed, written) {
            (Poll::Ready(Err(error)), _) | (_, Poll::Ready(Err(error))) => Poll::Ready(Err(error)),
            (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => Poll::Ready(Ok(())),
            _ => Poll::Pending,
        }
    }
}
