//! The configuration of a [`super::World`], and its secrets, made as a user makes them.

use super::{Setup, process::sextant, witness, world::id};
use anyhow::{Context, ensure};
use std::{fmt::Write as _, fs, net::SocketAddr, os::unix::fs::OpenOptionsExt, path::Path};
use wire::{CheckId, ProbeId, RegionId};

/// The host of the public entrance.
pub const PUBLIC_HOST: &str = "shop.test";

/// How many checks the witness reports about, which no other probe has: so many that they are in many shards.
pub const WITNESS_CHECKS: usize = 24;
/// The service of these checks.
pub const WITNESS_SERVICE: &str = "witnessed";
/// The region of the witness's probes.
pub const WITNESS_REGION: &str = "us-east-1";

/// A probe that the witness reports as.
pub fn witness(index: usize) -> ProbeId {
    id(&format!("witness-{index}"))
}

/// A check that the witness reports about.
pub fn witness_check(number: usize) -> CheckId {
    id(&format!("{WITNESS_SERVICE}-{number}"))
}

/// The host of a region's server.
pub fn shop_host(region: &RegionId) -> String {
    format!("{region}.{PUBLIC_HOST}")
}

/// Asks `sextant secret` for a secret, keeps it in a file that only this user reads, and returns it.
pub async fn secret(kind: &str, path: &Path) -> anyhow::Result<String> {
    let made = sextant().args(["secret", kind]).output().await?;
    ensure!(
        made.status.success(),
        "`sextant secret {kind}` failed: {}",
        String::from_utf8_lossy(&made.stderr)
    );
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    std::io::Write::write_all(&mut file, &made.stdout)?;
    Ok(String::from_utf8(made.stdout)?.trim().to_owned())
}

/// Writes the document and lets `sextant check` judge it.
pub async fn write(
    path: &Path,
    setup: &Setup,
    shops: &[RegionId],
    webhook: SocketAddr,
) -> anyhow::Result<()> {
    fs::write(path, document(setup, shops, webhook)).context("cannot write the configuration")?;
    let checked = sextant().arg("check").arg(path).output().await?;
    let said = String::from_utf8_lossy(&checked.stderr).into_owned();
    // Nobody is ever told of the service that the witness reports about.
    let serious = said.lines().find(|line| !line.starts_with("warning: services.witnessed:"));
    ensure!(checked.status.success() && serious.is_none(), "`sextant check` is not content: {said}");
    Ok(())
}

fn document(setup: &Setup, shops: &[RegionId], webhook: SocketAddr) -> String {
    let mut text = String::from("version: 1\nregions:\n");
    for region in setup.regions {
        let _ = writeln!(text, "  {region}: {{}}");
    }
    text.push_str("probes:\n");
    for region in setup.regions {
        let _ = writeln!(text, "  probe-{region}: {{ region: {region}, token: {{ file: {region}.token }} }}");
    }
    let witnesses: Vec<ProbeId> =
        if setup.witness { (0..witness::PROBES).map(witness).collect() } else { Vec::new() };
    for probe in &witnesses {
        let place = format!("region: {WITNESS_REGION}, token: {{ file: {probe}.token }}");
        let _ = writeln!(text, "  {probe}: {{ {place} }}");
    }
    let _ = writeln!(text, "services:\n  shop:\n    name: Shop\n    public: http://{PUBLIC_HOST}");
    text.push_str("    region_header: x-region\n    receivers: [entrance]\n    regions:\n");
    for region in shops {
        let _ = writeln!(text, "      {region}: http://{}", shop_host(region));
    }
    if setup.witness {
        let _ = writeln!(
            text,
            "  {WITNESS_SERVICE}: {{ regions: {{ {WITNESS_REGION}: http://witnessed.test }} }}"
        );
    }
    text.push_str("checks:\n");
    if setup.witness {
        let probes: Vec<&str> = witnesses.iter().map(ProbeId::as_str).collect();
        for check in (0..WITNESS_CHECKS).map(witness_check) {
            let from = probes.join(", ");
            let _ = writeln!(text, "  {check}:\n    service: {WITNESS_SERVICE}\n    from: [{from}]");
            text.push_str("    http: { path: / }\n    impact: none\n    interval: 60s\n    timeout: 1s\n");
        }
    }
    let from: Vec<String> = setup.regions.iter().map(|region| format!("probe-{region}")).collect();
    text.push_str(&CHECKS.replace("$from", &from.join(", ")));
    let _ = writeln!(text, "    webhook: http://{webhook}/steer");
    text.push_str(STEERING);
    if let Some(hold) = setup.hold {
        let _ = writeln!(text, "  hold: {hold}");
    }
    text
}

const CHECKS: &str = "  shop-health:
    service: shop
    from: [$from]
    http: { path: /health, expect: { status: 200, json: { $.status: ok } } }
    interval: 1s
    timeout: 1s
  shop-public:
    service: shop
    from: [$from]
    http: { path: /products, expect: { status: 200 } }
    to: public
    interval: 500ms
    timeout: 1s
receivers:
  entrance:
    secret: { file: entrance.whsec }
";

const STEERING: &str = "\
steering:
  fresh: 15s
  failback: { recover: 2s, recover_max: 4s, steps: [25, 100], every: 1s }
";
