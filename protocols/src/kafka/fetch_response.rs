//! Fetch responses, versions 4 to 17: our own bytes in one buffer, record payload by reference.
//!
//! The crate's encoder copies every record byte; here the payload stays where it is (a mapped file, a batch just
//! built) and the frame leaves as a list of segments for one vectored write. What decides the content (limits, error
//! codes a consumer survives, sessions) is the broker's; here is only the layout. Fields that a version lacks are
//! left out without complaint, as a handler should not know versions.
//! Source: Kafka 4.1 `FetchResponse.json`, KIP-227, KIP-320, KIP-516, KIP-951.

use bytes::{BufMut, Bytes, BytesMut};
use thiserror::Error;

use super::error_code::ErrorCode;
use super::frame::{self, FrameError};
use super::varint::{put_uvarint, uvarint_len};

/// Lowest version written.
pub const MIN_VERSION: i16 = 4;
/// Highest version written.
pub const MAX_VERSION: i16 = 17;
/// First version with compact lengths and tags.
const FLEXIBLE: i16 = 12;
/// API key of Fetch.
const FETCH: i16 = 1;

/// Why a response cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FetchEncodeError {
    /// Outside `MIN_VERSION` to `MAX_VERSION`.
    #[error("fetch version {0} is not written here")]
    Version(i16),
    /// A text, list or payload is beyond what its length field can say.
    #[error("{0} bytes or elements do not fit their length field")]
    TooLong(usize),
    /// The whole does not fit a frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// A fetch response; borrowed texts, payload as shared segments.
#[derive(Clone, Debug, Default)]
pub struct FetchResponse<'a> {
    /// Time the client should stay quiet, ms.
    pub throttle_time_ms: i32,
    /// Error of the whole request (v7+).
    pub error_code: ErrorCode,
    /// Fetch session, 0 for none (v7+).
    pub session_id: i32,
    /// Topics in the order of the request.
    pub topics: Vec<FetchedTopic<'a>>,
    /// Where leaders named by partitions can be reached (v16+).
    pub node_endpoints: Vec<NodeEndpoint<'a>>,
}

/// One topic of the response.
#[derive(Clone, Debug, Default)]
pub struct FetchedTopic<'a> {
    /// Name (to v12).
    pub name: &'a str,
    /// Topic id, big-endian (v13+).
    pub topic_id: [u8; 16],
    /// Partitions in the order of the request.
    pub partitions: Vec<FetchedPartition>,
}

/// One partition of the response.
#[derive(Clone, Debug)]
pub struct FetchedPartition {
    /// Partition number.
    pub partition: i32,
    /// Error of the partition.
    pub error_code: ErrorCode,
    /// High watermark; -1 with most errors.
    pub high_watermark: i64,
    /// Last stable offset; -1 for none.
    pub last_stable_offset: i64,
    /// First offset of the log (v5+); -1 for none.
    pub log_start_offset: i64,
    /// Aborted transactions in the range; `None` for read_uncommitted.
    pub aborted_transactions: Option<Vec<AbortedTransaction>>,
    /// Replica to read from instead (v11+); -1 for none.
    pub preferred_read_replica: i32,
    /// Where the client's log and ours part (v12+).
    pub diverging_epoch: Option<EpochEnd>,
    /// The leader, told with errors 6 and 74 (v12+).
    pub current_leader: Option<LeaderEpoch>,
    /// Record batches, in order, in as many segments as they come in; empty for none, never null.
    pub records: Vec<Bytes>,
}

impl FetchedPartition {
    /// A partition without data, error or watermarks.
    pub fn new(partition: i32) -> Self {
        Self {
            partition,
            error_code: ErrorCode::NONE,
            high_watermark: -1,
            last_stable_offset: -1,
            log_start_offset: -1,
            aborted_transactions: None,
            preferred_read_replica: -1,
            diverging_epoch: None,
            current_leader: None,
            records: Vec::new(),
        }
    }

    /// Bytes of all record segments.
    pub fn records_len(&self) -> usize {
        self.records.iter().map(Bytes::len).sum()
    }
}

/// An aborted transaction that overlaps the fetched range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbortedTransaction {
    /// Producer id.
    pub producer_id: i64,
    /// First offset of the transaction.
    pub first_offset: i64,
}

