//! Bytes of a remoting connection: frames, headers in both codecs, and the protocol of a peer gone astray.
//!
//! Header and body are also read from the whole input, so that a fuzzer need not keep lengths right.

use bytes::{BufMut, BytesMut};
use gantry_protocols::remoting::frame::MAX_FRAME_SIZE;
use gantry_protocols::remoting::{Codec, Frame, Head, HeaderView, Language, foreign};

use super::remoting_body::body;
use super::remoting_headers::typed_headers;

/// Reads `input` as a remoting stream, as a header and as a body.
pub fn remoting_frame(input: &[u8]) {
    let _ = foreign::recognise(input);
    let mut received = BytesMut::from(input);
    while let Some(frame) = next_frame(&mut received) {
        header(frame.codec, &frame.header);
        body(&frame.body);
    }
    header(Codec::Json, input);
    header(Codec::Rocketmq, input);
    body(input);
}

/// The frame at the front; it has to consist of the bytes that were taken.
fn next_frame(received: &mut BytesMut) -> Option<Frame> {
    let before = received.clone().freeze();
    let size = Frame::size(received, MAX_FRAME_SIZE);
    let Ok(split) = Frame::split(received, MAX_FRAME_SIZE) else {
        assert!(size.is_err(), "size and split disagree");
        return None;
    };
    let Some(frame) = split else {
        assert_eq!(received.len(), before.len(), "an incomplete frame was touched");
        return None;
    };
    let again = joined(&frame);
    assert_eq!(size, Ok(Some(again.len())));
    assert_eq!(before.get(..again.len()), Some(&again[..]));
    assert_eq!(before.get(again.len()..), Some(&received[..]));
    Some(frame)
}

fn joined(frame: &Frame) -> BytesMut {
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let codec = match frame.codec {
        Codec::Json => 0,
        Codec::Rocketmq => 1,
    };
    let mut out = BytesMut::new();
    out.put_u32(4 + length(&frame.header) + length(&frame.body));
    out.put_u32((codec << 24) | length(&frame.header));
    out.put_slice(&frame.header);
    out.put_slice(&frame.body);
    out
}

fn header(codec: Codec, bytes: &[u8]) {
    let Ok(view) = HeaderView::decode(codec, bytes) else { return };
    for (key, value) in view.ext.iter() {
        let mut raw = Vec::new();
        value.append_to(&mut raw);
        assert!(raw.len() <= value.max_len(), "a text is longer than its bound");
        assert_eq!(String::from_utf8_lossy(&raw), value.text());
        // A name that is no UTF-8 has no text to be found by.
        let is_text = key.as_plain_bytes().is_none_or(|name| std::str::from_utf8(name).is_ok());
        assert!(!is_text || view.ext.find(&key.text()).is_some(), "a field is not found by its name");
    }
    written_again(&view, Codec::Json);
    written_again(&view, Codec::Rocketmq);
    typed_headers(&view);
}

/// A header as plain values.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    numbers: [i32; 4],
    language: Language,
    remark: Option<String>,
    ext: Vec<(String, String)>,
}

impl Said {
    fn by(view: &HeaderView<'_>) -> Self {
        let ext = view.ext.iter().map(|(key, value)| (key.text().into_owned(), value.text().into_owned()));
        Self {
            numbers: [view.code, view.version, view.opaque, view.flag.0],
            language: view.language,
            remark: view.remark.map(|remark| remark.text().into_owned()),
            ext: ext.collect(),
        }
    }

    /// The binary codec has no empty texts, the JSON codec no languages without a name.
    fn in_codec(mut self, codec: Codec) -> Self {
        match codec {
            Codec::Json => self.language = Language::from_name(self.language.name()),
            Codec::Rocketmq => {
                self.remark = self.remark.filter(|remark| !remark.is_empty());
                self.ext.retain(|(_, value)| !value.is_empty());
            }
        }
        self
    }
}

/// Writes what `view` says in `codec` and reads it back.
fn written_again(view: &HeaderView<'_>, codec: Codec) {
    let said = Said::by(view);
    let head = Head {
        code: view.code,
        language: view.language,
        version: view.version,
        opaque: view.opaque,
        flag: view.flag,
        remark: said.remark.as_deref(),
    };
    let mut out = BytesMut::new();
    let written = head.write(codec, 0, &mut out, |ext| {
        said.ext.iter().for_each(|(key, value)| ext.text(key, value));
    });
    if let Err(refused) = written {
        assert!(codec == Codec::Rocketmq, "JSON holds every header: {refused}");
        assert!(out.is_empty(), "a refused header left bytes behind");
        return;
    }
    let frame = Frame::split(&mut out, usize::MAX).expect("own frame").expect("own frame is whole");
    let again = HeaderView::of(&frame).expect("own header");
    assert_eq!(Said::by(&again), said.in_codec(codec));
}
