//! What happened, and the plans that were made.

use super::{
    Error, Store,
    db::{document, on, write},
};
use sqlx::FromRow;
use wire::{
    Micros, ServiceId,
    plan::Plan,
    view::{GuardView, TimelineEntry, TimelineKind, VerdictState},
};

#[derive(FromRow)]
pub(super) struct Row {
    id: i64,
    at: i64,
    kind: String,
    service: Option<String>,
    region: Option<String>,
    generation: Option<i64>,
    state: Option<String>,
    title: String,
    detail: String,
}

impl Row {
    pub(super) fn entry(self) -> Result<TimelineEntry, Error> {
        let kind: TimelineKind = word(self.kind)?;
        let state: Option<VerdictState> = self.state.map(word).transpose()?;
        Ok(TimelineEntry {
            id: self.id,
            at: Micros(self.at),
            kind,
            service: self.service.and_then(|id| id.parse().ok()),
            region: self.region.and_then(|id| id.parse().ok()),
            generation: self.generation,
            state,
            title: self.title,
            detail: self.detail,
        })
    }
}

/// Reads a word that stands for one of our enumerations.
fn word<T: serde::de::DeserializeOwned>(text: String) -> Result<T, Error> {
    serde_json::from_value(serde_json::Value::String(text))
        .map_err(|source| Error::Stored { what: "a timeline entry", source })
}

impl Store {
    /// Timeline entries with an id below `before`, newest first.
    ///
    /// # Errors
    /// When the database fails or an entry cannot be read.
    pub async fn timeline(&self, before: i64, limit: i64) -> Result<Vec<TimelineEntry>, Error> {
        let rows: Vec<Row> = on!(self, pool => {
            sqlx::query_as(
                "SELECT id, at, kind, service, region, generation, state, title, detail FROM timeline
                 WHERE id < $1 ORDER BY id DESC LIMIT $2",
            )
                .bind(before).bind(limit).fetch_all(pool).await?
        });
        rows.into_iter().map(Row::entry).collect()
    }

    /// Plans of a service with a generation below `before`, newest first, with what the guards said.
    ///
    /// # Errors
    /// When the database fails or a plan cannot be read.
    pub async fn plans(
        &self,
        service: &ServiceId,
        before: i64,
        limit: i64,
    ) -> Result<Vec<(Plan, Vec<GuardView>)>, Error> {
        let rows: Vec<(String, String)> = on!(self, pool => {
            sqlx::query_as(
                "SELECT document, guards FROM plan WHERE service = $1 AND generation < $2
                 ORDER BY generation DESC LIMIT $3",
            )
            .bind(service.as_str()).bind(before).bind(limit).fetch_all(pool).await?
        });
        rows.into_iter()
            .map(|(plan, guards)| Ok((document(&plan, "a plan")?, document(&guards, "a plan's guards")?)))
            .collect()
    }

    /// Deletes timeline entries from before `before`, but never the newest, so that ids go on growing; says how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn expire_timeline(&self, before: Micros) -> Result<u64, Error> {
        Ok(write!(self, tx => {
            sqlx::query("DELETE FROM timeline WHERE at < $1 AND id < (SELECT MAX(id) FROM timeline)")
                .bind(before.0).execute(&mut *tx).await?.rows_affected()
        }))
    }
}
