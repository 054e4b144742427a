//! Samples as a probe makes them, of runs that never happened: to load a collector, and to measure its parts.
//!
//! Every field that an HTTPS check fills is there. Latency is what one sees of a service on the Internet: each series
//! has a level of its own for each phase, every run scatters log-normally around it, now and then one is much slower,
//! and one of a hundred fails with evidence.

use rand::{Rng, SeedableRng, rngs::StdRng};
use wire::{
    CheckId, Micros, RegionId,
    assignment::Target,
    sample::{Connection, Evidence, FailClass, Lookup, Outcome, Phases, Sample, TlsFacts, Trigger},
};

/// How many runs fail: one of so many.
pub const FAILING: u32 = 100;
/// A successful run that takes longer is slow, microseconds.
pub const BUDGET_US: u32 = 800_000;
/// What a run may take, microseconds.
const TIMEOUT_US: u32 = 2_000_000;
/// How much the phases of one series scatter: the standard deviation of the logarithm.
const SCATTER: f64 = 0.18;
/// One of so many runs is slower by a factor of 2 to 8.
const BURST: u32 = 200;

/// One check, from one vantage to one target.
#[derive(Debug, Clone)]
pub struct Series {
    check: CheckId,
    target: Target,
    address: String,
    resolver: String,
    served_by: Option<String>,
    bytes: u32,
    certificate_expires: Micros,
    /// The usual time of each phase, microseconds.
    levels: [f64; 6],
}

impl Series {
    /// A series whose levels belong to the seed: the same seed gives the same ones.
    pub fn new(check: CheckId, target: Target, vantage: &RegionId, seed: u64) -> Series {
        let mut random = StdRng::seed_from_u64(seed);
        let near = matches!(&target, Target::Region(region) if region == vantage);
        let rtt_us: f64 =
            if near { random.random_range(800.0..4_000.0) } else { random.random_range(15_000.0..180_000.0) };
        let served_by = match &target {
            Target::Region(region) => Some(region.to_string()),
            Target::Public => Some(vantage.to_string()),
        };
        Series {
            check,
            target,
            address: format!("203.0.113.{}:443", random.random_range(1..255)),
            resolver: "192.0.2.53:53".to_owned(),
            served_by,
            bytes: random.random_range(200..60_000),
            certificate_expires: Micros(
                1_800_000_000_000_000 + random.random_range(0..7_000_000) * 1_000_000,
            ),
            levels: [
                random.random_range(600.0..9_000.0),
                rtt_us,
                rtt_us * 1.1 + random.random_range(1_500.0..4_000.0),
                random.random_range(25.0..90.0),
                rtt_us + random.random_range(2_000.0..60_000.0),
                random.random_range(60.0..9_000.0),
            ],
        }
    }

    /// One run that was due at `scheduled`.
    pub fn sample(&self, scheduled: Micros, random: &mut StdRng) -> Sample {
        let burst = if random.random_ratio(1, BURST) { random.random_range(2.0..8.0) } else { 1.0 };
        let mut us = self.levels.map(|level| ((level * burst * scatter(random)) as u32).max(1));
        let failure = random.random_ratio(1, FAILING).then(|| failure(random));
        if let Some((FailClass::Timeout, _)) = failure {
            us[4] = TIMEOUT_US.saturating_sub(us[..4].iter().sum());
        }
        let done = match failure {
            None | Some((FailClass::Status, _)) => 6,
            Some((FailClass::Timeout, _)) => 5,
            Some((FailClass::Tls, _)) => 3,
            Some(_) => 2,
        };
        let phase = |n: usize| (n < done).then_some(us[n]);
        let total_us = us[..done].iter().sum();
        let answered = done == 6;
        let refused = matches!(failure, Some((FailClass::Status, _)));
        let slow = failure.is_none() && total_us > BUDGET_US;
        let evidence = match &failure {
            Some((_, summary)) => Some((*summary).to_owned()),
            None => slow.then(|| {
                format!("took {} ms, more than the budget of {} ms", total_us / 1000, BUDGET_US / 1000)
            }),
        };
        Sample {
            check: self.check.clone(),
            target: self.target.clone(),
            scheduled,
            started: scheduled.plus_us(random.random_range(80..1_800)),
            total_us,
            outcome: failure.as_ref().map_or(Outcome::Ok, |(class, _)| Outcome::Fail(*class)),
            slow,
            phases: Phases {
                dns: phase(0),
                connect: phase(1),
                tls: phase(2),
                send: phase(3),
                wait: phase(4),
                transfer: phase(5),
            },
            trigger: Trigger::Schedule,
            attempt: 1,
            address: Some(self.address.clone()),
            connection: self.connection(done, us[1], random),
            hops: Vec::new(),
            addresses: Vec::new(),
            status: answered.then_some(if refused { 503 } else { 200 }),
            served_by: self.served_by.clone().filter(|_| answered),
            bytes: answered.then_some(if refused { 61 } else { self.bytes }),
            certificate_expires: (done > 2).then_some(self.certificate_expires),
            flags: Vec::new(),
            trace_id: Some(format!("{:032x}", random.random::<u128>())),
            evidence: evidence.map(|summary| Evidence {
                summary,
                step: None,
                excerpt: refused
                    .then(|| "{\"error\":\"no healthy upstream\",\"request\":\"r-4711\"}".to_owned()),
                withheld: None,
            }),
            steps: Vec::new(),
        }
    }

