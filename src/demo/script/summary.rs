//! Median and worst over several runs.

use super::outage::Run;
use serde::Serialize;
use std::fmt;

/// The median and the worst of one time, milliseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Spread {
    pub median_ms: i64,
    pub worst_ms: i64,
}

/// Over all runs; a time that no run reached is absent.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    pub runs: usize,
    pub closed: usize,
    pub verdict: Option<Spread>,
    pub acknowledged_after_plan: Option<Spread>,
    pub verified: Option<Spread>,
    pub failback_verified: Option<Spread>,
    pub users_failed_worst: u64,
}

impl Summary {
    /// Summarises runs.
    pub fn of(runs: &[Run]) -> Summary {
        let spread = |time: fn(&Run) -> Option<i64>| {
            let mut times: Vec<i64> = runs.iter().filter_map(time).collect();
            times.sort_unstable();
            let worst_ms = *times.last()?;
            // With an even count, the upper of the two in the middle: never better than what was measured.
            Some(Spread { median_ms: times[times.len() / 2], worst_ms })
        };
        Summary {
            runs: runs.len(),
            closed: runs.iter().filter(|run| run.closed).count(),
            verdict: spread(|run| run.verdict_ms),
            acknowledged_after_plan: spread(|run| run.acknowledged_after_plan_ms),
            verified: spread(|run| run.verified_ms),
            failback_verified: spread(|run| run.failback_verified_ms),
            users_failed_worst: runs.iter().map(|run| run.users.failed_until_verified).max().unwrap_or(0),
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "=== {} of {} closed ===", self.closed, self.runs)?;
        let rows = [
            ("verdict after the fault", self.verdict),
            ("acknowledged after the plan", self.acknowledged_after_plan),
            ("verified after the fault", self.verified),
            ("all users back", self.failback_verified),
        ];
        for (name, spread) in rows {
            if let Some(Spread { median_ms, worst_ms }) = spread {
                let (median, worst) = (median_ms as f64 / 1000.0, worst_ms as f64 / 1000.0);
                writeln!(f, "  {name:<28} median {median:>7.2} s   worst {worst:>7.2} s")?;
            }
        }
        write!(f, "  {:<28} worst {}", "user requests failed", self.users_failed_worst)
    }
}
