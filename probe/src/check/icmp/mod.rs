//! The ICMP check: echo requests, their loss and their round trips.
//!
//! The run takes as long as the slowest packet, or as the timeout where packets are lost; what is told as its time is
//! the median round trip, as the phase `wait` and as the total. Where nothing came back it is the time waited. The
//! lookup of a name is not part of it. Times are taken in this program, not by the system's packet stamps.

#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod packet;
mod socket;

use super::{
    Trace,
    attempt::{Attempt, Limit},
    dial::{self, Destination},
    fault::Fault,
    record::{Phase, Recorder},
    tcp,
    way::Way,
    words,
};
use socket::Pinger;
use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};
use tokio::time::{Instant, sleep_until, timeout_at};
use url::Host;
use wire::{
    assignment::Icmp,
    sample::{FailClass, Phases},
};

/// The most packets of one run.
const PACKETS_MOST: u8 = 20;
/// How many errors (unreachable, say) are heard before listening is given up.
const ERRORS_MOST: usize = 20;

/// Why this probe cannot send echo requests; a sentence.
pub(super) struct Unsupported(pub(super) String);

/// Sends the packets and counts what comes back.
pub(super) async fn check(
    icmp: &Icmp,
    url: &str,
    way: &Way<'_>,
    trace: &Trace,
) -> Result<Attempt, Unsupported> {
    let limit = way.limit;
    let recorder = Recorder::start();
    let found = find(url, way, &recorder).await;
    let done = match found {
        Ok(address) => {
            recorder.enter(Phase::Wait);
            match Pinger::open(address.ip()) {
                Ok(pinger) => Ok(exchange(icmp, &pinger, address, limit, &trace.trace_id).await),
                Err(error) => refused(address, &error).map(Err)?,
            }
        }
        Err(fault) => Err(fault),
    };
    let mut record = recorder.finish();
    let fault = match done {
        Ok(tally) => {
            if let Some(median) = tally.median() {
                record.total_us = median;
                record.phases = Phases { wait: Some(median), ..Phases::default() };
            }
            tally.judge(icmp, limit).err()
        }
        Err(fault) => Some(fault),
    };
    Ok(Attempt { record, fault, ..Attempt::default() })
}

/// The address, within the limit: phase `dns`, for a name. An override of the host counts whatever port it is for.
async fn find(url: &str, way: &Way<'_>, recorder: &Recorder) -> Result<SocketAddr, Fault> {
    let url = tcp::parse(url)?;
    let to = Destination::or_port(&url, 0)?;
    let mut to = Destination { port: 0, ..to };
    match way.net.pinned_host(&to.host.to_string(), url.port_or_known_default()) {
        Some(IpAddr::V4(ip)) => to.host = Host::Ipv4(ip),
        Some(IpAddr::V6(ip)) => to.host = Host::Ipv6(ip),
        None => {}
    }
    timeout_at(way.limit.until, dial::address(&to, way, recorder)).await.unwrap_or_else(|_elapsed| {
        Err(Fault::new(FailClass::Timeout, format!("no address within {}, in dns", way.limit.words())))
    })
}

/// No socket: either nothing that this probe can ever do, or a fault of the moment.
fn refused(address: SocketAddr, error: &io::Error) -> Result<Fault, Unsupported> {
    const EPROTONOSUPPORT: i32 = 93;
    const EAFNOSUPPORT: i32 = 97;
    match (error.kind(), error.raw_os_error()) {
        (io::ErrorKind::PermissionDenied, _) => Err(Unsupported(
            "this probe may not send ICMP: give it CAP_NET_RAW, or put its group into net.ipv4.ping_group_range".into(),
        )),
        (io::ErrorKind::Unsupported, _) | (_, Some(EPROTONOSUPPORT | EAFNOSUPPORT)) => {
            let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
            Err(Unsupported(format!("this probe's machine has no ICMP for {family}")))
        }
        _ => Ok(Fault::connect(address, error)),
    }
}

/// What was sent and what came back.
#[derive(Debug, Default)]
struct Tally {
    wanted: u8,
    /// When each packet left.
    sent: Vec<Instant>,
    /// The round trip of each packet, microseconds.
    trips: Vec<Option<u32>>,
    /// The last error that the system told.
    error: Option<String>,
}

async fn exchange(icmp: &Icmp, pinger: &Pinger, to: SocketAddr, limit: Limit, token: &[u8; 16]) -> Tally {
    let mut tally = Tally { wanted: icmp.packets.clamp(1, PACKETS_MOST), ..Tally::default() };
    let spacing = Duration::from_micros(icmp.spacing_us.into());
    let _cut = timeout_at(limit.until, async {
        let mut next = Instant::now();
        let mut errors = 0;
        while tally.more() && errors < ERRORS_MOST {
            tokio::select! {
                biased;
                heard = pinger.receive(token) => match heard {
                    Ok(sequence) => tally.heard(sequence),
                    Err(error) => {
                        errors += 1;
                        tally.error = Some(Fault::connect(to, &error).summary);
                    }
                },
                () = sleep_until(next), if tally.sent.len() < tally.wanted.into() => {
                    let sequence = u16::try_from(tally.sent.len()).unwrap_or(u16::MAX);
                    // Stamped before it leaves, so that a fast reply cannot be faster than nothing.
                    tally.sent.push(Instant::now());
                    tally.trips.push(None);
                    if let Err(error) = pinger.send(sequence, token).await {
                        tally.error = Some(Fault::connect(to, &error).summary);
                    }
                    next += spacing;
                }
            }
        }
    })
    .await;
    tally
}

impl Tally {
    /// Something is still to be sent or to come back.
    fn more(&self) -> bool {
        self.sent.len() < self.wanted.into() || self.trips.iter().any(Option::is_none)
    }

    /// Notes a reply; only the first one to each packet counts.
    fn heard(&mut self, sequence: u16) {
        let index = usize::from(sequence);
        if let (Some(sent), Some(trip)) = (self.sent.get(index), self.trips.get_mut(index)) {
            let us = u32::try_from(sent.elapsed().as_micros()).unwrap_or(u32::MAX);
            trip.get_or_insert(us);
        }
    }

    /// The median round trip, microseconds; of an even number the lower middle one, which was really seen.
    fn median(&self) -> Option<u32> {
        let mut trips: Vec<u32> = self.trips.iter().flatten().copied().collect();
        trips.sort_unstable();
        trips.get(trips.len().checked_sub(1)? / 2).copied()
    }

    fn judge(&self, icmp: &Icmp, limit: Limit) -> Result<(), Fault> {
        let (sent, wanted) = (self.sent.len(), usize::from(self.wanted));
        let lost = self.trips.iter().filter(|trip| trip.is_none()).count();
        if sent < wanted && self.error.is_none() {
            let length = limit.words();
            return Err(Fault::request(format!(
                "only {sent} of {wanted} packets could be sent within {length}: raise the timeout"
            )));
        }
        if lost * 100 <= sent * usize::from(icmp.max_loss_percent) && sent > 0 {
            return Ok(());
        }
        let median = self.median().map(|us| format!(", median {}", words::span(us))).unwrap_or_default();
        let error = self.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
        let most = icmp.max_loss_percent;
        Err(Fault::new(
            FailClass::Timeout,
            format!("{lost} of {sent} packets lost, at most {most} % allowed{median}{error}"),
        ))
    }
}

#[cfg(test)]
mod tests;
