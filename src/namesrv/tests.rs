//! Requests that original clients and tools sent to the original name server, recorded in
//! `compat-tests/golden/wire`: the answers here have the same codes, fields and body shapes.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};

use base64::Engine;
use bytes::{Bytes, BytesMut};
use flate2::read::GzDecoder;
use gantry_protocols::outbox::Outbox;
use gantry_protocols::remoting::ext_writer::ExtWriter;
use gantry_protocols::remoting::{Codec, Flag, Frame, Head, HeaderView, RequestCode};
use gantry_store::disk::RealDisk;
use gantry_store::state_file::StateFile;
use serde_json::Value;
use tempfile::TempDir;

use super::*;
use crate::semantics::Millis;
use crate::semantics::routes::QueueData;
use crate::semantics::topics::Perm;

const LOCAL: &str = "127.0.0.1:9876";

/// The broker of the recordings: every topic that an answered request asked for.
#[derive(Default)]
struct FakeBroker {
    topics: Mutex<HashMap<String, QueueData>>,
}

impl FakeBroker {
    fn add(&self, topic: &str, perm: i32) {
        let queues = QueueData { read_queues: 4, write_queues: 4, perm: Perm(perm), sys_flag: 0 };
        self.topics.lock().unwrap().insert(topic.to_owned(), queues);
    }
}

impl LocalBroker for FakeBroker {
    fn identity(&self) -> LocalIdentity<'_> {
        LocalIdentity { cluster: "DefaultCluster", broker: "broker-a", broker_id: 0 }
    }

    fn address(&self, asked_at: IpAddr) -> String {
        SocketAddr::new(asked_at, 30911).to_string()
    }

    fn queues(&self, topic: &str) -> Option<QueueData> {
        self.topics.lock().unwrap().get(topic).copied()
    }

    fn topics(&self) -> Vec<Arc<str>> {
        self.topics.lock().unwrap().keys().map(|name| Arc::from(name.as_str())).collect()
    }
}

/// A name server with one connection to it.
struct Scene {
    server: Arc<NameServer>,
    session: Session,
    broker: Arc<FakeBroker>,
    dir: TempDir,
}

fn open(dir: &Path, local: Option<Arc<dyn LocalBroker>>) -> Arc<NameServer> {
    let file = StateFile::new(Arc::new(RealDisk), dir.join("kvConfig.json"));
    let (keeper, saved) = KvKeeper::open(file).unwrap();
    let switches = Switches { order_messages: true, ..Switches::default() };
    let config = NameServerConfig { switches, listed: vec![("orderMessageEnable", String::new())] };
    NameServer::new(config, keeper, saved, local, Arc::new(|| 1_000))
}

impl Scene {
    fn new(has_broker: bool) -> Self {
        let (dir, broker) = (TempDir::new().unwrap(), Arc::<FakeBroker>::default());
        let local = Arc::clone(&broker) as Arc<dyn LocalBroker>;
        let server = open(dir.path(), has_broker.then_some(local));
        let session = Session::new(Arc::clone(&server), LOCAL.parse().unwrap());
        Self { server, session, broker, dir }
    }

    /// Sends whole frames and gives the answers, waiting for those that wait for a file.
    fn send(&mut self, frames: &[u8]) -> Vec<Answered> {
        struct Bell(Mutex<Sender<()>>);
        impl Wake for Bell {
            fn wake(self: Arc<Self>) {
                let _ = self.0.lock().unwrap().send(());
            }
        }
        let (bell, rung) = channel();
        let waker = Waker::from(Arc::new(Bell(Mutex::new(bell))));
        let (mut input, mut out) = (BytesMut::from(frames), Outbox::new());
        self.session.receive(&mut input, &mut out).unwrap();
        assert!(input.is_empty());
        self.session.resume(&waker, &mut out);
        while self.session.is_waiting() {
            rung.recv().unwrap();
            self.session.resume(&waker, &mut out);
        }
        answers(&mut out)
    }

