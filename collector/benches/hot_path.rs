//! What the parts of the way of a sample through the collector cost: `cargo bench -p sextant-collector`, with words to
//! choose (`-- parse judge`).
//!
//! Each line is the processor time of this thread for one operation: the median of 21 batches, and the least. Processor
//! time, because a collector has several threads; on a busy machine it still grows, since caches are shared.

use collector::{
    config,
    decide::{Core, Event, State},
};
use flate2::{Compression, read::MultiGzDecoder, write::GzEncoder};
use lab::samples::Series;
use nix::time::{ClockId, clock_gettime};
use rand::{SeedableRng, rngs::StdRng};
use std::{
    fmt::Write as _,
    hint::black_box,
    io::{Read, Write as _},
    sync::Arc,
    time::{Duration, Instant},
};
use wire::{
    Micros,
    report::{Batch, MAX_SAMPLES, Report},
};

const BATCHES: usize = 21;
const BATCH: Duration = Duration::from_millis(20);
const BEGIN: Micros = Micros(1_795_000_000_000_000);
/// What the decision core is measured with: checks, probes, and regions of each service.
const SHAPE: (usize, usize, usize) = (1_000, 5, 4);

fn main() {
    // Cargo passes `--bench`.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let bench = Bench { words };
    println!("{:<60} {:>12} {:>12}", "operation", "median", "least");
    ingest(&bench);
    core(&bench);
}

struct Bench {
    words: Vec<String>,
}

impl Bench {
    /// Times `work`, which does `operations` at a call.
    fn run(&self, name: &str, operations: usize, mut work: impl FnMut()) {
        if !self.words.is_empty() && !self.words.iter().any(|word| name.contains(word.as_str())) {
            return;
        }
        let warm = Instant::now();
        let mut calls = 0_u32;
        while calls == 0 || warm.elapsed() < BATCH * 5 {
            work();
            calls += 1;
        }
        let calls = (calls / 5).max(1);
        let mut times: Vec<f64> = (0..BATCHES)
            .map(|_| {
                let begin = cpu_s();
                (0..calls).for_each(|_| work());
                (cpu_s() - begin) / f64::from(calls) / operations as f64
            })
            .collect();
        times.sort_by(f64::total_cmp);
        println!("{name:<60} {:>12} {:>12}", time(times[BATCHES / 2]), time(times[0]));
    }
}

/// The processor time that this thread has used, seconds.
fn cpu_s() -> f64 {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("Linux has this clock");
    time.tv_sec() as f64 + time.tv_nsec() as f64 / 1e9
}

fn time(seconds: f64) -> String {
    match seconds * 1e9 {
        ns if ns < 1e3 => format!("{ns:.0} ns"),
        ns if ns < 1e6 => format!("{:.2} µs", ns / 1e3),
        ns => format!("{:.2} ms", ns / 1e6),
    }
}

/// From the body of a request to what is stored.
fn ingest(bench: &Bench) {
    let batch = Batch { sent: BEGIN, reports: vec![report(0, 0)], lost: 0 };
    let json = serde_json::to_vec(&batch).expect("JSON");
    let packed = gzip(&json);
    println!(
        "a batch of {MAX_SAMPLES} samples: {:.0} bytes a sample as JSON, {:.0} packed",
        json.len() as f64 / MAX_SAMPLES as f64,
        packed.len() as f64 / MAX_SAMPLES as f64
    );
    bench.run("ingest unpack, a sample", MAX_SAMPLES, || {
        let mut plain = Vec::new();
        MultiGzDecoder::new(&packed[..]).read_to_end(&mut plain).expect("gzip");
        black_box(plain);
    });
    bench.run("ingest parse from bytes, a sample", MAX_SAMPLES, || {
        black_box(serde_json::from_slice::<Batch>(&json).expect("a batch"));
    });
    bench.run("ingest parse from text, a sample", MAX_SAMPLES, || {
        let text = std::str::from_utf8(&json).expect("UTF-8");
        black_box(serde_json::from_str::<Batch>(text).expect("a batch"));
    });
    bench.run("ingest clone of a parsed batch, a sample", MAX_SAMPLES, || {
        black_box(batch.clone());
    });
    bench.run("ingest report to JSON, a sample", MAX_SAMPLES, || {
        black_box(serde_json::to_vec(&batch.reports).expect("JSON"));
    });
}

