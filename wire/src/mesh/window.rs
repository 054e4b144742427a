//! What a sender says of one window of a session.

use crate::{Micros, ProbeId, RegionId};
use serde::{Deserialize, Serialize};

/// One window of one session, by one method. *Forward* is from the sender to the reflector, *reverse* the way back.
///
/// Packets belong to the window in which they were sent; a window is therefore finished only when the last of them
/// has been waited for (`timeout_us` after `ended`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeshWindow {
    pub ssid: u16,
    /// The sender.
    pub from: ProbeId,
    pub from_region: RegionId,
    /// The reflector.
    pub to: ProbeId,
    pub to_region: RegionId,
    pub method: MeshMethod,
    /// The first instant of the window, by the sender's wall clock.
    pub started: Micros,
    /// The first instant after it.
    pub ended: Micros,
    /// Answers later than this were lost (Tmax of RFC 7680), microseconds.
    pub timeout_us: u32,
    /// Packets (requests, for TCP and HTTP) that left.
    pub sent: u32,
    /// Packets that this machine did not send: no buffer, no route, forbidden, or the turn was missed. They are no
    /// loss of the network.
    #[serde(default)]
    pub not_sent: u32,
    /// Packets answered in time.
    pub answered: u32,
    /// Answers that came after `timeout_us`. Their packets are counted as lost. Here and in the next counts, what
    /// concerns a packet of a finished window is counted in the present one.
    #[serde(default)]
    pub late: u32,
    /// Answers beyond the first to the same packet.
    #[serde(default)]
    pub duplicates: u32,
    /// Answers that came after the answer to a packet that was sent later (RFC 4737), either way.
    #[serde(default)]
    pub reordered: u32,
    /// Answers whose times were not used because the wall clock was stepped while they were on their way.
    #[serde(default)]
    pub clock_steps: u32,
    /// Answers whose times were not used because the reflector said that its stamps are invalid (multiplier 0 of
    /// RFC 4656, section 4.1.2).
    #[serde(default)]
    pub invalid_stamps: u32,
    /// Packets from the peer's address that were no answers to ours, or not authentic: a sign of different keys, or of
    /// somebody who forges.
    #[serde(default)]
    pub rejected: u32,
    /// Packets that were not answered in time, wherever that was.
    pub loss: Loss,
    /// Round trip without the time at the reflector; absent when nothing was answered.
    #[serde(default)]
    pub rtt: Option<Delays>,
    /// What is known of the way there; absent for TCP and HTTP.
    #[serde(default)]
    pub forward: Option<Direction>,
    /// What is known of the way back.
    #[serde(default)]
    pub reverse: Option<Direction>,
    /// Lost packets of which no later answer tells where they were lost. `forward` and `reverse` allow for them in
    /// the upper bounds of their loss.
    #[serde(default)]
    pub lost_somewhere: u32,
    /// Where the reflector's clock is; absent when nothing bounds it.
    #[serde(default)]
    pub clock: Option<ClockBounds>,
    /// How exact the four stamps are; absent for TCP and HTTP.
    #[serde(default)]
    pub stamps: Option<Stamps>,
    /// The sender's TTL or hop limit as it arrived at the reflector, of the last answer: 255 less the hops.
    #[serde(default)]
    pub ttl: Option<u8>,
}

/// How a window was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MeshMethod {
    /// UDP packets with four time stamps (RFC 8762).
    Stamp,
    /// The time to establish a TCP connection.
    Tcp,
    /// The time from an HTTP request to its answer on an established connection, so with the server's time in it.
    Http,
}

/// Quantiles of one kind of delay in one window, nanoseconds, by nearest rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delays {
    pub min_ns: u64,
    pub p50_ns: u64,
    pub p90_ns: u64,
    pub p99_ns: u64,
    pub max_ns: u64,
}

