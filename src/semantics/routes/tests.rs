//! Registrations, departures and the routes they leave.

use super::*;

fn version(counter: i64) -> DataVersion {
    DataVersion { state_version: 0, timestamp: Millis(1), counter }
}

fn queues(count: i32) -> QueueData {
    QueueData { read_queues: count, write_queues: count, perm: Perm::READ_WRITE, sys_flag: 0 }
}

fn broker(name: &str, id: i64, address: &str, topics: &[&str]) -> Registration {
    Registration {
        cluster: "C".into(),
        broker: name.into(),
        broker_id: id,
        address: address.into(),
        ha_address: format!("ha-{address}").into(),
        zone: None,
        timeout_ms: None,
        enable_acting_master: Some(false),
        connection: ConnectionId(address.len() as u64),
        data_version: version(1),
        topics: topics.iter().map(|topic| (Arc::from(*topic), queues(4))).collect(),
        filter_servers: Vec::new(),
    }
}

fn table() -> Routes {
    let mut routes = Routes::default();
    assert_eq!(routes.register(Millis(0), broker("a", 0, "a:1", &["t", "u"])), Ok(Registered::default()));
    routes
}

fn perm(routes: &Routes, topic: &str) -> Option<i32> {
    routes.route(topic).map(|route| route.queues[0].1.perm.0)
}

#[test]
fn gives_the_route_of_a_topic() {
    let routes = table();
    let route = routes.route("t").unwrap();
    assert_eq!(&*route.brokers[0].addresses[&0], "a:1");
    assert_eq!(route.queues, [(Arc::from("a"), queues(4))]);
    assert_eq!(routes.route("none"), None);
}

#[test]
fn refuses_an_increment_of_an_unknown_broker() {
    let mut routes = Routes::default();
    let refused = routes.register(Millis(0), broker("a", 0, "a:1", &["t"]));
    assert_eq!(refused, Err(RegisterError::IncrementWithoutBase));
    assert_eq!((routes.brokers().count(), routes.clusters().count()), (0, 0));
}

#[test]
fn applies_an_increment_of_a_known_broker_and_keeps_other_topics() {
    let mut routes = table();
    let increment = Registration { data_version: version(2), ..broker("a", 0, "a:1", &["v"]) };
    assert!(routes.register(Millis(1), increment).is_ok());
    assert_eq!(routes.topics().map(|topic| &**topic).collect::<Vec<_>>(), ["t", "u", "v"]);
}

#[test]
fn applies_known_topics_only_with_a_changed_version() {
    let mut routes = table();
    let with = |counter| Registration {
        data_version: version(counter),
        topics: vec![("t".into(), queues(8)), ("w".into(), queues(1))],
        ..broker("a", 0, "a:1", &[])
    };
    assert!(routes.register(Millis(1), with(1)).is_ok());
    assert_eq!(routes.route("t").unwrap().queues[0].1, queues(4));
    assert!(routes.route("w").is_some());
    assert!(routes.register(Millis(2), with(2)).is_ok());
    assert_eq!(routes.route("t").unwrap().queues[0].1, queues(8));
}

#[test]
fn refuses_brokers_and_topics_beyond_its_bounds() {
    let mut routes = Routes::default();
    for n in 0..BROKERS_MAX {
        let (name, address) = (format!("b{n}"), format!("a{n}:1"));
        assert!(routes.register(Millis(0), broker(&name, 0, &address, &[])).is_ok());
    }
    let one_more = routes.register(Millis(0), broker("more", 0, "m:1", &[]));
    assert_eq!(one_more, Err(RegisterError::TooManyBrokers));
    let known = Registration {
        topics: (0..=TOPICS_MAX).map(|n| (Arc::from(format!("t{n}")), queues(1))).collect(),
        ..broker("b0", 0, "a0:1", &[])
    };
    assert_eq!(routes.register(Millis(0), known), Err(RegisterError::TooManyTopics));
    assert_eq!(routes.topics().count(), 0);
    assert!(routes.register(Millis(0), broker("b0", 0, "a0:1", &["t", "u"])).is_ok());
}

