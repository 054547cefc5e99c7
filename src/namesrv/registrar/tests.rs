//! A broker and the name servers it registers with, over real sockets.

use std::io::{IoSlice, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};

use bytes::BytesMut;
use gantry_protocols::outbox::{Outbox, SEGMENTS_PER_WRITE};
use gantry_protocols::remoting::HeaderView;
use gantry_protocols::remoting::frame::Frame;
use gantry_store::disk::RealDisk;
use gantry_store::state_file::StateFile;
use tempfile::TempDir;

use super::*;
use crate::broker::BrokerSettings;
use crate::broker::test_broker::TestBroker;
use crate::broker::topics::NewTopic;
use crate::namesrv::{KvKeeper, NameServer, NameServerConfig, Session};
use crate::semantics::routes::kv::ORDER_TOPIC_NAMESPACE;
use crate::semantics::routes::{ConnectionId, QueueData};
use crate::semantics::topics::Perm;

/// A name server on a port, which tells the codes it was asked.
struct Served {
    server: Arc<NameServer>,
    address: String,
    asked: Receiver<RequestCode>,
    connections: Arc<Mutex<Vec<TcpStream>>>,
    _dir: TempDir,
}

fn serve() -> Served {
    let dir = TempDir::new().unwrap();
    let file = StateFile::new(Arc::new(RealDisk), dir.path().join("kvConfig.json"));
    let (keeper, saved) = KvKeeper::open(file).unwrap();
    let server = NameServer::new(NameServerConfig::default(), keeper, saved, None, Arc::new(|| 1_000));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (tell, asked) = channel();
    let connections = Arc::<Mutex<Vec<TcpStream>>>::default();
    let (shared, held) = (Arc::clone(&server), Arc::clone(&connections));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (server, tell, stream) = (Arc::clone(&shared), tell.clone(), stream.unwrap());
            held.lock().unwrap().push(stream.try_clone().unwrap());
            std::thread::spawn(move || answer(server, stream, &tell));
        }
    });
    Served { server, address, asked, connections, _dir: dir }
}

fn answer(server: Arc<NameServer>, mut stream: TcpStream, tell: &Sender<RequestCode>) {
    let mut session = Session::new(server, stream.local_addr().unwrap());
    let (mut input, mut out) = (BytesMut::new(), Outbox::new());
    let mut chunk = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut chunk) {
        input.extend_from_slice(&chunk[..read]);
        let mut copy = input.clone();
        while let Ok(Some(frame)) = Frame::split(&mut copy, limits::REMOTING_FRAME_SIZE) {
            let code = HeaderView::of(&frame).unwrap().request_code();
            session.receive(&mut input, &mut out).unwrap();
            let mut slices = [IoSlice::new(&[]); SEGMENTS_PER_WRITE];
            while !out.is_empty() {
                let filled = out.segments(&mut slices);
                let bytes: Vec<u8> = slices[..filled].iter().flat_map(|slice| slice.to_vec()).collect();
                stream.write_all(&bytes).unwrap();
                slices = [IoSlice::new(&[]); SEGMENTS_PER_WRITE];
                out.advance(bytes.len());
            }
            let _ = tell.send(code);
        }
    }
    session.closed();
}

impl Served {
    fn expect(&self, wanted: RequestCode) {
        let asked = self.asked.recv_timeout(Duration::from_secs(20));
        assert_eq!(asked, Ok(wanted), "from the broker");
    }

    /// Each of these is asked, in any order.
    fn expect_all(&self, mut wanted: Vec<RequestCode>) {
        while !wanted.is_empty() {
            let asked = self.asked.recv_timeout(Duration::from_secs(20)).unwrap();
            let at = wanted.iter().position(|code| *code == asked);
            wanted.swap_remove(at.unwrap_or_else(|| panic!("{asked} was asked, not one of {wanted:?}")));
        }
    }

