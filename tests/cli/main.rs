//! The commands that ask a running broker, through the real binary.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed step fails the test")]

mod cluster;
mod group;
mod msg;
mod running;
mod topic;
