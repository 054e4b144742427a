//! `sextant check run`: one check from a terminal, explained, with an exit code for scripts.

use crate::harness::process::sextant;
use axum::{Router, http::StatusCode, routing::get};
use std::{fs, net::SocketAddr, process::Output};
use tempfile::TempDir;
use tokio::net::TcpListener;

/// A service with one page that works and one that does not.
async fn service() -> SocketAddr {
    let routes = Router::new()
        .route("/well", get(|| async { ([("x-region", "r1")], "all is well") }))
        .route("/ill", get(|| async { (StatusCode::INTERNAL_SERVER_ERROR, "no database") }));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move { axum::serve(listener, routes).await });
    address
}

fn document(service: SocketAddr) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text = format!(
        "version: 1\nregions: {{ r1: {{}} }}\nprobes: {{ p1: {{ region: r1, token: {{ env: T }} }} }}\n\
         services:\n  s: {{ region_header: x-region, regions: {{ r1: 'http://{service}' }} }}\n\
         checks:\n  well: {{ service: s, http: {{ path: /well }} }}\n  ill:\n    service: s\n    journey:\n      \
         steps:\n        - {{ name: first, get: /well }}\n        - {{ name: second, get: /ill }}\n        \
         - {{ name: third, get: /well }}\n"
    );
    fs::write(folder.path().join("sextant.yaml"), text).expect("written");
    folder
}

async fn run(folder: &TempDir, args: &[&str]) -> Output {
    let mut command = sextant();
    command.args(["check", "run"]).args(args).current_dir(folder.path());
    command.output().await.expect("it runs")
}

#[tokio::test]
async fn explains_what_it_saw() {
    let folder = document(service().await);
    let done = run(&folder, &["well"]).await;
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert_eq!(done.status.code(), Some(0), "{said}");
    for expected in [
        "well on r1",
        "> GET http://",
        "> user-agent: sextant/",
        "< 200 from 127.0.0.1:",
        "< x-region: r1",
        "< | all is well",
        "holds:    status 200 to 399, saw 200 OK",
        "served by r1",
        "wait ",
        "outcome   ok",
    ] {
        assert!(said.contains(expected), "{expected} is missing in {said}");
    }
}

#[tokio::test]
async fn a_failing_step_fails_the_command() {
    let folder = document(service().await);
    let done = run(&folder, &["ill"]).await;
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert_eq!(done.status.code(), Some(10), "{said}");
    for expected in [
        "1. first",
        "2. second",
        "FAILED (status)",
        "3. third",
        "not run",
        "EXPECTED: status 200",
        "no database",
    ] {
        assert!(said.contains(expected), "{expected} is missing in {said}");
    }
    let done = run(&folder, &["ill", "--json"]).await;
    let json: serde_json::Value = serde_json::from_slice(&done.stdout).expect("one JSON object");
    assert_eq!(json["outcome"]["fail"], "status");
    assert_eq!(json["steps"].as_array().map(Vec::len), Some(2));
    assert_eq!(json["trail"][1]["assertions"][0]["pass"], false);
    assert_eq!(done.status.code(), Some(10));
}

#[tokio::test]
async fn what_does_not_exist_is_named() {
    let folder = document(service().await);
    for (args, expected) in
        [(&["nothing"][..], "the checks are ill, well"), (&["well", "--to", "r9"][..], "use one of r1")]
    {
        let done = run(&folder, args).await;
        assert_eq!(done.status.code(), Some(1));
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(said.contains(expected), "{said}");
    }
}
