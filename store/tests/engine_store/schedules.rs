//! Random schedules of appends, syncs, faults, kills and power losses on a simulated disk, each from a seed.
//!
//! After every restart: what was acknowledged as flushed is there at the same offsets, what survives is a
//! prefix of the log, offsets are dense, nothing damaged is delivered; at the end the derived files equal a
//! rebuild. `SIM_SCHEDULES` sets the number of schedules, `SIM_SEED` the first seed.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use gantry_store::disk::{Disk, Fault, SimDisk};
use gantry_store::format::{CommitOffset, FrameView};
use gantry_store::{AppendBatch, Queue, QueueKind, Store, Task};

use crate::common::{self, ROOT, contents, entry, kind_of};

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % n
    }

    fn chance(&mut self, one_in: u64) -> bool {
        self.below(one_in) == 0
    }
}

/// One appended frame as it has to be found again.
#[derive(Clone, Debug, PartialEq)]
struct Sent {
    topic: &'static str,
    id: i32,
    offset: i64,
    records: i16,
    body: Vec<u8>,
    at: CommitOffset,
    end: CommitOffset,
}

/// Queue offset, records, body.
type Message = (i64, i16, Vec<u8>);

const QUEUES: [(&str, i32); 4] = [("simple-a", 0), ("simple-a", 1), ("batch-b", 0), ("simple-c", 7)];

struct World {
    random: Random,
    disk: SimDisk,
    store: Option<Store>,
    /// Frames in the order of the log: acknowledged, then (after a failed append) of unknown fate.
    acknowledged: Vec<Sent>,
    flushed: CommitOffset,
    sequence: u64,
    sync_failed: bool,
}

impl World {
    fn new(seed: u64) -> World {
        let random = Random(seed);
        World {
            random,
            disk: SimDisk::new(seed),
            store: None,
            acknowledged: Vec::new(),
            flushed: CommitOffset(0),
            sequence: 0,
            sync_failed: false,
        }
    }

    fn run(&mut self, steps: u64) {
        self.restart(false);
        for _ in 0..steps {
            self.step();
        }
        if self.disk.is_crashed() || self.store.is_none() {
            self.crash();
        }
        self.check_derived_files();
    }

    fn step(&mut self) {
        match self.random.below(20) {
            0..=9 => self.append(),
            10 => self.task(Task::Flush),
            11 => self.task(Task::WriteQueues),
            12 => self.task(Task::Checkpoint),
            13 => self.task(Task::Preallocate),
            14 => self.task(Task::IndexKeys),
            15 => self.plan_fault(),
            16 if self.random.chance(2) => self.crash(),
            17 if self.random.chance(3) => self.close(),
            18 => self.read_all(),
            _ => {}
        }
        if self.disk.is_crashed() {
            self.crash();
        }
    }

    fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    fn append(&mut self) {
        let store = self.store().clone();
        let mut batch = store.batch();
        let mut sent = Vec::new();
        for item in 0..=self.random.below(5) {
            let (topic, id) = QUEUES[self.random.below(4) as usize];
            let Ok(queue) = store.create_queue(topic, id, kind_of(topic)) else { return };
            sent.push(self.push(&mut batch, &queue, topic, item > 0));
        }
        match store.append(&mut batch) {
            Ok(appended) => {
                for (frame, placed) in sent.iter_mut().zip(batch.placed()) {
                    frame.offset = placed.queue_offset.0;
                    frame.at = placed.commit_offset;
                }
                let ends = sent.iter().skip(1).map(|next| next.at).chain([appended.end]);
                let ends: Vec<CommitOffset> = ends.collect();
                sent.iter_mut().zip(ends).for_each(|(frame, end)| frame.end = end);
                self.acknowledged.append(&mut sent);
            }
            Err(_) => self.note_failure(),
        }
    }

