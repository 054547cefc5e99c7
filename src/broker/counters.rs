//! What went through the broker since it started: messages, bytes and requests of each dialect, and refusals by
//! reason.
//!
//! Each thread adds to one of a few shards, so that cores do not fight for a cache line, and nothing is looked up
//! by name; who asks for totals adds the shards up. Not here: what can be seen by looking (`gauges`), and the
//! names under which a monitor shows them (the server's part).

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use gantry_store::AppendError;

use super::Broker;
use super::append::SendError;
use super::group_settings::GroupRefusal;
use super::produce::ProduceError;
use super::pull::PullError;
use super::read::ReadRefusal;
use super::statistics::FlowCells;
use crate::semantics::Dialect;
pub use crate::semantics::statistics::Flow;

/// Shards: as many as the cores of the machines this is tuned for.
pub(super) const SHARDS: usize = 8;

/// Why a request was refused, as coarse as an alert needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The topic or the queue is not there.
    Unknown,
    /// A permission is missing, of the broker or the topic.
    Permission,
    /// A message, batch or frame is larger than allowed.
    TooLarge,
    /// The request breaks a rule.
    Invalid,
    /// A feature that is not served.
    NotServed,
    /// The batch does not follow its producer's last one.
    Sequence,
    /// The other dialect holds the group.
    GroupHeld,
    /// The group's subscription is missing or old.
    Subscription,
    /// An offset outside of the queue, or an epoch that is not the leader's.
    Position,
    /// Something is being made ready; the client tries again.
    Busy,
    /// The disk is too full.
    DiskFull,
    /// The disk failed, or damaged messages stand there.
    Storage,
}

/// How many reasons there are.
const REASONS: usize = 12;

impl Reason {
    /// All of them.
    pub const ALL: [Self; REASONS] = [
        Self::Unknown,
        Self::Permission,
        Self::TooLarge,
        Self::Invalid,
        Self::NotServed,
        Self::Sequence,
        Self::GroupHeld,
        Self::Subscription,
        Self::Position,
        Self::Busy,
        Self::DiskFull,
        Self::Storage,
    ];

    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Permission => "permission",
            Self::TooLarge => "too_large",
            Self::Invalid => "invalid",
            Self::NotServed => "not_served",
            Self::Sequence => "sequence",
            Self::GroupHeld => "group_held",
            Self::Subscription => "subscription",
            Self::Position => "position",
            Self::Busy => "busy",
            Self::DiskFull => "disk_full",
            Self::Storage => "storage",
        }
    }
}

/// Totals of one dialect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Stored for producers.
    pub stored: Flow,
    /// Given to consumers.
    pub read: Flow,
    /// Requests that found no message.
    pub missed: u64,
    /// Stored messages by size, in the order of [`SIZE_BOUNDS`]; messages of one batch count with their mean.
    pub sizes: [u64; SIZES],
    /// Refused sends (Kafka: produce requests), in the order of [`Reason::ALL`].
    pub sends_refused: [u64; REASONS],
    /// Refused pulls (Kafka: fetches), in the order of [`Reason::ALL`].
    pub reads_refused: [u64; REASONS],
}

/// Upper bounds of the buckets of message sizes, bytes; one more bucket holds larger ones.
/// Source: RocketMQ 5.3.3 `broker/metrics/BrokerMetricsManager.java`.
pub const SIZE_BOUNDS: [u64; 6] = [1 << 10, 4 << 10, 512 << 10, 1 << 20, 2 << 20, 4 << 20];
const SIZES: usize = SIZE_BOUNDS.len() + 1;

/// The counters of a broker.
#[derive(Debug, Default)]
pub(super) struct Counters([Shard; SHARDS]);

/// Two cache lines apart: adjacent ones are fetched together.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard {
    native: Cells,
    kafka: Cells,
}

