//! The REST API, asked wrongly: problem documents with the right status, and words that help.

use super::place::{Collector, NORTH, Place, SOON, SOUTH, batch, sample};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use std::io;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};

/// Checks a refusal: its status, that it is a problem document, and its words.
async fn refused(answer: Response, status: u16, words: &[&str]) -> anyhow::Result<()> {
    let url = answer.url().to_string();
    assert_eq!(answer.status(), status, "{url}: {:?}", answer.text().await?);
    let kind = answer.headers().get("content-type").and_then(|kind| kind.to_str().ok()).map(str::to_owned);
    let text = answer.text().await?;
    assert_eq!(kind.as_deref(), Some("application/problem+json"), "{url}: {text}");
    let problem: Value = serde_json::from_str(&text)?;
    assert_eq!(problem["status"], status, "{url}: {problem}");
    for field in ["type", "title", "detail"] {
        assert!(problem[field].as_str().is_some_and(|text| !text.is_empty()), "{url}: no {field}: {problem}");
    }
    let detail = problem["detail"].as_str().unwrap_or_default();
    for word in words {
        assert!(detail.contains(word), "{url}: {word:?} is not in {detail:?}");
    }
    assert!(!text.contains(NORTH) && !text.contains(SOUTH), "{url}: a token is in {text}");
    Ok(())
}

async fn get(collector: &Collector, path: &str) -> anyhow::Result<Response> {
    collector.send(Method::GET, path).await
}

#[tokio::test]
async fn addresses_that_lead_nowhere() -> anyhow::Result<()> {
    let place = Place::new();
    let collector = place.collector().await;
    for (path, words) in [
        ("/api/v1/services/nothing", ["nothing", "shop"]),
        ("/api/v1/services/nothing/plan", ["nothing", "shop"]),
        ("/api/v1/services/nothing/series", ["nothing", "shop"]),
        ("/api/v1/services/shop/regions/mars-1", ["mars-1", "north, south"]),
        ("/api/v1/services/%3Cscript%3E", ["<script>", "shop"]),
        ("/api/v1/nonsense", ["/api/v1/nonsense", "not part of the API"]),
    ] {
        refused(get(&collector, path).await?, 404, &words).await?;
    }
    refused(get(&collector, "/api/v1/services/shop/plan").await?, 404, &["first plan"]).await?;
    refused(get(&collector, "/api/v1/services/%FF/plan").await?, 400, &[]).await?;
    for (path, method) in [
        ("/api/v1/overview", Method::POST),
        ("/api/v1/services/shop", Method::DELETE),
        ("/api/v1/reports", Method::GET),
        ("/api/v1/timeline", Method::PUT),
    ] {
        let answer = collector.send(method.clone(), path).await?;
        assert!(answer.headers().contains_key("allow"), "{path} does not say what it takes");
        refused(answer, 405, &[path, method.as_str()]).await?;
    }
    let page = get(&collector, "/nonsense").await?;
    assert_eq!(page.status(), 404);
    assert!(page.text().await?.contains("Back to the overview"), "people get a page");
    Ok(())
}

#[tokio::test]
async fn queries_that_are_wrong() -> anyhow::Result<()> {
    let place = Place::new();
    let collector = place.collector().await;
    for list in ["/api/v1/timeline", "/api/v1/services/shop/plans"] {
        for (query, words) in [
            ("limit=0", vec!["limit", "1 to 200"]),
            ("limit=201", vec!["limit", "1 to 200"]),
            ("limit=-1", vec!["limit", "1 to 200"]),
            ("limit=abc", vec!["limit"]),
            ("limit=99999999999999999999", vec!["limit"]),
            ("cursor=x", vec!["next_cursor"]),
            ("limit=1&limit=2", vec!["limit is given twice"]),
            ("limits=1", vec!["did you mean limit?"]),
        ] {
            refused(get(&collector, &format!("{list}?{query}")).await?, 400, &words).await?;
        }
        let page = collector.get(&format!("{list}?limit=200&cursor=-9223372036854775808")).await?;
        assert_eq!(page, json!({ "items": [], "next_cursor": null }));
    }
    Ok(())
}

