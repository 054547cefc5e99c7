//! Every frame of the recorded sessions: decoded, compared with the recorder's view, written again.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

#[expect(dead_code, reason = "each test uses its part")]
mod remoting_recorded;

use std::collections::HashMap;

use bytes::{BufMut, BytesMut};
use gantry_protocols::remoting::frame::MAX_FRAME_SIZE;
use gantry_protocols::remoting::{Codec, Frame, Head, HeaderView};
use remoting_recorded::{Recorded, frames};
use serde_json::{Value, json};

fn split(bytes: &[u8]) -> Frame {
    let mut received = BytesMut::from(bytes);
    let frame = Frame::split(&mut received, MAX_FRAME_SIZE).unwrap().unwrap();
    assert!(received.is_empty());
    frame
}

fn ext(view: &HeaderView<'_>) -> HashMap<String, String> {
    view.ext.iter().map(|(key, value)| (key.text().into_owned(), value.text().into_owned())).collect()
}

fn assert_equal(recorded: &Recorded, view: &HeaderView<'_>) {
    let (header, place) = (&recorded.header, &recorded.place);
    let number = |key: &str| header[key].as_i64().unwrap();
    assert_eq!(i64::from(view.code), number("code"), "{place}");
    assert_eq!(i64::from(view.version), number("version"), "{place}");
    assert_eq!(i64::from(view.opaque), number("opaque"), "{place}");
    assert_eq!(i64::from(view.flag.0), number("flag"), "{place}");
    assert_eq!(view.language.name(), header["language"].as_str().unwrap(), "{place}");
    let remark = view.remark.map(|remark| remark.text().into_owned());
    assert_eq!(remark.as_deref(), header.get("remark").and_then(Value::as_str), "{place}");
    assert_eq!(ext(view), recorded.ext(), "{place}");
}

fn encode(codec: Codec, view: &HeaderView<'_>, body: &[u8]) -> Vec<u8> {
    let remark = view.remark.map(|remark| remark.text().into_owned());
    let head = Head {
        code: view.code,
        language: view.language,
        version: view.version,
        opaque: view.opaque,
        flag: view.flag,
        remark: remark.as_deref(),
    };
    let mut out = BytesMut::new();
    head.write(codec, body.len(), &mut out, |ext| {
        for (key, value) in view.ext.iter() {
            ext.text(&key.text(), &value.text());
        }
    })
    .unwrap();
    out.put_slice(body);
    out.to_vec()
}

#[test]
fn decodes_every_recorded_frame_as_the_recorder_did() {
    let frames = frames();
    for recorded in &frames {
        let frame = split(&recorded.frame);
        assert_eq!(frame.codec, recorded.codec, "{}", recorded.place);
        assert_eq!(frame.body.len(), recorded.body_len, "{}", recorded.place);
        if let Some(text) = &recorded.body_text {
            assert_eq!(text.as_bytes(), &frame.body[..], "{}", recorded.place);
        }
        assert_equal(recorded, &HeaderView::of(&frame).unwrap());
    }
    assert!(frames.len() > 4000, "only {} frames", frames.len());
}

#[test]
fn writes_every_recorded_frame_back_byte_for_byte() {
    // Java writes empty ext fields when an answer has a header class; they are left out here.
    let empty =
        |recorded: &Recorded| recorded.codec == Codec::Json && recorded.header["extFields"] == json!({});
    for recorded in frames().iter().filter(|recorded| !empty(recorded)) {
        let frame = split(&recorded.frame);
        let again = encode(frame.codec, &HeaderView::of(&frame).unwrap(), &frame.body);
        assert_eq!(
            String::from_utf8_lossy(&again),
            String::from_utf8_lossy(&recorded.frame),
            "{}",
            recorded.place
        );
    }
}

#[test]
fn says_the_same_in_the_other_codec() {
    for recorded in frames() {
        let frame = split(&recorded.frame);
        let view = HeaderView::of(&frame).unwrap();
        if i16::try_from(view.code).is_err() {
            continue;
        }
        let other = if frame.codec == Codec::Json { Codec::Rocketmq } else { Codec::Json };
        let again = split(&encode(other, &view, b""));
        let again = HeaderView::of(&again).unwrap();
        let absent_in_binary = |fields: HashMap<String, String>| {
            fields.into_iter().filter(|(_, value)| !value.is_empty()).collect::<HashMap<_, _>>()
        };
        assert_eq!((again.code, again.opaque, again.flag), (view.code, view.opaque, view.flag));
        assert_eq!(absent_in_binary(ext(&again)), absent_in_binary(ext(&view)), "{}", recorded.place);
    }
}

#[test]
fn refuses_every_truncation_of_a_header() {
    let frames = frames();
    for codec in [Codec::Json, Codec::Rocketmq] {
        let of_codec: Vec<_> = frames.iter().filter(|recorded| recorded.codec == codec).collect();
        for recorded in of_codec.iter().step_by(of_codec.len() / 20) {
            let frame = split(&recorded.frame);
            for len in 0..frame.header.len() {
                assert!(HeaderView::decode(codec, &frame.header[..len]).is_err(), "{} {len}", recorded.place);
            }
            for len in 0..recorded.frame.len() {
                let mut part = BytesMut::from(&recorded.frame[..len]);
                assert_eq!(Frame::split(&mut part, MAX_FRAME_SIZE), Ok(None), "{} {len}", recorded.place);
            }
        }
    }
}