/// Lost of how many, with the 95 % interval of Wilson for the share.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Loss {
    pub lost: u32,
    pub of: u32,
    /// 0 to 1.
    pub low: f64,
    /// 0 to 1, not below `low`. 1 when `of` is 0: nothing is known.
    pub high: f64,
}

/// What is known of one direction. All but `one_way` holds without any synchronisation of clocks.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Direction {
    pub loss: Loss,
    /// Packets that overtook others on this way.
    #[serde(default)]
    pub reordered: u32,
    /// How evenly they arrived; absent when nothing was answered.
    #[serde(default)]
    pub variation: Option<Variation>,
    /// How long packets took, absent when the clocks contradict each other or nothing bounds them.
    #[serde(default)]
    pub one_way: Option<OneWay>,
}

/// How evenly the packets of one direction arrived. Exact but for the drift of the clocks in a window: 0.9 ms in a
/// minute at 15 ppm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variation {
    /// How much longer packets took than the quickest of the window (PDV, RFC 5481), median, nanoseconds.
    pub p50_ns: u64,
    pub p95_ns: u64,
    pub p99_ns: u64,
    /// The 99.9th percentile: with the least delay, the usual single value of RFC 5481.
    pub p999_ns: u64,
    /// The interarrival jitter of RFC 3550, section 6.4.1, at the end of the window, nanoseconds.
    pub jitter_ns: u64,
}

/// The median one-way delay of a window, nanoseconds: the truth is from `lower` to `upper`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OneWay {
    pub lower_ns: i64,
    /// The middle. Wrong by half of the difference of the two directions when only the network bounds the clocks.
    pub estimate_ns: i64,
    pub upper_ns: i64,
}

/// Where the reflector's clock is: its time minus the sender's, in the middle of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockBounds {
    /// From the packets alone: the delay of neither way is less than `least_delay_us`.
    pub network: Span,
    /// From what the two kernels say of their own error; absent unless both say that they are synchronised.
    #[serde(default)]
    pub declared: Option<Span>,
    /// What holds by both; absent when they contradict each other: then a clock is wrong or was stepped, or the
    /// coordinates are wrong, and no one-way delay is published.
    #[serde(default)]
    pub offset: Option<Span>,
}

/// From `lower_ns` to `upper_ns`, nanoseconds. Empty, so a contradiction, when `lower_ns` is above `upper_ns`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    pub lower_ns: i64,
    pub upper_ns: i64,
}

/// How each of the four time stamps of the window's packets was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamps {
    /// T1, the packet leaves the sender.
    pub sent: Stamping,
    /// T2, it arrives at the reflector.
    pub reached: Stamping,
    /// T3, the answer leaves the reflector.
    pub returned: Stamping,
    /// T4, it arrives at the sender.
    pub received: Stamping,
}

/// Who took a stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stamping {
    /// The kernel or the network card, for every packet: waiting for a processor is not in the measurement.
    Kernel,
    /// The kernel for most packets (95 % or more), the program for the others.
    MostlyKernel,
    /// The program: a busy machine makes the delays longer.
    User,
    /// The other end does not say.
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_of_few_words_is_read_and_survives() {
        let window: MeshWindow = serde_json::from_str(
            r#"{"ssid": 7, "from": "paris-1", "from_region": "eu-west-3", "to": "tokyo-1", "to_region": "ap-northeast-1",
                "method": "tcp", "started": 1, "ended": 60000001, "timeout_us": 3000000, "sent": 60, "answered": 59,
                "loss": {"lost": 1, "of": 60, "low": 0.003, "high": 0.0886},
                "clock": {"network": {"lower_ns": -5, "upper_ns": 9}}}"#,
        )
        .expect("a window");
        assert_eq!((window.method, window.late, window.rtt), (MeshMethod::Tcp, 0, None));
        assert_eq!(window.clock.map(|clock| (clock.declared, clock.offset)), Some((None, None)));
        let text = serde_json::to_string(&window).expect("text");
        assert_eq!(serde_json::from_str::<MeshWindow>(&text).expect("the same window"), window);
    }
}
