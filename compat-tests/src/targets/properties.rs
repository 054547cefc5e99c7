//! Property blocks, as clients send them and frames hold them.

use gantry_store::format::properties::{
    self, Extracted, NAME_VALUE_SEPARATOR, PROPERTY_SEPARATOR, SCHEDULE_TOPIC, extract, find, is_well_formed,
};
use gantry_store::format::{hash, names};

/// Reads `input` as a property block of an ordinary and of the delay topic.
pub fn properties(input: &[u8]) {
    block(input, b"TopicTest");
    block(input, SCHEDULE_TOPIC.as_bytes());
}

/// Reads `bytes` as the properties of a message of `topic`.
pub(super) fn block(bytes: &[u8], topic: &[u8]) {
    let found: Vec<_> =
        properties::properties(bytes).map(|property| (property.name, property.value)).collect();
    for (name, value) in &found {
        assert!(!name.is_empty() && !value.is_empty(), "a property without name or value");
        assert!(!name.contains(&NAME_VALUE_SEPARATOR) && !name.contains(&PROPERTY_SEPARATOR));
        assert!(!value.contains(&PROPERTY_SEPARATOR));
    }
    let written = written(&found);
    let again = properties::properties(&written).map(|property| (property.name, property.value));
    assert!(again.eq(found.iter().copied()), "written properties read otherwise");
    well_formed(&found, &written);
    extracted(&found, bytes, topic);
}

fn written(found: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in found {
        out.extend_from_slice(name);
        out.push(NAME_VALUE_SEPARATOR);
        out.extend_from_slice(value);
        out.push(PROPERTY_SEPARATOR);
    }
    out
}

/// What is written whole is never taken for torn, and what is cut short with zeros always is.
///
/// A NUL in a name is taken for the zeros of a torn write all the same; such names are refused at append.
fn well_formed(found: &[(&[u8], &[u8])], written: &[u8]) {
    if found.iter().any(|(name, _)| name.contains(&0)) {
        return;
    }
    assert!(is_well_formed(written), "a whole block counts as torn");
    if let Some((_, body)) = written.split_last() {
        let torn = [body, &[0]].concat();
        assert!(!is_well_formed(&torn), "a torn block counts as whole");
    }
}

/// One pass finds what single searches find.
fn extracted(found: &[(&[u8], &[u8])], bytes: &[u8], topic: &[u8]) {
    let Extracted { tags, tags_code, unique_key, keys_value, delay_level } = extract(bytes, topic);
    let last = |name: &str| found.iter().rev().find(|(n, _)| *n == name.as_bytes()).map(|(_, value)| *value);
    for (name, value) in [(names::TAGS, tags), (names::UNIQ_KEY, unique_key), (names::KEYS, keys_value)] {
        assert_eq!(value, last(name), "{name}");
        assert_eq!(value, find(bytes, name), "{name}");
    }
    assert_eq!(tags_code, tags.map_or(0, hash::tags_code));
    assert!(delay_level.is_none() || topic == SCHEDULE_TOPIC.as_bytes());
    let extracted = extract(bytes, topic);
    assert!(extracted.keys().all(|key| !key.is_empty() && !key.contains(&b' ')));
    for key in extracted.index_keys() {
        assert!(hash::index_key_hash(topic, key) >= 0);
    }
    let _ = extracted.tags_code_at(i64::MAX, &[1000, i64::MAX]);
    assert!(delay_level.is_some() || extracted.tags_code_at(7, &[1000]) == tags_code);
}
