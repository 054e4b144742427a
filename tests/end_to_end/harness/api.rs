//! The REST API and `/metrics`, as a program reads them.

use super::story::Story;
use anyhow::Context;
use serde::de::DeserializeOwned;
use std::{net::SocketAddr, time::Duration};
use wire::view::{Page, TimelineEntry};

/// A client of one process.
#[derive(Debug, Clone)]
pub struct Api {
    client: reqwest::Client,
    address: SocketAddr,
}

impl Api {
    /// A client of the process that listens there.
    pub fn new(address: SocketAddr) -> anyhow::Result<Api> {
        Ok(Api { client: runtime::tls::http_client(Duration::from_secs(2))?, address })
    }

    /// `GET`, with a limit on the time it takes: the status and the body, whatever they are.
    pub async fn answer(&self, path: &str) -> anyhow::Result<(u16, String)> {
        let url = format!("http://{}{path}", self.address);
        let response = self.client.get(&url).timeout(Duration::from_secs(10)).send().await?;
        Ok((response.status().as_u16(), response.text().await?))
    }

    /// `GET`; other answers than 2xx are errors.
    pub async fn text(&self, path: &str) -> anyhow::Result<String> {
        let (status, text) = self.answer(path).await?;
        let address = self.address;
        anyhow::ensure!((200..300).contains(&status), "http://{address}{path} answered {status}: {text}");
        Ok(text)
    }

    /// A document of the API, for example `/api/v1/overview` as [`wire::view::Overview`].
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let text = self.text(path).await?;
        serde_json::from_str(&text).with_context(|| format!("{path} answered {text}"))
    }

    /// The whole timeline, page by page.
    pub async fn story(&self) -> anyhow::Result<Story> {
        let mut entries: Vec<TimelineEntry> = Vec::new();
        let mut path = "/api/v1/timeline?limit=100".to_owned();
        loop {
            let page: Page<TimelineEntry> = self.get(&path).await?;
            entries.extend(page.items);
            match page.next_cursor {
                Some(cursor) => path = format!("/api/v1/timeline?limit=100&cursor={cursor}"),
                None => break,
            }
        }
        entries.reverse();
        Ok(Story(entries))
    }

    /// The sum of all series of a metric whose labels contain `label` (for example `probe="probe-eu-west-1"`).
    pub async fn metric(&self, name: &str, label: &str) -> anyhow::Result<u64> {
        let text = self.text("/metrics").await?;
        let mut sum = 0.0;
        for line in text.lines().filter(|line| line.starts_with(&format!("{name}{{")) && line.contains(label))
        {
            let value = line.rsplit(' ').next().context("a value")?;
            sum += value.parse::<f64>().with_context(|| line.to_owned())?;
        }
        Ok(sum as u64)
    }
}
