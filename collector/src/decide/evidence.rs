//! From samples to heads: the newest of each series, and how long it has been failing.

use super::{
    Core, proof,
    state::{ProbeHead, State},
};
use crate::config::{Config, Impact};
use serde::{Deserialize, Serialize};
use std::{collections::VecDeque, time::Duration};
use wire::{
    Micros, RegionId, ServiceId,
    assignment::Target,
    report::Report,
    sample::{FailClass, Flag, Outcome, Phases, Sample},
    view::Beat,
};

/// The newest of one series.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// When the newest run was sent, by our clock.
    pub sent: Micros,
    pub outcome: Outcome,
    pub total_us: u32,
    pub phases: Phases,
    pub served_by: Option<String>,
    /// The region that the failing step of a journey was sent to, when it is not the target.
    #[serde(default)]
    pub elsewhere: Option<RegionId>,
    /// What the newest run saw, one sentence.
    pub summary: String,
    /// The failures up to now, without a success in between.
    pub failing: Option<Run>,
    /// The slow runs up to now, without a quick one in between.
    pub slow: Option<Run>,
}

/// Consecutive runs of one kind. Judged by send times, so that the timeouts of a blip do not stretch it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    pub count: u32,
    pub first_sent: Micros,
    pub last_sent: Micros,
}

impl Run {
    fn extend(run: Option<Run>, sent: Micros) -> Option<Run> {
        Some(match run {
            Some(run) => Run { count: run.count.saturating_add(1), last_sent: sent, ..run },
            None => Run { count: 1, first_sent: sent, last_sent: sent },
        })
    }

    /// From the first to the last send, microseconds.
    pub fn length_us(&self) -> i64 {
        self.last_sent.since(self.first_sent)
    }
}

/// Samples that were sent longer ago than this are kept in the log and change nothing.
const OLDEST: Duration = Duration::from_secs(7 * 24 * 3600);
/// The most characters kept of a sentence from a probe.
const MOST_CHARS: usize = 400;
/// The length of one bucket of [`Beats`].
pub const BEAT_US: i64 = 5_000_000;
/// How many buckets are kept.
pub const BEATS: usize = 60;

/// Counts of runs in fixed buckets of time, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Beats(pub VecDeque<Beat>);

impl Beats {
    /// Counts a run that was sent at `sent`; one older than all buckets is left out.
    fn count(&mut self, sent: Micros, ok: bool, slow: bool) {
        let at = Micros(sent.0.div_euclid(BEAT_US).saturating_mul(BEAT_US));
        if self.0.back().is_none_or(|last| last.at < at) {
            self.0.push_back(Beat { at, ..Beat::default() });
            if self.0.len() > BEATS {
                self.0.pop_front();
            }
        }
        if let Some(beat) = self.0.iter_mut().rev().find(|beat| beat.at == at) {
            match (ok, slow) {
                (false, _) => beat.failed += 1,
                (true, true) => beat.slow += 1,
                (true, false) => beat.ok += 1,
            }
        }
    }
}

/// Takes a committed report into the heads.
pub(super) fn take(core: &mut Core, received: Micros, sent: Micros, report: &Report, lost: u64) {
    let Some(_) = core.config.probes.get(&report.probe) else { return };
    // The probe's clock is used only for ages; where it stands does not matter. A batch that was long under way must
    // not make its samples younger, so the quickest of the last minutes tells how the clocks differ.
    let probe = core.state.probes.entry(report.probe.clone()).or_default();
    let offset = probe.paths.learn(received, received.since(sent));
    if received >= probe.heard {
        let flags = flags(report);
        if !flags.is_empty() {
            probe.flagged = Some((received, flags));
        }
        *probe =
            ProbeHead { heard: received, clock_offset_us: offset.saturating_neg(), lost, ..probe.clone() };
    }
    for sample in &report.samples {
        let sent = sample.started.plus_us(offset).min(received);
        take_sample(&core.config, &mut core.state, report, sample, received, sent);
    }
}

