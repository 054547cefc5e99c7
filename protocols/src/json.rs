//! Turns the JSON that RocketMQ peers write into JSON that a strict parser accepts.
//!
//! Peers write with fastjson and its ports: integer keys without quotes (`{0:"a"}`), objects as keys
//! (`{{"queueId":0}:5}`), raw control characters in strings, null where a member is absent. Here integer keys
//! get quotes, an object key becomes a string that holds its text, control characters are escaped and null
//! members are dropped. Text that needs none of it is returned as it came, without a copy.
//! It does not check what a strict parser checks anyway.
//! Source: fastjson 1.2 as used by RocketMQ 5.3.3 `remoting/protocol/RemotingSerializable.java`.

use std::borrow::Cow;

use thiserror::Error;

/// Deepest nesting of objects and arrays.
pub const MAX_DEPTH: usize = 64;

/// The text is not JSON, not even a peer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum JsonError {
    /// The text is longer than the reader allows.
    #[error("JSON of {len} bytes is above the limit of {limit}")]
    TooLong {
        /// Its length in bytes.
        len: usize,
        /// The limit.
        limit: usize,
    },
    /// The text is no UTF-8.
    #[error("JSON is no UTF-8 from byte {at} on")]
    NotUtf8 {
        /// First byte that is wrong.
        at: usize,
    },
    /// Something else stands where a character is due.
    #[error("JSON has no {expected} at byte {at}")]
    Missing {
        /// What would have been right.
        expected: &'static str,
        /// Byte of the text.
        at: usize,
    },
    /// Objects and arrays are nested too deeply.
    #[error("JSON nests deeper than {MAX_DEPTH} at byte {at}")]
    TooDeep {
        /// Byte of the text.
        at: usize,
    },
    /// The key of a key is an object; its text would grow without bound.
    #[error("JSON has an object key inside an object key at byte {at}")]
    KeyInKey {
        /// Byte of the text.
        at: usize,
    },
}

/// Returns text that a strict parser accepts; at most seven times as long as the text that came.
///
/// `limit` bounds the length of `text` in bytes.
pub fn strict(text: &[u8], limit: usize) -> Result<Cow<'_, str>, JsonError> {
    if text.len() > limit {
        return Err(JsonError::TooLong { len: text.len(), limit });
    }
    let text = std::str::from_utf8(text).map_err(|e| JsonError::NotUtf8 { at: e.valid_up_to() })?;
    let mut rewriter = Rewriter { text: text.as_bytes(), at: 0, copied: 0, out: Vec::new(), in_key: false };
    rewriter.space();
    rewriter.value(0)?;
    rewriter.space();
    if rewriter.at < text.len() {
        return Err(rewriter.missing("end"));
    }
    Ok(rewriter.finish(text))
}

/// Walks over `text`; what was rewritten so far is in `out`, and stands for `text[..copied]`.
struct Rewriter<'a> {
    text: &'a [u8],
    at: usize,
    copied: usize,
    out: Vec<u8>,
    in_key: bool,
}

/// The state in front of a member.
#[derive(Clone, Copy)]
struct Mark {
    at: usize,
    copied: usize,
    written: usize,
}