#[derive(Debug, Default)]
struct Cells {
    stored: FlowCells,
    read: FlowCells,
    missed: AtomicU64,
    sizes: [AtomicU64; SIZES],
    sends_refused: [AtomicU64; REASONS],
    reads_refused: [AtomicU64; REASONS],
}

impl Cells {
    fn add_to(&self, total: &mut Totals) {
        total.stored = total.stored.with(self.stored.read());
        total.read = total.read.with(self.read.read());
        total.missed += self.missed.load(Ordering::Relaxed);
        add_all(&self.sizes, &mut total.sizes);
        add_all(&self.sends_refused, &mut total.sends_refused);
        add_all(&self.reads_refused, &mut total.reads_refused);
    }
}

fn add_all(cells: &[AtomicU64], totals: &mut [u64]) {
    for (cell, total) in cells.iter().zip(totals) {
        *total += cell.load(Ordering::Relaxed);
    }
}

impl Counters {
    /// The cells of this thread for `dialect`.
    fn cells(&self, dialect: Dialect) -> &Cells {
        let [first, ..] = &self.0;
        let shard = self.0.get(shard_of_this_thread()).unwrap_or(first);
        match dialect {
            Dialect::Native => &shard.native,
            Dialect::Kafka => &shard.kafka,
        }
    }

    /// A producer's messages are stored.
    pub(super) fn stored(&self, dialect: Dialect, flow: Flow) {
        let cells = self.cells(dialect);
        cells.stored.add(flow);
        let size = flow.bytes / flow.messages.max(1);
        if let Some(cell) = cells.sizes.get(SIZE_BOUNDS.partition_point(|bound| *bound < size)) {
            cell.fetch_add(flow.messages, Ordering::Relaxed);
        }
    }

    /// A consumer is given messages.
    pub(super) fn read(&self, dialect: Dialect, flow: Flow) {
        self.cells(dialect).read.add(flow);
    }

    /// A consumer's request finds no message.
    pub(super) fn missed(&self, dialect: Dialect) {
        self.cells(dialect).missed.fetch_add(1, Ordering::Relaxed);
    }

