//! Where the golden bytes of Kafka lie, and how to read them.

use std::io::Read;
use std::path::{Path, PathBuf};

/// Path of a file or folder below the Kafka golden data.
pub(crate) fn path(below: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../compat-tests/golden/kafka")).join(below)
}

/// Text of a gzipped file.
pub(crate) fn text(file: &Path) -> String {
    let bytes = std::fs::read(file).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap();
    text
}
