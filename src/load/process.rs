//! What the kernel knows of a process: processor time and memory, from `/proc` (Linux, proc(5)).

use anyhow::Context;
use std::fs;

/// Ticks a second in `/proc/PID/stat`: `USER_HZ`, 100 on every architecture that Rust's Linux targets have in use.
const TICKS: f64 = 100.0;

/// What a process has used so far.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usage {
    /// User and system time of all threads, also of those that ended, seconds.
    pub cpu_s: f64,
    /// The most memory that was resident at a time, MiB.
    pub peak_rss_mib: f64,
}

/// Asks about a process; `self` is this one.
///
/// # Errors
/// When there is no such process, or no `/proc`.
pub fn usage(process: &str) -> anyhow::Result<Usage> {
    let read = |file: &str| {
        fs::read_to_string(format!("/proc/{process}/{file}")).with_context(|| {
            format!(
                "cannot read what process {process} used (this needs Linux, and --pid of a process that runs)"
            )
        })
    };
    let stat = read("stat")?;
    let status = read("status")?;
    let cpu_s = cpu_seconds(&stat).context("the kernel's account of the process is not as expected")?;
    // A process that ends has no memory any more.
    let peak_rss_mib = peak_rss_mib(&status).unwrap_or_default();
    Ok(Usage { cpu_s, peak_rss_mib })
}

fn cpu_seconds(stat: &str) -> Option<f64> {
    // The name in the second field may hold anything, so count from its closing parenthesis.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let (user, system): (f64, f64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((user + system) / TICKS)
}

fn peak_rss_mib(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_kernel_writes() {
        let stat = "42 (a) b (c) S 1 42 42 0 -1 4194560 1 2 3 4 250 50 7 8 20 0 9 0 1 2 3";
        assert_eq!(cpu_seconds(stat), Some(3.0));
        assert_eq!(peak_rss_mib("Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t 1 kB\n"), Some(2.0));
        assert_eq!((cpu_seconds("42 (a) S 1"), peak_rss_mib("Name:\tx\n")), (None, None));
    }
}
