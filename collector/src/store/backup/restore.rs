//! Fills an empty database from an archive, as a whole or not at all.
//!
//! The tables are made as the archive's schema has them, filled, and then brought up to date, so that migrations do with
//! the rows what they would have done. SQLite: a file of another name, which gets its own when it is complete and on the
//! disk. PostgreSQL: one transaction. So a restore that was interrupted leaves nothing that a collector could mistake for
//! its database, and can simply be made again.

use super::{
    Error,
    catalogue::{self, Known, quoted},
    conn::Conn,
    dump::{Progress, file},
    settle::settle,
};
use crate::{
    app::lock_folder,
    backup::{Archive, Header, Item, Summary, Value, file::sync_folder},
    store::migrate,
};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};
use wire::Micros;

/// Values that one statement inserts at most; SQLite takes 32766, PostgreSQL 65535.
const VALUES_MOST: usize = 8000;
/// Bytes that one statement inserts, when the last row was taken.
const BYTES_MOST: usize = 4 << 20;

/// Where to.
#[derive(Debug, Clone)]
pub enum Target {
    /// SQLite, in a data folder.
    Folder(PathBuf),
    /// PostgreSQL, by its URL.
    Postgres(String),
}

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    pub summary: Summary,
    /// Texts out of which a NUL was taken, which PostgreSQL cannot keep.
    pub cleaned: u64,
    /// The schema that the database has now.
    pub schema: i64,
}

