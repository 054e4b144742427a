//! One probe's way to the collector, as `probe/src/uplink.rs` goes it: one request at a time, everything that is due
//! in it, the same again until it is acknowledged.

use super::{
    piece::{self, Piece},
    plan::Due,
};
use crate::load::scrape;
use bytes::Bytes;
use reqwest::{
    Client, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER},
};
use runtime::{backoff::Backoff, clock::SharedClock, random::Random};
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep, sleep_until};
use url::Url;
use wire::report::{Accepted, MAX_BATCH_BYTES, MAX_REPORTS, PATH};

/// As the probe's.
const BACKOFF: Backoff = Backoff { first: Duration::from_millis(200), most: Duration::from_secs(10) };
/// The longest a batch may take to be answered, as the probe has it.
const ANSWER: Duration = Duration::from_secs(5);
/// The longest wait that a collector may ask for.
const RETRY_AFTER_MOST: Duration = Duration::from_secs(30);
/// Left free in a batch for what is around the reports.
const ENVELOPE: usize = 4096;

/// What all probes of a run share. Cheap to clone.
#[derive(Clone)]
pub struct Way {
    pub client: Client,
    pub collector: Url,
    pub clock: SharedClock,
    pub random: Random,
    /// When the run starts.
    pub begin: Instant,
    /// When whatever is not acknowledged is given up.
    pub end: Instant,
}

/// How one probe fared.
#[derive(Debug, Default)]
pub struct Told {
    /// Samples that were acknowledged.
    pub samples: usize,
    pub reports: usize,
    pub batches: usize,
    /// Reports that the collector had already when they were acknowledged.
    pub duplicates: usize,
    /// Of each report, from when it was due to the answer.
    pub latencies: Vec<Duration>,
    /// When the last answer came, since the start of the run.
    pub last: Duration,
    /// Answers 429 and 503.
    pub refused: usize,
    /// No answer in time, or another one than 2xx.
    pub failed: usize,
    /// Reports that were given up.
    pub lost: usize,
    /// What went wrong last.
    pub trouble: Option<String>,
    /// The last batches that were acknowledged, to ask for again.
    pub kept: Vec<(usize, Bytes)>,
}

/// How an attempt ended.
enum Answer {
    Taken(Accepted),
    /// Come back, after so long.
    Later(Option<Duration>),
    /// Not now, or no answer.
    Failed(String),
    /// Never.
    Refused(String),
}

/// Sends everything, each report when it is due.
pub async fn run(way: Way, token: Arc<str>, mut queue: VecDeque<Due>) -> Told {
    let mut told = Told::default();
    let mut failures = 0;
    while let Some(first) = queue.front() {
        sleep_until(way.begin + first.at).await;
        let count = ready(&queue, way.begin.elapsed());
        let pieces: Vec<&Piece> = queue.range(..count).map(|due| &due.piece).collect();
        let body = piece::join(way.clock.now(), &pieces);
        let asked = match post(&way, &token, body.clone()).await {
            Answer::Taken(accepted) => {
                failures = 0;
                let batch: Vec<Due> = queue.drain(..count).collect();
                acknowledged(&way, &batch, accepted, body, &mut told);
                continue;
            }
            Answer::Refused(why) => {
                told.trouble = Some(why);
                break;
            }
            Answer::Later(after) => {
                told.refused += 1;
                after.unwrap_or_default()
            }
            Answer::Failed(why) => {
                told.failed += 1;
                told.trouble = Some(why);
                Duration::ZERO
            }
        };
        failures += 1;
        let wait = asked.max(BACKOFF.delay(failures, way.random.unit()));
        if Instant::now() + wait > way.end {
            break;
        }
        sleep(wait).await;
    }
    told.lost = queue.len();
    told
}

/// How many reports go into the next batch: what is due, within the limits.
fn ready(queue: &VecDeque<Due>, now: Duration) -> usize {
    let mut bytes = 0;
    let fits = queue.iter().take(MAX_REPORTS).take_while(|due| {
        bytes += due.piece.plain_bytes + 1;
        due.at <= now && bytes <= MAX_BATCH_BYTES - ENVELOPE
    });
    fits.count().max(1)
}

fn acknowledged(way: &Way, batch: &[Due], accepted: Accepted, body: Bytes, told: &mut Told) {
    let now = way.begin.elapsed();
    told.last = now;
    told.batches += 1;
    told.reports += batch.len();
    told.duplicates += accepted.duplicates;
    told.samples += batch.iter().map(|due| due.samples).sum::<usize>();
    told.latencies.extend(batch.iter().map(|due| now.saturating_sub(due.at)));
    if told.kept.len() == super::KEPT {
        told.kept.remove(0);
    }
    told.kept.push((batch.len(), body));
}

/// Posts a batch again and says what the collector made of it.
///
/// # Errors
/// When it did not take it.
pub async fn again(way: &Way, token: &str, body: Bytes) -> anyhow::Result<Accepted> {
    match post(way, token, body).await {
        Answer::Taken(accepted) => Ok(accepted),
        Answer::Later(_) => anyhow::bail!("the collector is busy"),
        Answer::Failed(why) | Answer::Refused(why) => anyhow::bail!(why),
    }
}

async fn post(way: &Way, token: &str, body: Bytes) -> Answer {
    let request = way
        .client
        .post(scrape::at(&way.collector, PATH))
        .timeout(ANSWER)
        .header(CONTENT_TYPE, "application/json")
        .header(CONTENT_ENCODING, "gzip")
        .bearer_auth(token)
        .body(body);
    let response = match request.send().await {
        Ok(response) => response,
        Err(error) => return Answer::Failed(error.to_string()),
    };
    let status = response.status();
    if status.is_success() {
        return match response.json().await {
            Ok(accepted) => Answer::Taken(accepted),
            Err(error) => Answer::Failed(error.to_string()),
        };
    }
    let after =
        response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let after = after.map(|seconds| Duration::from_secs(seconds).min(RETRY_AFTER_MOST));
    match status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Answer::Later(after),
        status => {
            let text = format!("{status}: {}", response.text().await.unwrap_or_default());
            if status.is_client_error() { Answer::Refused(text) } else { Answer::Failed(text) }
        }
    }
}
