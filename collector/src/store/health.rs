//! Whether the store works, learned from what is really written and read: nobody has to ask the disk.
//!
//! An error of the machine degrades the store at once; a commit heals it. While nothing else is written, a small write
//! is tried every second, so that recovery is noticed by itself.

use super::{
    Error, Store,
    db::{Db, write},
    sqlite::identity,
    trouble::Trouble,
};
use runtime::{clock::SharedClock, lock::lock};
use std::{
    fmt, io,
    sync::Mutex,
    time::{Duration, Instant},
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use wire::Micros;

/// How often a write is tried while the store is degraded and nothing else writes.
const TRY_EVERY: Duration = Duration::from_secs(1);
/// How long reading through the database waits for the start at most.
const CHECK_AFTER: Duration = Duration::from_secs(60);
/// How much a write that is tried writes: more than what is left over on a disk that reports were too large for.
const TRY_BYTES: usize = 16 * 1024;

/// Whether the store works.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Health {
    #[default]
    Ok,
    Degraded(Degraded),
}

/// What does not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Degraded {
    pub since: Micros,
    /// One sentence for whoever is woken by it, and what it means for the data.
    pub what: String,
    /// What the database said.
    pub detail: String,
    /// Whether reports can be stored all the same.
    pub writes: bool,
    /// Whether the database answers at all.
    pub answers: bool,
}

impl Health {
    /// What does not work, if something does not.
    pub fn degraded(&self) -> Option<&Degraded> {
        match self {
            Health::Ok => None,
            Health::Degraded(degraded) => Some(degraded),
        }
    }
}

/// Takes in how reads and writes went.
pub struct Monitor {
    sqlite: bool,
    /// Whether the database was not closed in order before it was opened.
    pub unclean: bool,
    clock: SharedClock,
    facts: Mutex<Facts>,
    /// What became of the file, while it is not where it was opened.
    gone: Mutex<Option<String>>,
    health: watch::Sender<Health>,
}

#[derive(Debug, Default)]
struct Facts {
    trouble: Option<Degraded>,
    /// What an integrity check or a read found; no commit heals that.
    damage: Option<Degraded>,
    /// When a write was last tried by anybody.
    tried: Option<Instant>,
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor").field("health", &*self.health.borrow()).finish_non_exhaustive()
    }
}

impl Monitor {
    /// A store that works until something fails.
    pub fn new(sqlite: bool, unclean: bool, clock: SharedClock) -> Monitor {
        let health = watch::Sender::new(Health::Ok);
        Monitor { sqlite, unclean, clock, facts: Mutex::default(), gone: Mutex::default(), health }
    }

    /// Now, by the clock of the store.
    pub fn now(&self) -> Micros {
        self.clock.now()
    }

    /// Takes in how a read went, and passes it on.
    pub fn read<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        result.inspect_err(|error| self.failed(error, false))
    }

    /// Takes in a failure; errors that are about a request change nothing.
    pub fn failed(&self, error: &Error, writes: bool) {
        let Some(trouble) = error.trouble() else { return };
        let mut facts = lock(&self.facts);
        if writes {
            facts.tried = Some(Instant::now());
        }
        if trouble == Trouble::Damaged {
            // A commit elsewhere in the file proves nothing about this page.
            if facts.damage.is_none() {
                facts.damage = Some(self.damage(chain(error)));
                self.publish(&facts);
            }
            if !writes {
                return;
            }
        }
        // Transactions that wait for each other are everyday on PostgreSQL; on SQLite it is another program's lock.
        if trouble == Trouble::Locked && !(self.sqlite && writes) {
            return;
        }
        let answers = !error.is_unanswered();
        // A read that fails says less than a write that fails.
        if let Some(known) = facts.trouble.as_mut().filter(|known| !writes && !known.writes) {
            known.answers &= answers;
            return self.publish(&facts);
        }
        let known = facts.trouble.as_ref();
        let degraded = Degraded {
            since: known.map_or_else(|| self.clock.now(), |known| known.since),
            what: sentence(trouble, self.sqlite).into(),
            detail: chain(error),
            writes: !writes,
            answers,
        };
        if known.is_none() {
            tracing::error!(detail = degraded.detail, "storage is degraded: {}", degraded.what);
        }
        facts.trouble = Some(degraded);
        self.publish(&facts);
    }

    /// Takes in a commit.
    pub fn worked(&self, writes: bool) {
        if !writes {
            return;
        }
        let mut facts = lock(&self.facts);
        facts.tried = Some(Instant::now());
        if let Some(over) = facts.trouble.take() {
            let seconds = self.clock.now().since(over.since) / 1_000_000;
            tracing::info!(seconds, "storage works again; it was: {}", over.what);
            self.publish(&facts);
        }
    }

    /// Takes in what an integrity check found.
    pub fn damaged(&self, finding: String) {
        let mut facts = lock(&self.facts);
        facts.damage = Some(self.damage(finding));
        self.publish(&facts);
    }

    fn damage(&self, detail: String) -> Degraded {
        let what = sentence(Trouble::Damaged, self.sqlite).to_owned();
        tracing::error!(detail, "{what}");
        Degraded { since: self.clock.now(), what, detail, writes: true, answers: true }
    }

    /// Takes in whether the database's file is where it was opened, or what is there instead.
    fn file(&self, found: Result<(), String>) {
        let was_gone = lock(&self.gone).clone();
        *lock(&self.gone) = found.err();
        if let Some(error) = self.gone().filter(|_| was_gone.is_none()) {
            self.failed(&error, true);
        }
    }

    /// Why nothing may be written, if the file is gone: it would be lost with the process.
    pub fn gone(&self) -> Option<Error> {
        let why = lock(&self.gone).clone()?;
        Some(sqlx::Error::Io(io::Error::new(io::ErrorKind::NotFound, why)).into())
    }

    fn publish(&self, facts: &Facts) {
        let now = facts.trouble.clone().or_else(|| facts.damage.clone());
        let now = now.map_or(Health::Ok, Health::Degraded);
        self.health.send_if_modified(|health| {
            let changed = *health != now;
            *health = now;
            changed
        });
    }

    /// Whether a write has to be tried, because the store is degraded and nobody writes.
    fn must_try(&self) -> bool {
        let facts = lock(&self.facts);
        facts.trouble.is_some() && facts.tried.is_none_or(|tried| tried.elapsed() >= TRY_EVERY)
    }
}

