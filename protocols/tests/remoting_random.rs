//! Bytes that nobody meant: whatever arrives, decoding ends with a value or an error.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

#[expect(dead_code, reason = "each test uses its part")]
mod remoting_recorded;

use bytes::BytesMut;
use gantry_protocols::json;
use gantry_protocols::remoting::batch::BatchItems;
use gantry_protocols::remoting::bodies::{self, heartbeat, register, stats};
use gantry_protocols::remoting::foreign;
use gantry_protocols::remoting::headers::{CustomHeader, pull, send};
use gantry_protocols::remoting::{Codec, Frame, HeaderView};
use proptest::prelude::*;

/// Reads `bytes` as everything they could be.
fn read_all(bytes: &[u8]) {
    let mut received = BytesMut::from(bytes);
    while let Ok(Some(frame)) = Frame::split(&mut received, 1 << 20) {
        read_header(frame.codec, &frame.header);
        read_body(&frame.body);
    }
    read_header(Codec::Json, bytes);
    read_header(Codec::Rocketmq, bytes);
    read_body(bytes);
    let _ = foreign::recognise(bytes);
}

fn read_header(codec: Codec, bytes: &[u8]) {
    let Ok(view) = HeaderView::decode(codec, bytes) else { return };
    let _ = send::SendMessageRequest::decode(&view);
    let _ = pull::PullMessageRequest::decode(&view);
    let _ = view.ext.find("topic");
    for (key, value) in view.ext.iter() {
        let (key, text) = (key.text(), value.text());
        let mut raw = Vec::new();
        value.append_to(&mut raw);
        assert!(raw.len() <= value.max_len(), "{key}");
        assert_eq!(String::from_utf8_lossy(&raw), text);
    }
}

fn read_body(bytes: &[u8]) {
    let _ = BatchItems::new(bytes).count();
    let _ = bodies::decode::<heartbeat::HeartbeatData>(bytes);
    let _ = bodies::decode::<stats::ConsumeStats>(bytes);
    let _ = register::RegisterBrokerBody::decode(bytes, false);
    if let Ok(strict) = json::strict(bytes, 1 << 20) {
        assert!(strict.len() <= bytes.len() * 7);
        // What is strict already stays as it is.
        let again = json::strict(strict.as_bytes(), 1 << 23).unwrap();
        assert_eq!(again, strict);
    }
}

/// Characters that mean something in JSON, and some that do not.
fn json_like() -> impl Strategy<Value = String> {
    "[{}\\[\\]\":,\\\\0-9a-f u\u{1}\u{e9}]{0,80}|(\\{\"code\":1,\"extFields\":\\{)[{}\\[\\]\":,\\\\0-9a-fu]{0,60}"
}

/// JSON as fastjson could write it.
fn dialect() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<i32>().prop_map(|n| n.to_string()),
        "\"[a-z\u{1}\u{9}\u{e9}]{0,6}\"",
        Just("\"\\\\\\\"\"".to_owned()),
    ];
    leaf.prop_recursive(4, 40, 4, |inner| {
        let flat_key = prop_oneof![
            "\"[a-z]{0,4}\"",
            any::<i16>().prop_map(|n| n.to_string()),
            "\\{\"b\":\"[a-z\u{2}]{0,3}\",\"q\":[0-9]\\}",
        ];
        let member = (flat_key, inner.clone()).prop_map(|(key, value)| format!("{key}:{value}"));
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(|values| format!("[{}]", values.join(","))),
            prop::collection::vec(member, 0..4).prop_map(|members| format!("{{{}}}", members.join(", "))),
        ]
    })
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        read_all(&bytes);
    }

    #[test]
    fn text_that_resembles_json_never_panics(text in json_like()) {
        read_all(text.as_bytes());
    }

    #[test]
    fn a_parser_accepts_what_the_dialect_reader_returns(text in dialect()) {
        let strict = json::strict(text.as_bytes(), 1 << 20).unwrap();
        serde_json::from_str::<serde_json::Value>(&strict).unwrap();
        read_all(text.as_bytes());
    }

    #[test]
    fn a_header_survives_both_codecs(
        fields in prop::collection::vec(("[a-z\"\\\\]{1,5}", "[ -~\u{1}\u{2}\u{e9}\u{1f600}]{1,20}"), 0..40),
        remark in proptest::option::of("[ -~\n]{1,20}"),
        opaque in any::<i32>(),
        body in 0usize..1000,
    ) {
        use gantry_protocols::remoting::{Head, ResponseCode};
        for codec in [Codec::Json, Codec::Rocketmq] {
            let mut out = BytesMut::new();
            let head = Head::response(ResponseCode::SUCCESS, opaque, remark.as_deref());
            head.write(codec, body, &mut out, |ext| {
                for (key, value) in &fields {
                    ext.text(key, value);
                }
            }).unwrap();
            out.resize(out.len() + body, 0);
            let frame = Frame::split(&mut out, 1 << 20).unwrap().unwrap();
            prop_assert_eq!(frame.body.len(), body);
            let view = HeaderView::of(&frame).unwrap();
            prop_assert_eq!(view.opaque, opaque);
            prop_assert_eq!(view.remark.map(|r| r.text().into_owned()), remark.clone());
            let read: Vec<_> = view.ext.iter().map(|(k, v)| (k.text().into_owned(), v.text().into_owned())).collect();
            prop_assert_eq!(&read, &fields);
        }
    }
}

#[test]
fn damaged_recorded_frames_never_panic() {
    for (index, recorded) in remoting_recorded::frames().iter().step_by(97).enumerate() {
        for at in (index % 7..recorded.frame.len()).step_by(7) {
            for flip in [0x01, 0x20, 0x80, 0xff] {
                let mut damaged = recorded.frame.clone();
                *damaged.get_mut(at).unwrap() ^= flip;
                read_all(&damaged);
            }
        }
    }
}
