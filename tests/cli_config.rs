//! `gantry config` and wrong command lines, through the real binary.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::path::Path;
use std::process::{Command, Output};

fn gantry(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gantry"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GANTRY_") {
            command.env_remove(name);
        }
    }
    command.args(arguments).output().unwrap()
}

fn conf(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

#[track_caller]
fn check(output: &Output, code: i32, stdout: &str, stderr: &str) {
    assert_eq!(String::from_utf8_lossy(&output.stdout), stdout);
    assert_eq!(String::from_utf8_lossy(&output.stderr), stderr);
    assert_eq!(output.status.code(), Some(code));
}

fn path(file: &Path) -> &str {
    file.to_str().unwrap()
}

#[test]
fn the_shipped_files_pass_strictly() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/conf");
    let broker = gantry(&["config", "check", "--strict", &format!("{directory}/broker.conf")]);
    assert_eq!(broker.status.code(), Some(0));
    let namesrv =
        gantry(&["config", "check", "--strict", "--role", "namesrv", &format!("{directory}/namesrv.conf")]);
    assert_eq!(namesrv.status.code(), Some(0));
}

#[test]
fn a_typo_is_a_warning_with_the_nearest_name() {
    let file = conf("brokerName=b\nflushDiskTyp=ASYNC_FLUSH\n");
    let name = path(file.path());
    let output = gantry(&["config", "check", name]);
    let warning = format!("{name}:2: unknown key flushDiskTyp; did you mean flushDiskType?");
    check(&output, 0, "ok: 1 keys set, 1 warnings\n", &format!("warning: {warning}\n"));
    let output = gantry(&["config", "check", "--strict", name]);
    check(&output, 1, "", &format!("error: {warning} (refused by --strict)\n"));
}

#[test]
fn every_bad_value_is_said_at_once() {
    let file = conf("listenPort=70000\n\ndeleteWhen=25\n");
    let name = path(file.path());
    let expected = format!(
        "error: {name}:1: listenPort=70000: not a value in port; allowed: 0 to 65535\n\
         error: {name}:3: deleteWhen=25: not a value in hours; allowed: hours 00 to 23, several separated by ';'\n"
    );
    check(&gantry(&["config", "check", name]), 1, "", &expected);
}

#[test]
fn explains_one_key_or_all() {
    let one = gantry(&["config", "explain", "fileReservedTime"]);
    let expected = "fileReservedTime=72\n  Age at which a CommitLog file is deleted, unless `log.retention.*` is \
                    set.\n  (RocketMQ key; hours: 1 to 876000)\n";
    check(&one, 0, expected, "");
    let all = gantry(&["config", "explain"]);
    assert_eq!(all.stdout, std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/conf/broker.conf")).unwrap());
    let error = "error: unknown key nonsense; `gantry config explain` lists all keys\n";
    check(&gantry(&["config", "explain", "nonsense"]), 1, "", error);
}

#[test]
fn a_wrong_command_line_is_exit_code_2() {
    for arguments in
        [&["start", "--kafka-port", "70000"][..], &["start", "--listen", "here"], &["nonsense"], &[]]
    {
        assert_eq!(gantry(arguments).status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn help_and_version_are_answers() {
    let version = format!("gantry {}\n", env!("CARGO_PKG_VERSION"));
    check(&gantry(&["--version"]), 0, &version, "");
    let help = gantry(&["start", "--help"]);
    assert!(String::from_utf8_lossy(&help.stdout).contains("Examples:\n  gantry start "));
    assert_eq!(help.status.code(), Some(0));
}
