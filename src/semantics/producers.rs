//! Idempotent producers of one partition: which batch is new, which was appended before, which is out of order.
//!
//! Of each producer id the last five batches are remembered: a client has at most five requests in flight, so
//! an older batch cannot be repeated. Order of use: [`Producers::check`] before the append, under the
//! partition's lock; [`Producers::record`] when the batch has its offset. After a restart the table is a
//! snapshot plus the batches behind it, recorded in log order.
//!
//! Not here: transactions. A batch of an open transaction is checked like any other.
//!
//! Source: Kafka 4.1 `ProducerAppendInfo`, `ProducerStateEntry`, `ProducerStateManager`; KIP-98, KIP-360.

use std::collections::HashMap;

use super::Millis;

/// Batches remembered of each producer.
pub const BATCHES_KEPT: usize = 5;

/// How long an idle producer is remembered unless configured (`producer.id.expiration.ms`).
pub const EXPIRATION_MS: i64 = 86_400_000;

/// Id of a producer, given by the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProducerId(pub i64);

/// Producer fields of a batch that arrives or is read back from the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerBatch {
    /// Who produced it.
    pub producer: ProducerId,
    /// The producer's epoch.
    pub epoch: i16,
    /// Sequence of its first record.
    pub first_sequence: i32,
    /// Its records; at least 1.
    pub count: i32,
}

impl ProducerBatch {
    /// Sequence of the last record; 2^31-1 is followed by 0.
    pub const fn last_sequence(&self) -> i32 {
        self.first_sequence.wrapping_add(self.count.wrapping_sub(1)) & i32::MAX
    }
}

/// A batch that was appended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AppendedBatch {
    /// Sequence of its first record.
    pub first_sequence: i32,
    /// Sequence of its last record.
    pub last_sequence: i32,
    /// Queue offset of its first record.
    pub base_offset: i64,
    /// The timestamp the producer was answered with, ms.
    pub timestamp: i64,
}

/// What to do with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Append it.
    Append,
    /// It was appended before: answer success with what it got then.
    Duplicate {
        /// Queue offset of its first record.
        base_offset: i64,
        /// Its timestamp, ms.
        timestamp: i64,
    },
}

/// Why a batch is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SequenceError {
    /// A newer instance of the producer is at work.
    #[error("producer epoch {epoch} is below the current epoch {current}; a newer producer took over")]
    InvalidProducerEpoch {
        /// Of the batch.
        epoch: i16,
        /// What is known.
        current: i16,
    },
    /// A batch before it is missing, or it is older than what is remembered.
    #[error("sequence {first_sequence} does not follow {last_sequence}; an earlier batch is missing")]
    OutOfOrderSequence {
        /// Of the batch.
        first_sequence: i32,
        /// The last one that was appended; -1 for none in this epoch.
        last_sequence: i32,
    },
}

/// What is remembered of one producer; also the plain value a snapshot holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducerState {
    /// Who.
    pub producer: ProducerId,
    /// The latest epoch.
    pub epoch: i16,
    /// When it appended last.
    pub last_append: Millis,
    batches: [AppendedBatch; BATCHES_KEPT],
    batch_count: u8,
}

impl ProducerState {
    /// The state that these batches of the epoch leave; only the last five are kept.
    pub fn new(producer: ProducerId, epoch: i16, last_append: Millis, batches: &[AppendedBatch]) -> Self {
        let mut state = Self { producer, epoch, last_append, batches: Default::default(), batch_count: 0 };
        for batch in batches {
            state.push(*batch);
        }
        state
    }

    /// The remembered batches of the epoch, oldest first.
    pub fn batches(&self) -> &[AppendedBatch] {
        self.batches.get(..usize::from(self.batch_count)).unwrap_or_default()
    }

    /// Sequence of the last record; -1 when nothing of the epoch is remembered.
    pub fn last_sequence(&self) -> i32 {
        self.batches().last().map_or(-1, |batch| batch.last_sequence)
    }

    fn push(&mut self, batch: AppendedBatch) {
        if usize::from(self.batch_count) == BATCHES_KEPT {
            self.batches.rotate_left(1);
            self.batch_count -= 1;
        }
        if let Some(slot) = self.batches.get_mut(usize::from(self.batch_count)) {
            *slot = batch;
            self.batch_count += 1;
        }
    }

    fn check(&self, batch: &ProducerBatch) -> Result<Verdict, SequenceError> {
        if batch.epoch < self.epoch {
            return Err(SequenceError::InvalidProducerEpoch { epoch: batch.epoch, current: self.epoch });
        }
        if self.epoch < batch.epoch {
            return in_order(-1, batch.first_sequence);
        }
        let sequences = (batch.first_sequence, batch.last_sequence());
        let known =
            self.batches().iter().find(|known| (known.first_sequence, known.last_sequence) == sequences);
        match known {
            Some(known) => {
                Ok(Verdict::Duplicate { base_offset: known.base_offset, timestamp: known.timestamp })
            }
            None => in_order(self.last_sequence(), batch.first_sequence),
        }
    }
}

