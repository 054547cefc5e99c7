//! One fetch session: the partitions a client fetches, kept here so that it names only what changes.
//!
//! The partitions have an order, since a fetch ends when its bytes are spent: one that gave records goes behind all
//! others. An answer leaves out partitions of which there is nothing new: no records, no error, the same bounds.
//! Not here: how many sessions there may be (`super::fetch_sessions`), and what a partition holds.
//! Source: KIP-227, Kafka 4.1 `FetchSession.scala`.

use std::sync::Arc;

use indexmap::IndexMap;

/// The epoch that every new session begins with, as its second request carries it.
const FIRST_EPOCH: i32 = 1;
/// Bounds that no partition has: whatever comes next is news.
const UNKNOWN: Bounds = Bounds { high_watermark: -1, log_start: -1 };

/// How the client names a topic: by name up to version 12, by id from version 13 on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TopicKey {
    /// Its id.
    Id(u128),
    /// Its name.
    Name(Arc<str>),
}

/// What is fetched of one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// From this offset on.
    pub offset: i64,
    /// Not more than this, but for the first batch.
    pub max_bytes: i32,
    /// The leader epoch that the client knows; -1 for none.
    pub leader_epoch: i32,
}

/// What the client was told of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The end of the partition.
    pub high_watermark: i64,
    /// Its begin.
    pub log_start: i64,
}

/// What an answer says of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// As answered.
    pub bounds: Bounds,
    /// Whether records are in the answer.
    pub has_records: bool,
    /// Whether it is an error.
    pub is_error: bool,
}

/// Why a request does not continue a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionRefusal {
    /// There is no such session, or there is no room for what the client adds to it.
    #[error("the fetch session is not known; begin a new one")]
    NotFound,
    /// The request is not the next one of the session.
    #[error("the fetch is not the next one of its session; begin a new one")]
    Epoch,
    /// The session names topics by id and the request by name, or the reverse.
    #[error("the fetch session names topics in another way; begin a new one")]
    TopicIds,
}

#[derive(Clone, Copy, Debug)]
struct Cached {
    wish: Wish,
    told: Bounds,
}

/// A fetch session.
#[derive(Debug)]
pub struct FetchSession {
    epoch: i32,
    by_id: bool,
    partitions: IndexMap<(TopicKey, i32), Cached>,
}

impl FetchSession {
    /// A session without partitions, whose first request was just answered.
    pub fn new(by_id: bool) -> Self {
        Self { epoch: FIRST_EPOCH, by_id, partitions: IndexMap::new() }
    }

    /// How many partitions it has.
    pub fn len(&self) -> usize {
        self.partitions.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.partitions.is_empty()
    }

    /// Takes the next request; the epoch that the one after it must carry.
    ///
    /// # Errors
    /// [`SessionRefusal`]; the session is as it was.
    pub fn advance(&mut self, epoch: i32, by_id: bool) -> Result<i32, SessionRefusal> {
        if epoch != self.epoch {
            return Err(SessionRefusal::Epoch);
        }
        if by_id != self.by_id {
            return Err(SessionRefusal::TopicIds);
        }
        self.epoch = self.epoch.checked_add(1).unwrap_or(FIRST_EPOCH);
        Ok(self.epoch)
    }

    /// The epoch that the next request must carry.
    pub fn epoch(&self) -> i32 {
        self.epoch
    }

    /// Adds a partition behind the others, or changes what is fetched of it.
    pub fn wish(&mut self, topic: &TopicKey, partition: i32, wish: Wish) {
        let cached = Cached { wish, told: UNKNOWN };
        self.partitions
            .entry((topic.clone(), partition))
            .and_modify(|known| known.wish = wish)
            .or_insert(cached);
    }

    /// Drops a partition.
    pub fn forget(&mut self, topic: &TopicKey, partition: i32) {
        self.partitions.shift_remove(&(topic.clone(), partition));
    }

    /// The partitions in the order in which they are served.
    pub fn partitions(&self) -> impl Iterator<Item = (&TopicKey, i32, Wish)> {
        self.partitions.iter().map(|((topic, partition), cached)| (topic, *partition, cached.wish))
    }

    /// The topic of the partition at this place of the order.
    pub fn topic_at(&self, at: usize) -> Option<&TopicKey> {
        self.partitions.get_index(at).map(|((topic, _), _)| topic)
    }

