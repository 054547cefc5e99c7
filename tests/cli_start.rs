//! `gantry start` that cannot start: what it says before it opens anything.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::net::TcpListener;
use std::process::{Command, Output};

fn start(arguments: &[&str], variables: &[(&str, &str)]) -> (Output, bool) {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let mut command = Command::new(env!("CARGO_BIN_EXE_gantry"));
    command.arg("start").arg("--data").arg(&data).args(["--namesrv-port", "0", "--remoting-port", "0"]);
    command.args(["--http-port", "0"]).args(arguments).env_remove("RUST_LOG");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("GANTRY_")) {
        command.env_remove(name);
    }
    for (name, value) in variables {
        command.env(name, value);
    }
    (command.output().unwrap(), data.exists())
}

#[track_caller]
fn check_failure(output: &Output, expected: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.lines().any(|line| line == expected), "{stderr}");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
}

#[test]
fn a_port_in_use_is_said_before_anything_is_opened() {
    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = busy.local_addr().unwrap().port();
    let (output, data_exists) = start(&["--kafka-port", &port.to_string()], &[]);
    check_failure(
        &output,
        &format!(
            "error: port {port} is in use: the Kafka listener cannot listen on 127.0.0.1:{port}; choose another \
             with --kafka-port (0 is a free one) or stop what listens there"
        ),
    );
    assert!(!data_exists);
}

#[test]
fn the_command_line_is_the_last_word() {
    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = busy.local_addr().unwrap().port().to_string();
    let (output, _) = start(&["--kafka-port", &port], &[("GANTRY_KAFKA_PORT", "0")]);
    assert!(String::from_utf8_lossy(&output.stderr).contains(&format!("port {port} is in use")));
}

#[test]
fn a_bad_variable_is_named() {
    let (output, data_exists) = start(&["--kafka-port", "0"], &[("GANTRY_NUM_PARTITIONS", "none")]);
    check_failure(
        &output,
        "error: environment GANTRY_NUM_PARTITIONS: num.partitions=none: not a value in count; allowed: 1 to 65536",
    );
    assert!(!data_exists);
}

#[test]
fn backtraces_of_errors_are_warned_of() {
    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = busy.local_addr().unwrap().port().to_string();
    let warned = |variables| {
        let (output, _) = start(&["--kafka-port", &port], variables);
        String::from_utf8_lossy(&output.stderr).contains("every malformed Kafka request costs a stack walk")
    };
    assert!(warned(&[("RUST_BACKTRACE", "1"), ("RUST_LIB_BACKTRACE", "1")]));
    assert!(!warned(&[("RUST_BACKTRACE", "1"), ("RUST_LIB_BACKTRACE", "0")]));
}

#[test]
fn a_missing_file_is_named() {
    let (output, _) = start(&["--conf", "/nowhere/broker.conf"], &[]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("error: /nowhere/broker.conf: cannot read the configuration: "), "{stderr}");
}
