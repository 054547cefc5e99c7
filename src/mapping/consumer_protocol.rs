//! Kafka's consumer protocol: the bytes in which a consumer says what it subscribes, and is told what it gets.
//!
//! | subscription | version 2 · topics: count 4, each a text with length 2 · user data: length 4, -1 for none · more from version 1 on |
//! | assignment | version 2 · topics: count 4, each a text with length 2, its partitions with count 4 · user data: length 4, -1 for none |
//!
//! Big-endian. Read only as far as it is needed: topics stand in front in every version. Written in version 0, for
//! members that speak the other dialect. The broker only passes on what Kafka members write.
//! Source: Kafka 4.1 `ConsumerProtocolSubscription.json`, `ConsumerProtocolAssignment.json`, `ConsumerProtocol.java`.

use gantry_protocols::cursor::{ReadError, Reader};

/// The protocol type of consumers.
pub const PROTOCOL_TYPE: &str = "consumer";

const VERSION: i16 = 0;
const NO_USER_DATA: i32 = -1;

/// The topics of a subscription.
///
/// # Errors
/// The bytes are no subscription.
pub fn subscribed_topics(metadata: &[u8]) -> Result<Vec<&str>, ReadError> {
    let mut reader = Reader::new(metadata);
    reader.take_i16("version")?;
    let count = reader.take_i32("topics")?;
    // Each topic takes two bytes at least: a count beyond that ends at the first topic that is missing.
    let mut topics = Vec::with_capacity(usize::try_from(count).unwrap_or(0).min(reader.remaining() / 2));
    for _ in 0..count.max(0) {
        let length = reader.take_i16("topic length")?;
        let name = reader.take_sized(i32::from(length), "topic")?;
        topics.extend(std::str::from_utf8(name).ok());
    }
    Ok(topics)
}

/// A subscription of these topics.
#[must_use]
pub fn subscription<'t>(topics: impl ExactSizeIterator<Item = &'t str>) -> Vec<u8> {
    let mut out = VERSION.to_be_bytes().to_vec();
    put_count(topics.len(), &mut out);
    topics.for_each(|topic| put_text(topic, &mut out));
    out.extend_from_slice(&NO_USER_DATA.to_be_bytes());
    out
}

/// An assignment of these partitions of topics.
#[must_use]
pub fn assignment(topics: &[(String, Vec<i32>)]) -> Vec<u8> {
    let mut out = VERSION.to_be_bytes().to_vec();
    put_count(topics.len(), &mut out);
    for (topic, partitions) in topics {
        put_text(topic, &mut out);
        put_count(partitions.len(), &mut out);
        partitions.iter().for_each(|partition| out.extend_from_slice(&partition.to_be_bytes()));
    }
    out.extend_from_slice(&NO_USER_DATA.to_be_bytes());
    out
}

fn put_count(count: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&i32::try_from(count).unwrap_or(i32::MAX).to_be_bytes());
}

/// Topic names have 249 bytes at most.
fn put_text(text: &str, out: &mut Vec<u8>) {
    let length = i16::try_from(text.len()).unwrap_or(i16::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As kafka-clients 4.1 writes it: version 3 with user data, owned partitions, generation and no rack.
    const JAVA: &[u8] = b"\0\x03\0\0\0\x02\0\x01a\0\x02bc\xff\xff\xff\xff\0\0\0\0\xff\xff\xff\xff\xff\xff";

    #[test]
    fn reads_the_topics_whatever_follows_them() {
        assert_eq!(subscribed_topics(JAVA).unwrap(), ["a", "bc"]);
        let ours = subscription(["a", "bc"].into_iter());
        assert_eq!(subscribed_topics(&ours).unwrap(), ["a", "bc"]);
    }

    #[test]
    fn rejects_every_truncation_and_a_count_that_lies() {
        for end in 0..13 {
            assert!(subscribed_topics(&JAVA[..end]).is_err(), "{end}");
        }
        assert!(subscribed_topics(b"\0\0\x7f\xff\xff\xff\0\x01a").is_err());
        assert!(subscribed_topics(b"\0\0\0\0\0\x01\xff\xffa").is_err());
    }

    #[test]
    fn writes_an_assignment_as_version_0() {
        let written = assignment(&[("t".to_owned(), vec![0, 2])]);
        assert_eq!(written, b"\0\0\0\0\0\x01\0\x01t\0\0\0\x02\0\0\0\0\0\0\0\x02\xff\xff\xff\xff");
    }
}