#[test]
fn tells_a_slave_its_master() {
    let mut routes = table();
    let answer = routes.register(Millis(0), broker("a", 1, "a:22", &[])).unwrap();
    assert_eq!((&*answer.master_address, &*answer.ha_address), ("a:1", "ha-a:1"));
    assert_eq!(routes.broker("C", "a").unwrap().addresses.len(), 2);
}

#[test]
fn moves_an_address_to_its_new_id() {
    let mut routes = table();
    assert!(routes.register(Millis(0), broker("a", 1, "a:22", &[])).is_ok());
    assert!(routes.register(Millis(1), broker("a", 0, "a:22", &["t", "u"])).is_ok());
    let addresses = &routes.broker("C", "a").unwrap().addresses;
    assert_eq!(addresses.len(), 1);
    assert_eq!(&*addresses[&0], "a:22");
}

#[test]
fn ignores_an_address_with_an_older_state_version() {
    let mut routes = Routes::default();
    let newer = DataVersion { state_version: 5, ..version(1) };
    let first = Registration { data_version: newer, ..broker("a", 0, "a:1", &["t", "u"]) };
    assert!(routes.register(Millis(0), first).is_ok());
    assert_eq!(routes.register(Millis(1), broker("a", 0, "a:22", &["t", "u"])), Ok(Registered::default()));
    assert_eq!(&*routes.broker("C", "a").unwrap().addresses[&0], "a:1");
}

#[test]
fn drops_a_broker_that_is_silent_for_its_time_out() {
    let mut routes = table();
    let quick = Registration { timeout_ms: Some(10_000), ..broker("b", 0, "b:22", &["t", "x"]) };
    assert!(routes.register(Millis(0), quick).is_ok());
    assert_eq!(routes.next_deadline(), Some(Millis(10_000)));
    assert_eq!(routes.expire(Millis(9_999)), []);
    assert_eq!(routes.expire(Millis(10_000)).len(), 1);
    assert_eq!(routes.route("t").unwrap().brokers.len(), 1);
    assert_eq!(routes.route("x"), None);
    assert_eq!(routes.next_deadline(), Some(Millis(BROKER_EXPIRY_MS)));
}

#[test]
fn stays_alive_by_asking_for_an_equal_data_version() {
    let mut routes = table();
    assert_eq!(routes.query_data_version(Millis(50_000), "C", "a:1", version(1)), Some(version(1)));
    assert_eq!(routes.next_deadline(), Some(Millis(170_000)));
    assert_eq!(routes.query_data_version(Millis(60_000), "C", "a:1", version(2)), Some(version(1)));
    assert_eq!(routes.next_deadline(), Some(Millis(170_000)));
    assert_eq!(routes.query_data_version(Millis(60_000), "C", "none", version(1)), None);
}

#[test]
fn drops_a_broker_whose_connection_closes() {
    let mut routes = table();
    let gone = routes.closed(ConnectionId(3));
    assert_eq!((&*gone[0].broker, &*gone[0].address), ("a", "a:1"));
    assert_eq!((routes.topics().count(), routes.brokers().count(), routes.clusters().count()), (0, 0, 0));
}

#[test]
fn unregisters_by_cluster_address_and_name() {
    let mut routes = table();
    assert!(!routes.unregister("C", "other:1", "a"));
    assert!(routes.unregister("C", "a:1", "a"));
    assert_eq!(routes.route("t"), None);
}

#[test]
fn forgets_a_broker_that_named_two_clusters() {
    let mut routes = table();
    let elsewhere = Registration { cluster: "D".into(), ..broker("a", 1, "a:22", &[]) };
    assert!(routes.register(Millis(0), elsewhere).is_ok());
    assert_eq!(routes.expire(Millis(BROKER_EXPIRY_MS)).len(), 2);
    assert_eq!((routes.brokers().count(), routes.clusters().count()), (0, 0));
}