    /// A producer is refused.
    pub(super) fn send_refused(&self, dialect: Dialect, reason: Reason) {
        if let Some(cell) = self.cells(dialect).sends_refused.get(reason as usize) {
            cell.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A consumer is refused.
    pub(super) fn read_refused(&self, dialect: Dialect, reason: Reason) {
        if let Some(cell) = self.cells(dialect).reads_refused.get(reason as usize) {
            cell.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn totals(&self, dialect: Dialect) -> Totals {
        let mut totals = Totals::default();
        for shard in &self.0 {
            match dialect {
                Dialect::Native => shard.native.add_to(&mut totals),
                Dialect::Kafka => shard.kafka.add_to(&mut totals),
            }
        }
        totals
    }
}

/// Threads are dealt out in turn: the runtime's own come first and get one each.
pub(super) fn shard_of_this_thread() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static SHARD: Cell<usize> = Cell::new(NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS);
    }
    SHARD.with(Cell::get)
}

/// Bytes or messages as they are counted; nothing negative is ever handed in.
pub(super) fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

impl Broker {
    /// What went through in one dialect since the start. Blocks on nothing.
    #[must_use]
    pub fn totals(&self, dialect: Dialect) -> Totals {
        self.counters.totals(dialect)
    }

    /// A fetch of Kafka's is answered with so many records and bytes. Fetches are read again while they wait, so
    /// who answers says so.
    pub fn fetch_answered(&self, messages: u64, bytes: u64) {
        self.counters.read(Dialect::Kafka, Flow { requests: 1, messages, bytes });
        if messages == 0 {
            self.counters.missed(Dialect::Kafka);
        }
    }
}

impl From<&SendError> for Reason {
    fn from(error: &SendError) -> Self {
        match error {
            SendError::NoTopic(_) | SendError::QueueId { .. } => Self::Unknown,
            SendError::SystemTopic(_) | SendError::NoPermission(_) => Self::Permission,
            SendError::BodySize { .. } | SendError::Frame(_) => Self::TooLarge,
            SendError::TopicName { .. }
            | SendError::EmptyBody
            | SendError::Batch(_)
            | SendError::ReservedProperty(_) => Self::Invalid,
            SendError::NotServed(_) => Self::NotServed,
            SendError::NotDurable(_) => Self::Busy,
            SendError::Group(_) => Self::Unknown,
            SendError::Queue(_) => Self::Storage,
        }
    }
}

impl From<&AppendError> for Reason {
    fn from(error: &AppendError) -> Self {
        match error {
            AppendError::TooLarge { .. } => Self::TooLarge,
            AppendError::QueueRemoved => Self::Unknown,
            AppendError::DiskFull => Self::DiskFull,
            AppendError::Closed | AppendError::Poisoned(_) | AppendError::Io(_) => Self::Storage,
        }
    }
}

impl From<&ProduceError> for Reason {
    fn from(error: &ProduceError) -> Self {
        match error {
            ProduceError::UnknownPartition => Self::Unknown,
            ProduceError::NotWritable => Self::Permission,
            ProduceError::Frame(_) | ProduceError::Verbatim(_) => Self::TooLarge,
            ProduceError::RequiredAcks(_)
            | ProduceError::NotEnoughReplicas { .. }
            | ProduceError::Batch(_)
            | ProduceError::Explode(_)
            | ProduceError::NoSequence => Self::Invalid,
            ProduceError::Transactional => Self::NotServed,
            ProduceError::Sequence(_) => Self::Sequence,
            ProduceError::Queue(_) => Self::Storage,
            ProduceError::Append(error) => error.into(),
        }
    }
}

impl From<&PullError> for Reason {
    fn from(error: &PullError) -> Self {
        match error {
            PullError::NoTopic(_) | PullError::QueueId { .. } => Self::Unknown,
            PullError::NotReadable(_) | PullError::NoPermission(_) => Self::Permission,
            PullError::FilterKind(_) => Self::NotServed,
            PullError::Subscription(_) | PullError::NoSubscription(_) | PullError::OldSubscription => {
                Self::Subscription
            }
            PullError::Group(GroupRefusal::Unknown(_)) => Self::Unknown,
            PullError::Group(_) => Self::Permission,
            PullError::Held { .. } => Self::GroupHeld,
        }
    }
}

impl From<&ReadRefusal> for Reason {
    fn from(error: &ReadRefusal) -> Self {
        match error {
            ReadRefusal::UnknownPartition => Self::Unknown,
            ReadRefusal::NotReadable => Self::Permission,
            ReadRefusal::OutOfRange { .. }
            | ReadRefusal::FencedEpoch { .. }
            | ReadRefusal::UnknownEpoch { .. } => Self::Position,
            ReadRefusal::Store(_) | ReadRefusal::Queue(_) | ReadRefusal::Convert { .. } => Self::Storage,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_stands_at_its_own_place() {
        for (at, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, at, "{}", reason.name());
        }
    }

    #[test]
    fn totals_add_up_what_all_threads_did() {
        let counters = Counters::default();
        let flow = Flow { requests: 1, messages: 2, bytes: 30 };
        std::thread::scope(|scope| {
            for _ in 0..SHARDS + 3 {
                scope.spawn(|| {
                    counters.stored(Dialect::Kafka, flow);
                    counters.read_refused(Dialect::Native, Reason::GroupHeld);
                });
            }
        });
        let threads = SHARDS as u64 + 3;
        let expected = Flow { requests: threads, messages: 2 * threads, bytes: 30 * threads };
        assert_eq!(counters.totals(Dialect::Kafka).stored, expected);
        assert_eq!(counters.totals(Dialect::Native).stored, Flow::default());
        assert_eq!(counters.totals(Dialect::Native).reads_refused[Reason::GroupHeld as usize], threads);
    }
}
