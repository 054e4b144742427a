//! What a probe shall measure: the collector derives it from the configuration, the probe keeps it on disk.

use crate::{CheckId, Micros, Network, ProbeId, RegionId, ServiceId, mesh::MeshPlan};
pub use crate::{journey::*, request::*};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{collections::BTreeMap, fmt, str::FromStr};

/// Everything one probe shall do, as an absolute state: a newer revision replaces an older one as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// The configuration revision this was derived from. Grows; a probe never goes back.
    pub revision: i64,
    pub probe: ProbeId,
    pub region: RegionId,
    pub checks: Vec<AssignedCheck>,
    /// Its part in measuring the network between probes, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mesh: Option<MeshPlan>,
}

/// One check as one probe runs it: a series for each endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssignedCheck {
    pub id: CheckId,
    pub service: ServiceId,
    pub kind: CheckKind,
    /// Time between two scheduled starts of one series, microseconds, at least 1 s (100 ms in tests).
    pub interval_us: u32,
    /// The longest a run may take, microseconds; cut when it elapses.
    pub timeout_us: u32,
    /// A run that takes longer than this is slow (microseconds).
    pub budget_us: Option<u32>,
    /// Where to measure: one series each.
    pub endpoints: Vec<Endpoint>,
    /// Base addresses of the service in every region, for journey steps that go elsewhere.
    #[serde(default)]
    pub regions: BTreeMap<RegionId, String>,
    /// The response header that names the region which served a request.
    pub region_header: Option<String>,
    /// What else is known of the places where the service runs.
    #[serde(default)]
    pub places: Places,
    /// How the endpoint is reached.
    #[serde(default)]
    pub reach: Reach,
}

/// What is known of the places where a service runs, beyond the addresses of its regions.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Places {
    /// Base URL of the public entrance, for journey steps that go there.
    #[serde(default)]
    pub public: Option<String>,
    /// The region of this probe, as journeys may name it.
    #[serde(default)]
    pub vantage: Option<RegionId>,
    /// The region of the service that is nearest to this probe, for journey steps that go there.
    #[serde(default)]
    pub nearest: Option<RegionId>,
    /// The cookie that names the region which served a request, where no header does.
    #[serde(default)]
    pub region_cookie: Option<String>,
    /// Addresses by which a region is recognised, where neither a header nor a cookie names it.
    #[serde(default)]
    pub region_addresses: BTreeMap<RegionId, Vec<Network>>,
}

/// How a check gets from a name to a connection. The default is what a new user's first request does.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Reach {
    /// Which addresses of a name may be used.
    #[serde(default)]
    pub family: Family,
    /// Measure every address of the name, each with a verdict of its own; the run fails when one of them fails.
    #[serde(default)]
    pub all_addresses: bool,
    /// DNS servers to ask, `address:port`, in order; those of the machine when empty.
    #[serde(default)]
    pub resolvers: Vec<String>,
    #[serde(default)]
    pub tls: TlsOptions,
    /// Keep the connection for the next run, and say so in the sample.
    #[serde(default)]
    pub reuse: bool,
    /// How many redirects are followed, 0 to 10.
    #[serde(default)]
    pub redirects: u8,
}

/// Which addresses of a name may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// The first IPv4 address, or else the first IPv6 one.
    #[default]
    Any,
    V4,
    V6,
}

/// What is asked of a TLS handshake beyond the usual.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TlsOptions {
    /// Certificates (PEM) to trust instead of the public ones; may name a secret of the probe that holds them.
    #[serde(default)]
    pub ca: Option<String>,
    /// The name to ask for (SNI) and to find in the certificate; the host when absent.
    #[serde(default)]
    pub server_name: Option<String>,
    /// The secrets of the probe that hold the client's certificate chain and its key, both PEM.
    #[serde(default)]
    pub client: Option<ClientCertificate>,
    /// Accept any certificate. The sample says that nothing was verified.
    #[serde(default)]
    pub skip_verify: bool,
    /// The handshake must agree on this version or a newer one.
    #[serde(default)]
    pub least_version: Option<TlsVersion>,
}

/// Versions of TLS that are still safe (RFC 8996).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum TlsVersion {
    #[serde(rename = "1.2")]
    V1_2,
    #[serde(rename = "1.3")]
    V1_3,
}

/// Protocols that begin in clear and turn to TLS when asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartTls {
    /// RFC 3207.
    Smtp,
    /// RFC 9051, 6.2.1.
    Imap,
    /// RFC 2595.
    Pop3,
    /// RFC 4217.
    Ftp,
    /// RFC 4511, 4.14.
    Ldap,
    /// The `SSLRequest` of PostgreSQL's protocol.
    Postgres,
}

/// Names of secrets that each probe has of its own; their values never travel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientCertificate {
    pub certificate: String,
    pub key: String,
}

/// One address to measure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    pub target: Target,
    /// Base URL: `http://`, `https://` or, for TCP checks, `tcp://`.
    pub url: String,
}

/// What a series points at: one region's endpoint, or the public entrance that users take.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    Region(RegionId),
    Public,
}

/// The word that stands for the public entrance where a region could stand; no region may have this id.
pub const PUBLIC: &str = "public";

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Region(region) => region.fmt(f),
            Target::Public => f.pad(PUBLIC),
        }
    }
}

