//! What holds for every start, interval, pause and step of the clock.

use super::*;
use crate::schedule::{Passed, first_slot, phase};
use std::collections::BTreeMap;

/// What a clock does before the next wake.
#[derive(Debug, Clone)]
enum Move {
    /// A moment passes.
    On(i64),
    /// The machine was suspended, or the clock was set forward.
    Forward(i64),
    /// The clock was set back.
    Back(i64),
    /// The pacer woke where it meant to.
    ToNext,
    /// A new assignment came, which changes everything of the checks but their intervals.
    Assign,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        4 => (0i64..3_000_000).prop_map(Move::On),
        2 => (0i64..40_000_000_000).prop_map(Move::Forward),
        1 => (1i64..10_000_000_000).prop_map(Move::Back),
        4 => Just(Move::ToNext),
        1 => Just(Move::Assign),
    ];
    prop::collection::vec(one, 1..50)
}

/// Three checks towards two targets, at these intervals.
fn several(intervals: &[u32], url: &str) -> Assignment {
    let checks = intervals.iter().enumerate().map(|(n, interval)| {
        let mut check = check(&format!("c{n}"), *interval, url);
        check.endpoints.push(Endpoint {
            target: Target::Public,
            url: url.into(),
            evidence: Default::default(),
        });
        check
    });
    assignment(checks.collect())
}

/// What was accounted for of one series, since its clock was last set back.
#[derive(Debug, Default)]
struct Account {
    /// The first slot of all.
    first: Option<i64>,
    slots: BTreeSet<i64>,
}

