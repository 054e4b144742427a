//! Compacts.
use super::History;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Compacts until told to stop.
pub async fn run(_history: History, _term: watch::Receiver<Option<i64>>, stop: CancellationToken) {
    stop.cancelled().await;
}
