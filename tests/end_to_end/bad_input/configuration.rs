//! Documents that are wrong: every problem at once, with line and column, and exit code 3.

use super::{
    place::{KEY, NORTH, Place},
    program::run,
};

const CONFIGURATION: i32 = 3;

#[tokio::test]
async fn every_problem_is_listed_at_once() {
    let place = Place::new();
    let text = "\
version: 1
regions: { north: { coordinates: [91, 0] } }
probes:
  probe-north: { region: nort, token: { file: north.token } }
services:
  shop: { regions: { north: ftp://shop.example } }
checks:
  health: { service: shop, http: { path: /health }, intervall: 5s }
  other: { service: shop, http: { path: /health, expect: { status: 2000 } }, interval: 5 parsecs }
";
    place.write("sextant.yaml", text);
    let places = [
        ("sextant.yaml:2:", "coordinates"),
        ("sextant.yaml:4:", "nort"),
        ("sextant.yaml:6:", "ftp"),
        ("sextant.yaml:8:", "intervall"),
        ("sextant.yaml:9:", "2000"),
        ("sextant.yaml:9:", "parsecs"),
    ];
    for args in [vec!["check", "sextant.yaml"], place.collector_args()] {
        let ended = run(place.path(), &args).await;
        ended.failed(CONFIGURATION, &["problems in", "interval", "north"]);
        for (line, word) in places {
            let told = ended.output.lines().any(|said| said.contains(line) && said.contains(word));
            assert!(told, "{line} with {word} is not told:\n{}", ended.output);
        }
    }
    assert!(!place.path().join("data").exists(), "a refused configuration leaves nothing behind");
}

#[tokio::test]
async fn files_that_are_no_configuration_are_named() {
    let place = Place::new();
    place.write("syntax.yaml", "version: 1\nregions: { north: {}\nprobes: ]\n");
    place.write("garbage.yaml", (0..=255).cycle().take(9000).collect::<Vec<u8>>());
    place.write("empty.yaml", "");
    place.write("list.yaml", "- 1\n- 2\n");
    place.write("huge.yaml", "# a\n".repeat(3 << 20));
    place.write("bomb.yaml", bomb());
    let cases: [(&str, &[&str]); 8] = [
        ("missing.yaml", &["missing.yaml", "no such file", "--config"]),
        ("syntax.yaml", &["syntax.yaml:3:"]),
        ("garbage.yaml", &["garbage.yaml", "UTF-8"]),
        ("empty.yaml", &["empty.yaml:1:1"]),
        ("list.yaml", &["list.yaml:1:1"]),
        ("huge.yaml", &["huge.yaml", "MiB"]),
        ("bomb.yaml", &["bomb.yaml"]),
        (".", &["folder"]),
    ];
    for (file, words) in cases {
        run(place.path(), &["check", file]).await.failed(CONFIGURATION, words);
        run(place.path(), &["collector", "--config", file, "--listen", "127.0.0.1:0"])
            .await
            .failed(CONFIGURATION, words);
    }
}

/// Anchors that grow to a billion values when they are followed.
fn bomb() -> String {
    let mut text = String::from("x-0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n");
    for n in 1..10 {
        let aliases = vec![format!("*a{}", n - 1); 10].join(", ");
        text.push_str(&format!("x-{n}: &a{n} [{aliases}]\n"));
    }
    text
}

#[tokio::test]
async fn secrets_in_the_document_are_refused_and_not_repeated() {
    let place = Place::new();
    let config = std::fs::read_to_string(place.path().join("sextant.yaml")).expect("it was just written");
    let inline = config
        .replace("{ file: entrance.whsec }", KEY)
        .replace("{ file: north.token }", &format!("\"{NORTH}\""));
    assert_ne!(inline, config);
    place.write("sextant.yaml", inline);
    for args in [vec!["check", "sextant.yaml"], place.collector_args()] {
        let ended = run(place.path(), &args).await;
        ended.failed(CONFIGURATION, &["secret", "token", "file", "env"]).hides(&[KEY, NORTH]);
    }
}

#[tokio::test]
async fn every_missing_secret_is_listed_at_once() {
    let place = Place::new();
    place.write("north.token", "\n");
    std::fs::remove_file(place.path().join("south.token")).expect("it is there");
    let wrong = "hunter2-is-no-webhook-secret";
    place.write("entrance.whsec", wrong);
    let ended = run(place.path(), &place.collector_args()).await;
    let words = [
        "north.token is empty",
        "south.token: make the file",
        "entrance.whsec does not hold a webhook secret",
        "sextant secret webhook",
    ];
    ended.failed(CONFIGURATION, &words).hides(&[wrong]);
}

#[tokio::test]
async fn two_probes_with_one_token_are_refused() {
    let place = Place::new();
    place.write("south.token", NORTH);
    let ended = run(place.path(), &place.collector_args()).await;
    ended.failed(CONFIGURATION, &["same token", "probe-north", "give each probe its own"]).hides(&[NORTH]);
}
