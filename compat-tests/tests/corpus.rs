//! The fuzz targets without the fuzzer: every corpus file, and a fixed number of mutations of them.
//!
//! The mutations are the same in every run, so a failure here is a failure everywhere. A failed input is printed in
//! hex; put it into `compat-tests/fuzz/corpus/<target>` once its cause is known.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed step fails the test")]

use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

use gantry_compat_tests::targets::{TARGETS, Target, decodes_key};
use gantry_protocols::kafka::guard::known_keys;

const MUTATIONS: usize = 20_000;
const SEED: u64 = 0x9E37_79B9_7F4A_7C15;
/// Inputs above this are run as they are, but not mutated: they would take most of the time.
const MUTATED_LEN: usize = 2048;

/// Inputs of a target in the order of their names.
fn corpus(target: Target) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target.name);
    let paths = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let mut inputs: Vec<_> =
        paths.map(|path| (path.display().to_string(), fs::read(&path).unwrap())).collect();
    inputs.sort();
    assert!(!inputs.is_empty(), "{} is empty; compat-tests/fuzz/seed fills it", folder.display());
    inputs
}

/// Runs one input; a panic says which.
fn check(target: Target, name: &str, input: &[u8]) {
    let done = panic::catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    let hex = || input.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert!(done.is_ok(), "{} broke on {name}: {}", target.name, hex());
}

/// Marsaglia's xorshift64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() >> 16).unwrap() % bound.max(1)
    }

    /// A byte that often means something: a bit flipped, a border, a separator, a bracket.
    fn byte(&mut self, old: u8) -> u8 {
        const BORDERS: &[u8] = b"\x00\x01\x02\x7f\x80\xff\"{}[]:,\\019-n";
        match self.below(3) {
            0 => old ^ (1 << self.below(8)),
            1 => BORDERS[self.below(BORDERS.len())],
            _ => self.next().to_le_bytes()[7],
        }
    }
}

/// One to four changes: a byte replaced, bytes cut out, doubled, or taken from another input.
fn mutate(input: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    for _ in 0..=random.below(4) {
        let at = random.below(input.len());
        let len = random.below(16).min(input.len() - at);
        match random.below(8) {
            0 => drop(input.drain(at..at + len)),
            1 => input.truncate(at),
            2 => {
                let doubled = input[at..at + len].to_vec();
                input.splice(at..at, doubled);
            }
            3 => {
                let from = random.below(other.len());
                let len = random.below(64).min(other.len() - from);
                input.splice(at..at, other[from..from + len].iter().copied());
            }
            _ => {
                if let Some(place) = input.get_mut(at) {
                    *place = random.byte(*place);
                }
            }
        }
    }
}

fn mutated_corpus_holds(name: &str) {
    let target = *TARGETS.iter().find(|target| target.name == name).unwrap();
    let inputs = corpus(target);
    let small: Vec<_> = inputs.iter().map(|(_, input)| input).filter(|i| i.len() <= MUTATED_LEN).collect();
    let mut random = Random(SEED);
    for round in 0..MUTATIONS {
        let mut input = small[random.below(small.len())].clone();
        let other = small[random.below(small.len())];
        mutate(&mut input, other, &mut random);
        check(target, &format!("mutation {round}"), &input);
    }
}

#[test]
fn every_corpus_file_holds_its_promises() {
    for target in TARGETS {
        for (name, input) in corpus(*target) {
            check(*target, &name, &input);
        }
    }
}

#[test]
fn remoting_frames_hold_their_promises_under_mutation() {
    mutated_corpus_holds("remoting_frame");
}

#[test]
fn kafka_requests_hold_their_promises_under_mutation() {
    mutated_corpus_holds("kafka_request");
}

#[test]
fn record_batches_hold_their_promises_under_mutation() {
    mutated_corpus_holds("record_batch");
}

#[test]
fn commit_log_frames_hold_their_promises_under_mutation() {
    mutated_corpus_holds("commit_log_frame");
}

#[test]
fn properties_hold_their_promises_under_mutation() {
    mutated_corpus_holds("properties");
}

#[test]
fn compressed_data_holds_its_promises_under_mutation() {
    mutated_corpus_holds("compression");
}

#[test]
fn mappings_hold_their_promises_under_mutation() {
    mutated_corpus_holds("mapping");
}

#[test]
fn every_key_of_the_guard_is_fuzzed() {
    let missing: Vec<_> = known_keys().filter(|key| !decodes_key(*key)).collect();
    assert_eq!(missing, [] as [i16; 0]);
}

#[test]
fn the_corpus_is_small_and_each_target_has_its_binary() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let declared = fs::read_to_string(manifest.join("Cargo.toml")).unwrap();
    let mut total = 0;
    for target in TARGETS {
        assert!(declared.contains(&format!("name = \"{}\"", target.name)), "{} in Cargo.toml", target.name);
        assert!(manifest.join(format!("fuzz_targets/{}.rs", target.name)).is_file());
        total += corpus(*target).iter().map(|(_, input)| input.len()).sum::<usize>();
    }
    assert!(total < 300 << 10, "{total} bytes of corpus; keep it below 300 KiB");
}

#[test]
fn the_four_byte_metadata_bomb_is_in_the_corpus() {
    let kafka = *TARGETS.iter().find(|target| target.name == "kafka_request").unwrap();
    let bomb = |input: &[u8]| input.ends_with(&[0x7f, 0xff, 0xff, 0xff]);
    assert!(corpus(kafka).iter().any(|(_, input)| bomb(input)));
}
