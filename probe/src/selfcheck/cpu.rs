//! How busy the machine's processors are. Only Linux tells; elsewhere nothing is claimed.

use super::judge::Ticks;
use std::fs;

/// The counters now (proc(5), `/proc/stat`). In a container they are those of the whole machine, which is what the
/// container waits for.
pub fn ticks() -> Option<Ticks> {
    parse(&fs::read_to_string("/proc/stat").ok()?)
}

fn parse(stat: &str) -> Option<Ticks> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let numbers: Option<Vec<u64>> = line.split_ascii_whitespace().map(|number| number.parse().ok()).collect();
    // user nice system idle iowait irq softirq steal; what guests use is in user and nice already.
    let numbers: Vec<u64> = numbers?.into_iter().take(8).collect();
    let idle = numbers.get(3)?.checked_add(*numbers.get(4).unwrap_or(&0))?;
    let total = numbers.iter().try_fold(0_u64, |sum, number| sum.checked_add(*number))?;
    Some(Ticks { busy: total - idle, total })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_everything_but_idling_as_busy() {
        let stat = "cpu  10 2 3 100 5 1 1 4 10 2\ncpu0 1 1 1 1 1 1 1 1 1 1\nintr 5\n";
        assert_eq!(parse(stat), Some(Ticks { busy: 21, total: 126 }));
        for wrong in ["", "cpu0 1 2 3 4", "cpu  1 2 3", "cpu  a b c d", "cpu  1 1 1 18446744073709551615 1"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