fn in_order(last_sequence: i32, first_sequence: i32) -> Result<Verdict, SequenceError> {
    let next = last_sequence.wrapping_add(1) & i32::MAX;
    if first_sequence == next {
        Ok(Verdict::Append)
    } else {
        Err(SequenceError::OutOfOrderSequence { first_sequence, last_sequence })
    }
}

/// The producers of one partition.
#[derive(Clone, Debug)]
pub struct Producers {
    table: HashMap<ProducerId, ProducerState>,
    expiration_ms: i64,
}

impl Default for Producers {
    fn default() -> Self {
        Self::new([])
    }
}

impl Producers {
    /// The table as a snapshot holds it; batches behind the snapshot follow by [`Producers::record`].
    pub fn new(snapshot: impl IntoIterator<Item = ProducerState>) -> Self {
        let table = snapshot.into_iter().map(|state| (state.producer, state)).collect();
        Self { table, expiration_ms: EXPIRATION_MS }
    }

    /// With another time than [`EXPIRATION_MS`] for idle producers, ms.
    #[must_use]
    pub fn expiring_after(self, expiration_ms: i64) -> Self {
        Self { expiration_ms, ..self }
    }

    /// What to do with a batch that arrives at `now`. A producer that is not remembered, or was idle for
    /// the expiration time, may begin with any sequence. Changes nothing.
    ///
    /// # Errors
    /// [`SequenceError`].
    pub fn check(&self, now: Millis, batch: &ProducerBatch) -> Result<Verdict, SequenceError> {
        match self.table.get(&batch.producer) {
            Some(state) if !is_expired(state, now, self.expiration_ms) => state.check(batch),
            _ => Ok(Verdict::Append),
        }
    }

    /// The batch was appended at `base_offset`, or stands there in the log that is read back. `timestamp` is
    /// what its producer is answered with; `appended_at` the store's time.
    pub fn record(&mut self, appended_at: Millis, batch: &ProducerBatch, base_offset: i64, timestamp: i64) {
        let appended = AppendedBatch {
            first_sequence: batch.first_sequence,
            last_sequence: batch.last_sequence(),
            base_offset,
            timestamp,
        };
        let fresh = || ProducerState::new(batch.producer, batch.epoch, appended_at, &[]);
        let state = self.table.entry(batch.producer).or_insert_with(fresh);
        if state.epoch != batch.epoch || is_expired(state, appended_at, self.expiration_ms) {
            *state = fresh();
        }
        state.last_append = appended_at;
        state.push(appended);
    }

    /// Forgets producers that were idle for the expiration time; returns how many.
    pub fn expire(&mut self, now: Millis) -> usize {
        let before = self.table.len();
        let expiration_ms = self.expiration_ms;
        self.table.retain(|_, state| !is_expired(state, now, expiration_ms));
        before - self.table.len()
    }

    /// Every producer, in no order: a snapshot, or an administrator's list.
    pub fn iter(&self) -> impl Iterator<Item = &ProducerState> {
        self.table.values()
    }

    /// How many producers are remembered.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether no producer is remembered.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }
}

