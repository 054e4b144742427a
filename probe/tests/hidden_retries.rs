//! What a real nginx sees of a check. Where `return 444` closes a connection without an answer, clients with a hidden
//! retry send the same request again and again (with HTTP/2 some thousands of times); it must see one for each run.
//!
//! Runs where there is an nginx: named by `SEXTANT_TEST_NGINX`, in `PATH` or in `/usr/sbin`.

use probe::{
    check::{self, Measured, Run, Trace},
    net::Net,
};
use runtime::clock::SystemClock;
use std::{
    env, fs,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command},
    time::{Duration, Instant},
};
use wire::{
    assignment::{AssignedCheck, CheckKind, Endpoint, Grpc, Reach, Request, Target},
    sample::{FailClass, Outcome},
};

const RUNS: usize = 3;
/// Where the child of a test goes.
const URL: &str = "SEXTANT_TEST_URL";

fn nginx() -> Option<PathBuf> {
    let named = env::var_os("SEXTANT_TEST_NGINX").map(PathBuf::from);
    let path = env::var_os("PATH").unwrap_or_default();
    let mut places = env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    named.or_else(|| places.find_map(|place| Some(place.join("nginx")).filter(|file| file.is_file())))
}

/// An nginx of our own in a folder of its own.
struct Nginx {
    process: Child,
    folder: tempfile::TempDir,
    /// HTTP/1.1, HTTP/2 with prior knowledge, HTTP/2 by TLS.
    ports: [u16; 3],
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _gone_already = self.process.kill();
        let _gone_already = self.process.wait();
    }
}

