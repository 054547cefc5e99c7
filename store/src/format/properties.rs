//! The properties of a frame: `name 0x01 value 0x02`, repeated. The one scanner and the one writer of them.
//!
//! Rules of the original's parser: the last 0x02 may be missing; an entry without 0x01, without a name or
//! without a value does not count; of several entries with one name the last one counts. A value may hold 0x01.
//!
//! Source: RocketMQ 5.3.3 `common/message/MessageDecoder.java`, `store/CommitLog.java` (what dispatch extracts).

use super::{frame::MAX_PROPERTIES_LEN, hash, names};

/// Stands between name and value.
pub const NAME_VALUE_SEPARATOR: u8 = 1;
/// Stands behind each value.
pub const PROPERTY_SEPARATOR: u8 = 2;
/// The topic that holds messages of the delay levels; a `DELAY` property means something only there.
pub const SCHEDULE_TOPIC: &str = "SCHEDULE_TOPIC_XXXX";

/// One property, as it stands in the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Property<'a> {
    /// Not empty.
    pub name: &'a [u8],
    /// Not empty.
    pub value: &'a [u8],
}

/// The properties in the order in which they stand, doubles included.
#[derive(Clone, Debug)]
pub struct Properties<'a> {
    rest: &'a [u8],
}

/// The properties in `block`.
#[must_use]
pub const fn properties(block: &[u8]) -> Properties<'_> {
    Properties { rest: block }
}

impl<'a> Iterator for Properties<'a> {
    type Item = Property<'a>;

    fn next(&mut self) -> Option<Property<'a>> {
        while !self.rest.is_empty() {
            let (entry, rest) = split_once(self.rest, PROPERTY_SEPARATOR).unwrap_or((self.rest, &[]));
            self.rest = rest;
            if let Some((name, value)) = split_once(entry, NAME_VALUE_SEPARATOR)
                && !name.is_empty()
                && !value.is_empty()
            {
                return Some(Property { name, value });
            }
        }
        None
    }
}

/// The value of the last property with this name.
#[must_use]
pub fn find<'a>(block: &'a [u8], name: &str) -> Option<&'a [u8]> {
    properties(block)
        .filter(|property| property.name == name.as_bytes())
        .last()
        .map(|property| property.value)
}

/// Whether a block was written whole: each entry has a name and 0x01, and the last byte is not 0.
///
/// Recovery asks this of frames that no flush covers, because the body's checksum does not reach the
/// properties: a torn write leaves zeros. Values may be empty, as items of client batches have them.
#[must_use]
pub fn is_well_formed(block: &[u8]) -> bool {
    if block.last() == Some(&0) {
        return false;
    }
    let block = block.strip_suffix(&[PROPERTY_SEPARATOR]).unwrap_or(block);
    let named = |entry: &[u8]| {
        split_once(entry, NAME_VALUE_SEPARATOR)
            .is_some_and(|(name, _)| !name.is_empty() && !name.contains(&0))
    };
    block.is_empty() || block.split(|byte| *byte == PROPERTY_SEPARATOR).all(named)
}

/// What queue and key index need of a message, found in one pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extracted<'a> {
    /// `TAGS`.
    pub tags: Option<&'a [u8]>,
    /// Hash of `TAGS` with the sign kept; 0 without a tag. Units of [`SCHEDULE_TOPIC`] hold a due time instead:
    /// see [`Extracted::tags_code_at`].
    pub tags_code: i64,
    /// `UNIQ_KEY`.
    pub unique_key: Option<&'a [u8]>,
    /// `KEYS`, as it stands; [`Extracted::keys`] splits it.
    pub keys_value: Option<&'a [u8]>,
    /// `DELAY` where the topic is [`SCHEDULE_TOPIC`] and the level is 1 or more.
    pub delay_level: Option<usize>,
}

const TAGS: &[u8] = names::TAGS.as_bytes();
const UNIQ_KEY: &[u8] = names::UNIQ_KEY.as_bytes();
const KEYS: &[u8] = names::KEYS.as_bytes();
const DELAY: &[u8] = names::DELAY.as_bytes();

