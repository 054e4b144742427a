//! The signals that ask a process to stop.

use std::io;
use tokio::signal::unix::{SignalKind, signal};

/// Completes at the first SIGTERM or SIGINT. A second one kills the process as usual, because the handlers are
/// dropped with this future. They are installed by the call: whoever calls this before others can know that the process
/// is there is never killed by the first. Must be called on a tokio runtime.
///
/// # Errors
/// When the handlers cannot be installed.
pub fn stop_requested() -> impl Future<Output = io::Result<()>> {
    let handlers = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    async {
        let (mut term, mut interrupt) = (handlers.0?, handlers.1?);
        let name = tokio::select! {
            _ = term.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        tracing::info!(signal = name, "stopping: draining what is under way");
        Ok(())
    }
}
