//! The bytes of RocketMQ's files and of our side files: one file per structure, layout and nothing else.
//!
//! No file is opened here, no clock is read and no queue is known; every read is bounds-checked, so that
//! no input makes a function of this module panic. All integers are big-endian.

mod be;

pub mod batch_consume_queue;
pub mod checkpoint;
pub mod consume_queue;
pub mod frame;
pub mod hash;
pub mod host;
pub mod index;
pub mod inner;
pub mod message_id;
pub mod names;
pub mod offset;
pub mod properties;
pub mod property_crc;
pub mod side_file;
pub mod sysflag;

pub(crate) use be::Reader;
pub use frame::{FrameError, FrameHead, FrameView, Peek};
pub use host::HostAddr;
pub use offset::{CommitOffset, QueueOffset};
pub use sysflag::{BatchKind, SysFlag, TransactionKind};
