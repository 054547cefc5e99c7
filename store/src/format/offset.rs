//! The two offsets of the store, which must never be swapped: bytes of the CommitLog, messages of a queue.
//!
//! Arithmetic saturates, because values come from disk and a wrapped offset would point at foreign data.

use std::fmt;

/// A place in the CommitLog, in bytes since the first byte ever written (RocketMQ: physical offset).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommitOffset(pub i64);

impl CommitOffset {
    /// The place `bytes` further on.
    #[must_use]
    pub const fn plus(self, bytes: i64) -> CommitOffset {
        CommitOffset(self.0.saturating_add(bytes))
    }

    /// How many bytes lie between `earlier` and this place; negative when `earlier` is the later one.
    #[must_use]
    pub const fn bytes_since(self, earlier: CommitOffset) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for CommitOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A place in one queue, in messages since its first one (Kafka: offset of a partition).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueOffset(pub i64);

impl QueueOffset {
    /// The place `messages` further on.
    #[must_use]
    pub const fn plus(self, messages: i64) -> QueueOffset {
        QueueOffset(self.0.saturating_add(messages))
    }

    /// How many messages lie between `earlier` and this place; negative when `earlier` is the later one.
    #[must_use]
    pub const fn messages_since(self, earlier: QueueOffset) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for QueueOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        assert_eq!(CommitOffset(i64::MAX).plus(1), CommitOffset(i64::MAX));
        assert_eq!(QueueOffset(5).messages_since(QueueOffset(8)), -3);
        assert_eq!(CommitOffset(i64::MIN).bytes_since(CommitOffset(1)), i64::MIN);
    }
}
