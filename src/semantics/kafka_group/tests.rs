//! Lists of events with times and the effects they must have.

mod schedule;

use super::*;

/// The settings of a Kafka broker.
fn kafkas_own() -> GroupConfig {
    GroupConfig { initial_rebalance_delay_ms: 3_000, ..GroupConfig::default() }
}

/// A group under test: counts the replies and keeps the last answer of each request.
struct Bench {
    group: Group,
    next_reply: u64,
    answers: HashMap<u64, Outcome>,
    wake: Option<Millis>,
}

impl Bench {
    fn new() -> Self {
        Self::with(kafkas_own())
    }

    fn with(config: GroupConfig) -> Self {
        Self { group: Group::new(config), next_reply: 0, answers: HashMap::new(), wake: None }
    }

    fn step(&mut self, now: i64, event: Event) {
        let mut out = Vec::new();
        self.group.step(Millis(now), event, &mut out);
        for effect in out {
            match effect {
                Effect::Reply(ReplyTo(reply), outcome) => {
                    assert!(self.answers.insert(reply, outcome).is_none(), "request {reply} answered twice");
                }
                Effect::WakeAt(at) => self.wake = Some(at),
            }
        }
        assert_eq!(self.group.invariants(), Ok(()));
    }

    fn reply(&mut self) -> ReplyTo {
        self.next_reply += 1;
        ReplyTo(self.next_reply)
    }

    fn join(&mut self, now: i64, join: Join) -> u64 {
        let reply = self.reply();
        self.step(now, Event::Join { join: Box::new(join), reply });
        reply.0
    }

    fn sync(&mut self, now: i64, caller: Caller, assignments: &[(&str, &[u8])]) -> u64 {
        let reply = self.reply();
        let assignments = assignments.iter().map(|(id, a)| (Arc::from(*id), Arc::from(*a))).collect();
        let sync = Sync { caller, protocol_type: None, protocol_name: None, assignments };
        self.step(now, Event::Sync { sync, reply });
        reply.0
    }

    fn heartbeat(&mut self, now: i64, caller: Caller) -> Outcome {
        let reply = self.reply();
        self.step(now, Event::Heartbeat { caller, reply });
        self.answer(reply.0)
    }

    fn leave(&mut self, now: i64, member_id: &str, instance_id: Option<&str>) -> Outcome {
        let reply = self.reply();
        let leavers = vec![Leaver { member_id: member_id.into(), instance_id: instance_id.map(Arc::from) }];
        self.step(now, Event::Leave { leavers, reply });
        self.answer(reply.0)
    }

    fn answer(&self, reply: u64) -> Outcome {
        self.answers[&reply].clone()
    }

    fn joined(&self, reply: u64) -> Joined {
        match self.answer(reply) {
            Outcome::Joined(joined) => *joined,
            other => panic!("not joined: {other:?}"),
        }
    }

    fn assignment(&self, reply: u64) -> Vec<u8> {
        match self.answer(reply) {
            Outcome::Synced { assignment, .. } => assignment.to_vec(),
            other => panic!("not synced: {other:?}"),
        }
    }

    fn is_waiting(&self, reply: u64) -> bool {
        !self.answers.contains_key(&reply)
    }

    /// Members a and b in generation 1, stable, a leads.
    fn stable_pair(config: GroupConfig, a: Join, b: Join) -> Self {
        let mut bench = Self::with(config);
        bench.join(0, a);
        bench.join(1, b);
        bench.step(3_000, Event::Tick);
        bench.step(6_000, Event::Tick);
        bench.sync(6_001, by("a", 1), &[("a", b"A"), ("b", b"B")]);
        bench.sync(6_002, by("b", 1), &[]);
        assert_eq!(bench.group.state(), State::Stable);
        bench
    }
}

