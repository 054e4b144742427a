//! Made-up rows.

use crate::{Flags, Row};
use wire::sample::{Outcome, Phases, Trigger};

/// An endless series of rows, the same for the same seed.
#[derive(Debug, Clone)]
pub struct Series {
    state: u64,
    next: i64,
    interval_us: i64,
    http: bool,
}

impl Series {
    /// HTTP over a new TLS connection each time, with all phases.
    pub fn http(seed: u64, from: i64, interval_us: i64) -> Series {
        Series { state: seed, next: from, interval_us, http: true }
    }

    /// A single value, as of ICMP and TCP.
    pub fn single(seed: u64, from: i64, interval_us: i64) -> Series {
        Series { state: seed, next: from, interval_us, http: false }
    }

    fn draw(&mut self, below: u32) -> u32 {
        self.state =
            self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) as u32 % below
    }
}

impl Iterator for Series {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        let delay_us = self.draw(3_000);
        let http = self.http;
        let mut phase = |base: u32| Some(base + self.draw(base / 10));
        let phases = if http {
            Phases {
                dns: phase(2_000),
                connect: phase(20_000),
                tls: phase(30_000),
                send: phase(50),
                wait: phase(40_000),
                transfer: phase(500),
            }
        } else {
            Phases::default()
        };
        let total_us = if http { phases.sum() } else { 20_000 + self.draw(2_000) };
        let at = self.next + i64::from(delay_us);
        self.next += self.interval_us;
        Some(Row {
            at,
            delay_us,
            outcome: Outcome::Ok,
            slow: false,
            total_us,
            phases,
            status: http.then_some(200),
            bytes: http.then_some(12_345),
            flags: Flags::default(),
            trigger: Trigger::Schedule,
            attempt: 1,
        })
    }
}
