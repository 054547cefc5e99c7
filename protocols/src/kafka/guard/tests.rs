//! The shapes against the crate: bodies drawn from a shape must be read by the crate to the last byte.

use bytes::{BufMut, Bytes};
use proptest::prelude::*;

use super::shapes::{Field, Kind, SHAPES, Shape, shape};
use super::*;
use crate::kafka::varint::put_uvarint;
use kafka_requests::{Again, decode_again};

#[path = "../../../tests/kafka_requests/mod.rs"]
mod kafka_requests;

/// Writes random bodies of one shape; choices come from `dice`, then zeros.
struct Writer<'a> {
    dice: std::slice::Iter<'a, u8>,
    version: i16,
    flexible: bool,
    known_tags: bool,
    out: Vec<u8>,
}

impl Writer<'_> {
    fn body(shape: &Shape, version: i16, dice: &[u8], known_tags: bool) -> Bytes {
        let flexible = shape.is_flexible(version);
        let mut writer = Writer { dice: dice.iter(), version, flexible, known_tags, out: Vec::new() };
        writer.structure(shape.body);
        writer.out.into()
    }

    fn die(&mut self) -> u8 {
        self.dice.next().copied().unwrap_or(0)
    }

    fn structure(&mut self, fields: &[Field]) {
        let fields: Vec<&Field> = fields.iter().filter(|field| field.exists_in(self.version)).collect();
        fields.iter().for_each(|field| self.value(field));
        if self.flexible {
            self.tags(&fields);
        }
    }

    fn value(&mut self, field: &Field) {
        let null = field.may_be_null_in(self.version) && self.die().is_multiple_of(4);
        match field.kind {
            Kind::Fixed(1) => {
                let bit = self.die() & 1;
                self.out.push(bit);
            }
            Kind::Fixed(width) => (0..width).for_each(|_| {
                let byte = self.die() & 0x7f;
                self.out.push(byte);
            }),
            Kind::Text => {
                let text = ["", "a", "größe", "topic"][usize::from(self.die() % 4)]
                    .repeat(1 + usize::from(self.die() / 16));
                self.length(text.len(), null, 2);
                self.out.put_slice(if null { b"" } else { text.as_bytes() });
            }
            Kind::Blob => {
                let blob = vec![0xff; usize::from(self.die())];
                self.length(blob.len(), null, 4);
                self.out.put_slice(if null { b"" } else { &blob });
            }
            Kind::List(item) => self.array(null, |writer| writer.value(item)),
            Kind::Rows(fields) => self.array(null, |writer| writer.structure(fields)),
            Kind::Maybe(_) if self.die().is_multiple_of(2) => self.out.put_i8(-1),
            Kind::Maybe(fields) => {
                self.out.put_i8(1);
                self.structure(fields);
            }
            Kind::Inner(fields) => self.structure(fields),
            Kind::Tag(..) => (),
        }
    }

    fn array(&mut self, null: bool, mut item: impl FnMut(&mut Self)) {
        let count = usize::from(self.die() % 4);
        self.length(count, null, 4);
        (0..if null { 0 } else { count }).for_each(|_| item(self));
    }

    fn length(&mut self, length: usize, null: bool, width: usize) {
        match (self.flexible, width) {
            (true, _) => put_uvarint(&mut self.out, if null { 0 } else { length as u32 + 1 }),
            (false, 2) => self.out.put_i16(if null { -1 } else { length as i16 }),
            (false, _) => self.out.put_i32(if null { -1 } else { length as i32 }),
        }
    }

    fn tags(&mut self, fields: &[&Field]) {
        let mut tags = Vec::new();
        if self.known_tags {
            for field in fields {
                if let Kind::Tag(number, inner) = field.kind {
                    let before = std::mem::take(&mut self.out);
                    self.value(inner);
                    tags.push((number, std::mem::replace(&mut self.out, before)));
                }
            }
        }
        if self.die().is_multiple_of(3) {
            tags.push((1000 + u32::from(self.die()), vec![9; usize::from(self.die() % 200)]));
        }
        put_uvarint(&mut self.out, tags.len() as u32);
        for (number, value) in tags {
            put_uvarint(&mut self.out, number);
            put_uvarint(&mut self.out, value.len() as u32);
            self.out.put_slice(&value);
        }
    }
}

