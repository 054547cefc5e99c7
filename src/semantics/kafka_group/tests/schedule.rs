//! Random schedules of a classic group under its invariants.

use std::collections::HashSet;

use super::*;
use crate::semantics::Schedule;

/// Random clients that keep the protocol more or less: after each event the invariants hold, no request is
/// answered twice, and once all is quiet every request was answered.
#[test]
fn keeps_its_invariants_under_random_schedules() {
    for seed in 0..300 {
        run_schedule(seed);
    }
}

fn run_schedule(seed: u64) {
    let mut schedule = Schedule::new(seed);
    let config = GroupConfig {
        initial_rebalance_delay_ms: 500 * (seed as i64 % 3),
        max_size: 6,
        ..Default::default()
    };
    let mut bench = Bench::with(config);
    let mut now = 0;
    for turn in 0..400 {
        now += schedule.below(1_500) as i64;
        while let Some(at) = bench.wake.filter(|at| at.0 <= now) {
            bench.wake = None;
            bench.step(at.0, Event::Tick);
        }
        random_event(&mut bench, &mut schedule, now, turn);
    }
    for _ in 0..20 {
        now += 400_000;
        bench.step(now, Event::Tick);
    }
    let answered: HashSet<u64> = bench.answers.keys().copied().collect();
    let unanswered: Vec<u64> = (1..=bench.next_reply).filter(|reply| !answered.contains(reply)).collect();
    assert!(unanswered.is_empty(), "seed {seed}: never answered {unanswered:?}");
    assert_eq!(bench.group.state(), State::Empty, "seed {seed}");
    assert_eq!(bench.group.next_deadline(), None, "seed {seed}");
}

fn random_event(bench: &mut Bench, schedule: &mut Schedule, now: i64, turn: u64) {
    let ids: Vec<MemberId> = bench.group.members.keys().chain(bench.group.pending.keys()).cloned().collect();
    let pick =
        ids.get(schedule.below(ids.len().max(1) as u64) as usize).cloned().unwrap_or_else(|| "ghost".into());
    let generation = bench.group.generation() - i32::from(schedule.below(12) == 0);
    let caller = Caller { generation, ..by(&pick, 0) };
    let fresh = format!("m{turn}");
    let rebalance_timeout_ms = [60_000, 5_000, 0, -1][schedule.below(4) as usize];
    let old = |id: &str| Join { rebalance_timeout_ms, ..old(id) };
    let fixed = |instance: &str, id: &str| Join { rebalance_timeout_ms, ..fixed(instance, id) };
    let known = |id: &str| Join { rebalance_timeout_ms, ..known(id) };
    match schedule.below(10) {
        0 => drop(bench.join(now, Join { requires_known_member_id: schedule.below(2) == 0, ..old(&fresh) })),
        1 => drop(bench.join(now, fixed(&format!("i{}", schedule.below(3)), &fresh))),
        2 | 3 => drop(bench.join(now, known(&pick))),
        4 => drop(
            bench.join(now, Join { protocols: vec![("range".into(), Arc::from(*b"x"))], ..known(&pick) }),
        ),
        5 | 6 => drop(bench.sync(now, caller, &[(&pick, b"A")])),
        7 | 8 => drop(bench.heartbeat(now, caller)),
        _ => drop(bench.leave(now, &pick, None)),
    }
}
