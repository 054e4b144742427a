//! One attempt: the signed request, and what its answer means.

use super::sign;
use crate::{
    config::Config,
    secret::{self, WebhookKey},
    store::Due,
};
use http::header::RETRY_AFTER;
use std::{collections::BTreeMap, time::Duration};
use wire::{
    Micros, ReceiverId,
    event::{HEADER_ID, HEADER_SIGNATURE, HEADER_TIMESTAMP},
};

const CONNECT: Duration = Duration::from_secs(2);
const TOTAL: Duration = Duration::from_secs(5);
/// How much of an answer is kept as an explanation.
const EXCERPT: usize = 200;

/// All receivers with their keys, and the client that reaches them.
#[derive(Debug)]
pub struct Receivers {
    client: reqwest::Client,
    receivers: BTreeMap<ReceiverId, (String, WebhookKey)>,
}

/// What an answer means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Acknowledged,
    /// Trying again would not help.
    Refused(String),
    Failed {
        why: String,
        retry_after: Option<Duration>,
    },
}

impl Receivers {
    /// Reads every receiver's secret, and returns every problem.
    ///
    /// # Errors
    /// One for each secret that cannot be used.
    pub fn read(
        config: &Config,
        client: reqwest::Client,
    ) -> Result<Receivers, Vec<(ReceiverId, secret::Error)>> {
        let mut receivers = BTreeMap::new();
        let mut problems = Vec::new();
        for (id, receiver) in &config.receivers {
            match WebhookKey::read(&receiver.secret) {
                Ok(key) => drop(receivers.insert(id.clone(), (receiver.url.clone(), key))),
                Err(error) => problems.push((id.clone(), error)),
            }
        }
        if problems.is_empty() { Ok(Receivers { client, receivers }) } else { Err(problems) }
    }

    /// The client for such requests: bounded times, no redirects, no proxies.
    ///
    /// # Errors
    /// When it cannot be built.
    pub fn client() -> Result<reqwest::Client, reqwest::Error> {
        runtime::tls::http_client(CONNECT)
    }

    /// Makes one attempt. The timestamp is the attempt's, the id is the delivery's.
    pub async fn send(&self, due: &Due, now: Micros) -> Answer {
        let Some((url, key)) = self.receivers.get(&due.receiver) else {
            return Answer::Refused(format!("{} is no longer configured.", due.receiver));
        };
        let timestamp = now.0.div_euclid(1_000_000);
        let request = self
            .client
            .post(url)
            .timeout(TOTAL)
            .header("content-type", "application/cloudevents+json")
            .header(HEADER_ID, &due.id)
            .header(HEADER_TIMESTAMP, timestamp.to_string())
            .header(HEADER_SIGNATURE, sign::signature(key, &due.id, timestamp, &due.body))
            .body(due.body.clone());
        match request.send().await {
            Ok(response) => answer(url, response).await,
            Err(error) => Answer::Failed { why: unreachable(url, &error), retry_after: None },
        }
    }
}

/// Only 2xx is success; a redirect is a mistake in the configuration (Standard Webhooks 1.0.0).
async fn answer(url: &str, response: reqwest::Response) -> Answer {
    let status = response.status();
    if status.is_success() {
        return Answer::Acknowledged;
    }
    let retry_after = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .map(Duration::from_secs);
    let said = excerpt(response).await;
    let why = format!("{url} answered {status}{said}.");
    match status.as_u16() {
        401 | 403 => Answer::Refused(format!("{why} Compare the secret there with the one configured here.")),
        300..=399 => {
            Answer::Refused(format!("{why} Redirects are not followed: configure the final address."))
        }
        400 | 409 | 410 | 413 | 415 | 422 => Answer::Refused(why),
        // Also a 404: a proxy that restarts says that for a moment, and giving up would leave users where they are.
        _ => Answer::Failed { why, retry_after },
    }
}

async fn excerpt(mut response: reqwest::Response) -> String {
    let Ok(Some(chunk)) = response.chunk().await else { return String::new() };
    let text = String::from_utf8_lossy(&chunk[..chunk.len().min(EXCERPT)]);
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let text = text.trim();
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

fn unreachable(url: &str, error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    let what = if error.is_timeout() {
        "did not answer in time".to_owned()
    } else if error.is_connect() {
        format!("cannot be reached ({cause})")
    } else {
        format!("failed ({cause})")
    };
    format!("{url} {what}: check that the receiver runs and that this host may reach it.")
}
