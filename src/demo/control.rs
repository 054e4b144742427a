//! `sextant demo break` and `sextant demo heal`: the buttons of the panel, from a terminal.

use super::folder::MARK;
use anyhow::{Context, anyhow, bail};
use lab::world::How;
use std::{fs, path::PathBuf, time::Duration};

/// Which demo to speak to.
#[derive(Debug, clap::Args)]
pub struct Place {
    /// The folder of the running demo.
    #[arg(long, default_value = "sextant-demo", value_name = "DIR")]
    dir: PathBuf,
    /// Its dashboard's address, instead of looking it up in the folder.
    #[arg(long, value_name = "URL")]
    url: Option<url::Url>,
}

impl Place {
    fn dashboard(&self) -> anyhow::Result<String> {
        if let Some(url) = &self.url {
            return Ok(url.as_str().trim_end_matches('/').to_owned());
        }
        let mark = self.dir.join(MARK);
        let advice = "start one with `sextant demo`, or say where it is with --dir or --url";
        let text = fs::read_to_string(&mark)
            .with_context(|| format!("no demo in {}: {advice}", self.dir.display()))?;
        let document: serde_json::Value = serde_json::from_str(&text)
            .with_context(|| format!("{} is damaged: {advice}", mark.display()))?;
        let dashboard = document["dashboard"].as_str();
        dashboard
            .map(str::to_owned)
            .ok_or_else(|| anyhow!("the demo in {} has not started: {advice}", self.dir.display()))
    }
}

/// Breaks a region.
pub async fn break_region(
    place: &Place,
    region: &str,
    how: How,
    duration: Option<Duration>,
) -> anyhow::Result<()> {
    let mut form = vec![("region", region.to_owned()), ("how", how.to_string())];
    form.extend(duration.map(|duration| ("seconds", duration.as_secs().to_string())));
    post(place, "/demo/break", &form).await
}

/// Heals everything.
pub async fn heal(place: &Place) -> anyhow::Result<()> {
    post(place, "/demo/heal", &[]).await
}

async fn post(place: &Place, path: &str, form: &[(&str, String)]) -> anyhow::Result<()> {
    let base = place.dashboard()?;
    let client = runtime::tls::http_client(Duration::from_secs(2))?;
    let mut body = url::form_urlencoded::Serializer::new(String::new());
    body.extend_pairs(form);
    let response = client
        .post(format!("{base}{path}"))
        .timeout(Duration::from_secs(5))
        .header("accept", "application/json")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body.finish())
        .send()
        .await
        .with_context(|| format!("the demo at {base} does not answer: is it still running?"))?;
    let status = response.status();
    let text = response.text().await.unwrap_or_default();
    let answer: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    match answer["message"].as_str() {
        Some(message) if status.is_success() => println!("{message}"),
        Some(message) => bail!("{message}"),
        None => bail!("{base}{path} answered {status}: is this the address of a demo?"),
    }
    Ok(())
}
