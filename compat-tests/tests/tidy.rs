//! The house rules that a compiler does not check: import directions, sizes, leftovers.
//!
//! The only test that reads source text. A rule that fails names file and line and says what to do.
#![expect(clippy::unwrap_used, reason = "a file that cannot be read fails the test")]

use std::fs;
use std::path::{Path, PathBuf};

const MAX_FILE_LINES: usize = 800;
const MAX_FUNCTION_LINES: usize = 70;

struct Source {
    name: String,
    text: String,
}

impl Source {
    /// Lines in front of the test module: tests may name what the code below them may not.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().map(|(at, line)| (at + 1, line));
        lines.take_while(|(_, line)| !line.starts_with("#[cfg(test)]"))
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn collect(dir: &Path, into: &mut Vec<Source>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, into);
        } else if path.extension().is_some_and(|end| end == "rs") {
            let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
            into.push(Source { name, text: fs::read_to_string(&path).unwrap() });
        }
    }
}

fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    for dir in ["src", "protocols/src", "store/src", "compat-tests/src"] {
        collect(&root().join(dir), &mut found);
    }
    found
}

/// Test files too, but for this one, whose rules name what they forbid.
fn sources_and_tests() -> Vec<Source> {
    let mut found = sources();
    for dir in ["tests", "protocols/tests", "store/tests", "compat-tests/tests"] {
        collect(&root().join(dir), &mut found);
    }
    found.retain(|source| !source.name.ends_with("tidy.rs"));
    found
}

fn none_of(rule: &str, found: &[String]) {
    assert!(found.is_empty(), "{rule}:\n{}", found.join("\n"));
}

/// (folder, what it may not name, why)
const ARROWS: &[(&str, &[&str], &str)] = &[
    (
        "src/semantics/",
        &[
            "tokio",
            "gantry_protocols",
            "gantry_store",
            "serde",
            "crate::broker",
            "crate::mapping",
            "Instant::now",
        ],
        "machines are pure: std and indexmap only",
    ),
    ("src/filter/", &["tokio", "gantry_protocols", "crate::broker"], "filters see values only"),
    (
        "src/mapping/",
        &["tokio", "crate::broker", "gantry_store::Store", "gantry_store::disk"],
        "mapping sees values only",
    ),
    (
        "src/broker/",
        &["gantry_protocols", "tokio", "crate::remoting", "crate::kafka", "crate::namesrv", "crate::server"],
        "the broker speaks no protocol and owns no socket",
    ),
    (
        "src/kafka/",
        &["gantry_store::Store", "tokio", "crate::remoting", "crate::server"],
        "handlers call broker verbs",
    ),
    (
        "src/remoting/",
        &["gantry_store::Store", "tokio", "crate::kafka", "crate::server"],
        "handlers call broker verbs",
    ),
    (
        "src/namesrv/",
        &["gantry_store::Store", "tokio", "crate::kafka", "crate::server"],
        "handlers call broker verbs",
    ),
    ("src/peer", &["tokio", "crate::broker", "crate::server"], "a peer blocks and knows no broker of ours"),
    (
        "protocols/src/",
        &["std::fs", "std::net::Tcp", "tokio", "SystemTime"],
        "no I/O and no clock in protocols",
    ),
    (
        "store/src/",
        &["tokio", "std::net::Tcp", "kafka", "remoting"],
        "the store knows no socket and no protocol",
    ),
];

#[test]
fn imports_follow_the_layers() {
    let mut found = Vec::new();
    for source in sources() {
        for (folder, banned, why) in ARROWS {
            if !source.name.starts_with(folder) {
                continue;
            }
            for (line, text) in source.code() {
                let code = text.split("//").next().unwrap_or_default();
                if !(code.contains("use ") || code.contains("::")) {
                    continue;
                }
                for word in banned.iter().filter(|word| code.contains(**word)) {
                    found.push(format!("{}:{line}: `{word}` ({why})", source.name));
                }
            }
        }
    }
    none_of("an arrow that the design does not have; a new one is a decision written in README", &found);
}

#[test]
fn the_wall_clock_is_read_in_one_file() {
    let mut found = Vec::new();
    for source in sources().iter().filter(|s| s.name != "src/server/clock.rs") {
        for (line, text) in source.code().filter(|(_, text)| text.contains("SystemTime::now")) {
            found.push(format!("{}:{line}: {}", source.name, text.trim()));
        }
    }
    none_of("take the time as an argument; src/server/clock.rs alone reads the clock", &found);
}

