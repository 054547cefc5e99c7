//! Why a verb of the store failed: one enum a verb, one fact a variant.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::config::QueueKind;
use crate::disk::LockError;
use crate::format::frame::EncodeError;
use crate::format::{CommitOffset, QueueOffset};
use crate::key_index::KeyIndexError;

/// A sync failed: what is durable is unknown, so nothing is acknowledged any more until a restart.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the store stopped accepting messages after a failed disk operation ({reason}); restart the broker")]
pub struct Poisoned {
    /// The operation and the system's words.
    pub reason: Arc<str>,
}

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process uses the directory.
    #[error("{} is in use; stop the other broker or choose another storePathRootDir", root.display())]
    InUse {
        /// The store's root.
        root: PathBuf,
        /// Who holds it.
        #[source]
        lock: LockError,
    },
    /// A CommitLog file has another length than configured.
    #[error(
        "{} has {len} bytes; set mappedFileSizeCommitLog to the size it was made with (configured: {expected})",
        path.display()
    )]
    FileLength {
        /// The file.
        path: PathBuf,
        /// Its length.
        len: u64,
        /// The configured length.
        expected: u64,
    },
    /// A CommitLog file is missing between two others.
    #[error("{} is missing; restore it from a backup", path.display())]
    MissingFile {
        /// The file that should be there.
        path: PathBuf,
    },
    /// The settings cannot work.
    #[error("{setting} = {value} is too small for one message; raise it")]
    Setting {
        /// Name of the setting.
        setting: &'static str,
        /// Its value.
        value: u64,
    },
    /// The key index could not be opened.
    #[error(transparent)]
    KeyIndex(#[from] KeyIndexError),
    /// The system refused a call.
    #[error("{doing} failed in {}", root.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The store's root.
        root: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
}

/// Why messages were not appended. Nothing of the batch is visible then.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// A frame is larger than allowed, or an all-or-nothing unit is larger than a CommitLog file.
    #[error("{size} bytes are more than the {limit} that fit; send smaller messages")]
    TooLarge {
        /// Bytes of the frame or unit.
        size: u64,
        /// Most bytes allowed.
        limit: u64,
    },
    /// The disk is full or above its limit.
    #[error("no space left for the CommitLog; free disk space or shorten fileReservedTime")]
    DiskFull,
    /// The system refused the write.
    #[error("writing the CommitLog failed")]
    Io(#[source] io::Error),
    /// The queue's topic was removed.
    #[error("the queue was removed")]
    QueueRemoved,
    /// The store is being closed.
    #[error("the store is closed")]
    Closed,
    /// An earlier disk failure.
    #[error(transparent)]
    Poisoned(#[from] Poisoned),
}

/// Why an item was not taken into a batch. The batch is unchanged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    /// A stock broker ends its log at such a frame, so it must never be written.
    #[error("a frame holds 1 to 32767 records, not {records}; split the batch")]
    RecordCount {
        /// Records given.
        records: i32,
    },
    /// The sysFlag says native and there are several records, or the reverse.
    #[error("sysFlag {sys_flag:#x} does not fit {records} records")]
    SysFlag {
        /// The flag given.
        sys_flag: i32,
        /// Records given.
        records: i32,
    },
    /// Batches enter only queues of kind Batch.
    #[error("a batch frame does not fit into a queue of kind {kind:?}")]
    QueueKind {
        /// The queue's kind.
        kind: QueueKind,
    },
    /// Recovery takes such properties for a torn write.
    #[error("properties are not a sequence of name 0x01 value 0x02; drop what cannot be parsed")]
    Properties,
    /// Topic, properties or size.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The frame is larger than `max_frame_size`.
    #[error("a frame of {size} bytes is above the limit of {limit}")]
    TooLarge {
        /// Bytes of the frame.
        size: u32,
        /// The limit.
        limit: u32,
    },
}

/// Why a queue could not be created.
#[derive(Debug, thiserror::Error)]
pub enum CreateQueueError {
    /// It exists with another kind.
    #[error("queue {id} of topic {topic} exists with kind {existing:?}")]
    Kind {
        /// The topic.
        topic: String,
        /// The queue id.
        id: i32,
        /// Its kind.
        existing: QueueKind,
    },
    /// The name cannot be a directory.
    #[error("topic name {topic:?} cannot be stored")]
    TopicName {
        /// The name.
        topic: String,
    },
    /// A negative queue id.
    #[error("queue id {id} is negative")]
    QueueId {
        /// The id.
        id: i32,
    },
    /// The queue journal could not be written.
    #[error("recording the queue failed")]
    Io(#[from] io::Error),
    /// An earlier disk failure.
    #[error(transparent)]
    Poisoned(#[from] Poisoned),
}

/// Why bytes could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The bytes at this place are damaged; they are never delivered.
    #[error("the CommitLog is damaged at {at}; restore it, or accept the loss by name")]
    Corrupt {
        /// First damaged frame.
        at: CommitOffset,
    },
    /// The message stood in a damaged range of the log and its frame is not known.
    #[error("the message at queue offset {offset} was lost in a damaged range of the CommitLog")]
    Lost {
        /// The queue offset.
        offset: QueueOffset,
    },
    /// No frame begins at this place.
    #[error("no message begins at commit offset {at}")]
    NoFrame {
        /// The place asked for.
        at: CommitOffset,
    },
    /// The place lies outside of the log.
    #[error("commit offset {at} is outside of the log")]
    OutOfRange {
        /// The place asked for.
        at: CommitOffset,
    },
    /// The key index could not be read.
    #[error(transparent)]
    KeyIndex(#[from] KeyIndexError),
    /// The system refused the read.
    #[error("reading the store failed")]
    Io(#[from] io::Error),
}

/// Why the store did not close cleanly. The next start recovers.
#[derive(Debug, thiserror::Error)]
pub enum CloseError {
    /// An earlier disk failure.
    #[error(transparent)]
    Poisoned(#[from] Poisoned),
    /// The key index could not be written.
    #[error(transparent)]
    KeyIndex(#[from] KeyIndexError),
    /// The system refused a call.
    #[error("writing the store's files failed")]
    Io(#[from] io::Error),
}
