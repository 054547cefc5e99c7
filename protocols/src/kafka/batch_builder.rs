//! Builds RecordBatch v2 from records pushed one by one.
//!
//! For batches the broker makes itself: mode S fetches, markers, tests. Batches of clients are never rebuilt.
//! One builder serves many batches: its buffers keep their capacity. Offset deltas may have gaps (compaction), the
//! last delta may lie behind the last record, and no record at all is allowed (an emptied batch).
//! Source: Kafka 4.1 `MemoryRecordsBuilder.java`, `DefaultRecordBatch.writeHeader`, `EndTransactionMarker.java`.

use bytes::{BufMut, BytesMut};
use thiserror::Error;

use super::attributes::{Attributes, Codec};
use super::batch;
use super::varint::{put_varint, put_varlong, varint_len, varlong_len};
use crate::compression::{self, CompressError};

/// Why a batch cannot be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BuildError {
    /// A key, value, record or batch is beyond 2,147,483,647 bytes.
    #[error("record or batch of {0} bytes is too large for the format")]
    TooLarge(usize),
    /// Offset deltas must ascend.
    #[error("offset delta {found} does not follow {last}")]
    OffsetDelta {
        /// Delta of the record before.
        last: i32,
        /// Delta of the record refused.
        found: i32,
    },
    /// The compressor failed.
    #[error(transparent)]
    Compress(#[from] CompressError),
}

/// A record to be written.
#[derive(Clone, Copy, Debug)]
pub struct NewRecord<'a> {
    /// Milliseconds; -1 for none.
    pub timestamp: i64,
    /// Offset after the batch's base offset; ascending, gaps allowed.
    pub offset_delta: i32,
    /// Key; `None` is null.
    pub key: Option<&'a [u8]>,
    /// Value; `None` is null.
    pub value: Option<&'a [u8]>,
}

/// The header fields that do not follow from the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchFields {
    /// Offset of the first record.
    pub base_offset: i64,
    /// Leader epoch, -1 for none.
    pub leader_epoch: i32,
    /// Transactional and control bits; codec, LogAppendTime and delete horizon are set by the fields below.
    pub attributes: Attributes,
    /// Compression of the records.
    pub codec: Codec,
    /// With LogAppendTime: the timestamp of all records, ms.
    pub log_append_time: Option<i64>,
    /// Last offset delta where it lies behind the last record's.
    pub last_offset_delta: Option<i32>,
    /// Producer id, -1 for none.
    pub producer_id: i64,
    /// Producer epoch, -1 for none.
    pub producer_epoch: i16,
    /// Sequence of the first record, -1 for none.
    pub base_sequence: i32,
}

impl Default for BatchFields {
    /// Offset 0, no epoch, no producer, not compressed.
    fn default() -> Self {
        Self {
            base_offset: 0,
            leader_epoch: -1,
            attributes: Attributes::default(),
            codec: Codec::None,
            log_append_time: None,
            last_offset_delta: None,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
        }
    }
}

/// How a transaction ended, as its marker says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionEnd {
    /// Marker type 0.
    Abort,
    /// Marker type 1.
    Commit,
}

/// Collects records, then writes the batch.
#[derive(Debug, Default)]
pub struct BatchBuilder {
    records: Vec<u8>,
    compressed: Vec<u8>,
    state: State,
}

/// What the records pushed so far add up to.
#[derive(Clone, Copy, Debug)]
struct State {
    count: i32,
    last_offset_delta: i32,
    base_timestamp: Option<i64>,
    delete_horizon: bool,
    max_timestamp: i64,
}

impl Default for State {
    fn default() -> Self {
        Self {
            count: 0,
            last_offset_delta: -1,
            base_timestamp: None,
            delete_horizon: false,
            max_timestamp: -1,
        }
    }
}

impl BatchBuilder {
    /// An empty builder; allocates nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets all records and keeps the buffers.
    pub fn clear(&mut self) {
        self.records.clear();
        self.compressed.clear();
        self.state = State::default();
    }