    fn push(&mut self, batch: &mut AppendBatch, queue: &Queue, topic: &'static str, follows: bool) -> Sent {
        self.sequence += 1;
        let size = self.random.below(1200) as usize * usize::from(!self.random.chance(9));
        let mut body = format!("{}:", self.sequence).into_bytes();
        body.resize(body.len() + size, b'x');
        if self.random.chance(40) {
            body.resize(5000, b'y');
        }
        let records = if queue.kind() == QueueKind::Batch { 1 + self.random.below(9) as i32 } else { 1 };
        let bytes = Bytes::from(body.clone());
        let mut entry = entry(&bytes);
        entry.joined = follows && body.len() < 1000 && self.random.chance(3);
        let keys = format!("UNIQ_KEY\x01{}\x02", self.sequence % 50);
        let key = (self.sequence % 50).to_string();
        let hash = gantry_store::format::hash::index_key_hash(topic.as_bytes(), key.as_bytes());
        let (parts, hashes) = ([keys.as_bytes()], [hash]);
        entry.properties = &parts;
        entry.keys = &hashes;
        entry.tags_code = gantry_store::TagsCode::Hash(0);
        entry.records = records;
        if queue.kind() == QueueKind::Batch {
            entry.sys_flag.0 = 0x80;
        }
        batch.push(queue, &entry).unwrap();
        let zero = CommitOffset(0);
        Sent { topic, id: queue.id(), offset: 0, records: records as i16, body, at: zero, end: zero }
    }

    /// A poisoned store has to be restarted; other failures leave it usable.
    fn note_failure(&mut self) {
        if self.disk.is_crashed() || self.store().is_writable().is_err() {
            self.crash();
        }
    }

    fn task(&mut self, task: Task) {
        if self.store().step(task).is_err() {
            self.note_failure();
        } else {
            self.flushed = self.flushed.max(self.store().watermarks().flushed);
        }
    }

    fn plan_fault(&mut self) {
        let at = self.disk.calls() + self.random.below(12);
        let fault = match self.random.below(6) {
            0 => Fault::NoSpace,
            1 => Fault::Io,
            2 | 3 => Fault::ShortWrite,
            _ => Fault::Crash,
        };
        // What a failed sync lost is lost for the page cache of this boot only in appearance: only a
        // power loss shows it.
        self.sync_failed |= matches!(fault, Fault::Io | Fault::NoSpace);
        self.disk.fail_at(at, fault);
    }

    fn close(&mut self) {
        let store = self.store.take().unwrap();
        let written = store.watermarks().written;
        match store.close() {
            Ok(()) => {
                self.flushed = written;
                self.restart(false);
            }
            Err(_) => self.crash(),
        }
    }

    fn crash(&mut self) {
        if let Some(store) = self.store.take() {
            self.flushed = self.flushed.max(store.watermarks().flushed);
        }
        self.disk.crash();
        let power_loss = self.sync_failed || self.random.chance(2);
        let seed = self.random.below(u64::MAX);
        self.disk = if power_loss { self.disk.after_power_loss(seed) } else { self.disk.after_kill() };
        self.sync_failed = false;
        // Some restarts are ended as well.
        if self.random.chance(3) {
            self.disk.fail_at(self.random.below(40), Fault::Crash);
        }
        self.restart(power_loss);
    }

    fn restart(&mut self, power_loss: bool) {
        match common::open(&self.disk) {
            Ok((store, _)) => {
                self.store = Some(store);
                self.check_survivors(power_loss);
            }
            Err(error) => {
                assert!(self.disk.is_crashed() || self.sync_failed, "cannot open: {error:?}");
                self.disk.crash();
                self.crash_again(power_loss);
            }
        }
    }

    fn crash_again(&mut self, power_loss: bool) {
        let seed = self.random.below(u64::MAX);
        let lost = power_loss || self.sync_failed || self.random.chance(2);
        self.disk = if lost { self.disk.after_power_loss(seed) } else { self.disk.after_kill() };
        self.sync_failed = false;
        self.restart(lost);
    }