/// The end of an epoch in our log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochEnd {
    /// Leader epoch.
    pub epoch: i32,
    /// First offset behind it.
    pub end_offset: i64,
}

/// A leader and its epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaderEpoch {
    /// Node id, -1 for none.
    pub leader_id: i32,
    /// Leader epoch, -1 for none.
    pub leader_epoch: i32,
}

/// The address of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeEndpoint<'a> {
    /// Node id.
    pub node_id: i32,
    /// Host name.
    pub host: &'a str,
    /// Port.
    pub port: i32,
    /// Rack, if known.
    pub rack: Option<&'a str>,
}

impl FetchResponse<'_> {
    /// Appends the whole frame (length, header, body) to `segments`, in order. Copies no payload.
    ///
    /// # Errors
    /// Unknown versions and lengths beyond their fields; `segments` is then as before.
    pub fn encode(
        &self,
        version: i16,
        correlation_id: i32,
        segments: &mut Vec<Bytes>,
    ) -> Result<(), FetchEncodeError> {
        if !(MIN_VERSION..=MAX_VERSION).contains(&version) {
            return Err(FetchEncodeError::Version(version));
        }
        let mut scatter =
            Scatter { version, own: BytesMut::with_capacity(self.own_len()), payload: Vec::new() };
        let header_version = frame::response_header_version(FETCH, version).unwrap_or(0);
        let start = frame::start_response(&mut scatter.own, header_version, correlation_id);
        scatter.response(self)?;
        let beside = scatter.payload.iter().map(|(_, bytes)| bytes.len()).sum();
        frame::finish_response(&mut scatter.own, start, beside)?;
        scatter.into_segments(segments);
        Ok(())
    }

    /// About how many bytes are our own: an estimate from above, so that the buffer is allocated once.
    fn own_len(&self) -> usize {
        let partition = |partition: &FetchedPartition| {
            96 + 17 * partition.aborted_transactions.as_ref().map_or(0, Vec::len)
        };
        let topic = |topic: &FetchedTopic<'_>| {
            32 + topic.name.len() + topic.partitions.iter().map(partition).sum::<usize>()
        };
        64 + self.topics.iter().map(topic).sum::<usize>() + 300 * self.node_endpoints.len()
    }
}

/// Our own bytes, and where between them which payload belongs.
struct Scatter {
    version: i16,
    own: BytesMut,
    payload: Vec<(usize, Bytes)>,
}

impl Scatter {
    fn response(&mut self, response: &FetchResponse<'_>) -> Result<(), FetchEncodeError> {
        self.own.put_i32(response.throttle_time_ms);
        if self.version >= 7 {
            self.own.put_i16(response.error_code.0);
            self.own.put_i32(response.session_id);
        }
        self.count(response.topics.len())?;
        for topic in &response.topics {
            self.topic(topic)?;
        }
        self.endpoints(&response.node_endpoints)
    }

    fn topic(&mut self, topic: &FetchedTopic<'_>) -> Result<(), FetchEncodeError> {
        if self.version >= 13 {
            self.own.put_slice(&topic.topic_id);
        } else {
            self.text(topic.name)?;
        }
        self.count(topic.partitions.len())?;
        for partition in &topic.partitions {
            self.partition(partition)?;
        }
        self.tags(0);
        Ok(())
    }

    fn partition(&mut self, partition: &FetchedPartition) -> Result<(), FetchEncodeError> {
        self.own.put_i32(partition.partition);
        self.own.put_i16(partition.error_code.0);
        self.own.put_i64(partition.high_watermark);
        self.own.put_i64(partition.last_stable_offset);
        if self.version >= 5 {
            self.own.put_i64(partition.log_start_offset);
        }
        self.aborted(partition.aborted_transactions.as_deref())?;
        if self.version >= 11 {
            self.own.put_i32(partition.preferred_read_replica);
        }
        self.records(partition)?;
        self.partition_tags(partition);
        Ok(())
    }

