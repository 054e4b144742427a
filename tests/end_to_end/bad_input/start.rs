//! A collector that cannot start where it was told to.

use super::{
    place::{NORTH, Place},
    program::run,
};

const FAILED: i32 = 1;
const USAGE: i32 = 2;

fn collector<'a>(data: &'a str, listen: &'a str) -> Vec<&'a str> {
    vec!["collector", "--config", "sextant.yaml", "--data", data, "--listen", listen]
}

#[tokio::test]
async fn a_port_that_is_taken() {
    let place = Place::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it has one").to_string();
    let ended = run(place.path(), &collector("data", &address)).await;
    ended.failed(FAILED, &["cannot listen on", &address, "--listen", "in use"]);
    run(place.path(), &collector("data", "192.0.2.1:0"))
        .await
        .failed(FAILED, &["cannot listen on 192.0.2.1"]);
    for wrong in ["localhost", "127.0.0.1", "127.0.0.1:65536"] {
        run(place.path(), &collector("data", wrong)).await.failed(USAGE, &["--listen", wrong]);
    }
}

#[tokio::test]
async fn a_time_between_seals_that_is_none() {
    let place = Place::new();
    for wrong in ["0", "601", "10m", ""] {
        let args = [&collector("data", "127.0.0.1:0")[..], &["--seal-every", wrong]].concat();
        run(place.path(), &args).await.failed(USAGE, &["--seal-every", wrong]);
    }
}

#[tokio::test]
async fn a_data_folder_that_cannot_be_used() {
    let place = Place::new();
    place.write("file", "");
    for data in ["file", "file/data", "/dev/null/data", "/proc/data"] {
        let ended = run(place.path(), &collector(data, "127.0.0.1:0")).await;
        ended.failed(FAILED, &["cannot use the data folder", data, "--data"]).hides(&[NORTH]);
    }
}

#[tokio::test]
async fn a_database_that_is_none() {
    let place = Place::new();
    std::fs::create_dir(place.path().join("data")).expect("a folder can be made");
    place.write("data/sextant.db", vec![b'x'; 5000]);
    let ended = run(place.path(), &collector("data", "127.0.0.1:0")).await;
    ended.failed(FAILED, &["the database is damaged", "sextant.db", "restore the newest backup"]);
}

#[tokio::test]
async fn a_database_address_that_is_wrong() {
    let place = Place::new();
    let advice = "database";
    for url in ["postgres://sextant:hunter2@127.0.0.1:1/x", "postgres://sextant:hunter2@host.invalid/x"] {
        let args = [&collector("data", "127.0.0.1:0")[..], &["--database", url]].concat();
        run(place.path(), &args)
            .await
            .failed(FAILED, &["cannot open the database", advice])
            .hides(&["hunter2"]);
    }
    for url in ["", "mysql://sextant:hunter2@127.0.0.1:1/x", "postgres:/hunter2", "hunter2 is no address"] {
        let takes = ["cannot open the database", "postgres://sextant@db.example.com/sextant", "--data"];
        let args = [&collector("data", "127.0.0.1:0")[..], &["--database", url]].concat();
        run(place.path(), &args).await.failed(FAILED, &takes).hides(&["hunter2"]);
        for command in ["simulate", "backup --out b", "export --from 2026-11-20T00:00:00Z --out e.csv"] {
            let args: Vec<&str> = command.split(' ').chain(["--database", url]).collect();
            run(place.path(), &args).await.failed(FAILED, &takes).hides(&["hunter2"]);
        }
    }
}

#[tokio::test]
async fn a_second_collector_on_the_same_folder() -> anyhow::Result<()> {
    let place = Place::new();
    let mut first = place.collector().await;
    let ended = run(place.path(), &place.collector_args()).await;
    ended.failed(FAILED, &["data is in use by another collector", "--data"]);
    first.still_decides().await
}
