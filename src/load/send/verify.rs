//! Whether the collector has what it acknowledged, asked in three ways: its counter of stored reports, its history, and
//! by sending some of it again.

use super::{
    Fared,
    uplink::{self, Way},
};
use crate::load::scrape;
use anyhow::{Context, bail};
use bytes::Bytes;
use collector::config::Config;
use reqwest::{Client, StatusCode};
use serde::Serialize;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use url::Url;
use wire::{Micros, ServiceId, history::History};

/// How long the history may take to tell what was just stored.
const PATIENCE: Duration = Duration::from_secs(20);
const HOUR_US: i64 = 3_600_000_000;
/// How far around a run its samples may be, microseconds.
const AROUND_US: i64 = 300_000_000;

/// What the collector says that it has.
#[derive(Debug, Default, Serialize)]
pub struct Stored {
    /// Reports that its counter grew by; since its restart, when there was one.
    pub counted: usize,
    /// Whether the collector was started anew during the run, so that its counter does not tell of all of it.
    pub restarted: bool,
    /// Runs that its history grew by; absent when it has none to tell.
    pub history: Option<u64>,
    /// Acknowledged reports that were sent again, and how many of them it knew.
    pub resent: usize,
    pub known: usize,
}

/// What the collector had before.
pub struct Before {
    counters: String,
    services: Vec<ServiceId>,
    /// Whole hours around the run, so that it does not matter what the history is made of.
    range: (Micros, Micros),
    runs: Option<u64>,
}

impl Before {
    /// Asks, for a run from `begin` that lasts for `length`.
    ///
    /// # Errors
    /// When the collector does not answer.
    pub async fn ask(
        client: &Client,
        collector: &Url,
        config: &Config,
        begin: Micros,
        length: Duration,
    ) -> anyhow::Result<Before> {
        let hour = |at: Micros, up: i64| Micros((at.0.div_euclid(HOUR_US) + up) * HOUR_US);
        let range = (hour(begin.plus_us(-AROUND_US), 0), hour(begin.plus(length).plus_us(AROUND_US), 1));
        let services: Vec<ServiceId> = config.services.keys().cloned().collect();
        let counters = scrape::fetch(client, collector).await?;
        let runs = runs(client, collector, &services, range).await?;
        Ok(Before { counters, services, range, runs })
    }

    /// Compares with what it has after the run, in which so many samples were acknowledged.
    ///
    /// # Errors
    /// When the collector does not answer.
    pub async fn compare(&self, way: &Way, told: &[Fared], samples: usize) -> anyhow::Result<Stored> {
        let counters = scrape::fetch(&way.client, &way.collector).await?;
        let (counted, restarted) = counted(&self.counters, &counters);
        let history = self.grown(way, samples as u64).await?;
        let mut stored = Stored { counted, restarted, history, ..Stored::default() };
        for (token, told) in told {
            for (reports, body) in &told.kept {
                let again = uplink::again(way, token, Bytes::clone(body)).await;
                stored.resent += reports;
                stored.known += again.context("a batch was not taken again")?.duplicates;
            }
        }
        Ok(stored)
    }

    /// By how many runs the history grew; looks until it is as many as are expected.
    async fn grown(&self, way: &Way, expected: u64) -> anyhow::Result<Option<u64>> {
        let Some(before) = self.runs else { return Ok(None) };
        let until = Instant::now() + PATIENCE;
        loop {
            let now = runs(&way.client, &way.collector, &self.services, self.range).await?;
            let grown = now.map(|now| now.saturating_sub(before));
            if grown == Some(expected) || Instant::now() > until {
                return Ok(grown);
            }
            sleep(Duration::from_millis(500)).await;
        }
    }
}

/// By how much the counter of stored reports grew between two looks, and whether it began anew in between.
fn counted(before: &str, after: &str) -> (usize, bool) {
    let count = |text| scrape::sum(text, "sextant_ingest_reports_total", "result=\"stored\"");
    // Absent, that is 0, in versions that do not tell it.
    let started = |text| scrape::sum(text, "process_start_time_seconds", "");
    let (was, is) = (count(before), count(after));
    let restarted = started(before) != started(after) || is < was;
    let grown = if restarted { is } else { is - was };
    (grown as usize, restarted)
}

/// All runs of all services in a range; none when the collector has no such API.
async fn runs(
    client: &Client,
    collector: &Url,
    services: &[ServiceId],
    (from, to): (Micros, Micros),
) -> anyhow::Result<Option<u64>> {
    let mut sum = 0;
    for service in services {
        let mut url = scrape::at(collector, "/api/v1/history");
        url.query_pairs_mut()
            .append_pair("service", service.as_str())
            .append_pair("from", &from.to_string())
            .append_pair("to", &to.to_string())
            .append_pair("buckets", "1");
        let answer = client.get(url.clone()).send().await.with_context(|| format!("no answer from {url}"))?;
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Ok(None),
            status => bail!("{url} answered {status}: {}", answer.text().await.unwrap_or_default()),
        }
        let history: History = answer.json().await?;
        sum += history.groups.iter().map(|group| group.whole.runs).sum::<u64>();
    }
    Ok(Some(sum))
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn a_counter_that_began_anew_is_noticed() {
        let look = |started: Option<&str>, stored: u32| {
            let started = started.map_or(String::new(), |at| format!("process_start_time_seconds {at}\n"));
            format!("{started}sextant_ingest_reports_total{{probe=\"p-1\",result=\"stored\"}} {stored}\n")
        };
        let (first, second) = (Some("1795000000.25"), Some("1795000033.5"));
        assert_eq!(counted(&look(first, 10), &look(first, 40)), (30, false));
        assert_eq!(counted(&look(first, 0), &look(second, 12)), (12, true));
        assert_eq!(counted(&look(first, 10), &look(second, 0)), (0, true));
        // Without a time of start, only a smaller counter shows it.
        assert_eq!(counted(&look(None, 10), &look(None, 40)), (30, false));
        assert_eq!(counted(&look(None, 10), &look(None, 7)), (7, true));
    }
}
