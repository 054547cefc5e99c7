//! The JSON header, scanned in place.
//!
//! Keys come in any order, unknown ones are skipped without recursion, null means absent, control characters
//! may stand raw in strings. Java writes keys in alphabetical order, and so does [`encode`].
//! Source: RocketMQ 5.3.3 `remoting/protocol/RemotingSerializable.java` (fastjson).

use bytes::{BufMut, BytesMut};

use super::{ExtFields, ExtValue, ExtWriter, Flag, Head, HeadEncodeError, HeaderDecodeError, HeaderView};
use crate::remoting::ext::Span;
use crate::remoting::ext_writer::Decimal;
use crate::remoting::frame::Codec;
use crate::remoting::language::Language;
use crate::remoting::text;

/// Deepest nesting inside a value that nobody reads.
const MAX_DEPTH: usize = 64;

pub(super) fn decode(header: &[u8]) -> Result<HeaderView<'_>, HeaderDecodeError> {
    let mut scan = Scan { header, at: 0 };
    let mut view = HeaderView::empty(header);
    let mut code = None;
    scan.space();
    scan.object(|scan, key| {
        match scan.plain(key) {
            b"code" => code = Some(scan.integer("code")?),
            b"language" => {
                let name = scan.text_or_null()?;
                view.language = name.map_or(Language::JAVA, |name| Language::from_name(&name.text()));
            }
            b"version" => view.version = scan.integer("version")?,
            b"opaque" => view.opaque = scan.integer("opaque")?,
            b"flag" => view.flag = Flag(scan.integer("flag")?),
            b"remark" => view.remark = scan.text_or_null()?,
            b"extFields" => scan.ext_fields(&mut view.ext)?,
            _ => {
                scan.value()?;
            }
        }
        Ok(())
    })?;
    scan.end()?;
    view.code = code.ok_or(HeaderDecodeError::NoCode)?;
    Ok(view)
}

/// A position in the header; every step either moves it forward or fails.
struct Scan<'a> {
    header: &'a [u8],
    at: usize,
}

impl<'a> Scan<'a> {
    fn peek(&self) -> Option<u8> {
        self.header.get(self.at).copied()
    }

    fn left(&self) -> &'a [u8] {
        self.header.get(self.at..).unwrap_or_default()
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn missing(&self, expected: &'static str) -> HeaderDecodeError {
        HeaderDecodeError::Json { expected, at: self.at }
    }

    fn take(&mut self, byte: u8, expected: &'static str) -> Result<(), HeaderDecodeError> {
        if self.peek() != Some(byte) {
            return Err(self.missing(expected));
        }
        self.at += 1;
        Ok(())
    }

    fn end(&mut self) -> Result<(), HeaderDecodeError> {
        self.space();
        if self.left().is_empty() { Ok(()) } else { Err(self.missing("the end")) }
    }

    /// Reads `{ "key": value, ... }`; `member` has to take the value.
    fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, Span) -> Result<(), HeaderDecodeError>,
    ) -> Result<(), HeaderDecodeError> {
        self.take(b'{', "an opening brace")?;
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.space();
            let key = self.string()?;
            self.space();
            self.take(b':', "a colon")?;
            self.space();
            member(self, key)?;
            self.space();
            if self.peek() != Some(b',') {
                return self.take(b'}', "a comma or a closing brace");
            }
            self.at += 1;
        }
    }

    /// Takes a string with its quotes; the span is what stands between them.
    fn string(&mut self) -> Result<Span, HeaderDecodeError> {
        self.take(b'"', "a quote")?;
        let start = self.at;
        let mut escaped = false;
        loop {
            let Some(step) = text::quote_or_backslash(self.left()) else {
                self.at = self.header.len();
                return Err(self.missing("a closing quote"));
            };
            self.at += step;
            if self.peek() == Some(b'"') {
                let span = self.span_from(start, escaped);
                self.at += 1;
                return Ok(span);
            }
            escaped = true;
            self.at += text::escape_len(self.left()).ok_or_else(|| self.missing("an escape"))?;
        }
    }

    fn span_from(&self, start: usize, escaped: bool) -> Span {
        let bits = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        Span { at: bits(start), len: bits(self.at - start), escaped }
    }

    fn plain(&self, span: Span) -> &'a [u8] {
        let start = span.at as usize;
        self.header.get(start..start + span.len as usize).unwrap_or_default()
    }

    /// Takes any value: the inside of a string, else the text as it stands; `None` for null.
    fn value(&mut self) -> Result<Option<Span>, HeaderDecodeError> {
        let start = self.at;
        match self.peek() {
            Some(b'"') => return self.string().map(Some),
            Some(b'{' | b'[') => self.nested()?,
            _ => self.scalar()?,
        }
        let span = self.span_from(start, false);
        Ok((self.plain(span) != b"null").then_some(span))
    }

    /// Takes a number, `true`, `false` or `null`; whether a number is one is for its reader to say.
    fn scalar(&mut self) -> Result<(), HeaderDecodeError> {
        let start = self.at;
        while let Some(b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'+' | b'-' | b'.') = self.peek() {
            self.at += 1;
        }
        if self.at == start { Err(self.missing("a value")) } else { Ok(()) }
    }

    /// Skips an object or array by counting brackets; strings inside are skipped as strings.
    fn nested(&mut self) -> Result<(), HeaderDecodeError> {
        let mut depth = 0usize;
        loop {
            match self.peek() {
                Some(b'{' | b'[') => depth += 1,
                Some(b'}' | b']') => depth -= 1,
                Some(b'"') => {
                    self.string()?;
                    continue;
                }
                Some(_) => {}
                None => return Err(self.missing("a closing bracket")),
            }
            if depth > MAX_DEPTH {
                return Err(HeaderDecodeError::TooDeep { limit: MAX_DEPTH, at: self.at });
            }
            self.at += 1;
            if depth == 0 {
                return Ok(());
            }
        }
    }

    fn text_or_null(&mut self) -> Result<Option<ExtValue<'a>>, HeaderDecodeError> {
        Ok(self.value()?.map(|span| ExtValue::new(self.plain(span), span.escaped)))
    }

    fn integer(&mut self, field: &'static str) -> Result<i32, HeaderDecodeError> {
        let text = self.text_or_null()?.map(|value| value.text());
        match text {
            None => Ok(0),
            Some(text) => text.parse().map_err(|_| HeaderDecodeError::NotANumber { field }),
        }
    }

    fn ext_fields(&mut self, ext: &mut ExtFields<'a>) -> Result<(), HeaderDecodeError> {
        ext.clear();
        if self.peek() != Some(b'{') {
            return match self.value()? {
                None => Ok(()),
                Some(_) => Err(self.missing("an object of ext fields")),
            };
        }
        self.object(|scan, key| {
            if let Some(value) = scan.value()? {
                ext.push(key, value)?;
            }
            Ok(())
        })
    }
}

