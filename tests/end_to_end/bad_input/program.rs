//! The real binary as a process: what it says, how it ends. Killed with its group when dropped.

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use std::{ffi::OsStr, path::Path, process::Stdio, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
    sync::watch,
    task::JoinHandle,
    time::timeout,
};

/// How long a command that should fail at once may take on a busy machine.
const END: Duration = Duration::from_secs(120);
/// How long a process may take to say that it is ready.
const START: Duration = Duration::from_secs(90);
/// How a dashboard's address is announced by `demo` and by `collector`.
const DASHBOARD: &str = "Sextant's dashboard";

/// A running `sextant`.
pub struct Program {
    child: Child,
    group: Pid,
    said: watch::Receiver<String>,
    readers: Vec<JoinHandle<()>>,
    command: String,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    /// Both streams, in the order of arrival.
    pub output: String,
    command: String,
}

impl Program {
    /// Starts `sextant` with arguments in a folder, with no `SEXTANT_*` variable of ours in its environment.
    pub fn start<A: AsRef<OsStr>>(folder: &Path, args: &[A]) -> Program {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sextant"));
        command.args(args).current_dir(folder).env_clear();
        command.envs(
            std::env::vars_os().filter(|(name, _)| name == "PATH" || name == "HOME" || name == "TMPDIR"),
        );
        command.process_group(0).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary was built for this test");
        let group =
            Pid::from_raw(child.id().and_then(|id| i32::try_from(id).ok()).expect("it was just started"));
        let (sender, said) = watch::channel(String::new());
        let stdout = child.stdout.take().expect("stdout is piped");
        let stderr = child.stderr.take().expect("stderr is piped");
        let readers = vec![tokio::spawn(read(stdout, sender.clone())), tokio::spawn(read(stderr, sender))];
        let words: Vec<_> = args.iter().map(|arg| arg.as_ref().to_string_lossy()).collect();
        Program { child, group, said, readers, command: format!("sextant {}", words.join(" ")) }
    }

    /// Waits until a line contains `text`, and returns that line.
    pub async fn says(&mut self, text: &str, limit: Duration) -> String {
        let find = |said: &String| said.lines().find(|line| line.contains(text)).map(str::to_owned);
        // The channel closes when both streams end; what was said until then is still looked at.
        let _ = timeout(limit, self.said.wait_for(|said| find(said).is_some())).await;
        let said = self.said.borrow().clone();
        find(&said)
            .unwrap_or_else(|| panic!("{} did not say {text:?} within {limit:?}:\n{said}", self.command))
    }

    /// Waits until it announces its dashboard, and returns the address without a slash at the end.
    pub async fn dashboard(&mut self) -> String {
        let line = self.says(DASHBOARD, START).await;
        let url = line.split_whitespace().find(|word| word.starts_with("http://"));
        url.expect("the line holds an address").trim_end_matches('/').to_owned()
    }

    /// Everything it said so far.
    pub fn said(&self) -> String {
        self.said.borrow().clone()
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_none())
    }

    /// Kills it, as a power cut would.
    pub async fn kill(&mut self) {
        // An error only says that it is gone already.
        let _ = killpg(self.group, Signal::SIGKILL);
        self.child.wait().await.expect("a child can be waited for");
    }

    /// Waits until it ends by itself.
    pub async fn end(mut self) -> Ended {
        let Ok(status) = timeout(END, self.child.wait()).await else {
            panic!("{} still runs after {END:?}:\n{}", self.command, self.said());
        };
        let code = status.expect("a child can be waited for").code();
        for reader in self.readers.drain(..) {
            // The streams end with the process.
            let _ = reader.await;
        }
        Ended { code, output: self.said(), command: self.command.clone() }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- {} said:\n{}---", self.command, self.said());
        }
        // An error only says that it is gone already.
        let _ = killpg(self.group, Signal::SIGKILL);
    }
}

/// Runs a command to its end.
pub async fn run<A: AsRef<OsStr>>(folder: &Path, args: &[A]) -> Ended {
    Program::start(folder, args).end().await
}

impl Ended {
    /// Checks that it failed with a code and said each of the words, without a panic.
    pub fn failed(&self, code: i32, words: &[&str]) -> &Ended {
        let Ended { output, command, .. } = self;
        assert_eq!(self.code, Some(code), "{command} ended otherwise:\n{output}");
        assert!(!output.contains("panicked"), "{command} panicked:\n{output}");
        for word in words {
            assert!(output.contains(word), "{command} does not say {word:?}:\n{output}");
        }
        self
    }

    /// Checks that none of the texts was printed.
    pub fn hides(&self, secrets: &[&str]) -> &Ended {
        for secret in secrets {
            assert!(!self.output.contains(secret), "{} prints {secret:?}:\n{}", self.command, self.output);
        }
        self
    }
}

async fn read(stream: impl AsyncRead + Unpin, said: watch::Sender<String>) {
    let mut lines = BufReader::new(stream).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        said.send_modify(|said| {
            said.push_str(&line);
            said.push('\n');
        });
    }
}
