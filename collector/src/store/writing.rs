//! A transaction that never outlives its caller: it is committed, rolled back, or its connection is thrown away.
//!
//! sqlx's own transaction keeps a connection whose COMMIT or ROLLBACK failed, with the transaction still counted as
//! open: after a full disk every later one was refused until the process ended. SQLite rolls back by itself on some
//! errors and not on others, so nothing but a new connection is known to be clean.

use super::{Error, db::PATIENCE, health::Monitor};
use sqlx::{Database, Executor, Pool, pool::PoolConnection};
use std::{
    io,
    ops::{Deref, DerefMut},
    sync::Arc,
    time::Duration,
};
use tokio::time::timeout;

/// An open transaction on a connection of a pool.
#[derive(Debug)]
pub struct Writing<DB: Database> {
    connection: PoolConnection<DB>,
    /// Whether a transaction may be open.
    open: bool,
    monitor: Arc<Monitor>,
    /// Whether it writes: only a commit of such proves that writing works.
    writes: bool,
}

impl<DB: Database> Writing<DB>
where
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    /// Begins a transaction.
    ///
    /// # Errors
    /// When no connection can be had, or the lock that it needs.
    pub async fn begin(
        pool: &Pool<DB>,
        monitor: &Arc<Monitor>,
        statement: &'static str,
        writes: bool,
    ) -> Result<Writing<DB>, Error> {
        let begin = async {
            if let Some(gone) = monitor.gone().filter(|_| writes) {
                return Err(gone);
            }
            let connection = pool.acquire().await?;
            let mut writing = Writing { connection, open: true, monitor: Arc::clone(monitor), writes };
            sqlx::raw_sql(statement).execute(&mut *writing).await?;
            Ok(writing)
        };
        within(PATIENCE, begin).await.inspect_err(|error| monitor.failed(error, writes))
    }

    /// Commits when what was done in it went well, else rolls back. Passes the result on.
    ///
    /// # Errors
    /// Those of what was done, or of the commit. After an error of the commit alone nobody knows whether it happened:
    /// every caller's transaction may be repeated.
    pub async fn finish<T>(mut self, done: Result<T, Error>) -> Result<T, Error> {
        let result = match done {
            Ok(value) => {
                let commit =
                    async { Ok(sqlx::raw_sql("COMMIT").execute(&mut *self.connection).await.map(drop)?) };
                within(PATIENCE, commit).await.map(|()| value)
            }
            Err(error) => {
                // After an error of the machine a new connection is quicker than finding out what state this one is in.
                if error.trouble().is_none() {
                    let rollback = async {
                        Ok(sqlx::raw_sql("ROLLBACK").execute(&mut *self.connection).await.map(drop)?)
                    };
                    self.open = within(PATIENCE, rollback).await.is_err();
                }
                self.monitor.failed(&error, self.writes);
                return Err(error);
            }
        };
        match &result {
            Ok(_) => {
                self.open = false;
                self.monitor.worked(self.writes);
            }
            Err(error) => self.monitor.failed(error, self.writes),
        }
        result
    }
}

impl<DB: Database> Deref for Writing<DB> {
    type Target = DB::Connection;

    fn deref(&self) -> &DB::Connection {
        &self.connection
    }
}

impl<DB: Database> DerefMut for Writing<DB> {
    fn deref_mut(&mut self) -> &mut DB::Connection {
        &mut self.connection
    }
}

impl<DB: Database> Drop for Writing<DB> {
    fn drop(&mut self) {
        // Also when the caller was cancelled half-way: closing the connection ends the transaction.
        if self.open {
            self.connection.close_on_drop();
        }
    }
}

/// Gives up after a time: a cut link would be waited for without end, because nothing is sent any more that could fail.
///
/// # Errors
/// Those of the work, or [`io::ErrorKind::TimedOut`].
pub async fn within<T>(limit: Duration, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    match timeout(limit, work).await {
        Ok(result) => result,
        Err(_) => {
            let why = format!("the database did not answer within {} s", limit.as_secs());
            Err(sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, why)).into())
        }
    }
}
