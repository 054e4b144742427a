//! Whether a database that was opened is sound: cheap questions at every start, all pages after an unclean end.

use super::{
    Error, Store,
    db::{Db, on},
};
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};

impl Store {
    /// Asks what can be answered at once: nothing may point beyond the end of the log, and the decider's state must be
    /// readable. A log that is shorter than what was made of it would swallow new reports without a word.
    ///
    /// # Errors
    /// [`Error::Damaged`] with what does not fit.
    pub(super) async fn look_over(&self) -> Result<(), Error> {
        // One statement sees one moment.
        let (head, newest, decided): (i64, i64, i64) = on!(self, pool => {
            sqlx::query_as(
                "SELECT CAST(COALESCE((SELECT MAX(position) FROM log_head), -1) AS BIGINT),
                        CAST(COALESCE((SELECT MAX(position) FROM report_log), 0) AS BIGINT),
                        CAST(COALESCE((SELECT MAX(position) FROM decision_state), 0) AS BIGINT)",
            )
            .fetch_one(pool).await?
        });
        for (what, position) in [("the newest entry of the log", newest), ("the decider's state", decided)] {
            if position > head {
                return Err(Error::Damaged {
                    what: format!("{what} is at position {position}, and the log counts to {head}"),
                });
            }
        }
        self.saved().await?;
        Ok(())
    }

    /// Reads every page of a SQLite file that was not closed in order, and puts what is wrong into [`Store::health`].
    /// Takes minutes on a large file, beside everything else; PostgreSQL looks after itself.
    pub async fn check_pages(&self) {
        let Db::Sqlite(lite) = &self.db else { return };
        if !self.monitor.unclean {
            return;
        }
        tracing::info!("the database was not closed in order: reading all of it");
        match findings(SqliteConnectOptions::new().filename(&lite.file).read_only(true)).await {
            Ok(None) => tracing::info!("the database is sound"),
            Ok(Some(finding)) => self.monitor.damaged(finding),
            Err(error) => match super::trouble::Trouble::of(&error) {
                Some(super::trouble::Trouble::Damaged) => self.monitor.damaged(error.to_string()),
                _ => tracing::warn!(%error, "the database could not be read through"),
            },
        }
    }
}

/// What `PRAGMA quick_check` finds, on a connection of its own.
async fn findings(options: SqliteConnectOptions) -> Result<Option<String>, sqlx::Error> {
    let mut connection = SqliteConnection::connect_with(&options).await?;
    let rows: Vec<(String,)> = sqlx::query_as("PRAGMA quick_check(10)").fetch_all(&mut connection).await?;
    connection.close().await?;
    let lines: Vec<String> = rows.into_iter().map(|(line,)| line).filter(|line| line != "ok").collect();
    Ok((!lines.is_empty()).then(|| lines.join("; ")))
}
