//! Which shard is sealed next. Pure: the caller tells the time and what the shards hold.

use super::{heads::Held, shard::SHARDS};

/// More rows than this in all heads are sealed without waiting: at 64 bytes a row and with room to grow, 80 MB.
pub const PRESSURE_ROWS: usize = 1_000_000;
/// The most samples in the log between the cursor of a shard and its end: a restart reads them again, some seconds on two
/// slow processors that also take reports as fast as they can.
pub const DISTANCE: u64 = PRESSURE_ROWS as u64;
/// ... of a shard without rows, whose cursor is moved by a tiny write.
pub const IDLE_DISTANCE: u64 = DISTANCE / 8;
/// How often the cursors of shards without rows follow at least, microseconds.
pub const IDLE_US: i64 = 30_000_000;
/// The least time between two that are sealed because of their distance: a backlog does not come all at once either.
pub const HASTE_US: i64 = 50_000;
/// How long a shard that could not be sealed is left alone, so that the others have their turns, microseconds.
pub const REST_US: i64 = 10_000_000;

/// When each shard was sealed, and when the next is due.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// How often a shard is sealed, microseconds.
    period: i64,
    /// The least time between two that are merely due: after a gap, the overdue ones do not come all at once.
    spacing: i64,
    sealed: [i64; SHARDS],
    last: i64,
    followed: i64,
    /// When sealing a shard failed, for those that have a rest.
    failed: [Option<i64>; SHARDS],
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    Seal(usize),
    /// Let the cursors of shards without rows follow.
    Follow,
    /// Nothing for this long, unless rows press or the log grows.
    Wait(i64),
}

impl Schedule {
    /// Begins at `now`, to seal each shard every `period`, microseconds. The shard that is sealed the least far comes first,
    /// and all are spread over one period. So also a process that never lives for long seals something each time.
    pub fn new(now: i64, held: &[Held; SHARDS], period: i64) -> Schedule {
        let each = period / SHARDS as i64;
        let mut order: Vec<usize> = (0..SHARDS).collect();
        order.sort_by_key(|shard| (held[*shard].cursor, *shard));
        let mut sealed = [0; SHARDS];
        for (rank, shard) in (0..).zip(order) {
            sealed[shard] = now.saturating_sub(period).saturating_add(rank * each);
        }
        let spacing = each / 4;
        let (last, followed) = (now.saturating_sub(spacing), now.saturating_sub(IDLE_US));
        Schedule { period, spacing, sealed, last, followed, failed: [None; SHARDS] }
    }

    /// What to do at `now`, when the shards hold this.
    pub fn next(&mut self, now: i64, held: &[Held; SHARDS]) -> Next {
        // A clock that was set back is followed.
        let remembered = self.sealed.iter_mut().chain([&mut self.last, &mut self.followed]);
        remembered.chain(self.failed.iter_mut().flatten()).for_each(|at| *at = now.min(*at));
        for failed in &mut self.failed {
            failed.take_if(|at| now.saturating_sub(*at) >= REST_US);
        }
        let idle =
            held.iter().filter(|held| held.rows == 0).map(|held| held.behind).max().unwrap_or_default();
        let patience = if idle >= IDLE_DISTANCE { HASTE_US } else { IDLE_US };
        if idle > 0 && now.saturating_sub(self.followed) >= patience {
            return Next::Follow;
        }
        let ready: Vec<usize> = (0..SHARDS).filter(|shard| self.failed[*shard].is_none()).collect();
        let crowded = crowded(held, &ready);
        let haste = self.last.saturating_add(HASTE_US);
        if let Some(furthest) = crowded
            && haste <= now
        {
            return Next::Seal(furthest);
        }
        if ready.iter().map(|shard| held[*shard].rows).sum::<usize>() > PRESSURE_ROWS
            && let Some(fullest) = ready.iter().max_by_key(|shard| held[**shard].rows)
        {
            return Next::Seal(*fullest);
        }
        let Some(&oldest) = ready.iter().min_by_key(|shard| self.sealed[**shard]) else {
            return Next::Wait(REST_US);
        };
        let due = self.sealed[oldest].saturating_add(self.period).max(self.last.saturating_add(self.spacing));
        let due = if crowded.is_some() { due.min(haste) } else { due };
        if due > now { Next::Wait(due.saturating_sub(now)) } else { Next::Seal(oldest) }
    }

    /// Notes that a shard was sealed at `now`.
    pub fn sealed(&mut self, shard: usize, now: i64) {
        self.sealed[shard] = now;
        self.last = now;
    }

    /// Notes that a shard could not be sealed at `now`: it has a rest.
    pub fn failed(&mut self, shard: usize, now: i64) {
        self.failed[shard] = Some(now);
        self.last = now;
    }

    /// Notes that the cursors of shards without rows followed at `now`.
    pub fn followed(&mut self, now: i64) {
        self.followed = now;
    }
}

/// Of those that are `ready`, the shard that is furthest behind, when it is time to seal it: of `n` shards with rows the
/// nearest may be `1/n` of [`DISTANCE`] behind, the next one `2/n`, the furthest all of it. Kept so, one seal for each
/// `1/n` of the distance is enough for all, and they never become due together.
fn crowded(held: &[Held; SHARDS], ready: &[usize]) -> Option<usize> {
    let busy = ready.iter().filter(|shard| held[**shard].rows > 0);
    let mut busy: Vec<(u64, usize)> = busy.map(|&shard| (held[shard].behind, shard)).collect();
    busy.sort_unstable();
    let count = busy.len() as u64;
    let too_far = |(rank, (behind, _)): (u64, &(u64, usize))| behind.saturating_mul(count) >= rank * DISTANCE;
    (1..).zip(&busy).any(too_far).then(|| busy.last().map(|(_, shard)| *shard))?
}

#[cfg(test)]
mod tests;
