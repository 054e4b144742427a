//! What was erased on request: which rows must not be kept, shown or sealed any more.

use super::key::KeyRef;
use std::sync::Arc;

/// A request to forget.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    /// Any check when absent; the others likewise.
    pub check: Option<String>,
    pub probe: Option<String>,
    pub target: Option<String>,
    /// The first instant, microseconds since the epoch.
    pub from: Option<i64>,
    /// The instant after the last.
    pub to: Option<i64>,
}

impl Selection {
    /// Whether a run of a series is meant.
    pub fn covers(&self, key: KeyRef<'_>, at: i64) -> bool {
        self.covers_series(key) && self.covers_time(at)
    }

    /// Whether runs of a series are meant.
    pub fn covers_series(&self, key: KeyRef<'_>) -> bool {
        let is = |wanted: &Option<String>, found| wanted.as_deref().is_none_or(|wanted| wanted == found);
        is(&self.check, key.check) && is(&self.probe, key.probe) && is(&self.target, key.target)
    }

    /// Whether runs of an instant are meant.
    pub fn covers_time(&self, at: i64) -> bool {
        self.from.is_none_or(|from| from <= at) && self.to.is_none_or(|to| at < to)
    }

    /// Whether all instants of a range are meant; the end is not in it.
    pub fn covers_range(&self, from: i64, to: i64) -> bool {
        self.from.is_none_or(|first| first <= from) && self.to.is_none_or(|end| to <= end)
    }

    /// Whether an instant of a range is meant; the end is not in it.
    pub fn touches_range(&self, from: i64, to: i64) -> bool {
        self.from.is_none_or(|first| first < to) && self.to.is_none_or(|end| from < end)
    }
}

/// What was erased from the log up to a position. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Erasures(Arc<Vec<(i64, Selection)>>);

impl Erasures {
    /// Selections, each with the log position up to which it holds.
    pub fn new(erasures: Vec<(i64, Selection)>) -> Erasures {
        Erasures(Arc::new(erasures))
    }

    /// Whether a run from a log entry was erased.
    pub fn erases(&self, position: i64, key: KeyRef<'_>, at: i64) -> bool {
        self.0.iter().any(|(upto, selection)| position <= *upto && selection.covers(key, at))
    }
}
