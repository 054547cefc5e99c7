//! Characters of JSON strings: where one ends, what its escapes mean, how one is written.
//!
//! Works on bytes, because peers send raw control characters and now and then bytes that are no UTF-8.
//! Knows strings only; objects are the header codec's.

use bytes::BufMut;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Position of the first `"` or `\` in `bytes`, eight bytes at a time.
pub(super) fn quote_or_backslash(bytes: &[u8]) -> Option<usize> {
    let (words, tail) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let hits = bytes_equal(word, b'"') | bytes_equal(word, b'\\');
        if hits != 0 {
            return Some(index * 8 + hits.trailing_zeros() as usize / 8);
        }
    }
    let start = bytes.len() - tail.len();
    tail.iter().position(|byte| matches!(byte, b'"' | b'\\')).map(|at| start + at)
}

/// The top bit of the lowest byte of `word` that equals `byte`; bits above it may be wrong, so only the lowest
/// one counts.
fn bytes_equal(word: u64, byte: u8) -> u64 {
    const LOW: u64 = 0x0101_0101_0101_0101;
    let differing = word ^ (LOW * u64::from(byte));
    differing.wrapping_sub(LOW) & !differing & (LOW << 7)
}

/// Number of bytes of the escape that starts with the backslash at the front, or `None` when it is none.
pub(super) fn escape_len(bytes: &[u8]) -> Option<usize> {
    match bytes.get(1)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(2),
        b'u' => four_hex(bytes.get(2..6)?).map(|_| 6),
        _ => None,
    }
}

fn four_hex(digits: &[u8]) -> Option<u16> {
    digits.iter().try_fold(0u16, |value, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        Some((value << 4) | u16::try_from(digit).ok()?)
    })
}

/// Appends `raw` with its escapes replaced. Escapes were checked by the scanner; one that is wrong all the same
/// is copied as it stands, and half a surrogate pair becomes U+FFFD.
pub(super) fn unescape(raw: &[u8], out: &mut impl BufMut) {
    let mut left = raw;
    while let Some(at) = left.iter().position(|byte| *byte == b'\\') {
        let Some((plain, escape)) = left.split_at_checked(at) else { break };
        out.put_slice(plain);
        let taken = unescape_one(escape, out);
        left = escape.get(taken..).unwrap_or_default();
    }
    out.put_slice(left);
}

/// Appends what the escape at the front stands for and says how many bytes it took.
fn unescape_one(escape: &[u8], out: &mut impl BufMut) -> usize {
    let byte = match escape.get(1) {
        Some(b'u') => return unescape_unicode(escape, out),
        Some(b'b') => 0x08,
        Some(b'f') => 0x0c,
        Some(b'n') => b'\n',
        Some(b'r') => b'\r',
        Some(b't') => b'\t',
        Some(byte) => *byte,
        None => {
            out.put_u8(b'\\');
            return 1;
        }
    };
    out.put_u8(byte);
    2
}

fn unescape_unicode(escape: &[u8], out: &mut impl BufMut) -> usize {
    let unit = |at: usize| escape.get(at..at + 4).and_then(four_hex);
    let low = || escape.get(6..8).filter(|start| *start == b"\\u").and_then(|_| unit(8));
    let Some(first) = unit(2) else {
        out.put_slice(b"\\u");
        return 2;
    };
    let (found, taken) = match (first, low()) {
        (0xd800..=0xdbff, Some(second @ 0xdc00..=0xdfff)) => {
            let high = u32::from(first - 0xd800) << 10;
            (char::from_u32(0x1_0000 + high + u32::from(second - 0xdc00)), 12)
        }
        _ => (char::from_u32(u32::from(first)), 6),
    };
    let mut utf8 = [0; 4];
    let found = found.unwrap_or(char::REPLACEMENT_CHARACTER);
    out.put_slice(found.encode_utf8(&mut utf8).as_bytes());
    taken
}

/// Appends `text` as a JSON string with its quotes.
pub(super) fn write_json_string(text: &str, out: &mut impl BufMut) {
    out.put_u8(b'"');
    let mut left = text.as_bytes();
    while let Some(at) = left.iter().position(|byte| *byte < 0x20 || matches!(byte, b'"' | b'\\')) {
        let Some((plain, [byte, rest @ ..])) = left.split_at_checked(at) else { break };
        out.put_slice(plain);
        write_escape(*byte, out);
        left = rest;
    }
    out.put_slice(left);
    out.put_u8(b'"');
}

fn write_escape(byte: u8, out: &mut impl BufMut) {
    let short = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        _ => {
            let digit = |value: u8| HEX.get(usize::from(value)).copied().unwrap_or(b'0');
            out.put_slice(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 15)]);
            return;
        }
    };
    out.put_slice(&[b'\\', short]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unescaped(raw: &str) -> String {
        let mut out = Vec::new();
        unescape(raw.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn finds_the_first_quote_or_backslash_at_any_distance() {
        for distance in 0..40 {
            for stop in ['"', '\\'] {
                let text = format!("{}{stop}\"\\{}", "é".repeat(distance), "x".repeat(9));
                assert_eq!(quote_or_backslash(text.as_bytes()), Some(distance * 2));
            }
            assert_eq!(quote_or_backslash("!".repeat(distance).as_bytes()), None);
        }
    }

    #[test]
    fn decodes_every_escape() {
        assert_eq!(unescaped(r#"TAGS\u0001A\u0002"#), "TAGS\u{1}A\u{2}");
        assert_eq!(unescaped(r#"\"\\\/\b\f\n\r\t\u00e9\u4E2D"#), "\"\\/\u{8}\u{c}\n\r\té中");
        assert_eq!(unescaped(r"\ud83d\ude00!"), "😀!");
    }

    #[test]
    fn half_a_surrogate_pair_becomes_the_replacement_character() {
        assert_eq!(unescaped(r"\ud83d."), "\u{fffd}.");
        assert_eq!(unescaped(r"\ude00\ud83d\u0041"), "\u{fffd}\u{fffd}A");
    }

    #[test]
    fn writes_what_it_reads() {
        let text = "a\u{1}\u{2}\"\\\n\r\t\u{1f}é😀";
        let mut out = Vec::new();
        write_json_string(text, &mut out);
        let out = String::from_utf8(out).unwrap();
        assert_eq!(out, "\"a\\u0001\\u0002\\\"\\\\\\n\\r\\t\\u001fé😀\"");
        assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
        assert_eq!(unescaped(out.trim_matches('"')), text);
    }
}
