//! Sends what waits in an outbox to its peer, later and in order, until the peer has it.

use super::{cart::Cart, outbox::Outbox};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until},
};

/// The pause after a failed attempt, doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The body of `POST /replicate`.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Entries {
    pub carts: Vec<Cart>,
}

enum Answer {
    Taken,
    /// Sending it again would change nothing.
    Refused,
    TryAgain,
}

/// Runs until it is aborted.
pub(super) async fn run(
    outbox: Arc<Outbox>,
    base: String,
    mut delay: watch::Receiver<Duration>,
    client: reqwest::Client,
) {
    let url = format!("{}/replicate", base.trim_end_matches('/'));
    let mut pause = FIRST_PAUSE;
    loop {
        let Some(written) = outbox.oldest() else {
            outbox.wake.notified().await;
            continue;
        };
        let wait = *delay.borrow_and_update();
        let due = Instant::from_std(written) + wait;
        if due > Instant::now() {
            tokio::select! {
                () = sleep_until(due) => {}
                changed = delay.changed() => if changed.is_err() { return },
            }
            continue;
        }
        let batch = outbox.due(wait);
        match send(&client, &url, batch.carts).await {
            Answer::TryAgain => {
                outbox.failed();
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            answer => {
                outbox.finished(batch.last, matches!(answer, Answer::Taken));
                pause = FIRST_PAUSE;
            }
        }
    }
}

async fn send(client: &reqwest::Client, url: &str, carts: Vec<Cart>) -> Answer {
    match client.post(url).json(&Entries { carts }).send().await {
        Ok(answer) if answer.status().is_success() => Answer::Taken,
        Ok(answer) if answer.status().is_client_error() => Answer::Refused,
        Ok(_) | Err(_) => Answer::TryAgain,
    }
}
