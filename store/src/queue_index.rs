//! The index of each queue: which frame holds the message of a queue offset.
//!
//! Units are pushed by the append into the queue's tail in memory and written to RocketMQ's files in
//! batches. The CommitLog is the index's write-ahead log: losing pending units loses nothing.
//! Source: RocketMQ 5.3.3 `store/ConsumeQueue.java`, `store/queue/BatchConsumeQueue.java`.

mod files;
mod journal;
mod queue;
mod search;
mod table;
mod tail;
mod unit;

pub(crate) use files::{FileCache, Layout, QueueFiles};
pub(crate) use journal::{Journal, Row};
pub use queue::Queue;
pub(crate) use queue::QueueState;
pub(crate) use table::QueueTable;
pub(crate) use tail::Position;
pub use unit::Unit;
