//! The demo, asked for what it cannot do.

use super::program::{Program, run};
use std::{fs, path::Path};
use tempfile::TempDir;

const FAILED: i32 = 1;
const USAGE: i32 = 2;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

async fn demo_break(folder: &Path, args: &[&str]) -> super::program::Ended {
    run(folder, &[&["demo", "break"], args, &["--dir", "world"]].concat()).await
}

#[tokio::test]
async fn breaks_only_what_it_has() {
    let folder = folder();
    let mut demo = Program::start(folder.path(), &["demo", "--listen", "127.0.0.1:0", "--dir", "world"]);
    demo.dashboard().await;
    let at = folder.path();
    let all = "us-east-1, us-west-2, eu-west-1, ap-northeast-1, sa-east-1";
    let regions: Vec<&str> = all.split(", ").collect();
    demo_break(at, &["mars-1"]).await.failed(FAILED, &[&["mars-1"], &regions[..]].concat());
    let words = ["us-west-2 has no shop", "partition", "eu-west-1"];
    demo_break(at, &["us-west-2", "--how", "refuse"]).await.failed(FAILED, &words);
    let ways = ["bogus", "refuse, blackhole, errors, slow, partition, lag"];
    demo_break(at, &["eu-west-1", "--how", "bogus"]).await.failed(USAGE, &ways);
    for duration in ["0s", "-5s", "forever", "99999999999999999999s"] {
        let words = ["seconds or minutes", "60s"];
        demo_break(at, &["eu-west-1", &format!("--for={duration}")]).await.failed(USAGE, &words);
    }
    demo_break(at, &["<script>alert(1)</script>"]).await.failed(FAILED, &["there is no region"]);
    run(at, &["demo", "heal", "--dir", "world", "--url", "http://127.0.0.1:1"])
        .await
        .failed(FAILED, &["does not answer", "still running"]);
    assert!(demo.runs() && !demo.said().contains("panicked"), "the demo goes on:\n{}", demo.said());
}

#[tokio::test]
async fn without_a_demo_there_is_nothing_to_break() {
    let folder = folder();
    let advice = ["no demo in world", "start one with `sextant demo`", "--dir", "--url"];
    demo_break(folder.path(), &["eu-west-1"]).await.failed(FAILED, &advice);
    fs::create_dir(folder.path().join("world")).expect("a folder can be made");
    for damaged in ["", "{", "[]", "{\"dashboard\": 5}"] {
        fs::write(folder.path().join("world/demo.json"), damaged).expect("a file can be written");
        demo_break(folder.path(), &["eu-west-1"]).await.failed(FAILED, &["start one with `sextant demo`"]);
    }
    let gone = "{\"dashboard\": \"http://127.0.0.1:1\"}";
    fs::write(folder.path().join("world/demo.json"), gone).expect("a file can be written");
    demo_break(folder.path(), &["eu-west-1"]).await.failed(FAILED, &["does not answer", "still running"]);
}

#[tokio::test]
async fn leaves_a_foreign_folder_alone() {
    let folder = folder();
    let kept = folder.path().join("world/secrets/mine");
    fs::create_dir_all(kept.parent().expect("it has one")).expect("folders can be made");
    fs::write(&kept, "precious").expect("a file can be written");
    let args = ["demo", "--listen", "127.0.0.1:0", "--dir", "world"];
    run(folder.path(), &args).await.failed(FAILED, &["world is not empty", "--dir"]);
    assert_eq!(fs::read_to_string(&kept).expect("it is still there"), "precious");
    fs::write(folder.path().join("file"), "").expect("a file can be written");
    for dir in ["file", "file/world"] {
        let args = ["demo", "--listen", "127.0.0.1:0", "--dir", dir];
        run(folder.path(), &args).await.failed(FAILED, &["cannot write to", dir, "--dir"]);
    }
}

#[tokio::test]
async fn says_that_the_port_is_taken() {
    let folder = folder();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it has one").to_string();
    let args = ["demo", "--listen", &address, "--dir", "world"];
    run(folder.path(), &args).await.failed(FAILED, &["cannot listen on", &address, "--listen"]);
    let ended = run(folder.path(), &["demo", "--listen", "127.0.0.1"]).await;
    ended.failed(USAGE, &["--listen"]);
}

#[tokio::test]
async fn knows_its_scripts() {
    let folder = folder();
    for (args, code, word) in [
        (vec!["demo", "--script", "bogus"], USAGE, "bogus"),
        (vec!["demo", "--exit"], USAGE, "--script"),
        (vec!["demo", "--script", "outage", "--runs", "0"], USAGE, "--runs"),
        (
            vec!["demo", "--listen", "127.0.0.1:0", "--script", "outage", "--region", "mars-1", "--exit"],
            FAILED,
            "eu-west-1",
        ),
    ] {
        run(folder.path(), &args).await.failed(code, &[word]);
    }
}