    /// Whether the answer has to name the partition at this place of the order.
    pub fn is_news(&self, at: usize, told: Told) -> bool {
        let known = self.partitions.get_index(at).map(|(_, cached)| cached.told);
        told.has_records || told.is_error || known != Some(told.bounds)
    }

    /// Remembers what the answer says of the partition at this place. After an error everything is news again.
    pub fn tell(&mut self, at: usize, told: Told) {
        if let Some((_, cached)) = self.partitions.get_index_mut(at) {
            cached.told = if told.is_error { UNKNOWN } else { told.bounds };
        }
    }

    /// Puts the partitions at these places, ascending, behind all others: they gave records.
    pub fn rotate(&mut self, gave: &[usize]) {
        let len = self.partitions.len();
        let stands_last = gave.iter().rev().zip((0..len).rev()).all(|(at, last)| *at == last);
        if stands_last {
            return;
        }
        let mut at = 0..;
        let (mut kept, mut moved) = (IndexMap::with_capacity(len), Vec::with_capacity(gave.len()));
        for (key, cached) in self.partitions.drain(..) {
            let here = at.next().unwrap_or(len);
            match gave.binary_search(&here) {
                Ok(_) => moved.push((key, cached)),
                Err(_) => drop(kept.insert(key, cached)),
            }
        }
        kept.extend(moved);
        self.partitions = kept;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WISH: Wish = Wish { offset: 0, max_bytes: 100, leader_epoch: -1 };

    fn session(partitions: i32) -> (FetchSession, TopicKey) {
        let (mut session, topic) = (FetchSession::new(true), TopicKey::Id(1));
        (0..partitions).for_each(|partition| session.wish(&topic, partition, WISH));
        (session, topic)
    }

    fn order(session: &FetchSession) -> Vec<i32> {
        session.partitions().map(|(_, partition, _)| partition).collect()
    }

    fn told(high_watermark: i64, has_records: bool) -> Told {
        Told { bounds: Bounds { high_watermark, log_start: 0 }, has_records, is_error: false }
    }

    #[test]
    fn takes_only_the_next_request_and_only_in_the_same_words() {
        let (mut session, _) = session(1);
        assert_eq!(session.advance(2, true), Err(SessionRefusal::Epoch));
        assert_eq!(session.advance(1, false), Err(SessionRefusal::TopicIds));
        assert_eq!(session.advance(1, true), Ok(2));
        assert_eq!(session.advance(1, true), Err(SessionRefusal::Epoch));
        session.epoch = i32::MAX;
        assert_eq!(session.advance(i32::MAX, true), Ok(1));
    }

    #[test]
    fn names_a_partition_only_when_there_is_something_new() {
        let (mut session, _) = session(1);
        assert!(session.is_news(0, told(5, false)));
        session.tell(0, told(5, false));
        assert!(!session.is_news(0, told(5, false)));
        assert!(session.is_news(0, told(6, false)));
        assert!(session.is_news(0, told(5, true)));
        let failed = Told { is_error: true, ..told(5, false) };
        assert!(session.is_news(0, failed));
        session.tell(0, failed);
        assert!(session.is_news(0, told(5, false)));
    }

    #[test]
    fn what_gave_records_goes_behind_the_others() {
        let (mut session, _) = session(4);
        session.rotate(&[0, 2]);
        assert_eq!(order(&session), [1, 3, 0, 2]);
        session.rotate(&[2, 3]);
        assert_eq!(order(&session), [1, 3, 0, 2]);
        session.rotate(&[]);
        assert_eq!(order(&session), [1, 3, 0, 2]);
        session.rotate(&[3]);
        session.rotate(&[0]);
        assert_eq!(order(&session), [3, 0, 2, 1]);
    }

    #[test]
    fn partitions_come_change_and_go() {
        let (mut session, topic) = session(2);
        session.wish(&topic, 0, Wish { offset: 7, ..WISH });
        session.wish(&TopicKey::Name("n".into()), 0, WISH);
        session.forget(&topic, 1);
        session.forget(&topic, 9);
        let offsets: Vec<i64> = session.partitions().map(|(_, _, wish)| wish.offset).collect();
        assert_eq!((offsets, session.len()), (vec![7, 0], 2));
    }
}
