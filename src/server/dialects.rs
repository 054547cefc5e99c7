//! The sessions of the three dialects as connections run them, and the one task that drives their timers.

use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use bytes::BytesMut;
use gantry_protocols::outbox::Outbox;
use tokio::time::Instant;

use super::session::{Dialect, Hangup, Peer, Session};
use super::{Clock, Shutdown};
use crate::broker::Broker;
use crate::broker::mailbox::Mailbox;
use crate::namesrv::NameServer;
use crate::semantics::Millis;
use crate::{kafka, namesrv, remoting};

/// Remoting connections of the broker.
#[must_use]
pub fn remoting(broker: Arc<Broker>) -> Dialect {
    Arc::new(move |peer: Peer| {
        let mailbox = Mailbox::new(peer.remote, peer.local);
        Box::new(Remoting(remoting::Session::new(Arc::clone(&broker), mailbox)))
    })
}

/// Kafka connections.
#[must_use]
pub fn kafka(broker: Arc<Broker>) -> Dialect {
    Arc::new(move |peer: Peer| {
        let mailbox = Mailbox::new(peer.remote, peer.local);
        Box::new(Kafka(kafka::Session::new(Arc::clone(&broker), mailbox)))
    })
}

/// Remoting connections of the name server.
#[must_use]
pub fn namesrv(server: Arc<NameServer>) -> Dialect {
    Arc::new(move |peer: Peer| Box::new(Namesrv(namesrv::Session::new(Arc::clone(&server), peer.local))))
}

struct Remoting(remoting::Session);
struct Kafka(kafka::Session);
struct Namesrv(namesrv::Session);

impl Session for Remoting {
    fn receive(&mut self, input: &mut BytesMut, out: &mut Outbox) -> Result<(), Hangup> {
        self.0.receive(input, out).map_err(|error| Hangup::notable(error.to_string()))
    }

    fn resume(&mut self, waker: &Waker, out: &mut Outbox) -> Result<(), Hangup> {
        self.0.resume(waker, out).map_err(|error| Hangup::notable(error.to_string()))
    }

    /// Held requests are bounded by answering, not by reading less: they share the connection with everything else.
    fn reads(&self) -> bool {
        true
    }

    fn finishing(&mut self, _: &mut Outbox) -> bool {
        self.0.awaits_disk()
    }

    fn closed(&mut self) {
        self.0.closed();
    }
}

impl Session for Kafka {
    fn receive(&mut self, input: &mut BytesMut, out: &mut Outbox) -> Result<(), Hangup> {
        self.0.receive(input, out).map_err(|error| Hangup::notable(error.to_string()))
    }

    fn resume(&mut self, waker: &Waker, out: &mut Outbox) -> Result<(), Hangup> {
        self.0.resume(waker, out).map_err(|error| Hangup::notable(error.to_string()))
    }

    fn reads(&self) -> bool {
        self.0.reads()
    }

    fn finishing(&mut self, _: &mut Outbox) -> bool {
        self.0.awaits_disk()
    }

    fn closed(&mut self) {
        self.0.closed();
    }
}

impl Session for Namesrv {
    fn receive(&mut self, input: &mut BytesMut, out: &mut Outbox) -> Result<(), Hangup> {
        self.0.receive(input, out).map_err(|error| Hangup::notable(error.to_string()))
    }

    fn resume(&mut self, waker: &Waker, out: &mut Outbox) -> Result<(), Hangup> {
        self.0.resume(waker, out);
        Ok(())
    }

    fn reads(&self) -> bool {
        self.0.reads()
    }

    fn finishing(&mut self, _: &mut Outbox) -> bool {
        self.0.is_waiting()
    }

    fn closed(&mut self) {
        self.0.closed();
    }
}

/// Longest sleep of the timer task: a clock that was set forward is noticed within it.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// Lets deadlines act when they are due, until the server stops. `tick` gives the next deadline and wakes the
/// waker when an earlier one appears.
pub async fn drive_timers(
    clock: Clock,
    shutdown: Shutdown,
    tick: impl Fn(Millis, &Waker) -> Option<Millis> + Send + 'static,
) {
    let sleep = tokio::time::sleep(Duration::ZERO);
    let mut sleep = std::pin::pin!(sleep);
    let ticking = std::future::poll_fn(move |cx| {
        loop {
            let now = Millis(clock.now());
            let next = tick(now, cx.waker());
            let left = next.map_or(LONGEST_SLEEP, |at| {
                Duration::from_millis(at.since(now).max(1).unsigned_abs()).min(LONGEST_SLEEP)
            });
            sleep.as_mut().reset(Instant::now() + left);
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::<()>::Pending;
            }
        }
    });
    tokio::select! {
        () = ticking => {}
        () = shutdown.stopping() => {}
    }
}
