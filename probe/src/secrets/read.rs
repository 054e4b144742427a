//! Reading a value from its place.

use super::{Secret, SecretError, VALUE_LEAST, VALUE_MOST};
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use std::{env, io, path::PathBuf, process::Stdio, sync::Arc, time::Duration};
use tokio::{
    fs,
    io::AsyncReadExt,
    process::{Child, Command},
    time::timeout,
};

/// How long a command may take.
const COMMAND_MOST: Duration = Duration::from_secs(10);
/// The variables that a command sees of the probe's own; the others may hold secrets of other purposes.
const ENVIRONMENT: [&str; 3] = ["PATH", "HOME", "LANG"];

/// Where a value is.
#[derive(Debug)]
pub(super) enum Source {
    File(PathBuf),
    Env(String),
    /// A program and its arguments: what it writes to stdout is the value.
    Command(Vec<String>),
}

impl Source {
    /// Reads the value; `name` is for messages.
    pub(super) async fn read(&self, name: &str) -> Result<Secret, SecretError> {
        let bytes = match self {
            Source::File(file) => of_file(file).await.map_err(|why| SecretError::File {
                name: name.to_owned(),
                file: file.display().to_string(),
                why,
            })?,
            Source::Env(variable) => of_env(variable).map_err(|why| SecretError::Env {
                name: name.to_owned(),
                variable: variable.clone(),
                why,
            })?,
            Source::Command(words) => of_command(words).await.map_err(|why| SecretError::Command {
                name: name.to_owned(),
                program: words.first().cloned().unwrap_or_default(),
                why,
            })?,
        };
        value(bytes).map_err(|why| SecretError::Value { name: name.to_owned(), why })
    }
}

/// Text without the line end that editors and programs put behind it.
fn value(bytes: Vec<u8>) -> Result<Secret, String> {
    if bytes.len() > VALUE_MOST {
        return Err(format!("is longer than {VALUE_MOST} bytes"));
    }
    let text = String::from_utf8(bytes).map_err(|_| "is no text (UTF-8)")?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err("is empty".to_owned());
    }
    if text.contains('\0') {
        return Err("holds a zero byte".to_owned());
    }
    if text.len() < VALUE_LEAST {
        return Err(format!("is shorter than {VALUE_LEAST} bytes, too short to be kept out of evidence"));
    }
    Ok(Secret(Arc::from(text)))
}

async fn of_file(file: &PathBuf) -> Result<Vec<u8>, String> {
    let about = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "the probe's user may not read it".to_owned(),
        _ => error.to_string(),
    };
    // Reading a pipe could wait forever.
    if !fs::metadata(file).await.map_err(about)?.is_file() {
        return Err("it is no regular file".to_owned());
    }
    let file = fs::File::open(file).await.map_err(about)?;
    bounded(file).await.map_err(about)
}

/// Reads one byte more than a value may have.
async fn bounded(from: impl AsyncReadExt + Unpin) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(VALUE_MOST as u64 + 1).read_to_end(&mut bytes).await?;
    Ok(bytes)
}

fn of_env(variable: &str) -> Result<Vec<u8>, &'static str> {
    match env::var(variable) {
        Ok(value) => Ok(value.into_bytes()),
        Err(env::VarError::NotPresent) => Err("not set"),
        Err(env::VarError::NotUnicode(_)) => Err("no text (UTF-8)"),
    }
}

async fn of_command(words: &[String]) -> Result<Vec<u8>, String> {
    let (program, arguments) = words.split_first().ok_or("no program is named")?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .envs(ENVIRONMENT.iter().filter_map(|name| Some((name, env::var_os(name)?))))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        // What programs write there may hold the value, and nobody could redact it.
        .stderr(Stdio::null())
        // A group of its own, so that what it starts ends with it.
        .process_group(0)
        .kill_on_drop(true);
    let child = command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => "there is no such program".to_owned(),
        io::ErrorKind::PermissionDenied => "the probe's user may not run it".to_owned(),
        _ => error.to_string(),
    })?;
    let group = Group(child.id());
    let bytes = timeout(COMMAND_MOST, output(child)).await;
    drop(group);
    bytes.unwrap_or_else(|_elapsed| {
        Err(format!("it took longer than {} s and was killed", COMMAND_MOST.as_secs()))
    })
}

async fn output(mut child: Child) -> Result<Vec<u8>, String> {
    let stdout = child.stdout.take().ok_or("its output cannot be read")?;
    let bytes = bounded(stdout).await.map_err(|error| format!("its output cannot be read: {error}"))?;
    if bytes.len() > VALUE_MOST {
        return Err(format!("it wrote more than {VALUE_MOST} bytes"));
    }
    let status = child.wait().await.map_err(|error| error.to_string())?;
    if !status.success() {
        return Err(format!("it failed ({status}); run it by hand to see why"));
    }
    Ok(bytes)
}

/// The processes of a command; dropping it ends those that are left, also when a run is cut.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0.and_then(|id| i32::try_from(id).ok()) {
            // Usually nobody is left, which is an error that says nothing.
            let _nobody_left = killpg(Pid::from_raw(leader), Signal::SIGKILL);
        }
    }
}
