//! Golden stores: archives of directories that a Java broker wrote, and what Java sees in them.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;

use flate2::read::GzDecoder;
use gantry_store::format::{CommitOffset, FrameHead, FrameView, Peek};
use serde_json::Value;

/// The stores that were shut down cleanly.
pub(crate) const CLEAN: &[&str] = &["store-basic", "store-batchcq", "store-boundary"];

/// The directory of golden data in the repository.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../compat-tests/golden")
}

/// One archive in memory.
pub(crate) struct GoldenStore {
    /// Contents by name relative to the store directory.
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    /// What Java sees.
    pub(crate) expected: Value,
}

impl GoldenStore {
    pub(crate) fn clean(dir: &str) -> GoldenStore {
        GoldenStore::load(&format!("{dir}/store.tar.gz"), &format!("{dir}/expected.json.gz"))
    }

    /// `archive` and the JSON file `expected`, both relative to the golden data.
    pub(crate) fn load(archive: &str, expected: &str) -> GoldenStore {
        let mut files = BTreeMap::new();
        let packed = std::fs::File::open(root().join(archive)).unwrap();
        for entry in tar::Archive::new(GzDecoder::new(packed)).entries().unwrap() {
            let mut entry = entry.unwrap();
            if entry.header().entry_type().is_file() {
                let path = entry.path().unwrap().to_string_lossy().into_owned();
                let mut content = Vec::new();
                entry.read_to_end(&mut content).unwrap();
                files.insert(path.trim_start_matches("./").to_owned(), content);
            }
        }
        GoldenStore { files, expected: json(expected) }
    }

    /// Files whose names begin with `prefix`, in order, with what follows the prefix.
    pub(crate) fn under<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        self.files
            .iter()
            .filter_map(move |(name, content)| Some((name.strip_prefix(prefix)?, content.as_slice())))
    }

    /// Walks the CommitLog as a recovery does, up to the first byte that is no intact frame.
    pub(crate) fn walk(&self) -> Walk<'_> {
        let mut walk = Walk { frames: Vec::new(), fillers: Vec::new(), end: CommitOffset(0) };
        for (name, file) in self.under("commitlog/") {
            let start = CommitOffset(name.parse().unwrap());
            if start.bytes_since(walk.end) != 0 || !walk.file(start, file) {
                break;
            }
        }
        walk
    }
}

/// What stands in a CommitLog.
pub(crate) struct Walk<'a> {
    pub(crate) frames: Vec<FrameView<'a>>,
    pub(crate) fillers: Vec<(CommitOffset, u32)>,
    pub(crate) end: CommitOffset,
}

impl<'a> Walk<'a> {
    /// Whether the file is full, so that the log goes on in the next one.
    fn file(&mut self, start: CommitOffset, file: &'a [u8]) -> bool {
        let mut at = 0;
        while at < file.len() {
            self.end = start.plus(i64::try_from(at).unwrap());
            match FrameHead::peek(&file[at..]) {
                Peek::Blank { size } => {
                    self.fillers.push((self.end, size));
                    at += size as usize;
                }
                Peek::Frame { size } => match FrameView::parse(&file[at..]) {
                    Ok(frame) if frame.check_body_crc().is_ok() && frame.commit_offset() == self.end => {
                        self.frames.push(frame);
                        at += size as usize;
                    }
                    _ => return false,
                },
                Peek::End | Peek::Bad => return false,
            }
        }
        self.end = start.plus(i64::try_from(at).unwrap());
        true
    }
}

/// A JSON file of the golden data.
pub(crate) fn json(name: &str) -> Value {
    let packed = std::fs::File::open(root().join(name)).unwrap();
    serde_json::from_reader(std::io::BufReader::new(GzDecoder::new(packed))).unwrap()
}
