//! Where a fault is: in the target, on the way in, or on the way from one vantage.

use super::vote::Ballot;
use crate::config::Config;
use wire::{RegionId, view::Vote};

/// Names the place of a fault, from who fails and who does not; empty when nobody fails.
pub fn locate(config: &Config, region: &RegionId, ballots: &[Ballot<'_>]) -> String {
    let failing = |b: &&Ballot<'_>| matches!(b.vote, Vote::Down | Vote::Suspect);
    let at_home = |b: &&Ballot<'_>| config.probes.get(b.probe).is_some_and(|probe| probe.region == *region);
    let eligible: Vec<&Ballot<'_>> = ballots.iter().filter(|b| b.eligible()).collect();
    let failed: Vec<&Ballot<'_>> = eligible.iter().copied().filter(failing).collect();
    if failed.is_empty() {
        return String::new();
    }
    let inside: Vec<&Ballot<'_>> = eligible.iter().copied().filter(at_home).collect();
    let inside_ok = !inside.is_empty() && !inside.iter().any(failing);
    let outside = eligible.len() - inside.len();
    let outside_failed = failed.iter().filter(|b| !at_home(b)).count();
    match (failed.len(), eligible.len()) {
        (failed, all) if failed == all => format!("target {region}"),
        _ if inside_ok && outside_failed == outside => {
            format!("the way into {region}: it answers from inside")
        }
        _ if outside_failed == 0 => format!("inside {region}: it answers from outside"),
        (1, _) => format!("the path from {} to {region}", failed[0].probe),
        (failed, all) if 2 * failed > all => format!("target {region}, not seen by all"),
        _ => format!("some paths to {region}"),
    }
}
