//! The whole server with a dialect that echoes, through real sockets.

use std::io::{Read, Write};
use std::net::{Shutdown as Half, SocketAddr, TcpStream as Client};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::task::Waker;
use std::thread::JoinHandle;

use bytes::BytesMut;
use gantry_protocols::outbox::Outbox;

use super::*;
use crate::server::{BrokerAddresses, Hangup, Peer, Roles, Session, bind};

struct Echo;

impl Session for Echo {
    fn receive(&mut self, input: &mut BytesMut, out: &mut Outbox) -> Result<(), Hangup> {
        out.push(input.split().freeze());
        Ok(())
    }

    fn resume(&mut self, _: &Waker, _: &mut Outbox) -> Result<(), Hangup> {
        Ok(())
    }

    fn reads(&self) -> bool {
        true
    }

    fn closed(&mut self) {}
}

#[derive(Default)]
struct Switch(AtomicBool);

impl Health for Switch {
    fn reasons(&self) -> Vec<String> {
        if self.0.load(Ordering::SeqCst) { vec![] } else { vec!["the log is being recovered".into()] }
    }
}

struct Running {
    addresses: Addresses,
    health: Arc<Switch>,
    peers: Arc<Mutex<Vec<Peer>>>,
    shutdown: Shutdown,
    end: JoinHandle<Result<(), RunError>>,
}

impl Running {
    fn stop(self) {
        self.shutdown.stop();
        self.end.join().unwrap().unwrap();
    }
}

fn start_echo() -> Running {
    let settings = free_ports();
    let (health, shutdown) = (Arc::new(Switch::default()), Shutdown::new());
    let peers: Arc<Mutex<Vec<Peer>>> = Arc::default();
    let seen = Arc::clone(&peers);
    let echo: Dialect = Arc::new(move |peer| {
        seen.lock().unwrap().push(peer);
        Box::new(Echo)
    });
    let listeners = Listeners {
        namesrv: Some(Arc::clone(&echo)),
        remoting: Some(Arc::clone(&echo)),
        kafka: Some(echo),
        health: Arc::<Switch>::clone(&health),
        registry: Registry::default(),
        close: Box::new(|| Ok(())),
    };
    let (sender, receiver) = mpsc::channel();
    let end = std::thread::spawn({
        let shutdown = shutdown.clone();
        move || {
            let sockets = bind(&settings, Roles::All).unwrap();
            let ready = |addresses: &Addresses| {
                sender.send(*addresses).unwrap();
                Ok(())
            };
            run(sockets, &settings, &shutdown, move || Ok(listeners), ready)
        }
    });
    Running { addresses: receiver.recv().unwrap(), health, peers, shutdown, end }
}

fn get(address: SocketAddr, path: &str) -> String {
    let mut client = Client::connect(address).unwrap();
    write!(client, "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn every_port_serves_its_dialect() {
    let running = start_echo();
    let addresses = running.addresses;
    let BrokerAddresses { remoting, fast, kafka } = addresses.broker.unwrap();
    for address in [addresses.namesrv.unwrap(), remoting, fast.unwrap(), kafka] {
        let mut client = Client::connect(address).unwrap();
        client.write_all(b"hello").unwrap();
        let mut answer = [0; 5];
        client.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"hello");
        let peer = *running.peers.lock().unwrap().last().unwrap();
        assert_eq!(peer, Peer { remote: client.local_addr().unwrap(), local: address });
    }
    running.stop();
}

#[test]
fn readiness_says_why_not() {
    let running = start_echo();
    let http = running.addresses.http;
    assert!(get(http, "/healthz").starts_with("HTTP/1.1 200"));
    let answer = get(http, "/readyz");
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nthe log is being recovered\n"), "{answer}");
    running.health.0.store(true, Ordering::SeqCst);
    assert!(get(http, "/readyz").starts_with("HTTP/1.1 200"));
    assert!(get(http, "/nothing").starts_with("HTTP/1.1 404"));
    running.stop();
}

#[test]
fn both_ports_show_the_metrics() {
    let running = start_echo();
    let _held = Client::connect(running.addresses.broker.unwrap().kafka).unwrap();
    for address in [running.addresses.http, running.addresses.metrics.unwrap()] {
        let answer = get(address, "/metrics");
        assert!(answer.contains("# TYPE gantry_connections gauge\ngantry_connections "), "{answer}");
        assert!(answer.ends_with("# EOF\n"), "{answer}");
    }
    running.stop();
}

