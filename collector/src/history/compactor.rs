//! Compacts.
use super::{History, Term};
use tokio_util::sync::CancellationToken;

/// Compacts until told to stop.
pub async fn run(_history: History, _term: Term, stop: CancellationToken) {
    stop.cancelled().await;
}
