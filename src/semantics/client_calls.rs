//! Requests of ours that wait for a client's answer: numbered, bounded, each with a deadline.
//!
//! An answer counts only when it comes over the connection that was asked. Who waits for it is the caller's business.
//!
//! Source: RocketMQ 5.3.3 `remoting/netty/NettyRemotingAbstract.java` (`responseTable`).

use std::collections::{BTreeSet, HashMap};

use super::Millis;
use super::subscriptions::ConnectionId;

/// Number of a request of ours; its `opaque`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub i32);

#[derive(Debug)]
struct Call<W> {
    connection: ConnectionId,
    deadline: Millis,
    waiter: W,
}

/// The outstanding requests; `W` is who waits for the answer.
#[derive(Debug)]
pub struct ClientCalls<W> {
    calls: HashMap<CallId, Call<W>>,
    deadlines: BTreeSet<(Millis, CallId)>,
    last: i32,
    max: usize,
}

impl<W> ClientCalls<W> {
    /// None outstanding; at most `max` at a time.
    pub fn new(max: usize) -> Self {
        Self { calls: HashMap::new(), deadlines: BTreeSet::new(), last: 0, max }
    }

    /// Numbers a request to `connection` that has to be answered by `deadline`; `None` when too many are outstanding.
    pub fn begin(&mut self, connection: ConnectionId, deadline: Millis, waiter: W) -> Option<CallId> {
        if self.calls.len() >= self.max {
            return None;
        }
        let id = self.fresh();
        self.calls.insert(id, Call { connection, deadline, waiter });
        self.deadlines.insert((deadline, id));
        Some(id)
    }

    /// The client answered; gives who waits for it.
    pub fn answered(&mut self, connection: ConnectionId, id: CallId) -> Option<W> {
        self.calls.get(&id).filter(|call| call.connection == connection)?;
        self.end(id)
    }

    /// Nobody waits any more.
    pub fn cancel(&mut self, id: CallId) {
        self.end(id);
    }

    /// The connection is gone; gives the requests that will not be answered.
    pub fn closed(&mut self, connection: ConnectionId) -> Vec<(CallId, W)> {
        let of_it = self.calls.iter().filter(|(_, call)| call.connection == connection);
        let ids: Vec<CallId> = of_it.map(|(id, _)| *id).collect();
        ids.into_iter().filter_map(|id| Some((id, self.end(id)?))).collect()
    }

    /// The requests whose time is over.
    pub fn expire(&mut self, now: Millis) -> Vec<(CallId, W)> {
        let mut expired = Vec::new();
        while let Some((_, id)) = self.deadlines.first().copied().filter(|(deadline, _)| *deadline <= now) {
            match self.end(id) {
                Some(waiter) => expired.push((id, waiter)),
                None => drop(self.deadlines.pop_first()),
            }
        }
        expired
    }

    /// When [`ClientCalls::expire`] has something to do.
    pub fn next_deadline(&self) -> Option<Millis> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    fn end(&mut self, id: CallId) -> Option<W> {
        let call = self.calls.remove(&id)?;
        self.deadlines.remove(&(call.deadline, id));
        Some(call.waiter)
    }

    /// Fewer than `max` numbers are taken, so one is free.
    fn fresh(&mut self) -> CallId {
        loop {
            self.last = self.last.wrapping_add(1);
            if !self.calls.contains_key(&CallId(self.last)) {
                return CallId(self.last);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: ConnectionId = ConnectionId(1);
    const TWO: ConnectionId = ConnectionId(2);

    #[test]
    fn only_the_client_that_was_asked_answers_and_only_once() {
        let mut calls = ClientCalls::new(10);
        let id = calls.begin(ONE, Millis(10), 'a').unwrap();
        assert_eq!(calls.answered(TWO, id), None);
        assert_eq!(calls.answered(ONE, CallId(id.0 + 1)), None);
        assert_eq!(calls.answered(ONE, id), Some('a'));
        assert_eq!(calls.answered(ONE, id), None);
        assert_eq!(calls.next_deadline(), None);
    }

    #[test]
    fn a_client_that_does_not_answer_or_goes_ends_the_wait() {
        let mut calls = ClientCalls::new(10);
        let first = calls.begin(ONE, Millis(10), 'a').unwrap();
        let second = calls.begin(TWO, Millis(20), 'b').unwrap();
        let third = calls.begin(ONE, Millis(30), 'c').unwrap();
        assert_eq!(calls.next_deadline(), Some(Millis(10)));
        assert_eq!(calls.expire(Millis(10)), [(first, 'a')]);
        assert_eq!(calls.closed(ONE), [(third, 'c')]);
        calls.cancel(second);
        assert!(calls.expire(Millis(99)).is_empty());
        assert!(calls.closed(TWO).is_empty());
    }

    #[test]
    fn above_the_bound_nothing_is_asked_and_numbers_in_use_are_passed_over() {
        let mut calls = ClientCalls::new(2);
        calls.last = i32::MAX;
        let first = calls.begin(ONE, Millis(1), 'a').unwrap();
        calls.last = i32::MAX;
        let second = calls.begin(ONE, Millis(1), 'b').unwrap();
        assert_ne!(first, second);
        assert_eq!(calls.begin(ONE, Millis(1), 'c'), None);
    }
}
