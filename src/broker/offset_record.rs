//! One record of the offset journal: a commit, or the end of a topic's or group's commits.
//!
//! | 0 | 1 | kind | 1 native commit, 2 Kafka commit, 3 topic removed, 4 group removed, 5 offset removed |
//! | 1 | 4 | queue | |
//! | 5 | 8 | offset | next message to consume |
//! | 13 | 4 | leader epoch | Kafka commit, else 0 |
//! | 17 | 8 | commit time | ms; Kafka commit, else 0 |
//! | 25 | 2 | group length | then the group |
//! | then | 2 | topic length | then the topic |
//! | then | rest | metadata | Kafka commit |
//!
//! Big-endian. The journal around it adds length and checksum.

const NATIVE: u8 = 1;
const KAFKA: u8 = 2;
const TOPIC_REMOVED: u8 = 3;
const GROUP_REMOVED: u8 = 4;
const REMOVED: u8 = 5;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OffsetRecord<'a> {
    /// A native client committed.
    Native { group: &'a str, topic: &'a str, queue: i32, offset: i64 },
    /// A Kafka client committed.
    Kafka {
        group: &'a str,
        topic: &'a str,
        queue: i32,
        offset: i64,
        leader_epoch: i32,
        commit_time: i64,
        metadata: &'a str,
    },
    /// The topic was deleted, its commits with it.
    TopicRemoved { topic: &'a str },
    /// The group was deleted, its commits with it.
    GroupRemoved { group: &'a str },
    /// The commit of one queue was deleted, or is too old to be kept.
    Removed { group: &'a str, topic: &'a str, queue: i32 },
}

impl<'a> OffsetRecord<'a> {
    /// Appends the record to `out`; a name above 65,535 bytes is cut, which the callers' name rules exclude.
    pub(super) fn encode(self, out: &mut Vec<u8>) {
        let (kind, queue, offset, epoch, time, group, topic, metadata) = match self {
            Self::Native { group, topic, queue, offset } => (NATIVE, queue, offset, 0, 0, group, topic, ""),
            Self::Kafka { group, topic, queue, offset, leader_epoch, commit_time, metadata } => {
                (KAFKA, queue, offset, leader_epoch, commit_time, group, topic, metadata)
            }
            Self::TopicRemoved { topic } => (TOPIC_REMOVED, 0, 0, 0, 0, "", topic, ""),
            Self::GroupRemoved { group } => (GROUP_REMOVED, 0, 0, 0, 0, group, "", ""),
            Self::Removed { group, topic, queue } => (REMOVED, queue, 0, 0, 0, group, topic, ""),
        };
        out.push(kind);
        out.extend_from_slice(&queue.to_be_bytes());
        out.extend_from_slice(&offset.to_be_bytes());
        out.extend_from_slice(&epoch.to_be_bytes());
        out.extend_from_slice(&time.to_be_bytes());
        put_text(group, out);
        put_text(topic, out);
        out.extend_from_slice(metadata.as_bytes());
    }

    /// Reads a record; `None` when it is not one (a later version's, or damage that the checksum missed).
    pub(super) fn decode(bytes: &'a [u8]) -> Option<Self> {
        let (&kind, rest) = bytes.split_first()?;
        let (queue, rest) = rest.split_first_chunk::<4>()?;
        let (offset, rest) = rest.split_first_chunk::<8>()?;
        let (epoch, rest) = rest.split_first_chunk::<4>()?;
        let (time, rest) = rest.split_first_chunk::<8>()?;
        let (group, rest) = take_text(rest)?;
        let (topic, rest) = take_text(rest)?;
        let metadata = std::str::from_utf8(rest).ok()?;
        let (queue, offset) = (i32::from_be_bytes(*queue), i64::from_be_bytes(*offset));
        let (leader_epoch, commit_time) = (i32::from_be_bytes(*epoch), i64::from_be_bytes(*time));
        match kind {
            NATIVE => Some(Self::Native { group, topic, queue, offset }),
            KAFKA => Some(Self::Kafka { group, topic, queue, offset, leader_epoch, commit_time, metadata }),
            TOPIC_REMOVED => Some(Self::TopicRemoved { topic }),
            GROUP_REMOVED => Some(Self::GroupRemoved { group }),
            REMOVED => Some(Self::Removed { group, topic, queue }),
            _ => None,
        }
    }
}

fn put_text(text: &str, out: &mut Vec<u8>) {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(text.as_bytes().get(..usize::from(length)).unwrap_or_default());
}

fn take_text(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    let (text, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    Some((std::str::from_utf8(text).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_comes_back_and_no_truncation_passes() {
        let commit = OffsetRecord::Kafka {
            group: "g",
            topic: "t%2E",
            queue: 3,
            offset: 9,
            leader_epoch: 1,
            commit_time: 77,
            metadata: "état",
        };
        let native = OffsetRecord::Native { group: "g@broadcast", topic: "t", queue: 0, offset: -1 };
        let removed = [
            OffsetRecord::TopicRemoved { topic: "t" },
            OffsetRecord::GroupRemoved { group: "g" },
            OffsetRecord::Removed { group: "g", topic: "t", queue: 3 },
        ];
        for record in [commit, native].into_iter().chain(removed) {
            let mut bytes = Vec::new();
            record.encode(&mut bytes);
            assert_eq!(OffsetRecord::decode(&bytes), Some(record));
            for cut in 0..29.min(bytes.len()) {
                assert_eq!(OffsetRecord::decode(&bytes[..cut]), None, "{cut} bytes of {record:?}");
            }
        }
    }
}
