//! RocketMQ's files on disk: CommitLog, ConsumeQueue, BatchConsumeQueue, IndexFile, checkpoint, JSON state.
//!
//! Std threads only; no sockets, no protocol words, no wall clock (the time comes from the caller).
#![deny(unsafe_code)]

mod append;
mod append_batch;
mod background;
pub mod check;
mod checkpointing;
mod cleaning;
mod commit_log;
mod config;
mod core;
pub mod disk;
mod epoch;
mod error;
mod fence;
mod flush;
mod flush_times;
mod flushed_mark;
pub mod format;
pub mod journal;
pub mod key_index;
mod key_indexer;
#[expect(unsafe_code, reason = "memory maps, mincore and the SIGBUS handler need it; nothing else does")]
pub mod mapped;
mod opening;
mod queue_index;
mod read;
mod recover;
pub mod retention;
mod scan;
mod side;
mod snapshot;
pub mod state_file;
mod store;
mod time_search;
mod unit_walk;

pub use append::Appended;
pub use append_batch::{AppendBatch, Entry, TagsCode};
pub use config::{FlushMode, QueueKind, StoreConfig};
pub use core::Clock;
pub use epoch::Epoch;
pub use error::{AppendError, CloseError, CreateQueueError, OpenError, Poisoned, PushError, ReadError};
pub use fence::Fence;
pub use flush_times::{FLUSH_BOUNDS_US, FlushTimes};
pub use opening::OpenReport;
pub use queue_index::{Queue, Unit};
pub use read::{Extent, Extract, ReadLimits, ReadStatus};
pub use recover::Progress;
pub use store::{Store, Task, Watermarks};
pub use time_search::Boundary;