    /// The frames of the log in order, and through the queues.
    fn survivors(&self) -> Vec<Sent> {
        let mut found = Vec::new();
        let mut by_queue: BTreeMap<(String, i32), Vec<Message>> = BTreeMap::new();
        self.store()
            .visit(CommitOffset(0), &mut |frame: &FrameView<'_>| {
                let topic = QUEUES.iter().find(|(topic, _)| frame.topic() == Ok(topic)).unwrap().0;
                let records = gantry_store::format::inner::inner_num(frame).unwrap().value();
                found.push(Sent {
                    topic,
                    id: frame.queue_id(),
                    offset: frame.queue_offset().0,
                    records,
                    body: frame.body().to_vec(),
                    at: frame.commit_offset(),
                    end: frame.commit_offset().plus(i64::from(frame.total_size())),
                });
                std::ops::ControlFlow::Continue(())
            })
            .unwrap();
        for frame in &found {
            let queue = by_queue.entry((frame.topic.to_owned(), frame.id)).or_default();
            let next = queue.last().map_or(0, |(offset, records, _)| offset + i64::from(*records));
            assert_eq!(frame.offset, next, "offsets are dense");
            queue.push((frame.offset, frame.records, frame.body.clone()));
        }
        for queue in self.store().queues() {
            let expected = by_queue.remove(&(queue.topic().to_owned(), queue.id())).unwrap_or_default();
            assert_eq!(contents(self.store(), &queue), expected, "{} {}", queue.topic(), queue.id());
        }
        assert!(by_queue.is_empty(), "a queue of the log is missing");
        found
    }

    fn check_survivors(&mut self, power_loss: bool) {
        let survivors = self.survivors();
        let known = survivors.len().min(self.acknowledged.len());
        for (found, sent) in survivors.iter().zip(&self.acknowledged) {
            // Ends differ where a filler follows.
            assert_eq!((found.topic, found.id, found.at), (sent.topic, sent.id, sent.at));
            assert_eq!((found.offset, found.records, &found.body), (sent.offset, sent.records, &sent.body));
        }
        for lost in &self.acknowledged[known..] {
            assert!(power_loss, "a kill loses nothing: {:?}", (lost.topic, lost.id, lost.offset));
            assert!(lost.at >= self.flushed, "flushed up to {}, lost {}", self.flushed, lost.at);
        }
        self.acknowledged = survivors;
        self.flushed = self.store().watermarks().flushed;
        assert_eq!(self.flushed, self.store().watermarks().written);
        assert!(self.store().fences().is_empty(), "nothing rotted");
    }

    fn read_all(&mut self) {
        let survivors = self.survivors();
        assert_eq!(survivors.len(), self.acknowledged.len());
    }

    /// Queue files and key index equal what a rebuild from the log alone makes.
    fn check_derived_files(&mut self) {
        let store = self.store.take().unwrap();
        let disk = if store.close().is_ok() { self.disk.after_kill() } else { return self.crash() };
        let rebuilt = disk.after_kill();
        for dir in ["consumequeue", "batchconsumequeue", "index", "gantry/snapshot"] {
            remove(&rebuilt, &Path::new(ROOT).join(dir));
        }
        let (store, _) = common::open(&rebuilt).unwrap();
        store.close().unwrap();
        for dir in ["consumequeue", "batchconsumequeue", "index"] {
            let dir = Path::new(ROOT).join(dir);
            let (mut ours, mut fresh) = (common::tree(&disk, &dir), common::tree(&rebuilt, &dir));
            // A file that was made and got no entry may remain after a crash; the next entry goes into it.
            for tree in [&mut ours, &mut fresh] {
                tree.retain(|(name, file)| counted(name, file).len() > 40 + 50 * 4 + 20);
            }
            let names =
                |tree: &[(String, Vec<u8>)]| tree.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
            assert_eq!(names(&ours), names(&fresh));
            for ((name, ours), (_, fresh)) in ours.iter().zip(&fresh) {
                let (ours, fresh) = (counted(name, ours), counted(name, fresh));
                let differs = ours.iter().zip(fresh).position(|(a, b)| a != b);
                assert!(ours == fresh, "{name} differs from a rebuild at byte {differs:?}");
            }
        }
    }
}

/// The part of an index file that its header counts; what stands behind it is never read.
fn counted<'a>(name: &str, file: &'a [u8]) -> &'a [u8] {
    if !name.contains("/index/") {
        return file;
    }
    let count = u32::from_be_bytes(file[36..40].try_into().unwrap()) as usize;
    &file[..40 + 50 * 4 + count * 20]
}

fn remove(disk: &SimDisk, path: &Path) {
    for entry in disk.list(path).unwrap() {
        remove(disk, &path.join(entry.name));
    }
    if disk.exists(path) && disk.unlink(path).is_err() {
        disk.remove_dir(path).unwrap();
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn sim_schedules() {
    let first = number("SIM_SEED", 1);
    for seed in first..first + number("SIM_SCHEDULES", 300) {
        let run = std::panic::AssertUnwindSafe(|| World::new(seed).run(60));
        if let Err(panic) = std::panic::catch_unwind(run) {
            eprintln!("SIM_SEED={seed} SIM_SCHEDULES=1 repeats this schedule");
            std::panic::resume_unwind(panic);
        }
    }
}
