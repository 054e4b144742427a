//! The configuration of a [`super::World`], and its secrets, made as a user makes them.

use super::{Setup, process::sextant};
use anyhow::{Context, ensure};
use std::{fmt::Write as _, fs, net::SocketAddr, os::unix::fs::OpenOptionsExt, path::Path};
use wire::RegionId;

/// The host of the public entrance.
pub const PUBLIC_HOST: &str = "shop.test";

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
    ensure!(checked.status.success() && said.is_empty(), "`sextant check` is not content: {said}");
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
    let _ = writeln!(text, "services:\n  shop:\n    name: Shop\n    public: http://{PUBLIC_HOST}");
    text.push_str("    region_header: x-region\n    receivers: [entrance]\n    regions:\n");
    for region in shops {
        let _ = writeln!(text, "      {region}: http://{}", shop_host(region));
    }
    text.push_str(CHECKS);
    let _ = writeln!(text, "    webhook: http://{webhook}/steer");
    text.push_str(STEERING);
    if let Some(hold) = setup.hold {
        let _ = writeln!(text, "  hold: {hold}");
    }
    text
}

const CHECKS: &str = "\
checks:
  shop-health:
    service: shop
    http: { path: /health, expect: { status: 200, json: { $.status: ok } } }
    interval: 1s
    timeout: 1s
  shop-public:
    service: shop
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
