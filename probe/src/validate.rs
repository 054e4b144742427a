//! Whether an assignment makes sense here, before anything that runs is replaced by it.

use std::collections::BTreeSet;
use url::Url;
use wire::{
    CheckId, RegionId,
    assignment::{Assignment, CheckKind, Target},
};

/// The least interval, microseconds.
const INTERVAL_LEAST_US: u32 = 100_000;

/// Why an assignment is not applied.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    #[error(
        "it is for region {0}, and this probe was told that it stands in {1}: correct the token or the region"
    )]
    Region(RegionId, RegionId),
    #[error("check {0} has an interval of {1} µs: at least {INTERVAL_LEAST_US} µs are needed")]
    Interval(CheckId, u32),
    #[error("check {0} has a timeout of 0")]
    Timeout(CheckId),
    #[error("check {0} names the target {1} twice")]
    Twice(CheckId, Target),
    #[error("check {check} has the endpoint {url:?} for {target}, which is not {wanted}")]
    Endpoint { check: CheckId, target: Target, url: String, wanted: &'static str },
}

/// Checks an assignment for a probe in `region`.
///
/// # Errors
/// Says the first thing that is wrong.
pub fn assignment(assignment: &Assignment, region: &RegionId) -> Result<(), Invalid> {
    if assignment.region != *region {
        return Err(Invalid::Region(assignment.region.clone(), region.clone()));
    }
    let mut seen = BTreeSet::new();
    for check in &assignment.checks {
        if check.interval_us < INTERVAL_LEAST_US {
            return Err(Invalid::Interval(check.id.clone(), check.interval_us));
        }
        if check.timeout_us == 0 {
            return Err(Invalid::Timeout(check.id.clone()));
        }
        let (schemes, wanted): (&[&str], _) = match check.kind {
            // Nobody here knows what such a check wants.
            CheckKind::Unknown(_) => continue,
            CheckKind::Tcp(_) => (&["tcp"], "tcp://host:port"),
            _ => (&["http", "https"], "an http:// or https:// URL"),
        };
        for endpoint in &check.endpoints {
            let (id, target) = (check.id.clone(), endpoint.target.clone());
            if !seen.insert((&check.id, &endpoint.target)) {
                return Err(Invalid::Twice(id, target));
            }
            let good =
                Url::parse(&endpoint.url).is_ok_and(|url| url.has_host() && schemes.contains(&url.scheme()));
            if !good {
                return Err(Invalid::Endpoint { check: id, target, url: endpoint.url.clone(), wanted });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn judge(change: impl FnOnce(&mut Assignment)) -> Option<String> {
        let mut subject =
            testing::assignment(vec![testing::check("home", 100_000, "https://a.example/shop")]);
        change(&mut subject);
        let here: RegionId = "north".parse().expect("an id");
        assignment(&subject, &here).err().map(|error| error.to_string())
    }

    #[test]
    fn says_what_is_wrong() {
        assert_eq!(judge(|_| {}), None);
        let says = |change: fn(&mut Assignment), part: &str| {
            let text = judge(change).expect("must be refused");
            assert!(text.contains(part), "{text}");
        };
        says(|a| a.region = "south".parse().expect("an id"), "region south");
        says(|a| a.checks[0].interval_us = 99_999, "interval");
        says(|a| a.checks[0].timeout_us = 0, "timeout");
        says(|a| a.checks.push(a.checks[0].clone()), "twice");
        for url in ["a.example", "http://", "ftp://a.example", "/path"] {
            let text = judge(|a| a.checks[0].endpoints[0].url = url.into());
            assert!(text.is_some_and(|text| text.contains("http://")), "{url}");
        }
    }
}
