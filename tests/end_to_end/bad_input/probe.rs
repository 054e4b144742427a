//! Probes that are started wrongly, against a collector that runs.

use super::{
    place::{Collector, NORTH, Place, SOUTH},
    program::{Ended, Program, run},
};

const FAILED: i32 = 1;
const USAGE: i32 = 2;
const REFUSED: i32 = 4;

async fn probe(place: &Place, collector: &str, region: &str, token_file: &str) -> Ended {
    let args = [
        "probe",
        "--region",
        region,
        "--collector",
        collector,
        "--token-file",
        token_file,
        "--data",
        "probe",
    ];
    run(place.path(), &args).await
}

#[tokio::test]
async fn a_region_that_does_not_exist() -> anyhow::Result<()> {
    let place = Place::new();
    let mut collector = place.collector().await;
    let ended = probe(&place, &collector.url, "mars-1", "north.token").await;
    ended.failed(REFUSED, &["mars-1", "north, south"]).hides(&[NORTH]);
    let ended = probe(&place, &collector.url, "Mars!", "north.token").await;
    ended.failed(USAGE, &["Mars!", "lower-case letters, digits and hyphens", "--region"]);
    collector.still_decides().await
}

#[tokio::test]
async fn a_token_that_is_wrong() -> anyhow::Result<()> {
    let place = Place::new();
    let mut collector = place.collector().await;
    let stranger = "sxt_stranger_fedcba9876543210";
    place.write("stranger.token", stranger);
    let ended = probe(&place, &collector.url, "north", "stranger.token").await;
    ended.failed(REFUSED, &["no probe in the configuration has this token", "token file", "sextant.yaml"]);
    ended.hides(&[stranger, NORTH, SOUTH]);

    let ended = probe(&place, &collector.url, "north", "south.token").await;
    ended
        .failed(REFUSED, &["probe-south", "--region south", "token of a probe in north"])
        .hides(&[NORTH, SOUTH]);
    assert!(
        !collector.program.said().contains(stranger),
        "the collector prints a token that it does not know"
    );
    collector.still_decides().await
}

#[tokio::test]
async fn a_token_file_that_holds_none() {
    let place = Place::new();
    place.write("empty.token", " \n");
    place.write("garbage.token", [0xff, 0xfe, 0x00]);
    place.write("lines.token", "two words\nand lines");
    let nowhere = "http://127.0.0.1:1";
    let cases: [(&str, &[&str]); 5] = [
        ("empty.token", &["empty.token is empty", "write the probe's token"]),
        ("missing.token", &["missing.token", "sextant secret token", "--token-file"]),
        ("garbage.token", &["garbage.token"]),
        ("lines.token", &["token"]),
        (".", &["token file"]),
    ];
    for (file, words) in cases {
        probe(&place, nowhere, "north", file).await.failed(FAILED, words).hides(&["two words"]);
    }
}

#[tokio::test]
async fn a_collector_that_is_no_address() {
    let place = Place::new();
    for (url, code, words) in [
        ("ftp://collector.example", FAILED, ["http://", "https://"]),
        ("http://user:hunter2@collector.example", FAILED, ["collector.example", "no user name or password"]),
        ("collector.example:8600", FAILED, ["http://", "https://"]),
        ("not an address", USAGE, ["--collector", "not an address"]),
    ] {
        probe(&place, url, "north", "north.token").await.failed(code, &words).hides(&["hunter2", NORTH]);
    }
}

#[tokio::test]
async fn a_data_folder_that_cannot_be_used() {
    let place = Place::new();
    place.write("file", "");
    for data in ["file", "file/probe"] {
        let args = [
            "probe",
            "--region",
            "north",
            "--collector",
            "http://127.0.0.1:1",
            "--token-file",
            "north.token",
        ];
        let ended = run(place.path(), &[&args[..], &["--data", data]].concat()).await;
        ended.failed(FAILED, &["cannot create the data folder", data, "choose another"]);
    }
}

#[tokio::test]
async fn a_second_probe_in_the_same_folder() -> anyhow::Result<()> {
    let place = Place::new();
    let collector: Collector = place.collector().await;
    let args = ["probe", "--region", "north", "--collector", &collector.url, "--token-file", "north.token"];
    let mut first = Program::start(place.path(), &[&args[..], &["--data", "probe"]].concat());
    first.says("connected", std::time::Duration::from_secs(30)).await;
    let ended = probe(&place, &collector.url, "north", "north.token").await;
    ended.failed(FAILED, &["probe/spool is used by another process", "a data folder of its own"]);
    assert!(first.runs(), "the first goes on");
    Ok(())
}