impl Nginx {
    fn start(program: &Path) -> Nginx {
        let folder = tempfile::tempdir().expect("a folder");
        let at = folder.path();
        let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        fs::write(at.join("cert.pem"), certified.cert.pem()).expect("written");
        fs::write(at.join("key.pem"), certified.signing_key.serialize_pem()).expect("written");
        let ports = free_ports();
        let [plain, h2, tls] = ports;
        // One process, so that it ends with the test; every file in the folder.
        let configuration = format!(
            "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log error.log info;\nevents {{}}\nhttp {{\n\
             log_format one '$server_protocol $status $request_uri';\naccess_log access.log one;\n\
             client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;\n\
             uwsgi_temp_path uwsgi; scgi_temp_path scgi;\n\
             ssl_certificate cert.pem; ssl_certificate_key key.pem;\nserver {{\n\
             listen 127.0.0.1:{plain};\nlisten 127.0.0.1:{h2} http2;\nlisten 127.0.0.1:{tls} ssl http2;\n\
             location = /well {{ return 200 ok; }}\nlocation / {{ return 444; }}\n}}\n}}\n"
        );
        fs::write(at.join("nginx.conf"), configuration).expect("written");
        let process = Command::new(program)
            .arg("-p")
            .arg(at)
            .arg("-c")
            .arg(at.join("nginx.conf"))
            .arg("-e")
            .arg(at.join("error.log"))
            .spawn()
            .expect("nginx starts");
        let nginx = Nginx { process, folder, ports };
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", tls)).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(20), "nginx listens: {}", nginx.text("error.log"));
            std::thread::sleep(Duration::from_millis(20));
        }
        nginx
    }

    fn text(&self, file: &str) -> String {
        fs::read_to_string(self.folder.path().join(file)).unwrap_or_default()
    }

    /// The requests that were logged, once there are at least so many.
    fn requests(&self, least: usize) -> Vec<String> {
        let begun = Instant::now();
        loop {
            let lines: Vec<String> = self.text("access.log").lines().map(str::to_owned).collect();
            if lines.len() >= least || begun.elapsed() > Duration::from_secs(10) {
                return lines;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn free_ports() -> [u16; 3] {
    let held = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").expect("loopback has free ports"));
    held.map(|listener| listener.local_addr().expect("bound").port())
}

fn get(path: &str) -> CheckKind {
    CheckKind::Http(Request { path: path.into(), ..Request::default() })
}

async fn run(kind: CheckKind, url: &str, reuse: bool, net: &Net) -> Measured {
    let check = AssignedCheck {
        id: "c".parse().expect("an id"),
        service: "s".parse().expect("an id"),
        kind,
        interval_us: 10_000_000,
        timeout_us: 5_000_000,
        budget_us: None,
        endpoints: Vec::new(),
        regions: Default::default(),
        region_header: None,
        places: Default::default(),
        reach: Reach { reuse, ..Reach::default() },
    };
    let endpoint = Endpoint { target: Target::Public, url: url.into(), evidence: Default::default() };
    let trace = Trace { trace_id: [1; 16], span_id: [2; 8] };
    let run = Run { trace, started: SystemClock::shared().now(), explain: false };
    check::run(&check, &endpoint, net, &run).await
}

#[tokio::test]
async fn one_request_for_each_run_where_the_server_hangs_up() {
    let Some(program) = nginx() else {
        eprintln!("skipped: there is no nginx here");
        return;
    };
    let nginx = Nginx::start(&program);
    let [plain, h2, _] = nginx.ports;
    let net = Net::new(Vec::new()).expect("a network");
    for _ in 0..RUNS {
        let found = run(get("/gone"), &format!("http://127.0.0.1:{plain}"), false, &net).await;
        assert_eq!(found.outcome, Outcome::Fail(FailClass::Protocol), "{found:?}");
        let grpc = CheckKind::Grpc(Grpc::default());
        let found = run(grpc, &format!("http://127.0.0.1:{h2}"), false, &net).await;
        assert!(found.outcome.is_fail(), "{found:?}");
        assert_eq!(found.connection.protocol.as_deref(), Some("HTTP/2"));
    }
    let requests = nginx.requests(2 * RUNS);
    let of = |protocol: &str| requests.iter().filter(|line| line.starts_with(protocol)).count();
    assert_eq!(
        (of("HTTP/1.1 444"), of("HTTP/2.0 444"), requests.len()),
        (RUNS, RUNS, 2 * RUNS),
        "{requests:?}"
    );
}

/// Trust is taken from the environment, which a test must not change for its neighbours: so it starts itself again.
#[tokio::test]
async fn one_request_for_each_run_also_by_tls_and_on_a_kept_connection() {
    if let Ok(url) = env::var(URL) {
        let net = Net::new(Vec::new()).expect("a network");
        for n in 0..RUNS {
            let found = run(get("/gone"), &url, false, &net).await;
            assert_eq!(found.outcome, Outcome::Fail(FailClass::Protocol), "{found:?}");
            assert!(found.phases.tls.is_some() && found.phases.wait.is_some(), "{found:?}");
            let found = run(get("/well"), &url, true, &net).await;
            assert_eq!((found.outcome, found.connection.reused), (Outcome::Ok, n > 0), "{found:?}");
            assert_eq!((found.phases.connect.is_none(), found.phases.tls.is_none()), (n > 0, n > 0));
            assert_eq!(found.connection.protocol.as_deref(), Some("HTTP/2"));
            assert!(found.certificate_expires.is_some(), "known of a kept connection, too");
        }
        let found = run(get("/gone"), &url, true, &net).await;
        assert!(found.outcome.is_fail() && found.connection.reused, "{found:?}");
        return;
    }
    let Some(program) = nginx() else {
        eprintln!("skipped: there is no nginx here");
        return;
    };
    let nginx = Nginx::start(&program);
    let child = Command::new(env::current_exe().expect("this test"))
        .args(["--exact", "one_request_for_each_run_also_by_tls_and_on_a_kept_connection", "--nocapture"])
        .env("SSL_CERT_FILE", nginx.folder.path().join("cert.pem"))
        .env(URL, format!("https://localhost:{}", nginx.ports[2]))
        .output()
        .expect("the test runs");
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
    let requests = nginx.requests(2 * RUNS + 1);
    let gone = requests.iter().filter(|line| *line == "HTTP/2.0 444 /gone").count();
    let well = requests.iter().filter(|line| *line == "HTTP/2.0 200 /well").count();
    assert_eq!((gone, well, requests.len()), (RUNS + 1, RUNS, 2 * RUNS + 1), "{requests:?}");
}
