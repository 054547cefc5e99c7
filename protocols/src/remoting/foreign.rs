//! Names the protocol of bytes that arrived on a remoting port by mistake.
//!
//! For the one error line an operator needs; nothing is decided by it and nothing is parsed further.

use std::fmt;

/// A protocol that is often pointed at the wrong port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foreign {
    /// An HTTP/1 request.
    Http,
    /// The HTTP/2 preface, as gRPC clients send it without TLS.
    Http2,
    /// A TLS handshake.
    Tls,
    /// A Kafka request.
    Kafka,
    /// A PROXY protocol header, version 1 or 2.
    Proxy,
    /// An SSH banner.
    Ssh,
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "an HTTP request",
            Self::Http2 => "an HTTP/2 (gRPC) preface",
            Self::Tls => "a TLS handshake",
            Self::Kafka => "a Kafka request",
            Self::Proxy => "a PROXY protocol header",
            Self::Ssh => "an SSH banner",
        })
    }
}

const STARTS: &[(&[u8], Foreign)] = &[
    (b"PRI * HTTP/2", Foreign::Http2),
    (b"GET ", Foreign::Http),
    (b"POST ", Foreign::Http),
    (b"PUT ", Foreign::Http),
    (b"HEAD ", Foreign::Http),
    (b"DELETE ", Foreign::Http),
    (b"OPTIONS ", Foreign::Http),
    (b"PATCH ", Foreign::Http),
    (b"CONNECT ", Foreign::Http),
    (b"TRACE ", Foreign::Http),
    (b"PROXY ", Foreign::Proxy),
    (b"\r\n\r\n\0\r\nQUIT\n", Foreign::Proxy),
    (b"SSH-", Foreign::Ssh),
    (b"\x16\x03", Foreign::Tls),
];

/// Names what the first bytes of a connection look like, when it is not remoting.
pub fn recognise(first: &[u8]) -> Option<Foreign> {
    let known = STARTS.iter().find(|(start, _)| first.starts_with(start)).map(|(_, foreign)| *foreign);
    known.or_else(|| looks_like_kafka(first).then_some(Foreign::Kafka))
}

/// Length, API key, API version, correlation id, client id length: all small, and no header where a remoting
/// frame has one. 100 keys and 30 versions leave room above those in use.
fn looks_like_kafka(first: &[u8]) -> bool {
    let Some((head, rest)) = first.split_first_chunk::<14>() else { return false };
    let [l0, l1, l2, l3, k0, k1, v0, v1, c0, _, _, _, i0, i1] = *head;
    let length = i32::from_be_bytes([l0, l1, l2, l3]);
    let client_id = i16::from_be_bytes([i0, i1]);
    let id_is_text = rest.iter().take(usize::try_from(client_id).unwrap_or(0)).all(u8::is_ascii_graphic);
    (10..=104_857_600).contains(&length)
        && (0..100).contains(&i16::from_be_bytes([k0, k1]))
        && (0..30).contains(&i16::from_be_bytes([v0, v1]))
        && c0 != b'{'
        && (-1..=256).contains(&client_id)
        && id_is_text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_common_mistakes() {
        assert_eq!(recognise(b"GET /metrics HTTP/1.1\r\n"), Some(Foreign::Http));
        assert_eq!(recognise(b"PRI * HTTP/2.0\r\n\r\nSM"), Some(Foreign::Http2));
        assert_eq!(recognise(b"\x16\x03\x01\x02\0\x01"), Some(Foreign::Tls));
        let api_versions = b"\0\0\0\x35\0\x12\0\x03\0\0\0\0\0\x0aproducer-1\0\x12apache-kafka";
        assert_eq!(recognise(api_versions), Some(Foreign::Kafka));
    }

    #[test]
    fn does_not_take_remoting_for_something_else() {
        assert_eq!(recognise(b"\0\0\0\x84\0\0\0\x80{\"code\":105,\"extFields\""), None);
        assert_eq!(recognise(b"\0\0\0\x2a\x01\0\0\x26\0\x69\0\x01\xdf\0\0\0\x07\0\0\0\0"), None);
        assert_eq!(recognise(b""), None);
    }
}