    fn ask(&mut self, code: RequestCode, fields: &[(&str, &str)], body: &[u8]) -> Answered {
        let mut frame = BytesMut::new();
        let write = |ext: &mut ExtWriter<'_>| fields.iter().for_each(|(key, value)| ext.text(key, value));
        Head::request(code, 7, Flag::REQUEST).write(Codec::Json, body.len(), &mut frame, write).unwrap();
        frame.extend_from_slice(body);
        self.send(&frame).pop().unwrap()
    }
}

/// An answer, decoded.
struct Answered {
    code: i32,
    opaque: i32,
    remark: Option<String>,
    ext: HashMap<String, String>,
    body: Bytes,
}

impl Answered {
    fn of(frame: &Frame) -> Self {
        let view = HeaderView::of(frame).unwrap();
        Self {
            code: view.code,
            opaque: view.opaque,
            remark: view.remark.map(|remark| remark.text().into_owned()),
            ext: view
                .ext
                .iter()
                .map(|(key, value)| (key.text().into_owned(), value.text().into_owned()))
                .collect(),
            body: Bytes::clone(&frame.body),
        }
    }

    fn json(&self) -> Value {
        gantry_protocols::remoting::bodies::decode(&self.body).unwrap()
    }
}

fn answers(out: &mut Outbox) -> Vec<Answered> {
    let mut all = BytesMut::new();
    while !out.is_empty() {
        let mut slices = [std::io::IoSlice::new(&[]); gantry_protocols::outbox::SEGMENTS_PER_WRITE];
        let filled = out.segments(&mut slices);
        let before = all.len();
        slices[..filled].iter().for_each(|slice| all.extend_from_slice(slice));
        let sent = all.len() - before;
        out.advance(sent);
    }
    let mut found = Vec::new();
    while let Some(frame) = Frame::split(&mut all, usize::MAX).unwrap() {
        found.push(Answered::of(&frame));
    }
    found
}

/// A recorded request with its recorded answer.
struct Exchange {
    place: String,
    code: i32,
    topic: Option<String>,
    request: Vec<u8>,
    answer: Answered,
}

fn exchanges() -> Vec<Exchange> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("compat-tests/golden/wire");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "gz")).collect();
    files.sort();
    files.iter().flat_map(|path| recorded(path)).collect()
}

fn recorded(path: &Path) -> Vec<Exchange> {
    let mut text = String::new();
    GzDecoder::new(File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    let (mut asked, mut found) = (HashMap::new(), Vec::new());
    for (number, line) in text.lines().enumerate() {
        let line: Value = serde_json::from_str(line).unwrap();
        if line["peer"] != "namesrv" || line.get("frame").is_none() {
            continue;
        }
        let bytes =
            base64::engine::general_purpose::STANDARD.decode(line["frame"].as_str().unwrap()).unwrap();
        let call = (line["conn"].as_i64(), line["header"]["opaque"].as_i64());
        if line["dir"] == "c2s" {
            asked.insert(call, (format!("{}:{}", path.display(), number + 1), line["header"].clone(), bytes));
        } else if let Some((place, header, request)) = asked.remove(&call) {
            let frame = Frame::split(&mut BytesMut::from(&bytes[..]), usize::MAX).unwrap().unwrap();
            let code = i32::try_from(header["code"].as_i64().unwrap()).unwrap();
            let topic = header["extFields"]["topic"].as_str().map(str::to_owned);
            found.push(Exchange { place, code, topic, request, answer: Answered::of(&frame) });
        }
    }
    found
}

/// Paths of all members, with `[]` for elements and `*` for names that are data.
fn shape(value: &Value, path: &str, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(key, value)| {
            let is_data = ["Table", "Addrs"].iter().any(|end| path.ends_with(end));
            let path = format!("{path}.{}", if is_data { "*" } else { key });
            into.insert(path.clone());
            shape(value, &path, into);
        }),
        Value::Array(elements) => elements.iter().for_each(|value| shape(value, &format!("{path}[]"), into)),
        _ => {}
    }
}

