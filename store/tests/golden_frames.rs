//! Frames that the original wrote: every field as Java decodes it, the same bytes when written again, and no
//! panic on anything that is not a frame.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed step fails the test")]

#[path = "golden/frames.rs"]
mod frames;
mod golden;

use frames::{described, wanted};
use gantry_store::format::frame::{FrameHead, encode};
use gantry_store::format::property_crc::{PropertyCrc, check};
use gantry_store::format::{FrameView, inner};
use proptest::prelude::*;
use serde_json::{Value, json};

/// The frame written again from its parsed fields.
fn re_encode(frame: &FrameView<'_>) -> Vec<u8> {
    let fields = frame.fields().unwrap();
    let mut out = Vec::new();
    encode(&fields, frame.body(), frame.properties(), frame.placement(), &mut out).unwrap();
    out
}

fn killed(name: &str) -> golden::GoldenStore {
    let base = format!("store-killed/{name}");
    golden::GoldenStore::load(&format!("{base}.tar.gz"), &format!("{base}.expected.json.gz"))
}

fn single_frames() -> Vec<(Value, Vec<u8>)> {
    let expected = golden::json("store-frames/expected.json.gz");
    let frames = expected["frames"].as_array().unwrap();
    let read = |frame: &Value| {
        std::fs::read(golden::root().join("store-frames").join(frame["file"].as_str().unwrap())).unwrap()
    };
    frames.iter().map(|frame| (frame.clone(), read(frame))).collect()
}

#[test]
fn single_frames_decode_as_java_decodes_them() {
    let frames = single_frames();
    assert_eq!(frames.len(), 18);
    for (expected, bytes) in &frames {
        let frame = FrameView::parse(bytes).unwrap();
        frame.check_body_crc().unwrap();
        assert_eq!(described(&frame), wanted(expected));
        assert_eq!(re_encode(&frame), *bytes);
        assert_eq!(&bytes[frame.body_at()..][..frame.body().len()], frame.body());
    }
}

#[test]
fn frames_with_checksum_property_are_intact_and_show_damage() {
    for (expected, bytes) in single_frames() {
        let with_crc = expected["file"].as_str().unwrap().contains("prop-crc");
        let frame = FrameView::parse(&bytes).unwrap();
        assert_eq!(check(&frame), if with_crc { PropertyCrc::Intact } else { PropertyCrc::Absent });
        if with_crc {
            let property = gantry_store::format::property_crc::encode(&bytes[..bytes.len() - 20]);
            assert_eq!(property, bytes[bytes.len() - 20..]);
            let mut damaged = bytes.clone();
            damaged[12] ^= 1;
            assert_eq!(check(&FrameView::parse(&damaged).unwrap()), PropertyCrc::Damaged);
        }
    }
}

#[test]
fn every_truncation_of_a_frame_is_refused() {
    for (_, bytes) in single_frames().iter().filter(|(_, bytes)| bytes.len() < 1000) {
        for len in 0..bytes.len() {
            assert!(FrameView::parse(&bytes[..len]).is_err(), "{len} of {}", bytes.len());
        }
    }
}

#[test]
fn bytes_behind_a_frame_are_not_part_of_it() {
    let (_, mut bytes) = single_frames().swap_remove(0);
    let len = bytes.len();
    bytes.extend_from_slice(b"next frame");
    assert_eq!(FrameView::parse(&bytes).unwrap().bytes().len(), len);
}

#[test]
fn every_frame_of_every_store_decodes_and_encodes() {
    let clean = golden::CLEAN.iter().map(|dir| (*dir, golden::GoldenStore::clean(dir)));
    let killed = KILLED.iter().map(|name| (*name, killed(name)));
    for (name, store) in clean.chain(killed) {
        let walk = store.walk();
        let log = &store.expected["commitLog"];
        let fillers: Vec<Value> =
            walk.fillers.iter().map(|(at, size)| json!({"physicalOffset": at.0, "length": size})).collect();
        assert_eq!(walk.end.0, log["maxOffset"].as_i64().unwrap(), "{name}");
        assert_eq!(Value::from(fillers), log["endOfFileFillers"], "{name}");
        let expected = log["frames"].as_array().unwrap();
        assert_eq!(walk.frames.len(), expected.len(), "{name}");
        for (frame, expected) in walk.frames.iter().zip(expected) {
            assert_eq!(described(frame), wanted(expected), "{name}");
            assert!(re_encode(frame) == frame.bytes(), "{name} at {}", frame.commit_offset());
            let batch_size = expected["batchSize"].as_i64().unwrap_or(1);
            assert_eq!(inner::inner_num(frame).unwrap().messages(), batch_size, "{name}");
        }
    }
}

const KILLED: &[&str] = &[
    "killed",
    "killed-mid-crc",
    "killed-no-checkpoint",
    "killed-no-index-cq",
    "killed-torn-body",
    "killed-torn-crc",
    "killed-torn-props",
    "killed-torn-size",
    "killed-torn-topic",
];

proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = FrameHead::peek(&bytes);
        if let Ok(frame) = FrameView::parse(&bytes) {
            let _ = (frame.check_body_crc(), check(&frame), inner::inner_num(&frame));
        }
        let _ = gantry_store::format::properties::extract(&bytes, b"T").index_keys().count();
        let _ = gantry_store::format::properties::is_well_formed(&bytes);
    }

    #[test]
    fn no_damage_of_a_frame_makes_a_reader_panic(
        which in 0usize..18,
        flips in proptest::collection::vec((0usize..200, any::<u8>()), 1..6),
    ) {
        let (_, mut bytes) = single_frames().swap_remove(which);
        for (at, value) in flips {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
        }
        if let Ok(frame) = FrameView::parse(&bytes) {
            let _ = (frame.topic(), frame.check_body_crc(), check(&frame), inner::inner_num(&frame));
        }
    }
}
