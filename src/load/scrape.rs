//! Counters of a collector, from its `/metrics`.

use anyhow::{Context, bail};
use url::Url;

/// The sum of all lines of a counter whose labels hold `label`, from the Prometheus text format.
pub fn sum(text: &str, name: &str, label: &str) -> f64 {
    let lines = text.lines().filter_map(|line| line.strip_prefix(name));
    let values = lines.filter_map(|rest| {
        let (labels, value) = match rest.strip_prefix('{') {
            Some(rest) => rest.rsplit_once("} ")?,
            None => ("", rest.strip_prefix(' ')?),
        };
        labels.contains(label).then(|| value.trim().parse::<f64>().ok())?
    });
    values.sum()
}

/// Fetches the text.
///
/// # Errors
/// When the collector does not answer with it.
pub async fn fetch(client: &reqwest::Client, collector: &Url) -> anyhow::Result<String> {
    let url = at(collector, "/metrics");
    let answer = client.get(url.clone()).send().await.with_context(|| format!("no answer from {url}"))?;
    if !answer.status().is_success() {
        bail!("{url} answered {}: is it the collector's address?", answer.status());
    }
    Ok(answer.text().await?)
}

/// A path below the collector's address.
pub fn at(collector: &Url, path: &str) -> Url {
    let mut url = collector.clone();
    let base = url.path().trim_end_matches('/').to_owned();
    url.set_path(&format!("{base}{path}"));
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_the_lines_that_are_meant() {
        let text = "# HELP a_total x\na_total{probe=\"p-1\",result=\"stored\"} 3\na_total{probe=\"p-2\",result=\"stored\"} 4\n\
                    a_total{probe=\"p-1\",result=\"duplicate\"} 9\na_total_other{result=\"stored\"} 5\nb_total 2\n";
        assert_eq!(sum(text, "a_total", "result=\"stored\""), 7.0);
        assert_eq!(sum(text, "a_total", ""), 16.0);
        assert_eq!(sum(text, "b_total", ""), 2.0);
        assert_eq!(sum(text, "c_total", ""), 0.0);
    }

    #[test]
    fn paths_go_below_the_address() {
        let below = |base: &str| at(&base.parse().expect("a URL"), "/metrics").to_string();
        assert_eq!(below("http://one.example"), "http://one.example/metrics");
        assert_eq!(below("http://one.example/sextant/"), "http://one.example/sextant/metrics");
    }
}