#[tokio::test]
async fn reports_that_are_wrong() -> anyhow::Result<()> {
    let place = Place::new();
    let mut collector = place.collector().await;
    let good = batch("probe-north", vec![sample("health", "north", "ok")]);

    let anonymous = collector.send(Method::POST, "/api/v1/reports").await?;
    assert_eq!(anonymous.headers().get("www-authenticate").and_then(|h| h.to_str().ok()), Some("Bearer"));
    refused(anonymous, 401, &["Authorization: Bearer"]).await?;
    let stranger = collector.report("sxt_stranger", good.to_string()).await?;
    assert!(stranger.headers().contains_key("www-authenticate"));
    refused(stranger, 401, &["no probe in the configuration has this token"]).await?;

    let nested = "[".repeat(200_000);
    let deep = good.to_string().replacen("\"ok\"", &format!("\"ok\",\"evidence\":{{\"step\":{nested}"), 1);
    let truncated = &good.to_string()[..40];
    for body in ["", "garbage", "{}", "[]", "null", "\u{0}", truncated, &nested, &deep] {
        refused(collector.report(NORTH, body.to_owned()).await?, 400, &[]).await?;
    }
    for (field, value) in [
        ("total_us", json!(-1)),
        ("total_us", json!(4_294_967_296_i64)),
        ("started", json!(1e300)),
        ("target", json!("Mars!")),
        ("outcome", json!("fantastic")),
        ("check", json!("x".repeat(64))),
        ("status", json!(70_000)),
    ] {
        let mut wrong = good.clone();
        wrong["reports"][0]["samples"][0][field] = value;
        refused(collector.report(NORTH, wrong.to_string()).await?, 400, &[]).await?;
    }

    let others = collector.report(SOUTH, good.to_string()).await?;
    refused(others, 403, &["probe-south", "probe-north"]).await?;
    let many = vec![sample("health", "north", "ok"); 501];
    refused(collector.report(NORTH, batch("probe-north", many).to_string()).await?, 422, &["501", "500"])
        .await?;
    let mut reports = good.clone();
    reports["reports"] = json!(vec![good["reports"][0].clone(); 101]);
    refused(collector.report(NORTH, reports.to_string()).await?, 422, &["101", "100"]).await?;
    collector.still_decides().await
}

#[tokio::test]
async fn a_body_that_is_too_large() -> anyhow::Result<()> {
    let place = Place::new();
    let mut collector = place.collector().await;
    // It answers and hangs up in the middle, so a client must listen while it sends, which ours does not.
    let (length, address) = ((4 << 20) + 1, collector.url.trim_start_matches("http://"));
    let (read, mut write) = TcpStream::connect(address).await?.into_split();
    let head = format!(
        "POST /api/v1/reports HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {NORTH}\r\n\
         content-length: {length}\r\n\r\n"
    );
    let sending = tokio::spawn(async move {
        write.write_all(head.as_bytes()).await?;
        write.write_all(&vec![b' '; length]).await?;
        // Dropped here, it would close the connection before the answer.
        Ok::<_, io::Error>(write)
    });
    let mut answer = String::new();
    timeout(SOON, BufReader::new(read).read_line(&mut answer)).await??;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    drop(sending);
    // Nor does it take one that does not tell its length.
    let body = futures_util::stream::iter((0..6).map(|_| Ok::<_, io::Error>(vec![b' '; 1 << 20])));
    if let Ok(answer) = collector.report(NORTH, reqwest::Body::wrap_stream(body)).await {
        assert_eq!(answer.status(), 413);
    }
    collector.still_decides().await
}

#[tokio::test]
async fn fields_that_are_not_known_are_ignored() -> anyhow::Result<()> {
    let place = Place::new();
    let mut collector = place.collector().await;
    let mut newer = sample("health", "north", "ok");
    newer["colour"] = json!({ "of": ["the", "future"] });
    let mut future = batch("probe-north", vec![newer]);
    future["dialect"] = json!(7);
    future["deep"] = serde_json::from_str(&format!("{}{}", "[".repeat(100), "]".repeat(100)))?;
    future["reports"][0]["mood"] = json!("good");
    collector.accept(NORTH, &future).await?;
    let answer = collector.report(NORTH, future.to_string()).await?;
    assert_eq!(
        answer.json::<Value>().await?,
        json!({ "stored": 0, "duplicates": 1 }),
        "a resend changes nothing"
    );
    collector.still_decides().await?;
    Ok(())
}

/// A probe reports what it was told to measure, and nothing else: not a check that nobody has, not a target that the
/// check does not have, not another probe's check.
#[tokio::test]
async fn what_was_never_assigned_is_refused() -> anyhow::Result<()> {
    let place = Place::new();
    let mut collector = place.collector().await;
    let strangers = [
        (NORTH, batch("probe-north", vec![sample("gone", "north", "ok")]), "gone"),
        (NORTH, batch("probe-north", vec![sample("health", "mars-1", "ok")]), "mars-1"),
        (SOUTH, batch("probe-south", vec![sample("from-north", "north", "ok")]), "from-north"),
    ];
    for (token, batch, word) in strangers {
        let answer = collector.report(token, batch.to_string()).await?;
        assert_eq!(answer.status(), 422, "{word}");
        let problem = answer.text().await?;
        assert!(problem.contains("never assigned") && problem.contains(word), "{problem}");
    }
    collector.still_decides().await?;
    let series = collector.get("/api/v1/services/shop/series").await?.to_string();
    assert!(!["gone", "mars-1", "from-north"].iter().any(|word| series.contains(word)), "{series}");
    Ok(())
}
