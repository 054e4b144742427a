//! What is scraped is read back by a parser of the format and asked as a dashboard asks.

use super::*;
use crate::{
    metrics::table::Table,
    testing::{assignment, check, sample, target},
};
use std::collections::{BTreeMap, BTreeSet};
use wire::{
    Micros,
    assignment::{CheckKind, Icmp},
    sample::{Connection, FailClass, Outcome, Phases, Sample, TlsFacts},
};

/// Name and labels of each line, with its value. Panics on what Prometheus would refuse.
type Scrape = BTreeMap<(String, BTreeMap<String, String>), f64>;

fn parse(text: &str) -> Scrape {
    let (mut scrape, mut typed, mut current) = (Scrape::new(), BTreeSet::new(), String::new());
    assert!(text.is_empty() || text.ends_with('\n'));
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a kind");
            assert!(["gauge", "counter"].contains(&kind));
            assert_eq!(kind == "counter", name.ends_with("_total"), "{name}");
            assert!(typed.insert(name.to_owned()), "{name} comes in two places");
            current = name.to_owned();
        } else if !line.starts_with("# HELP ") {
            let (series, value) = line.rsplit_once(' ').expect("a value");
            let (name, labels) = series.split_once('{').expect("labels");
            assert_eq!(name, current, "lines of a family stand together, behind its type");
            let labels = labels.strip_suffix('}').expect("an end").split("\",");
            let labels = labels.map(|label| {
                let (name, value) = label.split_once("=\"").expect("a label");
                (name.to_owned(), value.trim_end_matches('"').to_owned())
            });
            let key = (name.to_owned(), labels.collect());
            let value: f64 = value.parse().expect("a number");
            assert!(scrape.insert(key, value).is_none(), "twice: {line}");
        }
    }
    scrape
}

/// The values of a name with these labels, as an instant query selects them.
fn select(scrape: &Scrape, name: &str, labels: &[(&str, &str)]) -> Vec<f64> {
    let fits = |of: &BTreeMap<String, String>| {
        labels.iter().all(|(name, value)| of.get(*name).is_some_and(|is| is == value))
    };
    scrape.iter().filter(|((is, of), _)| is == name && fits(of)).map(|(_, value)| *value).collect()
}

fn table() -> Table {
    let url = "https://127.0.0.1:1/";
    let mut ping = check("ping", 1, url);
    ping.kind = CheckKind::Icmp(Icmp { packets: 3, spacing_us: 1000, max_loss_percent: 0 });
    let table = Table::default();
    table.assign(&assignment(vec![check("home", 1, url), check("cart", 1, url), ping]));
    table
}

fn good() -> Sample {
    let tls = TlsFacts { version: "TLSv1.3".into(), cipher: "c".into(), stapled: false, verified: true };
    Sample {
        started: Micros(1_795_000_000_250_000),
        scheduled: Micros(1_795_000_000_000_000),
        total_us: 210_000,
        phases: Phases {
            dns: Some(10_000),
            connect: Some(20_000),
            tls: Some(30_000),
            send: Some(1_000),
            wait: Some(99_000),
            transfer: Some(50_000),
        },
        address: Some("[2001:db8::1]:443".into()),
        bytes: Some(4_321),
        certificate_expires: Some(Micros(1_800_000_000_000_000)),
        connection: Connection { protocol: Some("HTTP/2".into()), tls: Some(tls), ..Connection::default() },
        ..sample(0)
    }
}

fn scrape(table: &Table) -> Scrape {
    parse(&render(&table.rows(), &"north".parse().expect("an id")))
}

