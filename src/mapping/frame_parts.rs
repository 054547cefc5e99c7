//! What the mapping decides about one frame before it is appended: everything but places, hosts and times.
//!
//! The properties stand in a buffer of the caller, so that one buffer serves all frames of an append.
//! Not here: the frame's bytes (`gantry_store::format::frame`), who appends them.

use std::ops::Range;

use bytes::Bytes;
use gantry_store::format::hash::index_key_hash;
use gantry_store::format::inner::InnerNum;
use gantry_store::format::properties::extract;
use gantry_store::format::sysflag::SysFlag;

use super::tag_bloom::TagBloom;

/// One frame to be appended.
#[derive(Clone, Debug)]
pub struct FrameParts {
    /// sysFlag without the host bits.
    pub sys_flag: SysFlag,
    /// flag, the application's.
    pub flag: i32,
    /// bornTimestamp, ms.
    pub born_timestamp: i64,
    /// The body, a slice of what was received or decompressed.
    pub body: Bytes,
    /// Where the properties stand in the caller's buffer. Those of a batch frame begin with the two fixed-width
    /// `INNER_` properties, base 0, to be patched by the append.
    pub properties: Range<usize>,
    /// For the queue unit: hash of the tag that all messages of the frame have, else 0.
    pub tags_code: i64,
    /// For the reserved field of a batch unit.
    pub bloom: TagBloom,
    /// Messages in the frame.
    pub count: InnerNum,
}

impl FrameParts {
    /// The properties in the buffer they were written to.
    #[must_use]
    pub fn properties<'a>(&self, buffer: &'a [u8]) -> &'a [u8] {
        buffer.get(self.properties.clone()).unwrap_or_default()
    }

    /// Calls `visit` with the hash of every key the key index holds of this frame.
    pub fn visit_key_hashes(&self, topic: &str, buffer: &[u8], mut visit: impl FnMut(i32)) {
        let found = extract(self.properties(buffer), topic.as_bytes());
        found.index_keys().for_each(|key| visit(index_key_hash(topic.as_bytes(), key)));
    }
}
