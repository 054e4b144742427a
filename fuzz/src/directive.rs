//! What a collector sends to a probe, line by line, and what the probe does with it: assignments are validated and
//! scheduled, confirmations begun. Heartbeats set the clock here, so that it jumps.

use crate::{json, parts};
use probe::{
    confirm::{Confirms, RUNS_MOST, SEQUENCES_MOST},
    fuzzing::{self, Lines, check},
    schedule::{MISSED_MOST, Schedule, Tick},
};
use std::collections::{BTreeMap, BTreeSet};
use wire::{
    Micros,
    assignment::{Assignment, CheckKind, Directive},
};

/// The clock stays between 1970 and 3111.
const NOW_MOST: i64 = 1 << 55;

/// The first byte says in which portions the rest arrives.
pub fn run(data: &[u8]) {
    let (cut, rest) = parts::byte(data);
    let mut probe = Probe::default();
    let mut lines = Lines::default();
    for chunk in rest.chunks(usize::from(cut).max(1)) {
        lines.push(chunk);
        loop {
            match lines.next_line() {
                Ok(Some(line)) => probe.follow(&line),
                Ok(None) => break,
                Err(_too_long) => return,
            }
        }
    }
}

#[derive(Default)]
struct Probe {
    schedule: Schedule,
    confirms: Confirms,
    series: usize,
    now: Micros,
}

impl Probe {
    fn follow(&mut self, line: &[u8]) {
        match json::round_trip(line) {
            Some(Directive::Heartbeat { now }) => self.now = Micros(now.0.clamp(0, NOW_MOST)),
            Some(Directive::Confirm(confirm)) => {
                let answer = self.confirms.begin(&confirm, &self.schedule, self.now);
                assert_eq!(answer.begun + answer.unknown + answer.refused, confirm.checks.len());
            }
            Some(Directive::Assignment(assignment)) => self.assign(&assignment),
            None => return,
        }
        let scheduled = self.schedule.due(self.now);
        self.judge(&scheduled);
        assert!(scheduled.due.len() <= self.series);
        assert!(self.schedule.next().is_none_or(|next| next > self.now));
        let confirmed = self.confirms.due(self.now);
        assert!(confirmed.due.len() <= SEQUENCES_MOST);
        assert!(confirmed.missed.len() <= SEQUENCES_MOST * usize::from(RUNS_MOST));
        let far = self.now.plus_us(i64::from(u32::MAX));
        assert!(self.confirms.next().is_none_or(|next| next > self.now && next <= far));
        assert!(confirmed.due.iter().all(|due| due.scheduled <= self.now));
    }

    fn assign(&mut self, assignment: &Assignment) {
        if fuzzing::assignment(assignment, &assignment.region).is_err() {
            return;
        }
        self.schedule.apply(assignment, self.now);
        self.confirms.apply(&self.schedule);
        self.series = assignment.checks.iter().map(|check| check.endpoints.len()).sum();
        for assigned in &assignment.checks {
            for endpoint in &assigned.endpoints {
                ready(&assigned.kind, &endpoint.url);
            }
        }
    }

    /// Each slot comes once, and is due only while it is fresh.
    fn judge(&self, tick: &Tick) {
        let mut seen = BTreeSet::new();
        let mut phases = BTreeMap::new();
        for (due, fresh) in
            tick.missed.iter().map(|due| (due, false)).chain(tick.due.iter().map(|due| (due, true)))
        {
            let series = (&due.series.check.id, &due.series.endpoint.target);
            let interval = i64::from(due.series.check.interval_us);
            let age = self.now.since(due.scheduled);
            assert_eq!((0..interval).contains(&age), fresh, "a slot of age {age}");
            assert!(age >= 0, "a slot of the future");
            assert!(seen.insert((series, due.scheduled)), "a slot came twice");
            let phase = due.scheduled.0.rem_euclid(interval);
            assert_eq!(*phases.entry(series).or_insert(phase), phase, "a slot off the grid");
        }
        let told = usize::try_from(MISSED_MOST).expect("a small number");
        assert!(tick.missed.len() <= told * self.series);
    }
}

/// What happens before anything is sent must be a refusal at worst.
pub fn ready(kind: &CheckKind, url: &str) {
    let _refused_or_not = check::destination(url);
    match kind {
        CheckKind::Http(request) => _ = check::prepare(request, url),
        CheckKind::Journey(journey) => {
            for step in &journey.steps {
                if let Ok(filled) = check::fill(&step.request, BTreeMap::new()) {
                    _ = check::prepare(&filled, url);
                }
            }
        }
        CheckKind::Dns(dns) => _ = (check::name_server(dns, url), check::dns::question(dns)),
        CheckKind::Grpc(grpc) => _ = check::grpc::question(&grpc.service),
        CheckKind::Tcp(_)
        | CheckKind::Tls(_)
        | CheckKind::Icmp(_)
        | CheckKind::WebSocket(_)
        | CheckKind::Unknown(_) => {}
    }
}