#[test]
fn a_stop_closes_every_connection() {
    let running = start_echo();
    let addresses = running.addresses;
    let mut idle = Client::connect(addresses.broker.unwrap().remoting).unwrap();
    let mut unfinished = Client::connect(addresses.http).unwrap();
    unfinished.write_all(b"GET /healthz HT").unwrap();
    idle.write_all(b"x").unwrap();
    idle.read_exact(&mut [0; 1]).unwrap();
    running.stop();
    assert_eq!(idle.read(&mut [0; 1]).unwrap(), 0);
}

#[test]
fn a_half_closed_client_still_gets_its_answer() {
    let running = start_echo();
    let mut client = Client::connect(running.addresses.broker.unwrap().kafka).unwrap();
    client.write_all(&[7; 300_000]).unwrap();
    client.shutdown(Half::Write).unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    assert_eq!(answer.len(), 300_000);
    running.stop();
}

fn free_ports() -> Settings {
    let mut settings = Settings::default();
    let network = &mut settings.network;
    (network.listen_port, network.namesrv_port, network.kafka_port) = (0, 0, 0);
    (network.http_port, network.metrics_port) = (0, 0);
    settings
}

fn nothing() -> Listeners {
    let (health, registry) = (Arc::new(Switch::default()), Registry::default());
    Listeners { namesrv: None, remoting: None, kafka: None, health, registry, close: Box::new(|| Ok(())) }
}

#[track_caller]
fn check_failure(open: impl FnOnce() -> Result<Listeners, AnyError> + Send + 'static, expected: &str) {
    let settings = free_ports();
    let never = |_: &Addresses| panic!("it was never ready");
    let error =
        run(bind(&settings, Roles::All).unwrap(), &settings, &Shutdown::new(), open, never).unwrap_err();
    assert_eq!(error.to_string(), expected);
}

#[test]
fn without_a_dialect_there_is_nothing_to_serve() {
    check_failure(|| Ok(nothing()), "no dialect is compiled in: there is nothing to serve");
}

#[test]
fn a_store_that_does_not_open_ends_the_start() {
    check_failure(|| Err("the directory is in use".into()), "the directory is in use");
    check_failure(|| panic!("as asked"), "opening the store panicked");
}

#[test]
fn health_answers_while_the_store_is_being_opened() {
    let settings = free_ports();
    let sockets = bind(&settings, Roles::All).unwrap();
    let http = sockets.addresses().http;
    let (shutdown, (sender, receiver)) = (Shutdown::new(), mpsc::channel::<()>());
    let end = std::thread::spawn({
        let shutdown = shutdown.clone();
        let open = move || {
            let _ = receiver.recv();
            Ok(nothing())
        };
        move || run(sockets, &settings, &shutdown, open, |_| Ok(()))
    });
    assert!(get(http, "/healthz").starts_with("HTTP/1.1 200"));
    let answer = get(http, "/readyz");
    assert!(answer.ends_with("\r\n\r\nthe store is being opened\n"), "{answer}");
    assert!(get(http, "/metrics").contains("gantry_connections 0\n"));
    shutdown.stop();
    end.join().unwrap().unwrap();
    drop(sender);
}

#[test]
fn what_opens_the_store_may_spawn_tasks() {
    let (sender, receiver) = mpsc::channel();
    let open = move || {
        tokio::spawn(async move { sender.send(()).unwrap() });
        receiver.recv()?;
        Ok(nothing())
    };
    check_failure(open, "no dialect is compiled in: there is nothing to serve");
}

#[test]
fn the_store_is_closed_after_the_last_connection() {
    let settings = free_ports();
    let sockets = bind(&settings, Roles::All).unwrap();
    let shutdown = Shutdown::new();
    let open = || {
        let close = || Err("the last flush failed".into());
        Ok(Listeners { kafka: Some(Arc::new(|_| Box::new(Echo))), close: Box::new(close), ..nothing() })
    };
    let ready = |_: &Addresses| {
        shutdown.stop();
        Ok(())
    };
    let error = run(sockets, &settings, &shutdown, open, ready).unwrap_err();
    assert_eq!(error.to_string(), "not stopped cleanly, the next start recovers: the last flush failed");
}
