//! Reads an archive, frame by frame, and believes nothing.

use super::{
    format::{
        DIGEST, END_HEAD, Header, JSON_MOST, ROW_MOST, ROWS_BYTES, ROWS_HEAD, ROWS_MOST, Summary,
        TABLES_MOST, Table, frame, method,
    },
    value::{self, Value},
};
use flate2::read::DeflateDecoder;
use sha2::{Digest, Sha256};
use std::io::{self, Read};

/// The bytes of a rows frame before compression: a last row begins below [`ROWS_BYTES`].
const RAW_MOST: usize = ROWS_BYTES + ROW_MOST;

/// Why an archive is refused.
#[derive(Debug, thiserror::Error)]
pub enum Corrupt {
    #[error("cannot read the archive")]
    Read(#[source] io::Error),
    #[error("this is not a backup made by sextant: its first bytes are others")]
    NotOurs,
    #[error(
        "the archive has the form {0}, and this program reads form 1: use the version that made it, or a newer one"
    )]
    Newer(u8),
    #[error("the archive is encrypted: give its key with --key-file")]
    NeedsKey,
    #[error(
        "the archive is not encrypted, and a key was given: it may have been exchanged; leave --key-file out to use it"
    )]
    NotSealed,
    #[error("the archive cannot be decrypted: the key is another one, or the file was changed or cut off")]
    Key,
    #[error("the archive ends too early: it was cut off, and cannot be used")]
    Cut,
    #[error("the archive is damaged, and cannot be used: {0}")]
    Damaged(&'static str),
}

impl From<io::Error> for Corrupt {
    fn from(error: io::Error) -> Corrupt {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Corrupt::Cut,
            _ => error.downcast().unwrap_or_else(Corrupt::Read),
        }
    }
}

/// The next thing in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A table begins.
    Table(Table),
    /// Rows of the table that began last; each fits its columns.
    Rows(Vec<Vec<Value>>),
}

/// An archive that is being read.
#[derive(Debug)]
pub struct Archive<R: Read> {
    from: R,
    digest: Sha256,
    summary: Summary,
    open: bool,
    ended: bool,
}

impl<R: Read> Archive<R> {
    /// Reads the header of a stream; `sealed` says whether it comes decrypted.
    ///
    /// # Errors
    /// When it has none.
    pub fn new(from: R, sealed: bool) -> Result<Self, Corrupt> {
        let header = Header {
            created: wire::Micros(0),
            program: String::new(),
            schema: 0,
            engine: String::new(),
            instance: String::new(),
        };
        let summary = Summary { header, tables: Vec::new(), sealed };
        let mut archive = Archive { from, digest: Sha256::new(), summary, open: false, ended: false };
        match archive.head()? {
            (frame::HEADER, length) => archive.summary.header = archive.json(length)?,
            _ => return Err(Corrupt::Damaged("it has no header")),
        }
        Ok(archive)
    }

    /// What it says of itself.
    pub fn header(&self) -> &Header {
        &self.summary.header
    }

    /// The next thing; absent at the end, when everything was found to be as it was written.
    ///
    /// # Errors
    /// When it is not.
    pub fn next_item(&mut self) -> Result<Option<Item>, Corrupt> {
        while !self.ended {
            match (self.head()?, self.open) {
                ((frame::TABLE, length), false) => {
                    let table: Table = self.json(length)?;
                    let again = self.summary.tables.iter().any(|(other, _)| other.name == table.name);
                    if !table.is_sound() || again || self.summary.tables.len() == TABLES_MOST {
                        return Err(Corrupt::Damaged("a table is described in a way that cannot be"));
                    }
                    self.summary.tables.push((table.clone(), 0));
                    self.open = true;
                    return Ok(Some(Item::Table(table)));
                }
                ((frame::ROWS, length), true) => return Ok(Some(Item::Rows(self.rows(length)?))),
                ((frame::TABLE_END, 8), true) => {
                    let rows = u64::from_le_bytes(self.array()?);
                    if self.summary.tables.last().is_none_or(|(_, found)| *found != rows) {
                        return Err(Corrupt::Damaged("a table has not as many rows as it says"));
                    }
                    self.open = false;
                }
                ((frame::END, length), false) if length == END_HEAD + DIGEST => self.end()?,
                _ => return Err(Corrupt::Damaged("a part of it is not what must be there")),
            }
        }
        Ok(None)
    }

