//! Hands inside the store, for tests only.

use crate::store::{
    Error, Store,
    db::{Db, write},
    lease::Fence,
    writing::Writing,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use sqlx::{Executor, Postgres};

/// Processes of a PostgreSQL server that stand still until this is dropped: they have the question, and their answer
/// never comes, as over a link that was cut.
pub struct Frozen(Vec<Pid>);

impl Frozen {
    /// Freezes the processes of the sessions that fit a condition on `pg_stat_activity`.
    pub fn sessions(cluster: &test_postgres::Cluster, condition: &str) -> Frozen {
        let pids = cluster.query(&format!("SELECT pid FROM pg_stat_activity WHERE {condition}"));
        let pids: Vec<Pid> = pids.lines().map(|pid| Pid::from_raw(pid.parse().expect("a number"))).collect();
        pids.iter().for_each(|pid| kill(*pid, Signal::SIGSTOP).expect("it runs"));
        Frozen(pids)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        for pid in &self.0 {
            // One that is gone is well too.
            let _ = kill(*pid, Signal::SIGCONT);
        }
    }
}

impl Store {
    /// A writing transaction on PostgreSQL in which nothing goes on.
    pub async fn hang(&self) -> Writing<Postgres> {
        let Db::Postgres(pool) = &self.db else { panic!("for PostgreSQL") };
        Writing::begin(pool, &self.monitor, "BEGIN", true).await.expect("begun")
    }

    /// The same, after its term was checked.
    pub async fn hang_fenced(&self, term: i64) -> Writing<Postgres> {
        let mut tx = self.hang().await;
        let held: Option<(i64,)> =
            sqlx::query_as(tx.hold()).bind(term).fetch_optional(&mut *tx).await.expect("asked");
        assert_eq!(held, Some((term,)));
        tx
    }

    /// Makes the writing connection of SQLite answer as on a read-only file system, until it is replaced.
    pub async fn forbid_writing(&self) {
        let Db::Sqlite(lite) = &self.db else { panic!("for SQLite") };
        let mut writer = lite.writer.acquire().await.expect("free");
        writer.execute("PRAGMA query_only = ON").await.expect("set");
    }

    /// The limits of a session on PostgreSQL.
    pub async fn settings(&self) -> [String; 3] {
        let Db::Postgres(pool) = &self.db else { panic!("for PostgreSQL") };
        let (statement, lock, idle): (String, String, String) = sqlx::query_as(
            "SELECT current_setting('statement_timeout'), current_setting('lock_timeout'),
                    current_setting('idle_in_transaction_session_timeout')",
        )
        .fetch_one(pool)
        .await
        .expect("asked");
        [statement, lock, idle]
    }

    /// Where an index of SQLite begins, as a page counted from 1.
    pub async fn root_page(&self, name: &str) -> u64 {
        let Db::Sqlite(lite) = &self.db else { panic!("for SQLite") };
        let (page,): (i64,) = sqlx::query_as("SELECT rootpage FROM sqlite_master WHERE name = $1")
            .bind(name)
            .fetch_one(&lite.readers)
            .await
            .expect("asked");
        u64::try_from(page).expect("a page")
    }

    /// Marks a migration as one that was begun and not finished.
    pub async fn mark_half_done(&self, version: i64) {
        self.execute("UPDATE _sqlx_migrations SET success = false WHERE version = $1", version)
            .await
            .expect("marked");
    }

    /// Makes the log count to a position only, as after a restore that was not complete.
    pub async fn shorten_log(&self, position: i64) {
        self.execute("UPDATE log_head SET position = $1", position).await.expect("shortened");
    }

    /// Writes bytes over what is stored: `$1` of a statement.
    pub async fn overwrite(&self, sql: &'static str, bytes: &[u8]) {
        async fn write(store: &Store, sql: &'static str, bytes: &[u8]) -> Result<u64, Error> {
            Ok(write!(store, tx => sqlx::query(sql).bind(bytes).execute(&mut *tx).await?.rows_affected()))
        }
        assert!(write(self, sql, bytes).await.expect("written") > 0, "nothing was there to overwrite");
    }

    /// The same with a text.
    pub async fn rewrite(&self, sql: &'static str, text: &str) {
        async fn write(store: &Store, sql: &'static str, text: &str) -> Result<u64, Error> {
            Ok(write!(store, tx => sqlx::query(sql).bind(text).execute(&mut *tx).await?.rows_affected()))
        }
        assert!(write(self, sql, text).await.expect("written") > 0, "nothing was there to rewrite");
    }

    async fn execute(&self, sql: &'static str, number: i64) -> Result<(), Error> {
        write!(self, tx => sqlx::query(sql).bind(number).execute(&mut *tx).await.map(drop)?);
        Ok(())
    }
}