fn shape_of(value: &Value) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    shape(value, "", &mut paths);
    paths
}

#[test]
fn answers_recorded_requests_as_the_original_did() {
    let mut scene = Scene::new(true);
    let mut compared = HashMap::new();
    for one in exchanges().into_iter().filter(|one| one.code != 103) {
        scene.broker.topics.lock().unwrap().clear();
        if let (105, 0, Some(topic)) = (one.code, one.answer.code, &one.topic) {
            let perm = one.answer.json()["queueDatas"][0]["perm"].as_i64().unwrap();
            scene.broker.add(topic, i32::try_from(perm).unwrap());
            if let Some(order) = one.answer.json()["orderTopicConf"].as_str() {
                scene.server.put_kv("ORDER_TOPIC_CONFIG", topic, order).unwrap();
            } else {
                scene.server.delete_kv("ORDER_TOPIC_CONFIG", topic);
            }
        } else {
            scene.broker.add("AdmTopic", 6);
        }
        let got = scene.send(&one.request).pop().unwrap();
        let place = &one.place;
        assert_eq!((got.code, got.opaque), (one.answer.code, one.answer.opaque), "{place}: {:?}", got.remark);
        let first =
            |remark: &Option<String>| remark.as_ref().map(|text| text.lines().next().map(str::to_owned));
        if one.code != 9999 {
            assert_eq!(first(&got.remark), first(&one.answer.remark), "{place}");
        }
        let keys = |answer: &Answered| answer.ext.keys().cloned().collect::<BTreeSet<_>>();
        assert_eq!(keys(&got), keys(&one.answer), "{place}");
        assert_eq!(got.body.is_empty(), one.answer.body.is_empty(), "{place}");
        if one.code == 319 {
            // Properties text: the original has the same switches, and many keys besides.
            let theirs = String::from_utf8_lossy(&one.answer.body).into_owned();
            let ours = String::from_utf8_lossy(&got.body).into_owned();
            assert_eq!(ours, "orderMessageEnable=true\n");
            assert!(theirs.lines().any(|line| line == ours.trim_end()), "{place}: {theirs}");
        } else if !got.body.is_empty() {
            let mut wanted = shape_of(&one.answer.json());
            // Static topics do not exist here.
            wanted.retain(|path| !path.starts_with(".topicQueueMappingByBroker"));
            assert_eq!(shape_of(&got.json()), wanted, "{place}");
            let addresses = |answer: &Answered| answer.json()["brokerDatas"][0]["brokerAddrs"].clone();
            assert_eq!(addresses(&got), addresses(&one.answer), "{place}");
        }
        *compared.entry(one.code).or_insert(0) += 1;
    }
    assert!(compared[&105] > 400, "{compared:?}");
    for code in [100, 101, 102, 106, 205, 206, 216, 318, 319, 327] {
        assert!(compared.contains_key(&code), "{code} was never recorded");
    }
}