impl FromStr for Target {
    type Err = crate::id::BadId;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == PUBLIC { Ok(Target::Public) } else { text.parse().map(Target::Region) }
    }
}

impl TryFrom<String> for Target {
    type Error = crate::id::BadId;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl Target {
    /// The target as text: a region's id, or [`PUBLIC`].
    pub fn as_str(&self) -> &str {
        match self {
            Target::Region(region) => region.as_str(),
            Target::Public => PUBLIC,
        }
    }
}

impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(crate::id::Text(std::marker::PhantomData))
    }
}

impl From<Target> for String {
    fn from(target: Target) -> String {
        target.to_string()
    }
}

/// How to measure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckKind {
    Http(Request),
    Tcp(Tcp),
    Tls(Tls),
    Dns(Dns),
    Icmp(Icmp),
    Grpc(Grpc),
    WebSocket(WebSocket),
    Journey(Journey),
    /// A kind that this version has no name for: what a probe makes of a check of a newer collector, so that the rest
    /// of the assignment can be applied. Never sent, and not part of a configuration.
    Unknown(String),
}

/// A TCP connection that must be accepted; the address is the endpoint's host and port.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tcp {
    /// What to send once connected.
    #[serde(default)]
    pub send: Option<String>,
    /// A text that what the server says must contain, within its first 4 KiB.
    #[serde(default)]
    pub expect: Option<String>,
    /// Turn to TLS in the way of this protocol before anything is sent or expected.
    #[serde(default)]
    pub starttls: Option<StartTls>,
}

/// A TLS handshake whose certificate must be trusted; the address is the endpoint's host and port (443 by default).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tls {
    /// The name to ask for (SNI) and to find in the certificate; the endpoint's host when absent.
    #[serde(default)]
    pub server_name: Option<String>,
    /// Every certificate of the chain must stay valid for at least this long, seconds.
    #[serde(default)]
    pub valid_for_s: Option<u64>,
    /// The cipher suites (IANA names) of which one must be agreed on; any when empty.
    #[serde(default)]
    pub ciphers: Vec<String>,
    /// The server must staple an OCSP response.
    #[serde(default)]
    pub stapled: bool,
    /// Turn to TLS in the way of this protocol.
    #[serde(default)]
    pub starttls: Option<StartTls>,
}

/// One DNS question to one server, without any cache between.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dns {
    /// The name to ask for.
    pub name: String,
    #[serde(default)]
    pub record: RecordType,
    /// `host:port` of the server; port 53 of the endpoint's host when absent.
    #[serde(default)]
    pub server: Option<String>,
    /// Ask by TCP; else by UDP, and by TCP when the answer was truncated.
    #[serde(default)]
    pub tcp: bool,
    /// The response code that is expected, for example `NOERROR` or `NXDOMAIN`.
    pub rcode: String,
    /// Records that must be among the answers, as text: an address, a name without its last dot, a text.
    #[serde(default)]
    pub answers: Vec<String>,
    /// The answer must carry the AD flag: the server vouches for DNSSEC.
    #[serde(default)]
    pub authentic: bool,
    /// Ask every authoritative server of the name's zone, each of which must be right, and all of which must agree on
    /// the answer and on the zone's serial.
    #[serde(default)]
    pub authoritative: bool,
    /// How long the answers may be kept.
    #[serde(default)]
    pub ttl: Option<Ttl>,
}

/// Bounds of the time to live of each record of an answer, seconds, both inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ttl {
    #[serde(default)]
    pub least_s: Option<u32>,
    #[serde(default)]
    pub most_s: Option<u32>,
}

/// Types of DNS records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RecordType {
    #[default]
    A,
    Aaaa,
    Cname,
    Mx,
    Ns,
    Soa,
    Txt,
}

/// Echo requests to the endpoint's host (RFC 792, RFC 4443). The time of a run is the median round trip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Icmp {
    /// 1 to 20.
    pub packets: u8,
    /// Time between two packets, microseconds.
    pub spacing_us: u32,
    /// The largest share of lost packets that is still a success, percent.
    pub max_loss_percent: u8,
}

/// The standard gRPC health check (`grpc.health.v1.Health/Check`) over HTTP/2.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Grpc {
    /// The service to ask for; empty for the server as a whole.
    #[serde(default)]
    pub service: String,
}

/// A WebSocket handshake (RFC 6455), optionally with a message each way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebSocket {
    /// Path and query.
    pub path: String,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// A text message to send.
    #[serde(default)]
    pub send: Option<String>,
    /// A text that the first message must contain.
    #[serde(default)]
    pub expect: Option<String>,
}

/// A request to run checks at once and repeatedly, so that a suspicion is checked from every vantage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirm {
    pub checks: Vec<CheckId>,
    pub target: Target,
    /// Time between two starts, microseconds.
    pub every_us: u32,
    /// How many runs, 1 to 60.
    pub runs: u16,
    /// Whether to confirm a suspicion or to observe where users arrive.
    pub purpose: Purpose,
}

/// Why the collector wants samples at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    Suspicion,
    Proof,
}

/// One line of the stream from the collector to a probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Directive {
    Assignment(Assignment),
    Confirm(Confirm),
    /// Says that the stream is alive, with the collector's clock.
    Heartbeat {
        now: Micros,
    },
}
