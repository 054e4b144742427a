//! A whole probe against a collector and a target that misbehave in the ways that happen.

mod collector;
mod faults;
mod lifecycle;
mod measuring;
mod orders;
mod target;
mod traces;

use collector::Collector;
use probe::{App, RunError, Settings, Token};
use runtime::{clock::SystemClock, random::Random};
use std::{
    collections::BTreeMap,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};
use tempfile::TempDir;
use tokio::{sync::oneshot, task::JoinHandle};
use wire::{
    assignment::{AssignedCheck, Assignment, CheckKind, Endpoint, Reach, Request},
    report::Report,
    sample::Sample,
};

/// Nothing here takes this long unless it never happens.
const NEVER: Duration = Duration::from_secs(60);
const TOKEN: &str = "t0ken-of-north-1";

/// Waits for something that must come.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(NEVER, what).await.expect("what the test waits for must happen")
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn settings(data: &Path, collectors: &[&str]) -> Settings {
    Settings {
        region: "north".parse().expect("an id"),
        collectors: collectors.iter().map(|url| url.parse().expect("a URL")).collect(),
        token: Token::new(TOKEN),
        data: data.to_owned(),
        resolve: vec![],
        listen: None,
        spool_bytes: probe::settings::DEFAULT_SPOOL_BYTES,
        control: vec![],
        runs_most: None,
        secrets: None,
        evidence: Default::default(),
    }
}

fn check(id: &str, interval_us: u32, url: &str) -> AssignedCheck {
    AssignedCheck {
        id: id.parse().expect("an id"),
        service: "shop".parse().expect("an id"),
        kind: CheckKind::Http(Request { path: format!("/{id}"), ..Request::default() }),
        interval_us,
        timeout_us: 4_000_000,
        budget_us: None,
        endpoints: vec![Endpoint {
            target: "a".parse().expect("an id"),
            url: url.into(),
            evidence: Default::default(),
        }],
        regions: BTreeMap::new(),
        region_header: None,
        places: Default::default(),
        reach: Reach::default(),
    }
}

/// Grows, so that the order of assignments in a test is the order of their revisions.
static REVISION: AtomicU64 = AtomicU64::new(1);

fn assignment(checks: Vec<AssignedCheck>) -> Assignment {
    Assignment {
        revision: REVISION.fetch_add(1, Ordering::Relaxed) as i64,
        probe: "north-1".parse().expect("an id"),
        region: "north".parse().expect("an id"),
        checks,
        mesh: None,
    }
}

fn samples(reports: &[Report]) -> Vec<&Sample> {
    reports.iter().flat_map(|report| &report.samples).collect()
}

/// A running probe.
struct Probe {
    stop: oneshot::Sender<()>,
    end: JoinHandle<Result<(), RunError>>,
}

impl Probe {
    fn start(settings: Settings) -> Self {
        let app = App::build(settings, SystemClock::shared(), Random::seeded(1)).expect("the probe is built");
        Self::run(app)
    }

    fn run(app: App) -> Self {
        let (stop, stopped) = oneshot::channel();
        Self { stop, end: tokio::spawn(app.run(stopped)) }
    }

    async fn stop(self) {
        self.stop.send(()).expect("the probe still runs");
        soon(self.end).await.expect("no panic").expect("a clean stop");
    }

    async fn end(self) -> Result<(), RunError> {
        soon(self.end).await.expect("no panic")
    }
}

/// Every slot of a series is told exactly once, whatever happened in between. Only for reports that were read after
/// the probe stopped, because before that a run may still be under way.
fn assert_no_gaps(reports: &[Report], check: &str, interval_us: i64) {
    let sequences: Vec<i64> = reports.iter().map(|report| report.sequence).collect();
    let first = sequences[0];
    assert_eq!(sequences, (first..first + sequences.len() as i64).collect::<Vec<_>>(), "report numbers");
    let mut slots: Vec<i64> = samples(reports)
        .iter()
        .filter(|sample| sample.check.as_str() == check)
        .map(|sample| sample.scheduled.0)
        .collect();
    // Samples are taken in the order in which runs end.
    slots.sort_unstable();
    let gaps: Vec<i64> =
        slots.windows(2).map(|pair| pair[1] - pair[0]).filter(|gap| *gap != interval_us).collect();
    assert!(gaps.is_empty(), "slots of {check} are missing or doubled: {gaps:?}");
}
