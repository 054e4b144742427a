//! Failing and slow samples as plain rows, for people.

use super::log::Entry;
use crate::decide::Event;
use series::kept_start;
use wire::sample::{Outcome, Sample};

/// The most characters kept of one text.
const MOST_CHARS: usize = 1_000;

/// One row, ready to be bound.
pub(super) struct Row<'a> {
    pub position: i64,
    pub ordinal: i64,
    pub at: i64,
    pub received: i64,
    pub probe: &'a str,
    pub sample: &'a Sample,
}

impl Row<'_> {
    /// `ok` for a slow sample, else the class of the failure.
    pub(super) fn outcome(&self) -> String {
        match self.sample.outcome {
            Outcome::Fail(class) => class.to_string(),
            _ => "ok".into(),
        }
    }

    /// What was seen, one sentence.
    pub(super) fn summary(&self) -> String {
        match &self.sample.evidence {
            Some(evidence) => clean(&evidence.summary),
            None => String::new(),
        }
    }

    pub(super) fn step(&self) -> Option<String> {
        self.sample.evidence.as_ref()?.step.as_deref().map(clean)
    }

    /// JSON of what stands for content that was taken out.
    pub(super) fn withheld(&self) -> Option<String> {
        self.sample.evidence.as_ref()?.withheld.as_ref().map(crate::store::db::text)
    }

    pub(super) fn excerpt(&self) -> Option<String> {
        self.sample.evidence.as_ref()?.excerpt.as_deref().map(clean)
    }
}

/// A text from a probe that any database takes: bounded, without control characters but line breaks and tabs.
pub(super) fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).take(MOST_CHARS).collect()
}

/// The rows of new entries.
pub(super) fn rows<'a>(entries: &'a [(i64, &'a Entry)]) -> Vec<Row<'a>> {
    let mut rows = Vec::new();
    for (position, entry) in entries {
        let Event::Report { report, received, .. } = entry.event() else { continue };
        for (ordinal, sample) in (0..).zip(&report.samples) {
            let slow = sample.outcome == Outcome::Ok && sample.slow;
            if sample.outcome.is_fail() || slow {
                let at = crate::history::at(sample.started, entry.clock_us(), *received);
                rows.push(Row {
                    position: *position,
                    ordinal,
                    at: kept_start(at),
                    received: received.0,
                    probe: report.probe.as_str(),
                    sample,
                });
            }
        }
    }
    rows
}

/// Keeps the evidence of new entries, inside the transaction that appends them.
macro_rules! keep {
    ($tx:expr, $entries:expr) => {{
        let evidence = crate::store::evidence::rows($entries);
        for rows in evidence.chunks(crate::store::log::ROWS) {
            let mut query = sqlx::QueryBuilder::new(
                "INSERT INTO evidence (position, ordinal, at, received, check_id, probe, target, outcome, slow, total_us,
                                       status, step, summary, excerpt, address, served_by, trace_id, withheld) ",
            );
            query.push_values(rows, |mut bound, row| {
                let sample = row.sample;
                bound
                    .push_bind(row.position)
                    .push_bind(row.ordinal)
                    .push_bind(row.at)
                    .push_bind(row.received)
                    .push_bind(sample.check.as_str())
                    .push_bind(row.probe)
                    .push_bind(sample.target.as_str())
                    .push_bind(row.outcome())
                    .push_bind(sample.slow)
                    .push_bind(i64::from(sample.total_us))
                    .push_bind(sample.status.map(i64::from))
                    .push_bind(row.step())
                    .push_bind(row.summary())
                    .push_bind(row.excerpt())
                    .push_bind(sample.address.as_deref().map(crate::store::evidence::clean))
                    .push_bind(sample.served_by.as_deref().map(crate::store::evidence::clean))
                    .push_bind(sample.trace_id.as_deref().map(crate::store::evidence::clean))
                    .push_bind(row.withheld());
            });
            query.build().persistent(false).execute(&mut *$tx).await?;
        }
    }};
}

pub(super) use keep;
