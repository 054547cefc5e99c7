//! Heartbeats, departures and expiry with the exact list of their effects.

use super::*;

const HOUR: i64 = 3_600_000;

fn subscription(topic: &str, sub_version: i64) -> Subscription {
    Subscription {
        topic: topic.into(),
        expression: "*".into(),
        expression_type: "TAG".into(),
        tags: Default::default(),
        codes: Default::default(),
        sub_version,
        is_class_filter: false,
    }
}

fn consumer(group: &str, subscriptions: Vec<Subscription>) -> ConsumerData {
    ConsumerData {
        group: group.into(),
        consume_type: ConsumeType::Passively,
        message_model: MessageModel::Clustering,
        consume_from: ConsumeFrom::LastOffset,
        subscriptions,
    }
}

fn heartbeat(connection: u64, consumers: Vec<ConsumerData>) -> Heartbeat {
    Heartbeat {
        client_id: format!("c{connection}").into(),
        connection: ConnectionId(connection),
        language: 0,
        version: 400,
        producers: Vec::new(),
        consumers,
        fingerprint: 0,
        without_sub: false,
    }
}

/// Applies one event; the effects without the wish to be woken.
fn step(table: &mut Subscriptions, now: i64, event: Event) -> Vec<Effect> {
    let mut out = Vec::new();
    table.step(Millis(now), event, &mut out);
    out.retain(|effect| !matches!(effect, Effect::WakeAt(_)));
    out
}

fn beat(
    table: &mut Subscriptions,
    now: i64,
    connection: u64,
    subscriptions: Vec<Subscription>,
) -> Vec<Effect> {
    step(table, now, Event::Heartbeat(heartbeat(connection, vec![consumer("g", subscriptions)])))
}

fn retry() -> Effect {
    Effect::EnsureRetryTopic { group: "g".into() }
}

fn notified(connections: &[u64]) -> Effect {
    let connections = connections.iter().map(|id| ConnectionId(*id)).collect();
    Effect::NotifyConsumerIdsChanged { group: "g".into(), connections }
}

fn vacated() -> Effect {
    Effect::GroupVacated { group: "g".into() }
}

const ANSWER: Effect = Effect::Answer { is_sub_changed: true };

fn ids(table: &Subscriptions) -> Vec<String> {
    table.consumer_ids("g").map(|ids| ids.map(|id| id.to_string()).collect()).unwrap_or_default()
}

#[test]
fn registers_with_the_first_heartbeat_and_tells_all_channels() {
    let mut table = Subscriptions::default();
    assert!(table.consumer_ids("g").is_none());
    assert_eq!(beat(&mut table, 0, 1, vec![subscription("t", 1)]), [retry(), notified(&[1]), ANSWER]);
    assert_eq!(beat(&mut table, 1, 2, vec![subscription("t", 1)]), [retry(), notified(&[1, 2]), ANSWER]);
    assert_eq!(ids(&table), ["c1", "c2"]);
    assert_eq!(beat(&mut table, 2, 1, vec![subscription("t", 1)]), [retry(), ANSWER]);
}

#[test]
fn lists_one_entry_for_each_connection() {
    let mut table = Subscriptions::default();
    beat(&mut table, 0, 1, Vec::new());
    let twice = Heartbeat { client_id: "c1".into(), ..heartbeat(2, vec![consumer("g", Vec::new())]) };
    step(&mut table, 0, Event::Heartbeat(twice));
    assert_eq!(ids(&table), ["c1", "c1"]);
}

#[test]
fn replaces_subscriptions_by_higher_versions_only() {
    let mut table = Subscriptions::default();
    beat(&mut table, 0, 1, vec![subscription("t", 5)]);
    assert_eq!(beat(&mut table, 1, 1, vec![subscription("t", 7)]), [retry(), ANSWER]);
    beat(&mut table, 2, 1, vec![subscription("t", 6)]);
    let known = table.subscription("g", "t").unwrap();
    assert_eq!(known.sub_version, 7);
    assert!(known.is_older_than(8) && !known.is_older_than(7) && !known.is_older_than(6));
}

#[test]
fn removes_topics_that_are_absent_and_tells() {
    let mut table = Subscriptions::default();
    beat(&mut table, 0, 1, vec![subscription("t", 1), subscription("u", 1)]);
    assert_eq!(table.groups_subscribing("u").collect::<Vec<_>>(), ["g"]);
    assert_eq!(beat(&mut table, 1, 1, vec![subscription("t", 1)]), [retry(), notified(&[1]), ANSWER]);
    assert!(table.subscription("g", "u").is_none());
}