proptest! {
    /// Every slot between the first and the last is due once, missed once, or counted as omitted; all lie on the grid
    /// that the names alone determine, however long it runs.
    #[test]
    fn every_slot_is_accounted_for(
        start in 0i64..4_000_000_000_000_000,
        intervals in prop::collection::vec(100_000u32..=u32::MAX, 1..4),
        moves in moves(),
    ) {
        let mut schedule = Schedule::new(&several(&intervals, "http://127.0.0.1:1/"), Micros(start));
        let mut now = start;
        let mut accounts: BTreeMap<(CheckId, Target), Account> = BTreeMap::new();
        let (mut omitted, mut changes) = (0_u64, 0);
        for one in moves {
            match one {
                Move::On(us) | Move::Forward(us) => now += us,
                Move::ToNext => now = now.max(schedule.next().expect("a slot").0),
                Move::Assign => {
                    changes += 1;
                    let url = format!("http://127.0.0.1:{}/", 1 + changes);
                    schedule.apply(&several(&intervals, &url), Micros(now));
                }
                Move::Back(us) => {
                    // What was due until now is taken first; slots of the repeated time come again, as promised.
                    balance(&accounts, &intervals, omitted)?;
                    now -= us;
                    let before = schedule.lines.iter().map(|line| line.next).collect::<Vec<_>>();
                    let tick = schedule.due(Micros(now));
                    for (line, before) in schedule.lines.iter().zip(before) {
                        prop_assert!(line.next <= now + line.interval, "waits for more than an interval");
                        prop_assert!(line.next <= before.max(now + line.interval));
                    }
                    prop_assert!(tick.due.is_empty() && tick.missed.is_empty());
                    (accounts, omitted) = (BTreeMap::new(), 0);
                    continue;
                }
            }
            let tick = schedule.due(Micros(now));
            omitted += tick.omitted;
            prop_assert!(tick.due.len() <= schedule.lines.len());
            for (due, fresh) in tick.due.iter().map(|d| (d, true)).chain(tick.missed.iter().map(|m| (m, false))) {
                let series = &due.series;
                let interval = i64::from(series.check.interval_us);
                let phase = phase(&series.probe, &series.check.id, &series.endpoint.target, interval);
                prop_assert_eq!(due.scheduled.0.rem_euclid(interval), phase, "off the grid");
                prop_assert_eq!((0..interval).contains(&(now - due.scheduled.0)), fresh);
                if changes > 0 && fresh {
                    prop_assert!(series.endpoint.url.ends_with(&format!(":{}/", 1 + changes)), "an old order ran");
                }
                let account = accounts.entry((series.check.id.clone(), series.endpoint.target.clone())).or_default();
                prop_assert!(account.slots.insert(due.scheduled.0), "came twice");
                account.first = Some(account.first.map_or(due.scheduled.0, |first| first.min(due.scheduled.0)));
            }
            for line in &schedule.lines {
                prop_assert!((now + 1..=now + line.interval).contains(&line.next), "the next slot is not the next");
                let series = (line.series.check.id.clone(), line.series.endpoint.target.clone());
                if let Some(account) = accounts.get(&series) {
                    prop_assert_eq!(account.slots.last(), Some(&(line.next - line.interval)));
                }
            }
        }
        balance(&accounts, &intervals, omitted)?;
    }

    /// The first slot comes within one interval, and is the same slot for whoever starts earlier.
    #[test]
    fn a_restart_keeps_every_slot(now in 0i64..4_000_000_000_000_000, later in 0i64..10_000_000_000, interval in 100_000u32..=u32::MAX) {
        let mut through = Schedule::new(&several(&[interval], "http://127.0.0.1:1/"), Micros(now));
        through.due(Micros(now + later));
        let restarted = Schedule::new(&several(&[interval], "http://127.0.0.1:1/"), Micros(now + later));
        for (old, new) in through.lines.iter().zip(&restarted.lines) {
            let on_time = new.next - (now + later);
            prop_assert!((0..i64::from(interval)).contains(&on_time));
            // A slot at this very instant was taken by the one and is still to come for the other.
            let expected = if on_time == 0 { new.next + i64::from(interval) } else { new.next };
            prop_assert_eq!(old.next, expected);
        }
    }

    /// Ids and their order decide the phase; nothing else does, and it is below the interval.
    #[test]
    fn phases_are_below_the_interval(probe in "[a-z0-9]{1,63}", id in "[a-z0-9]{1,63}", region in "[a-z0-9]{1,63}", interval in 1i64..=i64::from(u32::MAX), now in -4_000_000_000_000_000i64..4_000_000_000_000_000) {
        let (probe, check) = (probe.parse().expect("an id"), id.parse().expect("an id"));
        let target = target(&region);
        let found = phase(&probe, &check, &target, interval);
        prop_assert!((0..interval).contains(&found));
        prop_assert_eq!(found, phase(&probe, &check, &target, interval));
        let first = first_slot(found, interval, Micros(now));
        prop_assert!((now..now + interval).contains(&first) && first.rem_euclid(interval) == found);
    }

    /// However many checks begin at one instant, their runs spread: no tenth of the interval gets more than three
    /// times its share.
    #[test]
    fn a_start_is_no_burst(prefix in "[a-z]{1,8}", checks in 200usize..400, interval in 1_000_000u32..60_000_000) {
        let checks = (0..checks).map(|n| check(&format!("{prefix}-{n}"), interval, "http://127.0.0.1:1/"));
        let schedule = Schedule::new(&assignment(checks.collect()), Micros(START));
        let mut tenths = [0_usize; 10];
        for line in &schedule.lines {
            let tenth = (line.next - START) * 10 / i64::from(interval);
            tenths[usize::try_from(tenth).expect("within the interval")] += 1;
        }
        let most = schedule.lines.len() / 10 * 3;
        prop_assert!(tenths.iter().all(|tenth| *tenth <= most), "{tenths:?}");
    }

    /// What a late wake tells, omits and runs adds up, in order and within its bound.
    #[test]
    fn a_gap_adds_up(first in -1_000_000i64..1_000_000, step in 1i64..10_000, late in 0i64..10_000_000) {
        let passed = Passed::between(first, step, Micros(first + late));
        let told: Vec<i64> = passed.told().map(|slot| slot.0).collect();
        let total = u64::try_from(late / step).expect("not negative");
        prop_assert_eq!(told.len() as u64 + passed.omitted(), total);
        prop_assert!(told.len() as u64 <= MISSED_MOST.unsigned_abs());
        prop_assert!(told.is_sorted() && told.iter().all(|slot| (slot - first) % step == 0));
        prop_assert!(told.last().is_none_or(|last| *last == passed.newest.0 - step));
        prop_assert_eq!(told.first().copied(), (total > 0).then_some(first));
    }
}

/// Between the first and the newest slot of each series nothing is left out but what was counted as omitted.
fn balance(
    accounts: &BTreeMap<(CheckId, Target), Account>,
    intervals: &[u32],
    omitted: u64,
) -> Result<(), TestCaseError> {
    let mut expected = 0;
    let mut told = 0;
    for ((check, _), account) in accounts {
        let index: usize = check.as_str()[1..].parse().expect("c0, c1 …");
        let (Some(first), Some(last)) = (account.first, account.slots.last()) else { continue };
        expected += (last - first).unsigned_abs() / u64::from(intervals[index]) + 1;
        told += account.slots.len() as u64;
    }
    prop_assert_eq!(told + omitted, expected);
    Ok(())
}