/// What a person who is woken by it should know.
fn sentence(trouble: Trouble, sqlite: bool) -> &'static str {
    match (trouble, sqlite) {
        (Trouble::DiskFull, true) => {
            "The disk of the database is full: nothing is stored until space is freed; reports wait in the probes."
        }
        (Trouble::DiskFull, false) => {
            "The disk of the PostgreSQL server is full: nothing is stored until space is freed; reports wait in the \
             probes."
        }
        (Trouble::ReadOnly, true) => {
            "The file system of the database takes no writes: nothing is stored until it does; reports wait in the \
             probes."
        }
        (Trouble::ReadOnly, false) => {
            "The PostgreSQL server takes no writes, as a standby does: nothing is stored until it does; reports wait in \
             the probes."
        }
        (Trouble::Locked, _) => {
            "Another program holds the lock of the database: nothing is stored until it lets go; reports wait in the \
             probes."
        }
        (Trouble::Lost, true) => {
            "The database cannot be reached: nothing is stored; reports wait in the probes."
        }
        (Trouble::Lost, false) => {
            "The PostgreSQL server cannot be reached: nothing is stored until it can; reports wait in the probes."
        }
        (Trouble::Slow, true) => "The database does not answer in time: it has more to do than the disk can.",
        (Trouble::Slow, false) => {
            "The PostgreSQL server does not answer in time: it is down, cut off, or has too much to do."
        }
        (Trouble::InputOutput, _) => {
            "Reading or writing the database failed: look at the disk and the system's log; reports wait in the probes."
        }
        (Trouble::Damaged, _) => {
            "The database is damaged: keep a copy of it and restore the newest backup before it is trusted again."
        }
    }
}

/// An error with its causes, in one line.
fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(deeper) = cause {
        text = format!("{text}: {deeper}");
        cause = deeper.source();
    }
    text
}

impl Store {
    /// Whether the store works, now and whenever that changes.
    pub fn health(&self) -> watch::Receiver<Health> {
        self.monitor.health.subscribe()
    }

    /// Reads through a database that was not closed in order, and heals the store, until told to stop. Reading through
    /// begins when `ready` is true, so that it holds up no start, and after some time in any case.
    pub async fn watch_over(self, mut ready: watch::Receiver<bool>, stop: CancellationToken) {
        let check = async {
            tokio::select! {
                _ = ready.wait_for(|ready| *ready) => {}
                () = tokio::time::sleep(CHECK_AFTER) => {}
            }
            self.check_pages().await;
        };
        tokio::select! {
            () = async { tokio::join!(check, self.watch_file(), self.clone().heal(stop.clone())); } => {}
            () = stop.cancelled() => {}
        }
    }

    /// Looks whether the file of SQLite is where it was opened: deleted or replaced, it goes on taking writes, which are
    /// gone when the process ends.
    async fn watch_file(&self) {
        let Db::Sqlite(lite) = &self.db else { return };
        let mut tick = tokio::time::interval(TRY_EVERY);
        loop {
            tick.tick().await;
            let found = tokio::fs::metadata(&lite.file).await;
            let shown = lite.file.display();
            self.monitor.file(match found {
                Ok(found) if identity(&found) == lite.identity => Ok(()),
                Ok(_) => Err(format!(
                    "{shown} is another file than the one in use: put that one back, or restart the collector to use the new one"
                )),
                Err(error) => Err(format!(
                    "{shown} is not there any more ({error}): put it back, or restart the collector to begin anew"
                )),
            });
        }
    }