    fn knows(&self, topic: &str) -> bool {
        self.server.route(topic, IpAddr::from([127, 0, 0, 1])).is_some()
    }
}

fn config(name_servers: Vec<String>) -> RegistrarConfig {
    RegistrarConfig {
        name_servers,
        rules: RegistrationRules { period_ms: 3_600_000, forced: true, heartbeat_ms: None },
        timeout_ms: None,
        listens: "127.0.0.1:10911".parse().unwrap(),
        own_name_server: None,
    }
}

fn broker() -> TestBroker {
    TestBroker::open(BrokerSettings::default())
}

fn create(test: &TestBroker, name: &str) {
    let new = NewTopic { name, partitions: Some(1), configs: &[], validate_only: false };
    test.broker.create_kafka_topic(&new).unwrap();
    while test.broker.kept_topics_version() != test.broker.topics_version() {
        std::thread::yield_now();
    }
}

#[test]
fn registers_all_topics_and_a_new_one_at_once_and_leaves_at_the_end() {
    let (served, test) = (serve(), broker());
    let registrar = Registrar::start(&test.broker, &config(vec![served.address.clone()])).unwrap();
    served.expect(RequestCode::REGISTER_BROKER);
    assert!(served.knows("TBW102") && !served.knows("orders%2Ev1"));
    create(&test, "orders.v1");
    served.expect(RequestCode::REGISTER_BROKER);
    assert!(served.knows("orders%2Ev1"));
    drop(registrar);
    served.expect(RequestCode::UNREGISTER_BROKER);
    assert!(!served.knows("TBW102"));
}

#[test]
fn takes_back_a_topic_that_was_deleted_unless_another_broker_has_it() {
    let (served, test) = (serve(), broker());
    create(&test, "mine");
    create(&test, "shared");
    let registrar = Registrar::start(&test.broker, &config(vec![served.address.clone()])).unwrap();
    served.expect(RequestCode::REGISTER_BROKER);
    let queues = || QueueData { read_queues: 1, write_queues: 1, perm: Perm(6), sys_flag: 0 };
    let other = crate::semantics::routes::Registration {
        cluster: "DefaultCluster".into(),
        broker: "broker-b".into(),
        broker_id: 0,
        address: "10.0.0.2:10911".into(),
        ha_address: "10.0.0.2:10912".into(),
        zone: None,
        timeout_ms: None,
        enable_acting_master: None,
        connection: ConnectionId(1_000),
        data_version: DataVersion::default(),
        topics: vec![("shared".into(), queues()), ("other".into(), queues())],
        filter_servers: Vec::new(),
    };
    served.server.register(Millis(1_000), other).unwrap();
    for (topic, stays) in [("mine", false), ("shared", true)] {
        test.broker.delete_topic(topic).unwrap();
        // A round that is on its way may see the deletion before the next registration.
        let mut wanted = vec![RequestCode::REGISTER_BROKER, RequestCode::GET_ROUTEINFO_BY_TOPIC];
        if !stays {
            wanted.push(RequestCode::DELETE_TOPIC_IN_NAMESRV);
        }
        served.expect_all(wanted);
        assert_eq!(served.knows(topic), stays, "{topic}");
    }
    drop(registrar);
    served.expect(RequestCode::UNREGISTER_BROKER);
}

#[test]
fn registers_again_when_its_connection_is_lost() {
    let (served, test) = (serve(), broker());
    let registrar = Registrar::start(&test.broker, &config(vec![served.address.clone()])).unwrap();
    served.expect(RequestCode::REGISTER_BROKER);
    for stream in served.connections.lock().unwrap().drain(..) {
        stream.shutdown(std::net::Shutdown::Both).unwrap();
    }
    served.expect(RequestCode::REGISTER_BROKER);
    assert!(served.knows("TBW102"));
    drop(registrar);
}

