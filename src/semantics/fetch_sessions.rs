//! All fetch sessions by id, bounded: who gets a slot, and whose is taken.
//!
//! A new session takes a free slot, else that of the session that was silent longest, if for longer than the eviction
//! time, else that of the smallest one older than that time, if it is smaller than the new one. Else the client gets
//! none and names all partitions every time. The partitions of all sessions are bounded too, which Kafka's are not.
//! What a session holds is not known here but for its size.
//! Source: KIP-227, Kafka 4.1 `FetchSessionCacheShard`.

use std::collections::{BTreeSet, HashMap};

use super::Millis;

/// How long a session is safe from others that need its slot.
pub const EVICTION_MS: i64 = 120_000;

#[derive(Debug)]
struct Entry<S> {
    session: S,
    size: usize,
    created: Millis,
    used: Millis,
}

/// The sessions.
#[derive(Debug)]
pub struct FetchSessions<S> {
    slots: usize,
    partitions_max: usize,
    partitions: usize,
    entries: HashMap<i32, Entry<S>>,
    /// The longest silent first.
    by_use: BTreeSet<(Millis, i32)>,
    /// Sessions older than the eviction time, the smallest first.
    by_size: BTreeSet<(usize, i32)>,
}

impl<S: Clone> FetchSessions<S> {
    /// No sessions yet; at most `slots`, with at most `partitions_max` partitions in all.
    pub fn new(slots: usize, partitions_max: usize) -> Self {
        Self {
            slots,
            partitions_max,
            partitions: 0,
            entries: HashMap::new(),
            by_use: BTreeSet::new(),
            by_size: BTreeSet::new(),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The session of that id.
    pub fn find(&self, id: i32) -> Option<S> {
        self.entries.get(&id).map(|entry| entry.session.clone())
    }

    /// A slot for a session of `size` partitions; `fresh` gives ids above 0. `None` when all slots are better used.
    pub fn create(
        &mut self,
        now: Millis,
        size: usize,
        session: S,
        mut fresh: impl FnMut() -> i32,
    ) -> Option<i32> {
        let fits = |of: &Self| {
            of.entries.len() < of.slots && size <= of.partitions_max.saturating_sub(of.partitions)
        };
        while !fits(self) {
            self.evict_for(now, size)?;
        }
        let id = std::iter::repeat_with(&mut fresh).find(|id| *id > 0 && !self.entries.contains_key(id))?;
        self.entries.insert(id, Entry { session, size, created: now, used: now });
        self.by_use.insert((now, id));
        self.partitions += size;
        Some(id)
    }

    /// The session was used and has `size` partitions now. False when there is no room for them: it is gone then.
    pub fn touch(&mut self, now: Millis, id: i32, size: usize) -> bool {
        let Some(entry) = self.entries.get_mut(&id) else { return false };
        let others = self.partitions.saturating_sub(entry.size);
        if self.partitions_max.saturating_sub(others) < size {
            self.remove(id);
            return false;
        }
        self.by_use.remove(&(entry.used, id));
        self.by_use.insert((now, id));
        self.by_size.remove(&(entry.size, id));
        if now.since(entry.created) > EVICTION_MS {
            self.by_size.insert((size, id));
        }
        self.partitions = others + size;
        (entry.used, entry.size) = (now, size);
        true
    }

    /// Ends a session, if it is there.
    pub fn remove(&mut self, id: i32) {
        if let Some(entry) = self.entries.remove(&id) {
            self.by_use.remove(&(entry.used, id));
            self.by_size.remove(&(entry.size, id));
            self.partitions = self.partitions.saturating_sub(entry.size);
        }
    }

    fn evict_for(&mut self, now: Millis, size: usize) -> Option<()> {
        let silent =
            self.by_use.first().filter(|(used, _)| now.since(*used) > EVICTION_MS).map(|(_, id)| *id);
        let small = self.by_size.first().filter(|(smallest, _)| *smallest < size).map(|(_, id)| *id);
        self.remove(silent.or(small)?);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bench {
        sessions: FetchSessions<()>,
        last: i32,
    }

    impl Bench {
        fn new(slots: usize) -> Self {
            Self { sessions: FetchSessions::new(slots, 100), last: 0 }
        }

        fn create(&mut self, now: i64, size: usize) -> Option<i32> {
            let last = &mut self.last;
            self.sessions.create(Millis(now), size, (), || {
                *last += 1;
                *last
            })
        }
    }

    #[test]
    fn a_full_house_keeps_sessions_that_are_young_or_at_least_as_large() {
        let mut bench = Bench::new(2);
        assert_eq!((bench.create(0, 5), bench.create(0, 3)), (Some(1), Some(2)));
        assert_eq!(bench.create(EVICTION_MS, 9), None);
        assert!(bench.sessions.touch(Millis(EVICTION_MS + 1), 1, 5));
        assert!(bench.sessions.touch(Millis(EVICTION_MS + 1), 2, 3));
        assert_eq!(bench.create(EVICTION_MS + 1, 3), None);
        assert_eq!(bench.create(EVICTION_MS + 1, 4), Some(3));
        assert!(bench.sessions.find(2).is_none() && bench.sessions.find(1).is_some());
    }

    #[test]
    fn a_session_that_fell_silent_gives_its_slot_to_anyone() {
        let mut bench = Bench::new(1);
        assert_eq!(bench.create(0, 50), Some(1));
        assert_eq!(bench.create(EVICTION_MS, 1), None);
        assert_eq!(bench.create(EVICTION_MS + 1, 1), Some(2));
        assert_eq!(bench.sessions.len(), 1);
    }

    #[test]
    fn the_partitions_of_all_sessions_are_bounded() {
        let mut bench = Bench::new(10);
        assert_eq!(bench.create(0, 101), None);
        assert_eq!((bench.create(0, 60), bench.create(0, 41), bench.create(0, 40)), (Some(1), None, Some(2)));
        assert!(bench.sessions.touch(Millis(1), 2, 30));
        assert!(!bench.sessions.touch(Millis(1), 1, 71));
        assert!(bench.sessions.find(1).is_none());
        assert_eq!(bench.create(1, 70), Some(3));
        bench.sessions.remove(2);
        bench.sessions.remove(2);
        assert_eq!(bench.create(1, 30), Some(4));
    }

    #[test]
    fn ids_in_use_are_not_given_out_again() {
        let mut sessions = FetchSessions::new(3, 100);
        let mut dice = [7, 0, -3, 7, 8].into_iter();
        assert_eq!(sessions.create(Millis(0), 1, (), || dice.next().unwrap()), Some(7));
        assert_eq!(sessions.create(Millis(0), 1, (), || dice.next().unwrap()), Some(8));
        assert!(!sessions.touch(Millis(0), 9, 1));
    }
}
