//! How long data is kept.

use super::{bad, good, with_checks};
use crate::config::Retention;
use std::time::Duration;

fn document(retention: &str) -> String {
    format!("{}  c: {{service: shop, http: {{}}}}\n{retention}", with_checks(""))
}

#[test]
fn every_kind_has_a_time_and_a_default() {
    assert_eq!(good(&document("")).retention, Retention::default());
    assert_eq!(good(&document("retention:\n")).retention, Retention::default());
    let text = "retention: {log: 72h, raw: 14d, rollups: 1000d, evidence: 12h, mesh: 7d, timeline: 90d, audit: 3650d}";
    let days = |days: u64| Duration::from_secs(days * 24 * 3600);
    let expected = Retention {
        log: days(3),
        raw: days(14),
        rollups: days(1_000),
        evidence: Duration::from_secs(12 * 3600),
        mesh: days(7),
        timeline: days(90),
        audit: days(3_650),
    };
    assert_eq!(good(&document(text)).retention, expected);
}

#[test]
fn what_would_lose_data_is_refused() {
    for (text, says) in [
        ("{log: 47h}", "a duration from 2d to 90d"),
        ("{log: 91d}", "a duration from 2d to 90d"),
        ("{raw: 23h}", "a duration from 1d to 3650d"),
        ("{rollups: 7d}", "a duration from 8d to 3650d"),
        ("{raw: 500d}", "`raw` is 500d, `rollups` is 400d"),
        ("{raw: 30d, rollups: 29d}", "`raw` is 30d, `rollups` is 29d"),
        ("{evidence: 59m}", "a duration from 1h"),
        ("{mesh: forever}", "a duration"),
        ("{rolups: 9d}", "did you mean `rollups`?"),
        ("[]", "a mapping"),
    ] {
        let problems = bad(&document(&format!("retention: {text}"))).join("\n");
        assert!(problems.contains(says), "{text}: {problems}");
        assert!(problems.contains("retention"), "{text}: {problems}");
    }
}
