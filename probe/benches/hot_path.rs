//! What the parts of a run cost: `cargo bench -p sextant-probe`, with words to choose (`-- spool encode`).
//!
//! Each line is the time of one operation: the median of 30 batches, and the least. Wall-clock time, so run it on a
//! quiet machine and compare medians of several runs.

use bytes::Bytes;
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use probe::{
    check::{
        self, Run, Trace,
        bench::{Answer, fill},
    },
    net::Net,
    schedule::Schedule,
    spool::Spool,
};
use std::{
    collections::BTreeMap,
    convert::Infallible,
    hint::black_box,
    time::{Duration, Instant},
};
use wire::{
    Micros,
    assignment::{AssignedCheck, Assignment, CheckKind, Endpoint, Expect, Reach, Request},
    report::{Batch, Report},
    sample::{Connection, Outcome, Phases, Sample, Trigger},
};

const BATCHES: usize = 30;
const BATCH: Duration = Duration::from_millis(10);
const BEGIN: Micros = Micros(1_795_000_000_000_000);

fn main() {
    runtime::tls::install();
    // Cargo passes `--bench`.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let bench = Bench { words };
    println!("{:<44} {:>12} {:>12}", "operation", "median", "least");
    schedule(&bench);
    texts(&bench);
    samples(&bench);
    http(&bench);
}

struct Bench {
    words: Vec<String>,
}

impl Bench {
    fn wants(&self, name: &str) -> bool {
        self.words.is_empty() || self.words.iter().any(|word| name.contains(word.as_str()))
    }

    /// Times `work`, which does `operations` at a call.
    fn run(&self, name: &str, operations: usize, mut work: impl FnMut()) {
        if !self.wants(name) {
            return;
        }
        let warm = Instant::now();
        let mut calls = 0_u32;
        while warm.elapsed() < BATCH * 5 {
            work();
            calls += 1;
        }
        let calls = (calls / 5).max(1);
        let mut times: Vec<f64> = (0..BATCHES)
            .map(|_| {
                let begin = Instant::now();
                (0..calls).for_each(|_| work());
                begin.elapsed().as_secs_f64() / f64::from(calls) / operations as f64
            })
            .collect();
        times.sort_by(f64::total_cmp);
        println!("{name:<44} {:>12} {:>12}", time(times[BATCHES / 2]), time(times[0]));
    }
}

fn time(seconds: f64) -> String {
    match seconds * 1e9 {
        ns if ns < 1e3 => format!("{ns:.0} ns"),
        ns if ns < 1e6 => format!("{:.2} µs", ns / 1e3),
        ns => format!("{:.2} ms", ns / 1e6),
    }
}

fn schedule(bench: &Bench) {
    for (series, words) in [(10_000, "10,000"), (100_000, "100,000")] {
        let (apply, next) =
            (format!("schedule apply {words} series, each"), format!("schedule due slot of {words}"));
        if !bench.wants(&apply) && !bench.wants(&next) {
            continue;
        }
        let url = "http://127.0.0.1:1/";
        let assignment = assignment((0..series).map(|n| check_of(&format!("c{n}"), url)).collect());
        bench.run(&apply, series, || {
            black_box(Schedule::new(&assignment, BEGIN));
        });
        let mut schedule = Schedule::new(&assignment, BEGIN);
        bench.run(&next, 100, || {
            let mut slots = 0;
            while slots < 100 {
                let now = schedule.next().expect("there are series");
                slots += black_box(schedule.due(now)).due.len();
            }
        });
    }
}

