//! Deciding, for as long as the lease is held.

use super::{
    Ended, Fold, is_due,
    passes::{self, Pass},
};
use crate::{
    decide::{self, Core, Effect, Event, Note},
    store::{Commit, EXPIRES, Error, NewPlan},
    tail::{self, Reader},
};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;
use wire::{Micros, plan::Plan};

/// How often the core is told that time passed.
const TICK: Duration = Duration::from_millis(200);
/// The least time between two passes: what comes meanwhile is taken in together.
const BREATH: Duration = Duration::from_millis(100);
/// The longest that one pass reads before it judges, and the most, in samples: some 50 MB.
const READING: Duration = Duration::from_secs(1);
const MOST: usize = 50_000;
/// How often the lease is renewed.
const RENEW: Duration = Duration::from_secs(1);
/// How often the state is saved when nothing of note happened, microseconds. After a crash that much of the log is
/// read again.
const SAVE_EVERY_US: i64 = 20_000_000;
/// ... or this many samples of it, at most.
const UNSAVED: usize = 500_000;
/// How often a state is kept for replays, microseconds.
const SNAPSHOT_EVERY_US: i64 = 3_600_000_000;
/// How often the state is shown when no decision was made, microseconds.
const PUBLISH_EVERY_US: i64 = 250_000;
/// ... and when nothing at all is new.
const IDLE_EVERY_US: i64 = 1_000_000;

/// A decider in its term.
struct Decider<'a> {
    fold: &'a Fold,
    core: Core,
    log: Reader,
    /// The log position that the core has seen.
    position: i64,
    /// The number of the newest commit in this term.
    number: i64,
    passes: Vec<Pass>,
    saved: Micros,
    /// Samples that the core has seen since.
    unsaved: usize,
    snapshot: Micros,
    published: Micros,
    renewed: Instant,
}

impl Fold {
    /// Decides until told to stop or the lease is lost.
    pub(super) async fn decide(&self, term: i64, stop: &CancellationToken) -> Ended {
        let mut decider = match Decider::begin(self, term).await {
            Ok(decider) => decider,
            Err(error) => return self.lost(&error).await,
        };
        tracing::info!(term, "this collector decides");
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut news = self.tail.news();
        let mut rest = false;
        loop {
            let earliest = Instant::now() + BREATH;
            let stopping = tokio::select! {
                () = stop.cancelled() => true,
                () = std::future::ready(()), if rest => false,
                _ = tick.tick() => false,
                // The sender lives as long as the tail, which lives in `self`.
                _ = news.changed() => false,
            };
            if !stopping && !rest {
                sleep_until(earliest).await;
                news.mark_unchanged();
            }
            if stopping && self.mandate.has_resigned() {
                return Ended::Stopping;
            }
            match decider.turn(stopping).await {
                Ok(_) if stopping => return Ended::Stopping,
                Ok(more) => rest = more,
                Err(error) => return self.lost(&error).await,
            }
        }
    }

    async fn lost(&self, error: &Error) -> Ended {
        let term = self.mandate.term();
        self.mandate.lose();
        if let Error::Fenced { .. } = error {
            tracing::warn!(%error, "another collector decides now; this one follows");
            return Ended::Lost;
        }
        // The core has advanced and its effects may not be committed.
        tracing::error!(
            error = error as &dyn std::error::Error,
            "a decision could not be committed; it is made again from what was committed"
        );
        if let Some(term) = term
            && let Err(error) = self.store.release(term).await
        {
            tracing::debug!(error = &error as &dyn std::error::Error, "the lease will run out by itself");
        }
        Ended::Lost
    }
}