/// Reads `block`, the properties of a message of `topic`, once.
#[must_use]
pub fn extract<'a>(block: &'a [u8], topic: &[u8]) -> Extracted<'a> {
    let mut found = Extracted::default();
    let mut delay = None;
    for Property { name, value } in properties(block) {
        match name {
            TAGS => found.tags = Some(value),
            UNIQ_KEY => found.unique_key = Some(value),
            KEYS => found.keys_value = Some(value),
            DELAY => delay = Some(value),
            _ => {}
        }
    }
    found.tags_code = found.tags.map_or(0, hash::tags_code);
    if topic == SCHEDULE_TOPIC.as_bytes() {
        found.delay_level = delay.and_then(level);
    }
    found
}

impl<'a> Extracted<'a> {
    /// The single keys of `KEYS`.
    pub fn keys(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let keys = self.keys_value.unwrap_or_default().split(|byte| *byte == b' ');
        keys.filter(|key| !key.is_empty())
    }

    /// Everything the key index holds of the message: the unique key first, then the single keys.
    pub fn index_keys(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.unique_key.into_iter().chain(self.keys())
    }

    /// The tags code of the unit: the due time in ms for a message of a delay level, else the tag's hash.
    ///
    /// `level_delays_ms` is the configured table, level 1 first; a higher level counts as the highest.
    #[must_use]
    pub fn tags_code_at(&self, store_timestamp: i64, level_delays_ms: &[i64]) -> i64 {
        let Some(level) = self.delay_level else { return self.tags_code };
        let place = level.min(level_delays_ms.len()).saturating_sub(1);
        level_delays_ms.get(place).map_or(self.tags_code, |delay| store_timestamp.saturating_add(*delay))
    }
}

/// Why a property is not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PropertyError {
    /// The name is empty.
    #[error("a property needs a name")]
    NoName,
    /// Name or value holds one of the two separators.
    #[error("a property holds the byte {byte:#04x}, which separates properties")]
    Separator {
        /// 0x01 or 0x02.
        byte: u8,
    },
    /// The block would become longer than a frame holds.
    #[error("properties of {len} bytes; a frame holds {MAX_PROPERTIES_LEN}")]
    TooLong {
        /// Bytes the block would have.
        len: usize,
    },
}

/// Appends properties to a buffer.
#[derive(Debug)]
pub struct PropertiesWriter<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
}

impl<'a> PropertiesWriter<'a> {
    /// Writes behind what `out` already holds, which does not count as part of the block.
    pub fn new(out: &'a mut Vec<u8>) -> PropertiesWriter<'a> {
        let start = out.len();
        PropertiesWriter { out, start }
    }

    /// Appends one property; an empty value is skipped, because no reader would see it.
    ///
    /// # Errors
    /// An empty name, a separator inside, a block that becomes too long; nothing is written then.
    pub fn put(&mut self, name: &str, value: &[u8]) -> Result<(), PropertyError> {
        if name.is_empty() {
            return Err(PropertyError::NoName);
        }
        let is_separator = |byte: &&u8| **byte == NAME_VALUE_SEPARATOR || **byte == PROPERTY_SEPARATOR;
        if let Some(byte) = name.as_bytes().iter().chain(value).find(is_separator) {
            return Err(PropertyError::Separator { byte: *byte });
        }
        if value.is_empty() {
            return Ok(());
        }
        let len = self.len() + name.len() + value.len() + 2;
        if len > MAX_PROPERTIES_LEN {
            return Err(PropertyError::TooLong { len });
        }
        self.out.reserve(name.len() + value.len() + 2);
        self.out.extend_from_slice(name.as_bytes());
        self.out.push(NAME_VALUE_SEPARATOR);
        self.out.extend_from_slice(value);
        self.out.push(PROPERTY_SEPARATOR);
        Ok(())
    }

    /// Bytes written so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.out.len() - self.start
    }

