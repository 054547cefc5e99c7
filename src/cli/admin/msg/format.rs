//! Format strings: how a message becomes a line.
//!
//! | directive | what | directive | what |
//! |---|---|---|---|
//! | `%t` | topic | `%h` | properties, headers: `name=value`, separated by commas |
//! | `%q` `%p` | queue, which is the partition | `%d` | time of its sender |
//! | `%o` | queue offset | `%i` | message id |
//! | `%k` | keys, key | `%g` | tag |
//! | `%v` | value | `%%` | a percent sign |
//!
//! `{hex}`, `{base64}` and `{json}` may follow `%k`, `%v` and `%h`; `{ms}` may follow `%d`. `\n`, `\t` and `\\` are
//! understood. Source: kcat `-f`, rpk `topic consume -f`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::message::Message;
use crate::cli::time;

/// A format string that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Field(Field, Encoding),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Topic,
    Queue,
    Offset,
    Key,
    Value,
    Headers,
    Time,
    Id,
    Tag,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Plain,
    Hex,
    Base64,
    Json,
    Ms,
}

impl Template {
    /// Understands a format string.
    ///
    /// # Errors
    /// In words for the one who wrote it.
    pub(super) fn parse(text: &str) -> Result<Template, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let (_, after) = rest.split_at(c.len_utf8());
            rest = match c {
                '%' => directive(after, &mut parts)?,
                '\\' => escape(after, &mut parts)?,
                c => {
                    put(&mut parts, c);
                    after
                }
            };
        }
        Ok(Template(parts))
    }

    /// Appends a message.
    pub(super) fn write(&self, message: &Message, out: &mut Vec<u8>) {
        for part in &self.0 {
            match part {
                Part::Text(text) => out.extend_from_slice(text.as_bytes()),
                Part::Field(field, encoding) => write_field(message, *field, *encoding, out),
            }
        }
    }
}

fn put(parts: &mut Vec<Part>, c: char) {
    match parts.last_mut() {
        Some(Part::Text(text)) => text.push(c),
        _ => parts.push(Part::Text(c.to_string())),
    }
}

fn escape<'t>(after: &'t str, parts: &mut Vec<Part>) -> Result<&'t str, String> {
    let mut chars = after.chars();
    let meant = match chars.next() {
        Some('n') => '\n',
        Some('t') => '\t',
        Some('r') => '\r',
        Some('0') => '\0',
        Some('\\') => '\\',
        other => return Err(format!("\\{} means nothing; there are \\n \\t \\r \\0 \\\\", text_of(other))),
    };
    put(parts, meant);
    Ok(chars.as_str())
}

fn text_of(c: Option<char>) -> String {
    c.map_or_else(String::new, String::from)
}

fn directive<'t>(after: &'t str, parts: &mut Vec<Part>) -> Result<&'t str, String> {
    let mut chars = after.chars();
    let field = match chars.next() {
        Some('%') => {
            put(parts, '%');
            return Ok(chars.as_str());
        }
        Some('t') => Field::Topic,
        Some('q' | 'p') => Field::Queue,
        Some('o') => Field::Offset,
        Some('k') => Field::Key,
        Some('v') => Field::Value,
        Some('h') => Field::Headers,
        Some('d') => Field::Time,
        Some('i') => Field::Id,
        Some('g') => Field::Tag,
        other => {
            return Err(format!(
                "%{} means nothing; there are %t %q %p %o %k %v %h %d %i %g %%",
                text_of(other)
            ));
        }
    };
    let (encoding, rest) = encoding(field, chars.as_str())?;
    parts.push(Part::Field(field, encoding));
    Ok(rest)
}

fn encoding(field: Field, rest: &str) -> Result<(Encoding, &str), String> {
    let Some((word, after)) = rest.strip_prefix('{').and_then(|rest| rest.split_once('}')) else {
        return Ok((Encoding::Plain, rest));
    };
    let has_bytes = matches!(field, Field::Key | Field::Value | Field::Headers);
    let encoding = match word {
        "hex" if has_bytes => Encoding::Hex,
        "base64" if has_bytes => Encoding::Base64,
        "json" if has_bytes => Encoding::Json,
        "ms" if field == Field::Time => Encoding::Ms,
        _ => {
            return Err(format!(
                "{{{word}}} does not fit here: hex, base64 and json follow %k %v %h, ms follows %d"
            ));
        }
    };
    Ok((encoding, after))
}

