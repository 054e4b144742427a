//! Makes an archive, row by row.

use super::{
    format::{
        END_HEAD, Header, JSON_MOST, ROW_MOST, ROWS_BYTES, ROWS_HEAD, ROWS_MOST, Summary, TABLES_MOST, Table,
        frame, method,
    },
    value::Value,
};
use flate2::{Compression, write::DeflateEncoder};
use sha2::{Digest, Sha256};
use std::io::{self, Write};

/// Why an archive cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot write the archive: look whether the disk is full, or who reads the pipe")]
    Write(#[from] io::Error),
    #[error("a row of {table} takes {bytes} bytes, and an archive holds rows of up to {ROW_MOST}")]
    Row { table: String, bytes: usize },
    #[error("{what} cannot be kept in an archive: this is a mistake in the program")]
    Form { what: String },
}

/// Writes the frames. What was given is on its way after [`Writer::finish`] only.
#[derive(Debug)]
pub struct Writer<W: Write> {
    out: W,
    digest: Sha256,
    /// Bytes written.
    written: u64,
    /// Rows of the present table that wait for a frame, and their number.
    rows: Vec<u8>,
    count: usize,
    summary: Summary,
    open: bool,
}

impl<W: Write> Writer<W> {
    /// Begins an archive.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn new(out: W, header: Header) -> Result<Self, Error> {
        let text = json(&header, "the header")?;
        let summary = Summary { header, tables: Vec::new(), sealed: false };
        let mut writer = Writer {
            out,
            digest: Sha256::new(),
            written: 0,
            rows: Vec::with_capacity(ROWS_BYTES),
            count: 0,
            summary,
            open: false,
        };
        writer.frame(frame::HEADER, &[&text])?;
        Ok(writer)
    }

    /// Begins a table; the one before is ended.
    ///
    /// # Errors
    /// When it cannot be written, or its names are not such as our migrations give.
    pub fn table(&mut self, table: Table) -> Result<(), Error> {
        self.end_table()?;
        if !table.is_sound() || self.summary.tables.len() == TABLES_MOST {
            return Err(Error::Form { what: format!("the table {}", table.name) });
        }
        let text = json(&table, "a table")?;
        self.frame(frame::TABLE, &[&text])?;
        self.summary.tables.push((table, 0));
        self.open = true;
        Ok(())
    }

    /// Adds a row to the present table.
    ///
    /// # Errors
    /// When it cannot be written, is too large, or does not fit the table.
    pub fn row(&mut self, row: &[Value]) -> Result<(), Error> {
        let Some((table, rows)) = self.summary.tables.last_mut() else {
            return Err(Error::Form { what: "a row without a table".into() });
        };
        let fits = row.len() == table.columns.len()
            && row.iter().zip(&table.columns).all(|(value, column)| column.kind.holds(value));
        if !fits {
            return Err(Error::Form { what: format!("a row of {}", table.name) });
        }
        let bytes = row.iter().map(Value::size).sum();
        if bytes > ROW_MOST {
            return Err(Error::Row { table: table.name.clone(), bytes });
        }
        *rows += 1;
        if self.rows.len() >= ROWS_BYTES || self.count == ROWS_MOST {
            self.flush_rows()?;
        }
        row.iter().for_each(|value| value.write(&mut self.rows));
        self.count += 1;
        Ok(())
    }

    /// Bytes written so far.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Ends the archive and returns what it was written to.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self) -> Result<(W, Summary), Error> {
        self.end_table()?;
        let tables = u32::try_from(self.summary.tables.len()).unwrap_or(u32::MAX);
        let mut end = Vec::with_capacity(END_HEAD);
        end.extend_from_slice(&tables.to_le_bytes());
        end.extend_from_slice(&self.summary.rows().to_le_bytes());
        // The head of the frame and the counts are in the digest; the digest is not.
        let length = u32::try_from(END_HEAD + super::format::DIGEST).unwrap_or(u32::MAX);
        self.put(&[frame::END])?;
        self.put(&length.to_le_bytes())?;
        self.put(&end)?;
        let digest = self.digest.clone().finalize();
        self.put(&digest)?;
        self.out.flush()?;
        Ok((self.out, self.summary))
    }

    fn end_table(&mut self) -> Result<(), Error> {
        if !std::mem::take(&mut self.open) {
            return Ok(());
        }
        self.flush_rows()?;
        let rows = self.summary.tables.last().map_or(0, |(_, rows)| *rows);
        self.frame(frame::TABLE_END, &[&rows.to_le_bytes()])
    }

    fn flush_rows(&mut self) -> Result<(), Error> {
        if self.count == 0 {
            return Ok(());
        }
        let rows = std::mem::take(&mut self.rows);
        let mut encoder = DeflateEncoder::new(Vec::with_capacity(rows.len() / 2), Compression::fast());
        encoder.write_all(&rows)?;
        let packed = encoder.finish()?;
        // What is compressed already does not become smaller.
        let (method, data) =
            if packed.len() < rows.len() { (method::DEFLATE, &packed) } else { (method::STORED, &rows) };
        let mut head = Vec::with_capacity(ROWS_HEAD);
        head.extend_from_slice(&u32::try_from(self.count).unwrap_or(u32::MAX).to_le_bytes());
        head.extend_from_slice(&u32::try_from(rows.len()).unwrap_or(u32::MAX).to_le_bytes());
        head.push(method);
        self.frame(frame::ROWS, &[&head, data])?;
        self.rows = rows;
        self.rows.clear();
        // A row of many megabytes must not keep its room for ever.
        self.rows.shrink_to(2 * ROWS_BYTES);
        self.count = 0;
        Ok(())
    }

    fn frame(&mut self, kind: u8, parts: &[&[u8]]) -> Result<(), Error> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        self.put(&[kind])?;
        self.put(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes())?;
        parts.iter().try_for_each(|part| self.put(part))?;
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.digest.update(bytes);
        self.written += bytes.len() as u64;
        Ok(())
    }
}

fn json<T: serde::Serialize>(value: &T, what: &str) -> Result<Vec<u8>, Error> {
    let failed = || Error::Form { what: what.into() };
    let text = serde_json::to_vec(value).map_err(|_| failed())?;
    if text.len() > JSON_MOST { Err(failed()) } else { Ok(text) }
}