fn every_version() -> impl Iterator<Item = (&'static Shape, i16)> {
    SHAPES.iter().flat_map(|shape| (shape.min..=shape.max).map(move |version| (shape, version)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_a_shape_allows_the_crate_reads_and_writes_back(dice in proptest::collection::vec(any::<u8>(), 0..600)) {
        for (shape, version) in every_version() {
            let body = Writer::body(shape, version, &dice, false);
            prop_assert_eq!(check_body(shape.key, version, &body), Ok(()), "{} {}", shape.name, version);
            let again = decode_again(shape.key, version, body.clone());
            prop_assert_eq!(again, Some(Again { left: 0, body }), "{} {}", shape.name, version);
        }
    }

    #[test]
    fn known_tags_are_measured_as_the_crate_reads_them(dice in proptest::collection::vec(any::<u8>(), 0..600)) {
        for version in 12..=17 {
            let fetch = shape(1).unwrap();
            let body = Writer::body(fetch, version, &dice, true);
            prop_assert_eq!(check_body(1, version, &body), Ok(()));
            prop_assert_eq!(decode_again(1, version, body).map(|again| again.left), Some(0));
        }
    }

    #[test]
    fn no_truncation_and_no_longer_body_passes(dice in proptest::collection::vec(any::<u8>(), 0..300)) {
        for (shape, version) in every_version() {
            let body = Writer::body(shape, version, &dice, true);
            let cut = dice.first().map_or(0, |die| usize::from(*die) % (body.len() + 1));
            if cut < body.len() {
                prop_assert!(check_body(shape.key, version, &body[..cut]).is_err(), "{} {}", shape.name, version);
            }
            let longer = [&body[..], &[0]].concat();
            prop_assert_eq!(check_body(shape.key, version, &longer), Err(GuardError::Trailing(1)));
        }
    }

    #[test]
    fn random_and_damaged_bodies_never_harm_the_crate(
        bytes: Vec<u8>,
        dice in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        for (shape, version) in every_version() {
            let mut damaged = Writer::body(shape, version, &dice, true).to_vec();
            for (at, byte) in bytes.iter().enumerate() {
                if let Some(target) = damaged.get_mut(at * 7) {
                    *target ^= byte;
                }
            }
            for body in [bytes.clone(), damaged] {
                if check_body(shape.key, version, &body).is_ok() {
                    let again = decode_again(shape.key, version, body.into());
                    prop_assert!(again.is_none_or(|again| again.left == 0), "{} {}", shape.name, version);
                }
            }
        }
    }
}

#[test]
fn shapes_are_sorted_and_their_flexible_versions_are_the_crates() {
    assert!(SHAPES.is_sorted_by_key(|shape| shape.key));
    for (shape, version) in every_version() {
        let api = kafka_protocol::messages::ApiKey::try_from(shape.key).unwrap();
        assert_eq!(format!("{api:?}"), shape.name);
        assert!(
            api.valid_versions().min <= shape.min && shape.max <= api.valid_versions().max,
            "{}",
            shape.name
        );
        assert_eq!(shape.is_flexible(version), api.request_header_version(version) == 2, "{}", shape.name);
    }
}

#[test]
fn length_bombs_are_refused() {
    let beyond = |body: &[u8], key, version| {
        let refused = check_body(key, version, body);
        assert!(matches!(refused, Err(GuardError::LengthBeyondFrame { .. })), "{key} {version} {refused:?}");
    };
    beyond(&[0x7f, 0xff, 0xff, 0xff], 3, 1);
    beyond(&[0xff, 0xff, 0xff, 0xff, 0x0f], 3, 9);
    beyond(&[0xff, 0xff, 0, 1, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff], 0, 7);
    beyond(&[0, 0, 1, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f], 0, 9);
    // 16 million topics of a Fetch, all of them claimed and none there.
    beyond(&[[0; 17].as_slice(), &[0, 0xf4, 0x24, 0]].concat(), 1, 4);
    beyond(&[0x81, 0x80, 0x80, 0x08], 9, 8);
    // Tagged fields: their number and their size.
    beyond(&[1, 1, 0xff, 0xff, 0xff, 0xff, 0x0f], 18, 3);
    assert!(matches!(
        check_body(18, 3, &[1, 1, 1, 5, 0xff, 0x7f]),
        Err(GuardError::LengthBeyondFrame { .. })
    ));
}

#[test]
fn lengths_below_null_are_refused() {
    assert_eq!(check_body(3, 1, &(-2_i32).to_be_bytes()), Err(GuardError::NegativeLength(-2)));
    assert_eq!(check_body(3, 0, &(-1_i32).to_be_bytes()), Err(GuardError::NegativeLength(-1)));
    assert_eq!(check_body(3, 1, &(-1_i32).to_be_bytes()), Ok(()));
    assert_eq!(check_body(17, 1, &(-1_i16).to_be_bytes()), Err(GuardError::NegativeLength(-1)));
    assert_eq!(check_body(3, 9, &[0, 0, 0, 0, 0]), Ok(()));
    assert_eq!(check_body(32, 4, &[0, 0, 0, 0]), Err(GuardError::NegativeLength(-1)));
}

#[test]
fn the_element_budget_counts_nested_arrays_together() {
    let topic = |partitions: usize| {
        let mut out = vec![0, 1, b't'];
        out.put_i32(partitions as i32);
        out.resize(out.len() + 4 * partitions, 0);
        out
    };
    let body = |partitions: usize| {
        let mut out = vec![0, 1, b'g'];
        out.put_i32(2);
        out.extend(topic(partitions));
        out.extend(topic(partitions));
        out
    };
    let half = ELEMENT_BUDGET / 2;
    assert_eq!(check_body(9, 1, &body(half - 1)), Ok(()));
    assert_eq!(check_body(9, 1, &body(half)), Err(GuardError::TooManyElements));
}

#[test]
fn tags_ascend_and_fill_their_size() {
    // ApiVersions v3: two empty texts, then tags.
    assert_eq!(check_body(18, 3, &[1, 1, 2, 5, 0, 6, 0]), Ok(()));
    assert_eq!(check_body(18, 3, &[1, 1, 2, 6, 0, 5, 0]), Err(GuardError::Tag(5)));
    assert_eq!(check_body(18, 3, &[1, 1, 2, 5, 0, 5, 0]), Err(GuardError::Tag(5)));
    // Fetch v12: tag 0 is a text; its declared size must be the text's.
    let fetch = |tag: &[u8]| [&[0; 25][..], &[1, 1, 1], tag].concat();
    assert_eq!(check_body(1, 12, &fetch(&[1, 0, 2, 2, b'c'])), Ok(()));
    assert_eq!(check_body(1, 12, &fetch(&[1, 0, 3, 2, b'c', 0])), Err(GuardError::Tag(0)));
    assert_eq!(check_body(1, 12, &fetch(&[1, 0, 1, 2, b'c'])), Err(GuardError::Tag(0)));
}

#[test]
fn known_structures_and_ids_in_tags_fill_their_size() {
    let fetch = |topics: &[u8], tags: &[u8]| [&[0; 21][..], topics, &[1, 1], tags].concat();
    let replica = |size: u8| [&[1, 1, size][..], &[0; 13]].concat();
    assert_eq!(check_body(1, 15, &fetch(&[1], &replica(13))), Ok(()));
    assert_eq!(check_body(1, 15, &fetch(&[1], &replica(12))), Err(GuardError::Tag(1)));
    let directory = |size: u8| [&[2][..], &[0; 16], &[2], &[0; 32], &[1, 0, size], &[0; 16], &[0]].concat();
    assert_eq!(check_body(1, 17, &fetch(&directory(16), &[0])), Ok(()));
    assert_eq!(check_body(1, 17, &fetch(&directory(17), &[0])), Err(GuardError::Tag(0)));
    // In version 16 the tag means nothing to us; the decoder refuses it, without harm.
    assert_eq!(check_body(1, 16, &fetch(&directory(16), &[0])), Ok(()));
}

#[test]
fn unknown_keys_and_versions_are_named() {
    assert_eq!(check_body(4, 0, &[]), Err(GuardError::UnknownKey(4)));
    assert_eq!(check_body(-1, 0, &[]), Err(GuardError::UnknownKey(-1)));
    assert_eq!(check_body(0, 2, &[]), Err(GuardError::UnknownVersion { key: 0, version: 2 }));
    assert_eq!(check_body(18, 5, &[]), Err(GuardError::UnknownVersion { key: 18, version: 5 }));
    assert_eq!((frame_limit(0), frame_limit(1)), (PRODUCE_FRAME_LIMIT, CONTROL_FRAME_LIMIT));
    assert_eq!((api_name(44), measured_versions(22)), (Some("IncrementalAlterConfigs"), Some((0, 5))));
}
