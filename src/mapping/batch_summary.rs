//! What the records of a batch ask for together: a tag that all have, which tags there may be, index keys.
//!
//! It stands in the properties of the batch's frame, so that queue and key index can be rebuilt from frames
//! without decoding a batch. Index keys are bounded; records whose keys did not fit are found by a scan.
//! Not here: the properties themselves (`verbatim`).

use gantry_protocols::kafka::record::Record;
use gantry_store::format::hash;
use indexmap::IndexSet;

use super::record_properties::is_property_text;
use super::request_headers::Requests;
use super::tag_bloom::TagBloom;

/// Most bytes of index keys in one frame; half of what properties may have.
pub const KEYS_MAX_BYTES: usize = 16 * 1024;
/// Longest tag or unique id that goes into a frame's properties.
pub const TEXT_MAX_BYTES: usize = 4 * 1024;

/// The summary of a batch whose records were looked at. The default is that of records without requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchSummary {
    /// The one tag of all records.
    pub tag: Option<Box<str>>,
    /// The tags of all records.
    pub bloom: TagBloom,
    /// Index keys, each once, joined by spaces; those of all records and their unique ids.
    pub keys: String,
    /// The unique id that the producer gave the first record.
    pub first_msg_id: Option<Box<str>>,
}

impl Default for BatchSummary {
    fn default() -> BatchSummary {
        BatchSummary { tag: None, bloom: TagBloom::NO_TAGS, keys: String::new(), first_msg_id: None }
    }
}

impl BatchSummary {
    /// Whether request headers were read; otherwise only record keys were.
    #[must_use]
    pub fn searched(&self) -> bool {
        self.bloom != TagBloom::UNKNOWN
    }
}

/// Builds a summary record by record.
#[derive(Debug)]
pub(super) struct Collector<'a> {
    records: usize,
    tag: Option<&'a str>,
    uniform: bool,
    bloom: TagBloom,
    keys: IndexSet<&'a str>,
    keys_len: usize,
    first_msg_id: Option<&'a str>,
    with_record_keys: bool,
}

impl<'a> Collector<'a> {
    /// `searched`: requests are read; `with_record_keys`: record keys are index keys.
    pub(super) fn new(searched: bool, with_record_keys: bool) -> Collector<'a> {
        Collector {
            records: 0,
            tag: None,
            uniform: true,
            bloom: if searched { TagBloom::NO_TAGS } else { TagBloom::UNKNOWN },
            keys: IndexSet::new(),
            keys_len: 0,
            first_msg_id: None,
            with_record_keys,
        }
    }

    pub(super) fn add(&mut self, record: &Record<'a>, requests: &Requests<'a>) {
        self.add_tag(requests.tags);
        match requests.msg_id {
            Some(id) if self.records == 0 && id.len() <= TEXT_MAX_BYTES => self.first_msg_id = Some(id),
            Some(id) => self.add_key(id),
            None => {}
        }
        requests.keys.into_iter().flat_map(|keys| keys.split(' ')).for_each(|key| self.add_key(key));
        if self.with_record_keys
            && let Some(key) = record.key.filter(|key| is_property_text(key))
            && let Ok(key) = std::str::from_utf8(key)
        {
            self.add_key(key);
        }
        self.records += 1;
    }

    pub(super) fn finish(self) -> BatchSummary {
        let keys = self.keys.iter().fold(String::with_capacity(self.keys_len), |mut keys, key| {
            if !keys.is_empty() {
                keys.push(' ');
            }
            keys.push_str(key);
            keys
        });
        BatchSummary {
            tag: self.tag.filter(|tag| self.uniform && tag.len() <= TEXT_MAX_BYTES).map(Box::from),
            bloom: self.bloom,
            keys,
            first_msg_id: self.first_msg_id.map(Box::from),
        }
    }

    fn add_tag(&mut self, tag: Option<&'a str>) {
        if let Some(tag) = tag {
            self.bloom.insert(hash::tags_code(tag.as_bytes()));
        }
        if self.records == 0 {
            self.tag = tag;
        }
        self.uniform &= self.tag == tag;
    }

    /// A key with a space inside could not be told from two.
    fn add_key(&mut self, key: &'a str) {
        let len = self.keys_len + key.len() + 1;
        let fits = !key.is_empty() && !key.contains(' ') && len <= KEYS_MAX_BYTES;
        if fits && self.keys.insert(key) {
            self.keys_len = len;
        }
    }
}
