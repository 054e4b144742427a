//! Latency between probes: who measures whom, and what a minute of it looked like.
//!
//! A *session* is one sender, one reflector and a number (SSID, RFC 8972). The sender sends a small packet ten times
//! a second, the reflector answers each, and the sender sums up a *window* (a minute). One session for each pair of
//! probes is enough: what is known of one direction is said for both.

mod key;
mod window;

pub use key::{BadKey, MeshKey};
pub use window::{
    ClockBounds, Delays, Direction, Loss, MeshMethod, MeshWindow, OneWay, Span, Stamping, Stamps, Variation,
};

use crate::{ProbeId, RegionId};
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};

/// The port that IANA gave to STAMP (RFC 8762, section 4.1), for UDP; the fall-back uses the same number for TCP.
pub const PORT: u16 = 862;

/// What one probe does in the mesh, as an absolute state: a newer plan replaces an older one as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MeshPlan {
    /// Where to answer the packets of others, by UDP, and their fall-back by TCP at the same port; `[::]` is for IPv6
    /// and IPv4. Absent when this probe only sends.
    #[serde(default)]
    pub listen: Option<SocketAddr>,
    /// The sessions in which this probe takes part, at most [`MeshPlan::MAX_SESSIONS`].
    #[serde(default)]
    pub sessions: Vec<MeshSession>,
}

impl MeshPlan {
    /// More sessions than this are refused by the probe.
    pub const MAX_SESSIONS: usize = 1024;
}

/// One session, as one of its two ends sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeshSession {
    /// The session's number (SSID, RFC 8972, section 3): the same at both ends, unique among the sessions that a
    /// reflector answers, not 0. (A reflecting end may have one session of number 0 with an address in
    /// [`MeshReflect::from`]: for a peer that knows nothing of RFC 8972.)
    pub ssid: u16,
    /// The other end.
    pub peer: ProbeId,
    /// Where the other end is.
    pub peer_region: RegionId,
    pub role: MeshRole,
    /// The secret of both ends. With it every packet is authenticated in both directions (HMAC-SHA-256); without it
    /// anybody who can forge the peer's address can spoil the measurement.
    #[serde(default)]
    pub key: Option<MeshKey>,
}

/// What an end does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MeshRole {
    /// Sends packets and makes the windows.
    Send(MeshSend),
    /// Answers packets.
    Reflect(MeshReflect),
}

/// How to send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeshSend {
    /// `host:port` of the peer's reflector; names are resolved when the session starts and after a silent window.
    pub address: String,
    /// Time between two packets, microseconds, 10 ms to 60 s.
    #[serde(default = "MeshSend::default_interval_us")]
    pub interval_us: u32,
    /// How long a window is, microseconds, 1 s to 600 s.
    #[serde(default = "MeshSend::default_window_us")]
    pub window_us: u32,
    /// An answer that takes longer is lost (Tmax of RFC 7680), microseconds, 10 ms to 30 s.
    #[serde(default = "MeshSend::default_timeout_us")]
    pub timeout_us: u32,
    /// The differentiated services code point of the packets (RFC 2474), 0 to 63.
    #[serde(default)]
    pub dscp: u8,
    /// The least time that light needs from end to end, microseconds: the great-circle distance divided by
    /// 299.792 km/ms, rounded down. 0 when the coordinates are not known. It narrows the bounds of the clocks, and
    /// makes wrong coordinates show as an inconsistent clock.
    #[serde(default)]
    pub least_delay_us: u32,
    /// `host:port` that is tried by TCP and HTTP while nothing is heard by UDP; [`MeshSend::address`] when absent.
    #[serde(default)]
    pub fallback: Option<String>,
}

impl MeshSend {
    /// Ten packets a second, windows of a minute, three seconds to wait, to an address.
    pub fn to(address: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            interval_us: Self::default_interval_us(),
            window_us: Self::default_window_us(),
            timeout_us: Self::default_timeout_us(),
            dscp: 0,
            least_delay_us: 0,
            fallback: None,
        }
    }

    fn default_interval_us() -> u32 {
        100_000
    }

    fn default_window_us() -> u32 {
        60_000_000
    }

    fn default_timeout_us() -> u32 {
        3_000_000
    }
}

/// Whom to answer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MeshReflect {
    /// The only address that is answered; any address when absent, for peers behind address translation.
    #[serde(default)]
    pub from: Option<IpAddr>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_of_few_words_has_the_defaults() {
        let plan: MeshPlan = serde_json::from_str(
            r#"{"sessions": [
                {"ssid": 7, "peer": "tokyo-1", "peer_region": "ap-northeast-1",
                 "role": {"send": {"address": "tokyo.example:862"}}},
                {"ssid": 8, "peer": "paris-1", "peer_region": "eu-west-3", "role": {"reflect": {}},
                 "key": "000102030405060708090a0b0c0d0e0f"}]}"#,
        )
        .expect("a plan");
        assert_eq!(plan.listen, None);
        assert_eq!(plan.sessions[0].role, MeshRole::Send(MeshSend::to("tokyo.example:862")));
        assert_eq!(plan.sessions[1].role, MeshRole::Reflect(MeshReflect { from: None }));
        let again: MeshPlan =
            serde_json::from_str(&serde_json::to_string(&plan).expect("text")).expect("the same plan");
        assert_eq!(again, plan);
        assert!(!format!("{plan:?}").contains("0a0b0c"), "Debug shows no key");
    }
}
