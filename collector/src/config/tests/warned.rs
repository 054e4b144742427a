//! What is legal but unwise.

use super::{good, with_checks};
use crate::config::warnings;

#[test]
fn a_bare_service_is_warned_of() {
    let warnings = warnings(&good(&with_checks(
        "  c: {service: shop, to: a, interval: 1h, http: {headers: {Authorization: Basic x}}}\nreceivers: {far: \
         {webhook: 'http://far.example.com', secret: {env: S}}, near: {webhook: 'http://127.0.0.1:1/', secret: {env: \
         S}}}\nsteering: {keep_regions: 2}\n",
    )));
    let expected = [
        "services.shop: no check with an impact measures region b",
        "services.shop: is seen from 1 failure domain;",
        "services.shop: nobody is told about plans",
        "services.shop: without `region_header`",
        "services.shop: `steering.keep_regions` keeps traffic in all",
        "checks.c: a header that usually holds a secret",
        "receivers.far: plans travel over plain HTTP",
        "steering.fresh: evidence counts for 3h",
    ];
    assert_eq!(warnings.len(), expected.len(), "{warnings:#?}");
    for (warning, expected) in warnings.iter().zip(expected) {
        assert!(warning.starts_with(expected), "{warning}");
    }
}

#[test]
fn kinds_that_will_disappoint_are_warned_of() {
    let document = with_checks(
        "  d: {service: shop, dns: {name: a, server: b}}\n  e: {service: shop, dns: {name: a, server: b}, to: a}\n  \
         f: {service: shop, dns: {name: a}}\n  i: {service: shop, icmp: {max_loss: 100%}}\n  t: {service: shop, tls: }\n  \
         w: {service: shop, websocket: {headers: {Cookie: x}}}\n  u: {service: shop, tls: , to: a}\n  \
         v: {service: shop, http: {tls: {skip_verify: true}, headers: {Authorization: '{{ secret.a }}'}}}\n",
    );
    let found = warnings(&good(&document.replace("b: http://b", "b: 'http://b:8080'")));
    let checks: Vec<_> = found.iter().filter(|warning| warning.starts_with("checks.")).collect();
    let expected = [
        "checks.d: asks the same `server` for every region",
        "checks.i: with `max_loss: 100%`",
        "checks.t: speaks TLS to a port of plain HTTP",
        "checks.v: with `skip_verify: true`",
        "checks.w: a header that usually holds a secret",
    ];
    assert_eq!(checks.len(), expected.len(), "{checks:#?}");
    for (warning, expected) in checks.iter().zip(expected) {
        assert!(warning.starts_with(expected), "{warning}");
    }
}

#[test]
fn expecting_a_server_that_nobody_names_is_warned_of() {
    let check = "  c: {service: shop, http: {expect: {served_by: here}}}\n";
    let warned = |document: &str| {
        warnings(&good(document)).iter().any(|warning| warning.starts_with("checks.c: expects `served_by`"))
    };
    let document = with_checks(check);
    assert!(warned(&document));
    assert!(!warned(&document.replace("shop: {public", "shop: {region_cookie: lb, public")));
}

#[test]
fn only_answers_with_headers_prove_a_move() {
    let document = |kind: &str| {
        let checks = with_checks(&format!("  c: {{service: shop, {kind}, to: public}}\n"));
        checks.replace("shop: {public", "shop: {region_header: x-region, public")
    };
    let unproved = |kind: &str| {
        warnings(&good(&document(kind))).iter().any(|warning| warning.contains("no move can be"))
    };
    assert!(unproved("dns: {name: a}") && unproved("tcp: ") && !unproved("http: "));
}