/// What a probe says of itself in a report, each flag once.
fn flags(report: &Report) -> Vec<Flag> {
    let mut flags = Vec::new();
    for flag in report.samples.iter().flat_map(|sample| &sample.flags) {
        if !flags.contains(flag) {
            flags.push(*flag);
        }
    }
    flags
}

fn take_sample(
    config: &Config,
    state: &mut State,
    report: &Report,
    sample: &Sample,
    received: Micros,
    sent: Micros,
) {
    let Some(check) = config.checks.get(&sample.check) else { return };
    if !check.from.contains(&report.probe) || !check.to.contains(&sample.target) {
        return;
    }
    // A probe cannot have kept samples for that long: its clock is broken, and the sample would only do harm.
    if sent < received.minus(OLDEST) {
        return;
    }
    let ran = matches!(sample.outcome, Outcome::Ok | Outcome::Fail(_));
    // A request that could not even be made says nothing of the target.
    let own_fault = matches!(sample.outcome, Outcome::Fail(FailClass::Request));
    if !ran || own_fault || !sample.flags.is_empty() {
        return;
    }
    if let Target::Region(region) = &sample.target
        && check.impact != Impact::None
        && elsewhere(sample).is_none()
    {
        beats(state, &check.service, region).count(sent, sample.outcome == Outcome::Ok, sample.slow);
    }
    let heads = state.series.entry(sample.check.clone()).or_default();
    let heads = heads.entry(report.probe.clone()).or_default();
    let old = heads.get(&sample.target);
    // A late sample may fill a gap in the history, but it must not rejuvenate old evidence.
    if old.is_some_and(|head| head.sent > sent) {
        return;
    }
    let head = advance(old, sample, sent);
    heads.insert(sample.target.clone(), head);
    if sample.target == Target::Public && check.can_name_region() {
        proof::count(state, &check.service, &report.probe, sample, sent);
    }
}

/// The beats of a service in a region.
fn beats<'a>(state: &'a mut State, service: &ServiceId, region: &RegionId) -> &'a mut Beats {
    let service = state.services.entry(service.clone()).or_default();
    &mut service.regions.entry(region.clone()).or_default().beats
}

/// The region that the failing step of a journey was sent to, when it is not the target. Of several the first one
/// counts: those after it only clean up.
fn elsewhere(sample: &Sample) -> Option<RegionId> {
    sample.steps.iter().find(|step| step.outcome.is_fail()).and_then(|step| step.elsewhere.clone())
}

/// A text from a probe, fit for a page, a terminal and a database: bounded, and without control characters (of which
/// PostgreSQL refuses NUL, and terminals obey the rest).
pub(super) fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MOST_CHARS).collect()
}

/// The head after one more run.
fn advance(old: Option<&Head>, sample: &Sample, sent: Micros) -> Head {
    let failing = old.and_then(|head| head.failing);
    let slow = old.and_then(|head| head.slow);
    let summary = match (&sample.evidence, sample.outcome) {
        (Some(evidence), _) => match &evidence.step {
            Some(step) => clean(&format!("step “{step}”: {}", evidence.summary)),
            None => clean(&evidence.summary),
        },
        (None, Outcome::Fail(class)) => format!("{class} failure"),
        (None, _) => "ok".into(),
    };
    Head {
        sent,
        outcome: sample.outcome,
        total_us: sample.total_us,
        phases: sample.phases,
        served_by: sample.served_by.as_deref().map(clean),
        elsewhere: elsewhere(sample),
        summary,
        failing: if sample.outcome.is_fail() { Run::extend(failing, sent) } else { None },
        // A failure neither adds to a run of slow answers nor ends it.
        slow: match (sample.outcome.is_fail(), sample.slow) {
            (true, _) => slow,
            (false, true) => Run::extend(slow, sent),
            (false, false) => None,
        },
    }
}
