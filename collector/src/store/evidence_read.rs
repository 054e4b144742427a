//! Reading evidence: what is kept of failing and slow runs for a person to read.

use super::{Error, Store, db::on};
use sqlx::FromRow;

/// Which evidence, and in which order. Empty lists take everything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EvidenceAsked {
    pub checks: Vec<String>,
    pub probes: Vec<String>,
    pub targets: Vec<String>,
    /// Classes of failures; `ok` for runs that were only slow.
    pub outcomes: Vec<String>,
    /// When the runs were sent, microseconds since the epoch; the end is not in it.
    pub at: (i64, i64),
    /// Only what comes after this in the order of the answer: `at`, `position` and `ordinal` of the last row before.
    pub after: Option<(i64, i64, i64)>,
    pub limit: i64,
    pub order: Order,
}

/// By the time when runs were sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    #[default]
    NewestFirst,
    OldestFirst,
}

/// A failing or slow run.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct StoredEvidence {
    /// Of the report in the log.
    pub position: i64,
    /// Of the sample in the report.
    pub ordinal: i64,
    /// When the run was sent, and when its report was received; microseconds since the epoch.
    pub at: i64,
    pub received: i64,
    pub check_id: String,
    pub probe: String,
    pub target: String,
    /// `ok` or the class of the failure.
    pub outcome: String,
    pub slow: bool,
    pub total_us: i64,
    pub status: Option<i64>,
    pub step: Option<String>,
    pub summary: String,
    pub excerpt: Option<String>,
    pub address: Option<String>,
    pub served_by: Option<String>,
    pub trace_id: Option<String>,
    /// JSON of [`wire::residency::Withheld`].
    pub withheld: Option<String>,
}

/// The question, for either engine, with [`EvidenceAsked`].
macro_rules! evidence_query {
    ($asked:expr) => {{
        let asked: &crate::store::EvidenceAsked = $asked;
        let (from, to) = asked.at;
        let mut query = sqlx::QueryBuilder::new(
            "SELECT position, ordinal, at, received, check_id, probe, target, outcome, slow, total_us, status,
                step, summary, excerpt, address, served_by, trace_id, withheld FROM evidence WHERE at >= ",
        );
        query.push_bind(from).push(" AND at < ").push_bind(to);
        let lists = [
            (" AND check_id IN (", &asked.checks),
            (" AND probe IN (", &asked.probes),
            (" AND target IN (", &asked.targets),
            (" AND outcome IN (", &asked.outcomes),
        ];
        for (words, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
            query.push(words);
            let mut values = query.separated(", ");
            for value in list {
                values.push_bind(value.clone());
            }
            query.push(")");
        }
        let (beyond, order) = match asked.order {
            crate::store::Order::NewestFirst => ("<", " ORDER BY at DESC, position DESC, ordinal DESC LIMIT "),
            crate::store::Order::OldestFirst => (">", " ORDER BY at, position, ordinal LIMIT "),
        };
        if let Some((at, position, ordinal)) = asked.after {
            query.push(" AND (at, position, ordinal) ").push(beyond).push(" (").push_bind(at);
            query.push(", ").push_bind(position).push(", ").push_bind(ordinal).push(")");
        }
        query.push(order).push_bind(asked.limit);
        query
    }};
}

pub(super) use evidence_query;

impl Store {
    /// The first evidence that fits.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn evidence(&self, asked: &EvidenceAsked) -> Result<Vec<StoredEvidence>, Error> {
        Ok(on!(self, pool => {
            evidence_query!(asked).build_query_as().persistent(false).fetch_all(pool).await?
        }))
    }
}
