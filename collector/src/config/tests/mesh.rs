//! The mesh: who takes part, and what is wrong with it.

use super::{bad, good};
use std::time::Duration;

fn document(mesh: &str, p: &str, q: &str) -> String {
    format!(
        "version: 1\nregions: {{a: {{}}, b: {{}}}}\nprobes:\n  p: {{region: a, token: {{env: T}}{p}}}\n  q: \
         {{region: b, token: {{env: U}}{q}}}\n{mesh}"
    )
}

const KEY: &str = "mesh: { key: { env: MESH_KEY } }\n";

#[test]
fn the_mesh_has_seats_and_defaults() {
    let text = document(KEY, ", mesh: 203.0.113.7:8862", ", mesh: send");
    let config = good(&text);
    let mesh = config.mesh.expect("is configured");
    assert_eq!((mesh.every, mesh.window), (Duration::from_millis(100), Duration::from_secs(60)));
    let seats: Vec<_> = config.probes.values().map(|probe| probe.mesh.clone().expect("takes part")).collect();
    assert_eq!(seats[0].address.as_deref(), Some("203.0.113.7:8862"));
    assert_eq!(seats[0].listen, Some("0.0.0.0:8862".parse().expect("an address")));
    assert_eq!((&seats[1].address, seats[1].listen), (&None, None));

    let long = document(
        "mesh: { key: { env: K }, every: 50ms, window: 10s }",
        ", mesh: { address: '[2001:db8::7]:8862', listen: '[::1]:9000' }",
        ", mesh: { address: 203.0.113.8:1 }",
    );
    let config = good(&long);
    assert_eq!(config.mesh.expect("is configured").every, Duration::from_millis(50));
    assert_eq!(good(&document("", "", "")).mesh, None);

    let named = good(&document(KEY, ", mesh: probe.example.com", ", mesh: send"));
    let seat = named.probes.values().next().and_then(|probe| probe.mesh.clone()).expect("takes part");
    assert_eq!(seat.address.as_deref(), Some("probe.example.com:862"));
    assert_eq!(seat.listen, Some("0.0.0.0:862".parse().expect("an address")));
}

#[test]
fn what_cannot_work_is_said() {
    let with = |mesh: &str, p: &str| bad(&document(mesh, p, ", mesh: send")).join("\n");
    for (mesh, p, says) in [
        ("mesh: { }", ", mesh: 1.2.3.4:5", "key"),
        ("mesh: { key: s3cret }", ", mesh: 1.2.3.4:5", "secrets do not belong"),
        ("mesh: { key: { env: K }, every: 1s, window: 5s }", ", mesh: 1.2.3.4:5", "fewer than 10 packets"),
        ("mesh: { key: { env: K }, every: 1ms }", ", mesh: 1.2.3.4:5", "a duration from"),
        (KEY, ", mesh: off", "leave `mesh` out"),
        (
            "mesh: { key: { env: K }, every: 10ms, window: 10m }",
            ", mesh: 1.2.3.4:5",
            "more than 10000 packets",
        ),
        (KEY, ", mesh: send", "nobody to measure"),
        (KEY, "", "nobody to measure"),
        (KEY, ", mesh: 'a b'", "a host with or without a port"),
        (KEY, ", mesh: 1.2.3.4:0", "a host with or without a port"),
        (KEY, ", mesh: { address: a.example, listen: b.example:1 }", "an IP address with a port"),
        (KEY, ", mesh: { listen: 1.2.3.4:5 }", "address"),
        (KEY, ", mesh: { address: '1.2.3.4:5', listen: '[::]:5' }", "both be IPv4"),
    ] {
        let problems = with(mesh, p);
        assert!(problems.contains(says), "{mesh} {p}: {problems}");
    }
    let orphan = bad(&document("", ", mesh: 1.2.3.4:5", "")).join("\n");
    assert!(orphan.contains("no mesh to take part"), "{orphan}");
}
