//! The properties of a native message made from one Kafka record.
//!
//! | record                                  | property                                                     |
//! |-----------------------------------------|--------------------------------------------------------------|
//! | key that is plain text without blanks   | `KEYS`, behind the keys of `rmq.keys`                        |
//! | any key that those do not give back     | `__KK`                                                       |
//! | requests                                | `TAGS`, `KEYS`, `UNIQ_KEY`, `__SHARDINGKEY`                  |
//! | first header of a name, text value      | property of that name                                        |
//! | header named like a system property     | `kafka.h.<name>`, so that it can never act as one            |
//! | header `rmq.user.<name>`                | `<name>`: where the native property came from                |
//! | anything the properties do not give back| `__KH`, which then is the authority on the way back          |
//! | null value                              | `__KN`                                                       |
//!
//! A key equal to the order key or to one of `rmq.keys` is not added to `KEYS` again, so that keys come back
//! unchanged through a Kafka program that copies headers.
//! Not here: how a native message becomes a record (`pack`), the carriers' text (`carriers`).

use std::collections::HashSet;

use gantry_protocols::kafka::record::{Headers, Record};
use gantry_store::format::names;
use gantry_store::format::properties::{NAME_VALUE_SEPARATOR, PROPERTY_SEPARATOR};

use super::carriers;
use super::request_headers::{self, Requests};

/// Guards a header's name.
pub const GUARD_PREFIX: &str = "kafka.h.";
/// What a native user property that begins with `rmq.` is called among Kafka headers.
pub const USER_PREFIX: &str = "rmq.user.";

/// A record and what to read from it.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The record.
    pub record: &'a Record<'a>,
    /// Its requests; `None` on topics where request headers are plain data.
    pub requests: Option<&'a Requests<'a>>,
    /// `UNIQ_KEY`; usually the requested id.
    pub unique_key: Option<&'a str>,
}

/// The properties do not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("key and headers need more than the {max} bytes of properties a message may have")]
pub struct TooLong {
    /// Bytes allowed.
    pub max: usize,
}

/// Buffers that are used again for every record.
#[derive(Debug, Default)]
pub struct Scratch {
    raw: Vec<u8>,
    text: Vec<u8>,
}

/// Appends the properties of `source` to `out`, at most `max` bytes.
///
/// # Errors
/// [`TooLong`]; `out` is then as before.
pub fn write(
    source: Source<'_>,
    max: usize,
    scratch: &mut Scratch,
    out: &mut Vec<u8>,
) -> Result<(), TooLong> {
    let start = out.len();
    let mut block = Block { out, start, max, full: false };
    block.write(source, scratch);
    if block.full {
        out.truncate(start);
        return Err(TooLong { max });
    }
    Ok(())
}

/// As [`write()`], but what does not fit is left out and `__KHX=1` says so. For delivery, never for storing.
pub fn write_cut(source: Source<'_>, max: usize, scratch: &mut Scratch, out: &mut Vec<u8>) {
    const MARK: &[u8] = b"__KHX\x011\x02";
    let start = out.len();
    let mut block = Block { out, start, max, full: false };
    block.write(source, scratch);
    if block.full {
        block.out.truncate(start);
        block.full = false;
        block.max = max.saturating_sub(MARK.len());
        block.write(source, scratch);
        out.extend_from_slice(MARK);
    }
}

/// The key a Kafka reader takes from properties when there is no `__KK`: the order key, else a lone index key.
#[must_use]
pub fn implied_key<'a>(sharding_key: Option<&'a [u8]>, keys: Option<&'a [u8]>) -> Option<&'a [u8]> {
    sharding_key.or_else(|| {
        let mut tokens = keys?.split(|b| *b == b' ').filter(|token| !token.is_empty());
        let first = tokens.next()?;
        tokens.next().is_none().then_some(first)
    })
}

/// Text that can stand in a property.
#[must_use]
pub fn is_property_text(bytes: &[u8]) -> bool {
    !bytes.is_empty()
        && !bytes.iter().any(|b| matches!(*b, NAME_VALUE_SEPARATOR | PROPERTY_SEPARATOR))
        && std::str::from_utf8(bytes).is_ok()
}

/// Text that can name a property: recovery takes a zero byte in a name for a torn write.
fn is_property_name(bytes: &[u8]) -> bool {
    is_property_text(bytes) && !bytes.contains(&0)
}

/// Properties being written, up to `max` bytes; what does not fit is left out and noted.
struct Block<'o> {
    out: &'o mut Vec<u8>,
    start: usize,
    max: usize,
    full: bool,
}

