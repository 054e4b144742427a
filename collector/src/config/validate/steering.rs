//! `steering`: how verdicts are made and traffic is moved.

use super::{Entries, services};
use crate::config::{
    duration,
    model::{Check, Failback, Impact, ProofConfig, Steering},
    node::Value,
    read::At,
};
use std::{collections::BTreeMap, ops::RangeInclusive, time::Duration};
use wire::{CheckId, ServiceId, view::Automation};

const fn seconds(from: u64, to: u64) -> RangeInclusive<Duration> {
    Duration::from_secs(from)..=Duration::from_secs(to)
}

/// Reads the section; every setting has a default.
pub fn read(
    section: Option<&At<'_>>,
    services: &BTreeMap<ServiceId, services::Known>,
    checks: &Entries<CheckId, Check>,
) -> Option<Steering> {
    let default = Steering::default();
    let Some(at) = section else {
        let fresh =
            needed_fresh(default.hold, checks).map_or(default.fresh, |(_, need)| need.max(default.fresh));
        return Some(Steering { fresh, ..default });
    };
    let fields = at.fields(&[
        "automation",
        "hold",
        "confirm_every",
        "fresh",
        "keep_regions",
        "max_evacuated",
        "proof",
        "failback",
    ])?;
    let automation = fields.or("automation", default.automation, automation);
    let hold = fields
        .or("hold", default.hold, |at| at.duration(Duration::from_millis(100)..=Duration::from_secs(600)));
    let confirm_every = fields.or("confirm_every", default.confirm_every, |at| {
        at.duration(Duration::from_millis(100)..=Duration::from_secs(60))
    });
    if let (Some(hold), Some(every)) = (hold, confirm_every)
        && every > hold
    {
        let at = fields.get("confirm_every").or(fields.get("hold")).unwrap_or(fields.at());
        let [every, hold] = [every, hold].map(duration::format);
        at.problem(format!(
            "suspects are checked again every {every} (`confirm_every`), which is longer than the `hold` of {hold}; \
             lower one or raise the other"
        ));
    }
    let need = needed_fresh(hold.unwrap_or(default.hold), checks);
    let fresh = match fields.get("fresh") {
        Some(at) => fresh(at, need),
        None => Some(need.map_or(default.fresh, |(_, need)| need.max(default.fresh))),
    };
    let keep_regions = fields.maybe("keep_regions", |at| keep_regions(at, services));
    let max_evacuated = fields.or("max_evacuated", default.max_evacuated, |at| at.whole(1..=100));
    let proof = fields.or("proof", default.proof.clone(), |at| proof(at, default.proof));
    let failback = fields.or("failback", default.failback.clone(), |at| failback(at, default.failback));
    Some(Steering {
        automation: automation?,
        hold: hold?,
        confirm_every: confirm_every?,
        fresh: fresh?,
        keep_regions: keep_regions?,
        max_evacuated: max_evacuated?,
        proof: proof?,
        failback: failback?,
    })
}

/// `on`, `observe`, `off`, and the booleans that older YAML makes of two of them.
fn automation(at: &At<'_>) -> Option<Automation> {
    match at.value() {
        Value::Bool(true) => Some(Automation::On),
        Value::Bool(false) => Some(Automation::Off),
        _ => at.word(&[("on", Automation::On), ("observe", Automation::Observe), ("off", Automation::Off)]),
    }
}

/// The least `fresh` with which the slowest voting check can vote, and that check.
fn needed_fresh(hold: Duration, checks: &Entries<CheckId, Check>) -> Option<(&CheckId, Duration)> {
    let voters = checks.iter().filter_map(|(id, check)| Some((id, check.as_ref()?)));
    voters
        .filter(|(_, check)| check.impact != Impact::None)
        .map(|(id, check)| (id, (check.interval * 3).max(hold + check.timeout)))
        .max_by_key(|(_, need)| *need)
}

fn fresh(at: &At<'_>, need: Option<(&CheckId, Duration)>) -> Option<Duration> {
    let fresh = at.duration(Duration::from_millis(300)..=Duration::from_secs(4 * 3600))?;
    match need {
        Some((check, need)) if fresh < need => {
            let need = duration::format(need);
            at.problem(format!(
                "the evidence of check `{check}` would be forgotten before it counts: use at least {need} (three of \
                 its intervals, and `hold` and its timeout), or check more often"
            ));
            None
        }
        _ => Some(fresh),
    }
}

fn keep_regions(at: &At<'_>, services: &BTreeMap<ServiceId, services::Known>) -> Option<u8> {
    let keep: u8 = at.whole(1..=100)?;
    for (id, service) in services {
        let regions = service.regions.as_ref().map_or(usize::from(keep), |regions| regions.len());
        if regions < usize::from(keep) {
            at.problem(format!(
                "service `{id}` has only {regions} of the {keep} regions that shall keep traffic"
            ));
        }
    }
    Some(keep)
}

fn proof(at: &At<'_>, default: ProofConfig) -> Option<ProofConfig> {
    let fields = at.fields(&["samples", "max_share", "deadline"])?;
    let samples = fields.or("samples", default.samples, |at| at.whole(1..=200));
    let max_share = fields.or("max_share", default.max_share, share);
    let deadline = fields.or("deadline", default.deadline, |at| at.duration(seconds(1, 3600)));
    Some(ProofConfig { samples: samples?, max_share: max_share?, deadline: deadline? })
}

/// A share below one half: `5%` or `0.05`.
fn share(at: &At<'_>) -> Option<f64> {
    let share = match at.value() {
        Value::Text(text) => text
            .strip_suffix('%')
            .and_then(|number| number.trim_end().parse::<f64>().ok())
            .map(|percent| percent / 100.0),
        Value::Int(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        _ => None,
    };
    let share = share.filter(|share| (0.0..=0.5).contains(share));
    share.or_else(|| at.expected("a share from 0% to 50%, written 5% or 0.05"))
}

fn failback(at: &At<'_>, default: Failback) -> Option<Failback> {
    let fields = at.fields(&["recover", "recover_max", "steps", "every"])?;
    let recover = fields.or("recover", default.recover, |at| at.duration(seconds(1, 86_400)));
    // A longer wait than the default's limit raises the limit, unless that is given.
    let default_max = recover.map_or(default.recover_max, |recover| recover.max(default.recover_max));
    let recover_max = fields.or("recover_max", default_max, |at| at.duration(seconds(1, 7 * 86_400)));
    if let (Some(recover), Some(most), Some(at)) = (recover, recover_max, fields.get("recover_max"))
        && most < recover
    {
        at.problem(format!("is shorter than `recover`, which is {}", duration::format(recover)));
    }
    let steps = fields.or("steps", default.steps, steps);
    let every = fields.or("every", default.every, |at| at.duration(seconds(1, 86_400)));
    Some(Failback { recover: recover?, recover_max: recover_max?, steps: steps?, every: every? })
}

/// Percent of the configured weight, ascending to 100.
fn steps(at: &At<'_>) -> Option<Vec<u8>> {
    let items = at.list()?;
    let read: Vec<Option<u8>> = items.iter().map(|item| item.whole(1..=100)).collect();
    let steps: Vec<u8> = read.into_iter().collect::<Option<_>>()?;
    if steps.last() != Some(&100) || !steps.is_sorted_by(|a, b| a < b) {
        at.problem("expected percentages that ascend and end in 100, such as [5, 25, 50, 100]");
        return None;
    }
    Some(steps)
}
