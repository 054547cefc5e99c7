//! RocketMQ's files on disk: CommitLog, ConsumeQueue, BatchConsumeQueue, IndexFile, checkpoint, JSON state.
//!
//! Std threads only; no sockets, no protocol words, no wall clock (the time comes from the caller).
#![deny(unsafe_code)]
