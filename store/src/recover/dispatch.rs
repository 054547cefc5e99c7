//! What a frame found by a scan means for the queues: the same units the append would have pushed.
//!
//! Source: RocketMQ 5.3.3 `store/CommitLog.java` (`checkMessageAndReturnSize`, DispatchRequest).

use std::io;
use std::sync::atomic::Ordering;

use super::{Base, Recovery};
use crate::config::QueueKind;
use crate::format::inner::inner_num;
use crate::format::{BatchKind, CommitOffset, FrameView, properties};
use crate::queue_index::{Queue, Unit};
use crate::scan::{Scanner, Step};

impl Recovery<'_> {
    /// Pushes the frame's unit; `false` when the frame cannot be what was appended.
    pub(super) fn dispatch(
        &self,
        frame: &FrameView<'_>,
        base: &Base,
        rebuild: &mut Vec<u32>,
    ) -> io::Result<bool> {
        let Some(unit) = self.unit(frame) else { return Ok(false) };
        let Ok(topic) = frame.topic() else { return Ok(false) };
        if !is_directory_name(topic) || frame.queue_id() < 0 {
            return Ok(false);
        }
        if !frame.sys_flag().enters_queue() || self.queues.is_removed(topic, frame.commit_offset()) {
            return Ok(true);
        }
        let Some(queue) = self.queue_of(frame, topic, base)? else { return Ok(true) };
        if rebuild.contains(&queue.ordinal()) {
            return Ok(true);
        }
        let next = queue.next();
        let fits = frame.sys_flag().batch_kind() == BatchKind::Native || queue.kind() == QueueKind::Batch;
        if !fits || unit.queue_offset < next {
            tracing::error!(topic, queue = queue.id(), at = %frame.commit_offset(), "frame does not fit its queue");
            return Ok(true);
        }
        let missing = unit.queue_offset > next;
        if missing && !base.from_first_file && self.fences.is_empty() {
            rebuild.push(queue.ordinal());
            return Ok(true);
        }
        self.push(&queue, &unit);
        Ok(true)
    }

    fn push(&self, queue: &Queue, unit: &Unit) {
        queue.0.push_found(unit);
        self.queues.list(queue, 1);
    }

    fn queue_of(&self, frame: &FrameView<'_>, topic: &str, base: &Base) -> io::Result<Option<Queue>> {
        if let Some(queue) = self.queues.queue(topic, frame.queue_id()) {
            return Ok(Some(queue));
        }
        let kind = match frame.sys_flag().batch_kind() {
            BatchKind::Native => (self.kinds)(topic),
            BatchKind::KafkaBatch | BatchKind::InnerBatch => QueueKind::Batch,
        };
        let deleted_before = base.deleted_before_ms.get(&kind).copied().unwrap_or(0);
        if frame.store_timestamp() < deleted_before && !self.queues.has_topic(topic) {
            return Ok(None);
        }
        self.queues.ensure(topic, frame.queue_id(), kind).map(Some)
    }

    fn unit(&self, frame: &FrameView<'_>) -> Option<Unit> {
        let extracted = properties::extract(frame.properties(), frame.topic_bytes());
        Some(Unit {
            queue_offset: frame.queue_offset(),
            records: inner_num(frame).ok()?.value(),
            commit_offset: frame.commit_offset(),
            size: frame.total_size(),
            tags_code: extracted.tags_code_at(frame.store_timestamp(), &self.config.level_delays_ms),
            store_timestamp: frame.store_timestamp(),
        })
    }

    /// Makes the units of these queues anew from the whole log.
    pub(super) fn rebuild(&self, ordinals: &[u32], end: CommitOffset) -> io::Result<()> {
        let mut queues = self.queues.queues();
        queues.retain(|queue| ordinals.contains(&queue.ordinal()));
        for queue in &queues {
            tracing::info!(
                topic = queue.topic(),
                queue = queue.id(),
                "rebuilding queue files from the CommitLog"
            );
            queue.0.reset()?;
        }
        let mut scanner = Scanner::new(self.log, self.log.min());
        while scanner.at() < end {
            let at = scanner.at();
            match scanner.step()? {
                Step::Frame(frame) => self.redispatch(&frame, &queues),
                Step::NextFile => {}
                Step::End | Step::Bad => {
                    let known = self.fences.iter().find(|fence| fence.holds(at));
                    let file_end = self.log.file_at(at).map_or(end, |file| file.end());
                    scanner.jump(at);
                    let behind = scanner.resync(file_end.min(end))?.unwrap_or(file_end.min(end));
                    scanner.jump(known.map_or(behind, |fence| fence.end));
                }
            }
            if self.queues.pending() > super::PENDING_UNITS {
                self.queues.write_pending()?;
            }
        }
        Ok(())
    }

    fn redispatch(&self, frame: &FrameView<'_>, queues: &[Queue]) {
        let owner = |queue: &&Queue| {
            queue.topic().as_bytes() == frame.topic_bytes() && queue.id() == frame.queue_id()
        };
        let (Some(queue), Some(unit)) = (queues.iter().find(owner), self.unit(frame)) else { return };
        let removed = self.queues.is_removed(queue.topic(), frame.commit_offset());
        let next = queue.0.next.load(Ordering::Relaxed);
        if !removed && frame.sys_flag().enters_queue() && unit.queue_offset.0 >= next {
            self.push(queue, &unit);
        }
    }
}

/// Whether a topic can name a directory below another one.
pub(crate) fn is_directory_name(topic: &str) -> bool {
    !topic.is_empty() && topic != "." && topic != ".." && !topic.contains(['/', '\0']) && topic.len() <= 255
}
