//! Group names: what a Kafka group id is called in storage and to native clients.
//!
//! A Kafka group id is any string; a stored group has letters, digits, `_`, `-`, `%`, `|` only. Every other
//! byte becomes `%XX` (upper-case hex of UTF-8), so `svc.orders` is stored as `svc%2Eorders`, and `@`, which
//! separates topic and group in `consumerOffset.json`, never gets there. A `%` of a Kafka id that would read
//! as such an escape becomes `%25`; all other `%` stay, so that native groups keep their names.
//! Not here: length limits and topic names (`names`).
//! Source: RocketMQ 5.3.3 `client/Validators.java` (characters of a group).

use std::borrow::Cow;

/// The stored name of a Kafka group id. Injective.
#[must_use]
pub fn from_kafka(group: &str) -> Cow<'_, str> {
    if group.bytes().all(|b| is_native(b) && b != b'%') {
        return Cow::Borrowed(group);
    }
    let mut stored = String::with_capacity(group.len() + 8);
    let mut rest = group;
    while let Some(c) = rest.chars().next() {
        let (here, after) = rest.split_at(c.len_utf8());
        rest = after;
        match c {
            '%' if begins_escape(after) => stored.push_str("%25"),
            '%' => stored.push('%'),
            c if u8::try_from(c).is_ok_and(is_native) => stored.push(c),
            _ => here.bytes().for_each(|b| stored.push_str(&format!("%{b:02X}"))),
        }
    }
    Cow::Owned(stored)
}

/// The Kafka group id of a stored group; the stored text itself where its escapes are no UTF-8.
#[must_use]
pub fn kafka_view(stored: &str) -> Cow<'_, str> {
    if !stored.contains('%') {
        return Cow::Borrowed(stored);
    }
    let mut group = Vec::with_capacity(stored.len());
    let mut rest = stored;
    while let Some((before, after)) = rest.split_once('%') {
        group.extend_from_slice(before.as_bytes());
        rest = after;
        match escaped_byte(after) {
            Some(b) if begins_escape(after) => {
                group.push(b);
                rest = after.get(2..).unwrap_or_default();
                if b == b'%' {
                    // The escape that the kept `%` would begin is text.
                    let text = escape_len(rest);
                    let (kept, later) = rest.split_at_checked(text).unwrap_or((rest, ""));
                    group.extend_from_slice(kept.as_bytes());
                    rest = later;
                }
            }
            _ => group.push(b'%'),
        }
    }
    group.extend_from_slice(rest.as_bytes());
    String::from_utf8(group).map_or(Cow::Borrowed(stored), Cow::Owned)
}

fn is_native(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'%' | b'|')
}

/// Two upper-case hex digits at the start of `text`.
fn escaped_byte(text: &str) -> Option<u8> {
    let digits = text.get(..2)?;
    let upper = digits.bytes().all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b));
    if upper { u8::from_str_radix(digits, 16).ok() } else { None }
}

/// Would `%` before `text` be an escape: `XX` of a byte no native name has, after any number of `25`?
fn begins_escape(text: &str) -> bool {
    escape_len(text) > 0
}

/// Length of the escape that `%` before `text` begins, 0 when it begins none.
fn escape_len(text: &str) -> usize {
    let mut len = 0;
    loop {
        match text.get(len..).and_then(escaped_byte) {
            Some(b'%') => len += 2,
            Some(b) if !is_native(b) => return len + 2,
            _ => return 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(kafka: &str, stored: &str) {
        assert_eq!(from_kafka(kafka), stored);
        assert_eq!(kafka_view(stored), kafka);
    }

    #[test]
    fn characters_outside_the_native_set_are_escaped() {
        check("svc.orders", "svc%2Eorders");
        check("a@b", "a%40b");
        check("größe", "gr%C3%B6%C3%9Fe");
        check("plain_G-1", "plain_G-1");
        check("", "");
    }

    #[test]
    fn a_percent_stays_unless_it_reads_as_an_escape() {
        check("a%b", "a%b");
        check("NS%G", "NS%G");
        check("a%41", "a%41");
        check("a%2Eb", "a%252Eb");
        check("a%252Eb", "a%25252Eb");
        check("a%25b", "a%25b");
    }

    #[test]
    fn escapes_that_are_no_utf8_show_as_stored() {
        assert_eq!(kafka_view("a%FFb"), "a%FFb");
    }

    proptest! {
        #[test]
        fn every_kafka_group_comes_back(group in "[a2 5E%.@ß]{0,10}|\\PC{0,8}") {
            let stored = from_kafka(&group);
            prop_assert!(stored.bytes().all(is_native));
            prop_assert_eq!(&*kafka_view(&stored), &*group);
        }

        #[test]
        fn every_native_group_comes_back(stored in "(%2E|[a25%_]){0,8}") {
            let kafka = kafka_view(&stored);
            prop_assert_eq!(&*from_kafka(&kafka), &*stored);
        }
    }
}
