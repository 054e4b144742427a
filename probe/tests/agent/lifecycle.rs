//! How a probe starts, restarts and stops.

use super::*;
use collector::Mood;
use probe::BuildError;
use target::Target;
use wire::{
    problem::Problem,
    sample::{Flag, Outcome, Trigger},
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

#[tokio::test]
async fn a_blind_probe_says_so_and_its_failures_are_flagged() {
    let (target, data) = (Target::start().await, folder());
    let mut collector = Collector::start(assignment(vec![check("home", 100_000, &target.url())]));
    let listen = Some("127.0.0.1:0".parse().expect("an address"));
    let control = vec!["nowhere.invalid:443".parse().expect("a control target")];
    let app =
        build(Settings { listen, control, ..settings(data.path(), &[&collector.url()]) }).expect("built");
    let ready = format!("http://{}/readyz", app.listen_addr().expect("bound"));
    let probe = Probe::run(app);
    let until = async |part: &str| {
        let says = async {
            while !reqwest::get(&ready).await.expect("an answer").text().await.expect("a text").contains(part)
            {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        soon(says).await;
    };
    // The collector is a control target too: while it answers, a failure is the target's.
    target.set(|shown| shown.status = axum::http::StatusCode::INTERNAL_SERVER_ERROR);
    let unflagged = |shown: &collector::Shown| {
        let reports = shown.reports();
        samples(&reports).iter().any(|s| s.outcome.is_fail() && s.flags.is_empty())
    };
    collector.when(unflagged, |_| ()).await;
    until("ready").await;
    collector.die();
    until("neither of the control targets has answered").await;
    target.more(2).await;
    target.set(|shown| shown.status = axum::http::StatusCode::OK);
    target.more(2).await;
    collector.revive().await;
    until("ready: revision").await;
    let came = target.came();
    let reports = collector.when(|shown| shown.samples() > came, |shown| shown.reports()).await;
    probe.stop().await;
    let flagged = |sample: &&&Sample| sample.flags.contains(&Flag::Blind);
    let all = samples(&reports);
    assert!(all.iter().filter(flagged).count() >= 2);
    assert!(all.iter().filter(flagged).all(|sample| sample.outcome.is_fail()), "a success is a success");
}

#[tokio::test]
async fn a_disk_that_refuses_costs_nothing_but_safety_and_may_come_back() {
    let (target, data) = (Target::start().await, folder());
    let collector = Collector::start(assignment(vec![check("home", 100_000, &target.url())]));
    // What stands where the spool should be is as good as a full disk, and needs no privileges to make.
    let spool = data.path().join("spool");
    std::fs::write(&spool, "in the way").expect("written");
    let listen = Some("127.0.0.1:0".parse().expect("an address"));
    let app = build(Settings { listen, ..settings(data.path(), &[&collector.url()]) }).expect("it starts");
    let ready = format!("http://{}/readyz", app.listen_addr().expect("bound"));
    let probe = Probe::run(app);
    let says = async || reqwest::get(&ready).await.expect("an answer").text().await.expect("a text");
    collector.when(|shown| shown.samples() >= 3, |_| ()).await;
    let said = says().await;
    assert!(said.starts_with("ready") && said.contains("samples are held in memory"), "{said}");

    std::fs::remove_file(&spool).expect("removed");
    let recovered = async {
        while says().await.contains("warning: samples") {
            target.more(1).await;
        }
    };
    soon(recovered).await;
    // From here on they survive the process.
    collector.mood(Mood::Busy);
    target.more(5).await;
    probe.stop().await;
    assert!(spool.is_dir());
    let came = target.came();
    collector.mood(Mood::Takes);
    let probe = Probe::start(settings(data.path(), &[&collector.url()]));
    let reports = collector.when(|shown| shown.samples() > came, |shown| shown.reports()).await;
    probe.stop().await;
    let ok = samples(&reports).iter().filter(|sample| sample.outcome == Outcome::Ok).count();
    assert!(ok >= came, "{ok} of {came} runs arrived");
}

/// A file system of 1 MiB of its own, unmounted at the end. Only root can make one.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn mount() -> Option<SmallDisk> {
        let folder = folder();
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=1m", "none"]).arg(folder.path());
        let mounted = mount.stderr(std::process::Stdio::null()).status().is_ok_and(|status| status.success());
        mounted.then_some(SmallDisk(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all the room there is.
    fn fill(&self) {
        use std::io::Write;
        let mut file = std::fs::File::create(self.path().join("filler")).expect("created");
        while file.write_all(&[0; 4096]).is_ok() {}
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // A failure leaves a mount of 1 MiB behind, which is no reason to fail.
        let _ = std::process::Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

#[tokio::test]
async fn a_full_disk_stops_neither_the_start_nor_the_reports() {
    let Some(disk) = SmallDisk::mount() else {
        eprintln!("not tested: mounting needs root");
        return;
    };
    disk.fill();
    let target = Target::start().await;
    let collector = Collector::start(assignment(vec![check("home", 100_000, &target.url())]));
    let probe = Probe::start(settings(disk.path(), &[&collector.url()]));
    collector.when(|shown| shown.samples() >= 3, |_| ()).await;
    let filler = disk.path().join("filler");
    std::fs::remove_file(&filler).expect("removed");
    let spooled = async {
        let folder = disk.path().join("spool");
        let has_segment = || {
            let mut entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
            entries.any(|entry| entry.path().extension().is_some_and(|kind| kind == "seg"))
        };
        while !has_segment() {
            target.more(1).await;
        }
    };
    soon(spooled).await;
    // Full again, this time with an open spool.
    disk.fill();
    let came = target.came();
    collector.when(|shown| shown.samples() > came + 20, |_| ()).await;
    std::fs::remove_file(&filler).expect("removed");
    let came = target.came();
    collector.when(|shown| shown.samples() > came, |_| ()).await;
    probe.stop().await;
    let mut slots: Vec<i64> = samples(&collector.reports()).iter().map(|sample| sample.scheduled.0).collect();
    slots.sort_unstable();
    let steps: Vec<i64> = slots.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(steps.iter().all(|step| *step == 100_000), "runs are missing or doubled: {steps:?}");
}
