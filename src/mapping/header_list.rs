//! The headers of one record while it is made: names and values in one buffer that is used again.
//!
//! Not the encoded header block of a batch, which is the record walker's and the builder's.

use std::collections::HashMap;
use std::io::Write;
use std::ops::Range;

/// Up to here names are compared one by one; above, they are hashed.
const FEW: usize = 16;

/// Names and values, in order; duplicates are possible.
#[derive(Debug, Default)]
pub struct HeaderList {
    bytes: Vec<u8>,
    spans: Vec<Span>,
    /// Place of each name in `spans`; kept only once there are many.
    places: HashMap<Box<[u8]>, usize>,
}

#[derive(Clone, Debug)]
struct Span {
    name: Range<usize>,
    value: Option<Range<usize>>,
}

impl HeaderList {
    /// Forgets all headers and keeps the buffers.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.spans.clear();
        self.places.clear();
    }

    /// Number of headers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Bytes of all names and values.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// Appends a header named `prefix` and `name`, whatever is there already.
    pub fn push(&mut self, prefix: &str, name: &[u8], value: Option<&[u8]>) {
        let name = self.copy(&[prefix.as_bytes(), name]);
        let value = value.map(|value| self.copy(&[value]));
        let place = self.spans.len();
        if place > FEW {
            let name = self.bytes.get(name.clone()).unwrap_or_default();
            self.places.entry(name.into()).or_insert(place);
        } else if place == FEW {
            self.hash_all();
            let name = self.bytes.get(name.clone()).unwrap_or_default();
            self.places.entry(name.into()).or_insert(place);
        }
        self.spans.push(Span { name, value });
    }

    /// Appends a header, or gives the one of that name this value in its place: of several properties of one
    /// name the last one counts.
    pub fn replace(&mut self, prefix: &str, name: &[u8], value: &[u8]) {
        match self.place_of(prefix.as_bytes(), name) {
            None => self.push(prefix, name, Some(value)),
            Some(place) => {
                let value = self.copy(&[value]);
                if let Some(span) = self.spans.get_mut(place) {
                    span.value = Some(value);
                }
            }
        }
    }

    /// Appends a header unless there is one of that name.
    pub fn put_new(&mut self, name: &str, value: &[u8]) {
        if self.place_of(&[], name.as_bytes()).is_none() {
            self.push("", name.as_bytes(), Some(value));
        }
    }

    /// As [`HeaderList::put_new`], with decimal digits.
    pub fn put_number(&mut self, name: &str, value: i64) {
        let mut digits = [0u8; 20];
        let mut rest = digits.as_mut_slice();
        let written = write!(rest, "{value}").map_or(0, |()| 20 - rest.len());
        self.put_new(name, digits.get(..written).unwrap_or_default());
    }

    /// Name and value of each header, in order.
    #[must_use]
    pub fn iter(&self) -> Iter<'_> {
        Iter { bytes: &self.bytes, spans: self.spans.iter() }
    }

    fn copy(&mut self, parts: &[&[u8]]) -> Range<usize> {
        let start = self.bytes.len();
        parts.iter().for_each(|part| self.bytes.extend_from_slice(part));
        start..self.bytes.len()
    }

    fn hash_all(&mut self) {
        for (place, span) in self.spans.iter().enumerate() {
            let name = self.bytes.get(span.name.clone()).unwrap_or_default();
            self.places.entry(name.into()).or_insert(place);
        }
    }

    fn place_of(&self, prefix: &[u8], name: &[u8]) -> Option<usize> {
        if self.spans.len() > FEW {
            return self.places.get([prefix, name].concat().as_slice()).copied();
        }
        let is_it = |span: &Span| {
            let there = self.bytes.get(span.name.clone()).unwrap_or_default();
            there.strip_prefix(prefix) == Some(name)
        };
        self.spans.iter().position(is_it)
    }
}

impl<'a> IntoIterator for &'a HeaderList {
    type Item = (&'a [u8], Option<&'a [u8]>);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// Walks the headers in order.
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    bytes: &'a [u8],
    spans: std::slice::Iter<'a, Span>,
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a [u8], Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        let span = self.spans.next()?;
        let part = |range: &Range<usize>| self.bytes.get(range.clone()).unwrap_or_default();
        Some((part(&span.name), span.value.as_ref().map(part)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &HeaderList) -> Vec<(String, Option<String>)> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        list.iter().map(|(name, value)| (text(name), value.map(text))).collect()
    }

    #[test]
    fn replaces_in_place_and_keeps_order_for_few_and_many() {
        for count in [3, 15, 16, 17, 40] {
            let mut list = HeaderList::default();
            (0..count).for_each(|i| list.replace("p.", format!("h{i}").as_bytes(), b"old"));
            (0..count).for_each(|i| list.replace("p.", format!("h{i}").as_bytes(), b"new"));
            list.put_new("p.h0", b"ignored");
            list.put_new("last", b"1");
            let expected: Vec<_> = (0..count)
                .map(|i| (format!("p.h{i}"), Some("new".to_owned())))
                .chain([("last".to_owned(), Some("1".to_owned()))])
                .collect();
            assert_eq!(names(&list), expected, "{count}");
        }
    }

    #[test]
    fn pushes_duplicates_and_nulls() {
        let mut list = HeaderList::default();
        list.push("", b"h", None);
        list.push("", b"h", Some(b""));
        list.put_number("n", i64::MIN);
        let expected = [("h", None), ("h", Some("")), ("n", Some("-9223372036854775808"))];
        assert_eq!(names(&list), expected.map(|(n, v)| (n.to_owned(), v.map(str::to_owned))));
        list.clear();
        assert!(list.is_empty() && list.byte_len() == 0 && list.iter().next().is_none());
    }
}
