//! Types a header field can have, and how each is written as text.
//!
//! Source: RocketMQ 5.3.3 `RemotingCommand.decodeCommandCustomHeader`.

use std::borrow::Cow;

use super::super::ext::ExtValue;
use super::super::ext_writer::ExtWriter;

/// Text of a header; borrowed from the frame unless an escape occurs in it.
pub type Text<'a> = Cow<'a, str>;

/// A type that a header field can have.
pub trait FieldValue<'a>: Sized {
    /// What text of this type has to be, for the error.
    const EXPECTED: &'static str;
    /// Whether a field with no character is the same as none.
    const EMPTY_IS_ABSENT: bool = true;

    /// The value of a field that did not come; `None` when it is mandatory.
    fn absent() -> Option<Self> {
        None
    }

    /// Reads the value; `None` when the text is none.
    fn read(value: ExtValue<'a>) -> Option<Self>;

    /// Writes the value, if there is one.
    fn write(&self, key: &str, ext: &mut ExtWriter<'_>);
}

impl<'a> FieldValue<'a> for Text<'a> {
    const EXPECTED: &'static str = "text";
    const EMPTY_IS_ABSENT: bool = false;

    fn read(value: ExtValue<'a>) -> Option<Self> {
        Some(value.text())
    }

    fn write(&self, key: &str, ext: &mut ExtWriter<'_>) {
        ext.text(key, self);
    }
}

/// Text that its reader unescapes into a buffer of its own.
impl<'a> FieldValue<'a> for ExtValue<'a> {
    const EXPECTED: &'static str = "text";
    const EMPTY_IS_ABSENT: bool = false;

    fn read(value: ExtValue<'a>) -> Option<Self> {
        Some(value)
    }

    fn write(&self, key: &str, ext: &mut ExtWriter<'_>) {
        ext.text(key, &self.text());
    }
}

impl<'a> FieldValue<'a> for i32 {
    const EXPECTED: &'static str = "a 32-bit integer";

    fn read(value: ExtValue<'a>) -> Option<Self> {
        value.text().parse().ok()
    }

    fn write(&self, key: &str, ext: &mut ExtWriter<'_>) {
        ext.number(key, i64::from(*self));
    }
}

impl<'a> FieldValue<'a> for i64 {
    const EXPECTED: &'static str = "a 64-bit integer";

    fn read(value: ExtValue<'a>) -> Option<Self> {
        value.text().parse().ok()
    }

    fn write(&self, key: &str, ext: &mut ExtWriter<'_>) {
        ext.number(key, *self);
    }
}

/// `true` in any case is true, all else is false, as in Java.
impl<'a> FieldValue<'a> for bool {
    const EXPECTED: &'static str = "true or false";

    fn read(value: ExtValue<'a>) -> Option<Self> {
        Some(value.text().eq_ignore_ascii_case("true"))
    }

    fn write(&self, key: &str, ext: &mut ExtWriter<'_>) {
        ext.boolean(key, *self);
    }
}

/// Which offset a time search wants when several messages have the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Boundary {
    /// The first message at or after the time.
    #[default]
    Lower,
    /// The last message at or before the time.
    Upper,
}

/// Anything that is not `UPPER` is `LOWER`, as in Java.
impl<'a> FieldValue<'a> for Boundary {
    const EXPECTED: &'static str = "LOWER or UPPER";

    fn absent() -> Option<Self> {
        Some(Self::Lower)
    }

    fn read(value: ExtValue<'a>) -> Option<Self> {
        Some(if value.text().eq_ignore_ascii_case("upper") { Self::Upper } else { Self::Lower })
    }

    fn write(&self, key: &str, ext: &mut ExtWriter<'_>) {
        ext.text(key, if *self == Self::Upper { "UPPER" } else { "LOWER" });
    }
}

impl<'a, T: FieldValue<'a>> FieldValue<'a> for Option<T> {
    const EXPECTED: &'static str = T::EXPECTED;
    const EMPTY_IS_ABSENT: bool = T::EMPTY_IS_ABSENT;

    fn absent() -> Option<Self> {
        Some(None)
    }

    fn read(value: ExtValue<'a>) -> Option<Self> {
        T::read(value).map(Some)
    }

    fn write(&self, key: &str, ext: &mut ExtWriter<'_>) {
        if let Some(value) = self {
            value.write(key, ext);
        }
    }
}
