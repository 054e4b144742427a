//! A throwaway PostgreSQL cluster: its own folder, a Unix socket only, gone with the test.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A running cluster.
pub struct Cluster {
    folder: tempfile::TempDir,
    server: Child,
}

impl Cluster {
    /// Makes and starts one. As root it runs as the `postgres` user, because PostgreSQL refuses to run as root.
    pub fn start() -> Cluster {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path();
        if is_root() {
            run(Command::new("chown").arg("postgres:").arg(path));
        }
        let data = path.join("data");
        let initdb = ["-U", "postgres", "-A", "trust", "-N", "-E", "UTF8", "--locale=C"];
        run(program("initdb").arg("-D").arg(&data).args(initdb));
        let server = serve(path);
        let cluster = Cluster { folder, server };
        cluster.wait();
        cluster
    }

    /// Kills the server, as a power cut would.
    pub fn stop(&mut self) {
        self.server.kill().expect("it is ours");
        self.server.wait().expect("it ended");
        // The others of its processes notice that by themselves, and hold the lock of the folder until then.
        let end = Instant::now() + Duration::from_secs(60);
        let pid = self.folder.path().join("data/postmaster.pid");
        while fs::remove_file(&pid).is_ok() {
            assert!(Instant::now() < end, "{} comes back", pid.display());
        }
    }

    /// Starts the server again.
    pub fn restart(&mut self) {
        // Refused as long as a process of the one before lives.
        let end = Instant::now() + Duration::from_secs(60);
        let ready = |path: &Path| program("pg_isready").arg("-q").arg("-h").arg(path).status();
        loop {
            self.server = serve(self.folder.path());
            while self.server.try_wait().expect("it is ours").is_none() {
                if ready(self.folder.path()).is_ok_and(|status| status.success()) {
                    return;
                }
                assert!(Instant::now() < end, "PostgreSQL did not start within 60 s");
                std::thread::yield_now();
            }
        }
    }

    /// Runs SQL beside the store and returns what it prints.
    pub fn sql(&self, text: &str) -> String {
        let mut command = program("psql");
        command
            .args(["-U", "postgres", "-d", "postgres", "-Atq", "-c", text])
            .arg("-h")
            .arg(self.folder.path());
        let output = command.output().expect("psql starts");
        assert!(output.status.success(), "{text}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("postgres://postgres@localhost/postgres?host={}", self.folder.path().display())
    }

    /// Waits until it takes connections.
    fn wait(&self) {
        let end = Instant::now() + Duration::from_secs(60);
        let ready = || program("pg_isready").arg("-q").arg("-h").arg(self.folder.path()).status();
        while !ready().is_ok_and(|status| status.success()) {
            assert!(Instant::now() < end, "PostgreSQL did not start within 60 s");
            std::thread::yield_now();
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // It holds nothing that anybody needs.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Waits for a condition for a minute.
pub async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !condition().await {
        assert!(Instant::now() < end, "not within 60 s: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn serve(folder: &Path) -> Child {
    program("postgres")
        .arg("-D")
        .arg(folder.join("data"))
        .arg("-k")
        .arg(folder)
        .args(["-c", "listen_addresses=", "-c", "fsync=off", "-c", "shared_buffers=16MB"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("postgres starts")
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0)
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
    let mut command = if is_root() {
        // `setpriv` becomes the server itself, so that killing it leaves nothing behind.
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--init-groups", "--pdeathsig=KILL"]).arg(path);
        command
    } else {
        Command::new(path)
    };
    command.current_dir("/");
    command
}

fn run(command: &mut Command) {
    let output = command.output().expect("the program can be started");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
