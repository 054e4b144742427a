//! `retention`: how long each kind of data is kept.

use crate::config::{
    duration,
    model::Retention,
    read::{At, Fields},
};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// The longest that anything is kept: ten years.
const LONGEST: Duration = Duration::from_secs(3_650 * 24 * 3600);
/// A restart, a late decider and an erasure need the log.
const LEAST_LOG: Duration = Duration::from_secs(48 * 3600);
/// The log holds every report as it came, which is much.
const LONGEST_LOG: Duration = Duration::from_secs(90 * 24 * 3600);
/// Samples that come a week late still change the roll-up of their hour.
const LEAST_ROLLUPS: Duration = Duration::from_secs(8 * 24 * 3600);

/// Reads the section.
pub fn read(section: Option<&At<'_>>) -> Option<Retention> {
    let default = Retention::default();
    let Some(section) = section else { return Some(default) };
    let fields = section.settings(&["log", "raw", "rollups", "evidence", "mesh", "timeline", "audit"])?;
    let log = time(&fields, "log", default.log, LEAST_LOG, LONGEST_LOG);
    let raw = time(&fields, "raw", default.raw, DAY, LONGEST);
    let rollups = time(&fields, "rollups", default.rollups, LEAST_ROLLUPS, LONGEST);
    let evidence = time(&fields, "evidence", default.evidence, HOUR, LONGEST);
    let mesh = time(&fields, "mesh", default.mesh, HOUR, LONGEST);
    let timeline = time(&fields, "timeline", default.timeline, DAY, LONGEST);
    let audit = time(&fields, "audit", default.audit, DAY, LONGEST);
    if let (Some(raw), Some(rollups)) = (raw, rollups)
        && rollups < raw
    {
        let at = fields.get("rollups").or(fields.get("raw")).unwrap_or(section);
        at.problem(format!(
            "roll-ups must be kept as long as the runs that they sum up: `raw` is {}, `rollups` is {}",
            duration::format(raw),
            duration::format(rollups)
        ));
        return None;
    }
    Some(Retention {
        log: log?,
        raw: raw?,
        rollups: rollups?,
        evidence: evidence?,
        mesh: mesh?,
        timeline: timeline?,
        audit: audit?,
    })
}

fn time(
    fields: &Fields<'_>,
    name: &str,
    default: Duration,
    least: Duration,
    longest: Duration,
) -> Option<Duration> {
    fields.or(name, default, |at| at.duration(least..=longest))
}