    /// Records pushed since the last `clear`.
    pub fn count(&self) -> usize {
        usize::try_from(self.state.count).unwrap_or(0)
    }

    /// Bytes of the batch if it were finished now without compression.
    pub fn uncompressed_len(&self) -> usize {
        batch::HEADER_LEN + self.records.len()
    }

    /// What deltas count from, ms; without this call the first record's timestamp. Call before the first `push`.
    pub fn set_base_timestamp(&mut self, base_timestamp: i64) {
        self.state.base_timestamp = Some(base_timestamp);
    }

    /// Marks the batch with a delete horizon, ms, which takes the base timestamp's place. Call before `push`.
    pub fn set_delete_horizon(&mut self, horizon: i64) {
        self.set_base_timestamp(horizon);
        self.state.delete_horizon = true;
    }

    /// Appends a record; `headers` gives key bytes and value of each header, in order.
    ///
    /// # Errors
    /// `TooLarge` and `OffsetDelta`; the builder is then as before.
    pub fn push<'h, H>(&mut self, record: NewRecord<'_>, headers: H) -> Result<(), BuildError>
    where
        H: IntoIterator<Item = (&'h [u8], Option<&'h [u8]>)>,
        H::IntoIter: Clone,
    {
        let headers = headers.into_iter();
        let last = self.state.last_offset_delta;
        if record.offset_delta <= last {
            return Err(BuildError::OffsetDelta { last, found: record.offset_delta });
        }
        let base_timestamp = self.state.base_timestamp.unwrap_or(record.timestamp);
        let timestamp_delta = record.timestamp.wrapping_sub(base_timestamp);
        let body = Body { record, timestamp_delta, headers: Measured::of(headers.clone())? };
        let length = body.len();
        self.records.reserve(length + 5);
        put_varint(&mut self.records, length_of(length)?);
        body.put(&mut self.records, headers);
        self.state.base_timestamp = Some(base_timestamp);
        self.state.max_timestamp = self.state.max_timestamp.max(record.timestamp);
        self.state.last_offset_delta = record.offset_delta;
        self.state.count += 1;
        Ok(())
    }

    /// Appends a transaction marker as the batch's only record; its batch has `TRANSACTIONAL` and `CONTROL` set.
    ///
    /// # Errors
    /// `OffsetDelta` if the builder was not empty.
    pub fn push_marker(
        &mut self,
        end: TransactionEnd,
        coordinator_epoch: i32,
        timestamp: i64,
    ) -> Result<(), BuildError> {
        let kind = match end {
            TransactionEnd::Abort => 0,
            TransactionEnd::Commit => 1,
        };
        // Version 0, then the type; version 0, then the epoch.
        let key = [0, 0, 0, kind];
        let [a, b, c, d] = coordinator_epoch.to_be_bytes();
        let value = [0, 0, a, b, c, d];
        self.push(NewRecord { timestamp, offset_delta: 0, key: Some(&key), value: Some(&value) }, [])
    }

    /// Appends the batch to `out` and returns its length in bytes. The builder keeps its records until `clear`.
    ///
    /// # Errors
    /// `TooLarge`, `Compress`; `out` is then as before.
    pub fn finish(&mut self, fields: &BatchFields, out: &mut BytesMut) -> Result<usize, BuildError> {
        let block = match fields.codec.format() {
            None => &self.records,
            Some(format) => {
                self.compressed.clear();
                compression::compress(format, &self.records, &mut self.compressed)?;
                &self.compressed
            }
        };
        let total = batch::HEADER_LEN + block.len();
        let length = length_of(total - batch::LENGTH_END)?;
        out.reserve(total);
        let start = out.len();
        out.put_slice(&batch::fetch_head(fields.base_offset, length, fields.leader_epoch));
        out.put_u8(batch::MAGIC_V2);
        out.put_u32(0);
        self.state.put_checked_header(fields, out);
        out.put_slice(block);
        put_crc(out, start);
        Ok(total)
    }
}

