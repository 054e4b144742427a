//! What becomes of a slot: a sample with honest flags, or a miss.

use super::*;
use crate::{capacity::SetBy, spool::Spool, testing};
use runtime::clock::ManualClock;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use wire::sample::Trigger;

const NOW: Micros = Micros(1_795_000_000_000_000);

struct Scene {
    _folder: tempfile::TempDir,
    clock: ManualClock,
    runner: Runner,
    samples: mpsc::Receiver<Taken>,
    listener: TcpListener,
}

impl Scene {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let spool = SharedSpool::new(Spool::open(folder.path(), 1 << 20, NOW).expect("opens"));
        let metrics = Metrics::new(&"north".parse().expect("an id"), spool.gauges());
        let clock = ManualClock::at(NOW);
        let net = Net::new(vec![]).expect("a network");
        let (out, samples) = mpsc::channel(10);
        let condition = Condition::default();
        let (clock_too, random) = (Arc::new(clock.clone()), Random::seeded(1));
        let shared = Shared { net, clock: clock_too, random, metrics, out, spool, condition };
        let runner = Runner::new(shared, Capacity { runs: 100, set_by: SetBy::Files });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        Self { _folder: folder, clock, runner, samples, listener }
    }

    /// A slot of a check with an interval of 2 s against the listener.
    fn due(&self, scheduled: Micros) -> Due {
        let url = format!("http://{}/", self.listener.local_addr().expect("bound"));
        let mut assignment = testing::assignment(vec![testing::check("home", 2_000_000, &url)]);
        let check = assignment.checks.remove(0);
        let series =
            Series { probe: assignment.probe, endpoint: check.endpoints[0].clone(), check: Arc::new(check) };
        Due { series: Arc::new(series), scheduled, trigger: Trigger::Schedule, attempt: 1 }
    }

    /// Answers one request, after `before`.
    async fn answer(&self, before: impl FnOnce()) {
        let (mut socket, _) = self.listener.accept().await.expect("a connection");
        let mut head = [0; 4096];
        assert!(socket.read(&mut head).await.expect("a request") > 0);
        before();
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        socket.write_all(answer).await.expect("answered");
    }

    async fn sample(&mut self) -> Sample {
        self.samples.recv().await.expect("a sample").sample
    }
}

#[tokio::test]
async fn a_run_on_time_has_no_flags() {
    let mut scene = Scene::new().await;
    scene.runner.start(scene.due(NOW.plus_us(-200_000)));
    scene.answer(|| ()).await;
    let sample = scene.sample().await;
    assert_eq!((sample.outcome, sample.started, sample.flags), (Outcome::Ok, NOW, vec![]));
}

#[tokio::test]
async fn a_late_start_and_a_stepped_clock_are_flagged() {
    let mut scene = Scene::new().await;
    scene.runner.start(scene.due(NOW.plus_us(-200_001)));
    scene.answer(|| scene.clock.advance_us(-3_600_000_000)).await;
    let sample = scene.sample().await;
    assert_eq!((sample.outcome, sample.flags), (Outcome::Ok, vec![Flag::LateStart, Flag::ClockStepped]));
}

/// A slot of a check whose name these servers shall resolve.
fn named(scene: &Scene, resolver: std::net::SocketAddr) -> Due {
    let due = scene.due(NOW);
    let mut check = (*due.series.check).clone();
    check.reach.resolvers = vec![resolver.to_string()];
    let endpoint =
        wire::assignment::Endpoint { url: "http://shop.test/".into(), ..due.series.endpoint.clone() };
    let series = Series { probe: due.series.probe.clone(), endpoint, check: Arc::new(check) };
    Due { series: Arc::new(series), ..due }
}

#[tokio::test]
async fn trouble_of_our_own_resolver_is_flagged_and_a_name_that_is_gone_is_not() {
    let mut scene = Scene::new().await;
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.expect("loopback");
    let resolver = socket.local_addr().expect("bound");
    scene.runner.start(named(&scene, resolver));
    let mut question = [0; 512];
    let (length, from) = socket.recv_from(&mut question).await.expect("a question");
    // The question turned into an answer: QR and RA are set, and the code is NXDOMAIN.
    question[2] |= 0x80;
    question[3] = 0x83;
    socket.send_to(&question[..length], from).await.expect("sent");
    let sample = scene.sample().await;
    assert_eq!((sample.outcome, sample.flags), (Outcome::Fail(FailClass::Dns), vec![]));
    drop(socket);
    scene.runner.start(named(&scene, resolver));
    let sample = scene.sample().await;
    assert_eq!((sample.outcome, sample.flags), (Outcome::Fail(FailClass::Dns), vec![Flag::ResolverFailing]));
}

#[tokio::test]
async fn a_stop_waits_for_runs() {
    let mut scene = Scene::new().await;
    scene.runner.start(scene.due(NOW));
    // The first is polled first, so it waits already when the answer comes.
    tokio::join!(biased; scene.runner.finish(Duration::from_secs(60)), scene.answer(|| ()));
    assert_eq!(scene.sample().await.outcome, Outcome::Ok);
}

#[tokio::test]
async fn a_run_that_a_stop_cuts_short_is_missed() {
    let mut scene = Scene::new().await;
    scene.runner.start(scene.due(NOW));
    let (_socket, _) = scene.listener.accept().await.expect("a connection");
    scene.runner.finish(Duration::ZERO).await;
    let sample = scene.sample().await;
    assert_eq!((sample.outcome, sample.total_us, sample.started), (Outcome::Missed, 0, NOW));
}

#[tokio::test]
async fn what_is_too_much_is_missed_and_nobody_waits() {
    let mut scene = Scene::new().await;
    scene.runner.permits = Arc::new(Semaphore::new(1));
    scene.runner.capacity = Capacity { runs: 1, set_by: SetBy::Files };
    for n in 0..3 {
        scene.runner.start(scene.due(NOW.plus_us(n)));
    }
    for _ in 0..2 {
        let missed = scene.sample().await;
        assert_eq!(missed.outcome, Outcome::Missed);
        let why = missed.evidence.expect("the reason").summary;
        assert!(why.contains("1 runs are under way") && why.contains("open files"), "{why}");
    }
    scene.answer(|| ()).await;
    assert_eq!(scene.sample().await.outcome, Outcome::Ok);
}

#[tokio::test]
async fn slots_that_were_not_run_are_told() {
    let mut scene = Scene::new().await;
    scene.runner.missed(vec![scene.due(NOW), scene.due(NOW.plus_us(2_000_000))]);
    for at in [NOW, NOW.plus_us(2_000_000)] {
        let sample = scene.sample().await;
        assert_eq!((sample.outcome, sample.scheduled), (Outcome::Missed, at));
    }
}
