//! A tag subscription: `*`, or tags joined by `||`.
//!
//! Two questions are answered: may a queue unit match (by the hash the unit carries; a hash collision is a
//! false positive), and does a message match (by its tag's text). Not here: how a tag is hashed, which is the
//! store's format and comes in as a function.
//! Source: RocketMQ 5.3.3 `remoting/protocol/filter/FilterAPI.java`, `broker/filter/ExpressionMessageFilter.java`.

/// A parsed tag subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagFilter {
    /// `None` wants every message.
    wanted: Option<Vec<Wanted>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Wanted {
    tag: Box<str>,
    code: i64,
}

/// Why a subscription string is no tag expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TagFilterError {
    /// Only separators and blanks, such as `||`: it would match nothing for ever.
    #[error("the subscription names no tag; write `*` for all messages or tags joined by `||`")]
    NoTag,
    /// More tags than a subscription may name.
    #[error("the subscription names {count} tags; at most {max} are allowed")]
    TooMany {
        /// Tags named.
        count: usize,
        /// Tags allowed.
        max: usize,
    },
}

/// Bounds the comparison per message; clients name a handful.
pub const TAGS_MAX: usize = 1024;

impl TagFilter {
    /// The filter that lets every message pass.
    pub const ALL: TagFilter = TagFilter { wanted: None };

    /// Parses a subscription string; empty and `*` want everything. `hash` is the tags code of a tag: Java
    /// `String.hashCode`, sign-extended.
    ///
    /// # Errors
    /// [`TagFilterError`] when no tag or too many stand in the text.
    pub fn parse(expression: &str, hash: fn(&str) -> i64) -> Result<TagFilter, TagFilterError> {
        let text = expression.trim();
        if text.is_empty() || text == "*" {
            return Ok(TagFilter::ALL);
        }
        let tags = || text.split("||").map(str::trim).filter(|tag| !tag.is_empty());
        match tags().count() {
            0 => return Err(TagFilterError::NoTag),
            count if count > TAGS_MAX => return Err(TagFilterError::TooMany { count, max: TAGS_MAX }),
            _ => {}
        }
        let mut wanted: Vec<Wanted> = tags().map(|tag| Wanted { tag: tag.into(), code: hash(tag) }).collect();
        wanted.sort_by(|a, b| (a.code, &a.tag).cmp(&(b.code, &b.tag)));
        wanted.dedup();
        Ok(TagFilter { wanted: Some(wanted) })
    }

    /// True when every message matches, tagged or not.
    #[must_use]
    pub fn wants_all(&self) -> bool {
        self.wanted.is_none()
    }

    /// May a message whose queue unit carries `tags_code` match? False positives are possible, false
    /// negatives are not.
    #[must_use]
    pub fn matches_code(&self, tags_code: i64) -> bool {
        let Some(wanted) = &self.wanted else { return true };
        wanted.binary_search_by_key(&tags_code, |w| w.code).is_ok()
    }

    /// Does a message with this tag match? A message without a tag matches only [`TagFilter::ALL`].
    #[must_use]
    pub fn matches_tag(&self, tag: Option<&str>) -> bool {
        match (&self.wanted, tag) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(wanted), Some(tag)) => wanted.iter().any(|w| *w.tag == *tag),
        }
    }

    /// The tags codes wanted, ascending; empty when everything is.
    pub fn codes(&self) -> impl Iterator<Item = i64> + '_ {
        self.wanted.iter().flatten().map(|w| w.code)
    }

    /// The tags wanted; empty when everything is.
    pub fn tags(&self) -> impl Iterator<Item = &str> + '_ {
        self.wanted.iter().flatten().map(|w| &*w.tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn java_hash(tag: &str) -> i64 {
        i64::from(tag.encode_utf16().fold(0i32, |h, c| h.wrapping_mul(31).wrapping_add(i32::from(c))))
    }

    fn parse(text: &str) -> TagFilter {
        TagFilter::parse(text, java_hash).unwrap()
    }

    #[test]
    fn star_and_empty_want_everything() {
        for text in ["", "*", " * ", "  "] {
            let all = parse(text);
            assert!(
                all.wants_all() && all.matches_code(7) && all.matches_tag(None) && all.matches_tag(Some("A"))
            );
        }
    }

    #[test]
    fn joined_tags_are_trimmed_and_deduplicated() {
        let filter = parse(" TagA ||TagB||  || TagA ");
        assert_eq!(filter.codes().count(), 2);
        assert!(filter.matches_tag(Some("TagA")) && filter.matches_tag(Some("TagB")));
        assert!(
            !filter.matches_tag(Some("TagC"))
                && !filter.matches_tag(None)
                && !filter.matches_tag(Some("Tag"))
        );
    }

    #[test]
    fn a_code_matches_only_its_tags() {
        let filter = parse("TagA||TagB");
        assert!(filter.matches_code(java_hash("TagA")));
        assert!(!filter.matches_code(java_hash("TagC")) && !filter.matches_code(0));
    }

    #[test]
    fn colliding_hashes_pass_the_unit_and_fail_the_text() {
        assert_eq!(java_hash("Aa"), java_hash("BB"));
        let filter = parse("Aa");
        assert!(filter.matches_code(java_hash("BB")) && !filter.matches_tag(Some("BB")));
    }

    #[test]
    fn refuses_a_subscription_without_a_tag() {
        assert_eq!(TagFilter::parse("||", java_hash), Err(TagFilterError::NoTag));
        assert_eq!(TagFilter::parse(" || || ", java_hash), Err(TagFilterError::NoTag));
    }

    #[test]
    fn refuses_more_tags_than_the_bound() {
        let many = (0..=TAGS_MAX).map(|i| i.to_string()).collect::<Vec<_>>().join("||");
        assert!(matches!(TagFilter::parse(&many, java_hash), Err(TagFilterError::TooMany { .. })));
    }
}
