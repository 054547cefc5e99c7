//! Sessions between original clients and servers, recorded frame by frame (`compat-tests/golden/wire`).
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a failed step fails the test")]

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use base64::Engine;
use flate2::read::GzDecoder;
use gantry_protocols::remoting::Codec;
use serde_json::Value;

/// One recorded frame.
pub(crate) struct Recorded {
    /// File and line number, for the message of a failed test.
    pub(crate) place: String,
    /// The whole frame.
    pub(crate) frame: Vec<u8>,
    /// The header as the recorder decoded it.
    pub(crate) header: Value,
    /// The header's codec.
    pub(crate) codec: Codec,
    /// Length of the body in bytes.
    pub(crate) body_len: usize,
    /// Short bodies that are text.
    pub(crate) body_text: Option<String>,
    /// Code of the request: its own, or the one it answers when that was seen.
    pub(crate) request_code: Option<i32>,
}

impl Recorded {
    /// Whether the frame is an answer.
    pub(crate) fn is_response(&self) -> bool {
        self.header["flag"].as_i64().unwrap() & 1 != 0
    }

    /// The recorded arguments.
    pub(crate) fn ext(&self) -> HashMap<String, String> {
        let fields = self.header.get("extFields").and_then(Value::as_object);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        fields.map(|f| f.iter().map(|(k, v)| (k.clone(), text(v))).collect()).unwrap_or_default()
    }
}

/// Every recorded scenario, in the order of the file names.
pub(crate) fn scenarios() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../compat-tests/golden/wire");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "gz")).collect();
    files.sort();
    assert!(files.len() > 40, "golden sessions are missing");
    files
}

/// Every recorded frame.
pub(crate) fn frames() -> Vec<Recorded> {
    scenarios().iter().flat_map(|path| session(path)).collect()
}

fn session(path: &Path) -> Vec<Recorded> {
    let mut text = String::new();
    GzDecoder::new(File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    let mut asked = HashMap::new();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let frames = lines.enumerate().filter(|(_, line)| line.get("frame").is_some());
    frames.map(|(n, line)| recorded(format!("{}:{}", path.display(), n + 1), &line, &mut asked)).collect()
}

fn recorded(place: String, line: &Value, asked: &mut HashMap<(i64, i64, bool), i32>) -> Recorded {
    let header = line["header"].clone();
    let code = i32::try_from(header["code"].as_i64().unwrap()).unwrap();
    let is_response = header["flag"].as_i64().unwrap() & 1 != 0;
    let from_client = line["dir"] == "c2s";
    let call =
        (line["conn"].as_i64().unwrap(), header["opaque"].as_i64().unwrap(), from_client != is_response);
    let request_code = if is_response {
        asked.get(&call).copied()
    } else {
        asked.insert(call, code);
        Some(code)
    };
    let frame = base64::engine::general_purpose::STANDARD.decode(line["frame"].as_str().unwrap()).unwrap();
    Recorded {
        place,
        frame,
        codec: if line["serialize"] == "JSON" { Codec::Json } else { Codec::Rocketmq },
        header,
        body_len: usize::try_from(line["bodyLen"].as_u64().unwrap()).unwrap(),
        body_text: line.get("bodyText").and_then(Value::as_str).map(str::to_owned),
        request_code,
    }
}