fn texts(bench: &Bench) {
    let values: BTreeMap<String, String> =
        [("cart", "c-4711"), ("token", "t0ken")].map(|(name, value)| (name.into(), value.into())).into();
    let mut request = request("/carts/{{ cart }}/items?run={{ run.id }}");
    request.headers.insert("authorization".into(), "Bearer {{ token }}".into());
    request.body = Some(r#"{"region":"{{ region }}","cart":"{{ cart }}"}"#.into());
    let check = check_of("home", "http://eu.test");
    bench.run("template fill of a journey's request", 1, || assert!(fill(&check, &request, &values)));

    let text = Expect { status: vec![200], body_contains: Some("zebra".into()), ..Expect::default() };
    let page = Answer::new(200, &[&b"horse ".repeat(2_000)[..], b"zebra"].concat());
    bench.run("judge a text in 12 kB", 1, || assert!(page.judge(&text)));
    let json = Expect { json: [("$.items[7].id".to_owned(), "7".to_owned())].into(), ..Expect::default() };
    let items: Vec<String> = (0..100).map(|n| format!(r#"{{"id":{n},"name":"item {n}"}}"#)).collect();
    let document = Answer::new(200, format!(r#"{{"items":[{}]}}"#, items.join(",")).as_bytes());
    bench.run("judge JSON of 100 items", 1, || assert!(document.judge(&json)));
}

fn samples(bench: &Bench) {
    let samples: Vec<Sample> = (0..100).map(sample).collect();
    let probe = "north-1".parse().expect("an id");
    let folder = tempfile::tempdir().expect("a folder");
    let mut spool = Spool::open(folder.path(), 1 << 30, BEGIN).expect("opens");
    bench.run("spool append 100 samples, each, synced", 100, || {
        spool.append(&probe, &samples).expect("the disk takes them");
    });
    // What was appended above would be read first.
    let folder = tempfile::tempdir().expect("a folder");
    let mut spool = Spool::open(folder.path(), 1 << 30, BEGIN).expect("opens");
    bench.run("spool append, peek and commit 100, each", 100, || {
        spool.append(&probe, &samples).expect("the disk takes them");
        let report = spool.peek(1, usize::MAX).expect("readable").pop().expect("one was appended");
        spool.commit(report.sequence).expect("the disk takes it");
    });
    let report = Report { probe, sequence: 1, samples, mesh: Vec::new() };
    let batch = Batch { sent: BEGIN, reports: vec![report], lost: 0 };
    bench.run("encode a batch of 100 samples, each", 100, || {
        black_box(serde_json::to_vec(&batch).expect("JSON"));
    });
}

fn http(bench: &Bench) {
    let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let threads = threads.expect("two threads");
    let address = threads.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let answer = hyper::service::service_fn(async |_| {
                        Ok::<_, Infallible>(http::Response::new(Full::new(Bytes::from_static(b"ok\n"))))
                    });
                    let serve = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(socket), answer);
                    // What goes wrong here shows as a failed run there.
                    let _closed = serve.await;
                });
            }
        });
        address
    });
    let net = Net::new(Vec::new()).expect("TLS is set up");
    let check = check_of("home", &format!("http://{address}"));
    let trace = Trace { trace_id: [1; 16], span_id: [1; 8] };
    let context = Run { trace, started: BEGIN, explain: false };
    let run = async || {
        let run = check::run(&check, &check.endpoints[0], &net, &context).await;
        assert_eq!(run.outcome, Outcome::Ok);
    };
    bench.run("http run, connection and server included", 1, || threads.block_on(run()));
}

fn request(path: &str) -> Request {
    Request { path: path.into(), ..Request::default() }
}

fn check_of(id: &str, url: &str) -> AssignedCheck {
    AssignedCheck {
        id: id.parse().expect("an id"),
        service: "shop".parse().expect("an id"),
        kind: CheckKind::Http(request("/")),
        interval_us: 60_000_000,
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

fn assignment(checks: Vec<AssignedCheck>) -> Assignment {
    Assignment {
        revision: 1,
        probe: "north-1".parse().expect("an id"),
        region: "north".parse().expect("an id"),
        checks,
        mesh: None,
    }
}

/// What an ordinary good run of an HTTP check leaves.
fn sample(n: i64) -> Sample {
    Sample {
        check: "home".parse().expect("an id"),
        target: "a".parse().expect("an id"),
        scheduled: BEGIN.plus_us(n),
        started: BEGIN.plus_us(n + 120),
        total_us: 23_456,
        outcome: Outcome::Ok,
        slow: false,
        phases: Phases {
            connect: Some(5_123),
            tls: Some(11_456),
            send: Some(34),
            wait: Some(6_789),
            transfer: Some(54),
            ..Phases::default()
        },
        trigger: Trigger::Schedule,
        attempt: 1,
        address: Some("192.0.2.10:443".into()),
        connection: Connection::default(),
        hops: Vec::new(),
        addresses: Vec::new(),
        status: Some(200),
        served_by: Some("eu-west-1".into()),
        bytes: Some(5_120),
        certificate_expires: Some(BEGIN),
        flags: Vec::new(),
        trace_id: Some("0af7651916cd43dd8448eb211c80319c".into()),
        evidence: None,
        steps: Vec::new(),
    }
}