impl Block<'_> {
    fn write(&mut self, source: Source<'_>, scratch: &mut Scratch) {
        let none = Requests::default();
        let requests = source.requests.unwrap_or(&none);
        let sharding_key = requests.sharding_key.map(str::as_bytes);
        write_keys(source.record.key, requests, &mut scratch.text);
        let implied = implied_key(sharding_key, Some(&scratch.text));
        let needs_key = implied != source.record.key;
        self.put("", names::KEYS.as_bytes(), &scratch.text);
        self.put("", names::TAGS.as_bytes(), requests.tags.unwrap_or_default().as_bytes());
        self.put("", names::UNIQ_KEY.as_bytes(), source.unique_key.unwrap_or_default().as_bytes());
        self.put("", names::SHARDING_KEY.as_bytes(), sharding_key.unwrap_or_default());
        if needs_key {
            scratch.text.clear();
            carriers::write_key(source.record.key, &mut scratch.text);
            self.put("", names::KAFKA_KEY.as_bytes(), &scratch.text);
        }
        if source.record.value.is_none() {
            self.put("", names::KAFKA_NULL.as_bytes(), b"1");
        }
        let lossless = self.put_headers(source.record.headers, source.requests.is_some());
        if !lossless {
            scratch.text.clear();
            carriers::write_headers(source.record.headers, &mut scratch.raw, &mut scratch.text);
            self.put("", names::KAFKA_HEADERS.as_bytes(), &scratch.text);
        }
    }

    /// Whether the properties give all headers back.
    fn put_headers(&mut self, headers: Headers<'_>, interpreted: bool) -> bool {
        let mut seen = Seen::new(headers.len());
        let mut lossless = true;
        for (name, value) in headers {
            let value = value.filter(|value| is_property_text(value));
            let first = seen.insert(name);
            let plain = !name.starts_with(request_headers::PREFIX.as_bytes());
            let (prefix, property) = property_of(name);
            lossless &= first && value.is_some() && plain && prefix.is_empty() && is_property_name(name);
            let requested = interpreted && request_headers::is_request(name);
            if let Some(value) = value
                && first
                && !requested
                && is_property_name(property)
            {
                self.put(prefix, property, value);
            }
        }
        lossless
    }

    /// An empty value is skipped: no reader would see it.
    fn put(&mut self, prefix: &str, name: &[u8], value: &[u8]) {
        if value.is_empty() {
            return;
        }
        let len = prefix.len() + name.len() + value.len() + 2;
        if self.out.len() - self.start + len > self.max {
            self.full = true;
            return;
        }
        self.out.reserve(len);
        self.out.extend_from_slice(prefix.as_bytes());
        self.out.extend_from_slice(name);
        self.out.push(NAME_VALUE_SEPARATOR);
        self.out.extend_from_slice(value);
        self.out.push(PROPERTY_SEPARATOR);
    }
}

/// Prefix and name of the property for a header.
fn property_of(header: &[u8]) -> (&'static str, &[u8]) {
    let native = header.strip_prefix(USER_PREFIX.as_bytes()).unwrap_or(header);
    let acts = std::str::from_utf8(native).is_ok_and(names::is_system_name);
    (if acts { GUARD_PREFIX } else { "" }, native)
}

/// The value of `KEYS` into `out`; empty when there are none.
fn write_keys(key: Option<&[u8]>, requests: &Requests<'_>, out: &mut Vec<u8>) {
    out.clear();
    let requested = requests.keys.unwrap_or_default();
    out.extend_from_slice(requested.as_bytes());
    let Some(key) = key.filter(|key| is_property_text(key) && !key.contains(&b' ')) else { return };
    let known = requests.sharding_key.is_some_and(|order_key| order_key.as_bytes() == key)
        || requested.as_bytes().split(|b| *b == b' ').any(|token| token == key);
    if known {
        return;
    }
    if !out.is_empty() {
        out.push(b' ');
    }
    out.extend_from_slice(key);
}

/// The header names met so far. Few are compared one by one, many are hashed, so that a record of very many
/// headers costs no square of them.
struct Seen<'a> {
    few: [&'a [u8]; Seen::FEW],
    len: usize,
    many: Option<HashSet<&'a [u8]>>,
}

impl<'a> Seen<'a> {
    const FEW: usize = 16;

