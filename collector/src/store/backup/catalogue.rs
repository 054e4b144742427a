//! Which tables and columns there are, as the database itself tells.
//!
//! A PostgreSQL database may hold tables of others. Ours are those that our migrations make: they are run once more in
//! a database in memory, and what is there afterwards is ours. So there is no list that could be forgotten.

use super::{Error, conn::Conn};
use crate::{
    backup::{Column, Kind, Table, Value, format::is_name},
    store::migrate,
};
use std::collections::BTreeMap;

/// What the migrations keep about themselves: it belongs to a database and not to what is in it.
pub const BOOKKEEPING: [&str; 2] = ["_sqlx_migrations", "schema_info"];

/// A table of ours in a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    pub table: Table,
    /// The columns of its primary key, as places in the table's columns.
    pub key: Vec<usize>,
    /// What to select for each column: its name, with a cast where the engine keeps it in fewer bits.
    select: Vec<String>,
}

impl Known {
    /// The kinds of its columns.
    pub fn kinds(&self) -> Vec<Kind> {
        self.table.columns.iter().map(|column| column.kind).collect()
    }

    /// The names of its columns, for a list.
    pub fn columns(&self) -> String {
        let names: Vec<String> = self.table.columns.iter().map(|column| quoted(&column.name)).collect();
        names.join(", ")
    }

    /// The statement for a page: the first one, or the one after a key, whose values are bound.
    pub fn page(&self, first: bool, rows: usize) -> String {
        let name = quoted(&self.table.name);
        let key: Vec<String> = self
            .key
            .iter()
            .map(|place| format!("{name}.{}", quoted(&self.table.columns[*place].name)))
            .collect();
        let key = key.join(", ");
        let after = if first {
            String::new()
        } else {
            let places: Vec<String> = (1..=self.key.len()).map(|place| format!("${place}")).collect();
            format!(" WHERE ({key}) > ({})", places.join(", "))
        };
        format!("SELECT {} FROM {name}{after} ORDER BY {key} LIMIT {rows}", self.select.join(", "))
    }
}

/// A name in a statement. It was looked at by [`is_name`], and may be a word of the language.
pub fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

/// The newest migration of a database; absent when none of ours was ever run on it.
///
/// # Errors
/// When the database fails, or a migration did not end well.
pub async fn schema(conn: &mut Conn) -> Result<Option<i64>, Error> {
    const TABLE: &str = BOOKKEEPING[0];
    if !names(conn).await?.iter().any(|name| name == TABLE) {
        return Ok(None);
    }
    let sql = format!("SELECT version, success FROM {TABLE} ORDER BY version");
    let mut newest = None;
    for row in conn.all(&sql, &[Kind::Integer, Kind::Boolean]).await? {
        match row.as_slice() {
            [Value::Integer(version), Value::Boolean(true)] => newest = Some(*version),
            [Value::Integer(version), _] => return Err(Error::Dirty(*version)),
            _ => {}
        }
    }
    Ok(newest)
}

/// A database in memory as our migrations up to a version make it.
///
/// # Errors
/// When it cannot be made.
pub async fn fresh(version: i64) -> Result<Conn, Error> {
    let mut conn = Conn::memory().await?;
    conn.migrate(version).await?;
    Ok(conn)
}

/// All tables of a database that are ours, by name.
///
/// # Errors
/// When the database fails, or a table is such as a backup cannot carry.
pub async fn ours(conn: &mut Conn) -> Result<BTreeMap<String, Known>, Error> {
    let mut reference = fresh(migrate::newest()).await?;
    let ours = names(&mut reference).await?;
    reference.close().await?;
    let mut known = BTreeMap::new();
    for name in names(conn).await? {
        if ours.contains(&name) && !BOOKKEEPING.contains(&name.as_str()) {
            known.insert(name.clone(), describe(conn, name).await?);
        }
    }
    Ok(known)
}

/// All tables, ours or not.
pub async fn names(conn: &mut Conn) -> Result<Vec<String>, Error> {
    let sql = match conn {
        Conn::Sqlite(_) => {
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY name"
        }
        // A partitioned table is read as one, and its parts are left out.
        Conn::Postgres(_) => {
            "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1"
        }
    };
    let rows = conn.all(sql, &[Kind::Text]).await?;
    Ok(rows.into_iter().flatten().filter_map(text).collect())
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

/// The columns of a table. Columns that the database computes are left out.
async fn describe(conn: &mut Conn, name: String) -> Result<Known, Error> {
    let mistake = |column: &str, what: &str| Error::Column {
        table: name.clone(),
        column: column.into(),
        what: what.into(),
    };
    if !is_name(&name) {
        return Err(mistake("", "its name"));
    }
    let sql = match conn {
        Conn::Sqlite(_) => {
            format!("SELECT name, upper(type), pk FROM pragma_table_info('{name}') ORDER BY cid")
        }
        Conn::Postgres(_) => format!(
            "SELECT a.attname::text, upper(format_type(a.atttypid, NULL)),
                    COALESCE(array_position(i.indkey::int2[], a.attnum) + 1, 0)::bigint
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             JOIN pg_attribute a ON a.attrelid = c.oid
             LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
             WHERE n.nspname = current_schema() AND c.relname = '{name}'
               AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
             ORDER BY a.attnum"
        ),
    };
    let (mut columns, mut select, mut key) = (Vec::new(), Vec::new(), Vec::new());
    for row in conn.all(&sql, &[Kind::Text, Kind::Text, Kind::Integer]).await? {
        let [Value::Text(column), Value::Text(declared), Value::Integer(place)] = row.as_slice() else {
            return Err(mistake("", "its description"));
        };
        if !is_name(column) {
            return Err(mistake(column, "its name"));
        }
        let (kind, wide) = match declared.as_str() {
            "BIGINT" => (Kind::Integer, true),
            "INTEGER" | "SMALLINT" => (Kind::Integer, false),
            "DOUBLE PRECISION" => (Kind::Float, true),
            "REAL" => (Kind::Float, false),
            "BOOLEAN" => (Kind::Boolean, true),
            "TEXT" => (Kind::Text, true),
            "BYTEA" | "BLOB" => (Kind::Bytes, true),
            other => return Err(mistake(column, &format!("type {other}"))),
        };
        let widened = match (&*conn, wide, kind) {
            (Conn::Postgres(_), false, Kind::Integer) => "::bigint",
            (Conn::Postgres(_), false, _) => "::double precision",
            _ => "",
        };
        if *place > 0 {
            key.push((*place, columns.len()));
        }
        select.push(format!("{}{widened}", quoted(column)));
        columns.push(Column { name: column.clone(), kind });
    }
    if key.is_empty() {
        return Err(Error::NoKey(name));
    }
    key.sort_unstable();
    let table = Table { name, columns };
    Ok(Known { table, key: key.into_iter().map(|(_, place)| place).collect(), select })
}
