//! Which messages a subscription wants. Pure: text and numbers in, yes or no out.
//!
//! Not here: SQL92 expressions (refused until they exist) and the scan over a queue, which the broker does.

pub mod tag;
