//! A Gantry of the test's own on free ports, and commands that ask it.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

/// The binary without the variables of whoever runs the tests.
pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gantry"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("GANTRY_")) {
        command.env_remove(name);
    }
    command.env_remove("NO_COLOR").env("TZ", "UTC").stdin(Stdio::null());
    command
}

/// Ends when dropped.
pub(crate) struct Running {
    child: Child,
    addresses: Value,
    directory: tempfile::TempDir,
}

impl Running {
    pub(crate) fn start() -> Running {
        let directory = tempfile::tempdir().unwrap();
        let ready = directory.path().join("ready.json");
        let mut command = command();
        command.arg("start").arg("--data").arg(directory.path().join("data")).arg("--ready-file").arg(&ready);
        for port in ["--namesrv-port", "--remoting-port", "--kafka-port", "--http-port"] {
            command.args([port, "0"]);
        }
        // Small files, and a disk that may be nearly full: the tests are about commands.
        command.env("GANTRY_MAPPED_FILE_SIZE_COMMIT_LOG", "1048576");
        command.env("GANTRY_DISK_MAX_USED_SPACE_RATIO", "95");
        command.env("GANTRY_DISK_SPACE_CLEAN_FORCIBLY_RATIO", "98");
        command.env("GANTRY_DISK_SPACE_WARNING_LEVEL_RATIO", "99");
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        // The banner is printed when every socket is served; the ready file is there by then.
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let addresses = serde_json::from_slice(&std::fs::read(ready).unwrap()).unwrap();
        Running { child, addresses, directory }
    }

    pub(crate) fn address(&self, listener: &str) -> &str {
        self.addresses[listener].as_str().unwrap()
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// A command with its words, about to be run against this Gantry.
    pub(crate) fn ask(&self, words: &[&str]) -> Command {
        let mut command = command();
        command.env("GANTRY_NAMESRV", self.address("namesrv")).env("GANTRY_KAFKA", self.address("kafka"));
        command.env("GANTRY_HTTP", self.address("http")).env("GANTRY_TIMEOUT", "30s").args(words);
        command
    }

    pub(crate) fn output(&self, words: &[&str]) -> Output {
        self.ask(words).output().unwrap()
    }

    /// Standard output of a command that has to succeed without a note.
    #[track_caller]
    pub(crate) fn text(&self, words: &[&str]) -> String {
        let output = self.output(words);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), &*stderr), (Some(0), ""), "{words:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[track_caller]
    pub(crate) fn json(&self, words: &[&str]) -> Value {
        let words: Vec<&str> = words.iter().chain(&["-o", "json"]).copied().collect();
        serde_json::from_str(&self.text(&words)).unwrap()
    }

    /// Values of a command that prints one a line.
    #[track_caller]
    pub(crate) fn json_lines(&self, words: &[&str]) -> Vec<Value> {
        let words: Vec<&str> = words.iter().chain(&["-o", "json"]).copied().collect();
        self.text(&words).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The command has to fail with this code, saying this; nothing goes to standard output.
    #[track_caller]
    pub(crate) fn fails(&self, words: &[&str], code: i32, says: &str) {
        check_failure(&self.output(words), code, says);
    }

    /// Runs a command with this standard input.
    pub(crate) fn with_input(&self, words: &[&str], input: &[u8]) -> Output {
        let mut child = self
            .ask(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        child.wait_with_output().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[track_caller]
pub(crate) fn check_failure(output: &Output, code: i32, says: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains(says), "no {says:?} in {stderr}");
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
}

/// An address where nobody listens.
pub(crate) fn nobody() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}