/// A join of an old client (version 3): admitted at once under the id `fresh`.
fn old(fresh: &str) -> Join {
    Join {
        member_id: "".into(),
        fresh_member_id: fresh.into(),
        instance_id: None,
        client_id: "client".into(),
        client_host: "/127.0.0.1".into(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 60_000,
        protocol_type: "consumer".into(),
        protocols: vec![("range".into(), Arc::from(*b"r")), ("sticky".into(), Arc::from(*b"s"))],
        requires_known_member_id: false,
        supports_skip_assignment: false,
    }
}

fn known(id: &str) -> Join {
    Join { member_id: id.into(), ..old("unused") }
}

fn fixed(instance: &str, fresh: &str) -> Join {
    Join { instance_id: Some(instance.into()), supports_skip_assignment: true, ..old(fresh) }
}

fn by(member_id: &str, generation: i32) -> Caller {
    Caller { member_id: member_id.into(), instance_id: None, generation }
}

fn refused(error: GroupError) -> Outcome {
    Outcome::refused(error)
}

fn refused_as(error: GroupError, member_id: &str) -> Outcome {
    Outcome::Refused { error, member_id: member_id.into() }
}

#[test]
fn admits_an_old_client_after_the_initial_delay() {
    let mut bench = Bench::new();
    let reply = bench.join(0, old("a"));
    assert!(bench.is_waiting(reply));
    assert_eq!(bench.wake, Some(Millis(3_000)));
    bench.step(3_000, Event::Tick);
    let joined = bench.joined(reply);
    assert_eq!((joined.generation, &*joined.leader, &*joined.protocol_name), (1, "a", "range"));
    assert_eq!(joined.members.len(), 1);
    assert_eq!(bench.group.state(), State::CompletingRebalance);
}

#[test]
fn asks_a_new_client_to_join_again_with_its_id() {
    let mut bench = Bench::new();
    let first = bench.join(0, Join { requires_known_member_id: true, ..old("a") });
    assert_eq!(bench.answer(first), refused_as(GroupError::MemberIdRequired, "a"));
    assert_eq!(bench.group.state(), State::Empty);
    let second = bench.join(1, known("a"));
    bench.step(3_001, Event::Tick);
    assert_eq!(&*bench.joined(second).member_id, "a");
}

#[test]
fn forgets_a_pending_id_after_one_session_time_out() {
    let mut bench = Bench::new();
    bench.join(0, Join { requires_known_member_id: true, ..old("a") });
    assert!(bench.group.is_occupied());
    bench.step(10_000, Event::Tick);
    assert!(!bench.group.is_occupied());
    let late = bench.join(10_001, known("a"));
    assert_eq!(bench.answer(late), refused_as(GroupError::UnknownMemberId, "a"));
}

#[test]
fn extends_the_initial_delay_while_members_arrive() {
    let mut bench = Bench::new();
    let a = bench.join(0, old("a"));
    let b = bench.join(2_000, old("b"));
    bench.step(3_000, Event::Tick);
    assert!(bench.is_waiting(a) && bench.is_waiting(b));
    bench.step(6_000, Event::Tick);
    assert_eq!(bench.joined(a).members.len(), 2);
    assert_eq!(bench.joined(b).members.len(), 0);
}

#[test]
fn ends_the_initial_delay_at_the_rebalance_time_out() {
    let mut bench = Bench::new();
    let join = |id: &str| Join { rebalance_timeout_ms: 7_000, ..old(id) };
    let first = bench.join(0, join("m0"));
    for (now, id) in [(2_900, "m1"), (5_900, "m2"), (6_900, "m3")] {
        bench.join(now, join(id));
        bench.step(if now < 6_000 { now + 100 } else { 7_000 }, Event::Tick);
    }
    assert_eq!(bench.joined(first).members.len(), 4);
}

#[test]
fn completes_at_once_without_an_initial_delay() {
    let mut bench = Bench::with(GroupConfig { initial_rebalance_delay_ms: 0, ..kafkas_own() });
    let a = bench.join(0, old("a"));
    assert_eq!(bench.joined(a).generation, 1);
}

#[test]
fn answers_followers_when_the_leader_assigns() {
    let mut bench = Bench::new();
    bench.join(0, old("a"));
    bench.join(1, old("b"));
    bench.step(3_000, Event::Tick);
    bench.step(6_000, Event::Tick);
    let follower = bench.sync(6_001, by("b", 1), &[]);
    assert!(bench.is_waiting(follower));
    let leader = bench.sync(6_002, by("a", 1), &[("a", b"A")]);
    assert_eq!(bench.assignment(leader), b"A");
    assert_eq!(bench.assignment(follower), b"");
    let again = bench.sync(6_003, by("a", 1), &[]);
    assert_eq!(bench.assignment(again), b"A");
}

/// The steps and times of a recorded session of kafka-clients 4.1.0 with Kafka 4.1.0
/// (`kafka/sessions/consumer-classic.jsonl`), whose broker had no initial delay.
#[test]
fn follows_the_recorded_session_of_two_consumers() {
    let mut bench = Bench::with(GroupConfig { initial_rebalance_delay_ms: 0, ..kafkas_own() });
    let first = Join { requires_known_member_id: true, ..old("cc1") };
    bench.join(1_135, first);
    let cc1 = bench.join(1_184, known("cc1"));
    assert_eq!(bench.joined(cc1).generation, 1);
    let synced = bench.sync(1_535, by("cc1", 1), &[("cc1", b"0,1,2")]);
    assert_eq!(bench.assignment(synced), b"0,1,2");

    let asked = bench.join(1_877, Join { requires_known_member_id: true, ..old("cc2") });
    assert_eq!(bench.answer(asked), refused_as(GroupError::MemberIdRequired, "cc2"));
    let cc2 = bench.join(1_881, known("cc2"));
    assert_eq!(bench.heartbeat(1_964, by("cc1", 1)), refused(GroupError::RebalanceInProgress));
    let cc1 = bench.join(1_972, known("cc1"));
    assert_eq!(bench.joined(cc1).members.len(), 2);
    assert_eq!((bench.joined(cc2).generation, &*bench.joined(cc2).leader), (2, "cc1"));
    let leader = bench.sync(1_977, by("cc1", 2), &[("cc1", b"0,1"), ("cc2", b"2")]);
    let follower = bench.sync(1_977, by("cc2", 2), &[]);
    assert_eq!((bench.assignment(leader), bench.assignment(follower)), (b"0,1".to_vec(), b"2".to_vec()));
    assert_eq!(bench.heartbeat(2_478, by("cc2", 2)), Outcome::Alive);

    assert!(matches!(bench.leave(5_936, "cc2", None), Outcome::Left(left) if left[0].1.is_ok()));
    assert_eq!(bench.heartbeat(5_990, by("cc1", 2)), refused(GroupError::RebalanceInProgress));
    let cc1 = bench.join(6_004, known("cc1"));
    assert_eq!((bench.joined(cc1).generation, bench.joined(cc1).members.len()), (3, 1));
    bench.sync(6_010, by("cc1", 3), &[("cc1", b"0,1,2")]);
    bench.leave(7_476, "cc1", None);
    assert_eq!(bench.group.state(), State::Empty);
    assert_eq!(bench.group.next_deadline(), None);
}

#[test]
fn answers_a_repeated_join_from_the_generation_that_is_there() {
    let mut bench = Bench::stable_pair(kafkas_own(), old("a"), old("b"));
    let follower = bench.join(6_100, known("b"));
    assert_eq!(bench.joined(follower).generation, 1);
    assert_eq!(bench.group.state(), State::Stable);
}

#[test]
fn rebalances_when_the_leader_joins_again() {
    let mut bench = Bench::stable_pair(kafkas_own(), old("a"), old("b"));
    let leader = bench.join(6_100, known("a"));
    assert!(bench.is_waiting(leader));
    let follower = bench.join(6_101, known("b"));
    assert_eq!((bench.joined(leader).generation, bench.joined(follower).generation), (2, 2));
}

#[test]
fn rebalances_when_a_follower_changes_its_metadata() {
    let mut bench = Bench::stable_pair(kafkas_own(), old("a"), old("b"));
    let changed = Join { protocols: vec![("range".into(), Arc::from(*b"new"))], ..known("b") };
    bench.join(6_100, changed);
    assert_eq!(bench.group.state(), State::PreparingRebalance);
}

#[test]
fn drops_dynamic_members_that_do_not_rejoin_in_time() {
    let mut bench = Bench::stable_pair(kafkas_own(), old("a"), old("b"));
    let leader = bench.join(6_100, known("a"));
    for now in [15_000, 24_000, 33_000, 42_000, 51_000, 60_000] {
        bench.heartbeat(now, by("b", 1));
    }
    bench.step(66_100, Event::Tick);
    assert_eq!(bench.joined(leader).members.len(), 1);
    assert_eq!(bench.heartbeat(66_200, by("b", 2)), refused(GroupError::UnknownMemberId));
}

#[test]
fn expires_a_silent_member_and_rebalances() {
    let mut bench = Bench::stable_pair(kafkas_own(), old("a"), old("b"));
    bench.heartbeat(12_000, by("a", 1));
    bench.step(16_002, Event::Tick);
    assert_eq!(bench.group.state(), State::PreparingRebalance);
    assert_eq!(bench.heartbeat(16_003, by("b", 1)), refused(GroupError::UnknownMemberId));
    let leader = bench.join(16_004, known("a"));
    assert_eq!(bench.joined(leader).members.len(), 1);
}

#[test]
fn removes_members_whose_sync_never_comes() {
    let mut bench = Bench::new();
    bench.join(0, Join { session_timeout_ms: 100_000, ..old("a") });
    bench.join(1, Join { session_timeout_ms: 100_000, ..old("b") });
    bench.step(3_000, Event::Tick);
    bench.step(6_000, Event::Tick);
    bench.sync(6_001, by("a", 1), &[("a", b"A"), ("b", b"B")]);
    bench.step(66_000, Event::Tick);
    assert_eq!(bench.group.state(), State::PreparingRebalance);
    assert_eq!(bench.heartbeat(66_001, by("b", 1)), refused(GroupError::UnknownMemberId));
    assert_eq!(bench.heartbeat(66_001, by("a", 1)), refused(GroupError::RebalanceInProgress));
}

#[test]
fn refuses_waiting_syncs_when_a_rebalance_begins() {
    let mut bench = Bench::new();
    bench.join(0, old("a"));
    bench.join(1, old("b"));
    bench.step(3_000, Event::Tick);
    bench.step(6_000, Event::Tick);
    let follower = bench.sync(6_001, by("b", 1), &[]);
    bench.join(6_002, old("c"));
    assert_eq!(bench.answer(follower), refused(GroupError::RebalanceInProgress));
}

#[test]
fn answers_the_join_that_a_repeated_join_replaces() {
    let mut bench = Bench::new();
    bench.join(0, Join { requires_known_member_id: true, ..old("a") });
    let lost = bench.join(1, known("a"));
    let again = bench.join(2, known("a"));
    assert_eq!(bench.answer(lost), refused_as(GroupError::RebalanceInProgress, "a"));
    bench.step(3_001, Event::Tick);
    assert_eq!(bench.joined(again).generation, 1);
}

#[test]
fn elects_the_protocol_most_members_prefer() {
    let mut bench = Bench::new();
    let prefers = |id: &str, names: [&str; 2]| Join {
        protocols: names.iter().map(|name| (Arc::from(*name), Arc::from(name.as_bytes()))).collect(),
        ..old(id)
    };
    let a = bench.join(0, prefers("a", ["range", "sticky"]));
    bench.join(1, prefers("b", ["sticky", "range"]));
    bench.join(2, prefers("c", ["sticky", "range"]));
    let stranger = bench.join(3, prefers("d", ["other", "none"]));
    assert_eq!(bench.answer(stranger), refused_as(GroupError::InconsistentGroupProtocol, ""));
    bench.step(3_000, Event::Tick);
    bench.step(6_000, Event::Tick);
    assert_eq!(&*bench.joined(a).protocol_name, "sticky");
}

#[test]
fn refuses_other_protocol_types_sessions_out_of_bounds_and_members_too_many() {
    let config = GroupConfig { max_size: 1, ..kafkas_own() };
    let mut bench = Bench::with(config);
    let short = bench.join(0, Join { session_timeout_ms: 5_999, ..old("x") });
    assert_eq!(bench.answer(short), refused_as(GroupError::InvalidSessionTimeout, ""));
    let none = bench.join(0, Join { protocols: Vec::new(), ..old("x") });
    assert_eq!(bench.answer(none), refused_as(GroupError::InconsistentGroupProtocol, ""));
    bench.join(0, old("a"));
    let second = bench.join(1, old("b"));
    assert_eq!(bench.answer(second), refused_as(GroupError::GroupMaxSizeReached, ""));
    bench.step(3_000, Event::Tick);
    let connect = bench.join(3_001, Join { protocol_type: "connect".into(), ..known("a") });
    assert_eq!(bench.answer(connect), refused_as(GroupError::InconsistentGroupProtocol, "a"));
}

#[test]
fn checks_member_and_generation_of_a_heartbeat() {
    let mut bench = Bench::stable_pair(kafkas_own(), old("a"), old("b"));
    assert_eq!(bench.heartbeat(7_000, by("z", 1)), refused(GroupError::UnknownMemberId));
    assert_eq!(bench.heartbeat(7_000, by("a", 2)), refused(GroupError::IllegalGeneration));
    assert_eq!(bench.heartbeat(7_000, by("a", 1)), Outcome::Alive);
}

#[test]
fn refuses_a_sync_with_another_protocol() {
    let mut bench = Bench::stable_pair(kafkas_own(), old("a"), old("b"));
    let reply = bench.reply();
    let sync = Sync {
        caller: by("a", 1),
        protocol_type: Some("consumer".into()),
        protocol_name: Some("sticky".into()),
        assignments: Vec::new(),
    };
    bench.step(7_000, Event::Sync { sync, reply });
    assert_eq!(bench.answer(reply.0), refused(GroupError::InconsistentGroupProtocol));
}

#[test]
fn returns_a_static_member_without_a_rebalance_and_fences_its_former_self() {
    let mut bench = Bench::stable_pair(kafkas_own(), fixed("i-a", "a"), fixed("i-b", "b"));
    let follower = bench.joined(bench.next_reply.min(2));
    assert_eq!(follower.generation, 1);
    let back = bench.join(7_000, fixed("i-b", "b2"));
    let joined = bench.joined(back);
    assert_eq!((joined.generation, &*joined.member_id, joined.skip_assignment), (1, "b2", false));
    assert_eq!(bench.group.state(), State::Stable);
    let former = Caller { instance_id: Some("i-b".into()), ..by("b", 1) };
    assert_eq!(bench.heartbeat(7_001, former), refused(GroupError::FencedInstanceId));
    let synced = bench.sync(7_002, by("b2", 1), &[]);
    assert_eq!(bench.assignment(synced), b"B");
}

#[test]
fn tells_a_returning_static_leader_to_keep_the_assignment() {
    let mut bench = Bench::stable_pair(kafkas_own(), fixed("i-a", "a"), fixed("i-b", "b"));
    let new = bench.join(7_000, fixed("i-a", "a2"));
    let joined = bench.joined(new);
    assert_eq!((&*joined.leader, joined.skip_assignment, joined.members.len()), ("a2", true, 2));
    let old_client = Join { supports_skip_assignment: false, ..fixed("i-a", "a3") };
    let old_reply = bench.join(7_001, old_client);
    let joined = bench.joined(old_reply);
    assert_eq!((&*joined.leader, joined.skip_assignment, joined.members.len()), ("a2", false, 0));
    assert_eq!((&*joined.member_id, bench.group.state()), ("a3", State::Stable));
}

#[test]
fn keeps_absent_static_members_over_a_rebalance() {
    let a = Join { session_timeout_ms: 200_000, ..fixed("i-a", "a") };
    let mut bench = Bench::stable_pair(kafkas_own(), a, old("b"));
    let b = bench.join(6_100, Join { protocols: vec![("range".into(), Arc::from(*b"n"))], ..known("b") });
    bench.step(66_100, Event::Tick);
    let joined = bench.joined(b);
    assert_eq!((&*joined.leader, joined.members.len()), ("b", 2));
}

#[test]
fn removes_a_static_member_by_its_instance_id() {
    let mut bench = Bench::stable_pair(kafkas_own(), fixed("i-a", "a"), fixed("i-b", "b"));
    assert!(matches!(bench.leave(7_000, "", Some("i-b")), Outcome::Left(left) if left[0].1.is_ok()));
    let again = bench.leave(7_001, "", Some("i-b"));
    assert!(matches!(again, Outcome::Left(left) if left[0].1 == Err(GroupError::UnknownMemberId)));
    let fenced = bench.leave(7_002, "b", Some("i-a"));
    assert!(matches!(fenced, Outcome::Left(left) if left[0].1 == Err(GroupError::FencedInstanceId)));
}

#[test]
fn admits_commits_of_members_and_of_nobody_while_empty() {
    let commit = |caller| Commit { caller, is_transactional: false };
    let nobody = commit(by("", -1));
    let mut bench = Bench::new();
    let now = Millis(0);
    assert_eq!(bench.group.validate_commit(now, &nobody), Ok(()));
    assert_eq!(bench.group.validate_commit(now, &commit(by("a", 1))), Err(GroupError::UnknownMemberId));
    bench.join(0, old("a"));
    bench.step(3_000, Event::Tick);
    assert_eq!(bench.group.validate_commit(now, &commit(by("a", 1))), Err(GroupError::RebalanceInProgress));
    let transactional = Commit { is_transactional: true, ..commit(by("a", 1)) };
    assert_eq!(bench.group.validate_commit(now, &transactional), Ok(()));
    bench.sync(3_001, by("a", 1), &[("a", b"A")]);
    assert_eq!(bench.group.validate_commit(Millis(9_000), &commit(by("a", 1))), Ok(()));
    assert_eq!(bench.group.validate_commit(now, &nobody), Err(GroupError::UnknownMemberId));
    assert_eq!(bench.group.validate_commit(now, &commit(by("a", 0))), Err(GroupError::IllegalGeneration));
}

#[test]
fn counts_a_commit_as_a_heartbeat() {
    let mut bench = Bench::stable_pair(kafkas_own(), old("a"), old("b"));
    let commit = Commit { caller: by("a", 1), is_transactional: false };
    assert_eq!(bench.group.validate_commit(Millis(15_000), &commit), Ok(()));
    bench.step(16_100, Event::Tick);
    assert_eq!(bench.heartbeat(16_101, by("a", 1)), refused(GroupError::RebalanceInProgress));
}

#[test]
fn expels_all_members_when_offsets_are_reset() {
    let mut bench = Bench::stable_pair(kafkas_own(), old("a"), old("b"));
    bench.step(7_000, Event::Expel);
    assert_eq!(bench.group.state(), State::Empty);
    assert_eq!(bench.heartbeat(7_001, by("a", 1)), refused(GroupError::UnknownMemberId));
}

#[test]
fn answers_everybody_who_waits_when_it_is_dissolved() {
    let mut bench = Bench::new();
    let waiting = bench.join(0, old("a"));
    bench.step(1, Event::Dissolve);
    assert_eq!(bench.answer(waiting), refused_as(GroupError::UnknownMemberId, "a"));
    let late = bench.join(2, old("b"));
    assert_eq!(bench.answer(late), refused_as(GroupError::CoordinatorNotAvailable, ""));
}

#[test]
fn describes_metadata_and_assignment_of_a_stable_group() {
    let bench = Bench::stable_pair(kafkas_own(), old("a"), old("b"));
    let description = bench.group.describe();
    assert_eq!((description.state.name(), &*description.protocol_name), ("Stable", "range"));
    let member = &description.members[1];
    assert_eq!((&*member.member_id, &*member.metadata, &*member.assignment), ("b", &b"r"[..], &b"B"[..]));
}
