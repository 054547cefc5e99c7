//! Writes object keys the way fastjson does, as objects.
//!
//! In values here such a key is a string that holds the object's text; while writing a key that starts with a
//! brace, quotes and escapes are left out. Names that are keys themselves never start with a brace.

use std::io::{self, Write};

use bytes::Bytes;
use serde::Serialize;
use serde_json::ser::{CharEscape, Formatter, Serializer};

use super::BodyError;

pub(super) fn encode<T: Serialize>(body: &T) -> Result<Bytes, BodyError> {
    let mut out = Vec::new();
    body.serialize(&mut Serializer::with_formatter(&mut out, ObjectKeys { key: Key::None }))?;
    Ok(out.into())
}

/// How far the key that is being written has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    None,
    Begun,
    Opened,
    Name,
    Object,
}

struct ObjectKeys {
    key: Key,
}

impl ObjectKeys {
    /// Writes the quote that was held back until the first character is known.
    fn settle<W: ?Sized + Write>(&mut self, writer: &mut W, first: Option<u8>) -> io::Result<()> {
        if self.key == Key::Opened {
            if first == Some(b'{') {
                self.key = Key::Object;
            } else {
                self.key = Key::Name;
                writer.write_all(b"\"")?;
            }
        }
        Ok(())
    }
}

impl Formatter for ObjectKeys {
    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.key = Key::Begun;
        if first { Ok(()) } else { writer.write_all(b",") }
    }

    fn end_object_key<W: ?Sized + Write>(&mut self, _writer: &mut W) -> io::Result<()> {
        self.key = Key::None;
        Ok(())
    }

    fn begin_string<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        if self.key == Key::Begun {
            self.key = Key::Opened;
            return Ok(());
        }
        writer.write_all(b"\"")
    }

    fn end_string<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.settle(writer, None)?;
        if self.key == Key::Object { Ok(()) } else { writer.write_all(b"\"") }
    }

    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        self.settle(writer, fragment.bytes().next())?;
        writer.write_all(fragment.as_bytes())
    }

    fn write_char_escape<W: ?Sized + Write>(&mut self, writer: &mut W, escape: CharEscape) -> io::Result<()> {
        self.settle(writer, None)?;
        match (self.key, &escape) {
            (Key::Object, CharEscape::Quote) => writer.write_all(b"\""),
            (Key::Object, CharEscape::ReverseSolidus) => writer.write_all(b"\\"),
            _ => serde_json::ser::CompactFormatter.write_char_escape(writer, escape),
        }
    }
}