/// The decision core with all heads full.
fn core(bench: &Bench) {
    let (checks, probes, targets) = SHAPE;
    let config = Arc::new(config::parse(&document(), "bench.yaml").expect("valid"));
    let mut core = Core::new(config, State::default(), 1);
    let reports = (checks * targets).div_ceil(MAX_SAMPLES);
    let event = |probe, n| {
        let report = report(probe, n);
        Event::Report { received: BEGIN.plus_us(1_000_000), sent: BEGIN, report, lost: 0 }
    };
    let now = BEGIN.plus_us(1_000_000);
    for probe in 0..probes {
        for n in 0..reports {
            core.apply(&event(probe, n), now);
        }
    }
    core.apply(&Event::Tick, now);
    let series: usize =
        core.state.series.values().flat_map(|probes| probes.values().map(|targets| targets.len())).sum();
    println!("a core with {checks} checks x {probes} probes x {targets} targets, {series} heads");
    let taken = event(2, 3);
    bench.run("core takes a report, a sample", MAX_SAMPLES, || {
        black_box(core.apply(&taken, now));
    });
    bench.run("core judges (a tick)", 1, || {
        black_box(core.apply(&Event::Tick, now));
    });
    bench.run("core state copied, as for pages", 1, || {
        black_box(core.state.clone());
    });
    bench.run("core state as JSON, as for a commit", 1, || {
        black_box(serde_json::to_vec(&core.state).expect("JSON"));
    });
}

/// The `n`th report of a probe over all its series.
fn report(probe: usize, n: usize) -> Report {
    let (checks, _, targets) = SHAPE;
    let mut random = StdRng::seed_from_u64(n as u64);
    let region = format!("region-{probe}").parse().expect("an id");
    let samples = (n * MAX_SAMPLES..(n + 1) * MAX_SAMPLES).map(|index| {
        let (check, target) = (index / targets % checks, index % targets);
        let check = check_id(check).parse().expect("an id");
        let target = format!("region-{target}").parse().expect("a target");
        Series::new(check, target, &region, index as u64)
            .sample(BEGIN.plus_us(-(index as i64) * 100), &mut random)
    });
    let probe = format!("probe-{probe}").parse().expect("an id");
    Report { probe, sequence: BEGIN.0 + n as i64, samples: samples.collect(), mesh: Vec::new() }
}

fn check_id(check: usize) -> String {
    format!("service-{:02}-check-{:02}", check / 50, check % 50)
}

fn document() -> String {
    let (checks, probes, targets) = SHAPE;
    let mut text = String::from("version: 1\nregions:\n");
    (0..probes).for_each(|n| writeln!(text, "  region-{n}: {{}}").expect("a text takes it"));
    text.push_str("probes:\n");
    let hash = "a".repeat(64);
    for n in 0..probes {
        writeln!(text, "  probe-{n}: {{ region: region-{n}, token: {{ sha256: {hash} }} }}")
            .expect("a text takes it");
    }
    text.push_str("services:\n");
    for service in 0..checks.div_ceil(50) {
        writeln!(text, "  service-{service:02}:\n    regions:").expect("a text takes it");
        for target in 0..targets {
            writeln!(text, "      region-{target}: https://s{service}.r{target}.example.com")
                .expect("a text takes it");
        }
    }
    text.push_str("checks:\n");
    for check in 0..checks {
        let service = check / 50;
        writeln!(
            text,
            "  {}: {{ service: service-{service:02}, interval: 60s, http: {{ path: / }} }}",
            check_id(check)
        )
        .expect("a text takes it");
    }
    text
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    // The level of probes.
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(plain).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}