#[test]
fn a_dashboard_of_the_blackbox_exporter_finds_its_figures() {
    let table = table();
    table.take(&good());
    let scrape = scrape(&table);
    let home = [("check", "home"), ("target", "a"), ("region", "north")];
    let one = |name: &str, further: &[(&str, &str)]| {
        let found = select(&scrape, name, &[&home, further].concat());
        assert_eq!(found.len(), 1, "{name} {further:?}");
        found[0]
    };
    assert_eq!(one("probe_success", &[]), 1.0);
    assert_eq!(one("probe_duration_seconds", &[]), 0.21);
    assert_eq!(one("probe_dns_lookup_time_seconds", &[]), 0.01);
    let phases =
        [("resolve", 0.01), ("connect", 0.02), ("tls", 0.03), ("processing", 0.1), ("transfer", 0.05)];
    for (phase, seconds) in phases {
        assert_eq!(one("probe_http_duration_seconds", &[("phase", phase)]), seconds);
    }
    // `sum(probe_http_duration_seconds) by (check)` is the panel that everybody has.
    let sum: f64 = select(&scrape, "probe_http_duration_seconds", &home).iter().sum();
    assert!((sum - one("probe_duration_seconds", &[])).abs() < 1e-9);
    assert_eq!(one("probe_http_status_code", &[]), 200.0);
    assert_eq!(one("probe_http_version", &[]), 2.0);
    assert_eq!(one("probe_http_ssl", &[]), 1.0);
    assert_eq!(one("probe_ip_protocol", &[]), 6.0);
    assert_eq!(one("probe_http_uncompressed_body_length", &[]), 4321.0);
    // `probe_ssl_earliest_cert_expiry - time() < 86400 * 30` is the alert that everybody has.
    assert_eq!(one("probe_ssl_earliest_cert_expiry", &[]), 1_800_000_000.0);
    assert_eq!(one("probe_tls_version_info", &[("version", "TLS 1.3")]), 1.0);
    assert_eq!(one("probe_http_phase_duration_seconds", &[("phase", "wait")]), 0.099);
    assert_eq!(one("probe_schedule_delay_seconds", &[]), 0.25);
    assert_eq!(one("probe_runs_total", &[("result", "ok")]), 1.0);
}

#[test]
fn what_did_not_happen_has_no_line() {
    let table = table();
    let refused = Sample {
        outcome: Outcome::Fail(FailClass::Connect),
        phases: Phases { connect: Some(2_000), ..Phases::default() },
        status: None,
        ..sample(0)
    };
    table.take(&refused);
    table.take(&Sample { check: "cart".parse().expect("an id"), outcome: Outcome::Missed, ..sample(0) });
    let scrape = scrape(&table);
    let home = [("check", "home")];
    assert_eq!(select(&scrape, "probe_success", &home), [0.0]);
    assert_eq!(select(&scrape, "probe_http_duration_seconds", &home), [0.002]);
    let absent = [
        "probe_http_status_code",
        "probe_dns_lookup_time_seconds",
        "probe_ssl_earliest_cert_expiry",
        "probe_ip_protocol",
        "probe_http_ssl",
        "probe_icmp_duration_seconds",
    ];
    for name in absent {
        assert!(select(&scrape, name, &[]).is_empty(), "{name}");
    }
    let cart = [("check", "cart")];
    assert!(select(&scrape, "probe_success", &cart).is_empty(), "it never ran");
    assert_eq!(select(&scrape, "probe_skipped_total", &cart), [1.0]);
}

#[test]
fn an_echo_has_its_round_trip() {
    let table = table();
    let phases = Phases { dns: Some(1_000), wait: Some(30_000), ..Phases::default() };
    table.take(&Sample { check: "ping".parse().expect("an id"), phases, status: None, ..sample(0) });
    let scrape = scrape(&table);
    assert_eq!(select(&scrape, "probe_icmp_duration_seconds", &[("phase", "rtt")]), [0.03]);
    assert_eq!(select(&scrape, "probe_icmp_duration_seconds", &[("phase", "resolve")]), [0.001]);
    assert!(select(&scrape, "probe_http_duration_seconds", &[]).is_empty());
}

#[test]
fn more_series_than_the_sdk_keeps_are_told_one_by_one() {
    let table = Table::default();
    let checks: Vec<_> = (0..3_000).map(|n| check(&format!("c{n}"), 1, "http://127.0.0.1:1/")).collect();
    table.assign(&assignment(checks));
    for n in 0..3_000 {
        let check = format!("c{n}").parse().expect("an id");
        table.take(&Sample { check, target: target("a"), ..good() });
    }
    assert_eq!(select(&scrape(&table), "probe_success", &[]).len(), 3_000);
}
