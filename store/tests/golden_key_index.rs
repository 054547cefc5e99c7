//! The key index against the original's: the same files from the same frames, the same answers from its files.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed step fails the test")]

mod golden;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use gantry_store::disk::{Disk, Open, SimDisk, read_file, write_all};
use gantry_store::format::hash::index_key_hash;
use gantry_store::format::index::Shape;
use gantry_store::format::properties::extract;
use gantry_store::key_index::{KeyIndex, LeftBehind};

use golden::GoldenStore;

const SHAPE: Shape = Shape { slots: 500, entries: 400 };
const DIR: &str = "/store/index";

fn open(disk: &SimDisk) -> KeyIndex {
    KeyIndex::open(Arc::new(disk.clone()), PathBuf::from(DIR), SHAPE, LeftBehind::Clean).unwrap()
}

#[test]
fn makes_the_files_of_the_original_from_its_frames() {
    for dir in ["store-basic", "store-batchcq"] {
        let store = GoldenStore::clean(dir);
        let disk = SimDisk::new(1);
        let mut index = open(&disk);
        for frame in store.walk().frames.iter().filter(|frame| frame.sys_flag().enters_key_index()) {
            let extracted = extract(frame.properties(), frame.topic_bytes());
            let hashes: Vec<i32> =
                extracted.index_keys().map(|key| index_key_hash(frame.topic_bytes(), key)).collect();
            index.put(frame.commit_offset(), frame.store_timestamp(), &hashes).unwrap();
        }
        index.flush().unwrap();
        let names = disk.list(Path::new(DIR)).unwrap();
        let ours: Vec<Vec<u8>> =
            names.iter().map(|entry| read_file(&disk, &Path::new(DIR).join(&entry.name)).unwrap()).collect();
        let theirs: Vec<&[u8]> = store.under("index/").map(|(_, file)| file).collect();
        assert_eq!(ours.len(), theirs.len(), "{dir}");
        for (number, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
            let differs = ours.iter().zip(theirs).position(|(ours, theirs)| ours != theirs);
            assert_eq!((ours.len(), differs), (theirs.len(), None), "{dir} file {number}");
        }
    }
}

#[test]
fn answers_from_the_files_of_the_original_as_it_does() {
    for dir in golden::CLEAN {
        let store = GoldenStore::clean(dir);
        let disk = SimDisk::new(1);
        disk.create_dirs(Path::new(DIR)).unwrap();
        for (name, content) in store.under("index/") {
            let file = disk.open(&Path::new(DIR).join(name), Open::Create).unwrap();
            write_all(&*file, 0, content).unwrap();
        }
        let index = open(&disk);
        let queries = store.expected["index"]["queries"].as_array().unwrap();
        assert!(!queries.is_empty());
        for query in queries {
            let (topic, key) = (query["topic"].as_str().unwrap(), query["key"].as_str().unwrap());
            let mut found: Vec<i64> =
                index.query(topic, key, 32, 0, i64::MAX).unwrap().iter().map(|offset| offset.0).collect();
            found.sort_unstable();
            let expected: Vec<i64> =
                query["physicalOffsets"].as_array().unwrap().iter().map(|at| at.as_i64().unwrap()).collect();
            assert_eq!(found, expected, "{dir} {topic}#{key}");
        }
    }
}
