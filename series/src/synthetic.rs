//! Made-up series that look like those of real probes: for benchmarks, for tests, and for `sextant load`.
//!
//! A series has a nature that is drawn once from its seed (`nature`) and noise around it. All of the following is
//! chosen, not measured on the internet; how many bytes a sample takes follows from it, and mostly from the noise,
//! since the lowest bits of a jittered duration cannot be compressed by anybody. [`Noise`] turns it up and down.
//!
//! * Round trips are a constant (1 to 120 ms) and a log-normal queue of 30 µs and 0.4 % of it, half as much for half of
//!   the runs and three times as much for 6 %. Each phase with a round trip (`connect`, `tls`, `wait`, and `transfer`
//!   where the body is larger than TCP's first window) draws its own: real ones share some of their queues, and would
//!   compress better. The server's time is log-normal (8 to 25 % of a median of 1 to 40 ms), as are the resolver's (20 %
//!   of 0.3 to 3 ms), the cryptography's, the sending's and the reading's.
//! * Queues and the server follow the time of day. Once in about two days the route changes, and the round trip with it.
//! * In 0.3 % of runs a segment is sent again: a phase takes 200 to 400 ms more, or 1 s where the first segment was
//!   lost. In 1 % the resolver has to ask.
//! * Runs begin 0 to 3 ms late: the timer ticks each millisecond, anywhere between two slots, as was seen of the probe;
//!   waking up takes a log-normal 80 µs, in 1 % up to 2 ms. One in 20,000 begins 0.1 to 0.5 s late, and has the flag.
//! * Failures come in bursts of one class, 12 on average, one burst in 30,000 runs; 0.02 % fail alone.
//! * Three of four HTTP series have a body of constant length. Phases add up to the total, as the probe's do.

mod nature;
mod random;

use crate::{DAY_US, Flags, Row};
use nature::Nature;
use random::Random;
use std::f64::consts::TAU;
use wire::sample::{FailClass, Flag, Outcome, Phases, Trigger};

/// After so long a run is given up.
const TIMEOUT_US: f64 = 10_000_000.0;
/// A start that is later than this is flagged.
const LATE_US: u32 = 100_000;
/// How long a route lasts on average.
const ROUTE_US: f64 = 2.0 * DAY_US as f64;
/// How often the probe's timer ticks.
const TICK_US: f64 = 1_000.0;

/// How much durations scatter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noise {
    /// 0.4 of the usual: idle machines in data centres.
    Calm,
    Usual,
    /// Twice the usual: busy machines, long ways.
    Rough,
}

/// An endless series of rows: the same for the same seed, on the same platform (logarithms and powers come from the
/// system's library, whose last bit may differ).
#[derive(Debug, Clone)]
pub struct Series {
    random: Random,
    nature: Nature,
    http: bool,
    next: i64,
    interval_us: i64,
    burst: Option<FailClass>,
}

impl Series {
    /// HTTP over a new TLS connection each time, with all phases. One row each `interval_us` (at least 1) from `from`.
    pub fn http(seed: u64, from: i64, interval_us: i64, noise: Noise) -> Series {
        Series::new(true, seed, from, interval_us, noise)
    }

    /// A single value without phases, as of ICMP and TCP.
    pub fn single(seed: u64, from: i64, interval_us: i64, noise: Noise) -> Series {
        Series::new(false, seed, from, interval_us, noise)
    }

    fn new(http: bool, seed: u64, from: i64, interval_us: i64, noise: Noise) -> Series {
        let mut random = Random::new(seed);
        let nature = Nature::draw(&mut random, noise);
        Series { random, nature, http, next: from, interval_us: interval_us.max(1), burst: None }
    }

    /// From 1 at the quietest hour to `1 + 2 tide` at the busiest.
    fn swell(&self) -> f64 {
        let day = self.next.rem_euclid(DAY_US) as f64 / DAY_US as f64;
        1.0 + self.nature.tide * (1.0 + ((day - self.nature.busiest) * TAU).cos())
    }

    fn delay_us(&mut self) -> u32 {
        let to_tick = self.random.between(0.0, TICK_US);
        let mut wake = self.random.log_normal(80.0, 0.5).min(1_000.0);
        if self.random.chance(0.01) {
            wake += self.random.between(0.0, 2_000.0).min(2_000.0 - wake);
        }
        if self.random.chance(1.0 / 20_000.0) {
            wake = self.random.between(100_000.0, 500_000.0);
        }
        whole(to_tick + wake)
    }

    fn round_trip(&mut self) -> f64 {
        let (median, sigma) = self.nature.queue;
        let again = if self.random.chance(0.001) { self.random.between(200_000.0, 400_000.0) } else { 0.0 };
        self.nature.rtt + self.swell() * self.random.log_normal(median, sigma) + again
    }