#[test]
fn wipes_and_adds_write_permission_until_the_version_changes() {
    let mut routes = table();
    assert_eq!(routes.wipe_write_perm("a"), 2);
    assert_eq!(perm(&routes, "t"), Some(4));
    assert!(routes.register(Millis(1), broker("a", 0, "a:1", &["t", "u"])).is_ok());
    assert_eq!(perm(&routes, "t"), Some(4));
    assert_eq!(routes.add_write_perm("a"), 2);
    assert_eq!(perm(&routes, "t"), Some(6));
    routes.wipe_write_perm("a");
    let changed = Registration { data_version: version(2), ..broker("a", 0, "a:1", &["t", "u"]) };
    assert!(routes.register(Millis(2), changed).is_ok());
    assert_eq!(perm(&routes, "t"), Some(6));
    assert_eq!(routes.wipe_write_perm("none"), 0);
}

#[test]
fn lists_topics_by_cluster_and_by_unit() {
    let mut routes = table();
    let unit = QueueData { sys_flag: 3, ..queues(1) };
    let subscribed = QueueData { sys_flag: 2, ..queues(1) };
    let other = Registration {
        cluster: "D".into(),
        topics: vec![("x".into(), unit), ("y".into(), subscribed)],
        ..broker("d", 0, "d:22", &[])
    };
    assert!(routes.register(Millis(0), other).is_ok());
    let of = |names: Vec<&Arc<str>>| names.into_iter().map(|name| name.to_string()).collect::<Vec<_>>();
    assert_eq!(of(routes.topics_of_cluster("D").collect()), ["x", "y"]);
    assert_eq!(of(routes.system_topics().collect()), ["C", "a", "D", "d"]);
    assert_eq!(of(routes.unit_topics(UnitTopics::Made).collect()), ["x"]);
    assert_eq!(of(routes.unit_topics(UnitTopics::Subscribed).collect()), ["x", "y"]);
    assert_eq!(of(routes.unit_topics(UnitTopics::SubscribedOnly).collect()), ["y"]);
    assert!(routes.some_address().is_some());
}

#[test]
fn deletes_a_topic_everywhere_or_in_one_cluster() {
    let mut routes = table();
    routes.delete_topic("t", Some("none"));
    assert!(routes.route("t").is_some());
    routes.delete_topic("t", Some("C"));
    assert_eq!(routes.route("t"), None);
    routes.delete_topic("u", None);
    assert_eq!(routes.topics().count(), 0);
}

#[test]
fn registers_one_topic_on_known_brokers_only() {
    let mut routes = table();
    assert!(!routes.register_topic("z", [(Arc::from("none"), queues(1))]));
    assert!(routes.register_topic("z", [(Arc::from("a"), queues(1))]));
    assert!(routes.route("z").is_some());
}

#[test]
fn shows_the_smallest_slave_as_master_where_that_is_supported() {
    let mut routes = Routes::new(RouteConfig { support_acting_master: true });
    let acting = |id, address: &str| Registration {
        enable_acting_master: Some(true),
        ..broker("a", id, address, &["t", "u"])
    };
    assert!(routes.register(Millis(0), acting(0, "a:1")).is_ok());
    assert!(routes.register(Millis(0), acting(1, "a:22")).is_ok());
    assert!(routes.unregister("C", "a:1", "a"));
    assert_eq!(perm(&routes, "t"), Some(4));
    assert_eq!(&*routes.route("t").unwrap().brokers[0].addresses[&0], "a:22");
    assert!(routes.broker("C", "a").unwrap().addresses.contains_key(&1));
}

#[test]
fn keeps_brokers_of_a_zone_and_those_without_a_master() {
    let mut routes = Routes::default();
    for (name, id, zone) in [("a", 0, Some("z1")), ("b", 0, Some("z2")), ("c", 1, None)] {
        let zone = zone.map(Arc::from);
        let acting = Some(true);
        let registration =
            Registration { zone, enable_acting_master: acting, ..broker(name, id, name, &["t", "u"]) };
        assert!(routes.register(Millis(0), registration).is_ok());
    }
    let route = routes.route("t").unwrap().in_zone("z1");
    let names: Vec<_> = route.brokers.iter().map(|data| &*data.name).collect();
    assert_eq!(names, ["a", "c"]);
    assert_eq!(route.queues.len(), 2);
}
