//! README and its companions, held to the code: support tables computed from the routes, links and paths that exist.
//!
//! `UPDATE_README=1 cargo test -p gantry-compat-tests --test readme` writes the tables anew. Not here: README's
//! commands, which `compat-tests/cases/readme.py` runs.
#![expect(clippy::unwrap_used, reason = "a file that cannot be read fails the test")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use gantry_protocols::remoting::RequestCode;

const PAGES: [&str; 3] = ["README.md", "CONTRIBUTING.md", "SECURITY.md"];
/// A word in code type that begins so is a path of the tree.
const FOLDERS: [&str; 6] = ["src/", "store/", "protocols/", "compat-tests/", "conf/", ".ci/"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn page(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap()
}

fn kafka_keys() -> String {
    let mut table = String::from("| key | name | versions |\n|---:|---|---|\n");
    for route in gantry::kafka::routes() {
        let (low, high) = route.versions;
        let advertised = match route.advertised_min {
            min if min == low => String::new(),
            min => format!(" (advertised from {min})"),
        };
        writeln!(table, "| {} | {} | {low}-{high}{advertised} |", route.key, route.name()).unwrap();
    }
    table
}

fn request_codes(codes: impl Iterator<Item = RequestCode>) -> String {
    let rows = codes.map(|code| format!("| {} | {code} |\n", code.0));
    std::iter::once("| code | name |\n|---:|---|\n".to_owned()).chain(rows).collect()
}

fn tables() -> [(&'static str, String); 3] {
    [
        ("kafka-keys", kafka_keys()),
        ("remoting-codes", request_codes(gantry::remoting::routes().map(|(code, _)| code))),
        ("namesrv-codes", request_codes(gantry::namesrv::routes().map(|(code, _)| code))),
    ]
}

/// Puts `table` between the markers `<!-- name -->` and `<!-- /name -->`.
fn with_table(text: &str, name: &str, table: &str) -> String {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let (before, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("README has no marker {name}"));
    let (_, after) = rest.split_once(&end).unwrap_or_else(|| panic!("README has no end marker {name}"));
    format!("{before}{begin}{table}{end}{after}")
}

#[test]
fn support_tables_equal_the_routes() {
    let text = page("README.md");
    let wanted = tables().iter().fold(text.clone(), |text, (name, table)| with_table(&text, name, table));
    if std::env::var_os("UPDATE_README").is_some() {
        fs::write(root().join("README.md"), &wanted).unwrap();
    } else {
        let line = text.lines().zip(wanted.lines()).find(|(has, wants)| has != wants);
        assert!(
            text == wanted,
            "README's support tables differ from the routes at {line:?}; UPDATE_README=1 writes them anew"
        );
    }
}

/// Targets of relative links, and paths of the tree in code type.
fn named_paths(text: &str) -> Vec<String> {
    let links = text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    let links = links.filter(|target| !target.contains("://") && !target.starts_with('#'));
    let code = text.split('`').skip(1).step_by(2).filter_map(|code| code.split_whitespace().next());
    let code = code.filter(|word| FOLDERS.iter().any(|folder| word.starts_with(folder)));
    let code = code.filter(|word| !word.contains(['<', '*', '{']));
    links.chain(code).map(|path| path.split('#').next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn every_path_that_a_page_names_exists() {
    let mut missing = Vec::new();
    for name in PAGES {
        // Fenced blocks are commands and samples; what is run of them is run elsewhere.
        let prose: String = page(name).split("```").step_by(2).collect();
        let gone = named_paths(&prose).into_iter().filter(|path| !root().join(path).exists());
        missing.extend(gone.map(|path| format!("{name}: {path}")));
    }
    assert!(missing.is_empty(), "paths that do not exist:\n{}", missing.join("\n"));
}

#[test]
fn every_heading_that_a_link_names_exists() {
    for name in PAGES {
        let text = page(name);
        let headings = text.lines().filter_map(|line| line.strip_prefix('#')).map(|line| {
            let words = line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
            words.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect::<String>()
        });
        let headings: Vec<_> = headings.collect();
        for target in text.split("](#").skip(1).filter_map(|rest| rest.split_once(')')) {
            assert!(headings.iter().any(|one| one == target.0), "{name} links to #{}", target.0);
        }
    }
}
