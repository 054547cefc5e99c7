//! Mode B: a Kafka batch as one frame, its bytes unchanged.
//!
//! | part           | what                                                                                   |
//! |----------------|----------------------------------------------------------------------------------------|
//! | sysFlag        | 0x80                                                                                   |
//! | bornTimestamp  | the batch's greatest timestamp                                                         |
//! | body           | the batch as received                                                                  |
//! | properties     | `INNER_NUM`, `INNER_BASE`; then `UNIQ_KEY`, `TAGS`, `KEYS` and `__KB` where known      |
//!
//! `UNIQ_KEY` stands there only when the producer gave the first record an id: a computed one holds the queue
//! offset, which the append alone decides, and readers compute it anyway. `__KB`, the tag bloom, says at the
//! same time that the batch was searched for request headers: readers take them as such only then.
//! Not here: how a native client reads the frame (`unwrap`).

use gantry_protocols::kafka::batch_error::BatchError;
use gantry_store::format::hash;
use gantry_store::format::inner::inner_properties;
use gantry_store::format::names;
use gantry_store::format::offset::QueueOffset;
use gantry_store::format::properties::{PropertiesWriter, PropertyError};
use gantry_store::format::sysflag::{INNER_BATCH, SysFlag};

use super::frame_parts::FrameParts;
use super::incoming::IncomingBatch;
use super::tag_bloom::{self, TagBloom};

/// Why a checked batch has no frame; neither happens to a batch that passed its checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerbatimError {
    /// The bytes are no batch.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// A property does not fit.
    #[error(transparent)]
    Property(#[from] PropertyError),
}

/// The frame of `batch`; its properties are appended to `buffer`.
///
/// # Errors
/// [`VerbatimError`]; what `buffer` then holds behind its former end means nothing.
pub fn frame(batch: &IncomingBatch, buffer: &mut Vec<u8>) -> Result<FrameParts, VerbatimError> {
    let view = batch.view()?;
    let start = buffer.len();
    buffer.extend_from_slice(&inner_properties(batch.count(), QueueOffset(0)));
    let mut bloom = TagBloom::UNKNOWN;
    let mut tags_code = 0;
    if let Some(summary) = batch.summary() {
        let mut properties = PropertiesWriter::new(buffer);
        let tag = summary.tag.as_deref().unwrap_or_default().as_bytes();
        properties.put(names::UNIQ_KEY, summary.first_msg_id.as_deref().unwrap_or_default().as_bytes())?;
        properties.put(names::TAGS, tag)?;
        properties.put(names::KEYS, summary.keys.as_bytes())?;
        if summary.searched() {
            properties.put(tag_bloom::PROPERTY, &summary.bloom.to_text())?;
        }
        bloom = summary.bloom;
        tags_code = if tag.is_empty() { 0 } else { hash::tags_code(tag) };
    }
    Ok(FrameParts {
        sys_flag: SysFlag(INNER_BATCH),
        flag: 0,
        born_timestamp: view.max_timestamp(),
        body: batch.bytes().clone(),
        properties: start..buffer.len(),
        tags_code,
        bloom,
        count: batch.count(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::test_records::{TestRecord, batch, rules};
    use gantry_protocols::kafka::batch_builder::BatchFields;
    use gantry_store::format::hash::index_key_hash;

    fn parts(records: &[TestRecord]) -> (FrameParts, Vec<u8>) {
        let incoming = IncomingBatch::check(batch(records, &BatchFields::default()), &rules()).unwrap();
        let mut buffer = b"before".to_vec();
        let parts = frame(&incoming, &mut buffer).unwrap();
        (parts, buffer)
    }

    #[test]
    fn a_plain_batch_has_its_numbers_and_says_that_it_has_no_tags() {
        let (parts, buffer) = parts(&[TestRecord::new(None, Some(b"v"))]);
        let expected = b"INNER_NUM\x0100001\x02INNER_BASE\x0100000000000000000000\x02__KB\x0180000000\x02";
        assert_eq!(parts.properties(&buffer), expected);
        assert_eq!((parts.sys_flag.0, parts.tags_code, parts.bloom), (0x80, 0, TagBloom::NO_TAGS));
        assert_eq!((parts.born_timestamp, parts.count.value()), (1000, 1));
    }

    #[test]
    fn one_tag_its_hash_and_the_keys_go_into_the_frame() {
        let record = |id: &str| {
            TestRecord::new(None, None)
                .header("rmq.tags", b"TagA")
                .header("rmq.keys", b"a b")
                .header("rmq.msg.id", id.as_bytes())
        };
        let (parts, buffer) = parts(&[record("id0"), record("id1")]);
        let text = String::from_utf8(parts.properties(&buffer)[48..].to_vec()).unwrap();
        let bloom = String::from_utf8(parts.bloom.to_text().to_vec()).unwrap();
        assert_eq!(
            text,
            format!("UNIQ_KEY\x01id0\x02TAGS\x01TagA\x02KEYS\x01a b id1\x02__KB\x01{bloom}\x02")
        );
        assert_eq!(parts.tags_code, 2_598_919);
        let mut hashes = Vec::new();
        parts.visit_key_hashes("T", &buffer, |hash| hashes.push(hash));
        let expected = ["id0", "a", "b", "id1"].map(|key| index_key_hash(b"T", key.as_bytes()));
        assert_eq!(hashes, expected);
    }

    #[test]
    fn mixed_tags_leave_the_code_to_the_bloom() {
        let tagged = |tag: &[u8]| TestRecord::new(None, None).header("rmq.tags", tag);
        let (parts, _) = parts(&[tagged(b"TagA"), tagged(b"TagB")]);
        assert_eq!(parts.tags_code, 0);
        assert!(parts.bloom.may_match([2_598_919]) && parts.bloom.may_match([2_598_920]));
    }
}
