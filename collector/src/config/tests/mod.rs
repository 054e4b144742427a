//! Tests of the whole way from a text to a configuration.

mod accepted;
mod assigned;
mod broken;
mod examples;
mod journeys;
mod kinds;
mod mesh;
mod reach;
mod residency;
mod retention;
mod robust;
mod warned;

use super::{Config, parse};

/// The documented example, on which many tests build.
const SHOP: &str = include_str!("../../../../deploy/examples/shop.yaml");

/// Parses a text that must be right.
fn good(text: &str) -> Config {
    parse(text, "test.yaml").unwrap_or_else(|problems| panic!("{problems}\n{text}"))
}

/// The problems of a text that must be wrong, as `line:column path: message`.
fn bad(text: &str) -> Vec<String> {
    let problems = parse(text, "test.yaml").expect_err("refused");
    problems.iter().map(|p| format!("{}:{} {}: {}", p.line, p.column, p.path, p.message)).collect()
}

/// A document with one region, one probe, one service `shop` and these checks.
fn with_checks(checks: &str) -> String {
    format!(
        "version: 1\nregions: {{a: {{}}, b: {{}}}}\nprobes: {{p: {{region: a, token: {{env: T}}}}}}\n\
         services: {{shop: {{public: http://shop, regions: {{a: http://a, b: http://b}}}}}}\nchecks:\n{checks}"
    )
}
