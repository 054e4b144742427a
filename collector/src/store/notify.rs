//! Wake-ups between collectors on one PostgreSQL database: `LISTEN` and `NOTIFY`.
//!
//! A notice only says where to look; whoever misses one finds the same by looking now and then. On SQLite there is one
//! process, and nothing is ever told.

use super::{Error, Store, db::Db, writing::Writing};
use sqlx::{
    PgPool, Postgres, Sqlite,
    postgres::{PgListener, PgPoolOptions},
};
use std::{future::pending, time::Duration};
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// A payload must be shorter than this, bytes: <https://www.postgresql.org/docs/15/sql-notify.html>.
pub const MAX_PAYLOAD: usize = 8000;

/// How long until a connection that failed is tried again.
const RETRY: Duration = Duration::from_millis(500);
/// How long nothing may be heard before the server is asked whether it is there.
const SILENCE: Duration = Duration::from_secs(5);
/// How long it may take to answer that.
const ANSWER: Duration = Duration::from_secs(5);

/// What may be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// The log has grown.
    Log,
    /// A decision was committed.
    Decided,
    /// Probes shall confirm something; the payload says what.
    Confirm,
}

impl Channel {
    const ALL: [Channel; 3] = [Channel::Log, Channel::Decided, Channel::Confirm];

    /// Its name in the database.
    pub fn name(self) -> &'static str {
        match self {
            Channel::Log => "sextant_log",
            Channel::Decided => "sextant_decided",
            Channel::Confirm => "sextant_confirm",
        }
    }
}

/// What was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    Appended,
    Decided,
    Confirm(String),
    /// The connection was lost and is there again: something may have been missed.
    Reconnected,
}

/// Hears what collectors tell each other, this one included.
#[derive(Debug)]
pub struct Notices {
    /// Of one connection, so that nobody waits for a listener when the store is closed.
    pool: Option<PgPool>,
    listener: Option<PgListener>,
    /// When the server was last heard of.
    heard: Instant,
}

impl Notices {
    /// Waits for the next notice. On SQLite it waits for ever. Nothing is lost when the caller gives up waiting.
    pub async fn next(&mut self) -> Notice {
        let Some(pool) = &self.pool else { return pending().await };
        loop {
            let Some(listener) = &mut self.listener else {
                match connect(pool).await {
                    Ok(listener) => {
                        self.listener = Some(listener);
                        self.heard = Instant::now();
                        return Notice::Reconnected;
                    }
                    Err(error) => {
                        tracing::debug!(%error, "cannot listen to the database");
                        sleep(RETRY).await;
                    }
                }
                continue;
            };
            let alive = match timeout_at(self.heard + SILENCE, listener.try_recv()).await {
                Ok(Ok(Some(notice))) => {
                    self.heard = Instant::now();
                    match notice.channel() {
                        "sextant_log" => return Notice::Appended,
                        "sextant_decided" => return Notice::Decided,
                        "sextant_confirm" => return Notice::Confirm(notice.payload().to_owned()),
                        _ => true,
                    }
                }
                Ok(Ok(None) | Err(_)) => false,
                // A link that was cut says nothing, as does a database in which nothing happens.
                Err(_) => {
                    self.heard = Instant::now();
                    let asked = sqlx::query("SELECT 1").execute(&mut *listener);
                    timeout(ANSWER, asked).await.is_ok_and(|answer| answer.is_ok())
                }
            };
            if !alive {
                tracing::debug!("the connection that listens broke");
                self.listener = None;
            }
        }
    }
}

async fn connect(pool: &PgPool) -> Result<PgListener, sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    // Reconnecting is told by us, after it has happened.
    listener.eager_reconnect(false);
    listener.listen_all(Channel::ALL.map(Channel::name)).await?;
    Ok(listener)
}

/// What differs between the engines inside a writing transaction.
pub trait Tell {
    /// Tells everybody who listens, once the transaction is committed; equal notices of one transaction are told once.
    fn tell(&mut self, channel: Channel, payload: &str) -> impl Future<Output = Result<(), Error>> + Send;
}

impl Tell for Writing<Sqlite> {
    async fn tell(&mut self, _: Channel, _: &str) -> Result<(), Error> {
        Ok(())
    }
}

impl Tell for Writing<Postgres> {
    async fn tell(&mut self, channel: Channel, payload: &str) -> Result<(), Error> {
        if payload.len() >= MAX_PAYLOAD {
            return Err(Error::TooLong { bytes: payload.len() });
        }
        sqlx::query("SELECT pg_notify($1, $2)")
            .bind(channel.name())
            .bind(payload)
            .execute(&mut **self)
            .await?;
        Ok(())
    }
}

impl Store {
    /// Hears what collectors tell each other. It listens once this returns; when the server cannot be reached now, it
    /// goes on trying, and says [`Notice::Reconnected`] when it can.
    pub async fn listen(&self) -> Notices {
        let heard = Instant::now();
        let Db::Postgres(pool) = &self.db else { return Notices { pool: None, listener: None, heard } };
        let own = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(ANSWER)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_lazy_with((*pool.connect_options()).clone());
        let listener = connect(&own).await.ok();
        Notices { pool: Some(own), listener, heard }
    }

    /// Tells everybody who listens, without writing anything.
    ///
    /// # Errors
    /// When the payload has `MAX_PAYLOAD` bytes or more, or the database fails.
    pub async fn notify(&self, channel: Channel, payload: &str) -> Result<(), Error> {
        super::db::write!(self, tx => tx.tell(channel, payload).await?);
        Ok(())
    }
}