impl<'a> Decider<'a> {
    /// Goes on from what was committed, commits that, and tells again who may not have been told.
    async fn begin(fold: &'a Fold, term: i64) -> Result<Decider<'a>, Error> {
        let now = fold.clock.now();
        let (mut core, _, position) = fold.committed(term).await?;
        core.state.fit(now);
        core.state.ask_again();
        let mut decider = Decider {
            fold,
            core,
            log: fold.tail.reader(),
            position,
            number: 0,
            passes: Vec::new(),
            saved: now,
            unsaved: 0,
            snapshot: now,
            published: now,
            renewed: Instant::now(),
        };
        let mut effects = Vec::new();
        if decider.core.state.revision != fold.revision {
            decider.core.state.revision = fold.revision;
            effects.push(decide::configured(fold.revision, now));
        }
        decider.commit(effects, now).await?;
        for (id, service) in &decider.core.state.services {
            let (Some(plan), Some(config)) = (&service.plan, fold.config.services.get(id)) else { continue };
            let missing: Vec<_> =
                config.receivers.iter().filter(|r| !plan.acknowledged.contains(r)).cloned().collect();
            fold.store.ensure_told(term, &plan.plan, &missing, now).await?;
        }
        fold.planned.notify_one();
        Ok(decider)
    }

    /// Keeps the lease, and makes a pass. True when the log has more.
    async fn turn(&mut self, stopping: bool) -> Result<bool, Error> {
        if self.renewed.elapsed() >= RENEW {
            let asked = Instant::now();
            match self.fold.store.renew(self.core.term).await {
                Ok(true) => {
                    self.renewed = asked;
                    self.fold.mandate.hold(self.core.term, asked, self.fold.store.is_shared());
                }
                Ok(false) => return Err(Error::Fenced { term: self.core.term }),
                Err(error) if self.renewed.elapsed() >= EXPIRES => return Err(error),
                // There is time for another try.
                Err(error) => {
                    tracing::debug!(error = &error as &dyn std::error::Error, "the lease was not renewed")
                }
            }
        }
        self.pass(stopping).await
    }

    /// Takes in everything that is new in the log, then judges once, at the present time: evidence that waited too
    /// long is old, and old evidence moves nothing. A backlog takes several passes: true when there is more.
    async fn pass(&mut self, stopping: bool) -> Result<bool, Error> {
        let before = self.position;
        let mut effects = Vec::new();
        let mut entries = Vec::new();
        let began = Instant::now();
        let (mut samples, mut rest) = (0, false);
        loop {
            let more = self.log.after(self.position).await?;
            let Some(last) = more.last() else { break };
            self.position = last.position;
            samples += more.iter().map(tail::weight_of).sum::<usize>();
            entries.extend(more);
            rest = began.elapsed() > READING || samples > MOST;
            if rest {
                break;
            }
        }
        // One time for the whole pass: it is written down, and with it every decision can be made again.
        let now = self.fold.clock.now();
        for entry in &entries {
            effects.extend(self.core.apply(&entry.event, now));
        }
        effects.extend(self.core.apply(&Event::Tick, now));
        self.passes.push(Pass { now, position: self.position });
        let changed = self.position != before;
        let decided = effects.iter().any(Effect::is_durable);
        self.unsaved += samples;
        let save = is_due(now, self.saved, SAVE_EVERY_US) || self.unsaved > UNSAVED;
        if stopping || decided || save {
            self.commit(effects, now).await?;
        } else {
            self.perform(effects);
        }
        // Without news only ages change, and a page counts those by itself.
        let patience = if changed { PUBLISH_EVERY_US } else { IDLE_EVERY_US };
        if decided || is_due(now, self.published, patience) {
            self.published = now;
            self.fold.publish(&self.core.state);
        }
        Ok(rest)
    }

    /// Commits the state with everything that follows from it.
    async fn commit(&mut self, effects: Vec<Effect>, now: Micros) -> Result<(), Error> {
        let config = Arc::clone(&self.core.config);
        let (mut notes, mut plans, mut retold): (Vec<Note>, Vec<NewPlan<'_>>, Vec<&Plan>) =
            Default::default();
        for effect in &effects {
            match effect {
                Effect::Note(note) => notes.push(note.clone()),
                Effect::Plan { plan, guards } => {
                    let receivers = config.services.get(&plan.service).map_or(&[][..], |s| &s.receivers);
                    plans.push(NewPlan { plan, guards, receivers });
                }
                Effect::Retell(plan) => retold.push(plan),
                Effect::Confirm(_) => {}
            }
        }
        let number = self.number + 1;
        let keep = number == 1 || is_due(now, self.snapshot, SNAPSHOT_EVERY_US);
        let commit = Commit {
            term: self.core.term,
            number,
            position: self.position,
            now,
            state: &self.core.state,
            passes: passes::pack(&self.passes),
            snapshot: keep.then_some(self.fold.revision),
            notes: &notes,
            plans: &plans,
            retold: &retold,
        };
        self.fold.store.commit(&commit).await?;
        self.number = number;
        self.passes.clear();
        self.saved = now;
        self.unsaved = 0;
        if keep {
            self.snapshot = now;
        }
        for note in &notes {
            tracing::info!(kind = %note.kind, detail = %note.detail, "{}", note.title);
        }
        if !plans.is_empty() || !retold.is_empty() {
            self.fold.planned.notify_one();
        }
        self.perform(effects);
        Ok(())
    }

    /// Does what needs no commit, after the commit.
    fn perform(&self, effects: Vec<Effect>) {
        for effect in effects {
            if let Effect::Confirm(confirm) = effect {
                self.fold.exchange.confirm(confirm);
            }
        }
    }
}
