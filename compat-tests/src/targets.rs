//! What the fuzz targets do with arbitrary bytes: read them as everything they could be, and hold what was read to
//! its promises.
//!
//! A target panics when a promise is broken and returns otherwise; refusing bytes is always right. What parses has to
//! be written as the same bytes again, or as bytes that parse to the same value. The fuzzer
//! (`compat-tests/fuzz`) and `tests/corpus.rs` run the same functions, so that nothing is written twice.
//! Not here: where inputs come from.

mod commit_log_frame;
mod compression;
mod kafka_request;
mod mapping;
mod properties;
mod record_batch;
mod remoting_body;
mod remoting_frame;
mod remoting_headers;

pub use commit_log_frame::commit_log_frame;
pub use compression::compression;
pub use kafka_request::{decodes_key, kafka_request};
pub use mapping::mapping;
pub use properties::properties;
pub use record_batch::record_batch;
pub use remoting_frame::remoting_frame;

/// A fuzz target; its corpus stands in `compat-tests/fuzz/corpus/<name>`.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Name of the binary and of the corpus.
    pub name: &'static str,
    /// Reads one input; panics when a promise is broken.
    pub run: fn(&[u8]),
}

/// Every target.
pub const TARGETS: &[Target] = &[
    Target { name: "remoting_frame", run: remoting_frame },
    Target { name: "kafka_request", run: kafka_request },
    Target { name: "record_batch", run: record_batch },
    Target { name: "commit_log_frame", run: commit_log_frame },
    Target { name: "properties", run: properties },
    Target { name: "compression", run: compression },
    Target { name: "mapping", run: mapping },
];

/// Largest output of a decompression: enough for any seed, small enough that a bomb is seen as one.
const DECOMPRESSED_CAP: usize = 1 << 20;
