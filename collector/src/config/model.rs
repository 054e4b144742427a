//! The validated configuration: what the rest of the collector works with. Every id that is referred to exists,
//! every number is in range; `validate` makes sure of it.

use super::Voting;
use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};
use wire::{
    CheckId, Network, ProbeId, ReceiverId, RegionId, ServiceId,
    assignment::{CheckKind, Reach, Target, TlsOptions},
    view::Automation,
};

/// The whole configuration document.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    pub regions: BTreeMap<RegionId, Region>,
    pub probes: BTreeMap<ProbeId, Probe>,
    pub services: BTreeMap<ServiceId, Service>,
    pub checks: BTreeMap<CheckId, Check>,
    /// The checks that vote, by what they vote on.
    pub voting: Voting,
    pub receivers: BTreeMap<ReceiverId, Receiver>,
    pub steering: Steering,
    /// The probes' measurements of each other; none when not configured.
    pub mesh: Option<Mesh>,
}

/// Where users and servers are.
#[derive(Debug, Clone, PartialEq)]
pub struct Region {
    pub name: String,
    /// Degrees: −90 to 90, −180 to 180.
    pub coordinates: Option<(f64, f64)>,
}

/// A vantage.
#[derive(Debug, Clone, PartialEq)]
pub struct Probe {
    pub region: RegionId,
    /// What it shares its fate with (provider, network, site). Votes of one domain are no independent evidence.
    /// The region's id when not configured.
    pub failure_domain: String,
    pub token: TokenSource,
    /// Its part in the mesh, if it has one.
    pub mesh: Option<MeshSeat>,
}

/// How the probes measure the network between each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mesh {
    /// What the keys of all sessions are derived from.
    pub key: SecretSource,
    /// Time between two packets of a session. Default 100 ms.
    pub every: Duration,
    /// What one result is about. Default 60 s.
    pub window: Duration,
}

/// Where a probe takes part in the mesh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeshSeat {
    /// `host:port` where others reach it (UDP, and TCP for the fall-back); nobody can when absent, and it only sends.
    pub address: Option<String>,
    /// Where it listens; present with `address`.
    pub listen: Option<SocketAddr>,
}

/// How a probe's token is recognised. Only its SHA-256 is ever kept in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenSource {
    /// The SHA-256 of the token, 32 bytes.
    Sha256([u8; 32]),
    /// A file that holds the token; read when the collector starts.
    File(PathBuf),
    /// An environment variable that holds the token; read when the collector starts.
    Env(String),
}

/// What users use.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    pub name: String,
    /// The public entrance; without it no proof is possible.
    pub public_url: Option<String>,
    /// The response header that names the region which served a request; lower case.
    pub region_header: Option<String>,
    /// The cookie that names it, where no header does.
    pub region_cookie: Option<String>,
    /// The addresses by which a region is recognised, where neither names it.
    pub region_addresses: BTreeMap<RegionId, Vec<Network>>,
    pub endpoints: BTreeMap<RegionId, EndpointConfig>,
    /// Who is told about plans.
    pub receivers: Vec<ReceiverId>,
}

impl Service {
    /// Whether an answer can tell which region served it.
    pub fn names_regions(&self) -> bool {
        self.region_header.is_some() || self.region_cookie.is_some() || !self.region_addresses.is_empty()
    }
}

/// A service in one region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointConfig {
    /// Base URL without a trailing slash.
    pub url: String,
    /// 0 to 100; the sum over a service is above 0.
    pub weight: u8,
}

/// A measurement on a schedule.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    pub service: ServiceId,
    pub kind: CheckKind,
    /// What is asked of TLS handshakes beyond the usual.
    pub tls: TlsOptions,
    /// The port in place of the address's.
    pub port: Option<u16>,
    /// Which probes run it; never empty.
    pub from: Vec<ProbeId>,
    /// Where it measures; never empty.
    pub to: Vec<Target>,
    pub interval: Duration,
    pub timeout: Duration,
    /// A successful run that takes longer is slow.
    pub budget: Option<Duration>,
    pub impact: Impact,
    /// How its endpoints are reached.
    pub reach: Reach,
}

impl Check {
    /// Whether its answers have headers, in which the region that served them can name itself: what proofs are made
    /// of.
    pub fn can_name_region(&self) -> bool {
        matches!(self.kind, CheckKind::Http(_) | CheckKind::Journey(_))
    }
}

/// What a failing check says of a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Impact {
    /// Users cannot use the region: may justify an evacuation.
    Down,
    /// Users are worse off in the region: shown, never a reason to evacuate.
    Degraded,
    /// Evidence for proof only, as the checks of the public entrance.
    None,
}

/// Somebody who is told about plans by a signed webhook.
#[derive(Debug, Clone, PartialEq)]
pub struct Receiver {
    pub url: String,
    pub secret: SecretSource,
}

/// Where a secret is read from when the collector starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    File(PathBuf),
    Env(String),
}

/// How verdicts are made and traffic is moved. One set for all services.
#[derive(Debug, Clone, PartialEq)]
pub struct Steering {
    pub automation: Automation,
    /// How long a vantage must see nothing but failures before it votes down; measured between send times,
    /// so that timeouts of a blip do not stretch it. Default 6 s.
    pub hold: Duration,
    /// How often every vantage repeats a check while a region is suspect. Default 1 s.
    pub confirm_every: Duration,
    /// Evidence older than this is no evidence. At least three intervals of the slowest check that votes, and at
    /// least `hold` and its timeout; by default the smallest such duration from 15 s on.
    pub fresh: Duration,
    /// The smallest number of regions of a service that keep traffic. Default 1, and 2 with three or more regions.
    pub keep_regions: Option<u8>,
    /// The most regions of a service that are evacuated at a time without a person. Default 1.
    pub max_evacuated: u8,
    pub proof: ProofConfig,
    pub failback: Failback,
}

/// What counts as proof that traffic moved.
#[derive(Debug, Clone, PartialEq)]
pub struct ProofConfig {
    /// Public requests needed, from at least two vantages when there are two. Default 40.
    pub samples: u32,
    /// The largest share an evacuated region may still serve, 0 to 1. Default 0.05.
    pub max_share: f64,
    /// When to give up. Default 60 s.
    pub deadline: Duration,
}

/// How a recovered region gets its users back.
#[derive(Debug, Clone, PartialEq)]
pub struct Failback {
    /// How long every eligible vantage must see the region healthy; the outage's own length when that is longer,
    /// up to `recover_max`. Default 5 min.
    pub recover: Duration,
    /// Default 30 min.
    pub recover_max: Duration,
    /// Percent of the configured weight, ascending, ending in 100. Default 1, 5, 10, 25, 50, 100.
    pub steps: Vec<u8>,
    /// The least time between two steps. Default 60 s.
    pub every: Duration,
}

impl Default for Steering {
    fn default() -> Self {
        Self {
            automation: Automation::On,
            hold: Duration::from_secs(6),
            confirm_every: Duration::from_secs(1),
            fresh: Duration::from_secs(15),
            keep_regions: None,
            max_evacuated: 1,
            proof: ProofConfig { samples: 40, max_share: 0.05, deadline: Duration::from_secs(60) },
            failback: Failback {
                recover: Duration::from_secs(300),
                recover_max: Duration::from_secs(1800),
                steps: vec![1, 5, 10, 25, 50, 100],
                every: Duration::from_secs(60),
            },
        }
    }
}