#[test]
fn asks_for_subscriptions_when_the_fingerprint_differs() {
    let mut table = Subscriptions::default();
    let v2 = |fingerprint, without_sub| {
        let subscriptions = if without_sub { Vec::new() } else { vec![subscription("t", 1)] };
        Heartbeat { fingerprint, without_sub, ..heartbeat(1, vec![consumer("g", subscriptions)]) }
    };
    let full = step(&mut table, 0, Event::Heartbeat(v2(808_946_106, false)));
    assert_eq!(full.last(), Some(&Effect::Answer { is_sub_changed: false }));
    let same = step(&mut table, 1, Event::Heartbeat(v2(808_946_106, true)));
    assert_eq!(same, [retry(), Effect::Answer { is_sub_changed: false }]);
    assert!(table.subscription("g", "t").is_some());
    let other = step(&mut table, 2, Event::Heartbeat(v2(1, true)));
    assert_eq!(other.last(), Some(&ANSWER));

    let mut restarted = Subscriptions::default();
    let first = step(&mut restarted, 3, Event::Heartbeat(v2(1, true)));
    assert_eq!(first.last(), Some(&ANSWER));
}

#[test]
fn tells_the_others_when_a_client_unregisters() {
    let mut table = Subscriptions::default();
    beat(&mut table, 0, 1, Vec::new());
    beat(&mut table, 0, 2, Vec::new());
    let leave = |connection| Event::Unregister {
        connection: ConnectionId(connection),
        producer_group: None,
        consumer_group: Some("g".into()),
    };
    assert_eq!(step(&mut table, 1, leave(1)), [notified(&[2])]);
    assert_eq!(step(&mut table, 1, leave(1)), []);
    assert_eq!(step(&mut table, 1, leave(2)), [vacated()]);
    assert_eq!((table.next_deadline(), table.connections.len()), (None, 0));
}

#[test]
fn drops_all_groups_of_a_closed_connection() {
    let mut table = Subscriptions::default();
    beat(&mut table, 0, 1, Vec::new());
    let producing = Heartbeat { producers: vec!["p".into()], ..heartbeat(1, Vec::new()) };
    step(&mut table, 0, Event::Heartbeat(producing));
    assert_eq!(table.producer_channels("p").count(), 1);
    assert_eq!(step(&mut table, 1, Event::Closed { connection: ConnectionId(1) }), [vacated()]);
    assert_eq!(table.producer_groups().count(), 0);
    assert_eq!(table.next_deadline(), None);
}

#[test]
fn drops_a_channel_after_120_s_of_silence() {
    let mut table = Subscriptions::default();
    let mut out = Vec::new();
    let first = Event::Heartbeat(heartbeat(1, vec![consumer("g", Vec::new())]));
    table.step(Millis(0), first, &mut out);
    assert_eq!(out.last(), Some(&Effect::WakeAt(Millis(120_000))));
    beat(&mut table, 30_000, 1, Vec::new());
    beat(&mut table, 40_000, 2, Vec::new());
    assert_eq!(step(&mut table, 120_000, Event::Tick), []);
    assert_eq!(table.next_deadline(), Some(Millis(150_000)));
    assert_eq!(step(&mut table, 150_000, Event::Tick), [notified(&[2])]);
    assert_eq!(step(&mut table, 160_000, Event::Tick), [vacated()]);
    assert_eq!(table.next_deadline(), None);
}

#[test]
fn drops_only_the_silent_groups_of_a_connection() {
    let mut table = Subscriptions::default();
    beat(&mut table, 0, 1, Vec::new());
    let producing = Heartbeat { producers: vec!["p".into()], ..heartbeat(1, Vec::new()) };
    step(&mut table, 60_000, Event::Heartbeat(producing));
    assert_eq!(step(&mut table, 120_000, Event::Tick), [vacated()]);
    assert_eq!(table.producer_channels("p").count(), 1);
    assert_eq!(table.next_deadline(), Some(Millis(180_000)));
    assert_eq!(step(&mut table, HOUR, Event::Tick), []);
    assert_eq!(table.producer_groups().count(), 0);
}

#[test]
fn does_not_notify_broadcasting_consumers() {
    let mut table = Subscriptions::default();
    let data = ConsumerData { message_model: MessageModel::Broadcasting, ..consumer("g", Vec::new()) };
    let effects = step(&mut table, 0, Event::Heartbeat(heartbeat(1, vec![data])));
    assert_eq!(effects, [retry(), ANSWER]);
}
