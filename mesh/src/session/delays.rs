//! Quantiles and jitter of one window.

use wire::mesh::{Delays, Variation};

/// The value at a share (0 to 1) of sorted values, by nearest rank; absent when there are none.
pub(super) fn quantile<T: Copy>(sorted: &[T], share: f64) -> Option<T> {
    let rank = (share * sorted.len() as f64).ceil().max(1.0) as usize;
    sorted.get(rank.min(sorted.len()).checked_sub(1)?).copied()
}

/// Quantiles of round trips; absent when there are none. Negative ones, which only the resolution of clocks can make,
/// count as 0.
pub(super) fn delays(mut ns: Vec<i64>) -> Option<Delays> {
    ns.sort_unstable();
    let at = |share| quantile(&ns, share).map(|ns| ns.max(0).unsigned_abs());
    Some(Delays { min_ns: at(0.0)?, p50_ns: at(0.5)?, p90_ns: at(0.9)?, p99_ns: at(0.99)?, max_ns: at(1.0)? })
}

/// How evenly packets arrived, from the differences of their stamps in the order of arrival; absent when there are
/// none. Delays are compared with the quickest (PDV, RFC 5481, section 4.2), so that constant offsets drop out.
pub(super) fn variation(transit_ns: &[i64]) -> Option<Variation> {
    let mut sorted = transit_ns.to_vec();
    sorted.sort_unstable();
    let quickest = *sorted.first()?;
    let at = |share| quantile(&sorted, share).map(|ns| ns.abs_diff(quickest));
    Some(Variation {
        p50_ns: at(0.5)?,
        p95_ns: at(0.95)?,
        p99_ns: at(0.99)?,
        p999_ns: at(0.999)?,
        jitter_ns: jitter(transit_ns),
    })
}

/// The interarrival jitter after the last of some transit times, given in the order of arrival (RFC 3550, 6.4.1).
fn jitter(transit_ns: &[i64]) -> u64 {
    let (mut last, mut jitter) = (None, 0.0);
    for transit in transit_ns.iter().copied() {
        if let Some(last) = last {
            jitter += (transit.abs_diff(last) as f64 - jitter) / 16.0;
        }
        last = Some(transit);
    }
    jitter.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_measured_values() {
        let all = delays((1..=200).rev().collect()).expect("some");
        assert_eq!((all.min_ns, all.p50_ns, all.p90_ns, all.p99_ns, all.max_ns), (1, 100, 180, 198, 200));
        let one = delays(vec![-3]).expect("one");
        assert_eq!((one.min_ns, one.max_ns), (0, 0));
        assert_eq!(delays(Vec::new()), None);
    }

    #[test]
    fn variation_ignores_what_is_constant() {
        let some = variation(&[-500, -490, -300]).expect("some");
        assert_eq!((some.p50_ns, some.p95_ns, some.p999_ns), (10, 200, 200));
        assert_eq!(variation(&[]), None);
    }

    #[test]
    fn jitter_is_that_of_rfc_3550() {
        assert_eq!(jitter(&[5, 5, 5]), 0);
        assert_eq!(jitter(&[0, 160]), 10);
        assert_eq!(jitter(&[0, 1600, 0]), 194, "100 + (1600 - 100) / 16, rounded");
        let steady: Vec<i64> = (0..10_000).map(|i| if i % 2 == 0 { 0 } else { 1000 }).collect();
        assert_eq!(jitter(&steady), 1000, "it converges to the mean difference");
    }
}