    fn outcome(&mut self) -> Outcome {
        const CLASSES: [FailClass; 6] = [
            FailClass::Timeout,
            FailClass::Timeout,
            FailClass::Status,
            FailClass::Connect,
            FailClass::Dns,
            FailClass::Tls,
        ];
        if self.burst.is_some() {
            if self.random.chance(1.0 / 12.0) {
                self.burst = None;
            }
        } else if self.random.chance(1.0 / 30_000.0) {
            self.burst = Some(self.random.pick(CLASSES));
        }
        let alone = self.random.chance(0.0002).then_some(FailClass::Timeout);
        match self.burst.or(alone) {
            None => Outcome::Ok,
            Some(FailClass::Timeout) => Outcome::Fail(FailClass::Timeout),
            Some(class) if self.http => Outcome::Fail(class),
            Some(_) => Outcome::Fail(FailClass::Connect),
        }
    }

    /// The phases up to where the run ended, and the status.
    fn exchange(&mut self, outcome: Outcome) -> (Phases, Option<u16>) {
        let fails = |class| outcome == Outcome::Fail(class);
        let mut phases = Phases::default();
        let mut dns = self.log_normal(|nature| nature.dns);
        if self.random.chance(0.01) {
            dns += self.random.log_normal(30_000.0, 0.5);
        }
        phases.dns = Some(whole(dns));
        if fails(FailClass::Dns) {
            return (phases, None);
        }
        let lost_first = if self.random.chance(0.0005) { 1_000_000.0 } else { 0.0 };
        phases.connect = Some(whole(self.round_trip() + lost_first));
        if fails(FailClass::Connect) {
            return (phases, None);
        }
        phases.tls = Some(whole(self.round_trip() + self.log_normal(|nature| nature.crypto)));
        if fails(FailClass::Tls) {
            return (phases, None);
        }
        phases.send = Some(whole(self.log_normal(|nature| nature.send)));
        if fails(FailClass::Timeout) {
            // The clean-up comes a little late.
            let end = TIMEOUT_US + self.random.log_normal(1_000.0, 0.3);
            phases.wait = Some(whole(end).saturating_sub(phases.sum()));
            return (phases, None);
        }
        let think = self.swell() * self.log_normal(|nature| nature.think);
        phases.wait = Some(whole(self.round_trip() + think));
        let mut transfer = self.log_normal(|nature| nature.read);
        for _ in 0..self.nature.rounds {
            transfer += self.round_trip();
        }
        phases.transfer = Some(whole(transfer));
        (phases, Some(if fails(FailClass::Status) { 503 } else { 200 }))
    }

    fn log_normal(&mut self, of: impl Fn(&Nature) -> (f64, f64)) -> f64 {
        let (median, sigma) = of(&self.nature);
        self.random.log_normal(median, sigma)
    }

    /// When a successful run is slow.
    fn budget_us(&self) -> f64 {
        if self.http {
            100_000.0 + 3.0 * (3.0 * self.nature.rtt + self.nature.think.0)
        } else {
            50_000.0 + 2.0 * self.nature.rtt
        }
    }
}

impl Iterator for Series {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        if self.random.chance(self.interval_us as f64 / ROUTE_US) {
            self.nature.rtt *= self.random.between(0.93, 1.08);
        }
        let delay_us = self.delay_us();
        let outcome = self.outcome();
        let (phases, status, total_us) = if self.http {
            let (phases, status) = self.exchange(outcome);
            (phases, status, phases.sum())
        } else {
            let total = match outcome {
                Outcome::Fail(FailClass::Timeout) => TIMEOUT_US + self.random.log_normal(1_000.0, 0.3),
                _ => self.round_trip(),
            };
            (Phases::default(), None, whole(total))
        };
        let (body, varies) = self.nature.body;
        let bytes = match status {
            Some(200) => Some(whole(body + self.random.between(0.0, varies))),
            status => status.map(|_| 162),
        };
        let row = Row {
            at: self.next.saturating_add(delay_us.into()),
            delay_us,
            outcome,
            slow: outcome == Outcome::Ok && f64::from(total_us) > self.budget_us(),
            total_us,
            phases,
            status,
            bytes,
            flags: (delay_us > LATE_US).then_some(Flag::LateStart).into_iter().collect::<Flags>(),
            trigger: Trigger::Schedule,
            attempt: 1,
        };
        self.next = self.next.saturating_add(self.interval_us);
        Some(row)
    }
}

/// Microseconds; an `as` from a float saturates.
fn whole(us: f64) -> u32 {
    us as u32
}

#[cfg(test)]
mod tests;