fn is_expired(state: &ProducerState, now: Millis, expiration_ms: i64) -> bool {
    expiration_ms <= now.since(state.last_append)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::semantics::Schedule;

    const NOW: Millis = Millis(1_000);

    fn batch(epoch: i16, first_sequence: i32, count: i32) -> ProducerBatch {
        ProducerBatch { producer: ProducerId(9), epoch, first_sequence, count }
    }

    fn with(batches: &[ProducerBatch]) -> Producers {
        let mut producers = Producers::default();
        let mut offset = 0;
        for batch in batches {
            assert_eq!(producers.check(NOW, batch), Ok(Verdict::Append));
            producers.record(NOW, batch, offset, 500 + offset);
            offset += i64::from(batch.count);
        }
        producers
    }

    fn out_of_order(first_sequence: i32, last_sequence: i32) -> Result<Verdict, SequenceError> {
        Err(SequenceError::OutOfOrderSequence { first_sequence, last_sequence })
    }

    #[test]
    fn accepts_any_first_sequence_of_an_unknown_producer() {
        assert_eq!(Producers::default().check(NOW, &batch(0, 17, 3)), Ok(Verdict::Append));
    }

    #[test]
    fn answers_each_of_the_last_five_batches_with_its_first_offset() {
        let batches: Vec<_> = (0..6).map(|i| batch(0, i * 10, 10)).collect();
        let producers = with(&batches);
        for i in 1..6 {
            let expected =
                Verdict::Duplicate { base_offset: i64::from(i) * 10, timestamp: 500 + i64::from(i) * 10 };
            assert_eq!(producers.check(NOW, &batch(0, i * 10, 10)), Ok(expected));
        }
        assert_eq!(producers.check(NOW, &batch(0, 0, 10)), out_of_order(0, 59));
    }

    #[test]
    fn refuses_gaps_and_batches_that_only_overlap() {
        let producers = with(&[batch(0, 0, 10)]);
        assert_eq!(producers.check(NOW, &batch(0, 11, 1)), out_of_order(11, 9));
        assert_eq!(producers.check(NOW, &batch(0, 0, 5)), out_of_order(0, 9));
        assert_eq!(producers.check(NOW, &batch(0, 10, 1)), Ok(Verdict::Append));
    }

    #[test]
    fn wraps_the_sequence_after_its_maximum() {
        let over = batch(0, i32::MAX - 1, 4);
        assert_eq!(over.last_sequence(), 1);
        let producers = with(&[over]);
        assert_eq!(producers.check(NOW, &batch(0, 2, 1)), Ok(Verdict::Append));
        let last = with(&[batch(0, i32::MAX, 1)]);
        assert_eq!(last.check(NOW, &batch(0, 0, 1)), Ok(Verdict::Append));
    }

    #[test]
    fn fences_old_epochs_and_begins_new_ones_at_zero() {
        let mut producers = with(&[batch(3, 0, 10)]);
        let refused = SequenceError::InvalidProducerEpoch { epoch: 2, current: 3 };
        assert_eq!(producers.check(NOW, &batch(2, 10, 1)), Err(refused));
        assert_eq!(producers.check(NOW, &batch(4, 10, 1)), out_of_order(10, -1));
        assert_eq!(producers.check(NOW, &batch(4, 0, 10)), Ok(Verdict::Append));
        producers.record(NOW, &batch(4, 0, 10), 10, 0);
        let duplicate = Verdict::Duplicate { base_offset: 10, timestamp: 0 };
        assert_eq!(producers.check(NOW, &batch(4, 0, 10)), Ok(duplicate));
    }

    #[test]
    fn forgets_producers_after_a_day() {
        let mut producers = with(&[batch(0, 0, 1)]);
        let day_later = NOW.plus(EXPIRATION_MS);
        assert_eq!(producers.check(day_later.plus(-1), &batch(0, 7, 1)), out_of_order(7, 0));
        assert_eq!(producers.check(day_later, &batch(0, 7, 1)), Ok(Verdict::Append));
        assert_eq!((producers.expire(day_later.plus(-1)), producers.expire(day_later)), (0, 1));
    }

    #[test]
    fn forgets_producers_as_early_as_configured() {
        let mut producers = Producers::default().expiring_after(10);
        producers.record(NOW, &batch(0, 0, 1), 0, 0);
        assert_eq!(producers.check(NOW.plus(9), &batch(0, 7, 1)), out_of_order(7, 0));
        assert_eq!(producers.check(NOW.plus(10), &batch(0, 7, 1)), Ok(Verdict::Append));
        assert_eq!(producers.expire(NOW.plus(10)), 1);
    }

    /// A snapshot at any place of the log, plus the batches behind it, decides like the table that saw all.
    #[test]
    fn decides_alike_after_a_snapshot_and_replay() {
        for seed in 0..50 {
            let mut schedule = Schedule::new(seed);
            let (mut live, mut log) = (Producers::default(), Vec::new());
            for offset in 0..60 {
                let candidate = ProducerBatch {
                    producer: ProducerId(schedule.below(3) as i64),
                    epoch: schedule.below(2) as i16,
                    first_sequence: schedule.below(6) as i32,
                    count: 1 + schedule.below(2) as i32,
                };
                if live.check(NOW, &candidate) == Ok(Verdict::Append) {
                    live.record(NOW, &candidate, offset, offset);
                    log.push((candidate, offset));
                }
            }
            let (before, behind) = log.split_at(schedule.below(log.len() as u64) as usize);
            let mut first = Producers::default();
            before.iter().for_each(|(batch, offset)| first.record(NOW, batch, *offset, *offset));
            let snapshot =
                first.iter().map(|s| ProducerState::new(s.producer, s.epoch, s.last_append, s.batches()));
            let mut second = Producers::new(snapshot);
            behind.iter().for_each(|(batch, offset)| second.record(NOW, batch, *offset, *offset));
            assert_eq!(second.table, live.table, "seed {seed}");
        }
    }
}
