//! Java's `String.hashCode`, and the two numbers the store makes of it: tags code and index key hash.
//!
//! The hash runs over UTF-16 code units, so text outside of ASCII is decoded first; bytes that are no UTF-8
//! count as U+FFFD, as Java decodes them.

/// A Java string hash under construction.
#[derive(Clone, Copy, Debug, Default)]
pub struct JavaHash(i32);

impl JavaHash {
    /// The hash of everything so far followed by `text`, which is UTF-8 or nearly so.
    #[must_use]
    pub fn with(self, text: &[u8]) -> JavaHash {
        if text.is_ascii() {
            return JavaHash(text.iter().fold(self.0, |hash, byte| step(hash, u16::from(*byte))));
        }
        let mut hash = self.0;
        for chunk in text.utf8_chunks() {
            hash = chunk.valid().encode_utf16().fold(hash, step);
            if !chunk.invalid().is_empty() {
                hash = step(hash, REPLACEMENT);
            }
        }
        JavaHash(hash)
    }

    /// The hash.
    #[must_use]
    pub const fn finish(self) -> i32 {
        self.0
    }
}

const REPLACEMENT: u16 = 0xFFFD;

fn step(hash: i32, unit: u16) -> i32 {
    hash.wrapping_mul(31).wrapping_add(i32::from(unit))
}

/// `String.hashCode` of `text`.
#[must_use]
pub fn java_hash(text: &str) -> i32 {
    JavaHash::default().with(text.as_bytes()).finish()
}

/// What a queue unit holds for the tag: its hash with the sign kept; 0 for no tag.
#[must_use]
pub fn tags_code(tag: &[u8]) -> i64 {
    i64::from(JavaHash::default().with(tag).finish())
}

/// The key hash of an `IndexFile` entry for the string `topic#key`: never negative.
#[must_use]
pub fn index_key_hash(topic: &[u8], key: &[u8]) -> i32 {
    let hash = JavaHash::default().with(topic).with(b"#").with(key).finish();
    // Java's Math.abs keeps the smallest integer negative; the original then takes 0.
    hash.checked_abs().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_the_values_of_java() {
        assert_eq!(java_hash(""), 0);
        assert_eq!(java_hash("TagA"), 2_598_919);
        assert_eq!(java_hash("Aa"), java_hash("BB"));
        assert_eq!(index_key_hash(b"TopicTest", b"k1"), 2_746_024);
    }

    #[test]
    fn counts_utf16_units_not_bytes() {
        assert_eq!(java_hash("\u{e9}"), 0xE9);
        assert_eq!(java_hash("\u{1F600}"), 0xD83D * 31 + 0xDE00);
        assert_eq!(JavaHash::default().with(&[0xFF]).finish(), 0xFFFD);
    }

    #[test]
    fn smallest_integer_becomes_zero() {
        // "polygenelubricants" is a known string with this hash.
        assert_eq!(java_hash("polygenelubricants"), i32::MIN);
        let split = "polygenelubricants".split_at(4);
        assert_eq!(JavaHash::default().with(split.0.as_bytes()).with(split.1.as_bytes()).finish(), i32::MIN);
    }
}