    fn connection(&self, phases: usize, connect_us: u32, random: &mut StdRng) -> Connection {
        Connection {
            protocol: (phases > 3).then(|| "HTTP/2".to_owned()),
            reused: false,
            retransmits: Some(u32::from(random.random_ratio(1, 150))),
            min_rtt_us: (phases > 2).then_some(connect_us - connect_us / 50),
            tls: (phases > 3).then(|| TlsFacts {
                version: "TLSv1.3".to_owned(),
                cipher: "TLS_AES_128_GCM_SHA256".to_owned(),
                stapled: false,
                verified: true,
            }),
            lookup: Some(Lookup {
                server: self.resolver.clone(),
                rcode: "NOERROR".to_owned(),
                ttl_s: Some(random.random_range(1..=60)),
                found: 2,
            }),
        }
    }
}

/// How a run fails, and the sentence for it.
fn failure(random: &mut StdRng) -> (FailClass, &'static str) {
    match random.random_range(0..10) {
        0..4 => (FailClass::Status, "the status was 503 Service Unavailable, expected 200"),
        4..7 => (FailClass::Timeout, "no answer within 2 s: the wait for the response head took most of it"),
        7..9 => (FailClass::Connect, "the connection to the address was refused"),
        _ => (FailClass::Tls, "the certificate is not valid for this name"),
    }
}

/// A log-normal factor around 1.
fn scatter(random: &mut StdRng) -> f64 {
    // The sum of twelve uniform numbers minus six has mean 0 and variance 1, and is close to normal.
    let normal: f64 = (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0;
    (SCATTER * normal).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(seed: u64) -> Series {
        let region: RegionId = "eu-west-1".parse().expect("an id");
        Series::new("shop-health".parse().expect("an id"), "us-east-1".parse().expect("an id"), &region, seed)
    }

    #[test]
    fn phases_add_up_and_the_seed_decides() {
        let (mut one, mut two) = (StdRng::seed_from_u64(7), StdRng::seed_from_u64(7));
        for n in 0..2_000 {
            let sample = series(3).sample(Micros(n), &mut one);
            assert_eq!(sample, series(3).sample(Micros(n), &mut two));
            assert_eq!(sample.total_us, sample.phases.sum());
            assert!(sample.started >= sample.scheduled);
            assert_eq!(sample.evidence.is_some(), sample.outcome.is_fail() || sample.slow);
        }
        assert_ne!(series(3).levels, series(4).levels);
    }

    #[test]
    fn one_of_a_hundred_fails() {
        let mut random = StdRng::seed_from_u64(1);
        let (of, series) = (20_000, series(5));
        let samples: Vec<Sample> = (0..of).map(|n| series.sample(Micros(n), &mut random)).collect();
        let failing = samples.iter().filter(|sample| sample.outcome.is_fail()).count();
        assert!((140..260).contains(&failing), "{failing} of {of}");
        for class in [FailClass::Status, FailClass::Timeout, FailClass::Connect, FailClass::Tls] {
            assert!(samples.iter().any(|sample| sample.outcome == Outcome::Fail(class)), "{class}");
        }
        assert!(samples.iter().all(|sample| sample.total_us <= 8 * TIMEOUT_US));
    }
}
