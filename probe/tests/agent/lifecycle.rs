//! How a probe starts, restarts and stops.

use super::*;
use collector::Mood;
use probe::BuildError;
use target::Target;
use wire::{
    problem::Problem,
    sample::{Outcome, Trigger},
};

fn build(settings: Settings) -> Result<App, BuildError> {
    App::build(settings, SystemClock::shared(), Random::seeded(1))
}

#[tokio::test]
async fn a_restart_without_a_collector_goes_on_with_the_kept_assignment() {
    let (target, data) = (Target::start().await, folder());
    let mut collector = Collector::start(assignment(vec![check("home", 100_000, &target.url())]));
    let probe = Probe::start(settings(data.path(), &[&collector.url()]));
    collector.when(|shown| shown.samples() >= 1, |_| ()).await;
    probe.stop().await;
    collector.die();

    let probe = Probe::start(settings(data.path(), &[&collector.url()]));
    target.more(5).await;
    probe.stop().await;
    let came = target.came();
    let probe = Probe::start(settings(data.path(), &[&collector.url()]));
    collector.revive().await;
    let reports = collector.when(|shown| shown.samples() > came, |shown| shown.reports()).await;
    probe.stop().await;
    let sequences: Vec<i64> = reports.iter().map(|report| report.sequence).collect();
    let first = sequences[0];
    assert_eq!(sequences, (first..first + sequences.len() as i64).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_wrong_token_ends_the_probe_with_the_collectors_words() {
    let (target, data) = (Target::start().await, folder());
    let collector = Collector::start(assignment(vec![check("home", 100_000, &target.url())]));
    let wrong = Settings { token: Token::new("wr0ng"), ..settings(data.path(), &[&collector.url()]) };
    let error = Probe::start(wrong).end().await.expect_err("refused");
    assert!(error.to_string().contains("this token is not known here"), "{error}");
    assert!(!format!("{error:?}").contains("wr0ng"));

    let elsewhere =
        Settings { region: "south".parse().expect("an id"), ..settings(data.path(), &[&collector.url()]) };
    let error = Probe::start(elsewhere).end().await.expect_err("refused");
    assert!(error.to_string().contains("this token belongs to region north"), "{error}");
}

#[tokio::test]
async fn a_stop_lets_runs_finish_and_sends_what_they_saw() {
    let (target, data) = (Target::start().await, folder());
    target.set(|shown| shown.holds = true);
    let collector = Collector::start(assignment(vec![check("home", 200_000, &target.url())]));
    let probe = Probe::start(settings(data.path(), &[&collector.url()]));
    target.more(3).await;
    let stopping = tokio::spawn(probe.stop());
    // On this runtime every other task takes a step at each yield, so all of them have seen the stop by then.
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    target.set(|shown| shown.holds = false);
    soon(stopping).await.expect("no panic");
    let came = target.came();
    let reports = collector.reports();
    let made = samples(&reports).iter().filter(|sample| sample.outcome == Outcome::Ok).count();
    assert_eq!(made, came, "every request that was made is told");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_with_the_collector_away_keeps_everything_for_the_next_start() {
    let (target, data) = (Target::start().await, folder());
    let collector = Collector::start(assignment(vec![check("home", 100_000, &target.url())]));
    collector.mood(Mood::Busy);
    let probe = Probe::start(settings(data.path(), &[&collector.url()]));
    target.more(5).await;
    probe.stop().await;
    let came = target.came();
    collector.mood(Mood::Takes);
    let probe = Probe::start(settings(data.path(), &[&collector.url()]));
    let reports = collector.when(|shown| shown.samples() > came, |shown| shown.reports()).await;
    probe.stop().await;
    assert!(samples(&reports).iter().all(|sample| sample.trigger == Trigger::Schedule));
}

#[tokio::test]
async fn mistakes_in_the_settings_are_named_at_the_start() {
    let data = folder();
    let good = || settings(data.path(), &["http://127.0.0.1:1"]);
    let says = |settings: Settings, part: &str| {
        let error = build(settings).err().expect("must be refused").to_string();
        assert!(error.contains(part), "{error}");
    };
    says(Settings { collectors: vec![], ..good() }, "no collector");
    for url in ["ftp://collector.example", "https://user:pass@collector.example/"] {
        let text = build(settings(data.path(), &[url])).err().expect("must be refused").to_string();
        assert!(text.contains("collector.example") && !text.contains("pass@"), "{text}");
    }
    says(Settings { token: Token::new(" "), ..good() }, "token");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    says(Settings { listen: taken.local_addr().ok(), ..good() }, "cannot listen");
    let file = data.path().join("file");
    std::fs::write(&file, "").expect("written");
    says(Settings { data: file.join("data"), ..good() }, "data folder");
    let _running = build(good()).expect("built");
    says(good(), "another process");
}

#[tokio::test]
async fn tells_whether_it_is_ready() {
    let (target, data) = (Target::start().await, folder());
    let mut collector = Collector::start(assignment(vec![check("home", 100_000, &target.url())]));
    collector.die();
    let listen = Some("127.0.0.1:0".parse().expect("an address"));
    let app = build(Settings { listen, ..settings(data.path(), &[&collector.url()]) }).expect("built");
    let base = format!("http://{}", app.listen_addr().expect("bound"));
    let probe = Probe::run(app);
    let get = async |path: &str| reqwest::get(format!("{base}{path}")).await.expect("an answer");
    assert_eq!(get("/healthz").await.status(), 200);
    let answer = get("/readyz").await;
    assert_eq!(answer.status(), 503);
    let problem: Problem = answer.json().await.expect("a problem document");
    assert!(problem.detail.contains("see the log"));
    assert_eq!(get("/metrics").await.status(), 200);
    collector.revive().await;
    target.more(1).await;
    assert_eq!(get("/readyz").await.status(), 200);
    probe.stop().await;
}
