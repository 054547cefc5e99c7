//! Admission of connections: how many there may be in all and from one address.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::limits;

/// Counts of open connections, shared by all listeners.
#[derive(Debug)]
pub(super) struct Admission {
    most: usize,
    most_per_address: usize,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
    by_listener: BTreeMap<&'static str, usize>,
    refused: u64,
    refused_unlogged: u64,
    last_logged: Option<Instant>,
}

/// Which limit refused a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("{0} connections are open, which is the limit")]
    All(usize),
    #[error("{0} connections from this address are open, which is the limit")]
    Address(usize),
}

impl Admission {
    pub(super) fn new(most: usize, most_per_address: usize) -> Arc<Admission> {
        Arc::new(Admission { most, most_per_address, counts: Mutex::default() })
    }

    /// A place for a connection from `address` to `listener`, given back when the permit is dropped.
    pub(super) fn admit(
        self: &Arc<Self>,
        listener: &'static str,
        address: IpAddr,
    ) -> Result<Permit, Refused> {
        let mut counts = self.counts();
        if self.most <= counts.all {
            return Err(Refused::All(self.most));
        }
        let from_address = counts.by_address.entry(address).or_default();
        if self.most_per_address <= *from_address {
            return Err(Refused::Address(self.most_per_address));
        }
        *from_address += 1;
        counts.all += 1;
        *counts.by_listener.entry(listener).or_default() += 1;
        Ok(Permit { admission: Arc::clone(self), listener, address })
    }

    /// How many connections were refused since the last report, when a report is due.
    pub(super) fn refusals_to_log(&self, now: Instant) -> Option<u64> {
        let mut counts = self.counts();
        counts.refused += 1;
        counts.refused_unlogged += 1;
        let due =
            counts.last_logged.is_none_or(|last| limits::REFUSAL_LOG_INTERVAL <= now.duration_since(last));
        if !due {
            return None;
        }
        counts.last_logged = Some(now);
        Some(std::mem::take(&mut counts.refused_unlogged))
    }

    /// Connections that are open now.
    pub(super) fn open(&self) -> usize {
        self.counts().all
    }

    /// Connections that are open now, by listener; those that never had one are left out.
    pub(super) fn open_by_listener(&self) -> Vec<(&'static str, usize)> {
        self.counts().by_listener.iter().map(|(name, open)| (*name, *open)).collect()
    }

    /// Connections refused since the start.
    pub(super) fn refused(&self) -> u64 {
        self.counts().refused
    }

    /// Counts are changed in one step each, so a poisoned lock still holds true ones.
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one open connection.
#[derive(Debug)]
pub(super) struct Permit {
    admission: Arc<Admission>,
    listener: &'static str,
    address: IpAddr,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.admission.counts();
        counts.all -= 1;
        if let Some(open) = counts.by_listener.get_mut(self.listener) {
            *open -= 1;
        }
        if let Some(from_address) = counts.by_address.get_mut(&self.address) {
            *from_address -= 1;
            if *from_address == 0 {
                counts.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    #[test]
    fn one_address_cannot_take_all_places() {
        let admission = Admission::new(3, 2);
        let first = admission.admit("kafka", A).unwrap();
        let _second = admission.admit("kafka", A).unwrap();
        assert_eq!(admission.admit("kafka", A).unwrap_err(), Refused::Address(2));
        let _third = admission.admit("kafka", B).unwrap();
        assert_eq!(admission.admit("kafka", B).unwrap_err(), Refused::All(3));
        drop(first);
        assert_eq!(admission.open(), 2);
        assert_eq!(admission.open_by_listener(), [("kafka", 2)]);
        assert!(admission.admit("kafka", A).is_ok());
    }

    #[test]
    fn forgets_addresses_without_connections() {
        let admission = Admission::new(3, 2);
        drop(admission.admit("kafka", A).unwrap());
        assert!(admission.counts().by_address.is_empty());
    }

    #[test]
    fn refusals_are_logged_now_and_then() {
        let admission = Admission::new(0, 0);
        let start = Instant::now();
        assert_eq!(admission.refusals_to_log(start), Some(1));
        assert_eq!(admission.refusals_to_log(start), None);
        assert_eq!(admission.refusals_to_log(start + Duration::from_secs(60)), Some(2));
    }
}
