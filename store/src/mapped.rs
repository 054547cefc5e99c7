//! Memory maps: the only unsafe code of the package.
//!
//! `region` gives read-only views of CommitLog files as `Bytes`, `signal` turns a SIGBUS into one line
//! and an exit, `residency` tells whether a range is in memory. No file format is known here.

mod region;
mod residency;
mod signal;

pub use region::{Region, SharedBytes};
