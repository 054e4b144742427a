//! A throwaway PostgreSQL cluster: its own folder, a Unix socket only, gone with the test.

use std::{
    fs,
    path::PathBuf,
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
        let server = program("postgres")
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(path)
            .args(["-c", "listen_addresses=", "-c", "fsync=off", "-c", "shared_buffers=16MB"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("postgres starts");
        let cluster = Cluster { folder, server };
        cluster.wait();
        cluster
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
