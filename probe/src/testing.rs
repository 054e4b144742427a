//! Short ways to make the things that unit tests need.

use crate::spool::Spooled;
use std::collections::BTreeMap;
use wire::{
    Micros,
    assignment::{AssignedCheck, Assignment, CheckKind, Endpoint, Reach, Request, Target},
    report::Report,
    sample::{Connection, Outcome, Phases, Sample, Trigger},
};

/// An HTTP check against `url` as target `a`.
pub fn check(id: &str, interval_us: u32, url: &str) -> AssignedCheck {
    AssignedCheck {
        id: id.parse().expect("an id"),
        service: "shop".parse().expect("an id"),
        kind: CheckKind::Http(Request { path: "/".into(), ..Request::default() }),
        interval_us,
        timeout_us: 500_000,
        budget_us: None,
        endpoints: vec![Endpoint { target: target("a"), url: url.into(), evidence: Default::default() }],
        regions: BTreeMap::new(),
        region_header: None,
        places: Default::default(),
        reach: Reach::default(),
    }
}

/// The assignment of probe `north-1` in region `north`.
pub fn assignment(checks: Vec<AssignedCheck>) -> Assignment {
    Assignment {
        revision: 1,
        probe: "north-1".parse().expect("an id"),
        region: "north".parse().expect("an id"),
        checks,
        mesh: None,
    }
}

pub fn target(region: &str) -> Target {
    region.parse().expect("an id")
}

/// A good sample; `n` is its schedule, so that tests can tell samples apart.
pub fn sample(n: i64) -> Sample {
    Sample {
        check: "home".parse().expect("an id"),
        target: target("a"),
        scheduled: Micros(n),
        started: Micros(n),
        total_us: 1000,
        outcome: Outcome::Ok,
        slow: false,
        phases: Phases::default(),
        trigger: Trigger::Schedule,
        address: None,
        status: Some(200),
        served_by: None,
        bytes: None,
        certificate_expires: None,
        attempt: 1,
        connection: Connection::default(),
        hops: Vec::new(),
        addresses: Vec::new(),
        flags: vec![],
        trace_id: None,
        evidence: None,
        steps: vec![],
    }
}

/// The report that was spooled.
pub fn read(spooled: &Spooled) -> Report {
    let report: Report = serde_json::from_slice(&spooled.json).expect("the JSON of a report");
    assert_eq!((report.sequence, report.samples.len()), (spooled.sequence, spooled.samples as usize));
    report
}