#[test]
fn a_recorded_broker_registers_and_goes_with_its_connection() {
    let mut scene = Scene::new(false);
    for one in exchanges().into_iter().filter(|one| one.code == 103) {
        let got = scene.send(&one.request).pop().unwrap();
        assert_eq!((got.code, got.ext), (0, one.answer.ext), "{}: {:?}", one.place, got.remark);
    }
    let route = scene.ask(RequestCode::GET_ROUTEINFO_BY_TOPIC, &[("topic", "TBW102")], b"").json();
    assert_eq!(route["queueDatas"][0]["perm"], 7);
    assert_eq!(route["brokerDatas"][0]["brokerAddrs"]["0"], "127.0.0.1:30911");
    let identity = [
        ("brokerName", "broker-a"),
        ("brokerAddr", "127.0.0.1:30911"),
        ("clusterName", "DefaultCluster"),
        ("brokerId", "0"),
    ];
    let changed = scene.ask(RequestCode::QUERY_DATA_VERSION, &identity, br#"{"counter":1,"timestamp":2}"#);
    assert_eq!(changed.ext["changed"], "true");
    let known = changed.body.clone();
    let same = scene.ask(RequestCode::QUERY_DATA_VERSION, &identity, &known);
    assert_eq!(same.ext["changed"], "false");
    assert_eq!(scene.ask(RequestCode::BROKER_HEARTBEAT, &identity, b"").code, 0);
    assert_eq!(scene.server.tick(Millis(0), Waker::noop()), Some(Millis(121_000)));
    scene.session.closed();
    assert_eq!(scene.server.tick(Millis(0), Waker::noop()), None);
    assert_eq!(scene.ask(RequestCode::GET_ROUTEINFO_BY_TOPIC, &[("topic", "TBW102")], b"").code, 17);
}

#[test]
fn refuses_a_broker_that_takes_the_place_of_its_own() {
    let mut scene = Scene::new(true);
    for one in exchanges().into_iter().filter(|one| one.code == 103) {
        let got = scene.send(&one.request).pop().unwrap();
        assert_eq!(got.code, 1);
        assert!(got.remark.unwrap().contains("broker-a"));
    }
}

#[test]
fn refuses_a_registration_whose_body_was_damaged() {
    let mut scene = Scene::new(false);
    let mut one = exchanges().into_iter().find(|one| one.code == 103).unwrap();
    *one.request.last_mut().unwrap() ^= 1;
    let got = scene.send(&one.request).pop().unwrap();
    assert_eq!((got.code, got.remark.as_deref()), (1, Some("crc32 not match")));
}

#[test]
fn names_a_request_that_it_does_not_serve() {
    let got = Scene::new(false).ask(RequestCode::SEND_MESSAGE_V2, &[], b"");
    assert_eq!(
        (got.code, got.remark.as_deref()),
        (3, Some(" request type 310 not supported (SEND_MESSAGE_V2)"))
    );
}

#[test]
fn refuses_registrations_under_names_that_no_client_could_say() {
    let mut scene = Scene::new(false);
    let long = "n".repeat(256);
    for (field, value) in [("brokerName", ""), ("clusterName", "a\nb"), ("brokerAddr", &long)] {
        let mut fields = vec![
            ("brokerName", "b"),
            ("brokerAddr", "10.0.0.2:10911"),
            ("clusterName", "C"),
            ("haServerAddr", ""),
            ("brokerId", "0"),
        ];
        fields.iter_mut().filter(|(name, _)| *name == field).for_each(|one| one.1 = value);
        let got = scene.ask(RequestCode::REGISTER_BROKER, &fields, b"");
        assert_ne!(got.code, 0, "{field}");
    }
    let body =
        br#"{"topicConfigSerializeWrapper":{"topicConfigTable":{"good":{},"":{},"a\u0000b":{},"too":{}}}}"#;
    assert_eq!(register(&mut scene, body).code, 0);
    let list = scene.ask(RequestCode::GET_ALL_TOPIC_LIST_FROM_NAMESERVER, &[], b"").json();
    assert_eq!(list["topicList"], serde_json::json!(["good", "too"]));
}

fn register(scene: &mut Scene, body: &[u8]) -> Answered {
    let broker = [
        ("brokerName", "b"),
        ("brokerAddr", "10.0.0.2:10911"),
        ("clusterName", "C"),
        ("haServerAddr", "10.0.0.2:10912"),
        ("brokerId", "0"),
    ];
    scene.ask(RequestCode::REGISTER_BROKER, &broker, body)
}

#[test]
fn takes_a_registration_of_very_many_topics() {
    let mut scene = Scene::new(false);
    let topics: Vec<_> = (0..100_000).map(|n| format!("\"topic-{n}\":{{\"perm\":6}}")).collect();
    let body =
        format!("{{\"topicConfigSerializeWrapper\":{{\"topicConfigTable\":{{{}}}}}}}", topics.join(","));
    assert_eq!(register(&mut scene, body.as_bytes()).code, 0);
    assert_eq!(scene.server.topics().len(), 100_000);
}

#[test]
fn registers_one_topic_on_brokers_that_it_knows() {
    let mut scene = Scene::new(false);
    let route = br#"{"queueDatas":[{"brokerName":"b","perm":6,"readQueueNums":4,"writeQueueNums":4}]}"#;
    let topic = [("topic", "late")];
    assert_eq!(scene.ask(RequestCode::REGISTER_TOPIC_IN_NAMESRV, &topic, route).code, 29);
    let body = br#"{"topicConfigSerializeWrapper":{"topicConfigTable":{"t":{},"u":{}}}}"#;
    assert_eq!(register(&mut scene, body).code, 0);
    assert_eq!(scene.ask(RequestCode::REGISTER_TOPIC_IN_NAMESRV, &topic, b"{}").code, 29);
    assert_eq!(scene.ask(RequestCode::REGISTER_TOPIC_IN_NAMESRV, &topic, route).code, 0);
    assert_eq!(scene.ask(RequestCode::GET_ROUTEINFO_BY_TOPIC, &topic, b"").code, 0);
}

#[test]
fn lists_topics_of_units_also_those_of_its_own_broker() {
    let mut scene = Scene::new(true);
    let own = QueueData { read_queues: 1, write_queues: 1, perm: Perm(6), sys_flag: 1 };
    scene.broker.topics.lock().unwrap().insert("own".to_owned(), own);
    let body = br#"{"topicConfigSerializeWrapper":{"topicConfigTable":{
        "both":{"topicSysFlag":3},"sub":{"topicSysFlag":2},"plain":{}}}}"#;
    assert_eq!(register(&mut scene, body).code, 0);
    let mut list = |code| scene.ask(code, &[], b"").json()["topicList"].clone();
    assert_eq!(list(RequestCode::GET_UNIT_TOPIC_LIST), serde_json::json!(["own", "both"]));
    assert_eq!(list(RequestCode::GET_HAS_UNIT_SUB_TOPIC_LIST), serde_json::json!(["both", "sub"]));
    assert_eq!(list(RequestCode::GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST), serde_json::json!(["sub"]));
}

