//! What a right document means.

use super::{SHOP, good, with_checks};
use crate::config::{Impact, LoadError, SecretSource, Steering, TokenSource, load};
use std::{fs, path::Path, time::Duration};
use wire::{
    assignment::{CheckKind, Place, Request, Source, Target},
    view::Automation,
};

fn http(config: &crate::config::Config, check: &str) -> Request {
    match &config.checks[&check.parse().expect("an id")].kind {
        CheckKind::Http(request) => request.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn nothing_but_a_version_is_a_configuration() {
    let config = good("version: 1\nregions:\nchecks: {}\nx-notes: [anything]\n");
    assert!(config.regions.is_empty() && config.checks.is_empty());
    assert_eq!(config.steering, Steering::default());
}

#[test]
fn the_shop() {
    let config = good(SHOP);
    let shop = &config.services[&"shop".parse().expect("an id")];
    let weights: Vec<_> = shop.endpoints.iter().map(|(id, at)| (id.as_str(), at.weight)).collect();
    assert_eq!(weights, [("ap-northeast-1", 50), ("eu-west-1", 100), ("us-east-1", 100)]);
    assert_eq!(shop.public_url.as_deref(), Some("https://shop.example.com"));

    let health = &config.checks[&"shop-health".parse().expect("an id")];
    assert_eq!((health.interval, health.timeout), (Duration::from_secs(2), Duration::from_secs(2)));
    assert_eq!((health.from.len(), health.to.len(), health.impact), (3, 3, Impact::Down));
    let request = http(&config, "shop-health");
    assert_eq!((request.method.as_str(), request.expect.status), ("GET", vec![200]));
    assert_eq!(request.expect.json["$.status"], "ok");

    let entrance = &config.checks[&"shop-entrance".parse().expect("an id")];
    assert_eq!((entrance.to.as_slice(), entrance.impact), ([Target::Public].as_slice(), Impact::None));

    let search = &config.checks[&"shop-search".parse().expect("an id")];
    let from: Vec<_> = search.from.iter().map(|id| id.as_str()).collect();
    assert_eq!((from, search.impact), (vec!["probe-eu-west-1", "probe-us-east-1"], Impact::Degraded));
    assert_eq!(search.timeout, Duration::from_secs(5), "at most 5 s by default");

    let CheckKind::Journey(journey) = &config.checks[&"shop-journey".parse().expect("an id")].kind else {
        panic!("a journey")
    };
    let [browse, create, put, read] = journey.steps.as_slice() else { panic!("four steps") };
    assert_eq!((browse.request.method.as_str(), &browse.place), ("GET", &Place::Here));
    assert_eq!(create.request.body.as_deref(), Some(r#"{"currency":"EUR","items":[]}"#));
    assert_eq!(create.request.headers["content-type"], "application/json");
    assert_eq!(create.capture["cart"], Source::Json("$.cart".into()));
    assert_eq!(
        (put.request.method.as_str(), put.request.path.as_str()),
        ("PUT", "/carts/{{ cart }}/items/1")
    );
    assert_eq!((&read.place, read.within_us), (&Place::Other, Some(2_000_000)));
    assert_eq!(read.request.expect.json["$.items[0].quantity"], "2");
    assert_eq!(config.steering.keep_regions, Some(2));
}

#[test]
fn requests() {
    let config = good(&with_checks(
        "  a: {service: shop, http: }\n  b: {service: shop, http: {method: POST, json: [1, ~, yes, 1.5, {a: true}], \
         headers: {Content-Type: application/x+json}}}\n  c: {service: shop, http: {body: '{% literal', expect: \
         {status: [200, 204], json: {$.a: null, $.b: true, $.c: 1.5}}}}\n",
    ));
    let plain = http(&config, "a");
    assert_eq!((plain.method.as_str(), plain.path.as_str(), plain.body), ("GET", "/", None));
    let json = http(&config, "b");
    assert_eq!(json.body.as_deref(), Some(r#"[1,null,"yes",1.5,{"a":true}]"#));
    assert_eq!(json.headers["content-type"], "application/x+json");
    let expect = http(&config, "c").expect;
    assert_eq!(expect.json.into_values().collect::<Vec<_>>(), ["null", "true", "1.5"]);
}

#[test]
fn addresses_are_normalised() {
    let text = "version: 1\nregions: {a: {}, b: {}}\nservices: {s: {region_header: X-Region, regions: {a: \
                'HTTP://Host.example:80/', b: 'https://[::1]:8443/base/'}}}\n";
    let service = &good(text).services[&"s".parse().expect("an id")];
    let urls: Vec<_> = service.endpoints.values().map(|at| at.url.as_str()).collect();
    assert_eq!(urls, ["http://host.example", "https://[::1]:8443/base"]);
    assert_eq!(service.region_header.as_deref(), Some("x-region"));
}

#[test]
fn steering() {
    for (word, automation) in [
        ("on", Automation::On),
        ("off", Automation::Off),
        ("true", Automation::On),
        ("false", Automation::Off),
        ("observe", Automation::Observe),
    ] {
        let config =
            good(&format!("version: 1\nsteering: {{automation: {word}, proof: {{max_share: 0.1}}}}\n"));
        assert_eq!(config.steering.automation, automation);
        assert!((config.steering.proof.max_share - 0.1).abs() < 1e-9);
    }
    let percent =
        good("version: 1\nsteering: {proof: {max_share: 2.5%}, failback: {recover: 2h}}\n").steering;
    assert!((percent.proof.max_share - 0.025).abs() < 1e-9);
    assert_eq!(percent.failback.recover_max, Duration::from_secs(7200), "not below recover");
}

#[test]
fn fresh_follows_the_slowest_check_that_votes() {
    let fresh = |checks: &str| good(&with_checks(checks)).steering.fresh.as_secs();
    assert_eq!(fresh("  c: {service: shop, tcp: {}, interval: 2s}\n"), 15);
    assert_eq!(fresh("  c: {service: shop, tcp: {}, interval: 10s}\n"), 30);
    assert_eq!(fresh("  c: {service: shop, tcp: {}, interval: 1h, impact: none}\n"), 15);
}

#[test]
fn files_are_found_beside_the_document() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sextant.yaml");
    let text = "version: 1\nregions: {a: {}}\nprobes: {p: {region: a, token: {file: p.token}}}\n\
                receivers: {r: {webhook: 'http://localhost/h', secret: {file: /etc/r}}}\n";
    fs::write(&path, text).expect("writes");
    let (config, loaded) = load(&path).expect("loads");
    assert_eq!(loaded, text);
    let token = &config.probes[&"p".parse().expect("an id")].token;
    assert_eq!(*token, TokenSource::File(folder.path().join("p.token")));
    assert_eq!(config.probes[&"p".parse().expect("an id")].failure_domain, "a");
    let secret = &config.receivers[&"r".parse().expect("an id")].secret;
    assert_eq!(*secret, SecretSource::File("/etc/r".into()));
}

#[test]
fn files_that_cannot_be_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let message = |path: &Path| load(path).expect_err("refused").to_string();
    assert!(message(&folder.path().join("none.yaml")).contains("there is no such file"));
    assert!(message(folder.path()).contains("this is a folder"));
    let path = folder.path().join("x.yaml");
    fs::write(&path, b"\xff\xfe").expect("writes");
    assert!(message(&path).contains("save it as UTF-8"));
    fs::write(&path, vec![b'#'; (4 << 20) + 1]).expect("writes");
    assert!(matches!(load(&path), Err(LoadError::TooLarge(_))));
    fs::write(&path, "version: 3").expect("writes");
    assert!(message(&path).contains("x.yaml:1:10: version: this Sextant"));
}