    fn aborted(&mut self, transactions: Option<&[AbortedTransaction]>) -> Result<(), FetchEncodeError> {
        let Some(transactions) = transactions else {
            if self.is_flexible() {
                self.own.put_u8(0)
            } else {
                self.own.put_i32(-1)
            }
            return Ok(());
        };
        self.count(transactions.len())?;
        for transaction in transactions {
            self.own.put_i64(transaction.producer_id);
            self.own.put_i64(transaction.first_offset);
            self.tags(0);
        }
        Ok(())
    }

    /// The payload's length, and the payload as segments of its own.
    fn records(&mut self, partition: &FetchedPartition) -> Result<(), FetchEncodeError> {
        self.count(partition.records_len())?;
        let at = self.own.len();
        let segments = partition.records.iter().filter(|segment| !segment.is_empty());
        self.payload.extend(segments.map(|segment| (at, segment.clone())));
        Ok(())
    }

    fn partition_tags(&mut self, partition: &FetchedPartition) {
        let tags =
            u32::from(partition.diverging_epoch.is_some()) + u32::from(partition.current_leader.is_some());
        self.tags(tags);
        if !self.is_flexible() {
            return;
        }
        if let Some(EpochEnd { epoch, end_offset }) = partition.diverging_epoch {
            self.tag(0, 4 + 8 + 1);
            self.own.put_i32(epoch);
            self.own.put_i64(end_offset);
            self.tags(0);
        }
        if let Some(LeaderEpoch { leader_id, leader_epoch }) = partition.current_leader {
            self.tag(1, 4 + 4 + 1);
            self.own.put_i32(leader_id);
            self.own.put_i32(leader_epoch);
            self.tags(0);
        }
    }

    /// The response's tags: the endpoints' size stands in front of them, so they are written aside first.
    fn endpoints(&mut self, endpoints: &[NodeEndpoint<'_>]) -> Result<(), FetchEncodeError> {
        if endpoints.is_empty() || self.version < 16 {
            self.tags(0);
            return Ok(());
        }
        let mut aside = Scatter { version: self.version, own: BytesMut::new(), payload: Vec::new() };
        aside.count(endpoints.len())?;
        for endpoint in endpoints {
            aside.own.put_i32(endpoint.node_id);
            aside.text(endpoint.host)?;
            aside.own.put_i32(endpoint.port);
            match endpoint.rack {
                Some(rack) => aside.text(rack)?,
                None => aside.own.put_u8(0),
            }
            aside.tags(0);
        }
        self.tags(1);
        self.tag(0, u32::try_from(aside.own.len()).map_err(|_| FetchEncodeError::TooLong(aside.own.len()))?);
        self.own.put_slice(&aside.own);
        Ok(())
    }

    fn is_flexible(&self) -> bool {
        self.version >= FLEXIBLE
    }

    /// Length of an array or of a payload.
    fn count(&mut self, count: usize) -> Result<(), FetchEncodeError> {
        let length = i32::try_from(count).map_err(|_| FetchEncodeError::TooLong(count))?;
        if self.is_flexible() {
            put_uvarint(&mut self.own, length.cast_unsigned() + 1);
        } else {
            self.own.put_i32(length);
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), FetchEncodeError> {
        let length = i16::try_from(text.len()).map_err(|_| FetchEncodeError::TooLong(text.len()))?;
        if self.is_flexible() {
            put_uvarint(&mut self.own, u32::from(length.cast_unsigned()) + 1);
        } else {
            self.own.put_i16(length);
        }
        self.own.put_slice(text.as_bytes());
        Ok(())
    }

    /// Number of tags, where the version has tags.
    fn tags(&mut self, count: u32) {
        if self.is_flexible() {
            put_uvarint(&mut self.own, count);
        }
    }

    fn tag(&mut self, number: u32, size: u32) {
        self.own.reserve(uvarint_len(number) + uvarint_len(size));
        put_uvarint(&mut self.own, number);
        put_uvarint(&mut self.own, size);
    }

    /// Cuts our own bytes where payload belongs between them.
    fn into_segments(self, segments: &mut Vec<Bytes>) {
        let mut own = self.own.freeze();
        let mut cut = 0;
        segments.reserve(2 * self.payload.len() + 1);
        for (at, payload) in self.payload {
            if at > cut {
                segments.push(own.split_to(at - cut));
                cut = at;
            }
            segments.push(payload);
        }
        if !own.is_empty() {
            segments.push(own);
        }
    }
}
