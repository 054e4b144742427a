//! One request of the witness.

use super::account::Sent;
use flate2::{Compression, write::GzEncoder};
use runtime::random::Random;
use std::{io::Write, net::SocketAddr, time::Duration};
use wire::report::{Accepted, PATH};

/// How long a request may take: less than a person would wait, more than a slow machine needs for a commit.
const PATIENCE: Duration = Duration::from_secs(10);

/// A sender's way to the collectors.
#[derive(Debug)]
pub struct Post {
    client: reqwest::Client,
    collectors: Vec<SocketAddr>,
    /// Whom it asks now; the next one after a failure.
    at: usize,
    token: String,
}

/// What came of a request.
#[derive(Debug)]
pub enum Answer {
    /// Acknowledged.
    Taken(Accepted),
    /// Refused for now: too much at a time, or no database.
    Later(String),
    /// No answer: nobody knows what became of it.
    Broken(String),
    /// An answer that a good batch must never get.
    Wrong(String),
}

impl Post {
    /// A way that begins at one of the collectors.
    pub fn new(collectors: &[SocketAddr], first: usize, token: String) -> anyhow::Result<Post> {
        let client = runtime::tls::http_client(Duration::from_secs(2))?;
        Ok(Post { client, collectors: collectors.to_vec(), at: first, token })
    }

    /// Posts a batch, packed as often as not.
    pub async fn send(&mut self, sent: &Sent, random: &Random) -> Answer {
        let answer = self.try_send(sent, random.unit() < 0.5).await;
        let answer = answer.unwrap_or_else(|error| Answer::Broken(format!("{error:#}")));
        if !matches!(answer, Answer::Taken(_)) {
            self.at = (self.at + 1) % self.collectors.len();
        }
        answer
    }

    async fn try_send(&self, sent: &Sent, packed: bool) -> anyhow::Result<Answer> {
        let mut body = serde_json::to_vec(&sent.batch)?;
        let mut request = self
            .client
            .post(format!("http://{}{PATH}", self.collectors[self.at]))
            .timeout(PATIENCE)
            .bearer_auth(&self.token)
            .header("content-type", "application/json");
        if packed {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(&body)?;
            body = encoder.finish()?;
            request = request.header("content-encoding", "gzip");
        }
        let response = request.body(body).send().await?;
        let (status, again) = (response.status(), response.headers().contains_key("retry-after"));
        let text = response.text().await?;
        Ok(match status.as_u16() {
            200..300 => Answer::Taken(serde_json::from_str(&text)?),
            429 | 503 if again => Answer::Later(text),
            _ => Answer::Wrong(format!("a batch was answered with {status}, retry-after: {again}: {text}")),
        })
    }
}
