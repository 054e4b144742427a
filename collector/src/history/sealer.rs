//! Seals: takes the rows of one shard after the other out of memory into the database.
//!
//! Everything costly is done before the transaction: rows are copied and encoded, roll-ups that are stored are read and
//! merged. The transaction writes only when the shard is still as it was then, so nothing is sealed twice, whoever else
//! seals.

use super::{
    Error, History, Inner, SeriesKey, Term,
    heads::{Held, Unsealed},
    prepare::{self, Numbered},
    schedule::{Next, Schedule},
    shard::SHARDS,
};
use crate::store::{self, Seal, SealState};
use ::series::Row;
use std::time::Duration;
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval, sleep},
};
use tokio_util::sync::CancellationToken;

/// How often it looks whether rows press, and which shard is due, at least.
const TICK: Duration = Duration::from_millis(100);
/// After a start the log is read back first, and sealing takes no processor from that; but a process that never lives for long
/// must get on too.
const HOLD: Duration = Duration::from_secs(2);
/// How often cursors and erasures are read, microseconds: so long may an erased row still be seen.
const REFRESH_US: i64 = 2_000_000;
/// How long it waits after a failure, microseconds.
const AGAIN_US: i64 = 1_000_000;
/// How long the sealing at the end may take.
const LAST: Duration = Duration::from_secs(5);

/// Seals until told to stop, and then all that is left. `all_read` becomes true when the log was read back.
pub async fn run(
    history: History,
    term: Term,
    every: Duration,
    mut all_read: watch::Receiver<bool>,
    stop: CancellationToken,
) {
    let mut sealer = Sealer::new(history, every);
    tokio::select! {
        () = stop.cancelled() => {}
        _ = all_read.wait_for(|all| *all) => {}
        () = sleep(HOLD) => {}
    }
    // One shard in a look: with a short period it looks as often as one is due.
    let mut tick = interval(TICK.min(every / SHARDS as u32));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = tick.tick() => {}
        }
        if let Err(GoneBack { shard }) = sealer.pass(term()).await {
            tracing::error!(
                shard,
                "the database has gone back to an earlier state: stopping, to begin again from what it has"
            );
            return;
        }
    }
    if let Some(term) = term() {
        sealer.seal_all(term, Instant::now() + LAST).await;
    }
}

/// The database is behind what it had committed before, as after a restore or a switch to a replica.
#[derive(Debug)]
pub struct GoneBack {
    shard: usize,
}

/// The state of the sealing task.
pub struct Sealer {
    history: History,
    /// How often each shard is sealed, microseconds.
    period: i64,
    state: Option<SealState>,
    schedule: Option<(i64, Schedule)>,
    refreshed: i64,
    /// Nothing is tried before this.
    not_before: i64,
    /// A term that another collector has ended.
    fenced: Option<i64>,
}

impl Sealer {
    /// Seals every shard once in such a period.
    pub fn new(history: History, every: Duration) -> Sealer {
        let long_ago = i64::MIN / 2;
        Sealer {
            history,
            period: wire::instant::us(every),
            state: None,
            schedule: None,
            refreshed: long_ago,
            not_before: long_ago,
            fenced: None,
        }
    }

    fn inner(&self) -> &Inner {
        &self.history.0
    }

    /// Does what is due. Sealing only under a term; without one it follows what another collector seals.
    ///
    /// # Errors
    /// When this process must begin again.
    pub async fn pass(&mut self, term: Option<i64>) -> Result<(), GoneBack> {
        let now = self.inner().clock.now().0;
        if now < self.not_before {
            return Ok(());
        }
        if now.saturating_sub(self.refreshed) >= REFRESH_US || self.state.is_none() {
            match self.refresh().await {
                Ok(gone) => gone?,
                Err(error) => {
                    self.failed(&error.into(), "reading how far history is sealed");
                    return Ok(());
                }
            }
        }
        let Some(term) = term.filter(|term| self.fenced != Some(*term)) else {
            self.schedule = None;
            return Ok(());
        };
        if let Err(error) = self.work(term).await {
            self.failed(&error, "sealing");
        }
        Ok(())
    }

    async fn work(&mut self, term: i64) -> Result<(), Error> {
        loop {
            // The time of now: under pressure this goes on for long, and whatever else is due must come in between.
            let now = self.inner().clock.now().0;
            let mut held = [Held::default(); SHARDS];
            for (place, shard) in held.iter_mut().zip(self.inner().heads.shards()) {
                *place = shard;
            }
            let schedule = match &mut self.schedule {
                Some((of, schedule)) if *of == term => schedule,
                other => &mut other.insert((term, Schedule::new(now, &held, self.period))).1,
            };
            match schedule.next(now, &held) {
                Next::Wait(_) => return Ok(()),
                Next::Follow => {
                    schedule.followed(now);
                    self.advance(term).await?;
                }
                Next::Seal(shard) => {
                    let sealed = self.seal(term, shard).await;
                    if let Some((_, schedule)) = &mut self.schedule {
                        match sealed {
                            Ok(true) => schedule.sealed(shard, now),
                            Ok(false) => {}
                            Err(_) => schedule.failed(shard, now),
                        }
                    }
                    if !sealed? {
                        // Somebody else was quicker, or something was erased: with fresh knowledge it succeeds.
                        self.state = None;
                        return Ok(());
                    }
                }
            }
            if now.saturating_sub(self.refreshed) >= REFRESH_US {
                return Ok(());
            }
        }
    }

