//! A stored native frame as native clients see it: without the producer mark of an exploded Kafka batch (`__KP`).
//!
//! The mark is the log's own: a client that copied it into a new message would claim another producer's batch. It
//! stands last in the properties, so frames without one are told by their end.

use bytes::Bytes;
use gantry_store::format::frame::encode;
use gantry_store::format::{FrameView, names};

/// Longest tail in which a mark can stand, see `explode`.
const MARK_TAIL: usize = 96;

/// Whether `frame` carries a mark.
#[must_use]
pub fn is_marked(frame: &FrameView<'_>) -> bool {
    without_mark(frame.properties()).is_some()
}

/// The stored `frame` as native clients see it; shares its memory when there is nothing to hide.
#[must_use]
pub fn shown(frame: Bytes) -> Bytes {
    FrameView::parse(&frame).ok().and_then(|view| unmarked(&view)).unwrap_or(frame)
}

fn unmarked(frame: &FrameView<'_>) -> Option<Bytes> {
    let properties = without_mark(frame.properties())?;
    let mut out = Vec::with_capacity(frame.bytes().len());
    // What was decoded can be encoded again, and is shorter.
    encode(&frame.fields().ok()?, frame.body(), properties, frame.placement(), &mut out).ok()?;
    Some(Bytes::from(out))
}

fn without_mark(properties: &[u8]) -> Option<&[u8]> {
    let tail = properties.len().saturating_sub(MARK_TAIL);
    let mark = names::KAFKA_PRODUCER.as_bytes();
    let last = properties.strip_suffix(&[2])?;
    let start = last.iter().rposition(|byte| *byte == 2).map_or(0, |at| at + 1);
    let found = start >= tail && last.get(start..)?.strip_prefix(mark)?.first() == Some(&1);
    found.then(|| properties.get(..start)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_mark_at_the_end_is_taken_off() {
        assert_eq!(without_mark(b"KEYS\x01k\x02__KP\x011.0.0.1.0.0\x02"), Some(&b"KEYS\x01k\x02"[..]));
        assert_eq!(without_mark(b"__KP\x011.0.0.1.0.0\x02"), Some(&b""[..]));
        assert_eq!(without_mark(b"__KPX\x011\x02"), None);
        assert_eq!(without_mark(b"KEYS\x01k\x02"), None);
        assert_eq!(without_mark(b""), None);
    }
}
