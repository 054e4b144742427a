//! Where the other clock is, and with it how long each way takes: intervals that contain the truth.
//!
//! With θ the reflector's clock minus the sender's, no packet arrives before it was sent: T2 − T1 = d + θ with d at
//! least the time that light needs, so θ is at most T2 − T1 less that time; the way back bounds it from below. Each
//! packet says so for its own instant, and clocks drift, so it says a little less about other instants. Stamps that
//! are taken too early before sending, or too late after receiving, only widen the interval.

use crate::clock::Discipline;
use wire::mesh::{ClockBounds, OneWay, Span};

/// What one answered packet says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sample {
    /// When it was sent, monotonic, nanoseconds.
    pub(super) at_ns: i64,
    /// How long it was away, nanoseconds: its stamps were taken somewhere in that time.
    pub(super) away_ns: i64,
    /// T2 − T1, nanoseconds.
    pub(super) forward_ns: i64,
    /// T4 − T3, nanoseconds.
    pub(super) reverse_ns: i64,
    /// The error of the reflector's clock, if it says that it is synchronised.
    pub(super) remote_error_ns: Option<u64>,
}

/// What holds for all packets of a window.
#[derive(Debug, Clone, Copy)]
pub(super) struct Given {
    /// The middle of the window, monotonic, nanoseconds: the bounds are for this instant.
    pub(super) middle_ns: i64,
    /// No direction takes less, nanoseconds.
    pub(super) least_ns: i64,
    /// How fast the two clocks may move against each other, parts in a million.
    pub(super) drift_ppm: f64,
}

impl Given {
    /// How far the clocks may have moved against each other between a packet and the middle, nanoseconds, rounded up.
    fn drift_ns(&self, sample: &Sample) -> i64 {
        let apart_ns = sample.at_ns.abs_diff(self.middle_ns).saturating_add(sample.away_ns.unsigned_abs());
        (apart_ns as f64 * self.drift_ppm / 1e6).ceil() as i64
    }
}

/// Bounds of the clock's offset; absent when there is no packet.
pub(super) fn clock(samples: &[Sample], given: &Given, local: &Discipline) -> Option<ClockBounds> {
    let upper_ns = samples.iter().map(|s| s.forward_ns - given.least_ns + given.drift_ns(s)).min()?;
    let lower_ns = samples.iter().map(|s| given.least_ns - s.reverse_ns - given.drift_ns(s)).max()?;
    let network = Span { lower_ns, upper_ns };
    let declared = declared(samples, given, local);
    let both = declared.map_or(network, |declared| Span {
        lower_ns: network.lower_ns.max(declared.lower_ns),
        upper_ns: network.upper_ns.min(declared.upper_ns),
    });
    Some(ClockBounds { network, declared, offset: (both.lower_ns <= both.upper_ns).then_some(both) })
}

/// What two synchronised kernels promise: neither is further from UTC than it says.
fn declared(samples: &[Sample], given: &Given, local: &Discipline) -> Option<Span> {
    let local_ns = i64::try_from(local.error_ns).ok().filter(|_| local.synchronised)?;
    let remote = samples.iter().map(|s| {
        let error_ns = i64::try_from(s.remote_error_ns?).ok()?;
        error_ns.checked_add(given.drift_ns(s))
    });
    // The tightest promise of the window, if the reflector was synchronised during all of it.
    let remote_ns = remote.collect::<Option<Vec<_>>>()?.into_iter().min()?;
    let apart_ns = local_ns.checked_add(remote_ns)?;
    Some(Span { lower_ns: -apart_ns, upper_ns: apart_ns })
}

/// The median delay of one way, from the median of its stamps' differences and the offset that is in them: θ there,
/// −θ on the way back.
pub(super) fn one_way(median_ns: i64, offset: Span, samples: &[Sample], given: &Given) -> OneWay {
    // The offset is known for the middle of the window; each packet saw it a little different.
    let slack_ns = samples.iter().map(|s| given.drift_ns(s)).max().unwrap_or(0);
    let lower_ns = (median_ns - offset.upper_ns - slack_ns).max(given.least_ns);
    let upper_ns = (median_ns - offset.lower_ns + slack_ns).max(lower_ns);
    OneWay { lower_ns, estimate_ns: lower_ns + (upper_ns - lower_ns) / 2, upper_ns }
}

/// The same offset seen from the other end.
pub(super) fn reversed(offset: Span) -> Span {
    Span { lower_ns: -offset.upper_ns, upper_ns: -offset.lower_ns }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_of_the_middle_is_not_that_of_every_packet() {
        let given = Given { middle_ns: 10_000_000_000, least_ns: 0, drift_ppm: 15.0 };
        let sample = Sample { at_ns: 0, away_ns: 0, forward_ns: 0, reverse_ns: 0, remote_error_ns: None };
        let exact = Span { lower_ns: 1_000_000, upper_ns: 1_000_000 };
        let said = one_way(20_000_000, exact, &[sample], &given);
        // Ten seconds at 15 ppm are 0.15 ms.
        assert_eq!((said.lower_ns, said.upper_ns), (18_850_000, 19_150_000));
        let negative = one_way(1_000_000, exact, &[sample], &given);
        assert_eq!(negative.lower_ns, 0, "nothing arrives before it was sent");
    }
}
