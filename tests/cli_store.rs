//! `gantry store` through the real binary, on directories that a Java broker wrote.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::path::Path;
use std::process::{Command, Output};

use flate2::read::GzDecoder;
use serde_json::Value;

fn unpacked(archive: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("compat-tests/golden");
    let packed = GzDecoder::new(std::fs::File::open(root.join(archive)).unwrap());
    tar::Archive::new(packed).unpack(dir.path()).unwrap();
    dir
}

fn store(verb: &str, data: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gantry"));
    command.args(["store", verb, "--data"]).arg(data).args(more).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn an_intact_store_is_ok_in_one_line() {
    let dir = unpacked("store-basic/store.tar.gz");
    let output = store("check", dir.path(), &[]);
    let expected =
        "ok: 658 frames from 0 to 1765679, 43 queues with 655 units, 1271 keys, 3 frames of deleted topics\n";
    assert_eq!((text(&output.stdout).as_str(), text(&output.stderr).as_str()), (expected, ""));
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn findings_are_listed_and_are_exit_code_1() {
    let dir = unpacked("store-killed/killed-mid-crc.tar.gz");
    let output = store("check", dir.path(), &[]);
    let expected = "commitlog 655360  no intact frame up to 656240: 880 bytes are damaged\n\
                    1 findings: 644 frames from 0 to 726971, 7 queues with 644 units, 1280 keys; \
                    not stopped cleanly, the next start recovers\n";
    assert_eq!(text(&output.stdout), expected);
    assert_eq!(text(&output.stderr), format!("error: 1 findings in {}\n", dir.path().display()));
    assert_eq!(output.status.code(), Some(1));
    let output = store("check", dir.path(), &["-o", "json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["findings"][0]["place"], "commitlog 655360");
    assert_eq!((&report["clean"], &report["frames"]), (&Value::from(false), &Value::from(644)));
}

#[test]
fn a_directory_without_a_store_is_named() {
    let dir = tempfile::tempdir().unwrap();
    for verb in ["check", "dump"] {
        let output = store(verb, dir.path(), &[]);
        let expected =
            format!("error: {} holds no store: it has no directory commitlog\n", dir.path().display());
        assert_eq!((text(&output.stderr), output.status.code()), (expected, Some(1)));
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_dump_has_one_line_a_frame_and_begins_at_the_next_one() {
    let dir = unpacked("store-batchcq/store.tar.gz");
    let lines = |more: &[&str]| -> Vec<String> {
        text(&store("dump", dir.path(), more).stdout).lines().map(str::to_owned).collect()
    };
    let all = lines(&[]);
    assert_eq!(all.iter().filter(|line| !line.ends_with("filler")).count(), 61);
    assert!(all[0].starts_with("0 577 BcqTopic/0 0 inner-batch(3) 1795252107177 "), "{}", all[0]);
    assert!(all[0].contains(" INNER_NUM=3"), "{}", all[0]);
    assert_eq!(lines(&["--from", "577", "--count", "2"]), all[1..3]);
    assert_eq!(lines(&["--from", "1", "--count", "1"]), all[1..2]);
    assert_eq!(lines(&["--from", "99999999"]), [""; 0]);
}
