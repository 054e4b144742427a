//! Who sends what, and when: every report of the run, packed, before the clock starts.

use super::piece::Piece;
use anyhow::{Context, bail, ensure};
use collector::config::{Config, TokenSource};
use lab::samples::Series;
use rand::{SeedableRng, rngs::StdRng};
use std::{
    collections::VecDeque,
    fs, thread,
    time::{Duration, Instant},
};
use wire::{
    Micros, ProbeId, RegionId,
    report::{MAX_SAMPLES, Report},
};

/// How much longer than a first trial promises packing may take.
const RESERVE: f64 = 1.3;
/// Reports that are packed as a trial.
const TRIALS: usize = 8;

/// A probe that is played.
pub struct Vantage {
    pub id: ProbeId,
    pub token: String,
    pub series: Vec<Series>,
}

/// A report that waits for its time.
#[derive(Debug, Clone)]
pub struct Due {
    /// Since the start of the run.
    pub at: Duration,
    pub samples: usize,
    pub piece: Piece,
}

/// Everything that is sent.
pub struct Plan {
    /// When the run starts.
    pub begin: Micros,
    pub queues: Vec<(Vantage, VecDeque<Due>)>,
    pub samples: usize,
    pub reports: usize,
    pub plain_bytes: usize,
    pub packed_bytes: usize,
    pub took: Duration,
}

/// How much is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Volume {
    /// Samples a second, of all probes together.
    pub rate: f64,
    pub length: Duration,
    pub samples_per_report: usize,
    /// The most memory for packed reports, bytes.
    pub memory: usize,
}

/// The probes of a configuration, each with its series.
///
/// # Errors
/// When a token cannot be read, or no check is assigned.
pub fn vantages(config: &Config) -> anyhow::Result<Vec<Vantage>> {
    let mut found = Vec::new();
    for (id, probe) in &config.probes {
        let token = match &probe.token {
            TokenSource::File(path) => fs::read_to_string(path)
                .with_context(|| format!("cannot read the token of {id} from {}", path.display()))?,
            TokenSource::Env(name) => std::env::var(name)
                .with_context(|| format!("the token of {id} should be in the variable {name}"))?,
            TokenSource::Sha256(_) => {
                bail!(
                    "the configuration has only a hash of {id}'s token: give a file, as `sextant load prepare` does"
                )
            }
        };
        let series = series(config, id, &probe.region);
        if !series.is_empty() {
            found.push(Vantage { id: id.clone(), token: token.trim().to_owned(), series });
        }
    }
    ensure!(!found.is_empty(), "no probe of the configuration has a check to run");
    Ok(found)
}

/// Those of one probe, in the order of the checks.
fn series(config: &Config, probe: &ProbeId, region: &RegionId) -> Vec<Series> {
    let checks = config.checks.iter().filter(|(_, check)| check.from.contains(probe));
    let places = checks.flat_map(|(id, check)| check.to.iter().map(move |target| (id, target)));
    let series = places.enumerate();
    series.map(|(n, (id, target))| Series::new(id.clone(), target.clone(), region, n as u64)).collect()
}

/// Makes and packs all reports, with all processors. The run starts when this is done, and every sample's time is in
/// the run, so how long it will take is found by a trial.
///
/// # Errors
/// When the reports take more memory than they may.
pub fn make(vantages: Vec<Vantage>, volume: Volume, now: impl Fn() -> Micros) -> anyhow::Result<Plan> {
    ensure!(
        (1..=MAX_SAMPLES).contains(&volume.samples_per_report),
        "a report has 1 to {MAX_SAMPLES} samples"
    );
    let all: usize = vantages.iter().map(|vantage| vantage.series.len()).sum();
    let trial = Instant::now();
    let mut packed = 0;
    for _ in 0..TRIALS {
        packed += Maker::new(&vantages[0], volume, all, now()).next(0)?.piece.packed_bytes();
    }
    let reports = volume.rate * volume.length.as_secs_f64() / volume.samples_per_report as f64;
    let wanted = packed as f64 / TRIALS as f64 * reports;
    ensure!(
        wanted <= volume.memory as f64,
        "the packed reports of this run would take {:.0} MiB and may take {} (--memory): run for at most {:.0} s",
        wanted / f64::from(1 << 20),
        volume.memory >> 20,
        volume.length.as_secs_f64() * volume.memory as f64 / wanted
    );
    let threads = thread::available_parallelism().map_or(1, usize::from).min(vantages.len());
    let estimate = trial.elapsed().mul_f64(reports / TRIALS as f64 / threads as f64 * RESERVE);
    let began = Instant::now();
    let begin = now().plus(estimate + Duration::from_secs(1));
    let queues = pack_all(vantages, volume, all, begin, threads)?;
    let dues = || queues.iter().flat_map(|(_, queue)| queue);
    let plan = Plan {
        begin,
        samples: dues().map(|due| due.samples).sum(),
        reports: dues().count(),
        plain_bytes: dues().map(|due| due.piece.plain_bytes).sum(),
        packed_bytes: dues().map(|due| due.piece.packed_bytes()).sum(),
        took: began.elapsed(),
        queues,
    };
    Ok(plan)
}