impl State {
    /// The header from the attributes on: everything the CRC covers but the records.
    fn put_checked_header(&self, fields: &BatchFields, out: &mut BytesMut) {
        out.put_i16(self.attributes(fields).0);
        out.put_i32(fields.last_offset_delta.unwrap_or(self.last_offset_delta));
        out.put_i64(self.base_timestamp.unwrap_or(-1));
        out.put_i64(fields.log_append_time.unwrap_or(self.max_timestamp));
        out.put_i64(fields.producer_id);
        out.put_i16(fields.producer_epoch);
        out.put_i32(fields.base_sequence);
        out.put_i32(self.count);
    }

    fn attributes(&self, fields: &BatchFields) -> Attributes {
        let mut attributes = fields.attributes.with_codec(fields.codec);
        if fields.log_append_time.is_some() {
            attributes = attributes.with(Attributes::LOG_APPEND_TIME);
        }
        if self.delete_horizon {
            attributes = attributes.with(Attributes::DELETE_HORIZON);
        }
        attributes
    }
}

/// Computes the CRC of the batch at `start` and writes it into its place.
fn put_crc(out: &mut BytesMut, start: usize) {
    let crc = batch::crc32c(out.get(start + batch::ATTRIBUTES..).unwrap_or_default());
    if let Some(field) = out.get_mut(start + batch::CRC..start + batch::ATTRIBUTES) {
        field.copy_from_slice(&crc.to_be_bytes());
    }
}

/// Number and encoded bytes of a record's headers.
#[derive(Clone, Copy)]
struct Measured {
    count: i32,
    len: usize,
}

impl Measured {
    fn of<'h>(headers: impl Iterator<Item = (&'h [u8], Option<&'h [u8]>)>) -> Result<Self, BuildError> {
        let mut measured = Self { count: 0, len: 0 };
        for (key, value) in headers {
            measured.count += 1;
            measured.len += varint_len(length_of(key.len())?) + key.len() + nullable_len(value)?;
        }
        Ok(measured)
    }
}

/// A record whose parts are measured: what its length prefix counts.
struct Body<'a> {
    record: NewRecord<'a>,
    timestamp_delta: i64,
    headers: Measured,
}

impl Body<'_> {
    /// Bytes after the length prefix. Lengths beyond the format are caught by the prefix itself.
    fn len(&self) -> usize {
        let Self { record, timestamp_delta, headers } = self;
        let fixed = 1 + varlong_len(*timestamp_delta) + varint_len(record.offset_delta);
        let parts = nullable_len(record.key).and_then(|key| Ok(key + nullable_len(record.value)?));
        parts.map_or(usize::MAX, |parts| fixed + parts + varint_len(headers.count) + headers.len)
    }

    fn put<'h>(&self, out: &mut Vec<u8>, headers: impl Iterator<Item = (&'h [u8], Option<&'h [u8]>)>) {
        out.put_u8(0);
        put_varlong(out, self.timestamp_delta);
        put_varint(out, self.record.offset_delta);
        put_nullable(out, self.record.key);
        put_nullable(out, self.record.value);
        put_varint(out, self.headers.count);
        for (key, value) in headers {
            put_nullable(out, Some(key));
            put_nullable(out, value);
        }
    }
}

fn nullable_len(bytes: Option<&[u8]>) -> Result<usize, BuildError> {
    match bytes {
        None => Ok(1),
        Some(bytes) => Ok(varint_len(length_of(bytes.len())?) + bytes.len()),
    }
}

/// Writes length and bytes; the length was measured, so it fits.
fn put_nullable(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        None => put_varint(out, -1),
        Some(bytes) => {
            put_varint(out, i32::try_from(bytes.len()).unwrap_or(i32::MAX));
            out.put_slice(bytes);
        }
    }
}

fn length_of(length: usize) -> Result<i32, BuildError> {
    i32::try_from(length).map_err(|_| BuildError::TooLarge(length))
}
