//! What a report says, made from its number alone, so that nobody has to keep it to compare it.

use crate::harness::{config, world::id};
use runtime::random::Random;
use wire::{
    Micros, ProbeId,
    assignment::Target,
    report::Report,
    sample::{Connection, Evidence, FailClass, Flag, Outcome, Phases, Sample, Trigger},
};

/// Samples in a report, at most.
const MOST: f64 = 12.0;
/// Texts that have broken stores before: quotes, signs outside of the basic plane, right to left, NUL.
const TEXTS: [&str; 5] = [
    "expected 200",
    "it's \"quoted\"; DROP TABLE log; --",
    "𝒰nïcode 🚢 \u{202e}",
    "a\u{0}b",
    "{\"json\": [1]}\n",
];

/// The report of a probe with a number, made at an instant.
pub fn report(seed: u64, probe: &ProbeId, number: i64, at: Micros) -> Report {
    let random = Random::seeded(seed ^ (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let samples = 1 + (random.unit() * MOST) as i64;
    // A microsecond for each, so that no two runs of the series are the same.
    let samples = (0..samples).map(|place| sample(&random, at.plus_us(-1_000 * place))).collect();
    Report { probe: probe.clone(), sequence: number, samples, mesh: Vec::new() }
}

fn sample(random: &Random, scheduled: Micros) -> Sample {
    let us = |most: f64| (random.unit() * most) as u32;
    let outcome = match us(10.0) {
        0 => Outcome::Fail(FailClass::Status),
        1 => Outcome::Fail(FailClass::Timeout),
        2 => Outcome::Missed,
        _ => Outcome::Ok,
    };
    let ran = outcome != Outcome::Missed;
    let phases = Phases {
        dns: Some(us(5_000.0)),
        connect: Some(us(30_000.0)),
        tls: None,
        send: Some(us(100.0)),
        wait: Some(us(200_000.0)),
        transfer: outcome.is_fail().then(|| us(1_000.0)),
    };
    let text = TEXTS[us(TEXTS.len() as f64) as usize];
    let evidence = outcome.is_fail().then(|| Evidence {
        summary: text.to_owned(),
        step: None,
        excerpt: (us(2.0) == 0).then(|| text.repeat(3)),
        withheld: None,
    });
    Sample {
        check: config::witness_check(us(config::WITNESS_CHECKS as f64) as usize),
        target: Target::Region(id(config::WITNESS_REGION)),
        scheduled,
        started: scheduled.plus_us(i64::from(us(900.0))),
        total_us: if ran { us(400_000.0) } else { 0 },
        outcome,
        slow: outcome == Outcome::Ok && us(20.0) == 0,
        phases: if ran { phases } else { Phases::default() },
        trigger: Trigger::Schedule,
        attempt: 1,
        address: ran.then(|| format!("192.0.2.{}:80", us(255.0))),
        connection: Connection::default(),
        hops: Vec::new(),
        addresses: Vec::new(),
        status: ran.then_some(if outcome == Outcome::Ok { 200 } else { 503 }),
        served_by: (us(3.0) == 0).then(|| config::WITNESS_REGION.to_owned()),
        bytes: ran.then(|| us(1e6)),
        certificate_expires: None,
        flags: if us(8.0) == 0 { vec![Flag::CpuSaturated] } else { Vec::new() },
        trace_id: ran.then(|| format!("{:016x}{:016x}", scheduled.0, us(1e9))),
        evidence,
        steps: Vec::new(),
    }
}
