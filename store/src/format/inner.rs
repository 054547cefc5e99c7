//! The two properties of a batch frame: `INNER_NUM`, messages inside, and `INNER_BASE`, the first one's offset.
//!
//! Gantry writes them with fixed width, so that the base can be patched in place once the append has decided it:
//! `INNER_NUM 0x01 5 digits 0x02 INNER_BASE 0x01 20 digits 0x02`, first among the properties. The stock broker
//! reads leading zeros and writes none; readers here take both.
//!
//! A stock broker ends its log at a frame with more than 32,767 messages, and what it appends next destroys the
//! frames behind it: [`InnerNum`] cannot hold such a number.
//!
//! Source: RocketMQ 5.3.3 `store/CommitLog.java` (`checkMessageAndReturnSize`), `store/queue/BatchConsumeQueue.java`.

use super::frame::{FrameView, MAX_TOPIC_V1_LEN};
use super::{BatchKind, QueueOffset, names, properties};

/// Messages inside one frame: 1 to 32,767.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InnerNum(i16);

impl InnerNum {
    /// One message.
    pub const ONE: InnerNum = InnerNum(1);
    /// The most a frame may hold.
    pub const MAX: InnerNum = InnerNum(i16::MAX);

    /// `count`, when a frame may hold that many messages.
    #[must_use]
    pub fn new(count: i64) -> Option<InnerNum> {
        i16::try_from(count).ok().filter(|count| *count > 0).map(InnerNum)
    }

    /// The number as it stands in a unit.
    #[must_use]
    pub const fn value(self) -> i16 {
        self.0
    }

    /// The number as a distance between queue offsets.
    #[must_use]
    pub const fn messages(self) -> i64 {
        self.0 as i64
    }
}

/// Why a batch frame does not say how many messages it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("batch frame without a usable INNER_NUM between 1 and 32767")]
pub struct BadInnerNum;

const NUM_DIGITS: usize = 5;
const BASE_DIGITS: usize = 20;
const BASE_AT: usize = names::INNER_NUM.len() + 1 + NUM_DIGITS + 1;
const BASE_DIGITS_AT: usize = BASE_AT + names::INNER_BASE.len() + 1;

/// Bytes of both properties.
pub const INNER_LEN: usize = BASE_DIGITS_AT + BASE_DIGITS + 1;
const _: () = assert!(INNER_LEN == 48);

/// Both properties, to stand first among a frame's properties.
#[must_use]
pub fn inner_properties(num: InnerNum, base: QueueOffset) -> [u8; INNER_LEN] {
    let mut out = *b"INNER_NUM\x0100000\x02INNER_BASE\x0100000000000000000000\x02";
    let (first, digits) = out.split_at_mut(BASE_DIGITS_AT);
    write_digits(first.get_mut(BASE_AT - 1 - NUM_DIGITS..BASE_AT - 1), num.messages());
    write_digits(digits.get_mut(..BASE_DIGITS), base.0);
    out
}

/// Where a tail does not hold the properties of [`inner_properties`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no INNER_BASE of fixed width at the beginning of the properties")]
pub struct NoInnerBase;

/// Writes `base` into the tail of a frame of `topic` whose properties begin with [`inner_properties`].
///
/// # Errors
/// [`NoInnerBase`] when they do not; nothing is written then.
pub fn patch_inner_base(tail: &mut [u8], topic: &str, base: QueueOffset) -> Result<(), NoInnerBase> {
    let at = inner_at(topic.len()) + BASE_AT;
    let property = tail.get_mut(at..at + INNER_LEN - BASE_AT).ok_or(NoInnerBase)?;
    let (name, digits) = property.split_at_mut_checked(BASE_DIGITS_AT - BASE_AT).ok_or(NoInnerBase)?;
    if name != b"INNER_BASE\x01" || digits.last() != Some(&properties::PROPERTY_SEPARATOR) {
        return Err(NoInnerBase);
    }
    write_digits(digits.get_mut(..BASE_DIGITS), base.0);
    Ok(())
}

/// How many messages `frame` holds: 1, or what a batch frame's `INNER_NUM` says.
///
/// # Errors
/// [`BadInnerNum`] when a batch frame does not say it; a stock broker would end its log there.
pub fn inner_num(frame: &FrameView<'_>) -> Result<InnerNum, BadInnerNum> {
    if frame.sys_flag().batch_kind() == BatchKind::Native {
        return Ok(InnerNum::ONE);
    }
    let value = properties::find(frame.properties(), names::INNER_NUM).ok_or(BadInnerNum)?;
    let number: Option<i64> = str::from_utf8(value).ok().and_then(|text| text.parse().ok());
    number.and_then(InnerNum::new).ok_or(BadInnerNum)
}

/// Where the properties begin in a tail: topicLength, topic, propertiesLength.
const fn inner_at(topic_len: usize) -> usize {
    (if topic_len > MAX_TOPIC_V1_LEN { 2 } else { 1 }) + topic_len + 2
}

/// Decimal digits, most significant first, zeros in front; a negative number counts as 0.
fn write_digits(place: Option<&mut [u8]>, number: i64) {
    let mut rest = number.max(0);
    for digit in place.into_iter().flatten().rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::encode_tail;
    use super::*;

    #[test]
    fn writes_fixed_width_and_patches_in_place() {
        let first = inner_properties(InnerNum::new(300).unwrap(), QueueOffset(0));
        assert_eq!(first, *b"INNER_NUM\x0100300\x02INNER_BASE\x0100000000000000000000\x02");
        for topic in ["T".to_owned(), "t".repeat(128)] {
            let mut tail = Vec::new();
            encode_tail(&topic, &[&first, b"A\x01b\x02"], &mut tail).unwrap();
            patch_inner_base(&mut tail, &topic, QueueOffset(i64::MAX)).unwrap();
            let block = tail.split_off(inner_at(topic.len()));
            assert_eq!(properties::find(&block, names::INNER_BASE), Some(&b"09223372036854775807"[..]));
            assert_eq!(properties::find(&block, "A"), Some(&b"b"[..]));
        }
    }

    #[test]
    fn patches_nothing_else() {
        let mut tail = Vec::new();
        encode_tail("T", &[&[b'x'; INNER_LEN]], &mut tail).unwrap();
        let before = tail.clone();
        assert_eq!(patch_inner_base(&mut tail, "T", QueueOffset(1)), Err(NoInnerBase));
        assert_eq!(patch_inner_base(&mut [], "T", QueueOffset(1)), Err(NoInnerBase));
        assert_eq!(tail, before);
    }

    #[test]
    fn a_frame_holds_at_most_32767_messages() {
        assert_eq!(InnerNum::new(0), None);
        assert_eq!(InnerNum::new(32_768), None);
        assert_eq!(InnerNum::new(32_767), Some(InnerNum::MAX));
    }
}