    /// Reads what others did: drops what they sealed and what was erased.
    pub async fn refresh(&mut self) -> Result<Result<(), GoneBack>, store::Error> {
        let inner = &self.history.0;
        let state = inner.store.seal_state().await?;
        for (shard, held) in inner.heads.shards().enumerate() {
            if state.cursors.get(shard).is_some_and(|stored| *stored < held.cursor) {
                return Ok(Err(GoneBack { shard }));
            }
        }
        inner.heads.erase(&state.erasures);
        for (shard, cursor) in state.cursors.iter().enumerate() {
            inner.heads.sealed(shard, *cursor);
        }
        self.refreshed = inner.clock.now().0;
        self.state = Some(state);
        Ok(Ok(()))
    }

    /// Seals all rows of a shard that are there. False when the shard had been changed by somebody else.
    pub async fn seal(&self, term: i64, shard: usize) -> Result<bool, Error> {
        let Some(state) = &self.state else { return Ok(false) };
        let Inner { store, heads, .. } = self.inner();
        let unsealed = heads.unsealed(shard);
        if unsealed.series.is_empty() {
            // Its cursor follows with those of other shards without rows.
            return Ok(true);
        }
        let Unsealed { cursor: from, position, series } = unsealed;
        tracing::trace!(shard, position, "sealing");
        let series = self.numbered(shard, series).await?;
        let (segments, new) = tokio::task::spawn_blocking(move || {
            let new = prepare::days(&series);
            prepare::segments(&series, 0).map(|segments| (segments, new))
        })
        .await??;
        let stored = store.packed_days(new.keys()).await?;
        let (rollups, days) = tokio::task::spawn_blocking(move || prepare::merge(new, stored)).await??;
        let changes = state.changes[shard];
        let seal =
            Seal { shard, from, changes, position, segments: &segments, rollups: &rollups, days: &days };
        if !store.seal(term, &seal).await? {
            return Ok(false);
        }
        heads.sealed(shard, position);
        let rows: i64 = segments.iter().map(|segment| segment.rows).sum();
        let bytes: usize = segments.iter().map(|segment| segment.data.len()).sum();
        tracing::debug!(shard, position, rows, bytes, segments = segments.len(), "sealed");
        Ok(true)
    }

    /// Finds the numbers of series that have none yet.
    async fn numbered(
        &self,
        shard: usize,
        series: Vec<(SeriesKey, Option<i64>, Vec<Row>)>,
    ) -> Result<Vec<Numbered>, store::Error> {
        let Inner { store, heads, .. } = self.inner();
        let new: Vec<_> =
            series.iter().filter(|(_, id, _)| id.is_none()).map(|(key, ..)| key.clone()).collect();
        let ids = if new.is_empty() { Vec::new() } else { store.series_ids(&new).await? };
        let found: Vec<_> = new.into_iter().zip(ids).collect();
        heads.number(shard, &found);
        let mut found = found.into_iter().map(|(_, id)| id);
        let number = |(key, id, rows): (SeriesKey, Option<i64>, Vec<Row>)| {
            // The new ones are in the order of the series.
            Some(Numbered { check: key.check, id: id.or_else(|| found.next())?, rows })
        };
        Ok(series.into_iter().filter_map(number).collect())
    }

    /// Lets the cursors of shards without rows follow, so that a restart has little to read.
    pub async fn advance(&self, term: i64) -> Result<(), Error> {
        let Inner { store, heads, .. } = self.inner();
        // Before the shards are looked at: what comes in meanwhile has a higher position.
        let position = heads.taken();
        let idle: Vec<usize> = heads
            .shards()
            .enumerate()
            .filter(|(_, held)| held.rows == 0 && held.cursor < position)
            .map(|(shard, _)| shard)
            .collect();
        store.advance(term, &idle, position).await?;
        idle.into_iter().for_each(|shard| heads.sealed(shard, position));
        Ok(())
    }

    /// Seals everything, until a moment.
    async fn seal_all(&mut self, term: i64, until: Instant) {
        let all = async {
            if !matches!(self.refresh().await, Ok(Ok(()))) {
                return;
            }
            for shard in 0..SHARDS {
                // What cannot be sealed keeps nobody else waiting.
                if let Err(error) = self.seal(term, shard).await {
                    tracing::warn!(
                        shard,
                        error = &error as &dyn std::error::Error,
                        "sealing at the end failed"
                    );
                }
            }
            if let Err(error) = self.advance(term).await {
                self.failed(&error, "sealing at the end");
            }
        };
        if tokio::time::timeout_at(until, all).await.is_err() {
            tracing::info!(
                "not all of the history was sealed before the end; the next start reads it from the log"
            );
        }
    }

    /// Notes a failure; it is tried again later.
    fn failed(&mut self, error: &Error, what: &str) {
        if let Error::Store(store::Error::Fenced { term }) = error {
            tracing::info!(term, "another collector seals the history now");
            self.fenced = Some(*term);
            return;
        }
        tracing::warn!(error = error as &dyn std::error::Error, "{what} failed and is tried again");
        self.state = None;
        self.not_before = self.inner().clock.now().0.saturating_add(AGAIN_US);
    }
}