    fn new(expected: usize) -> Seen<'a> {
        Seen { few: [&[]; Seen::FEW], len: 0, many: (expected > Seen::FEW).then(HashSet::new) }
    }

    /// Whether `name` is new.
    fn insert(&mut self, name: &'a [u8]) -> bool {
        if let Some(many) = &mut self.many {
            return many.insert(name);
        }
        let known = self.few.iter().take(self.len).any(|seen| *seen == name);
        if !known && let Some(slot) = self.few.get_mut(self.len) {
            *slot = name;
            self.len += 1;
        }
        !known
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::test_records::{TestRecord, with_record};
    use gantry_store::format::properties::properties;

    fn written(record: &TestRecord) -> Vec<(String, String)> {
        with_record(record, |record| {
            let requests = Requests::read(record.headers).unwrap();
            let mut out = Vec::new();
            let source = Source { record, requests: Some(&requests), unique_key: requests.msg_id };
            write(source, 32_767, &mut Scratch::default(), &mut out).unwrap();
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            properties(&out).map(|p| (text(p.name), text(p.value))).collect()
        })
    }

    fn check(record: TestRecord, expected: &[(&str, &str)]) {
        let expected: Vec<_> = expected.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        assert_eq!(written(&record), expected);
    }

    #[test]
    fn a_plain_key_is_an_index_key_and_needs_no_carrier() {
        check(TestRecord::new(Some(b"k"), Some(b"v")), &[("KEYS", "k")]);
        check(TestRecord::new(None, Some(b"v")), &[]);
    }

    #[test]
    fn other_keys_are_carried() {
        check(TestRecord::new(Some(b""), Some(b"v")), &[("__KK", "-")]);
        check(TestRecord::new(Some(b"a b"), Some(b"v")), &[("__KK", "YSBi")]);
        check(TestRecord::new(Some(b"\xff"), Some(b"v")), &[("__KK", "/w==")]);
    }

    #[test]
    fn a_null_value_is_marked_and_an_empty_one_is_not() {
        check(TestRecord::new(Some(b"k"), None), &[("KEYS", "k"), ("__KN", "1")]);
        check(TestRecord::new(Some(b"k"), Some(b"")), &[("KEYS", "k")]);
    }

    #[test]
    fn requests_become_system_properties_and_the_key_stays_readable() {
        let record = TestRecord::new(Some(b"k"), Some(b"v"))
            .header("rmq.tags", b"T")
            .header("rmq.keys", b"a b")
            .header("rmq.msg.id", b"id")
            .header("x", b"1");
        let written = written(&record);
        let names: Vec<_> = written.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(
            names[..5],
            [("KEYS", "a b k"), ("TAGS", "T"), ("UNIQ_KEY", "id"), ("__KK", "aw=="), ("x", "1")]
        );
        assert_eq!(names[5].0, "__KH");
        assert_eq!(names.len(), 6);
    }

    #[test]
    fn a_null_key_beside_requested_keys_is_carried_as_null() {
        let record = TestRecord::new(None, Some(b"v")).header("rmq.keys", b"a");
        assert_eq!(written(&record)[..2], [("KEYS".into(), "a".into()), ("__KK".into(), "!".into())]);
    }

    #[test]
    fn headers_named_like_system_properties_cannot_act() {
        for name in [
            "DELAY",
            "REAL_TOPIC",
            "TAGS",
            "INNER_NUM",
            "__KP",
            "__RMQ.TRANSIENT.x",
            "TRAN_MSG",
            "rmq.user.DELAY",
        ] {
            let written = written(&TestRecord::new(None, Some(b"v")).header(name, b"3"));
            let bare = name.trim_start_matches("rmq.user.");
            assert_eq!(written[0], (format!("kafka.h.{bare}"), "3".to_owned()));
            assert_eq!((written.len(), written[1].0.as_str()), (2, "__KH"));
        }
    }

    #[test]
    fn first_of_duplicate_headers_shows_and_all_are_carried() {
        let record = TestRecord::new(None, Some(b"v")).header("h", b"1").header("h", b"2");
        let written = written(&record);
        assert_eq!(written[0], ("h".to_owned(), "1".to_owned()));
        assert_eq!((written.len(), written[1].0.as_str()), (2, "__KH"));
    }

    #[test]
    fn header_values_that_are_no_text_are_only_carried() {
        for value in [None, Some(&b""[..]), Some(b"\xff"), Some(b"a\x01"), Some(b"a\x02")] {
            let mut record = TestRecord::new(None, Some(b"v"));
            record.headers.push((b"h".to_vec(), value.map(<[u8]>::to_vec)));
            let written = written(&record);
            assert_eq!((written.len(), written[0].0.as_str()), (1, "__KH"));
        }
    }

    #[test]
    fn a_republished_native_property_gets_its_name_back() {
        let written = written(&TestRecord::new(None, Some(b"v")).header("rmq.user.rmq.x", b"1"));
        assert_eq!(written[0], ("rmq.x".to_owned(), "1".to_owned()));
    }

    #[test]
    fn many_headers_are_compared_too() {
        let mut record = TestRecord::new(None, Some(b"v"));
        for i in 0..100 {
            record = record.header(&format!("h{}", i % 50), b"1");
        }
        assert_eq!(written(&record).len(), 51);
    }

    #[test]
    fn what_does_not_fit_is_refused_or_cut() {
        let record = TestRecord::new(Some(b"k"), Some(b"v")).header("h", &[0xff; 30_000]).header("x", b"1");
        with_record(&record, |record| {
            let source = Source { record, requests: None, unique_key: None };
            let mut out = b"before".to_vec();
            let refused = write(source, 32_767, &mut Scratch::default(), &mut out);
            assert_eq!((refused, out.as_slice()), (Err(TooLong { max: 32_767 }), &b"before"[..]));
            write_cut(source, 32_767, &mut Scratch::default(), &mut out);
            assert_eq!(out, b"beforeKEYS\x01k\x02x\x011\x02__KHX\x011\x02");
        });
    }
}
