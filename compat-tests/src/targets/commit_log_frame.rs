//! Bytes of a CommitLog: what begins there, the frame, its checksums, and what dispatch takes out of it.

use gantry_store::format::frame::{self, FrameFields, MAGIC_V1, MAX_TOPIC_V1_LEN, Placement};
use gantry_store::format::inner::inner_num;
use gantry_store::format::property_crc::{self, PropertyCrc};
use gantry_store::format::{BatchKind, FrameHead, FrameView, Peek};

use super::properties::block;

/// Walks over `input` as a scanner walks over a CommitLog.
pub fn commit_log_frame(input: &[u8]) {
    let mut rest = input;
    loop {
        let peek = FrameHead::peek(rest);
        let parsed = FrameView::parse(rest);
        let Ok(view) = parsed else { return };
        let size = view.total_size();
        assert_eq!(peek, Peek::Frame { size }, "peek and parse disagree");
        let (taken, after) = rest.split_at_checked(size as usize).expect("a frame lies in its input");
        assert_eq!(view.bytes(), taken);
        intact(&view);
        write_again(&view);
        block(view.properties(), view.topic_bytes());
        rest = after;
    }
}

fn intact(view: &FrameView<'_>) {
    let matches = i64::from(view.body_crc()) == i64::from(frame::body_crc(view.body()));
    assert_eq!(view.check_body_crc().is_ok(), matches);
    let _ = property_crc::check(view) == PropertyCrc::Intact;
    if let Ok(num) = inner_num(view) {
        assert!(num.value() >= 1);
        assert!(view.sys_flag().batch_kind() != BatchKind::Native || num.value() == 1);
    }
}

/// A frame as the encoder would choose it consists of its fields and of nothing else.
fn write_again(view: &FrameView<'_>) {
    let Ok(topic) = view.topic() else { return };
    let is_short = topic.len() <= MAX_TOPIC_V1_LEN;
    if topic.is_empty() || topic.len() > frame::MAX_TOPIC_LEN || is_short != (view.magic() == MAGIC_V1) {
        return;
    }
    let fields = FrameFields {
        topic,
        queue_id: view.queue_id(),
        flag: view.flag(),
        sys_flag: view.sys_flag(),
        born_timestamp: view.born_timestamp(),
        born_host: view.born_host(),
        store_host: view.store_host(),
        reconsume_times: view.reconsume_times(),
        prepared_transaction_offset: view.prepared_transaction_offset(),
        body_len: u32::try_from(view.body().len()).expect("a body that was read"),
        body_crc: view.body_crc().cast_unsigned(),
    };
    let at = Placement {
        queue_offset: view.queue_offset(),
        commit_offset: view.commit_offset(),
        store_timestamp: view.store_timestamp(),
    };
    let mut out = Vec::new();
    let size = frame::encode(&fields, view.body(), view.properties(), at, &mut out);
    assert_eq!(size, Ok(view.total_size()));
    assert_eq!(out, view.bytes());
}