#[test]
fn one_that_speaks_something_else_or_hangs_up_delays_no_other() {
    let (served, test) = (serve(), broker());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let garbage = listener.local_addr().unwrap().to_string();
    let talking = std::thread::spawn(move || {
        // Twice: the broker has to come again after nonsense.
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 64]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let all = vec![garbage, nobody, "no.such.host.invalid:9876".to_owned(), served.address.clone()];
    let registrar = Registrar::start(&test.broker, &config(all)).unwrap();
    served.expect(RequestCode::REGISTER_BROKER);
    assert!(served.knows("TBW102"));
    talking.join().unwrap();
    drop(registrar);
    served.expect(RequestCode::UNREGISTER_BROKER);
}

#[test]
fn takes_the_order_configuration_that_it_is_told() {
    let (served, test) = (serve(), broker());
    create(&test, "ordered");
    served.server.put_kv(ORDER_TOPIC_NAMESPACE, "ordered", "broker-a:1").unwrap();
    let registrar = Registrar::start(&test.broker, &config(vec![served.address.clone()])).unwrap();
    served.expect(RequestCode::REGISTER_BROKER);
    // The change of the topic is a change to be registered.
    served.expect(RequestCode::REGISTER_BROKER);
    assert!(test.broker.topic("ordered").unwrap().config().order);
    drop(registrar);
}

#[test]
fn asks_before_it_registers_and_sends_heartbeats_where_it_shall() {
    let (served, test) = (serve(), broker());
    let rules = RegistrationRules { period_ms: 100, forced: false, heartbeat_ms: None };
    let asking = RegistrarConfig { rules, ..config(vec![served.address.clone()]) };
    let registrar = Registrar::start(&test.broker, &asking).unwrap();
    served.expect(RequestCode::REGISTER_BROKER);
    served.expect(RequestCode::QUERY_DATA_VERSION);
    served.expect(RequestCode::QUERY_DATA_VERSION);
    drop(registrar);
    while served.asked.recv_timeout(Duration::from_secs(20)) != Ok(RequestCode::UNREGISTER_BROKER) {}
    let rules = RegistrationRules { period_ms: 3_600_000, forced: true, heartbeat_ms: Some(10) };
    let beating = RegistrarConfig { rules, timeout_ms: Some(10_000), ..config(vec![served.address.clone()]) };
    let registrar = Registrar::start(&test.broker, &beating).unwrap();
    served.expect(RequestCode::REGISTER_BROKER);
    served.expect(RequestCode::BROKER_HEARTBEAT);
    assert_eq!(served.server.tick(Millis(1_000), Waker::noop()), Some(Millis(11_000)));
    drop(registrar);
}

#[test]
fn does_not_register_with_the_name_server_of_its_own_process() {
    let (served, test) = (serve(), broker());
    let own = served.address.parse().unwrap();
    let config = RegistrarConfig { own_name_server: Some(own), ..config(vec![served.address.clone()]) };
    let mut registrar = Registrar::start(&test.broker, &config).unwrap();
    for thread in registrar.threads.drain(..) {
        thread.join().unwrap();
    }
    assert!(served.asked.try_recv().is_err());
}

#[test]
fn addresses_are_the_configured_one_else_where_it_listens() {
    let served = serve();
    let peer = Peer::connect(&served.address, Duration::from_secs(20)).unwrap();
    let listens = |text: &str| text.parse::<SocketAddr>().unwrap();
    assert_eq!(broker_address(Some("10.0.0.1"), listens("0.0.0.0:1"), &peer), "10.0.0.1:1");
    assert_eq!(broker_address(Some("::1"), listens("0.0.0.0:1"), &peer), "[::1]:1");
    assert_eq!(broker_address(None, listens("10.0.0.2:1"), &peer), "10.0.0.2:1");
    assert_eq!(broker_address(None, listens("0.0.0.0:1"), &peer), "127.0.0.1:1");
    assert_eq!(ha_address("[::1]:10911"), "[::1]:10912");
}
