//! The demo's folder: a configuration as one would write it for production, with its secrets in files.

use crate::secret;
use anyhow::{Context, bail};
use lab::world::{PUBLIC_HOST, shop_host};
use runtime::random::Random;
use std::{
    fmt::Write as _,
    fs,
    io::Write as _,
    net::SocketAddr,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};
use wire::RegionId;

/// Marks a folder as the demo's own, and tells `sextant demo break` where the demo is.
pub const MARK: &str = "demo.json";

/// The demo's files.
#[derive(Debug, Clone)]
pub struct Folder {
    pub path: PathBuf,
}

/// The host name of a region's probe.
pub fn probe_host(region: &RegionId) -> String {
    format!("probe.{region}.demo.test")
}

/// Names and coordinates for the map (city of the region, rounded).
const PLACES: [(&str, &str, f64, f64); 5] = [
    ("us-east-1", "N. Virginia", 38.9, -77.4),
    ("us-west-2", "Oregon", 45.8, -119.7),
    ("eu-west-1", "Ireland", 53.3, -6.3),
    ("ap-northeast-1", "Tokyo", 35.7, 139.7),
    ("sa-east-1", "São Paulo", -23.5, -46.6),
];

impl Folder {
    /// Makes the folder, and clears what an earlier demo left in it. A folder that holds anything else is left alone.
    pub fn prepare(path: &Path) -> anyhow::Result<Folder> {
        let shown = path.display();
        let occupied = fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some());
        if occupied && !path.join(MARK).exists() {
            bail!("{shown} is not empty and not an earlier demo's folder: choose another with --dir");
        }
        if occupied {
            // Whoever runs there has it open.
            drop(collector::app::lock_folder(&path.join("collector")).with_context(|| {
                format!("a demo runs in {shown}: stop it first, or choose another folder with --dir")
            })?);
            for part in ["collector", "probes", "secrets"] {
                let part = path.join(part);
                if part.exists() {
                    fs::remove_dir_all(&part).with_context(|| format!("cannot clear {}", part.display()))?;
                }
            }
        }
        for part in ["", "secrets", "probes"] {
            let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path.join(part));
            made.with_context(|| format!("cannot write to {shown}: choose another folder with --dir"))?;
        }
        let path = path.canonicalize().with_context(|| format!("cannot find {shown}"))?;
        let folder = Folder { path };
        folder.write(MARK, "{}\n")?;
        Ok(folder)
    }

    /// The configuration document.
    pub fn config(&self) -> PathBuf {
        self.path.join("sextant.yaml")
    }

    /// The collector's data folder.
    pub fn collector(&self) -> PathBuf {
        self.path.join("collector")
    }

    /// A probe's data folder.
    pub fn probe(&self, region: &RegionId) -> PathBuf {
        self.path.join("probes").join(region.as_str())
    }

    /// Where the demo can be reached.
    pub fn announce(&self, dashboard: SocketAddr) -> anyhow::Result<()> {
        let document =
            serde_json::json!({ "dashboard": format!("http://{dashboard}"), "pid": std::process::id() });
        self.write(MARK, &format!("{document}\n"))
    }

    /// Writes a new token for a region's probe and returns it.
    pub fn token(&self, region: &RegionId, random: &Random) -> anyhow::Result<String> {
        let token = secret::token(random);
        self.write(&format!("secrets/probe-{region}.token"), &format!("{token}\n"))?;
        Ok(token)
    }

    /// Writes a new webhook secret for the entrance and returns it.
    pub fn webhook_secret(&self, random: &Random) -> anyhow::Result<String> {
        let key = secret::webhook(random);
        self.write("secrets/entrance.whsec", &format!("{key}\n"))?;
        Ok(key)
    }

    /// Writes a new key for the mesh.
    pub fn mesh_key(&self, random: &Random) -> anyhow::Result<()> {
        self.write("secrets/mesh.key", &format!("{}\n", secret::mesh(random)))
    }

    /// Writes the configuration document. Each region comes with the address at which its probe answers the others.
    pub fn document(
        &self,
        regions: &[(RegionId, SocketAddr)],
        shops: &[RegionId],
        entrance: SocketAddr,
    ) -> anyhow::Result<()> {
        self.write("sextant.yaml", &document(regions, shops, entrance))
    }

    /// Writes a file that only this user can read.
    fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let path = self.path.join(name);
        let write = || {
            let mut file =
                fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
            file.write_all(text.as_bytes())
        };
        write().with_context(|| format!("cannot write {}: check the folder's permissions", path.display()))
    }
}

