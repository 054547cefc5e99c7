//! What readers need of a stored Kafka batch without knowing its layout: its head for a fetch, its record times.

use bytes::Bytes;
use gantry_protocols::kafka::attributes::Codec;
use gantry_protocols::kafka::batch::{BatchView, HEAD_LEN};
use gantry_protocols::kafka::batch_error::{BatchError, BlockError};
use gantry_protocols::kafka::record::RecordError;
use gantry_store::format::{BatchKind, FrameView};

/// The codec of batches that native messages are packed into by default.
pub const UNCOMPRESSED: Codec = Codec::None;

/// Why the times of a batch cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum TimesError {
    /// The body is no batch.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// The records do not decompress.
    #[error("the records do not decompress: {0}")]
    Block(String),
    /// A record is malformed.
    #[error(transparent)]
    Record(#[from] RecordError),
}

/// The first bytes of `batch` with the base offset and leader epoch that readers shall see, and the rest as it is.
///
/// # Errors
/// The bytes are no batch.
pub fn with_base(
    batch: &Bytes,
    base_offset: i64,
    leader_epoch: i32,
) -> Result<([u8; HEAD_LEN], Bytes), BatchError> {
    let head = BatchView::only(batch)?.fetch_head(base_offset, leader_epoch);
    Ok((head, batch.slice(HEAD_LEN..)))
}

/// Offset and time of the first record of `frame` at or after `time`, records below the offset `from` left out.
///
/// # Errors
/// A batch that cannot be read.
pub fn first_at_or_after(
    frame: &FrameView<'_>,
    from: i64,
    time: i64,
    cap: usize,
) -> Result<Option<(i64, i64)>, TimesError> {
    let base = frame.queue_offset().0;
    if frame.sys_flag().batch_kind() != BatchKind::KafkaBatch {
        return Ok(Some((base, frame.born_timestamp())).filter(|(offset, at)| *offset >= from && *at >= time));
    }
    let view = BatchView::only(frame.body())?;
    if view.is_log_append_time() {
        // All records have the same time.
        let offset = base.max(from);
        let is_here = offset < base + i64::from(view.count());
        return Ok(Some((offset, view.max_timestamp())).filter(|(_, at)| is_here && *at >= time));
    }
    let block = view.decompressed(cap).map_err(|error| match error {
        BlockError::Batch(error) => TimesError::Batch(error),
        BlockError::Decompress(error) => TimesError::Block(error.to_string()),
    })?;
    for record in view.records(&block) {
        let record = record?;
        let (offset, at) = (base + i64::from(record.offset_delta), view.timestamp(record.timestamp_delta));
        if offset >= from && at >= time {
            return Ok(Some((offset, at)));
        }
    }
    Ok(None)
}
