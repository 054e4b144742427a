//! The first failure: ask every vantage to look at once, and say afterwards if it was only a blip.

use super::{
    Effect, Note,
    state::{State, Suspicion},
    vote::{self, Scene},
    words,
};
use crate::config::Impact;
use wire::{
    RegionId,
    assignment::{Confirm, Purpose, Target},
    instant::us,
    view::{TimelineKind, VerdictState, Vote},
};

/// How many confirming runs one request asks for; renewed while the suspicion lasts.
const RUNS: u16 = 15;

/// Opens, renews and closes suspicions.
pub(super) fn update(scene: &Scene<'_>, state: &mut State, effects: &mut Vec<Effect>) {
    for region in scene.service.endpoints.keys() {
        let record = state.services.get(scene.id).and_then(|service| service.regions.get(region));
        // The verdict has just found that nobody doubts it: there is nothing to open, and nothing is open.
        if record.is_some_and(|record| record.clean_since.is_some() && record.suspicion.is_none()) {
            continue;
        }
        let ballots = vote::ballots(scene, state, region);
        let doubtful: Vec<_> =
            ballots.iter().filter(|b| matches!(b.vote, Vote::Suspect | Vote::Down)).collect();
        // Vantages that fell silent or were excluded do not say that it answers again, but those who looked since.
        let heard = vote::since_silence(&ballots).iter().filter(|b| b.eligible()).count() >= 2;
        let first = doubtful.iter().max_by_key(|b| b.failing_us());
        let opening = first.map(|b| {
            let seen = b.head.map_or("", |head| head.summary.as_str());
            (format!("{region} fails from {}", b.probe), seen.to_owned())
        });
        let Some(record) = state.services.get_mut(scene.id).and_then(|s| s.regions.get_mut(region)) else {
            continue;
        };
        let down = record.verdict.state == VerdictState::Down;
        match (opening, &mut record.suspicion) {
            // A region that is down needs no confirmation; the schedule tells when it is back.
            (_, open @ Some(_)) if down => *open = None,
            (Some((title, seen)), open @ None) if !down => {
                *open = Some(Suspicion { since: scene.now, confirm_asked: scene.now });
                let note =
                    Note::new(TimelineKind::Suspicion, scene.now, title).service(scene.id).region(region);
                let every = words::span(us(scene.config.steering.confirm_every));
                let seen = seen.trim_end_matches('.');
                effects.push(
                    note.detail(format!("{seen}. Every vantage is asked to look every {every}.")).into(),
                );
                effects.extend(ask(scene, region));
            }
            (Some(_), Some(open)) => {
                let asked_for = us(scene.config.steering.confirm_every) * i64::from(RUNS);
                if scene.now.since(open.confirm_asked) > asked_for * 2 / 3 {
                    open.confirm_asked = scene.now;
                    effects.extend(ask(scene, region));
                }
            }
            (None, open @ Some(_)) if heard => {
                if let Some(closed) = open.take() {
                    let us_lasted = scene.now.since(closed.since);
                    let lasted = words::span(us_lasted);
                    let why = match us_lasted < us(scene.config.steering.hold) {
                        true => {
                            format!("A blip, over after about {lasted}: not long enough to move anybody.")
                        }
                        false => format!(
                            "Over after about {lasted}: never did enough vantages see it for long enough to move anybody."
                        ),
                    };
                    let note =
                        Note::new(TimelineKind::Suspicion, scene.now, format!("{region} answers again"))
                            .service(scene.id)
                            .region(region)
                            .detail(why);
                    effects.push(note.into());
                }
            }
            _ => {}
        }
    }
}

/// The request to run every check whose failure means down.
fn ask(scene: &Scene<'_>, region: &RegionId) -> Option<Effect> {
    let target = Target::Region(region.clone());
    let checks: Vec<_> = scene
        .config
        .checks
        .iter()
        .filter(|(_, c)| c.service == *scene.id && c.impact == Impact::Down && c.to.contains(&target))
        .map(|(id, _)| id.clone())
        .collect();
    let every_us = u32::try_from(us(scene.config.steering.confirm_every)).unwrap_or(u32::MAX);
    (!checks.is_empty()).then_some(Effect::Confirm(Confirm {
        checks,
        target,
        every_us,
        runs: RUNS,
        purpose: Purpose::Suspicion,
    }))
}
