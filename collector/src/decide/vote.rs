//! What each vantage says of each region, and whether it may say anything at all.
//!
//! Silence is never a vote for down: a vantage without fresh evidence is unknown, one that fails in many places at
//! once is excluded, and neither is counted.

use super::{
    Effect, Note,
    evidence::{Head, Run},
    state::State,
    words,
};
use crate::config::{Config, Impact, Service, Steering};
use std::collections::BTreeSet;
use wire::{
    Micros, ProbeId, RegionId, ServiceId,
    assignment::Target,
    instant::us,
    view::{ProbeState, TimelineKind, Vote},
};

/// One service, seen at one time.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    pub config: &'a Config,
    pub id: &'a ServiceId,
    pub service: &'a Service,
    pub now: Micros,
}

/// One vantage's vote with the run that decided it.
#[derive(Debug, Clone)]
pub struct Ballot<'a> {
    pub probe: &'a ProbeId,
    /// What the vantage shares its fate with.
    pub domain: &'a str,
    pub vote: Vote,
    /// The head that decided the vote: the worst fresh one, or the newest stale one.
    pub head: Option<&'a Head>,
}

impl Ballot<'_> {
    /// Whether the vote counts.
    pub fn eligible(&self) -> bool {
        !matches!(self.vote, Vote::Unknown | Vote::Excluded)
    }

    /// How long this vantage has seen nothing but failures, by send times, microseconds.
    pub fn failing_us(&self) -> i64 {
        self.head.and_then(|head| head.failing).map_or(0, |run| run.length_us())
    }
}

/// Every configured vantage's ballot on a region of a service. Vantages that no voting check sends there are left out.
pub fn ballots<'a>(scene: &Scene<'a>, state: &'a State, region: &RegionId) -> Vec<Ballot<'a>> {
    let target = Target::Region(region.clone());
    scene
        .config
        .voting
        .vantages(scene.id, &target)
        .filter_map(|probe| {
            let domain = scene.config.probes.get(probe)?.failure_domain.as_str();
            let (vote, head) = vote(scene, state, probe, &target);
            let excluded = state.probes.get(probe).is_some_and(|head| head.excluded);
            let vote = if excluded && vote != Vote::Unknown { Vote::Excluded } else { vote };
            Some(Ballot { probe, domain, vote, head })
        })
        .collect()
}

/// What a vantage says of a target, were it eligible.
fn vote<'a>(
    scene: &Scene<'a>,
    state: &'a State,
    probe: &ProbeId,
    target: &Target,
) -> (Vote, Option<&'a Head>) {
    let steering = &scene.config.steering;
    let mut worst: Option<(Vote, &Head)> = None;
    let mut newest: Option<&Head> = None;
    for (id, impact) in scene.config.voting.checks(scene.id, probe, target) {
        let Some(head) = state.head(id, probe, target) else { continue };
        if newest.is_none_or(|other| other.sent < head.sent) {
            newest = Some(head);
        }
        if scene.now.since(head.sent) > us(steering.fresh) {
            continue;
        }
        let vote = vote_of_series(head, *impact, steering);
        if vote != Vote::Up && blames_elsewhere(scene, state, probe, head) {
            continue;
        }
        let better = |(other, old): (Vote, &Head)| vote > other || (vote == other && head.sent > old.sent);
        if worst.is_none_or(better) {
            worst = Some((vote, head));
        }
    }
    match worst {
        Some((vote, head)) => (vote, Some(head)),
        None => (Vote::Unknown, newest),
    }
}

/// Whether a journey failed in a step that it made in another region or at the public entrance, while that fails from
/// the same vantage anyway: then the target is not to blame, and the journey says nothing of it.
fn blames_elsewhere(scene: &Scene<'_>, state: &State, probe: &ProbeId, head: &Head) -> bool {
    let Some(elsewhere) = &head.elsewhere else { return false };
    // The word for the public entrance is no region's id.
    let Ok(target) = elsewhere.as_str().parse::<Target>() else { return false };
    let public = target == Target::Public;
    scene.config.checks.iter().any(|(id, check)| {
        let votes = check.service == *scene.id && (public || check.impact == Impact::Down);
        let failing = |head: &Head| head.failing.is_some() && head.elsewhere.is_none();
        votes && state.head(id, probe, &target).is_some_and(failing)
    })
}