/// Restores an archive into a place where nothing is yet.
///
/// # Errors
/// When anything fails; then the place is as empty as before.
pub async fn restore<R: Read>(
    archive: Archive<R>,
    target: &Target,
    now: Micros,
    progress: impl FnMut(Progress<'_>),
) -> Result<Restored, Error> {
    match target {
        Target::Postgres(url) => {
            let mut conn = Conn::postgres(url).await?;
            let restored = fill(&mut conn, archive, now, progress).await?;
            conn.close().await?;
            Ok(restored)
        }
        Target::Folder(folder) => {
            // Held until the end: no collector starts here meanwhile.
            let _lock = lock_folder(folder).map_err(|error| Error::Folder(Box::new(error)))?;
            let path = file(folder);
            let with = |end: &str| folder.join(format!("sextant.db{end}"));
            if let Some(there) =
                ["", "-wal", "-shm", "-journal"].map(with).into_iter().find(|path| path.exists())
            {
                return Err(Error::Exists(there));
            }
            let partial = with(".restoring");
            let failed = |source| Error::File { path: partial.clone(), source };
            remove(&partial).map_err(failed)?;
            let filled = fill_file(&partial, archive, now, progress).await;
            if filled.is_err() {
                // The error that led here is the one to tell; the next restore removes the file as well.
                let _ = remove(&partial);
            }
            let restored = filled?;
            File::open(&partial).and_then(|file| file.sync_all()).map_err(failed)?;
            fs::rename(&partial, &path).and_then(|()| sync_folder(&path)).map_err(failed)?;
            Ok(restored)
        }
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

async fn fill_file<R: Read>(
    path: &Path,
    archive: Archive<R>,
    now: Micros,
    progress: impl FnMut(Progress<'_>),
) -> Result<Restored, Error> {
    let mut conn = Conn::sqlite_new(path).await?;
    let restored = fill(&mut conn, archive, now, progress).await;
    conn.close().await?;
    restored
}

async fn fill<R: Read>(
    conn: &mut Conn,
    mut archive: Archive<R>,
    now: Micros,
    progress: impl FnMut(Progress<'_>),
) -> Result<Restored, Error> {
    let known = migrate::newest();
    let header = archive.header().clone();
    if !migrate::exists(header.schema) {
        return Err(Error::NewerArchive { found: header.schema, known, program: header.program });
    }
    prepare(conn, header.schema).await?;
    conn.run("BEGIN").await?;
    let tables = catalogue::ours(conn).await?;
    if let Conn::Postgres(_) = conn {
        let names: Vec<String> = tables.keys().map(|name| quoted(name)).collect();
        conn.run(&format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", names.join(", "))).await?;
    }
    // Asked again behind the lock: a collector may have been quicker.
    check_empty(conn, header.schema).await?;
    for name in tables.keys() {
        conn.run(&format!("DELETE FROM {}", quoted(name))).await?;
    }
    let cleaned = insert_all(conn, &mut archive, &tables, progress).await?;
    settle(conn, &tables, &header, now).await?;
    // The archive was read to its end and found to be sound.
    let summary = archive.verify()?;
    conn.run("COMMIT").await?;
    conn.migrate(known).await?;
    if let Conn::Postgres(_) = conn {
        for name in tables.keys() {
            conn.run(&format!("ANALYZE {}", quoted(name))).await?;
        }
    }
    Ok(Restored { summary, cleaned, schema: known })
}

/// Makes the tables of a schema where there are none, and refuses every place that is not as they were just made.
async fn prepare(conn: &mut Conn, wanted: i64) -> Result<(), Error> {
    if let Some(found) = catalogue::schema(conn).await? {
        let known = migrate::newest();
        if found > known {
            return Err(Error::NewerDatabase { found, known });
        }
        check_empty(conn, found).await?;
        if found != wanted {
            return Err(Error::OtherSchema { found, wanted });
        }
    }
    conn.migrate(wanted).await
}

/// Makes sure that there are no rows but those that our migrations put there.
async fn check_empty(conn: &mut Conn, version: i64) -> Result<(), Error> {
    let mut fresh = catalogue::fresh(version).await?;
    let expected = catalogue::ours(&mut fresh).await?;
    for (name, known) in catalogue::ours(conn).await? {
        let made = match expected.get(&name) {
            Some(known) => rows_of(&mut fresh, known, 1000).await?,
            None => Vec::new(),
        };
        if rows_of(conn, &known, made.len() + 1).await? != made {
            return Err(Error::NotEmpty(name));
        }
    }
    fresh.close().await
}

/// So many rows at most, in an order that is the same on both engines.
async fn rows_of(conn: &mut Conn, known: &Known, most: usize) -> Result<Vec<Vec<Value>>, Error> {
    let mut rows = conn.all(&known.page(true, most), &known.kinds()).await?;
    rows.sort_by_cached_key(|row| {
        let mut bytes = Vec::new();
        row.iter().for_each(|value| value.write(&mut bytes));
        bytes
    });
    Ok(rows)
}

async fn insert_all<R: Read>(
    conn: &mut Conn,
    archive: &mut Archive<R>,
    tables: &BTreeMap<String, Known>,
    mut progress: impl FnMut(Progress<'_>),
) -> Result<u64, Error> {
    let Header { schema, .. } = *archive.header();
    let misfit = |table: &str, why| Error::Misfit { table: table.into(), schema, why };
    let mut present: Option<(&Known, u64)> = None;
    let mut seen = 0;
    let (mut cleaned, mut bytes) = (0, 0);
    while let Some(item) = archive.next_item()? {
        match item {
            Item::Table(table) => {
                if let Some((known, rows)) = present {
                    progress(Progress { table: &known.table.name, rows, done: true, bytes });
                }
                let known =
                    tables.get(&table.name).ok_or_else(|| misfit(&table.name, "there is no such table"))?;
                if known.table != table {
                    return Err(misfit(&table.name, "its columns are others"));
                }
                present = Some((known, 0));
                seen += 1;
            }
            Item::Rows(mut rows) => {
                let Some((known, count)) = &mut present else { continue };
                if let Conn::Postgres(_) = conn {
                    cleaned += rows.iter_mut().flatten().map(clean).sum::<u64>();
                }
                bytes += rows.iter().flatten().map(|value| value.size() as u64).sum::<u64>();
                *count += rows.len() as u64;
                insert(conn, known, &rows).await?;
                progress(Progress { table: &known.table.name, rows: *count, done: false, bytes });
            }
        }
    }
    if let Some((known, rows)) = present {
        progress(Progress { table: &known.table.name, rows, done: true, bytes });
    }
    // No table comes twice, so as many as there are means all.
    if seen != tables.len() {
        return Err(misfit("list", "tables are missing"));
    }
    Ok(cleaned)
}

/// Takes NUL out of a text, as `store::decision` does: PostgreSQL cannot keep it, SQLite can.
fn clean(value: &mut Value) -> u64 {
    match value {
        Value::Text(text) if text.contains('\0') => {
            text.retain(|character| character != '\0');
            1
        }
        _ => 0,
    }
}

async fn insert(conn: &mut Conn, known: &Known, rows: &[Vec<Value>]) -> Result<(), Error> {
    let kinds = known.kinds();
    let most = (VALUES_MOST / kinds.len()).max(1);
    let mut left = rows;
    while !left.is_empty() {
        let mut bytes = 0;
        let fits = |row: &&Vec<Value>| {
            let before = bytes;
            bytes += row.iter().map(Value::size).sum::<usize>();
            before < BYTES_MOST
        };
        let count = left.iter().take(most).take_while(fits).count().max(1);
        let (batch, rest) = left.split_at(count);
        let places: Vec<String> = (0..count)
            .map(|row| {
                let places: Vec<String> =
                    (1..=kinds.len()).map(|place| format!("${}", row * kinds.len() + place)).collect();
                format!("({})", places.join(", "))
            })
            .collect();
        let sql = format!(
            "INSERT INTO {} ({}) VALUES {}",
            quoted(&known.table.name),
            known.columns(),
            places.join(", ")
        );
        let values = batch.iter().flat_map(|row| row.iter().zip(kinds.iter().copied()));
        conn.execute(&sql, values).await?;
        left = rest;
    }
    Ok(())
}
