//! A throwaway PostgreSQL cluster for tests: a folder of its own, a Unix socket and a port of loopback, gone with the
//! test. It can be killed, stopped, frozen and started again, as servers are.
//!
//! It runs from Debian's packages or whatever else is installed in `/usr/lib/postgresql`; as root it runs as the
//! `postgres` user, because PostgreSQL refuses to run as root. It panics where a test cannot go on.

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use socket2::{Domain, Socket, Type};
use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// How long the server may take to start or to stop.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long between two looks at it.
const LOOK: Duration = Duration::from_millis(20);

/// A cluster, running or not. Start and drop it on a thread that outlives it: the server dies with that thread.
#[derive(Debug)]
pub struct Cluster {
    server: Option<Child>,
    address: SocketAddr,
    /// Bound and never listening: it keeps the port for the next server.
    _port: Socket,
    /// Below the server, because fields are dropped from above.
    folder: tempfile::TempDir,
}

impl Cluster {
    /// Makes and starts one. It does not wait for the disk (`fsync=off`): a test kills the server, never the machine.
    ///
    /// # Panics
    /// When PostgreSQL is not installed or does not start.
    pub fn start() -> Cluster {
        let folder = tempfile::Builder::new().prefix("sextant-postgres-").tempdir().expect("a folder");
        if is_root() {
            run(Command::new("chown").arg("postgres:").arg(folder.path()));
        }
        let initdb = ["-U", "postgres", "-A", "trust", "-N", "-E", "UTF8", "--locale=C"];
        run(program("initdb").arg("-D").arg(folder.path().join("data")).args(initdb));
        let (port, address) = hold_port();
        let mut cluster = Cluster { folder, server: None, address, _port: port };
        cluster.restart();
        cluster
    }

    /// Its address by the Unix socket.
    pub fn url(&self) -> String {
        format!(
            "postgres://postgres@localhost:{}/postgres?host={}",
            self.address.port(),
            self.folder.path().display()
        )
    }

    /// Where it listens on loopback.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its address by TCP, by way of `at`: its own address, or that of a link which leads there.
    pub fn url_by(&self, at: SocketAddr) -> String {
        format!("postgres://postgres@{at}/postgres")
    }

    /// Kills the server (SIGKILL), as a machine that loses its power would.
    pub fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            // It may have ended by itself.
            let _ = server.kill();
            let _ = server.wait();
        }
    }

    /// Stops the server as an operator does (SIGINT, the fast shutdown) and waits until it has ended.
    ///
    /// # Panics
    /// When it does not stop.
    pub fn stop(&mut self) {
        let Some(mut server) = self.server.take() else { return };
        kill(pid(&server), Signal::SIGINT).expect("the server runs");
        let end = Instant::now() + PATIENCE;
        while server.try_wait().expect("it is our child").is_none() {
            assert!(Instant::now() < end, "PostgreSQL did not stop within {PATIENCE:?}");
            std::thread::sleep(LOOK);
        }
    }

    /// Starts the server, or starts it again, and waits until it takes connections.
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart(&mut self) {
        self.kill();
        let end = Instant::now() + PATIENCE;
        // What a killed server leaves behind ends by itself, and until then another one refuses to start.
        while !self.try_start() {
            assert!(Instant::now() < end, "PostgreSQL did not start within {PATIENCE:?}: {}", self.log());
        }
    }

    /// Runs SQL and returns the rows as `psql` prints them: a line for each, fields between `|`.
    ///
    /// # Panics
    /// When the SQL is wrong or the server does not run.
    pub fn query(&self, sql: &str) -> String {
        let mut command = program("psql");
        command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", "postgres"]);
        command.arg("-h").arg(self.folder.path()).args(["-p", &self.address.port().to_string(), "-c", sql]);
        String::from_utf8_lossy(&run(&mut command)).trim_end().to_owned()
    }

    /// What the server has said.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// Starts the server and waits; false when it ended.
    fn try_start(&mut self) -> bool {
        let path = self.folder.path();
        let log = fs::File::options().create(true).append(true).open(self.log_file()).expect("a log");
        let server = program("postgres")
            .arg("-D")
            .arg(path.join("data"))
            .arg("-k")
            .arg(path)
            .args(["-p", &self.address.port().to_string()])
            .args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "shared_buffers=16MB"])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("postgres can be executed");
        let server = self.server.insert(server);
        let end = Instant::now() + PATIENCE;
        loop {
            if server.try_wait().expect("it is our child").is_some() {
                self.server = None;
                std::thread::sleep(LOOK);
                return false;
            }
            let mut ready = program("pg_isready");
            ready.arg("-q").arg("-h").arg(path).args(["-p", &self.address.port().to_string()]);
            if ready.status().is_ok_and(|status| status.success()) {
                return true;
            }
            assert!(Instant::now() < end, "PostgreSQL takes no connections after {PATIENCE:?}");
            std::thread::sleep(LOOK);
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // It holds nothing that anybody needs.
        self.kill();
    }
}

/// A port that the kernel gives to nobody else, while anybody who asks for SO_REUSEADDR can listen there.
fn hold_port() -> (Socket, SocketAddr) {
    let held = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    held.set_reuse_address(true).expect("an option of every socket");
    held.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("a free port");
    let address = held.local_addr().ok().and_then(|address| address.as_socket()).expect("it is bound");
    (held, address)
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0)
}

fn pid(server: &Child) -> Pid {
    Pid::from_raw(server.id().try_into().expect("process ids are small"))
}

/// A program of the newest PostgreSQL that is installed.
fn program(name: &str) -> Command {
    let mut found: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin").join(name)))
        .filter(|path| path.exists())
        .collect();
    found.sort();
    let path = found
        .pop()
        .unwrap_or_else(|| panic!("PostgreSQL's {name} is missing: install the postgresql package"));
    let mut command = command(&path);
    command.current_dir("/");
    command
}

fn command(path: &Path) -> Command {
    if !is_root() {
        return Command::new(path);
    }
    // `setpriv` becomes the server itself, so that killing it leaves nothing behind.
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--init-groups", "--pdeathsig=KILL"]).arg(path);
    command
}

fn run(command: &mut Command) -> Vec<u8> {
    let output = command.output().expect("the program can be started");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}