#[test]
fn a_changed_switch_acts_at_once_and_a_path_is_never_taken() {
    let mut scene = Scene::new(true);
    let all = RequestCode::GET_ALL_TOPIC_LIST_FROM_NAMESERVER;
    assert_eq!(scene.ask(all, &[], b"").code, 0);
    assert_eq!(scene.ask(RequestCode::UPDATE_NAMESRV_CONFIG, &[], b"enableAllTopicList=false\n").code, 0);
    let got = scene.ask(all, &[], b"");
    assert_eq!((got.code, got.remark.as_deref()), (1, Some("disable")));
    let refused = scene.ask(RequestCode::UPDATE_NAMESRV_CONFIG, &[], b"kvConfigPath=/etc/passwd\n");
    assert_eq!(refused.code, 16);
    assert!(refused.remark.unwrap().starts_with("Can not update config in black list."));
    assert_eq!(scene.ask(RequestCode::UPDATE_NAMESRV_CONFIG, &[], b"x=\\u12").code, 1);
}

#[test]
fn finds_a_topic_with_dots_by_both_of_its_names() {
    let mut scene = Scene::new(true);
    scene.broker.add("orders.v1", 6);
    for name in ["orders.v1", "orders%2Ev1"] {
        assert_eq!(scene.ask(RequestCode::GET_ROUTEINFO_BY_TOPIC, &[("topic", name)], b"").code, 0, "{name}");
    }
    assert_eq!(scene.ask(RequestCode::GET_ROUTEINFO_BY_TOPIC, &[("topic", "orders_v1")], b"").code, 17);
}