/// What one fresh series says. The order of [`Vote`] is the order of badness among the votes returned here.
fn vote_of_series(head: &Head, impact: Impact, steering: &Steering) -> Vote {
    let held = |run: &Run, count: u32| run.count >= count && run.length_us() >= us(steering.hold);
    match (&head.failing, impact) {
        (Some(run), Impact::Down) if held(run, 2) => Vote::Down,
        (Some(_), Impact::Down) => Vote::Suspect,
        (Some(run), _) if held(run, 2) => Vote::Degraded,
        _ if head.slow.as_ref().is_some_and(|run| held(run, 3)) => Vote::Degraded,
        _ => Vote::Up,
    }
}

/// What is believed of a probe at `now`.
pub fn probe_state(config: &Config, state: &State, probe: &ProbeId, now: Micros) -> ProbeState {
    match state.probes.get(probe) {
        Some(head) if now.since(head.heard) <= us(config.steering.fresh) => {
            if head.excluded {
                ProbeState::Excluded
            } else {
                ProbeState::Eligible
            }
        }
        _ => ProbeState::Silent,
    }
}

/// The probes whose fault is believed to be their own.
pub fn excluded(state: &State) -> BTreeSet<ProbeId> {
    state.probes.iter().filter(|(_, head)| head.excluded).map(|(id, _)| id.clone()).collect()
}

/// Notes probes that fall silent or whose fault is their own, once each.
pub(super) fn watch_probes(config: &Config, state: &mut State, now: Micros, effects: &mut Vec<Effect>) {
    let failing_for = |least_us: i64| -> BTreeSet<&ProbeId> {
        config.probes.keys().filter(|id| fails_everywhere(config, state, id, now, least_us)).collect()
    };
    let heard = |id: &&ProbeId| probe_state(config, state, id, now) != ProbeState::Silent;
    // When most vantages fail in several regions at once, it is the regions: excluding everybody would blind us. The
    // others need a moment to look as well, so only a failure that has lasted is held against a vantage.
    let own = 2 * failing_for(0).len() < config.probes.keys().filter(heard).count();
    let suspects: BTreeSet<ProbeId> = match own {
        true => failing_for(us(config.steering.hold) / 2).into_iter().cloned().collect(),
        false => BTreeSet::new(),
    };
    for (id, probe) in &config.probes {
        let excluded = suspects.contains(id);
        let heard = state.probes.get(id).map(|head| head.heard);
        let Some(head) = state.probes.get_mut(id) else { continue };
        let silent = heard.is_some_and(|heard| now.since(heard) > us(config.steering.fresh));
        let note = |title: String| Note::new(TimelineKind::Probe, now, title).region(&probe.region);
        if silent != head.silent {
            head.silent = silent;
            let note = if silent {
                note(format!("{id} is silent")).detail(format!(
                    "Nothing heard for {}. It does not vote, and its silence says nothing of any region.",
                    words::span(now.since(head.heard))
                ))
            } else {
                note(format!("{id} is back")).detail("It votes again as soon as its evidence is fresh.")
            };
            effects.push(note.into());
        }
        if excluded != head.excluded {
            head.excluded = excluded;
            let note = if excluded {
                note(format!("{id} is excluded")).detail(
                    "It fails half or more of its targets, in two regions or more: the fault is believed to be its own.",
                )
            } else {
                note(format!("{id} votes again")).detail("It no longer fails in several regions at once.")
            };
            effects.push(note.into());
        }
    }
}

/// Whether a vantage has failed at least half of three or more targets, in two or more regions, for `least_us`
/// microseconds: then, if others do not, the fault is believed to be its own.
fn fails_everywhere(config: &Config, state: &State, probe: &ProbeId, now: Micros, least_us: i64) -> bool {
    let mut targets = 0;
    let mut failing = 0;
    let mut regions = BTreeSet::new();
    for (id, service) in &config.services {
        let scene = Scene { config, id, service, now };
        for region in service.endpoints.keys() {
            let (vote, head) = vote(&scene, state, probe, &Target::Region(region.clone()));
            if vote == Vote::Unknown {
                continue;
            }
            targets += 1;
            let lasted = head.and_then(|head| head.failing).map_or(0, |run| run.length_us());
            if matches!(vote, Vote::Suspect | Vote::Down) && lasted >= least_us {
                failing += 1;
                regions.insert(region);
            }
        }
    }
    targets >= 3 && 2 * failing >= targets && regions.len() >= 2
}
