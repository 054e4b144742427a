//! From votes to verdicts: a quorum of independent vantages, with a reason that names the evidence.
//!
//! One failure domain has one voice. Down needs a strict majority of the domains that have fresh evidence, and never
//! fewer than two. With fewer than two the answer is unknown, not down. A vantage that falls silent shifts the majority and
//! says nothing by it: what follows is believed when those who are left have looked again.

use super::{
    Effect, Note, locate,
    state::{State, Verdict},
    vote::{self, Ballot, Scene},
    words,
};
use std::collections::{BTreeMap, BTreeSet};
use wire::{
    RegionId,
    view::{TimelineKind, VerdictState, Vote},
};

/// The votes of independent domains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Domains with a vantage that may vote.
    pub eligible: usize,
    /// Domains that were configured to watch.
    pub configured: usize,
    pub down: usize,
    /// Domains that fail, but not for long enough to vote down.
    pub suspect: usize,
    pub degraded: usize,
    pub up: usize,
}

impl Tally {
    /// How many domains must agree: a strict majority, and two at least.
    pub fn quorum(&self) -> usize {
        (self.eligible / 2 + 1).max(2)
    }

    /// Whether enough of the configured domains are left to decide for all.
    pub fn sees_enough(&self) -> bool {
        self.eligible >= 2 && 2 * self.eligible > self.configured
    }
}

/// Counts each domain once. A domain says what more than half of its eligible vantages say or worse: it is down only
/// if most of its vantages are.
pub fn tally(ballots: &[Ballot<'_>]) -> Tally {
    let mut domains: BTreeMap<&str, Vec<Vote>> = BTreeMap::new();
    for ballot in ballots.iter().filter(|ballot| ballot.eligible()) {
        domains.entry(ballot.domain).or_default().push(ballot.vote);
    }
    let mut tally = Tally {
        eligible: domains.len(),
        configured: ballots.iter().map(|ballot| ballot.domain).collect::<BTreeSet<_>>().len(),
        ..Tally::default()
    };
    for votes in domains.values() {
        let most =
            |wanted: &[Vote]| 2 * votes.iter().filter(|vote| wanted.contains(vote)).count() > votes.len();
        if most(&[Vote::Down]) {
            tally.down += 1;
        } else if most(&[Vote::Down, Vote::Suspect]) {
            tally.suspect += 1;
        } else if most(&[Vote::Down, Vote::Suspect, Vote::Degraded]) {
            tally.degraded += 1;
        } else {
            tally.up += 1;
        }
    }
    tally
}

/// The state that follows from the votes, given the one before.
pub fn judge(tally: &Tally, before: VerdictState) -> VerdictState {
    let quorum = tally.quorum();
    // Half well and half badly served: what it was is kept, so that a borderline region does not flap.
    let still_degraded = before == VerdictState::Degraded && tally.up < quorum;
    let newly_degraded = tally.degraded + tally.suspect + tally.down >= quorum;
    if tally.eligible < 2 {
        VerdictState::Unknown
    } else if tally.down >= quorum {
        VerdictState::Down
    } else if before == VerdictState::Down && tally.down + tally.suspect > 0 {
        // Once down, one doubt is enough to stay down: going back too early hurts users twice.
        VerdictState::Down
    } else if tally.degraded > 0 && (newly_degraded || still_degraded) {
        VerdictState::Degraded
    } else if tally.up >= quorum {
        VerdictState::Healthy
    } else {
        // Nobody has a majority, for example while suspicions wait for the hold.
        before
    }
}

/// Brings every region's verdict up to date.
pub(super) fn update(scene: &Scene<'_>, state: &mut State, effects: &mut Vec<Effect>) {
    for region in scene.service.endpoints.keys() {
        let ballots = vote::ballots(scene, state, region);
        let (tally, since) = (tally(&ballots), tally(&vote::since_silence(&ballots)));
        let clean = !ballots.iter().any(|b| matches!(b.vote, Vote::Down | Vote::Suspect));
        let reason = reason(&ballots, &tally);
        let located = locate::locate(scene.config, region, &ballots);

        let service = state.services.entry(scene.id.clone()).or_default();
        let record = service.regions.entry(region.clone()).or_default();
        let before = record.verdict.state;
        let after = match judge(&tally, before) {
            VerdictState::Unknown => VerdictState::Unknown,
            after if judge(&since, before) == after => after,
            _ => before,
        };
        record.clean_since = match (after, clean, record.clean_since) {
            (VerdictState::Healthy, true, Some(since)) => Some(since),
            (VerdictState::Healthy, true, None) => Some(scene.now),
            _ => None,
        };
        if after == before {
            record.verdict.reason = reason;
            record.verdict.located = located;
            continue;
        }
        record.verdict =
            Verdict { state: after, since: scene.now, reason: reason.clone(), located: located.clone() };
        effects.push(note(scene, region, &record.verdict).into());
    }
}

fn note(scene: &Scene<'_>, region: &RegionId, verdict: &Verdict) -> Note {
    let located =
        if verdict.located.is_empty() { String::new() } else { format!(" Located: {}.", verdict.located) };
    Note::new(
        TimelineKind::Verdict,
        scene.now,
        format!("{} in {region} is {}", scene.service.name, verdict.state),
    )
    .service(scene.id)
    .region(region)
    .state(verdict.state)
    .detail(format!("{}{located}", verdict.reason))
}

/// One sentence on who says what, led by the worst.
fn reason(ballots: &[Ballot<'_>], tally: &Tally) -> String {
    let with = |wanted: Vote| ballots.iter().filter(move |b| b.vote == wanted).collect::<Vec<_>>();
    let eligible = ballots.iter().filter(|b| b.eligible()).count();
    let example = |some: &[&Ballot<'_>]| {
        let head = some.iter().filter_map(|b| b.head).max_by_key(|head| head.sent);
        head.map_or(String::new(), |head| format!(" Newest: {}.", head.summary.trim_end_matches('.')))
    };
    let (down, suspect, degraded, up) =
        (with(Vote::Down), with(Vote::Suspect), with(Vote::Degraded), with(Vote::Up));
    let absent = ballots.len() - eligible;
    let absent = if absent > 0 {
        format!(" {absent} more have no say: silent, new or at fault.")
    } else {
        String::new()
    };
    if tally.eligible < 2 {
        return format!(
            "{eligible} of {} vantages have fresh evidence; two independent ones are needed to say anything.",
            ballots.len()
        );
    }
    if !down.is_empty() && up.len() <= down.len() + suspect.len() {
        let longest = down.iter().map(|b| b.failing_us()).max().unwrap_or(0);
        let quorum = tally.quorum();
        return format!(
            "{} of {eligible} vantages have seen nothing but failures for up to {}; {quorum} must agree.{absent}{}",
            down.len(),
            words::span(longest),
            example(&down)
        );
    }
    let failing: Vec<&Ballot<'_>> = down.iter().chain(&suspect).copied().collect();
    if !failing.is_empty() {
        let well = if up.is_empty() { String::new() } else { format!("{} see it well, ", up.len()) };
        return format!(
            "Of {eligible} vantages {well}{} see failures.{absent}{}",
            failing.len(),
            example(&failing)
        );
    }
    if !degraded.is_empty() {
        return format!(
            "{} of {eligible} vantages see it answer slowly or fail a lesser check.{absent}{}",
            degraded.len(),
            example(&degraded)
        );
    }
    format!("{} of {eligible} vantages see it well.{absent}", up.len())
}