#[test]
fn wipes_and_gives_back_the_write_permission_of_its_own_broker() {
    let mut scene = Scene::new(true);
    scene.broker.add("t", 6);
    let perm = |scene: &mut Scene| {
        let route = scene.ask(RequestCode::GET_ROUTEINFO_BY_TOPIC, &[("topic", "t")], b"");
        route.json()["queueDatas"][0]["perm"].as_i64()
    };
    let wiped = scene.ask(RequestCode::WIPE_WRITE_PERM_OF_BROKER, &[("brokerName", "broker-a")], b"");
    assert_eq!((wiped.ext["wipeTopicCount"].as_str(), perm(&mut scene)), ("1", Some(4)));
    let added = scene.ask(RequestCode::ADD_WRITE_PERM_OF_BROKER, &[("brokerName", "broker-a")], b"");
    assert_eq!((added.ext["addTopicCount"].as_str(), perm(&mut scene)), ("1", Some(6)));
}

#[test]
fn slaves_of_its_own_broker_stand_beside_it() {
    let mut scene = Scene::new(true);
    scene.broker.add("t", 6);
    let slave = [
        ("brokerName", "broker-a"),
        ("brokerAddr", "10.0.0.2:10911"),
        ("clusterName", "DefaultCluster"),
        ("haServerAddr", "10.0.0.2:10912"),
        ("brokerId", "1"),
    ];
    assert_eq!(scene.ask(RequestCode::REGISTER_BROKER, &slave, b"").code, 0);
    let route = scene.ask(RequestCode::GET_ROUTEINFO_BY_TOPIC, &[("topic", "t")], b"").json();
    assert_eq!(
        route["brokerDatas"][0]["brokerAddrs"],
        serde_json::json!({"0": "127.0.0.1:30911", "1": "10.0.0.2:10911"})
    );
    assert_eq!(route["brokerDatas"].as_array().unwrap().len(), 1);
}

#[test]
fn key_value_configuration_survives_a_restart() {
    let mut scene = Scene::new(true);
    let order = [("namespace", "ORDER_TOPIC_CONFIG"), ("key", "t"), ("value", "broker-a:8;")];
    assert_eq!(scene.ask(RequestCode::PUT_KV_CONFIG, &order, b"").code, 0);
    let text = fs::read_to_string(scene.dir.path().join("kvConfig.json")).unwrap();
    let saved: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(saved["configTable"]["ORDER_TOPIC_CONFIG"]["t"], "broker-a:8;");
    scene.broker.add("t", 6);
    let server = open(scene.dir.path(), Some(Arc::clone(&scene.broker) as Arc<dyn LocalBroker>));
    scene.session = Session::new(server, LOCAL.parse().unwrap());
    let list = scene.ask(RequestCode::GET_KVLIST_BY_NAMESPACE, &order[..1], b"");
    assert_eq!(list.json()["table"]["t"], "broker-a:8;");
    let route = scene.ask(RequestCode::GET_ROUTEINFO_BY_TOPIC, &[("topic", "t")], b"").json();
    assert_eq!(route["orderTopicConf"], "broker-a:8");
    assert_eq!(scene.ask(RequestCode::DELETE_KV_CONFIG, &order[..2], b"").code, 0);
    assert_eq!(scene.ask(RequestCode::GET_KV_CONFIG, &order[..2], b"").code, 22);
    assert_eq!(scene.ask(RequestCode::GET_KVLIST_BY_NAMESPACE, &order[..1], b"").code, 22);
}

#[test]
fn every_code_stands_once_and_has_a_name() {
    let codes: Vec<_> = routes().map(|(code, _)| code).collect();
    for pair in codes.windows(2) {
        assert!(pair[0] < pair[1], "{} twice", pair[0]);
    }
    assert!(codes.iter().all(|code| code.name().is_some()));
}
