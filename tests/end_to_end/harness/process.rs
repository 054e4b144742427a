//! A child process: its output goes to files, and it is killed when it is dropped.

use super::{LONG, eventually};
use anyhow::{Context, anyhow, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    fs::{self, File},
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::{
    process::{Child, ChildStdin, Command},
    time::timeout,
};

/// How long a process may take to stop; its own grace is 20 s.
const STOP: Duration = Duration::from_secs(40);

/// The binary under test.
pub fn sextant() -> Command {
    Command::new(env!("CARGO_BIN_EXE_sextant"))
}

/// Starts a collector on the document `sextant.yaml` of a folder, at a port of its own choice, and waits until it says
/// where it listens. `command` is the binary, with what it needs in its environment.
pub async fn collector(mut command: Command, folder: &Path) -> (Process, String) {
    command.arg("collector").arg("--config").arg(folder.join("sextant.yaml"));
    command.arg("--data").arg(folder.join("data")).args(["--listen", "127.0.0.1:0"]);
    let mut collector = Process::start("collector", folder, command).expect("it starts");
    let url = eventually("the collector says where it listens", LONG, async || {
        collector.check_running()?;
        let said = collector.stdout();
        let url = said.split_whitespace().find(|word| word.starts_with("http://")).context("not yet")?;
        Ok(url.trim_end_matches('/').to_owned())
    })
    .await;
    (collector, url)
}

/// What a child writes to stderr, also while somebody else has the child.
#[derive(Debug, Clone)]
pub struct Log {
    path: PathBuf,
    began: u64,
}

impl Log {
    /// All of it so far.
    pub fn text(&self) -> String {
        text_from(&self.path, self.began)
    }
}

/// A running or ended child.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    out: PathBuf,
    err: PathBuf,
    /// Where its own output begins in the files; an earlier process of the same name may have written before.
    began: (u64, u64),
}

impl Process {
    /// Starts a command. Its output is appended to `<name>.out` and `<name>.err` in `logs`.
    pub fn start(name: &str, logs: &Path, mut command: Command) -> anyhow::Result<Process> {
        let (out, err) = (logs.join(format!("{name}.out")), logs.join(format!("{name}.err")));
        let append = |path: &Path| {
            File::options().create(true).append(true).open(path).with_context(|| path.display().to_string())
        };
        let (out_file, err_file) = (append(&out)?, append(&err)?);
        let began = (out_file.metadata()?.len(), err_file.metadata()?.len());
        command.stdin(Stdio::piped()).stdout(out_file).stderr(err_file).kill_on_drop(true);
        let child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        Ok(Process { name: name.to_owned(), child, out, err, began })
    }

    /// What it has written to stdout.
    pub fn stdout(&self) -> String {
        text_from(&self.out, self.began.0)
    }

    /// What it has written to stderr.
    pub fn stderr(&self) -> String {
        self.log().text()
    }

    /// What it writes to stderr.
    pub fn log(&self) -> Log {
        Log { path: self.err.clone(), began: self.began.1 }
    }

    /// Its standard input.
    pub fn stdin(&mut self) -> anyhow::Result<&mut ChildStdin> {
        self.child.stdin.as_mut().ok_or_else(|| anyhow!("{} has no stdin", self.name))
    }

    /// Its process id; none when it has ended.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Fails when it has ended.
    pub fn check_running(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => Err(anyhow!("{} ended with {status}: {}", self.name, self.stderr())),
        }
    }

    /// Asks it to stop (SIGTERM) and waits for its exit code.
    pub async fn stop(&mut self) -> anyhow::Result<i32> {
        self.signal(Signal::SIGTERM)?;
        self.exit_code().await
    }

    /// Freezes it (SIGSTOP): it holds what it holds, and does nothing.
    pub fn freeze(&self) -> anyhow::Result<()> {
        self.signal(Signal::SIGSTOP)
    }

    /// Fails unless every thread of it stands still, also those that were in a system call when it was frozen.
    pub fn check_frozen(&self) -> anyhow::Result<()> {
        let id = self.child.id().with_context(|| format!("{} has ended before", self.name))?;
        for thread in fs::read_dir(format!("/proc/{id}/task"))? {
            let stat = fs::read_to_string(thread?.path().join("stat"))?;
            // The state follows the name, which is in brackets (proc_pid_stat(5)).
            let state = stat.rsplit(')').next().unwrap_or_default().trim_start().chars().next();
            ensure!(state == Some('T'), "a thread of {} is in the state {state:?}", self.name);
        }
        Ok(())
    }

    /// Lets it go on (SIGCONT).
    pub fn thaw(&self) -> anyhow::Result<()> {
        self.signal(Signal::SIGCONT)
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let id = self.child.id().with_context(|| format!("{} has ended before", self.name))?;
        Ok(kill(Pid::from_raw(i32::try_from(id)?), signal)?)
    }

    /// Kills it (SIGKILL) and waits until it is gone.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Waits until it ends by itself.
    pub async fn exit_code(&mut self) -> anyhow::Result<i32> {
        let waited = timeout(STOP, self.child.wait()).await;
        let status = waited.with_context(|| format!("{} does not end: {}", self.name, self.stderr()))??;
        status.code().with_context(|| format!("{} ended with {status}", self.name))
    }
}

fn text_from(path: &Path, begin: u64) -> String {
    let mut text = Vec::new();
    let read = File::open(path).and_then(|mut file| {
        file.seek(SeekFrom::Start(begin))?;
        file.read_to_end(&mut text)
    });
    match read {
        Ok(_) => String::from_utf8_lossy(&text).into_owned(),
        Err(error) => format!("(cannot read {}: {error})", path.display()),
    }
}

/// Prints the end of every file in a folder of logs. The test runner shows it only when the test fails.
pub fn print_logs(logs: &Path) {
    const LINES: usize = 60;
    let mut paths: Vec<PathBuf> =
        fs::read_dir(logs).into_iter().flatten().flatten().map(|e| e.path()).collect();
    paths.sort();
    for path in paths {
        let text = text_from(&path, 0);
        let lines: Vec<&str> = text.lines().collect();
        if !lines.is_empty() {
            let end = lines[lines.len().saturating_sub(LINES)..].join("\n");
            eprintln!("--- {} ({} lines)\n{end}", path.display(), lines.len());
        }
    }
}
