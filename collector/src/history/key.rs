//! The name of a series.

/// What identifies a series: its parts are valid ids, or words of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesKey {
    pub check: String,
    pub probe: String,
    /// A region, or `public`.
    pub target: String,
    /// Empty for the whole run, else the step of a journey.
    pub part: String,
}

/// A borrowed [`SeriesKey`], which names a series without copying texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyRef<'a> {
    pub check: &'a str,
    pub probe: &'a str,
    pub target: &'a str,
    pub part: &'a str,
}

impl SeriesKey {
    /// The key, borrowed.
    pub fn as_ref(&self) -> KeyRef<'_> {
        KeyRef { check: &self.check, probe: &self.probe, target: &self.target, part: &self.part }
    }
}

impl KeyRef<'_> {
    /// A copy of its own.
    pub fn to_key(self) -> SeriesKey {
        let KeyRef { check, probe, target, part } = self;
        SeriesKey { check: check.into(), probe: probe.into(), target: target.into(), part: part.into() }
    }
}
