//! How exact the engine's stop watch is: a server answers after a known time, and the phase `wait` is compared with it.
//!
//! ```sh
//! cargo run --release -p sextant-probe --example accuracy -- [REQUESTS] [idle]
//! ```
//!
//! The server answers 50.000 ms after a request's head was read; it spins for the last part of that, and notes how long
//! it really took. The error of a run is `wait` minus that time, so it holds everything that the probe adds: the
//! loopback, the system's scheduling and the engine. The same requests are made by prometheus-blackbox-exporter in
//! turns with ours where that program is installed; its phase `processing` is taken. The second half of the runs is made
//! while every core is kept busy by a spinning thread of this program; `idle` leaves that half out. On a machine where
//! others are at work, `chrt --fifo 50` (root) before the built program with `idle` keeps them away from it.

use probe::{
    check::{self, Run, Trace},
    net::Net,
};
use runtime::clock::SystemClock;
use std::{
    collections::BTreeMap,
    error::Error,
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};
use wire::{
    assignment::{AssignedCheck, CheckKind, Endpoint, Reach, Request},
    sample::Outcome,
};

type Failed = Box<dyn Error>;

/// How long the server waits.
const NOMINAL: Duration = Duration::from_millis(50);
/// The end of the wait is spun away: a sleeping thread wakes up late.
const SPIN: Duration = Duration::from_millis(2);

fn main() -> Result<(), Failed> {
    runtime::tls::install();
    let requests = std::env::args().nth(1).map_or(Ok(400), |text| text.parse())?;
    let server = Server::start()?;
    let other = Other::start()?;
    let engine = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let net = Net::new(Vec::new())?;
    let check = check_of(server.address);

    let cores = thread::available_parallelism()?.get();
    println!("{cores} cores; {requests} requests each, in turns; milliseconds\n");
    println!("| machine | what is compared | n | p50 | p90 | p99 | max | busy |");
    println!("|---|---|---|---|---|---|---|---|");
    let halves = [("idle", 0), ("every core busy", cores)];
    let wanted = if std::env::args().nth(2).as_deref() == Some("idle") { 1 } else { 2 };
    for (machine, spinners) in halves.into_iter().take(wanted) {
        let load = Load::start(spinners);
        let (mut actual, mut nominal, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
        let before = Used::now()?;
        for n in 0..requests {
            let trace = Trace { trace_id: [1; 16], span_id: [1; 8] };
            let context = Run { trace, started: SystemClock::shared().now(), explain: false };
            let run = engine.block_on(check::run(&check, &check.endpoints[0], &net, &context));
            let wait = run.phases.wait.filter(|_| run.outcome == Outcome::Ok).ok_or("a run failed")?;
            let wait = f64::from(wait) / 1e3;
            // The first ones load code and open files.
            if n >= 10 {
                actual.push(wait - server.took_ms());
                nominal.push(wait - NOMINAL.as_secs_f64() * 1e3);
            }
            if let Some(other) = &other {
                let processing = other.probe(server.address)?;
                if n >= 10 {
                    theirs.push(processing - server.took_ms());
                }
            }
        }
        let busy = Used::now()?.share_since(&before) * 100.0;
        drop(load);
        let rows = [
            ("Sextant: `wait` − the server's own time", actual),
            ("Sextant: `wait` − 50 ms", nominal),
            ("blackbox_exporter: `processing` − the server's own time", theirs),
        ];
        for (what, errors) in rows.into_iter().filter(|(_, errors)| !errors.is_empty()) {
            println!("| {machine} | {what} | {} | {busy:.0} % |", row(errors));
        }
    }
    Ok(())
}

/// Number and quantiles of the absolute errors.
fn row(errors: Vec<f64>) -> String {
    let mut errors: Vec<f64> = errors.into_iter().map(f64::abs).collect();
    errors.sort_by(f64::total_cmp);
    let at = |share: f64| errors[((errors.len() - 1) as f64 * share).round() as usize];
    let quantiles = [0.5, 0.9, 0.99, 1.0].map(|share| format!("{:.3}", at(share))).join(" | ");
    format!("{} | {quantiles}", errors.len())
}

fn check_of(address: SocketAddr) -> AssignedCheck {
    AssignedCheck {
        id: "accuracy".parse().expect("an id"),
        service: "accuracy".parse().expect("an id"),
        kind: CheckKind::Http(Request::default()),
        interval_us: 1_000_000,
        timeout_us: 10_000_000,
        budget_us: None,
        endpoints: vec![Endpoint {
            target: "here".parse().expect("an id"),
            url: format!("http://{address}"),
            evidence: Default::default(),
        }],
        regions: BTreeMap::new(),
        region_header: None,
        places: Default::default(),
        reach: Reach::default(),
    }
}

/// Answers one request a connection, after [`NOMINAL`].
struct Server {
    address: SocketAddr,
    took_ns: Arc<AtomicU64>,
}

impl Server {
    fn start() -> Result<Server, Failed> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let took_ns = Arc::new(AtomicU64::new(0));
        let note = took_ns.clone();
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                if let Err(error) = answer(socket, &note) {
                    eprintln!("the server lost a connection: {error}");
                }
            }
        });
        Ok(Server { address, took_ns })
    }

    /// From the request's last byte to the answer's first, of the last request, milliseconds.
    fn took_ms(&self) -> f64 {
        self.took_ns.load(Ordering::SeqCst) as f64 / 1e6
    }
}