type Queue = (Vantage, VecDeque<Due>);

fn pack_all(
    vantages: Vec<Vantage>,
    volume: Volume,
    all: usize,
    begin: Micros,
    threads: usize,
) -> anyhow::Result<Vec<Queue>> {
    let share = vantages.len().div_ceil(threads);
    let mut shares: Vec<Vec<Vantage>> = Vec::new();
    for vantage in vantages {
        match shares.last_mut() {
            Some(last) if last.len() < share => last.push(vantage),
            _ => shares.push(vec![vantage]),
        }
    }
    thread::scope(|scope| {
        let pack = |vantages: Vec<Vantage>| -> anyhow::Result<Vec<Queue>> {
            vantages.into_iter().map(|vantage| queue(vantage, volume, all, begin)).collect()
        };
        let workers: Vec<_> = shares.into_iter().map(|share| scope.spawn(move || pack(share))).collect();
        let mut queues = Vec::new();
        for worker in workers {
            queues.extend(worker.join().map_err(|_| anyhow::anyhow!("a thread that packs reports failed"))??);
        }
        Ok(queues)
    })
}

fn queue(vantage: Vantage, volume: Volume, all: usize, begin: Micros) -> anyhow::Result<Queue> {
    let mut maker = Maker::new(&vantage, volume, all, begin);
    let mut queue = VecDeque::new();
    for number in 0.. {
        let due = maker.next(number)?;
        if due.at > volume.length {
            break;
        }
        queue.push_back(due);
    }
    Ok((vantage, queue))
}

/// Makes the reports of one probe, one after the other.
struct Maker<'a> {
    vantage: &'a Vantage,
    volume: Volume,
    begin: Micros,
    /// Between two samples of this probe.
    apart: Duration,
    /// Of a whole report's time, so that the probes do not send all at once.
    offset: f64,
    random: StdRng,
    turn: usize,
}

impl<'a> Maker<'a> {
    /// `all` series share the rate; this probe's part is as large as its share of them.
    fn new(vantage: &'a Vantage, volume: Volume, all: usize, begin: Micros) -> Maker<'a> {
        let rate = volume.rate * vantage.series.len() as f64 / all as f64;
        let seed =
            vantage.id.as_str().bytes().fold(0_u64, |seed, byte| seed.wrapping_mul(31) + u64::from(byte));
        let mut random = StdRng::seed_from_u64(seed ^ begin.0 as u64);
        let offset = rand::Rng::random(&mut random);
        Maker { vantage, volume, begin, apart: Duration::from_secs_f64(1.0 / rate), offset, random, turn: 0 }
    }

    /// The next report: its samples ended one after the other until it is due.
    fn next(&mut self, number: usize) -> anyhow::Result<Due> {
        let count = self.volume.samples_per_report;
        let at = (self.apart * count as u32).mul_f64(number as f64 + self.offset);
        let due = self.begin.plus(at);
        let samples = (0..count).map(|n| {
            let series = &self.vantage.series[self.turn];
            self.turn = (self.turn + 1) % self.vantage.series.len();
            let ended = due.minus(self.apart * (count - n) as u32);
            let mut sample = series.sample(ended, &mut self.random);
            let shift = i64::from(sample.total_us) + sample.started.since(sample.scheduled);
            sample.scheduled = sample.scheduled.plus_us(-shift);
            sample.started = sample.started.plus_us(-shift);
            sample
        });
        let report = Report {
            probe: self.vantage.id.clone(),
            // As a new spool counts: from the clock, and one for each report.
            sequence: self.begin.0 + number as i64,
            samples: samples.collect(),
            mesh: Vec::new(),
        };
        Ok(Due { at, samples: count, piece: Piece::pack(&report)? })
    }
}

/// The time that is left until an instant, none when it is over.
pub fn until(begin: Micros, now: Micros) -> Duration {
    Duration::from_micros(u64::try_from(begin.since(now)).unwrap_or_default())
}
