//! What each vantage says of each region, and whether it may say anything at all.
//!
//! Silence is never a vote, neither for down nor for well: a vantage without fresh evidence is unknown, one that fails in
//! many places at once is excluded, and neither is counted. Nor does silence change what others' votes come to: when
//! somebody falls silent, those who are left have to look again before anything is said anew ([`since_silence`]).

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
    /// The head that decided the vote: the worst fresh one, or of an unknown vote the stale one that keeps it so.
    pub head: Option<&'a Head>,
    /// When the evidence of a vote that is unknown now was too old to count; absent when it never had any, or is excluded.
    pub lapsed: Option<Micros>,
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
            let silent = vote == Vote::Unknown && !excluded;
            let lapsed =
                head.filter(|_| silent).map(|head| head.sent.plus_us(us(scene.config.steering.fresh)));
            let vote = if excluded && vote != Vote::Unknown { Vote::Excluded } else { vote };
            Some(Ballot { probe, domain, vote, head, lapsed })
        })
        .collect()
}

/// The ballots whose evidence is newer than the last silence of a vantage; all of them when nobody fell silent.
pub fn since_silence<'a>(ballots: &[Ballot<'a>]) -> Vec<Ballot<'a>> {
    let silence = ballots.iter().filter_map(|ballot| ballot.lapsed).max();
    let is_newer = |ballot: &&Ballot<'_>| {
        silence.is_none_or(|silence| ballot.head.is_some_and(|head| head.sent > silence))
    };
    ballots.iter().filter(is_newer).cloned().collect()
}

/// The worst of some series, and what it says.
type Worst<'a> = Option<(Vote, &'a Head)>;

/// What a vantage says of a target, were it eligible.
fn vote<'a>(
    scene: &Scene<'a>,
    state: &'a State,
    probe: &ProbeId,
    target: &Target,
) -> (Vote, Option<&'a Head>) {
    let steering = &scene.config.steering;
    let (mut fresh, mut stale): (Worst<'_>, Worst<'_>) = (None, None);
    let mut newest: Option<&Head> = None;
    for (id, impact) in scene.config.voting.checks(scene.id, probe, target) {
        let Some(head) = state.head(id, probe, target) else { continue };
        if newest.is_none_or(|other| other.sent < head.sent) {
            newest = Some(head);
        }
        let vote = vote_of_series(head, *impact, steering);
        if vote != Vote::Up && blames_elsewhere(scene, state, probe, head) {
            continue;
        }
        let worst = if scene.now.since(head.sent) > us(steering.fresh) { &mut stale } else { &mut fresh };
        let worse = |(other, old): (Vote, &Head)| vote > other || (vote == other && head.sent > old.sent);
        if worst.is_none_or(worse) {
            *worst = Some((vote, head));
        }
    }
    match (fresh, stale) {
        // A check that failed when it was last heard of is not well because another one is.
        (Some((vote @ (Vote::Up | Vote::Degraded), _)), Some((before, head))) if before > vote => {
            (Vote::Unknown, Some(head))
        }
        (Some((vote, head)), _) => (vote, Some(head)),
        (None, _) => (Vote::Unknown, newest),
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

/// What one series says. The order of [`Vote`] is the order of badness among the votes returned here.
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
    let failed_last = |id: &&ProbeId| {
        let at = newest(state, id).unwrap_or(now).min(now);
        fails_everywhere(config, state, id, at, 0)
    };
    let heard = |id: &&ProbeId| probe_state(config, state, id, now) != ProbeState::Silent;
    let was_excluded = |id: &ProbeId| state.probes.get(id).is_some_and(|head| head.excluded);
    let failing = failing_for(0);
    // When most vantages fail in several regions at once, it is the regions: excluding everybody would blind us. The
    // others need a moment to look as well, so only a failure that has lasted is held against a vantage.
    let few = |failing: usize| 2 * failing < config.probes.keys().filter(heard).count();
    let own = few(failing.len());
    // Those who failed as it does do not become few by falling silent.
    let mut suspects: BTreeSet<ProbeId> = match own && few(config.probes.keys().filter(failed_last).count()) {
        true => failing_for(us(config.steering.hold) / 2).into_iter().cloned().collect(),
        false => BTreeSet::new(),
    };
    // Neither its own silence nor that of others makes a vantage good again: it has to succeed, or others fail as it does.
    if own || failing.iter().all(|id| was_excluded(id)) {
        let still = |id: &&ProbeId| was_excluded(id) && failed_last(id);
        suspects.extend(config.probes.keys().filter(still).cloned());
    }
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

/// The newest of each series of a vantage.
fn heads<'a>(state: &'a State, probe: &'a ProbeId) -> impl Iterator<Item = &'a Head> {
    state.series.values().filter_map(move |by_probe| by_probe.get(probe)).flat_map(|heads| heads.values())
}

/// When the newest evidence of a vantage was sent.
fn newest(state: &State, probe: &ProbeId) -> Option<Micros> {
    heads(state, probe).map(|head| head.sent).max()
}

/// Whether a vantage has failed at least half of three or more targets, in two or more regions, for `least_us`
/// microseconds: then, if others do not, the fault is believed to be its own.
fn fails_everywhere(config: &Config, state: &State, probe: &ProbeId, now: Micros, least_us: i64) -> bool {
    // Mostly nothing fails, and to ask for every vote takes long where there are thousands of series.
    if !heads(state, probe).any(|head| head.failing.is_some()) {
        return false;
    }
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
