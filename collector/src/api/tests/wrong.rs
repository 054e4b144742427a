//! Questions that are wrong: problem documents with the right status, and words that help.

use super::{Running, sealed};
use serde_json::Value;

/// Checks a refusal: its status, that it is a problem document, and its words.
async fn refused(collector: &Running, path: &str, status: u16, words: &[&str]) {
    let answer = collector.get(path).await;
    let kind = answer.headers().get("content-type").and_then(|kind| kind.to_str().ok()).map(str::to_owned);
    let (found, text) = (answer.status(), answer.text().await.expect("a text"));
    assert_eq!(found, status, "{path}: {text}");
    assert_eq!(kind.as_deref(), Some("application/problem+json"), "{path}: {text}");
    let problem: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(problem["status"], status, "{path}: {problem}");
    let detail = problem["detail"].as_str().unwrap_or_default();
    for word in words {
        assert!(detail.contains(word), "{path}: {word:?} is not in {detail:?}");
    }
}

#[tokio::test]
async fn questions_about_history_that_are_wrong() {
    let collector = sealed().await;
    let many = "x,".repeat(101);
    for list in ["history", "samples", "evidence"] {
        for (query, words) in [
            ("check=health&from=yesterday", vec!["from", "yesterday", "RFC 3339"]),
            ("check=health&to=2026-11-20", vec!["to", "RFC 3339"]),
            ("check=health&from=2026-11-20T00:00:00+01:00", vec!["%2B"]),
            ("check=health&from=99999-01-01T00:00:00Z", vec!["from"]),
            ("check=health&from=2026-11-20T00:00:00Z&to=2026-11-20T00:00:00Z", vec!["not before"]),
            ("check=health&from=2026-11-21T00:00:00Z&to=2026-11-20T00:00:00Z", vec!["not before"]),
            ("check=Health!", vec!["check", "not an id"]),
            ("check=", vec!["check", "not an id"]),
            ("check=health&probe=a,,b", vec!["probe", "not an id"]),
            ("check=health&target=%00", vec!["target", "not an id"]),
            ("check=elsewhere&service=shop", vec!["elsewhere", "not a check of the service shop"]),
            ("check=health&check=health", vec!["check"]),
            (&format!("check={many}"), vec!["check", "100"]),
        ] {
            refused(&collector, &format!("{list}?{query}"), 400, &words).await;
        }
        for (query, words) in [
            ("check=healht", vec!["healht", "did you mean health?"]),
            ("check=health&probe=mars-1", vec!["mars-1", "probe-north, probe-south"]),
            ("check=health&target=mars-1", vec!["mars-1", "north, south"]),
            ("service=nothing", vec!["nothing", "other, shop"]),
            ("service=%3Cscript%3E", vec!["<script>"]),
        ] {
            refused(&collector, &format!("{list}?{query}"), 404, &words).await;
        }
    }
    collector.stop().await;
}

#[tokio::test]
async fn numbers_and_words_that_are_wrong() {
    let collector = sealed().await;
    let ages = "from=1970-01-01T00:00:00Z&to=9999-01-01T00:00:00Z";
    let long = format!("history?check=health&part={}", "x".repeat(201));
    for (path, words) in [
        ("history?buckets=0", vec!["buckets", "1 to 1000"]),
        ("history?buckets=1001", vec!["buckets", "1 to 1000"]),
        ("history?buckets=-1", vec!["buckets", "\"-1\"", "1 to 1000"]),
        ("history?buckets=many", vec!["buckets", "\"many\"", "whole number"]),
        ("history?quantiles=1.5", vec!["quantiles", "1.5", "0 to 1"]),
        ("history?quantiles=NaN", vec!["quantiles", "0 to 1"]),
        ("history?quantiles=", vec!["quantiles", "0 to 1"]),
        ("history?quantiles=0,0,0,0,0,0,0,0,0,0,0", vec!["quantiles", "at most 10"]),
        ("history?group=colour", vec!["colour", "check, vantage, probe, target and part"]),
        (&long, vec!["part", "200"]),
        (&format!("history?check=health&{ages}"), vec!["2 series", "shorten the range"]),
        ("samples", vec!["check=", "service="]),
        ("samples?check=health&limit=0", vec!["limit", "1 to 1000"]),
        ("samples?check=health&limit=1001", vec!["limit", "1 to 1000"]),
        ("samples?check=health&limit=x", vec!["limit", "\"x\"", "1 to 1000"]),
        ("samples?check=health&cursor=x", vec!["next_cursor"]),
        ("samples?check=health&cursor=1", vec!["next_cursor"]),
        ("samples?check=health&cursor=1.99999999", vec!["next_cursor"]),
        ("evidence?limit=0", vec!["limit", "1 to 1000"]),
        ("evidence?cursor=1.2", vec!["next_cursor"]),
        ("evidence?cursor=1.2.3.4", vec!["next_cursor"]),
        ("evidence?class=sad", vec!["sad", "timeout", "slow"]),
    ] {
        refused(&collector, path, 400, &words).await;
    }
    // Odd, and right.
    let odd = "samples?check=health&cursor=-9223372036854775808.0&limit=1000";
    assert_eq!(collector.json(odd).await, serde_json::json!({ "items": [], "next_cursor": null }));
    let odd = "evidence?cursor=9223372036854775807.-1.5";
    assert_eq!(collector.json(odd).await, serde_json::json!({ "items": [], "next_cursor": null }));
    collector.stop().await;
}

#[tokio::test]
async fn parameters_that_a_route_does_not_take() {
    let collector = sealed().await;
    for (path, words) in [
        ("history?check=health&form=2026-11-20T00:00:00Z", vec!["\"form\"", "did you mean from?", "buckets"]),
        ("history?colour=red", vec!["\"colour\"", "takes: check, service, probe, target, part, group"]),
        ("history?limit=5", vec!["\"limit\"", "quantiles"]),
        ("samples?check=health&group=check", vec!["\"group\"", "cursor"]),
        ("samples?check=health&Limit=5", vec!["did you mean limit?"]),
        ("evidence?clas=timeout", vec!["did you mean class?"]),
        ("evidence?unknown=1", vec!["\"unknown\""]),
        ("timeline?service=nope", vec!["\"service\"", "takes: limit, cursor"]),
        ("timeline?limit=201", vec!["1 to 200"]),
        ("timeline?limit=ten", vec!["\"ten\"", "1 to 200"]),
        ("timeline?cursor=x", vec!["next_cursor"]),
        ("services/shop/plans?from=1", vec!["\"from\"", "takes: limit, cursor"]),
        ("mesh/probe-north/probe-south?limits=5", vec!["did you mean limit?"]),
        ("history?check=health&check=other", vec!["check is given twice", "commas"]),
        ("timeline?limit=5&limit=6", vec!["limit is given twice"]),
        ("timeline?limit=5&=6", vec!["no parameter \"\""]),
    ] {
        refused(&collector, path, 400, &words).await;
    }
    let long = format!("timeline?{}=1", "x".repeat(2_000));
    refused(&collector, &long, 400, &["xxx", "…", "takes: limit, cursor"]).await;
    collector.stop().await;
}
