//! How many runs may be under way at one time: as many as open files and memory allow, and not some small number.
//!
//! A target that hangs holds a run for its whole timeout, so ten thousand checks against a dead region need thousands
//! of runs at once. What exceeds the capacity is told as missed, with the reason.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::{fmt, fs};
use tracing::warn;

/// Open files that are left for the spool, the uplink, the health port and the system's own needs.
const FILES_RESERVED: u64 = 64;
/// Files that a run may hold at once, at the most: its connection and a question to a name server.
const FILES_OF_A_RUN: u64 = 2;
/// What a run may take, bytes: the buffers of a TLS connection and an ordinary body. A body of 1 MiB takes more, but not
/// all runs have one at the same time; a quarter of the memory is all that is counted on.
const MEMORY_OF_A_RUN: u64 = 128 << 10;
/// The share of the memory that runs may take: one part in so many.
const MEMORY_SHARE: u64 = 4;
/// What is assumed where the system does not tell.
const MEMORY_UNKNOWN: u64 = 1 << 30;
/// Whatever the limits are, so many are possible.
const LEAST: u64 = 16;

/// The most runs at one time, and what sets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    pub runs: usize,
    pub set_by: SetBy,
}

/// What sets a [`Capacity`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetBy {
    Files,
    Memory,
    Operator,
}

impl fmt::Display for SetBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            SetBy::Files => "its limit of open files",
            SetBy::Memory => "its memory",
            SetBy::Operator => "--runs-most",
        })
    }
}

impl Capacity {
    /// Raises this process's soft limit of open files to the hard one, and derives the capacity from that and from the
    /// memory. `asked` can only lower it.
    pub fn of_this_process(asked: Option<usize>) -> Capacity {
        Capacity::from(open_files(), memory(), asked)
    }

    fn from(files: u64, memory: u64, asked: Option<usize>) -> Capacity {
        let by_files = (files / FILES_OF_A_RUN).saturating_sub(FILES_RESERVED).max(LEAST);
        let by_memory = (memory / MEMORY_SHARE / MEMORY_OF_A_RUN).max(LEAST);
        let (runs, set_by) =
            if by_files <= by_memory { (by_files, SetBy::Files) } else { (by_memory, SetBy::Memory) };
        let runs = usize::try_from(runs).unwrap_or(usize::MAX).min(tokio::sync::Semaphore::MAX_PERMITS);
        match asked {
            Some(asked) if asked < runs => Capacity { runs: asked.max(1), set_by: SetBy::Operator },
            _ => Capacity { runs, set_by },
        }
    }
}

/// The files that this process may have open, after raising the limit as far as it may.
fn open_files() -> u64 {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return 1024 };
    if soft < hard {
        if let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
            warn!(%error, soft, hard, "the limit of open files cannot be raised");
            return soft;
        }
        return hard;
    }
    soft
}

/// The memory that this process may use, bytes: that of its control group where it has a limit, or of the machine.
/// Only Linux tells.
fn memory() -> u64 {
    let number = |path: &str| fs::read_to_string(path).ok()?.trim().parse().ok();
    let limits = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total(&text));
    limits.iter().filter_map(|path| number(path)).chain(machine).min().unwrap_or(MEMORY_UNKNOWN)
}

/// `MemTotal` of `/proc/meminfo`, bytes.
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scarcer_of_files_and_memory_decides() {
        let of = |files, memory, asked| {
            let Capacity { runs, set_by } = Capacity::from(files, memory, asked);
            (runs, set_by)
        };
        assert_eq!(of(65_536, 64 << 30, None), (32_704, SetBy::Files));
        assert_eq!(of(1_048_576, 512 << 20, None), (1024, SetBy::Memory));
        assert_eq!(of(100, 1 << 20, None), (16, SetBy::Files));
        assert_eq!(of(65_536, 64 << 30, Some(10)), (10, SetBy::Operator));
        assert_eq!(of(65_536, 64 << 30, Some(1_000_000)), (32_704, SetBy::Files));
        assert_eq!(of(u64::MAX, u64::MAX, Some(0)), (1, SetBy::Operator));
    }

    #[test]
    fn the_memory_of_a_machine_is_read() {
        assert_eq!(total("MemTotal:       24576000 kB\nMemFree: 1 kB\n"), Some(24_576_000 << 10));
        assert_eq!(total("MemFree: 1 kB\n"), None);
        assert!(memory() > 0);
    }

    #[test]
    fn the_limit_of_open_files_is_raised() {
        let files = open_files();
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("every system tells");
        assert_eq!((soft, files), (hard, hard));
    }
}
