//! Which tags may stand in a batch: 31 bits of hash, and one that says the other 31 are known.
//!
//! A queue unit holds one tags code, a batch many tags. The bloom stands in the four reserved bytes of a
//! BatchConsumeQueue unit (a stock broker writes 0 there: unknown) and as property `__KB` (8 hex digits) in
//! the frame, so that a rebuild of the queue needs no batch decoding.
//! Not here: the final match, which is on the record's tag.

/// Property that carries the bloom in a batch frame.
pub const PROPERTY: &str = "__KB";

const KNOWN: u32 = 1 << 31;

/// The tags of one batch, with false positives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TagBloom(u32);

impl TagBloom {
    /// Nothing is known of the tags: every subscription must look inside.
    pub const UNKNOWN: TagBloom = TagBloom(0);
    /// The batch was searched and no record has a tag.
    pub const NO_TAGS: TagBloom = TagBloom(KNOWN);

    /// From the reserved field of a unit.
    #[must_use]
    pub fn from_bits(bits: u32) -> TagBloom {
        if bits & KNOWN == 0 { TagBloom::UNKNOWN } else { TagBloom(bits) }
    }

    /// For the reserved field of a unit.
    #[must_use]
    pub fn bits(self) -> u32 {
        self.0
    }

    /// From the value of property `__KB`; a value that is none counts as unknown.
    #[must_use]
    pub fn parse(text: &[u8]) -> TagBloom {
        let bits = std::str::from_utf8(text).ok().and_then(|t| u32::from_str_radix(t, 16).ok());
        bits.map_or(TagBloom::UNKNOWN, TagBloom::from_bits)
    }

    /// The value of property `__KB`.
    #[must_use]
    pub fn to_text(self) -> [u8; 8] {
        let digit = |i: u32| match (self.0 >> (28 - 4 * i)) & 15 {
            d @ 0..=9 => b'0' + d as u8,
            d => b'A' + (d as u8 - 10),
        };
        [digit(0), digit(1), digit(2), digit(3), digit(4), digit(5), digit(6), digit(7)]
    }

    /// Adds a tag by its tags code.
    pub fn insert(&mut self, tags_code: i64) {
        self.0 |= KNOWN | pattern(tags_code);
    }

    /// May a record with one of these tags codes be inside? True when nothing is known.
    #[must_use]
    pub fn may_match(self, tags_codes: impl IntoIterator<Item = i64>) -> bool {
        self.0 & KNOWN == 0 || tags_codes.into_iter().map(pattern).any(|wanted| self.0 & wanted == wanted)
    }

    /// May the messages of a batch unit match? `tags_code` is the unit's. A code of 0 without a known bloom says
    /// nothing: the messages may have several tags.
    #[must_use]
    pub fn unit_may_match(self, tags_code: i64, wanted: impl IntoIterator<Item = i64>) -> bool {
        if self.0 & KNOWN == 0 && tags_code != 0 {
            return wanted.into_iter().any(|code| code == tags_code);
        }
        self.may_match(wanted)
    }
}

/// Two of the 31 bits; a Java hash of short tags differs mostly in its low bits, so it is mixed first.
fn pattern(tags_code: i64) -> u32 {
    let mixed = (tags_code as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    1 << (mixed % 31) | 1 << (mixed / 31 % 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn unknown_matches_everything_and_no_tags_nothing() {
        assert!(TagBloom::UNKNOWN.may_match([1]) && TagBloom::from_bits(0x7FFF_FFFF).may_match([]));
        assert!(!TagBloom::NO_TAGS.may_match([0, 1, 2598919]));
    }

    #[test]
    fn a_unit_without_a_bloom_is_judged_by_its_code() {
        assert!(TagBloom::UNKNOWN.unit_may_match(7, [5, 7]) && !TagBloom::UNKNOWN.unit_may_match(7, [5]));
        assert!(TagBloom::UNKNOWN.unit_may_match(0, [5]));
        assert!(!TagBloom::NO_TAGS.unit_may_match(0, [5]));
    }

    #[test]
    fn the_text_is_eight_hex_digits() {
        assert_eq!(&TagBloom::from_bits(0x8000_00AF).to_text(), b"800000AF");
        assert_eq!(TagBloom::parse(b"not hex"), TagBloom::UNKNOWN);
    }

    #[test]
    fn different_tags_mostly_differ() {
        let mut bloom = TagBloom::NO_TAGS;
        bloom.insert(2_598_919);
        let false_positives = (0..1000i64).filter(|code| bloom.may_match([*code])).count();
        assert!(false_positives < 20, "{false_positives}");
    }

    proptest! {
        #[test]
        fn what_went_in_is_found(codes in proptest::collection::vec(i64::from(i32::MIN)..=i64::from(i32::MAX), 1..20)) {
            let mut bloom = TagBloom::default();
            codes.iter().for_each(|code| bloom.insert(*code));
            let read = TagBloom::parse(&bloom.to_text());
            prop_assert_eq!(read, bloom);
            for code in codes {
                prop_assert!(read.may_match([code]));
            }
        }
    }
}