impl Rewriter<'_> {
    fn finish(mut self, text: &str) -> Cow<'_, str> {
        if self.copied == 0 {
            return Cow::Borrowed(text);
        }
        self.copy_to(text.len());
        // Only whole characters are replaced, by ASCII, so that this is UTF-8 as the text was.
        let text = String::from_utf8(self.out);
        Cow::Owned(text.unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()))
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn missing(&self, expected: &'static str) -> JsonError {
        JsonError::Missing { expected, at: self.at }
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn copy_to(&mut self, end: usize) {
        self.out.extend_from_slice(self.text.get(self.copied..end).unwrap_or_default());
        self.copied = end;
    }

    /// Leaves out the text from the mark to here, with what was already written for it.
    fn drop_from(&mut self, mark: Mark) {
        self.out.truncate(mark.written);
        self.copied = mark.copied;
        self.copy_to(mark.at);
        self.copied = self.at;
    }

    fn mark(&self) -> Mark {
        Mark { at: self.at, copied: self.copied, written: self.out.len() }
    }

    fn take(&mut self, byte: u8, expected: &'static str) -> Result<(), JsonError> {
        if self.peek() != Some(byte) {
            return Err(self.missing(expected));
        }
        self.at += 1;
        Ok(())
    }

    /// Takes a value; says whether it is null.
    fn value(&mut self, depth: usize) -> Result<bool, JsonError> {
        if depth > MAX_DEPTH {
            return Err(JsonError::TooDeep { at: self.at });
        }
        match self.peek() {
            Some(b'{') => self.object(depth)?,
            Some(b'[') => self.array(depth)?,
            Some(b'"') => self.string()?,
            _ => return self.scalar(),
        }
        Ok(false)
    }

    fn scalar(&mut self) -> Result<bool, JsonError> {
        let start = self.at;
        while let Some(b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'+' | b'-' | b'.') = self.peek() {
            self.at += 1;
        }
        match self.text.get(start..self.at) {
            None | Some(b"") => Err(self.missing("value")),
            Some(word) => Ok(word == b"null"),
        }
    }

    fn array(&mut self, depth: usize) -> Result<(), JsonError> {
        self.take(b'[', "opening bracket")?;
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.space();
            self.value(depth + 1)?;
            self.space();
            if self.peek() != Some(b',') {
                return self.take(b']', "comma or closing bracket");
            }
            self.at += 1;
        }
    }

    fn object(&mut self, depth: usize) -> Result<(), JsonError> {
        self.take(b'{', "opening brace")?;
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        let mut kept = false;
        let mut start = self.mark();
        loop {
            let is_null = self.member(depth)?;
            self.space();
            let more = self.peek() == Some(b',');
            if is_null {
                // With a member before it the comma before goes, else the comma behind.
                self.at += usize::from(more && !kept);
                self.drop_from(start);
            }
            kept |= !is_null;
            if !more {
                return self.take(b'}', "comma or closing brace");
            }
            start = self.mark();
            self.at += usize::from(kept);
        }
    }

    /// Takes `key : value`; says whether the value is null.
    fn member(&mut self, depth: usize) -> Result<bool, JsonError> {
        self.space();
        self.key(depth)?;
        self.space();
        self.take(b':', "colon")?;
        self.space();
        self.value(depth + 1)
    }

    fn key(&mut self, depth: usize) -> Result<(), JsonError> {
        match self.peek() {
            Some(b'"') => self.string(),
            Some(b'{') => self.object_key(depth),
            Some(b'0'..=b'9' | b'-') => self.integer_key(),
            _ => Err(self.missing("key")),
        }
    }

    fn integer_key(&mut self) -> Result<(), JsonError> {
        self.copy_to(self.at);
        self.out.push(b'"');
        self.at += usize::from(self.peek() == Some(b'-'));
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        self.copy_to(self.at);
        self.out.push(b'"');
        Ok(())
    }

    fn object_key(&mut self, depth: usize) -> Result<(), JsonError> {
        if self.in_key {
            return Err(JsonError::KeyInKey { at: self.at });
        }
        self.in_key = true;
        self.copy_to(self.at);
        let start = self.out.len();
        self.value(depth + 1)?;
        self.copy_to(self.at);
        self.in_key = false;
        let key = self.out.split_off(start);
        self.out.push(b'"');
        for byte in key {
            match byte {
                b'"' | b'\\' => self.out.extend_from_slice(&[b'\\', byte]),
                // Outside of strings a key may hold white space; strings were escaped already.
                b'\t' | b'\n' | b'\r' => self.out.push(b' '),
                _ => self.out.push(byte),
            }
        }
        self.out.push(b'"');
        Ok(())
    }

    fn string(&mut self) -> Result<(), JsonError> {
        self.take(b'"', "opening quote")?;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.at += 2,
                Some(control @ 0..0x20) => {
                    self.copy_to(self.at);
                    self.out.extend_from_slice(format!("\\u{control:04x}").as_bytes());
                    self.at += 1;
                    self.copied = self.at;
                }
                Some(_) => self.at += 1,
                None => return Err(self.missing("closing quote")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let strict = strict(text.as_bytes(), 1 << 20).unwrap();
        assert_eq!(strict, expected);
        serde_json::from_str::<serde_json::Value>(&strict).unwrap();
    }

    #[test]
    fn returns_strict_text_without_a_copy() {
        let text = br#" {"a":[1,{"b":"c\"\u0001"}],"d":{},"e":[ ],"f":[null]} "#;
        assert!(matches!(strict(text, 100), Ok(Cow::Borrowed(_))));
    }

    #[test]
    fn quotes_integer_keys() {
        check(r#"{0:"a",-12 : "b","c":{3:4}}"#, r#"{"0":"a","-12" : "b","c":{"3":4}}"#);
    }

    #[test]
    fn turns_object_keys_into_strings() {
        check(
            r#"{"t":{{"brokerName":"b","queueId":0}:5,{"brokerName":"\"","queueId":1}:{1:2}}}"#,
            r#"{"t":{"{\"brokerName\":\"b\",\"queueId\":0}":5,"{\"brokerName\":\"\\\"\",\"queueId\":1}":{"1":2}}}"#,
        );
    }

    #[test]
    fn escapes_raw_control_characters() {
        check("{\"a\":\"x\u{1}y\nz\"}", "{\"a\":\"x\\u0001y\\u000az\"}");
    }

    #[test]
    fn drops_null_members_wherever_they_stand() {
        check(r#"{"a":null}"#, "{}");
        check(r#"{"a":null,"b":1}"#, r#"{"b":1}"#);
        check(r#"{"a":null,"b":null,"c":1,"d":null}"#, r#"{"c":1}"#);
        check(r#"{"a":1,"b":null,"c":{"d":null, "e":2}}"#, r#"{"a":1,"c":{ "e":2}}"#);
        check(r#"{"a":1, "b":null , "c":2}"#, r#"{"a":1, "c":2}"#);
        check(r#"{0:null,"c":[null]}"#, r#"{"c":[null]}"#);
    }

    #[test]
    fn deep_text_is_an_error_not_a_stack_overflow() {
        let deep = "[".repeat(10_000);
        assert_eq!(strict(deep.as_bytes(), 1 << 20), Err(JsonError::TooDeep { at: MAX_DEPTH + 1 }));
        let keys = "{".repeat(10_000);
        assert!(matches!(strict(keys.as_bytes(), 1 << 20), Err(JsonError::KeyInKey { .. })));
    }

    #[test]
    fn rejects_what_is_no_json() {
        for text in ["", "{", "{\"a\"}", "{a:1}", "[1,", "{\"a\":1}}", "\"a", "\"a\\", "{-:1", "?"] {
            assert!(strict(text.as_bytes(), 1 << 20).is_err(), "{text}");
        }
        assert_eq!(strict(b"[1]", 2), Err(JsonError::TooLong { len: 3, limit: 2 }));
        assert_eq!(strict(b"\"\xff\"", 9), Err(JsonError::NotUtf8 { at: 1 }));
    }
}
