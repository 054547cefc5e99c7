//! The named arguments of a header, `extFields`, left where they were received.
//!
//! Decoding a header notes where each name and value lies; nothing is copied and no map is built. A value is
//! turned into text or a number when somebody asks. Lookup by name is a walk, because a header has few fields;
//! headers with types read all of them in one walk (see [`super::headers`]).

use std::borrow::Cow;

use bytes::BufMut;

use super::text;

/// Most fields a header may carry; the largest header of the protocol has 24 with its signature.
pub const MAX_EXT_FIELDS: usize = 1024;

/// Fields kept without an allocation: the largest request of the protocol and its signature.
const INLINE: usize = 24;

/// Text inside a header, as received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ExtValue<'a> {
    raw: &'a [u8],
    escaped: bool,
}

impl<'a> ExtValue<'a> {
    pub(super) fn new(raw: &'a [u8], escaped: bool) -> Self {
        Self { raw, escaped }
    }

    /// A value that holds exactly `text`.
    pub fn plain(text: &'a str) -> Self {
        Self { raw: text.as_bytes(), escaped: false }
    }

    /// Whether there is no character.
    pub fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    /// Upper bound of the length of the text in bytes (escapes only make text longer than what they stand for).
    pub fn max_len(&self) -> usize {
        self.raw.len()
    }

    /// The bytes between the quotes when they hold no escape; `None` when text has to be made first.
    pub fn as_plain_bytes(&self) -> Option<&'a [u8]> {
        (!self.escaped).then_some(self.raw)
    }

    /// The text; borrowed unless a JSON escape occurs in it. Bytes that are no UTF-8 become U+FFFD, as in Java.
    pub fn text(&self) -> Cow<'a, str> {
        if !self.escaped {
            return String::from_utf8_lossy(self.raw);
        }
        let mut bytes = Vec::with_capacity(self.raw.len());
        text::unescape(self.raw, &mut bytes);
        let text = String::from_utf8(bytes);
        Cow::Owned(text.unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()))
    }

    /// Appends the text's bytes without making a string, for a caller with a buffer of its own. Bytes that are
    /// no UTF-8 stay as they are. Needs at most [`ExtValue::max_len`] bytes of room.
    pub fn append_to(&self, out: &mut impl BufMut) {
        if self.escaped {
            text::unescape(self.raw, out);
        } else {
            out.put_slice(self.raw);
        }
    }

    fn is(&self, name: &str) -> bool {
        if self.escaped { self.text() == name } else { self.raw == name.as_bytes() }
    }
}

/// Where a name or value lies in the header.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Span {
    pub(super) at: u32,
    pub(super) len: u32,
    pub(super) escaped: bool,
}

impl Span {
    fn of<'a>(self, header: &'a [u8]) -> ExtValue<'a> {
        let start = self.at as usize;
        let raw = header.get(start..start.saturating_add(self.len as usize)).unwrap_or_default();
        ExtValue::new(raw, self.escaped)
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    key: Span,
    value: Span,
}

/// More fields than [`MAX_EXT_FIELDS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooManyFields;

/// The fields of one header, in the order received. A name that occurs twice means its last value.
#[derive(Debug, Clone)]
pub struct ExtFields<'a> {
    header: &'a [u8],
    count: usize,
    inline: [Slot; INLINE],
    spilled: Vec<Slot>,
}

impl<'a> ExtFields<'a> {
    pub(super) fn new(header: &'a [u8]) -> Self {
        Self { header, count: 0, inline: [Slot::default(); INLINE], spilled: Vec::new() }
    }

    pub(super) fn push(&mut self, key: Span, value: Span) -> Result<(), TooManyFields> {
        match self.inline.get_mut(self.count) {
            Some(slot) => *slot = Slot { key, value },
            None if self.count < MAX_EXT_FIELDS => self.spilled.push(Slot { key, value }),
            None => return Err(TooManyFields),
        }
        self.count += 1;
        Ok(())
    }

    pub(super) fn clear(&mut self) {
        self.count = 0;
        self.spilled.clear();
    }

    /// Number of fields, repeated names counted each time.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Names and values in the order received.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (ExtValue<'a>, ExtValue<'a>)> + '_ {
        let inline = self.inline.iter().take(self.count);
        inline.chain(&self.spilled).map(|slot| (slot.key.of(self.header), slot.value.of(self.header)))
    }

    /// The last value of `name`.
    pub fn find(&self, name: &str) -> Option<ExtValue<'a>> {
        self.iter().rev().find(|(key, _)| key.is(name)).map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(at: u32, len: u32) -> Span {
        Span { at, len, escaped: false }
    }

    #[test]
    fn the_last_value_of_a_repeated_name_counts() {
        let mut fields = ExtFields::new(b"kab");
        fields.push(span(0, 1), span(1, 1)).unwrap();
        fields.push(span(0, 1), span(2, 1)).unwrap();
        assert_eq!(fields.find("k"), Some(ExtValue::plain("b")));
        assert_eq!(fields.find("a"), None);
    }

    #[test]
    fn keeps_more_fields_than_the_inline_ones_and_bounds_them() {
        let header = vec![b'x'; MAX_EXT_FIELDS];
        let mut fields = ExtFields::new(&header);
        for at in 0..MAX_EXT_FIELDS as u32 {
            fields.push(span(at, 1), span(at, 1)).unwrap();
        }
        assert_eq!(fields.push(span(0, 1), span(0, 1)), Err(TooManyFields));
        assert_eq!((fields.len(), fields.iter().count()), (MAX_EXT_FIELDS, MAX_EXT_FIELDS));
    }

    #[test]
    fn text_that_is_no_utf8_is_repaired_and_its_bytes_are_kept() {
        let value = ExtValue::new(b"a\xff\\n", true);
        assert_eq!(value.text(), "a\u{fffd}\n");
        let mut out = Vec::new();
        value.append_to(&mut out);
        assert_eq!(out, b"a\xff\n");
    }
}
