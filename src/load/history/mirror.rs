//! The same runs for another store, to compare with: VictoriaMetrics' JSON lines, with the metrics of the blackbox
//! exporter as our probes have them. Times are milliseconds there.

use anyhow::{Context, ensure};
use bytes::Bytes;
use series::Row;
use std::fmt::Write;
use url::Url;

/// Values on one line.
const VALUES: usize = 2_000;
/// As much goes in one request, bytes.
const REQUEST: usize = 16 << 20;

/// Lines to import.
#[derive(Debug, Default)]
pub struct Lines {
    text: String,
    pub points: usize,
}

/// A metric: its name, its further label, and its value in a run, if it has one.
type Metric = (&'static str, &'static str, fn(&Row) -> Option<u32>);

const SECONDS: [Metric; 7] = [
    ("probe_duration_seconds", "", |row| Some(row.total_us)),
    ("probe_http_phase_duration_seconds", ",\"phase\":\"dns\"", |row| row.phases.dns),
    ("probe_http_phase_duration_seconds", ",\"phase\":\"connect\"", |row| row.phases.connect),
    ("probe_http_phase_duration_seconds", ",\"phase\":\"tls\"", |row| row.phases.tls),
    ("probe_http_phase_duration_seconds", ",\"phase\":\"send\"", |row| row.phases.send),
    ("probe_http_phase_duration_seconds", ",\"phase\":\"wait\"", |row| row.phases.wait),
    ("probe_http_phase_duration_seconds", ",\"phase\":\"transfer\"", |row| row.phases.transfer),
];

impl Lines {
    /// Adds all metrics of a series; `names` are its service, check, probe and target.
    pub fn add(&mut self, names: [&str; 4], rows: &[Row]) {
        let [service, check, probe, target] = names;
        let labels = format!(
            "\"service\":\"{service}\",\"check\":\"{check}\",\"probe\":\"{probe}\",\"target\":\"{target}\""
        );
        for rows in rows.chunks(VALUES) {
            self.line("probe_success", &labels, rows, |row, text| {
                text.push(if row.outcome.is_fail() { '0' } else { '1' });
                true
            });
            for (name, label, value) in SECONDS {
                self.line(name, &format!("{labels}{label}"), rows, |row, text| {
                    let Some(us) = value(row) else { return false };
                    // A text takes it.
                    let _ = write!(text, "{}.{:06}", us / 1_000_000, us % 1_000_000);
                    true
                });
            }
        }
    }

    fn line(&mut self, name: &str, labels: &str, rows: &[Row], value: impl Fn(&Row, &mut String) -> bool) {
        let mut times = String::with_capacity(rows.len() * 14);
        let _ = write!(self.text, "{{\"metric\":{{\"__name__\":\"{name}\",{labels}}},\"values\":[");
        let begin = self.text.len();
        for row in rows {
            let end = self.text.len();
            if end > begin {
                self.text.push(',');
            }
            if value(row, &mut self.text) {
                let comma = if times.is_empty() { "" } else { "," };
                let _ = write!(times, "{comma}{}", row.at / 1_000);
                self.points += 1;
            } else {
                self.text.truncate(end);
            }
        }
        let _ = writeln!(self.text, "],\"timestamps\":[{times}]}}");
    }

    /// Sends them.
    ///
    /// # Errors
    /// When the store does not take them.
    pub async fn send(self, client: &reqwest::Client, store: &Url) -> anyhow::Result<()> {
        let url = crate::load::scrape::at(store, "/api/v1/import");
        let text = Bytes::from(self.text);
        let mut begin = 0;
        while begin < text.len() {
            let most = text.len().min(begin + REQUEST);
            // Whole lines.
            let newline = |&byte: &u8| byte == b'\n';
            let end = match text[begin..most].iter().rposition(newline) {
                Some(last) => begin + last + 1,
                None => text[begin..].iter().position(newline).map_or(text.len(), |first| begin + first + 1),
            };
            let sent = client.post(url.clone()).body(text.slice(begin..end)).send().await;
            let answer = sent.with_context(|| format!("{url} does not answer"))?;
            ensure!(answer.status().is_success(), "{url} answered {}", answer.status());
            begin = end;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use series::synthetic::{Noise, Series};
    use wire::sample::FailClass;

    #[test]
    fn every_value_has_its_time() {
        let mut rows: Vec<Row> = Series::http(1, 0, 1_000_000, Noise::Usual).take(50).collect();
        rows[7].outcome = wire::sample::Outcome::Fail(FailClass::Timeout);
        rows[7].phases.transfer = None;
        rows[0].phases.transfer = None;
        let mut lines = Lines::default();
        lines.add(["shop", "home", "p-1", "eu"], &rows);
        let parsed: Vec<serde_json::Value> =
            lines.text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(parsed.len(), 8);
        let mut points = 0;
        for line in &parsed {
            let (values, times) =
                (line["values"].as_array().expect("values"), line["timestamps"].as_array().expect("times"));
            assert_eq!(values.len(), times.len(), "{line}");
            points += values.len();
        }
        assert_eq!(points, lines.points);
        assert_eq!(parsed[0]["values"][7], 0);
        assert_eq!(parsed[0]["values"][8], 1);
        assert_eq!(parsed[1]["values"][3], f64::from(rows[3].total_us) / 1e6);
        let transfer = &parsed[7];
        assert_eq!(transfer["metric"]["phase"], "transfer");
        let absent = rows.iter().filter(|row| row.phases.transfer.is_none()).count();
        assert!(absent >= 2);
        assert_eq!(transfer["values"].as_array().expect("values").len(), 50 - absent);
        assert_eq!(transfer["timestamps"][0], rows[1].at / 1_000);
    }
}
