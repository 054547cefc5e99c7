//! The `__CRC32#` property: a checksum over the whole frame, topic and properties included.
//!
//! It stands last: name, 0x01, 10 decimal digits with the least significant first, 0x02. The checksum covers every
//! byte before it. A stock broker writes it with `enabledAppendPropCRC=true` and by default neither writes nor
//! checks it.
//!
//! Source: RocketMQ 5.3.3 `common/message/MessageDecoder.java` (`createCrc32`), `store/CommitLog.java`.

use super::{frame::FrameView, names, properties};

const DIGITS: usize = 10;

/// Bytes of the property.
pub const PROPERTY_CRC_LEN: usize = names::CRC32.len() + 1 + DIGITS + 1;
const _: () = assert!(PROPERTY_CRC_LEN == 20);

/// What a frame's last property says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PropertyCrc {
    /// The frame has no such property.
    Absent,
    /// The frame is as it was written.
    Intact,
    /// It is not.
    Damaged,
}

/// Compares a frame with the checksum in its last property.
#[must_use]
pub fn check(frame: &FrameView<'_>) -> PropertyCrc {
    let Some(digits) = digits_of(frame.properties()) else { return PropertyCrc::Absent };
    let covered = frame.bytes().len() - PROPERTY_CRC_LEN;
    let computed = frame.bytes().get(..covered).map(digits_for);
    if computed.as_ref() == Some(digits) { PropertyCrc::Intact } else { PropertyCrc::Damaged }
}

/// The property for a frame whose other bytes are `before`; the frame's length fields already count it.
#[must_use]
pub fn encode(before: &[u8]) -> [u8; PROPERTY_CRC_LEN] {
    let mut property = *b"__CRC32#\x010000000000\x02";
    if let Some(place) =
        property.last_chunk_mut::<{ DIGITS + 1 }>().and_then(|last| last.first_chunk_mut::<DIGITS>())
    {
        *place = digits_for(before);
    }
    property
}

fn digits_of(block: &[u8]) -> Option<&[u8; DIGITS]> {
    let property = block.last_chunk::<PROPERTY_CRC_LEN>()?;
    let value =
        property.strip_prefix(names::CRC32.as_bytes())?.strip_prefix(&[properties::NAME_VALUE_SEPARATOR])?;
    value.strip_suffix(&[properties::PROPERTY_SEPARATOR])?.first_chunk()
}

fn digits_for(covered: &[u8]) -> [u8; DIGITS] {
    let mut rest = super::frame::body_crc(covered);
    let mut digits = [b'0'; DIGITS];
    for digit in &mut digits {
        *digit += u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
    }
    digits
}
