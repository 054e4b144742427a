//! Gathers samples into reports: few writes to the disk when all is well, and no delay when a decision waits.

use crate::{residency::Keeper, runner::Taken, spool::SharedSpool};
use std::{collections::VecDeque, time::Duration};
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;
use wire::{
    ProbeId,
    report::MAX_SAMPLES,
    sample::{Sample, Trigger},
};

/// How long an ordinary sample may wait for others.
const LINGER: Duration = Duration::from_millis(500);
/// How long a sample that a decision waits for may wait for others; it is rarely alone.
const LINGER_URGENT: Duration = Duration::from_millis(5);
/// As many samples are not kept waiting: they fill a report.
const ENOUGH: usize = MAX_SAMPLES;
/// The most that is written and synced at once. Several reports, so that a slow disk costs delay and not samples.
const WRITE_MOST: usize = 10 * MAX_SAMPLES;

/// How often kept evidence is looked through for what has reached its age.
const EXPIRE: Duration = Duration::from_secs(600);

/// Takes samples until `stop`, then takes what is left, and spools all of it; what must not travel goes to the keeper.
pub async fn run(
    mut samples: mpsc::Receiver<Taken>,
    spool: SharedSpool,
    mut keeper: Keeper,
    stop: CancellationToken,
) {
    let mut held = VecDeque::new();
    let mut flush_at: Option<Instant> = None;
    let mut open = true;
    let mut expire_at = Instant::now();
    while open {
        tokio::select! {
            () = stop.cancelled(), if !samples.is_closed() => samples.close(),
            taken = samples.recv() => match taken {
                Some(taken) => {
                    let linger = if is_urgent(&taken.sample) { LINGER_URGENT } else { LINGER };
                    let wanted = Instant::now() + linger;
                    flush_at = Some(flush_at.map_or(wanted, |at| at.min(wanted)));
                    held.push_back(taken);
                }
                None => open = false,
            },
            () = sleep_until(flush_at) => {
                flush_at = None;
                flush(&mut held, &spool, &mut keeper).await;
            }
            () = tokio::time::sleep_until(expire_at) => {
                keeper.expire().await;
                expire_at = Instant::now() + EXPIRE;
            }
        }
        if held.len() == ENOUGH {
            flush_at = Some(Instant::now());
        }
    }
    flush(&mut held, &spool, &mut keeper).await;
    // The runs end before this task is told to.
    stop.cancelled().await;
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// A failure may become a verdict, and somebody asked for the others.
fn is_urgent(sample: &Sample) -> bool {
    sample.outcome.is_fail() || sample.trigger != Trigger::Schedule
}

/// Spools everything held, in order.
async fn flush(held: &mut VecDeque<Taken>, spool: &SharedSpool, keeper: &mut Keeper) {
    keeper.keep(held.make_contiguous()).await;
    while let Some(first) = held.front() {
        let probe: ProbeId = first.probe.clone();
        let same = held.iter().take(WRITE_MOST).take_while(|taken| taken.probe == probe).count();
        let samples: Vec<Sample> = held.drain(..same).map(|taken| taken.sample).collect();
        spool.append(probe, samples).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{spool::Spool, testing};
    use wire::{
        Micros,
        sample::{FailClass, Outcome},
    };

    fn taken(sample: Sample) -> Taken {
        Taken { probe: "north-1".parse().expect("an id"), sample, withheld: None }
    }

    fn failing(n: i64) -> Sample {
        Sample { outcome: Outcome::Fail(FailClass::Connect), ..testing::sample(n) }
    }

    fn keeper(folder: &std::path::Path) -> Keeper {
        let clock = runtime::clock::SystemClock::shared();
        let random = runtime::random::Random::seeded(1);
        Keeper::new(folder.join("evidence"), Default::default(), clock, random)
    }

    struct Scene {
        _folder: tempfile::TempDir,
        spool: SharedSpool,
        samples: mpsc::Sender<Taken>,
        stop: CancellationToken,
        end: tokio::task::JoinHandle<()>,
    }

    fn scene() -> Scene {
        let folder = tempfile::tempdir().expect("a folder");
        let spool = SharedSpool::new(Spool::open(folder.path(), 1 << 20, Micros(1)).expect("opens"));
        let (samples, taken) = mpsc::channel(1000);
        let stop = CancellationToken::new();
        let end = tokio::spawn(run(taken, spool.clone(), keeper(folder.path()), stop.clone()));
        Scene { _folder: folder, spool, samples, stop, end }
    }

    async fn marks(spool: &SharedSpool) -> Vec<Vec<i64>> {
        let reports = spool.peek(1000, usize::MAX).await.expect("readable");
        reports
            .iter()
            .map(|report| testing::read(report).samples.iter().map(|sample| sample.scheduled.0).collect())
            .collect()
    }

    // The clock of these tests stands still but for what the code under test waits for.

    #[tokio::test(start_paused = true)]
    async fn ordinary_samples_wait_for_others_and_urgent_ones_do_not() {
        let scene = scene();
        let begin = Instant::now();
        for n in 0..2 {
            scene.samples.send(taken(testing::sample(n))).await.expect("open");
        }
        scene.spool.grown().await;
        assert!((LINGER..LINGER * 2).contains(&begin.elapsed()), "{:?}", begin.elapsed());

        let begin = Instant::now();
        scene.samples.send(taken(testing::sample(2))).await.expect("open");
        scene.samples.send(taken(failing(3))).await.expect("open");
        scene.spool.grown().await;
        assert!(begin.elapsed() <= Duration::from_millis(10), "{:?}", begin.elapsed());
        assert_eq!(marks(&scene.spool).await, [[0, 1], [2, 3]]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_of_the_runs_is_not_the_end_of_this_task() {
        let mut scene = scene();
        scene.samples.send(taken(testing::sample(0))).await.expect("open");
        drop(scene.samples);
        let ended = tokio::time::timeout(Duration::from_secs(5), &mut scene.end).await;
        assert!(ended.is_err(), "a task that ends early stops the process");
        assert_eq!(marks(&scene.spool).await, [[0]]);
        scene.stop.cancel();
        scene.end.await.expect("no panic");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_spools_what_is_on_its_way() {
        let scene = scene();
        for n in 0..350 {
            scene.samples.send(taken(testing::sample(n))).await.expect("open");
        }
        scene.stop.cancel();
        scene.end.await.expect("no panic");
        let all: Vec<i64> = marks(&scene.spool).await.concat();
        assert_eq!(all, (0..350).collect::<Vec<_>>());
        assert_eq!(scene.spool.lost(), 0);
    }
}
