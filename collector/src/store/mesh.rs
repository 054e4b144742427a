//! What the probes measured of the network between each other.

use super::{
    Error, Store,
    db::{document, on, write},
};
use crate::decide::Event;
use wire::{
    Micros, ProbeId,
    mesh::{MeshMethod, MeshWindow},
};

/// Keeps the windows of a log entry, inside the transaction that appends it. A window that is sent again changes
/// nothing.
macro_rules! keep {
    ($tx:expr, $event:expr) => {{
        let (received, windows) = crate::store::mesh::windows($event);
        for window in windows {
            sqlx::query(
                "INSERT INTO mesh_window (sender, reflector, method, started, received, document)
                 VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (sender, reflector, method, started) DO NOTHING",
            )
            .bind(window.from.as_str())
            .bind(window.to.as_str())
            .bind(crate::store::mesh::word(window.method))
            .bind(window.started.0)
            .bind(received.0)
            .bind(crate::store::db::text(window))
            .execute(&mut *$tx)
            .await?;
        }
    }};
}

pub(super) use keep;

/// The windows in an event.
pub(super) fn windows(event: &Event) -> (Micros, &[MeshWindow]) {
    match event {
        Event::Report { received, report, .. } => (*received, &report.mesh),
        _ => (Micros::default(), &[]),
    }
}

/// A method as one word.
pub(super) fn word(method: MeshMethod) -> &'static str {
    match method {
        MeshMethod::Stamp => "stamp",
        MeshMethod::Tcp => "tcp",
        MeshMethod::Http => "http",
    }
}

impl Store {
    /// The newest window of each session and method that was received since an instant, in order of the probes.
    ///
    /// # Errors
    /// When the database fails or a window cannot be read.
    pub async fn mesh(&self, since: Micros) -> Result<Vec<MeshWindow>, Error> {
        let rows: Vec<(String,)> = on!(self, pool => {
            sqlx::query_as(
                // A window from a clock that is ahead must not hide those after it.
                "SELECT document FROM mesh_window AS w WHERE received >= $1 AND started =
                   (SELECT MAX(started) FROM mesh_window AS n WHERE n.sender = w.sender
                    AND n.reflector = w.reflector AND n.method = w.method AND n.started <= n.received + 60000000)
                 ORDER BY sender, reflector, method",
            )
            .bind(since.0).fetch_all(pool).await?
        });
        read(rows)
    }

    /// The windows between two probes, whichever of them sends, that began before `before`, newest first.
    ///
    /// # Errors
    /// When the database fails or a window cannot be read.
    pub async fn mesh_between(
        &self,
        one: &ProbeId,
        other: &ProbeId,
        before: i64,
        limit: i64,
    ) -> Result<Vec<MeshWindow>, Error> {
        let rows: Vec<(String,)> = on!(self, pool => {
            sqlx::query_as(
                "SELECT document FROM mesh_window WHERE started < $3
                   AND ((sender = $1 AND reflector = $2) OR (sender = $2 AND reflector = $1))
                 ORDER BY started DESC, method LIMIT $4",
            )
            .bind(one.as_str()).bind(other.as_str()).bind(before).bind(limit).fetch_all(pool).await?
        });
        read(rows)
    }

    /// Deletes windows received before `before`; says how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn expire_mesh(&self, before: Micros) -> Result<u64, Error> {
        Ok(write!(self, tx => {
            sqlx::query("DELETE FROM mesh_window WHERE received < $1")
                .bind(before.0).execute(&mut *tx).await?.rows_affected()
        }))
    }
}

fn read(rows: Vec<(String,)>) -> Result<Vec<MeshWindow>, Error> {
    rows.into_iter().map(|(text,)| document(&text, "a window of the mesh")).collect()
}
