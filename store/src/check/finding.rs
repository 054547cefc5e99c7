//! What can be wrong with a store, one fact a variant: where it stands and what it says.

use std::sync::Arc;

use crate::format::{CommitOffset, QueueOffset};

/// Something that is not as the log says, or a damaged log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// Bytes of the log that are no frame, with intact frames behind them.
    #[error("no intact frame up to {end}: {} bytes are damaged", end.bytes_since(*begin))]
    Damaged {
        /// First damaged byte.
        begin: CommitOffset,
        /// Where the log goes on.
        end: CommitOffset,
    },
    /// Bytes behind the last frame of a store that was closed cleanly.
    #[error("{bytes} bytes behind the last frame of a store that was closed cleanly")]
    TailBytes {
        /// Behind the last frame.
        at: CommitOffset,
        /// How many.
        bytes: u64,
    },
    /// Messages of a queue that no frame holds.
    #[error("the frame at {at} follows {expected}: messages between them are in no frame")]
    Gap {
        /// The queue.
        queue: QueueName,
        /// The offset that should come.
        expected: QueueOffset,
        /// The offset that came.
        found: QueueOffset,
        /// Its frame.
        at: CommitOffset,
    },
    /// A queue offset that two frames have.
    #[error("the frame at {at} has an offset that was given before; {expected} should come")]
    Repeated {
        /// The queue.
        queue: QueueName,
        /// The offset that should come.
        expected: QueueOffset,
        /// The offset that came.
        found: QueueOffset,
        /// Its frame.
        at: CommitOffset,
    },
    /// A batch that does not say how many messages it holds, or that stands in a queue for single messages.
    #[error("the batch at {at} does not fit its queue")]
    Misfit {
        /// The queue.
        queue: QueueName,
        /// Its offset.
        offset: QueueOffset,
        /// Its frame.
        at: CommitOffset,
    },
    /// A message without a unit.
    #[error("the frame at {at} has no unit")]
    UnitMissing {
        /// The queue.
        queue: QueueName,
        /// The message.
        offset: QueueOffset,
        /// Its frame.
        at: CommitOffset,
    },
    /// A unit that is not what the frame makes.
    #[error("the unit says {unit}, the frame at {at} {frame}")]
    UnitDiffers {
        /// The queue.
        queue: QueueName,
        /// The message.
        offset: QueueOffset,
        /// Its frame.
        at: CommitOffset,
        /// What stands in the file.
        unit: UnitText,
        /// What should stand there.
        frame: UnitText,
    },
    /// Units without a frame.
    #[error("the unit for the frame at {at} stands behind the last message")]
    UnitsBehind {
        /// The queue.
        queue: QueueName,
        /// Behind the last message.
        offset: QueueOffset,
        /// Where the unit points.
        at: CommitOffset,
    },
    /// A queue that should have files.
    #[error("its files are missing, the frame at {at} needs them")]
    FilesMissing {
        /// The queue.
        queue: QueueName,
        /// A frame of it.
        at: CommitOffset,
    },
    /// Files of a queue that was never created.
    #[error("files of a queue that gantry/queues does not know")]
    Stranger {
        /// The queue.
        queue: QueueName,
    },
    /// A key that is not in the key index.
    #[error(
        "a key of the frame at {at} is not in the key index; right only while messageIndexEnable was false"
    )]
    KeyMissing {
        /// The file that should hold it.
        file: Arc<str>,
        /// The frame.
        at: CommitOffset,
    },
    /// An entry of the key index that no frame makes.
    #[error("entry {number} names {at}, where no frame has its key")]
    KeyUnknown {
        /// The file.
        file: Arc<str>,
        /// The entry.
        number: u32,
        /// Where it points.
        at: CommitOffset,
    },
    /// An entry that a query does not reach, or reaches twice.
    #[error("the chain of entry {number} is broken")]
    KeyChain {
        /// The file.
        file: Arc<str>,
        /// The entry.
        number: u32,
    },
    /// A header that its entries contradict.
    #[error("the header's {field} is not what the entries say")]
    KeyHeader {
        /// The file.
        file: Arc<str>,
        /// Name of the field.
        field: &'static str,
    },
    /// A file of the key index that has another length than the others.
    #[error("{len} bytes, the others have {expected}")]
    KeyFileLength {
        /// The file.
        file: Arc<str>,
        /// Its length.
        len: u64,
        /// Length of the others.
        expected: u64,
    },
    /// A closed store without a checkpoint.
    #[error("missing or too short")]
    NoCheckpoint,
    /// A checkpoint from which a Java broker would recover too late.
    #[error("{field} is {value}, the newest frame was stored at {newest}")]
    CheckpointLate {
        /// Name of the field.
        field: &'static str,
        /// Its value, ms.
        value: i64,
        /// Newest store timestamp, ms.
        newest: i64,
    },
    /// A damaged side file.
    #[error("damaged: {cause}")]
    SideFile {
        /// Its name.
        name: Arc<str>,
        /// What is wrong with it.
        cause: Arc<str>,
    },
    /// A side file that speaks of a log that reaches further.
    #[error("it speaks of {says}, the log ends at {end}")]
    Beyond {
        /// Its name.
        name: Arc<str>,
        /// The place it names.
        says: CommitOffset,
        /// Behind the last frame.
        end: CommitOffset,
    },
}

/// A queue by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct QueueName {
    /// The topic.
    pub topic: Arc<str>,
    /// The queue id.
    pub id: i32,
}

/// A unit in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitText(pub Arc<str>);

impl std::fmt::Display for UnitText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::fmt::Display for QueueName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.topic, self.id)
    }
}

impl Finding {
    /// Where it is: a part of the store, and the place in it.
    pub fn place(&self) -> String {
        match self {
            Finding::Damaged { begin: at, .. } | Finding::TailBytes { at, .. } => format!("commitlog {at}"),
            Finding::Gap { queue, found: offset, .. }
            | Finding::Repeated { queue, found: offset, .. }
            | Finding::Misfit { queue, offset, .. }
            | Finding::UnitMissing { queue, offset, .. }
            | Finding::UnitDiffers { queue, offset, .. }
            | Finding::UnitsBehind { queue, offset, .. } => format!("queue {queue} offset {offset}"),
            Finding::FilesMissing { queue, .. } | Finding::Stranger { queue } => format!("queue {queue}"),
            Finding::KeyMissing { file, .. }
            | Finding::KeyUnknown { file, .. }
            | Finding::KeyChain { file, .. }
            | Finding::KeyHeader { file, .. }
            | Finding::KeyFileLength { file, .. } => format!("index/{file}"),
            Finding::NoCheckpoint | Finding::CheckpointLate { .. } => "checkpoint".to_owned(),
            Finding::SideFile { name, .. } | Finding::Beyond { name, .. } => format!("gantry/{name}"),
        }
    }

    /// Whether the CommitLog makes it good: the file is derived and is rebuilt when it is missing.
    pub fn is_derived(&self) -> bool {
        !matches!(
            self,
            Finding::Damaged { .. }
                | Finding::TailBytes { .. }
                | Finding::Gap { .. }
                | Finding::Repeated { .. }
                | Finding::Misfit { .. }
                | Finding::SideFile { .. }
                | Finding::Beyond { .. }
        )
    }
}
