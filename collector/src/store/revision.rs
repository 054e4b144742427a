//! The configuration documents that were in force.

use super::{
    Error, Store,
    db::{on, write},
};
use wire::Micros;

impl Store {
    /// Returns the revision of a document: the newest one if the text is unchanged, else a new one. Says also
    /// whether it is new.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revise(&self, document: &str, now: Micros) -> Result<(i64, bool), Error> {
        loop {
            let revised = write!(self, tx => {
                let newest: Option<(i64, String)> =
                    sqlx::query_as("SELECT revision, document FROM revision ORDER BY revision DESC LIMIT 1")
                        .fetch_optional(&mut *tx).await?;
                match newest {
                    Some((revision, text)) if text == document => Some((revision, false)),
                    newest => {
                        let revision = newest.map_or(0, |(revision, _)| revision) + 1;
                        let inserted = sqlx::query(
                            "INSERT INTO revision (revision, applied, document) VALUES ($1, $2, $3)
                             ON CONFLICT (revision) DO NOTHING",
                        )
                        .bind(revision).bind(now.0).bind(document).execute(&mut *tx).await?;
                        (inserted.rows_affected() == 1).then_some((revision, true))
                    }
                }
            });
            // Else another collector was quicker, perhaps with the same document: look at what it wrote.
            if let Some(revised) = revised {
                return Ok(revised);
            }
        }
    }

    /// The newest revision; absent before the first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn newest_revision(&self) -> Result<Option<i64>, Error> {
        let (newest,): (Option<i64>,) = on!(self, pool => {
            sqlx::query_as("SELECT MAX(revision) FROM revision").fetch_one(pool).await?
        });
        Ok(newest)
    }

    /// The newest documents, at most `limit`, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn documents(&self, limit: i64) -> Result<Vec<String>, Error> {
        let rows: Vec<(String,)> = on!(self, pool => {
            sqlx::query_as("SELECT document FROM revision ORDER BY revision DESC LIMIT $1")
                .bind(limit).fetch_all(pool).await?
        });
        Ok(rows.into_iter().map(|(document,)| document).collect())
    }

    /// The document of a revision.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn document(&self, revision: i64) -> Result<Option<String>, Error> {
        let row: Option<(String,)> = on!(self, pool => {
            sqlx::query_as("SELECT document FROM revision WHERE revision = $1").bind(revision).fetch_optional(pool).await?
        });
        Ok(row.map(|(document,)| document))
    }
}
