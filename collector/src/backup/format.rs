//! The form of an archive, and its limits.
//!
//! ```text
//! archive := "SEXTBAK\n" version:u8 sealed:u8 [salt:32 bytes, when sealed is 1] stream
//! stream  := header (table rows* table-end)* end      a sequence of frames; encrypted when sealed
//! frame   := kind:u8 length:u32 payload
//! header  := JSON of [`Header`]                        kind 1
//! table   := JSON of [`Table`]                         kind 2
//! rows    := count:u32 raw-length:u32 method:u8 data   kind 3; method 0 as it is, 1 DEFLATE (RFC 1951)
//! table-end := rows:u64                                kind 4
//! end     := tables:u32 rows:u64 sha256:32 bytes       kind 5; the digest is of all bytes of the stream before it
//! ```
//!
//! Numbers are little-endian. The data of a rows frame are its values, row by row, as [`super::value`] tells.

use super::value::Value;
use serde::{Deserialize, Serialize};
use wire::Micros;

/// The first bytes of every archive.
pub const MAGIC: [u8; 8] = *b"SEXTBAK\n";
/// The version of the form. A reader refuses every other one.
pub const VERSION: u8 = 1;

/// Bytes of a header or of the description of a table.
pub const JSON_MOST: usize = 64 << 10;
/// Bytes of one row. A database that holds a larger one cannot be backed up by this.
pub const ROW_MOST: usize = 64 << 20;
/// Bytes of the rows in one frame, before compression, when the last row was begun.
pub const ROWS_BYTES: usize = 1 << 20;
/// Rows in one frame.
pub const ROWS_MOST: usize = 4096;
/// Columns of a table.
pub const COLUMNS_MOST: usize = 128;
/// Tables of an archive.
pub const TABLES_MOST: usize = 256;
/// Characters of the name of a table or column: PostgreSQL keeps no more.
pub const NAME_MOST: usize = 63;
/// Bytes before the payload of a rows frame's data: count, raw length, method.
pub const ROWS_HEAD: usize = 9;
/// Bytes of the end frame before the digest.
pub const END_HEAD: usize = 12;
/// Bytes of a SHA-256.
pub const DIGEST: usize = 32;

/// The kinds of frames.
pub mod frame {
    pub const HEADER: u8 = 1;
    pub const TABLE: u8 = 2;
    pub const ROWS: u8 = 3;
    pub const TABLE_END: u8 = 4;
    pub const END: u8 = 5;
}

/// How the data of a rows frame are kept.
pub mod method {
    pub const STORED: u8 = 0;
    pub const DEFLATE: u8 = 1;
}

/// What an archive says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// When it was begun: everything that was committed before is in it.
    pub created: Micros,
    /// The version of the program that made it.
    pub program: String,
    /// The newest migration of the database that it is of.
    pub schema: i64,
    /// `sqlite` or `postgres`.
    pub engine: String,
    /// Which database it is of: the path of its file, or its name on the server.
    pub instance: String,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    pub name: String,
    pub columns: Vec<Column>,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    pub name: String,
    pub kind: Kind,
}

/// What a column holds; every column may hold null.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Integer,
    Float,
    Boolean,
    Text,
    Bytes,
}

impl Kind {
    /// Whether a column of this kind can hold the value.
    pub fn holds(self, value: &Value) -> bool {
        matches!(
            (self, value),
            (_, Value::Null)
                | (Kind::Integer, Value::Integer(_))
                | (Kind::Float, Value::Float(_))
                | (Kind::Boolean, Value::Boolean(_))
                | (Kind::Text, Value::Text(_))
                | (Kind::Bytes, Value::Bytes(_))
        )
    }
}

/// What an archive holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    pub header: Header,
    /// Every table and its number of rows, in the archive's order.
    pub tables: Vec<(Table, u64)>,
    /// Whether it is encrypted.
    pub sealed: bool,
}

impl Summary {
    /// The rows of all tables.
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|(_, rows)| rows).sum()
    }
}

/// Whether a name is one that our migrations could have given: lower-case letters, digits and underscores, not a digit
/// first. Anything else stays out of statements.
pub fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=NAME_MOST).contains(&name.len())
        && name.bytes().all(plain)
        && !name.as_bytes().first().is_some_and(u8::is_ascii_digit)
}

impl Table {
    /// Whether its names and their number are such as can be.
    pub fn is_sound(&self) -> bool {
        let mut names: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
        names.sort_unstable();
        is_name(&self.name)
            && (1..=COLUMNS_MOST).contains(&names.len())
            && names.iter().all(|name| is_name(name))
            && names.windows(2).all(|pair| pair[0] != pair[1])
    }
}
