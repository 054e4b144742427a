//! How checks reach their endpoints, and what is said of keys that do not fit.

use super::{bad, good, with_checks};
use crate::config::assignment;
use wire::assignment::{CheckKind, Family, Reach, Ttl};

/// The checks that a probe gets for these fields of a check `c`, by id.
fn assigned(fields: &str) -> Vec<(String, Reach)> {
    let config = good(&with_checks(&format!("  c: {{service: shop, {fields}}}\n")));
    let assigned = assignment(&config, 1, &"p".parse().expect("an id")).expect("is configured");
    assigned.checks.into_iter().map(|check| (check.id.to_string(), check.reach)).collect()
}

#[test]
fn reach_travels_to_the_probe() {
    assert_eq!(assigned("tcp: "), [("c".to_owned(), Reach::default())]);
    let fields = "http: {}, family: v6, addresses: all, resolver: [192.0.2.53, '[::1]:5353'], redirects: 3, \
                  connection: reuse";
    let whole = Reach {
        family: Family::V6,
        all_addresses: true,
        resolvers: vec!["192.0.2.53:53".to_owned(), "[::1]:5353".to_owned()],
        redirects: 3,
        reuse: true,
        ..Reach::default()
    };
    assert_eq!(assigned(fields), [("c".to_owned(), whole)]);
    let least = "icmp: {}, addresses: first, redirects: 0, connection: fresh, resolver: '::1'";
    let reach = Reach { resolvers: vec!["[::1]:53".to_owned()], ..Reach::default() };
    assert_eq!(assigned(least), [("c".to_owned(), reach)]);
}

#[test]
fn two_families_are_two_checks() {
    let reach = |family| Reach { family, redirects: 1, ..Reach::default() };
    assert_eq!(
        assigned("http: {}, family: [v6, v4], redirects: 1"),
        [("c-v4".to_owned(), reach(Family::V4)), ("c-v6".to_owned(), reach(Family::V6))]
    );
    assert_eq!(assigned("http: {}, family: [v4]")[0].0, "c");

    let long = format!("  {}: {{service: shop, tcp: , family: [v4, v6]}}\n", "x".repeat(61));
    let problems = bad(&with_checks(&long));
    assert!(problems.len() == 2 && problems[0].starts_with("6:3 checks.xxx"), "{problems:?}");
    assert!(problems[0].contains("whose id is too long; shorten this one"), "{problems:?}");
    let taken = "  c-v4: {service: shop, tcp: }\n  c: {service: shop, tcp: , family: [v4, v6]}\n";
    let problems = bad(&with_checks(taken));
    assert_eq!(problems.len(), 1);
    assert!(
        problems[0].starts_with("7:3 checks.c: measuring both families makes a check `c-v4`"),
        "{problems:?}"
    );
}

#[test]
fn keys_that_do_not_fit_are_refused() {
    for (fields, expected) in [
        ("tcp: , family: ipv4", ".family: "),
        ("tcp: , family: [v4, v4]", ".family[1]: stands in this list already"),
        ("tcp: , family: []", ".family: expected `v4`, `v6` or `[v4, v6]`"),
        ("tcp: , addresses: every", ".addresses: "),
        ("icmp: , addresses: all", ".addresses: only http, tcp, tls, grpc and websocket checks can do that"),
        ("tcp: , redirects: 1", ".redirects: only http and journey checks can do that"),
        ("http: {}, redirects: 11", ".redirects: "),
        ("grpc: , connection: reuse", ".connection: only http checks can do that"),
        ("http: {}, connection: kept", ".connection: "),
        ("tcp: , resolver: ns1.example.com", ".resolver: expected the IP address of a DNS server"),
        ("tcp: , resolver: '192.0.2.1:0'", ".resolver: expected the IP address of a DNS server"),
        ("tcp: , resolver: [::1, ::2, ::3, ::4]", ".resolver: 1 to 3 resolvers can be named, these are 4"),
        ("dns: {name: a, servers: authoritative, server: ns}", ".dns.server: `servers: authoritative` finds"),
        ("dns: {name: a, servers: authoritative, tcp: true}", ".dns.tcp: `servers: authoritative` asks"),
        ("dns: {name: a, servers: authoritative, rcode: REFUSED}", ".dns.rcode: a server that has the zone"),
        ("dns: {name: a, servers: all}", ".dns.servers: "),
        ("dns: {name: a, ttl: {}}", ".dns.ttl: expected `least`, `most` or both"),
        ("dns: {name: a, ttl: {least: 2m, most: 1m}}", ".dns.ttl: `least` is longer than `most`"),
        ("dns: {name: a, ttl: {least: 1500ms}}", ".dns.ttl.least: expected whole seconds"),
    ] {
        let problems = bad(&with_checks(&format!("  c: {{service: shop, {fields}}}\n")));
        assert_eq!(problems.len(), 1, "{fields}: {problems:?}");
        assert!(problems[0].contains(&format!(" checks.c{expected}")), "{fields}: {problems:?}");
    }
}

#[test]
fn an_address_has_the_family_that_it_has() {
    let text = |family: &str| {
        with_checks(&format!("  c: {{service: shop, tcp: , to: public, family: {family}}}\n"))
            .replace("public: http://shop", "public: 'http://192.0.2.1'")
    };
    assert_eq!(good(&text("v4")).checks.len(), 1);
    for family in ["v6", "[v4, v6]"] {
        let problems = bad(&text(family));
        assert_eq!(problems.len(), 1, "{problems:?}");
        let expected = "checks.c.family: the address of `public` is an IPv4 address and has no other";
        assert!(problems[0].contains(expected), "{problems:?}");
    }
}

#[test]
fn zones_and_times_to_live() {
    let config = good(&with_checks(
        "  c: {service: shop, dns: {name: a, servers: authoritative, ttl: {least: 1m, most: 1h}}, to: public}\n",
    ));
    let CheckKind::Dns(dns) = &config.checks[&"c".parse().expect("an id")].kind else { panic!("dns") };
    assert!(dns.authoritative);
    assert_eq!(dns.ttl, Some(Ttl { least_s: Some(60), most_s: Some(3600) }));
}
