//! What the tests of the history share: a configuration, and reports for it.

mod life;

use crate::config::{self, Config};
use wire::{
    Micros,
    report::Report,
    sample::{Sample, StepResult},
};

pub const T0: Micros = Micros(1_795_000_000_000_000);
pub const HOUR_US: i64 = 3_600_000_000;
/// The configured checks.
pub const CHECKS: [&str; 4] = ["home", "buy", "dns", "c101"];

/// Probes p and q, regions a and b; `dns` is run by p against a only, `buy` is a journey.
pub fn config() -> Config {
    let text = "version: 1
regions: {a: {}, b: {}}
probes:
  p: {region: a, token: {env: T}}
  q: {region: b, token: {env: U}}
services:
  shop: {regions: {a: http://a, b: http://b}}
checks:
  home: {service: shop, http: {}}
  buy:
    service: shop
    journey:
      steps:
        - {name: open, get: /}
        - {name: pay, get: /pay}
  dns: {service: shop, http: {}, from: [p], to: [a]}
  c101: {service: shop, http: {}}
";
    config::parse(text, "test.yaml").expect("a valid configuration")
}

/// A run that succeeded, begun some seconds before [`T0`].
pub fn sample(check: &str, target: &str, age_s: i64) -> Sample {
    let started = T0.0 - age_s * 1_000_000;
    let text = format!(
        r#"{{"check": "{check}", "target": "{target}", "scheduled": {}, "started": {started}, "total_us": 48000,
            "outcome": "ok", "phases": {{"connect": 1000, "wait": 47000}}, "address": "192.0.2.1:443", "status": 200,
            "served_by": null, "bytes": 512, "trace_id": null, "evidence": null}}"#,
        started - 1_500,
    );
    serde_json::from_str(&text).expect("a sample")
}

/// A step that succeeded.
pub fn step(name: &str) -> StepResult {
    let text = format!(
        r#"{{"name": "{name}", "outcome": "ok", "total_us": 9000, "status": 200, "served_by": null, "attempts": 1}}"#
    );
    serde_json::from_str(&text).expect("a step")
}

pub fn report(probe: &str, sequence: i64, samples: Vec<Sample>) -> Report {
    Report { probe: probe.parse().expect("an id"), sequence, samples, mesh: Vec::new() }
}
