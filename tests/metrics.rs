//! `/metrics` of the real binary: every family of names is there, and a connection shows.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed step fails the test")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};

struct Running {
    child: Child,
    addresses: serde_json::Value,
    _directory: tempfile::TempDir,
}

impl Running {
    fn start() -> Running {
        let directory = tempfile::tempdir().unwrap();
        let ready = directory.path().join("ready.json");
        let mut command = Command::new(env!("CARGO_BIN_EXE_gantry"));
        command.arg("start").arg("--data").arg(directory.path().join("data")).arg("--ready-file").arg(&ready);
        for port in ["--namesrv-port", "--remoting-port", "--kafka-port", "--http-port"] {
            command.args([port, "0"]);
        }
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("GANTRY_"))
        {
            command.env_remove(name);
        }
        // Small files: the test is about names, not about the disk.
        command.env("GANTRY_MAPPED_FILE_SIZE_COMMIT_LOG", "1048576");
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        // The banner is printed when every socket is served; the ready file is there by then.
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let addresses = serde_json::from_slice(&std::fs::read(ready).unwrap()).unwrap();
        Running { child, addresses, _directory: directory }
    }

    fn connect(&self, listener: &str) -> TcpStream {
        let address: SocketAddr = self.addresses[listener].as_str().unwrap().parse().unwrap();
        TcpStream::connect(address).unwrap()
    }

    fn scrape(&self) -> String {
        let mut stream = self.connect("http");
        stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
        text
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// ApiVersions version 0, and its answer: the connection is served then.
fn greet(stream: &mut TcpStream) {
    stream.write_all(b"\0\0\0\x0b\0\x12\0\0\0\0\0\x07\0\x01t").unwrap();
    let mut head = [0; 8];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(head[4..], [0, 0, 0, 7]);
}

#[test]
fn a_scrape_holds_every_family_and_shows_a_connection() {
    let running = Running::start();
    let mut client = running.connect("kafka");
    greet(&mut client);
    let text = running.scrape();
    for row in [
        "gantry_listener_connections{listener=\"kafka\"} 1\n",
        "gantry_build_info{version=",
        "process_resident_memory_bytes ",
        "gantry_messages_in_total{cluster=\"DefaultCluster\",node_type=\"broker\",node_id=\"broker-a\",",
        "kafka_server_replicamanager_partitioncount{",
        "gantry_commitlog_written_offset{",
        "gantry_flush_seconds_bucket{",
        "kafka_network_requestmetrics_requests_total{",
        "# EOF\n",
    ] {
        assert!(text.contains(row), "no {row} in\n{text}");
    }
    assert_eq!(text.matches("# EOF").count(), 1);
}
