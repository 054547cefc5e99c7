//! Producer ids, unique for the life of the cluster: given out of blocks that are made durable first, so that
//! a restart never gives an id twice. Ids of a block that was not used up are lost, as in Kafka.
//!
//! Source: Kafka 4.1 `ProducerIdControlManager`, KIP-730.

use super::producers::ProducerId;

/// Ids of a block.
pub const BLOCK_SIZE: i64 = 1_000;

/// Ids from `first` up to, but not including, `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// The first id.
    pub first: i64,
    /// Behind the last id.
    pub end: i64,
}

/// The block is used up, or none was reserved since the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AllocateError {
    /// Make this block durable, call [`ProducerIds::reserved`], allocate again.
    #[error("producer ids below {} are used up; reserve the next block", block.first)]
    ReserveFirst {
        /// The next block.
        block: Block,
    },
    /// All 2^63 ids are given out.
    #[error("no producer ids are left")]
    Exhausted,
}

/// The allocator.
#[derive(Clone, Copy, Debug)]
pub struct ProducerIds {
    next: i64,
    end: i64,
}

impl ProducerIds {
    /// After a start: every id below `reserved_end`, the end of the last durable block, may be given out.
    pub const fn new(reserved_end: i64) -> Self {
        Self { next: reserved_end, end: reserved_end }
    }

    /// A fresh id.
    ///
    /// # Errors
    /// [`AllocateError`].
    pub fn allocate(&mut self) -> Result<ProducerId, AllocateError> {
        if self.next < self.end {
            let id = ProducerId(self.next);
            self.next += 1;
            return Ok(id);
        }
        let end = self.end.checked_add(BLOCK_SIZE).ok_or(AllocateError::Exhausted)?;
        Err(AllocateError::ReserveFirst { block: Block { first: self.end, end } })
    }

    /// The block is durable. A block that was reserved before (two callers found the ids used up) changes nothing.
    pub fn reserved(&mut self, block: Block) {
        if block.first == self.end {
            self.end = block.end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_ids_only_out_of_reserved_blocks() {
        let mut ids = ProducerIds::new(2_000);
        let block = Block { first: 2_000, end: 3_000 };
        assert_eq!(ids.allocate(), Err(AllocateError::ReserveFirst { block }));
        ids.reserved(block);
        ids.reserved(block);
        for id in 2_000..3_000 {
            assert_eq!(ids.allocate(), Ok(ProducerId(id)));
        }
        assert_eq!(
            ids.allocate(),
            Err(AllocateError::ReserveFirst { block: Block { first: 3_000, end: 4_000 } })
        );
    }

    #[test]
    fn stops_at_the_last_id() {
        assert_eq!(ProducerIds::new(i64::MAX).allocate(), Err(AllocateError::Exhausted));
    }
}
