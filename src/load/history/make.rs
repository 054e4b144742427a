//! The history of one check, made up: what is stored of it, and what another store is told.

use super::mirror::Lines;
use collector::{
    history::prepare::{self, Numbered},
    store::{NewSegment, PackedDay, Rollups},
};
use series::{
    Row,
    synthetic::{Noise, Series},
};
use std::collections::BTreeMap;
use wire::{
    CheckId, Micros, ProbeId, ServiceId,
    assignment::Target,
    sample::{Connection, Evidence, Outcome, Sample},
};

/// One check, and its series with their numbers.
#[derive(Debug, Clone)]
pub struct Job {
    pub check: CheckId,
    pub service: ServiceId,
    pub series: Vec<(i64, ProbeId, Target)>,
}

/// The range, the same for all checks.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    pub from: Micros,
    pub to: Micros,
    pub interval_us: i64,
    /// Whether to make lines for another store too.
    pub mirrored: bool,
}

/// The history of a check.
#[derive(Debug)]
pub struct Made {
    pub job: Job,
    pub rows: usize,
    pub segments: Vec<NewSegment>,
    pub rollups: Rollups,
    pub days: Vec<PackedDay>,
    /// Failing and slow runs of each probe, oldest first.
    pub evidence: Vec<(ProbeId, Vec<Sample>)>,
    pub lines: Lines,
}

/// Makes it. The same check has the same rows each time, as far as the range is the same.
///
/// # Errors
/// When rows do not fit into a segment.
pub fn make(job: Job, span: Span) -> Result<Made, collector::history::Error> {
    let mut lines = Lines::default();
    let mut evidence: Vec<(ProbeId, Vec<Sample>)> = Vec::new();
    let numbered: Vec<Numbered> = job
        .series
        .iter()
        .map(|(id, probe, target)| {
            let rows = rows(&job.check, probe, target, span);
            let kept = rows.iter().filter(|row| row.outcome.is_fail() || row.slow);
            let samples: Vec<Sample> = kept.map(|row| sample(&job.check, target, row)).collect();
            match evidence.last_mut() {
                Some((last, kept)) if last == probe => kept.extend(samples),
                _ => evidence.push((probe.clone(), samples)),
            }
            if span.mirrored {
                lines.add(
                    [&job.service.to_string(), job.check.as_str(), probe.as_str(), &target.to_string()],
                    &rows,
                );
            }
            Numbered { check: job.check.to_string(), id: *id, rows }
        })
        .collect();
    evidence.iter_mut().for_each(|(_, samples)| samples.sort_by_key(|sample| sample.started));
    evidence.retain(|(_, samples)| !samples.is_empty());
    // Nothing is stored yet that these could be added to.
    let (rollups, days) = prepare::merge(prepare::days(&numbered), BTreeMap::new())?;
    Ok(Made {
        rows: numbered.iter().map(|one| one.rows.len()).sum(),
        // As they are after compaction: these days are over.
        segments: prepare::segments(&numbered, 1)?,
        rollups,
        days,
        evidence,
        lines,
        job,
    })
}

/// All runs of one series, the first at a time of its own within the first interval.
fn rows(check: &CheckId, probe: &ProbeId, target: &Target, span: Span) -> Vec<Row> {
    let seed = seed(&format!("{check} {probe} {target}"));
    let offset = i64::try_from(seed % span.interval_us.unsigned_abs().max(1)).unwrap_or_default();
    let series = Series::http(seed, span.from.0.saturating_add(offset), span.interval_us, Noise::Usual);
    let mut rows: Vec<Row> = series.map(Row::kept).take_while(|row| row.at < span.to.0).collect();
    rows.sort_by_key(|row| row.at);
    rows
}

/// A number that belongs to a name: FNV-1a, 64 bits (RFC 9923).
fn seed(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// The sample that a row could have come from, with its evidence.
fn sample(check: &CheckId, target: &Target, row: &Row) -> Sample {
    let summary = match row.outcome {
        Outcome::Fail(class) => format!("{class} failure after {} ms", row.total_us / 1_000),
        _ => format!("took {} ms, more than the budget", row.total_us / 1_000),
    };
    Sample {
        check: check.clone(),
        target: target.clone(),
        scheduled: Micros(row.at - i64::from(row.delay_us)),
        started: Micros(row.at),
        total_us: row.total_us,
        outcome: row.outcome,
        slow: row.slow,
        phases: row.phases,
        trigger: row.trigger,
        attempt: row.attempt,
        address: Some("203.0.113.7:443".to_owned()),
        connection: Connection::default(),
        hops: Vec::new(),
        addresses: Vec::new(),
        status: row.status,
        served_by: None,
        bytes: row.bytes,
        certificate_expires: None,
        flags: row.flags.iter().collect(),
        trace_id: None,
        evidence: Some(Evidence { summary, step: None, excerpt: None, withheld: None }),
        steps: Vec::new(),
    }
}
