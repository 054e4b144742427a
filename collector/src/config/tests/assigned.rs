//! What probes are told.

use super::{SHOP, good, with_checks};
use crate::config::assignment;
use wire::assignment::Target;

#[test]
fn a_probe_gets_its_checks_with_addresses() {
    let config = good(SHOP);
    let tokyo = "probe-ap-northeast-1".parse().expect("an id");
    let assigned = assignment(&config, 7, &tokyo).expect("is configured");
    assert_eq!((assigned.revision, assigned.region.as_str()), (7, "ap-northeast-1"));
    let ids: Vec<_> = assigned.checks.iter().map(|check| check.id.as_str()).collect();
    let expected =
        ["shop-certificate", "shop-entrance", "shop-health", "shop-journey", "shop-name", "shop-port"];
    assert_eq!(ids, expected, "not shop-search");

    let [certificate, entrance, health, journey, name, port] = assigned.checks.as_slice() else {
        panic!("six")
    };
    assert_eq!(certificate.endpoints[0].url, "https://shop.ap-northeast-1.example.com");
    assert_eq!((name.endpoints.len(), name.endpoints[0].target.clone()), (1, Target::Public));
    assert_eq!(entrance.endpoints.len(), 1);
    assert_eq!(entrance.endpoints[0].target, Target::Public);
    assert_eq!(entrance.endpoints[0].url, "https://shop.example.com");
    assert_eq!(health.endpoints[0].url, "https://shop.ap-northeast-1.example.com");
    assert_eq!(
        (health.interval_us, health.timeout_us, health.budget_us),
        (2_000_000, 2_000_000, Some(800_000))
    );
    assert_eq!(health.region_header.as_deref(), Some("x-region"));
    assert_eq!((health.regions.len(), journey.regions.len()), (0, 3));
    assert_eq!(port.endpoints[1].url, "tcp://shop.eu-west-1.example.com:443");
}

#[test]
fn strangers_get_nothing() {
    assert_eq!(assignment(&good(SHOP), 1, &"stranger".parse().expect("an id")), None);
}

#[test]
fn the_public_entrance_can_be_dialled() {
    let config = good(&with_checks("  c: {service: shop, tcp: {}, to: public}\n"));
    let assigned = assignment(&config, 1, &"p".parse().expect("an id")).expect("is configured");
    assert_eq!(assigned.checks[0].endpoints[0].url, "tcp://shop:80");
}

#[test]
fn every_kind_but_tcp_keeps_the_base_address() {
    for kind in ["tls: ", "dns: {name: a}", "icmp: ", "grpc: ", "websocket: "] {
        for (to, expected) in [("all", ["http://a", "http://b"].as_slice()), ("public", &["http://shop"])] {
            let config = good(&with_checks(&format!("  c: {{service: shop, {kind}, to: {to}}}\n")));
            let assigned = assignment(&config, 1, &"p".parse().expect("an id")).expect("is configured");
            let [check] = assigned.checks.as_slice() else { panic!("one") };
            let urls: Vec<_> = check.endpoints.iter().map(|endpoint| endpoint.url.as_str()).collect();
            assert_eq!((urls.as_slice(), check.regions.len()), (expected, 0), "{kind}");
        }
    }
}
