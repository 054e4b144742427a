//! Reads a whole database under one snapshot.
//!
//! SQLite: a read transaction, which in WAL mode neither waits for writers nor makes them wait; the `-wal` file is not
//! shortened meanwhile. PostgreSQL: `REPEATABLE READ READ ONLY`; rows that are deleted meanwhile are kept until the end.

use super::{
    Error,
    catalogue::{self, Known},
    conn::Conn,
};
use crate::{
    backup::{Header, Summary, Value, Writer},
    store::migrate,
};
use std::{
    io::Write,
    path::{Path, PathBuf},
};
use wire::Micros;

/// Rows that one statement reads.
const PAGE: usize = 2000;

/// A database that is backed up.
#[derive(Debug)]
pub struct Source {
    conn: Conn,
    instance: String,
    tables: Vec<Known>,
    schema: i64,
}

/// How far it is.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    pub table: &'a str,
    /// Rows of this table so far.
    pub rows: u64,
    /// Whether these are all.
    pub done: bool,
    /// Bytes of the archive so far, before encryption.
    pub bytes: u64,
}

impl Source {
    /// Opens the SQLite database in a data folder, and its snapshot. The database is not migrated.
    ///
    /// # Errors
    /// When it is not there, cannot be opened, or is of a newer version.
    pub async fn folder(data: &Path) -> Result<Source, Error> {
        let file = file(data);
        let mut conn = Conn::sqlite(&file).await?;
        conn.run("BEGIN").await?;
        let path = file.canonicalize().unwrap_or(file);
        Source::open(conn, path.display().to_string()).await
    }

    /// Connects to a PostgreSQL database, and opens its snapshot.
    ///
    /// # Errors
    /// When it cannot be reached or is of a newer version.
    pub async fn postgres(url: &str) -> Result<Source, Error> {
        let mut conn = Conn::postgres(url).await?;
        conn.run("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
        let found = conn.all("SELECT current_database()::text", &[crate::backup::Kind::Text]).await?;
        let instance = match found.into_iter().flatten().next() {
            Some(Value::Text(name)) => name,
            _ => String::new(),
        };
        Source::open(conn, instance).await
    }

    async fn open(mut conn: Conn, instance: String) -> Result<Source, Error> {
        // The first statement that reads fixes the snapshot on both engines.
        let schema = catalogue::schema(&mut conn).await?.ok_or(Error::NotOurs)?;
        let known = migrate::newest();
        if schema > known {
            return Err(Error::NewerDatabase { found: schema, known });
        }
        let tables = catalogue::ours(&mut conn).await?.into_values().collect();
        Ok(Source { conn, instance, tables, schema })
    }

    /// Writes every row of every table.
    ///
    /// # Errors
    /// When the database fails or the archive cannot be written; then the archive is of no use.
    pub async fn dump<W: Write>(
        mut self,
        out: W,
        now: Micros,
        program: &str,
        mut progress: impl FnMut(Progress<'_>),
    ) -> Result<(W, Summary), Error> {
        let header = Header {
            created: now,
            program: program.into(),
            schema: self.schema,
            engine: self.conn.engine().into(),
            instance: self.instance,
        };
        let mut writer = Writer::new(out, header)?;
        for known in &self.tables {
            writer.table(known.table.clone())?;
            let name = known.table.name.as_str();
            let mut rows = 0;
            let mut after: Option<Vec<Value>> = None;
            loop {
                let read = page(&mut self.conn, known, after.take(), &mut writer).await?;
                rows += read.rows as u64;
                let done = read.rows < PAGE;
                progress(Progress { table: name, rows, done, bytes: writer.written() });
                if done {
                    break;
                }
                after = read.last;
            }
        }
        self.conn.run("ROLLBACK").await?;
        self.conn.close().await?;
        Ok(writer.finish()?)
    }
}

struct Page {
    rows: usize,
    /// The key of its last row.
    last: Option<Vec<Value>>,
}

/// Reads a page and writes it, row by row.
async fn page<W: Write>(
    conn: &mut Conn,
    known: &Known,
    after: Option<Vec<Value>>,
    writer: &mut Writer<W>,
) -> Result<Page, Error> {
    let kinds = known.kinds();
    let sql = known.page(after.is_none(), PAGE);
    let values = after.unwrap_or_default();
    let bound = values.iter().zip(known.key.iter().map(|place| kinds[*place]));
    let mut page = Page { rows: 0, last: None };
    conn.rows(&sql, bound, &kinds, |row| {
        let row = row.map_err(|strange| {
            let column = known.table.columns.get(strange.column).map_or("a column", |column| &column.name);
            strange.named(&known.table.name, column)
        })?;
        writer.row(&row)?;
        page.rows += 1;
        if page.rows == PAGE {
            page.last = Some(known.key.iter().map(|place| row[*place].clone()).collect());
        }
        Ok(())
    })
    .await?;
    Ok(page)
}

/// The path of the database in a data folder.
pub fn file(data: &Path) -> PathBuf {
    data.join("sextant.db")
}