fn answer(mut socket: TcpStream, note: &AtomicU64) -> std::io::Result<()> {
    socket.set_nodelay(true)?;
    let mut head = Vec::new();
    let mut part = [0; 4096];
    while !head.ends_with(b"\r\n\r\n") {
        match socket.read(&mut part)? {
            0 => return Ok(()),
            n => head.extend_from_slice(&part[..n]),
        }
    }
    let begin = Instant::now();
    thread::sleep(NOMINAL.saturating_sub(SPIN));
    while begin.elapsed() < NOMINAL {
        std::hint::spin_loop();
    }
    note.store(u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX), Ordering::SeqCst);
    socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\nok\n")
}

/// The program to compare with.
struct Other {
    child: Child,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Other {
    fn start() -> Result<Option<Other>, Failed> {
        let folder = tempfile::tempdir()?;
        let configuration = folder.path().join("blackbox.yml");
        fs::write(&configuration, "modules: { http_2xx: { prober: http, timeout: 10s } }\n")?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let child = Command::new("prometheus-blackbox-exporter")
            .arg("--config.file")
            .arg(&configuration)
            .arg("--log.level=error")
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(child) = child else {
            eprintln!("prometheus-blackbox-exporter is not installed: only Sextant is measured");
            return Ok(None);
        };
        let other = Other { child, address, _folder: folder };
        let until = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(address).is_err() {
            if Instant::now() > until {
                return Err("blackbox_exporter does not listen".into());
            }
            thread::yield_now();
        }
        Ok(Some(other))
    }

    /// Its `processing` phase, milliseconds.
    fn probe(&self, target: SocketAddr) -> Result<f64, Failed> {
        let mut socket = TcpStream::connect(self.address)?;
        let request = format!(
            "GET /probe?module=http_2xx&target=http://{target}/ HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
        );
        socket.write_all(request.as_bytes())?;
        let mut text = String::new();
        socket.read_to_string(&mut text)?;
        let wanted = "probe_http_duration_seconds{phase=\"processing\"} ";
        let value = text.lines().find_map(|line| line.strip_prefix(wanted)).ok_or("no such phase")?;
        Ok(value.trim().parse::<f64>()? * 1e3)
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        // It only fails for a process that has ended by itself.
        let _ended = self.child.kill().and_then(|()| self.child.wait());
    }
}

/// Threads that keep cores busy until dropped.
struct Load {
    stop: Arc<AtomicBool>,
}

impl Load {
    fn start(threads: usize) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        for _ in 0..threads {
            let stop = stop.clone();
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        Load { stop }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// What the machine's processors did so far (`/proc/stat`), by anybody.
struct Used {
    busy: u64,
    all: u64,
}

impl Used {
    fn now() -> Result<Used, Failed> {
        let stat = fs::read_to_string("/proc/stat")?;
        let first = stat.lines().next().unwrap_or_default();
        let ticks: Vec<u64> = first.split_whitespace().skip(1).take(8).flat_map(str::parse).collect();
        let all = ticks.iter().sum();
        // The fourth and fifth are idle and waiting for the disk.
        let idle: u64 = ticks.iter().skip(3).take(2).sum();
        Ok(Used { busy: all - idle, all })
    }

    fn share_since(&self, before: &Used) -> f64 {
        (self.busy - before.busy) as f64 / (self.all - before.all).max(1) as f64
    }
}
