//! From the packets of a window to what is said of it.

use super::{
    Identity, Settings, Tally,
    bounds::{self, Given, Sample},
    delays,
    loss::{Where, wilson},
    order::Overtaken,
    probe::{Got, Probe, Use},
};
use crate::clock::{Discipline, Moment};
use std::time::Duration;
use wire::mesh::{Direction, Loss, MeshMethod, MeshWindow, OneWay, Span, Stamping, Stamps};

/// Everything that is known of a window.
pub(super) struct Summary<'a> {
    pub(super) identity: &'a Identity,
    pub(super) settings: &'a Settings,
    pub(super) started: Moment,
    pub(super) ended: Moment,
    /// In the order of sending.
    pub(super) probes: Vec<&'a Probe>,
    pub(super) overtaken: Overtaken,
    pub(super) lost: Where,
    pub(super) tally: Tally,
    pub(super) ttl: Option<u8>,
    pub(super) local: &'a Discipline,
}

/// One way of the packets of a window.
struct Way {
    /// Differences of stamps in the order of arrival at its end, nanoseconds.
    transit_ns: Vec<i64>,
    loss: Loss,
    reordered: u32,
}

impl Summary<'_> {
    pub(super) fn window(self) -> MeshWindow {
        let sent = self.probes.len() as u32;
        let answered = self.probes.iter().filter(|probe| probe.got.is_some()).count() as u32;
        let samples: Vec<Sample> = self.probes.iter().filter_map(|probe| probe.sample()).collect();
        let given = Given {
            middle_ns: self.started.monotonic_ns + (self.ended.monotonic_ns - self.started.monotonic_ns) / 2,
            least_ns: self.settings.least_delay_ns,
            drift_ppm: self.settings.drift_ppm,
        };
        let clock = bounds::clock(&samples, &given, self.local);
        let offset = clock.and_then(|clock| clock.offset);
        let Where { forward, reverse, somewhere } = self.lost;
        let there = Way {
            transit_ns: self.transits(|got| got.number, |sample| sample.forward_ns),
            loss: wilson(forward, sent, somewhere),
            reordered: self.overtaken.there,
        };
        let back = Way {
            transit_ns: self.transits(|got| (0, got.arrival), |sample| sample.reverse_ns),
            loss: wilson(reverse, sent - forward, somewhere),
            reordered: self.overtaken.back,
        };
        MeshWindow {
            ssid: self.identity.ssid,
            from: self.identity.from.clone(),
            from_region: self.identity.from_region.clone(),
            to: self.identity.to.clone(),
            to_region: self.identity.to_region.clone(),
            method: MeshMethod::Stamp,
            started: self.started.instant(),
            ended: self.ended.instant(),
            timeout_us: u32::try_from(self.settings.timeout_ns / 1000).unwrap_or(u32::MAX),
            sent,
            not_sent: self.tally.not_sent,
            answered,
            late: self.tally.late,
            duplicates: self.tally.duplicates,
            reordered: self.tally.reordered,
            rejected: self.tally.rejected,
            clock_steps: self.unused(Use::Stepped),
            invalid_stamps: self.unused(Use::Invalid),
            loss: wilson(sent - answered, sent, 0),
            rtt: delays::delays(samples.iter().map(|s| s.forward_ns + s.reverse_ns).collect()),
            forward: Some(there.direction(offset, &samples, &given)),
            reverse: Some(back.direction(offset.map(bounds::reversed), &samples, &given)),
            lost_somewhere: somewhere,
            clock,
            stamps: self.stamps(),
            ttl: self.ttl,
        }
    }

    /// Differences of stamps of one way, in the order of arrival at its end.
    fn transits(&self, arrival: impl Fn(&Got) -> (u32, i64), transit: impl Fn(&Sample) -> i64) -> Vec<i64> {
        let mut good: Vec<_> = self
            .probes
            .iter()
            .filter_map(|probe| Some((arrival(probe.got.as_ref()?), probe.sample()?)))
            .collect();
        good.sort_by_key(|(arrival, _)| *arrival);
        good.iter().map(|(_, sample)| transit(sample)).collect()
    }

    fn unused(&self, why: Use) -> u32 {
        self.probes.iter().filter(|probe| probe.got.as_ref().is_some_and(|got| got.use_of == why)).count()
            as u32
    }

    fn stamps(&self) -> Option<Stamps> {
        let answered: Vec<(&Probe, &Got)> =
            self.probes.iter().filter_map(|probe| Some((*probe, probe.got.as_ref()?))).collect();
        if answered.is_empty() {
            return None;
        }
        let kind = |by_kernel: &dyn Fn(&Probe, &Got) -> bool| {
            let of_kernel = answered.iter().filter(|(probe, got)| by_kernel(probe, got)).count();
            match of_kernel * 100 {
                _ if of_kernel == answered.len() => Stamping::Kernel,
                share if share >= answered.len() * 95 => Stamping::MostlyKernel,
                _ => Stamping::User,
            }
        };
        let told = answered.iter().all(|(_, got)| got.reached_by_kernel.is_some());
        let returned = kind(&|_, got| got.returned_by_kernel);
        Some(Stamps {
            sent: kind(&|probe, _| probe.left_by_kernel),
            reached: if told {
                kind(&|_, got| got.reached_by_kernel == Some(true))
            } else {
                Stamping::Unknown
            },
            returned: if told || returned != Stamping::User { returned } else { Stamping::Unknown },
            received: kind(&|_, got| got.received_by_kernel),
        })
    }
}

impl Way {
    fn direction(self, offset: Option<Span>, samples: &[Sample], given: &Given) -> Direction {
        Direction {
            loss: self.loss,
            reordered: self.reordered,
            variation: delays::variation(&self.transit_ns),
            one_way: self.one_way(offset, samples, given),
        }
    }

    fn one_way(&self, offset: Option<Span>, samples: &[Sample], given: &Given) -> Option<OneWay> {
        let mut sorted = self.transit_ns.clone();
        sorted.sort_unstable();
        let median = delays::quantile(&sorted, 0.5)?;
        Some(bounds::one_way(median, offset?, samples, given))
    }
}

/// A window of a method that measures round trips only: so many requests `sent` and `not_sent`, and how long the
/// answered ones took.
pub(crate) fn plain_window(
    identity: &Identity,
    method: MeshMethod,
    (started, ended): (Moment, Moment),
    timeout: Duration,
    (sent, not_sent): (u32, u32),
    took_ns: Vec<i64>,
) -> MeshWindow {
    let answered = took_ns.len() as u32;
    MeshWindow {
        ssid: identity.ssid,
        from: identity.from.clone(),
        from_region: identity.from_region.clone(),
        to: identity.to.clone(),
        to_region: identity.to_region.clone(),
        method,
        started: started.instant(),
        ended: ended.instant(),
        timeout_us: u32::try_from(timeout.as_micros()).unwrap_or(u32::MAX),
        sent,
        not_sent,
        answered,
        late: 0,
        duplicates: 0,
        reordered: 0,
        clock_steps: 0,
        invalid_stamps: 0,
        rejected: 0,
        loss: wilson(sent.saturating_sub(answered), sent, 0),
        rtt: delays::delays(took_ns),
        forward: None,
        reverse: None,
        lost_somewhere: 0,
        clock: None,
        stamps: None,
        ttl: None,
    }
}
