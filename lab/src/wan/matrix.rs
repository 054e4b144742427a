//! Who is where: the sites and the round-trip times between them.

use std::time::Duration;

/// The five regions.
pub const REGIONS: [&str; 5] = ["us-east-1", "us-west-2", "eu-west-1", "ap-northeast-1", "sa-east-1"];
/// Where the public entrance and the collector live.
pub const EDGE: &str = "edge";
/// All sites.
pub const SITES: [&str; 6] = ["us-east-1", "us-west-2", "eu-west-1", "ap-northeast-1", "sa-east-1", EDGE];

/// Round trips in milliseconds, in the order of [`SITES`]; symmetric.
const MILLIS: [[f64; 6]; 6] = [
    [0.6, 62.0, 68.0, 148.0, 114.0, 12.0],
    [62.0, 0.6, 124.0, 98.0, 174.0, 58.0],
    [68.0, 124.0, 0.6, 202.0, 178.0, 72.0],
    [148.0, 98.0, 202.0, 0.6, 258.0, 150.0],
    [114.0, 174.0, 178.0, 258.0, 0.6, 118.0],
    [12.0, 58.0, 72.0, 150.0, 118.0, 0.6],
];

/// The round trip between two sites of a healthy network, without jitter; `None` for an unknown site.
pub fn round_trip(from: &str, to: &str) -> Option<Duration> {
    let at = |name| SITES.iter().position(|site| *site == name);
    Some(Duration::from_secs_f64(MILLIS[at(from)?][at(to)?] / 1000.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_matrix_is_symmetric_and_complete() {
        for from in SITES {
            for to in SITES {
                assert_eq!(round_trip(from, to), round_trip(to, from));
                assert!(round_trip(from, to).is_some_and(|rtt| !rtt.is_zero()));
            }
        }
        assert_eq!(round_trip("ap-northeast-1", "us-west-2"), Some(Duration::from_millis(98)));
        assert_eq!(round_trip("mars", EDGE), None);
    }
}