fn write_field(message: &Message, field: Field, encoding: Encoding, out: &mut Vec<u8>) {
    let mut text = |text: &str| out.extend_from_slice(text.as_bytes());
    match field {
        Field::Topic => text(&message.topic),
        Field::Queue => text(&message.queue.to_string()),
        Field::Offset => text(&message.offset.to_string()),
        Field::Id => text(message.id().unwrap_or_default()),
        Field::Tag => text(&message.tag().unwrap_or_default()),
        Field::Time if encoding == Encoding::Ms => text(&message.timestamp().to_string()),
        Field::Time => text(&time::shown(message.timestamp())),
        Field::Key => write_bytes(message.key().as_deref(), encoding, out),
        Field::Value => write_bytes(message.body.as_deref(), encoding, out),
        Field::Headers => write_headers(&message.headers(), encoding, out),
    }
}

/// Plain bytes go out as they are: that is what a pipe is for. Nothing stands for null but in JSON.
fn write_bytes(bytes: Option<&[u8]>, encoding: Encoding, out: &mut Vec<u8>) {
    let plain = bytes.unwrap_or_default();
    match encoding {
        Encoding::Plain | Encoding::Ms => out.extend_from_slice(plain),
        Encoding::Hex => {
            plain.iter().for_each(|byte| out.extend_from_slice(format!("{byte:02x}").as_bytes()))
        }
        Encoding::Base64 => out.extend_from_slice(STANDARD.encode(plain).as_bytes()),
        Encoding::Json => out.extend_from_slice(json_of(bytes).to_string().as_bytes()),
    }
}

/// A JSON value stays one, other text becomes a string, what is no text is lossy.
fn json_of(bytes: Option<&[u8]>) -> Value {
    let Some(bytes) = bytes else { return Value::Null };
    serde_json::from_slice(bytes).unwrap_or_else(|_| json!(String::from_utf8_lossy(bytes)))
}

fn write_headers(headers: &[(String, Option<Vec<u8>>)], encoding: Encoding, out: &mut Vec<u8>) {
    if encoding == Encoding::Json {
        let lossy = |value: &Option<Vec<u8>>| {
            value.as_deref().map(|bytes| String::from_utf8_lossy(bytes).into_owned())
        };
        let all: Map<String, Value> =
            headers.iter().map(|(name, value)| (name.clone(), json!(lossy(value)))).collect();
        out.extend_from_slice(Value::Object(all).to_string().as_bytes());
        return;
    }
    for (at, (name, value)) in headers.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        out.extend_from_slice(name.as_bytes());
        out.push(b'=');
        write_bytes(value.as_deref(), encoding, out);
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::{Kafka, Native};
    use super::*;

    fn sample() -> Message {
        let properties = [("KEYS", "k1 k2"), ("TAGS", "A"), ("UNIQ_KEY", "ID"), ("a", "1")];
        Message {
            topic: "orders".to_owned(),
            queue: 3,
            offset: 17,
            body: Some(b"{\"n\":1}".to_vec()),
            native: Some(Native {
                born_timestamp: 1_795_273_200_000,
                properties: properties.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
                ..Native::default()
            }),
            kafka: None,
        }
    }

    fn shown(message: &Message, template: &str) -> String {
        let mut out = Vec::new();
        Template::parse(template).unwrap().write(message, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_directive_shows_its_field() {
        assert_eq!(shown(&sample(), "%t/%q/%p@%o %k %g %i\\t%v\\n"), "orders/3/3@17 k1 k2 A ID\t{\"n\":1}\n");
        assert_eq!(shown(&sample(), "%d{ms} 100%%"), "1795273200000 100%");
        assert_eq!(shown(&sample(), "%h"), "KEYS=k1 k2,TAGS=A,UNIQ_KEY=ID,a=1");
    }

    #[test]
    fn encodings_follow_a_directive() {
        assert_eq!(shown(&sample(), "%v{hex} %k{base64}"), "7b226e223a317d azEgazI=");
        assert_eq!(shown(&sample(), "%v{json} %k{json}"), "{\"n\":1} \"k1 k2\"");
        assert_eq!(shown(&sample(), "%h{json}"), r#"{"KEYS":"k1 k2","TAGS":"A","UNIQ_KEY":"ID","a":"1"}"#);
    }

    #[test]
    fn a_record_has_its_key_and_headers() {
        let kafka = Kafka {
            key: Some(b"k".to_vec()),
            headers: vec![("rmq.tags".to_owned(), Some(b"B".to_vec())), ("n".to_owned(), None)],
            ..Kafka::default()
        };
        let message = Message { kafka: Some(kafka), ..Message::default() };
        assert_eq!(shown(&message, "%k %g %h [%v] %v{json}"), "k B rmq.tags=B,n= [] null");
    }

    #[test]
    fn what_means_nothing_is_refused() {
        for wrong in ["%", "%x", "%o{hex}", "%v{utf}", "%d{json}", "\\q", "\\"] {
            assert!(Template::parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(shown(&sample(), "%v{"), "{\"n\":1}{");
    }
}