    /// Tries a small write while the store is degraded and nothing else writes, until told to stop.
    pub async fn heal(self, stop: CancellationToken) {
        let mut health = self.health();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = health.wait_for(|health| health.degraded().is_some()) => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(TRY_EVERY) => {}
            }
            if self.monitor.must_try() {
                self.drop_idle();
                tokio::select! {
                    () = stop.cancelled() => return,
                    // How it went is taken in on the way.
                    _ = self.try_write() => {}
                }
            }
        }
    }

    /// Writes something that is of no use to anybody.
    ///
    /// # Errors
    /// When writing does not work.
    pub async fn try_write(&self) -> Result<(), Error> {
        let filler = vec![0_u8; TRY_BYTES];
        write!(self, tx => {
            sqlx::query(
                "INSERT INTO write_trial (id, filler) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET filler = $1",
            )
            .bind(&filler).execute(&mut *tx).await?;
        });
        Ok(())
    }

    /// Closes the connections of PostgreSQL that nobody uses: after a cut link all of them are dead, and each would cost
    /// the next caller the full wait.
    fn drop_idle(&self) {
        if let Db::Postgres(pool) = &self.db {
            while let Some(mut idle) = pool.try_acquire() {
                idle.close_on_drop();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use runtime::clock::ManualClock;
    use std::sync::Arc;

    fn monitor(sqlite: bool) -> (Monitor, ManualClock) {
        let clock = ManualClock::at(Micros(7));
        (Monitor::new(sqlite, false, Arc::new(clock.clone())), clock)
    }

    fn lost() -> Error {
        sqlx::Error::Io(io::Error::from(io::ErrorKind::ConnectionReset)).into()
    }

    #[test]
    fn degraded_since_the_first_failure_until_a_commit() {
        let (monitor, clock) = monitor(false);
        let health = monitor.health.subscribe();
        monitor.failed(&lost(), true);
        clock.set(Micros(9));
        monitor.failed(&sqlx::Error::PoolTimedOut.into(), true);
        let now = health.borrow().degraded().cloned().expect("degraded");
        assert_eq!((now.since, now.writes), (Micros(7), false));
        assert!(now.what.contains("does not answer in time"), "the newest reason: {}", now.what);
        monitor.worked(false);
        assert!(health.borrow().degraded().is_some(), "a read proves nothing");
        monitor.worked(true);
        assert_eq!(*health.borrow(), Health::Ok);
    }

    #[test]
    fn a_bad_request_is_not_a_bad_disk() {
        let (monitor, _) = monitor(true);
        monitor.failed(&sqlx::Error::RowNotFound.into(), true);
        monitor.failed(&Error::Fenced { term: 1 }, true);
        assert_eq!(*monitor.health.borrow(), Health::Ok);
    }

    #[test]
    fn a_failing_read_does_not_hide_that_writes_fail() {
        let (monitor, _) = monitor(false);
        monitor.failed(&sqlx::Error::PoolTimedOut.into(), true);
        monitor.failed(&lost(), false);
        let now = monitor.health.borrow().degraded().cloned().expect("degraded");
        assert!(!now.answers);
        assert!(!now.writes && now.what.contains("in time"), "{now:?}");
    }

    #[test]
    fn whether_it_answers_is_known_by_reading_and_by_writing() {
        for writes in [true, false] {
            let (monitor, _) = monitor(false);
            let answers = || monitor.health.borrow().degraded().map(|degraded| degraded.answers);
            monitor.failed(&Error::Query(sqlx::Error::WorkerCrashed), true);
            assert_eq!(answers(), Some(true), "broken, and there");
            monitor.failed(&lost(), writes);
            assert_eq!(answers(), Some(false));
            monitor.failed(&Error::Query(sqlx::Error::WorkerCrashed), false);
            assert_eq!(answers(), Some(false), "one that failed in between proves nothing");
            monitor.worked(true);
            assert_eq!(answers(), None);
        }
    }

    #[test]
    fn damage_stays() {
        let (monitor, _) = monitor(true);
        monitor.damaged("row 7 missing from index".into());
        monitor.failed(&lost(), true);
        monitor.worked(true);
        let now = monitor.health.borrow().degraded().cloned().expect("degraded");
        assert!(now.what.contains("damaged") && now.detail.contains("row 7"), "{now:?}");
    }

    #[test]
    fn damage_that_a_read_finds_stays_and_stops_no_writes() {
        let (monitor, clock) = monitor(true);
        let found = Error::Damaged { what: "a page".into() };
        assert!(found.trouble() == Some(Trouble::Damaged) && found.is_damage());
        monitor.failed(&found, false);
        clock.set(Micros(9));
        monitor.failed(&found, false);
        monitor.worked(true);
        let now = monitor.health.borrow().degraded().cloned().expect("degraded");
        assert!(now.what.contains("damaged") && now.writes && now.answers, "{now:?}");
        assert_eq!(now.since, Micros(7));
    }
}
