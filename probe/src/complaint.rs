//! Trouble that goes on is logged when it begins, then once a minute: enough to see it, and no flood.

use std::time::Duration;
use tokio::time::Instant;

const EVERY: Duration = Duration::from_secs(60);

/// Trouble of one kind.
#[derive(Debug, Default)]
pub struct Complaint {
    last: Option<Instant>,
}

impl Complaint {
    /// Whether to log it now.
    pub fn is_due(&mut self) -> bool {
        let due = self.last.is_none_or(|at| at.elapsed() >= EVERY);
        if due {
            self.last = Some(Instant::now());
        }
        due
    }

    /// It is over; true when there was something to complain of.
    pub fn settle(&mut self) -> bool {
        self.last.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn says_it_at_once_and_then_every_minute() {
        let mut complaint = Complaint::default();
        assert!(!complaint.settle());
        assert!(complaint.is_due() && !complaint.is_due());
        tokio::time::advance(EVERY).await;
        assert!(complaint.is_due() && !complaint.is_due());
        assert!(complaint.settle() && complaint.is_due());
    }
}
