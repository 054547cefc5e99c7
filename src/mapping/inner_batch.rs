//! The body of a stock inner batch (sysFlag 0xC0): the items of a client batch, one behind the other.
//!
//! | totalSize i32 | magic i32 | bodyCRC i32 | flag i32 | bodyLength i32, body | propertiesLength i16, properties |
//!
//! Every item is one message; item i of a frame has queue offset base + i. Not here: writing such a body, the
//! frame around it. Source: RocketMQ 5.3.3 `common/message/MessageDecoder.java` (`decodeMessage`).

/// One message of an inner batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item<'a> {
    /// The application's flag.
    pub flag: i32,
    /// The body.
    pub body: &'a [u8],
    /// The properties block.
    pub properties: &'a [u8],
}

/// Why the body of an inner batch cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the item at byte {at} of an inner batch is malformed")]
pub struct BadItem {
    /// Where the item begins in the body.
    pub at: usize,
}

/// The item at the start of `body` and what follows it; `None` when there is no whole item.
#[must_use]
pub fn split_item(body: &[u8]) -> Option<(Item<'_>, &[u8])> {
    let (total, _) = body.split_first_chunk::<4>()?;
    let total = usize::try_from(i32::from_be_bytes(*total)).ok()?;
    let (item, rest) = body.split_at_checked(total)?;
    let (_total_magic_crc, item) = item.split_first_chunk::<12>()?;
    let (flag, item) = item.split_first_chunk::<4>()?;
    let (body_len, item) = item.split_first_chunk::<4>()?;
    let body_len = usize::try_from(i32::from_be_bytes(*body_len)).ok()?;
    let (body, item) = item.split_at_checked(body_len)?;
    let (properties_len, item) = item.split_first_chunk::<2>()?;
    let properties_len = usize::try_from(i16::from_be_bytes(*properties_len)).ok()?;
    let (properties, surplus) = item.split_at_checked(properties_len)?;
    let flag = i32::from_be_bytes(*flag);
    surplus.is_empty().then_some((Item { flag, body, properties }, rest))
}

/// Walks the items of a body; ends after the first fault.
#[derive(Clone, Debug)]
pub struct Items<'a> {
    body: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Items<'a> {
    /// The items of `body`.
    #[must_use]
    pub fn new(body: &'a [u8]) -> Items<'a> {
        Items { body, rest: body }
    }

    /// Where the next item begins in the body.
    #[must_use]
    pub fn at(&self) -> usize {
        self.body.len() - self.rest.len()
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Result<Item<'a>, BadItem>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let at = self.at();
        let Some((item, rest)) = split_item(self.rest) else {
            self.rest = &[];
            return Some(Err(BadItem { at }));
        };
        self.rest = rest;
        Some(Ok(item))
    }
}

/// The bytes of an item, for tests.
#[cfg(test)]
pub(super) fn encode_item(flag: i32, body: &[u8], properties: &[u8]) -> Vec<u8> {
    let total = i32::try_from(4 * 5 + body.len() + 2 + properties.len()).unwrap();
    let mut out = Vec::new();
    for field in [total, 0, 0, flag, i32::try_from(body.len()).unwrap()] {
        out.extend(field.to_be_bytes());
    }
    out.extend(body);
    out.extend(i16::try_from(properties.len()).unwrap().to_be_bytes());
    out.extend(properties);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_items_one_behind_the_other() {
        let bytes = [encode_item(7, b"one", b"TAGS\x01A\x02"), encode_item(0, b"", b"")].concat();
        let items: Vec<_> = Items::new(&bytes).map(Result::unwrap).collect();
        assert_eq!(items[0], Item { flag: 7, body: b"one", properties: b"TAGS\x01A\x02" });
        assert_eq!((items.len(), items[1].body), (2, &b""[..]));
    }

    #[test]
    fn refuses_every_truncation() {
        let bytes = encode_item(7, b"one", b"TAGS\x01A\x02");
        for cut in 1..bytes.len() {
            assert_eq!(Items::new(&bytes[..cut]).last(), Some(Err(BadItem { at: 0 })), "cut at {cut}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_walked_without_panic(bytes: Vec<u8>) {
            prop_assert!(Items::new(&bytes).count() <= bytes.len());
        }
    }
}