    fn end(&mut self) -> Result<(), Corrupt> {
        let tables = u32::from_le_bytes(self.array()?);
        let rows = u64::from_le_bytes(self.array()?);
        let expected: [u8; DIGEST] = self.digest.clone().finalize().into();
        let found: [u8; DIGEST] = self.array()?;
        if found != expected {
            return Err(Corrupt::Damaged("its SHA-256 is another one"));
        }
        if usize::try_from(tables) != Ok(self.summary.tables.len()) || rows != self.summary.rows() {
            return Err(Corrupt::Damaged("it has not as many tables or rows as it says"));
        }
        if self.from.read(&mut [0])? != 0 {
            return Err(Corrupt::Damaged("something follows its end"));
        }
        self.ended = true;
        Ok(())
    }

    fn rows(&mut self, length: usize) -> Result<Vec<Vec<Value>>, Corrupt> {
        const NONE: Corrupt = Corrupt::Damaged("rows cannot be read");
        if !(ROWS_HEAD..=ROWS_HEAD + RAW_MOST).contains(&length) {
            return Err(Corrupt::Damaged("rows are too long"));
        }
        let count = u32::from_le_bytes(self.array()?) as usize;
        let raw_length = u32::from_le_bytes(self.array()?) as usize;
        let [kept] = self.array()?;
        let data = self.bytes(length - ROWS_HEAD)?;
        if !(1..=ROWS_MOST).contains(&count) || raw_length > RAW_MOST {
            return Err(Corrupt::Damaged("there are too many rows at once"));
        }
        let raw = match kept {
            method::STORED => data,
            method::DEFLATE => inflate(&data, raw_length).ok_or(NONE)?,
            _ => return Err(NONE),
        };
        if raw.len() != raw_length {
            return Err(NONE);
        }
        let (table, total) = self.summary.tables.last_mut().ok_or(NONE)?;
        let mut left = raw.as_slice();
        let mut rows = Vec::new();
        for _ in 0..count {
            rows.push(value::row(&table.columns, &mut left).ok_or(NONE)?);
        }
        if !left.is_empty() {
            return Err(NONE);
        }
        *total += count as u64;
        Ok(rows)
    }

    /// The kind and the length of the next frame.
    fn head(&mut self) -> Result<(u8, usize), Corrupt> {
        let [kind] = self.array()?;
        Ok((kind, u32::from_le_bytes(self.array()?) as usize))
    }

    fn json<T: serde::de::DeserializeOwned>(&mut self, length: usize) -> Result<T, Corrupt> {
        if length > JSON_MOST {
            return Err(Corrupt::Damaged("a description is too long"));
        }
        let text = self.bytes(length)?;
        serde_json::from_slice(&text).map_err(|_| Corrupt::Damaged("a description cannot be read"))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Corrupt> {
        let mut bytes = [0; N];
        self.from.read_exact(&mut bytes)?;
        self.digest.update(bytes);
        Ok(bytes)
    }

    /// Reads so many bytes; room is made as they arrive, whatever the length claims.
    fn bytes(&mut self, length: usize) -> Result<Vec<u8>, Corrupt> {
        let mut bytes = Vec::new();
        (&mut self.from).take(length as u64).read_to_end(&mut bytes)?;
        if bytes.len() < length {
            return Err(Corrupt::Cut);
        }
        self.digest.update(&bytes);
        Ok(bytes)
    }
}

/// Decompresses to no more than is claimed.
fn inflate(data: &[u8], length: usize) -> Option<Vec<u8>> {
    let mut raw = Vec::new();
    DeflateDecoder::new(data).take(length as u64 + 1).read_to_end(&mut raw).ok()?;
    Some(raw)
}

impl<R: Read> Archive<R> {
    /// Reads everything that is left and says what is there.
    ///
    /// # Errors
    /// When anything is not as it was written.
    pub fn verify(mut self) -> Result<Summary, Corrupt> {
        while self.next_item()?.is_some() {}
        Ok(self.summary)
    }
}