#[test]
fn unsafe_code_stands_in_the_mapped_module() {
    let mut found = Vec::new();
    for source in sources().iter().filter(|s| !s.name.starts_with("store/src/mapped")) {
        for (line, text) in source.code() {
            let code = text.split("//").next().unwrap_or_default();
            if ["unsafe {", "unsafe fn", "unsafe impl"].iter().any(|word| code.contains(word)) {
                found.push(format!("{}:{line}", source.name));
            }
        }
    }
    none_of("unsafe code belongs into store/src/mapped/", &found);
}

#[test]
fn files_and_functions_fit_their_bounds() {
    let mut found = Vec::new();
    for source in sources() {
        let lines = source.text.lines().count();
        if lines > MAX_FILE_LINES {
            found.push(format!("{}: {lines} lines; a file is one noun", source.name));
        }
        let mut function: Option<(usize, usize)> = None;
        for (line, text) in source.code() {
            let indent = text.len() - text.trim_start().len();
            let starts = text.trim_start().trim_start_matches("pub ").trim_start_matches("pub(super) ");
            let starts = starts.trim_start_matches("pub(crate) ").trim_start_matches("const ");
            if starts.starts_with("fn ") {
                function = Some((line, indent));
            } else if let Some((from, depth)) = function
                && indent == depth
                && text.trim_end() == format!("{}}}", " ".repeat(depth))
            {
                if line - from >= MAX_FUNCTION_LINES {
                    found.push(format!("{}:{from}: a function of {} lines", source.name, line - from + 1));
                }
                function = None;
            }
        }
    }
    none_of("split what does not fit on a screen", &found);
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent = |s: &Source| !s.text.starts_with("//!");
    let found: Vec<_> = sources().into_iter().filter(silent).map(|s| s.name).collect();
    none_of("a file opens with what it is for, what it is not, and its source", &found);
}

#[test]
fn nothing_is_left_over() {
    let words = ["TODO", "FIXME", "todo!(", "unimplemented!(", "dbg!(", "#[ignore", "#[allow("];
    let mut found = Vec::new();
    for source in sources_and_tests() {
        for (at, line) in source.text.lines().enumerate() {
            if words.iter().any(|word| line.contains(word)) {
                found.push(format!("{}:{}: {}", source.name, at + 1, line.trim()));
            }
        }
    }
    none_of("finish it, or write down elsewhere what is to be done and why", &found);
}

#[test]
fn tests_wait_for_events_and_never_for_a_time() {
    let mut found = Vec::new();
    for source in sources_and_tests() {
        let is_test_file = source.name.split('/').any(|part| part == "tests" || part == "tests.rs");
        let tests_from = source.text.lines().position(|line| line.starts_with("#[cfg(test)]"));
        let from = if is_test_file { Some(0) } else { tests_from };
        for (at, line) in source.text.lines().enumerate().skip(from.unwrap_or(usize::MAX)) {
            if line.contains("sleep(") {
                found.push(format!("{}:{}: {}", source.name, at + 1, line.trim()));
            }
        }
    }
    none_of("wait for what has to happen, not for a time", &found);
}

#[test]
fn names_say_what_a_thing_is() {
    let empty = ["Manager", "Service", "Helper", "Util", "Utils", "Impl", "Info", "Context"];
    let mut found = Vec::new();
    // Bodies and headers of the wire keep the names that their originals have.
    for source in
        sources_and_tests().iter().filter(|source| !source.name.starts_with("protocols/src/remoting/"))
    {
        for (line, text) in source.code() {
            let mut words =
                text.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|w| !w.is_empty());
            let declared = words.by_ref().find(|word| matches!(*word, "struct" | "enum" | "trait" | "type"));
            let Some(name) = declared.and_then(|_| words.next()) else { continue };
            let is_code = !text.trim_start().starts_with("//");
            if is_code && empty.iter().any(|end| name.ends_with(end)) {
                found.push(format!("{}:{line}: {name}", source.name));
            }
        }
    }
    none_of("a name of the field, not a role of the program", &found);
}
