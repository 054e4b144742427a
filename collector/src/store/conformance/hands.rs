//! Hands inside the store, for tests only.

use crate::store::{Store, db::Db, lease::Fence, writing::Writing};
use sqlx::{Executor, Postgres};

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
}