pub(super) fn encode(
    head: &Head<'_>,
    out: &mut BytesMut,
    ext: impl FnOnce(&mut ExtWriter<'_>),
) -> Result<(), HeadEncodeError> {
    put_number(out, b"{\"code\":", head.code);
    out.put_u8(b',');
    let mut fields = ExtWriter::new(out, Codec::Json);
    ext(&mut fields);
    fields.finish()?;
    put_number(out, b"\"flag\":", head.flag.0);
    out.put_slice(b",\"language\":\"");
    out.put_slice(head.language.name().as_bytes());
    put_number(out, b"\",\"opaque\":", head.opaque);
    if let Some(remark) = head.remark {
        out.put_slice(b",\"remark\":");
        text::write_json_string(remark, out);
    }
    put_number(out, b",\"serializeTypeCurrentRPC\":\"JSON\",\"version\":", head.version);
    out.put_u8(b'}');
    Ok(())
}

fn put_number(out: &mut BytesMut, before: &[u8], value: i32) {
    out.put_slice(before);
    out.put_slice(Decimal::of(i64::from(value), &mut [0; Decimal::MAX_LEN]).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(header: &str) -> Vec<(String, String)> {
        let view = decode(header.as_bytes()).unwrap();
        view.ext.iter().map(|(key, value)| (key.text().into_owned(), value.text().into_owned())).collect()
    }

    #[test]
    fn reads_keys_in_any_order_and_ignores_unknown_ones() {
        let text = r#" { "version" : 5, "x":{"a":["}",{}],"b":null}, "extFields":{"k":"v"}, "opaque":-9,
            "remark":"r\n", "flag":1 ,"language":"GO","code":"105" } "#;
        let view = decode(text.as_bytes()).unwrap();
        assert_eq!((view.code, view.version, view.opaque, view.flag), (105, 5, -9, Flag::RESPONSE));
        assert_eq!(view.language, Language::GO);
        assert_eq!(view.remark.unwrap().text(), "r\n");
        assert_eq!(view.ext.find("k").unwrap().text(), "v");
    }

    #[test]
    fn takes_raw_control_characters_escapes_and_bare_scalars_and_drops_nulls() {
        let text = "{\"code\":1,\"extFields\":{\"i\":\"TAGS\u{1}A\u{2}\",\"j\":\"K\\u0001B\\u0002\",\"k\":null,\
                    \"q\":7,\"t\":true,\"\\u0065\":\"\"}}";
        let expected =
            [("i", "TAGS\u{1}A\u{2}"), ("j", "K\u{1}B\u{2}"), ("q", "7"), ("t", "true"), ("e", "")];
        assert_eq!(fields(text), expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }

    #[test]
    fn an_object_ten_thousand_deep_is_an_error() {
        let text = format!("{{\"code\":1,\"x\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
        assert!(matches!(decode(text.as_bytes()), Err(HeaderDecodeError::TooDeep { limit: MAX_DEPTH, .. })));
        let text = "{\"code\":1,\"extFields\":".repeat(10_000);
        assert!(decode(text.as_bytes()).is_err());
    }

    #[test]
    fn rejects_what_is_no_header() {
        for text in ["", "{", "[]", "{}", "{\"code\":1}x", "{\"code\":1,}", "{\"code\":\"x\"}", "{code:1}"] {
            assert!(decode(text.as_bytes()).is_err(), "{text}");
        }
        let no_text = r#"{"code":1,"extFields":"k"}"#;
        assert!(decode(no_text.as_bytes()).is_err());
        assert_eq!(decode(b"{\"opaque\":1}").err(), Some(HeaderDecodeError::NoCode));
        assert!(decode(br#"{"code":1,"remark":"\q"}"#).is_err());
    }
}
