//! What the dashboard asks of the collector.

use std::pin::Pin;
use tokio::sync::watch;
use wire::view::Overview;

/// A board's answer on its way.
pub type BoardFuture<'a> = Pin<Box<dyn Future<Output = Result<Overview, BoardError>> + Send + 'a>>;

/// Where the facts of a page come from.
pub trait Board: Send + Sync + 'static {
    /// Everything the overview shows, as of now.
    fn overview(&self) -> BoardFuture<'_>;

    /// Changes whenever something on the overview may have changed. Bursts are fine: pages draw at most
    /// five times a second.
    fn changes(&self) -> watch::Receiver<u64>;
}

/// Why there is nothing to show. The page tries again by itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}; {advice}")]
pub struct BoardError {
    /// What is wrong, for example `the store does not answer`.
    pub problem: String,
    /// What a person should do about it, for example `check that Postgres runs at db:5432`.
    pub advice: String,
}

impl BoardError {
    /// A problem with what to do about it.
    pub fn new(problem: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { problem: problem.into(), advice: advice.into() }
    }
}