/// The whole document.
fn document(regions: &[(RegionId, SocketAddr)], shops: &[RegionId], entrance: SocketAddr) -> String {
    let mut text = String::from(HEAD);
    text.push_str("\nregions:\n");
    for (id, name, latitude, longitude) in
        PLACES.iter().filter(|(id, ..)| regions.iter().any(|(region, _)| region.as_str() == *id))
    {
        let _ = writeln!(text, "  {id}: {{ name: {name}, coordinates: [{latitude}, {longitude}] }}");
    }
    text.push_str("\nprobes:\n");
    for (region, listen) in regions {
        let _ = writeln!(text, "  probe-{region}:");
        let _ = writeln!(text, "    region: {region}");
        let _ = writeln!(text, "    token: {{ file: secrets/probe-{region}.token }}");
        let (host, port) = (probe_host(region), wire::mesh::PORT);
        let _ = writeln!(text, "    mesh: {{ address: \"{host}:{port}\", listen: \"{listen}\" }}");
    }
    text.push_str(MESH);
    let _ = write!(
        text,
        "{SERVICE}    public: http://{PUBLIC_HOST}\n    region_header: x-region\n    regions:\n"
    );
    for region in shops {
        let _ = writeln!(text, "      {region}: {{ url: \"http://{}\", weight: 100 }}", shop_host(region));
    }
    text.push_str("    receivers: [entrance]\n");
    text.push_str(CHECKS);
    let _ = writeln!(text, "\nreceivers:\n  entrance:\n    webhook: http://{entrance}/_steer");
    text.push_str("    secret: { file: secrets/entrance.whsec }\n");
    text.push_str(STEERING);
    text
}

const HEAD: &str = "\
# The demo's configuration. Everything in it is production configuration: copy it, and replace the addresses.
# Check a change with `sextant check FILE`. docs/configuration.md explains every field.
version: 1
";

const MESH: &str = "
# The probes measure the network between each other. The default window is a minute.
mesh: { key: { file: secrets/mesh.key }, window: 10s }
";

const SERVICE: &str = "
services:
  shop:
    name: Shop
";

const CHECKS: &str = r#"
checks:
  shop-health:
    service: shop
    http: { path: /health, expect: { status: 200, json: { "$.status": ok } } }
    interval: 2s
    timeout: 2s
    slower_than: 1200ms
  shop-purchase:
    service: shop
    interval: 5s
    timeout: 4s
    journey:
      steps:
        - name: browse
          get: /products
          expect: { status: 200 }
        - name: open a cart
          post: /carts
          json: {}
          expect: { status: 201 }
          capture: { cart: { json: $.cart } }
        - name: put a rope in
          post: /carts/{{ cart }}/items
          json: { sku: rope, quantity: 2 }
          expect: { status: 200 }
        - name: see it there
          get: /carts/{{ cart }}
          expect: { status: 200, body_contains: rope }
  # Follows a user who is sent to another region in the middle of a purchase: the cart must follow in time.
  # When it does not, the region's users are worse off, but moving all of them would not help: impact degraded.
  shop-cart-follows:
    service: shop
    interval: 5s
    timeout: 5s
    impact: degraded
    journey:
      steps:
        - name: open a cart here
          post: /carts
          json: {}
          expect: { status: 201 }
          capture: { cart: { json: $.cart } }
        - name: find it in another region
          in: other
          get: /carts/{{ cart }}
          expect: { status: 200 }
          within: 4s
  # What users get at the public address, and from which region: the proof that traffic moved.
  shop-public:
    service: shop
    http: { path: /products, expect: { status: 200 } }
    to: public
    interval: 1s
    timeout: 4s
"#;

const STEERING: &str = "
steering:
  automation: on
  hold: 6s # shorter trouble moves nobody
  confirm_every: 1s
  proof: { samples: 40, max_share: 5%, deadline: 60s }
  # Short, so that the demo is not long. The defaults are recover: 5m, recover_max: 30m,
  # steps: [1, 5, 10, 25, 50, 100], every: 60s.
  failback: { recover: 10s, recover_max: 20s, steps: [10, 25, 50, 100], every: 4s }
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_a_demo_that_runs_is_left_alone() {
        let path = tempfile::tempdir().expect("a folder");
        let folder = Folder::prepare(path.path()).expect("an empty folder");
        let running = collector::app::lock_folder(&folder.collector()).expect("locked");
        let database = folder.collector().join("sextant.db");
        fs::write(&database, "of the demo that runs").expect("written");
        let refused = Folder::prepare(path.path()).expect_err("it runs");
        assert!(format!("{refused:#}").contains("a demo runs in"), "{refused:#}");
        assert!(database.exists());
        drop(running);
        Folder::prepare(path.path()).expect("it ended");
        assert!(!database.exists());
    }

    #[test]
    fn the_document_is_valid() {
        let all: Vec<RegionId> = PLACES.iter().map(|(id, ..)| id.parse().expect("an id")).collect();
        let shops = [all[0].clone(), all[2].clone(), all[3].clone()];
        let seats: Vec<_> = all.iter().map(|region| (region.clone(), ([127, 0, 0, 1], 8).into())).collect();
        let text = document(&seats, &shops, ([127, 0, 0, 1], 9).into());
        let config = collector::config::parse(&text, "demo").unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!((config.probes.len(), config.checks.len()), (5, 4));
        assert!(
            collector::config::warnings(&config).is_empty(),
            "{:?}",
            collector::config::warnings(&config)
        );
    }
}