    /// Whether nothing was written so far.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A delay level; what is no number of 1 or more is none.
fn level(value: &[u8]) -> Option<usize> {
    let level: i32 = str::from_utf8(value).ok()?.parse().ok()?;
    usize::try_from(level).ok().filter(|level| *level > 0)
}

fn split_once(bytes: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = bytes.iter().position(|byte| *byte == separator)?;
    let (before, from) = bytes.split_at_checked(at)?;
    from.split_first().map(|(_, after)| (before, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(block: &[u8]) -> Vec<(&str, &str)> {
        let text = |bytes| str::from_utf8(bytes).unwrap();
        properties(block).map(|property| (text(property.name), text(property.value))).collect()
    }

    #[test]
    fn follows_the_rules_of_the_original() {
        assert_eq!(pairs(b"a\x011\x02b\x012\x02"), [("a", "1"), ("b", "2")]);
        assert_eq!(pairs(b"a\x011\x02b\x012"), [("a", "1"), ("b", "2")]);
        assert_eq!(pairs(b"a\x01\x02b\x012\x02"), [("b", "2")]);
        assert_eq!(pairs(b"\x012\x02ab\x02\x02c\x013"), [("c", "3")]);
        assert_eq!(pairs(b"a\x01x\x01y\x02"), [("a", "x\x01y")]);
        assert_eq!(pairs(b""), []);
    }

    #[test]
    fn last_property_of_a_name_counts() {
        let block = b"UNIQ_KEY\x01item\x02TAGS\x01A\x02UNIQ_KEY\x01batch\x02";
        assert_eq!(find(block, names::UNIQ_KEY), Some(&b"batch"[..]));
        assert_eq!(find(block, "UNIQ"), None);
        assert_eq!(extract(block, b"T").unique_key, Some(&b"batch"[..]));
    }

    #[test]
    fn extracts_what_the_indexes_need() {
        let block = b"KEYS\x01k1  k2 \x02TAGS\x01TagA\x02UNIQ_KEY\x01U\x02DELAY\x013\x02";
        let found = extract(block, b"T");
        assert_eq!(found.tags_code, 2_598_919);
        assert_eq!(found.index_keys().collect::<Vec<_>>(), [&b"U"[..], b"k1", b"k2"]);
        assert_eq!((found.delay_level, found.tags_code_at(7, &[1000])), (None, 2_598_919));
    }

    #[test]
    fn delayed_messages_hold_their_due_time() {
        let found = extract(b"DELAY\x0199\x02TAGS\x01A\x02", SCHEDULE_TOPIC.as_bytes());
        assert_eq!(found.tags_code_at(10, &[1000, 5000]), 5010);
        let none = extract(b"DELAY\x010\x02", SCHEDULE_TOPIC.as_bytes());
        assert_eq!(none.tags_code_at(10, &[1000]), 0);
    }

    #[test]
    fn torn_blocks_are_not_well_formed() {
        for whole in [&b""[..], b"a\x011\x02", b"a\x011", b"a\x01\x02b\x012\x02"] {
            assert!(is_well_formed(whole), "{whole:?}");
        }
        for torn in [&b"a\x011\x02\0\0\0"[..], b"a\x011\0\0", b"a\x011\x02b\x02", b"\x011\x02", b"\0\0"] {
            assert!(!is_well_formed(torn), "{torn:?}");
        }
    }

    #[test]
    fn writer_refuses_what_no_reader_could_split() {
        let mut out = b"before".to_vec();
        let mut writer = PropertiesWriter::new(&mut out);
        writer.put("a", b"1").unwrap();
        writer.put("empty", b"").unwrap();
        assert_eq!(writer.put("", b"1"), Err(PropertyError::NoName));
        assert_eq!(writer.put("a\x02", b"1"), Err(PropertyError::Separator { byte: 2 }));
        assert_eq!(writer.put("a", b"\x01"), Err(PropertyError::Separator { byte: 1 }));
        assert_eq!(writer.put("a", &[b'x'; 32764]), Err(PropertyError::TooLong { len: 32771 }));
        assert_eq!(writer.len(), 4);
        assert_eq!(out, b"beforea\x011\x02");
    }

    proptest::proptest! {
        #[test]
        fn every_written_property_is_read_again(
            written in proptest::collection::vec(("[^\x01\x02]{1,20}", "[^\x01\x02]{0,20}"), 0..20),
        ) {
            let mut out = Vec::new();
            let mut writer = PropertiesWriter::new(&mut out);
            for (name, value) in &written {
                writer.put(name, value.as_bytes()).unwrap();
            }
            let expected = written.iter().filter(|(_, value)| !value.is_empty());
            let expected: Vec<_> = expected.map(|(name, value)| (name.as_str(), value.as_str())).collect();
            assert_eq!(pairs(&out), expected);
        }
    }
}
