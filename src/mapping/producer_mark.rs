//! The producer batch that a stored frame belongs to, read back at start: from the batch itself (mode B) or from
//! the mark that the first record of an exploded batch carries (mode S).

use gantry_protocols::kafka::batch::BatchView;
use gantry_store::format::properties::find;
use gantry_store::format::{BatchKind, FrameView, names};

use super::carriers::ProducerMark;
use crate::semantics::producers::{ProducerBatch, ProducerId};

/// A producer's batch and what it was answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarkedBatch {
    /// The batch.
    pub batch: ProducerBatch,
    /// Queue offset of its first record.
    pub base_offset: i64,
    /// Store time when the topic stamps batches, else -1.
    pub timestamp: i64,
}

/// The batch that begins with `frame`; `None` for frames of other producers and for later records of a batch.
#[must_use]
pub fn read(frame: &FrameView<'_>) -> Option<MarkedBatch> {
    match frame.sys_flag().batch_kind() {
        BatchKind::KafkaBatch => of_batch(frame),
        BatchKind::Native => of_mark(frame),
        BatchKind::InnerBatch => None,
    }
}

fn of_batch(frame: &FrameView<'_>) -> Option<MarkedBatch> {
    let view = BatchView::only(frame.body()).ok()?;
    let has_id = view.producer_id() >= 0 && view.base_sequence() >= 0;
    let batch = ProducerBatch {
        producer: ProducerId(view.producer_id()),
        epoch: view.producer_epoch(),
        first_sequence: view.base_sequence(),
        count: view.count(),
    };
    let timestamp = if view.is_log_append_time() { view.max_timestamp() } else { -1 };
    has_id.then_some(MarkedBatch { batch, base_offset: frame.queue_offset().0, timestamp })
}

fn of_mark(frame: &FrameView<'_>) -> Option<MarkedBatch> {
    let mark = ProducerMark::parse(find(frame.properties(), names::KAFKA_PRODUCER)?)?;
    if mark.producer_id < 0 || mark.index != 0 {
        return None;
    }
    let batch = ProducerBatch {
        producer: ProducerId(mark.producer_id),
        epoch: mark.producer_epoch,
        first_sequence: mark.sequence(),
        count: mark.count,
    };
    let timestamp = if mark.log_append_time { frame.born_timestamp() } else { -1 };
    Some(MarkedBatch { batch, base_offset: frame.queue_offset().0, timestamp })
}
