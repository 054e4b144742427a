//! One segment file: a header of [`HEADER`] bytes (magic, format version), then records.
//!
//! A record is `length u32 | crc32 u32 | body`, little endian; the checksum covers the length and the body. The body
//! is the number of samples (u32) and the report as JSON. Records have consecutive sequences, from the one in the
//! file's name, so a record that cannot be read still keeps the place of its number.

use super::SpoolError;
use crate::atomic_file;
use bytes::Bytes;
use serde::Serialize;
use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};
use tracing::{error, warn};
use wire::{ProbeId, mesh::MeshWindow, report::MAX_BATCH_BYTES, sample::Sample};

const MAGIC: &[u8; 8] = b"SXTSPOOL";
pub const VERSION: u32 = 1;
const HEADER: usize = 12;
/// Length and checksum.
const HEAD: usize = 8;
/// The number of samples, before the JSON.
const COUNT: usize = 4;
/// A report that is larger than this as JSON is split, bytes.
pub const SPLIT: usize = MAX_BATCH_BYTES / 4;
/// The largest body that is written, bytes; one sample alone must fit into a batch.
pub const BODY_MOST: usize = MAX_BATCH_BYTES - 4096;

/// The largest sequence that a file may begin with. Numbers are microseconds since the epoch plus a few, so whatever
/// is larger (the year 148 000) is not ours; it would leave no room to count on.
const FIRST_MOST: i64 = 1 << 62;

/// A [`wire::report::Report`] that borrows, field by field the same.
#[derive(Serialize)]
pub struct Borrowed<'a> {
    pub probe: &'a ProbeId,
    pub sequence: i64,
    pub samples: &'a [Sample],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub mesh: &'a [MeshWindow],
}

/// A report as it was written, to the disk or to memory: the JSON of a [`wire::report::Report`], which goes into a batch as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spooled {
    pub sequence: i64,
    /// How many samples it holds.
    pub samples: u32,
    pub json: Bytes,
}

/// Where a record is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    offset: u64,
    body: usize,
    samples: u32,
    /// False when its checksum is wrong.
    pub sound: bool,
}

impl Record {
    /// Whether it can be read, as far as is known.
    pub fn is_sound(&self) -> bool {
        self.sound
    }

    /// The size of the report.
    pub fn json_bytes(&self) -> usize {
        self.body.saturating_sub(COUNT)
    }

    /// The report as [`encode`] has just put it into `encoded`.
    pub fn take(&self, encoded: &[u8], sequence: i64) -> Spooled {
        let start = self.offset as usize + HEAD;
        let json = Bytes::copy_from_slice(&encoded[start + COUNT..start + self.body]);
        Spooled { sequence, samples: self.samples, json }
    }

    /// Reads and checks the report; absent when that fails in any way.
    pub fn read(&self, file: Option<&File>, sequence: i64) -> Option<Spooled> {
        if !self.sound {
            return None;
        }
        let mut bytes = vec![0; HEAD + self.body];
        file?.read_exact_at(&mut bytes, self.offset).ok()?;
        let (head, body) = bytes.split_at(HEAD);
        if head != frame(body) {
            return None;
        }
        let json = Bytes::from(bytes).slice(HEAD + COUNT..);
        is_numbered(&json, sequence).then_some(Spooled { sequence, samples: self.samples, json })
    }
}

/// One file and where its records are.
#[derive(Debug)]
pub struct Segment {
    pub path: PathBuf,
    /// The sequence of the first record.
    pub first: i64,
    pub records: Vec<Record>,
    /// Bytes that count; the file may be longer after a failed write.
    pub size: u64,
}

impl Segment {
    /// Begins a new file, also over one of the same name.
    pub fn create(folder: &Path, first: i64) -> Result<(Self, File), SpoolError> {
        let path = folder.join(name(first));
        let begin = || {
            let mut file = File::create(&path)?;
            file.write_all(MAGIC)?;
            file.write_all(&VERSION.to_le_bytes())?;
            atomic_file::sync_folder(folder)?;
            Ok(file)
        };
        let file = begin().map_err(SpoolError::io("begin a new file of the spool", &path))?;
        Ok((Self { path, first, records: Vec::new(), size: HEADER as u64 }, file))
    }

    /// Reads an existing file. The second value says that it was damaged: a torn tail is left out, a record with a
    /// wrong checksum keeps its place.
    pub fn scan(folder: &Path, first: i64) -> Result<(Self, bool), SpoolError> {
        let path = folder.join(name(first));
        let bytes = fs::read(&path).map_err(SpoolError::io("read the spool", &path))?;
        let mut segment = Self { path, first, records: Vec::new(), size: bytes.len().min(HEADER) as u64 };
        let Some((header, mut rest)) = bytes.split_at_checked(HEADER).filter(|(h, _)| h.starts_with(MAGIC))
        else {
            warn!(file = %segment.path.display(), "a file of the spool has no header and is left out");
            return Ok((segment, true));
        };
        let version = header.last_chunk().map_or(0, |version| u32::from_le_bytes(*version));
        if version > VERSION {
            return Err(SpoolError::Newer { path: segment.path, version, known: VERSION });
        }
        let mut damaged = false;
        while let Some((head, body)) = next_record(rest) {
            let sound = head == frame(body);
            if !sound {
                error!(file = %segment.path.display(), offset = segment.size, "a spooled report is damaged");
                damaged = true;
            }
            let samples = body.first_chunk().filter(|_| sound).map_or(1, |count| u32::from_le_bytes(*count));
            segment.records.push(Record { offset: segment.size, body: body.len(), samples, sound });
            segment.size += (HEAD + body.len()) as u64;
            rest = &rest[HEAD + body.len()..];
        }
        if !rest.is_empty() {
            warn!(file = %segment.path.display(), bytes = rest.len(), "a file of the spool ends in the middle of a write");
            damaged = true;
        }
        Ok((segment, damaged))
    }

    /// Leaves out records whose sequence another file has.
    pub fn end_before(&mut self, following: i64) {
        let keep = usize::try_from(following - self.first).unwrap_or(0);
        self.records.truncate(keep);
    }

    /// Opens for appending.
    pub fn reopen(&self) -> Result<File, SpoolError> {
        File::options().write(true).open(&self.path).map_err(SpoolError::io("write to the spool", &self.path))
    }

    /// Opens for reading; absent when the file is gone.
    pub fn open(&self) -> Result<Option<File>, SpoolError> {
        match File::open(&self.path) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(SpoolError::io("read the spool", &self.path)(error)),
        }
    }

    /// Writes encoded records behind the others and syncs. After an error the file is cut back, if the disk lets us.
    pub fn append(&mut self, file: &File, encoded: &[u8], records: Vec<Record>) -> io::Result<()> {
        if let Err(error) = file.write_all_at(encoded, self.size).and_then(|()| file.sync_data()) {
            // If this fails too, the next file's name says where this one ends.
            let _ = file.set_len(self.size);
            return Err(error);
        }
        let start = self.size;
        self.records
            .extend(records.into_iter().map(|record| Record { offset: start + record.offset, ..record }));
        self.size += encoded.len() as u64;
        Ok(())
    }

    /// The sequence after the last record.
    pub fn end(&self) -> i64 {
        self.first + self.records.len() as i64
    }

    /// The index of the first record that is not below `sequence`.
    pub fn index_of(&self, sequence: i64) -> usize {
        usize::try_from(sequence.saturating_sub(self.first)).unwrap_or(0).min(self.records.len())
    }

    /// The samples in the records from one sequence to another (not included) that `count` wants.
    pub fn samples(&self, from: i64, to: i64, count: impl Fn(&Record) -> bool) -> u64 {
        let (from, to) = (self.index_of(from), self.index_of(to));
        let records = self.records.get(from..to).unwrap_or_default();
        records.iter().filter(|record| count(record)).map(|record| u64::from(record.samples)).sum()
    }

    /// Removes the file. One that stays is removed at the next start, because the mark is beyond it.
    pub fn delete(self) {
        if let Err(error) = fs::remove_file(&self.path) {
            warn!(%error, file = %self.path.display(), "a file of the spool cannot be deleted");
        }
    }
}

/// Appends a report, split where it has too many bytes, and returns the sequence after it. Offsets are relative.
pub fn encode(report: &Borrowed<'_>, out: &mut Vec<u8>, records: &mut Vec<Record>) -> i64 {
    let Borrowed { probe, sequence, samples, mesh } = *report;
    let (start, count) = (out.len(), u32::try_from(samples.len()).unwrap_or(u32::MAX));
    out.extend([0; HEAD]);
    out.extend(count.to_le_bytes());
    serde_json::to_writer(&mut *out, report)
        .expect("reports have no maps with odd keys, so they are always JSON, and a vector takes it");
    let body = out.len() - start - HEAD;
    if body - COUNT > SPLIT && samples.len() > 1 {
        out.truncate(start);
        let (first, second) = samples.split_at(samples.len() / 2);
        let next = encode(&Borrowed { probe, sequence, samples: first, mesh }, out, records);
        return encode(&Borrowed { probe, sequence: next, samples: second, mesh: &[] }, out, records);
    }
    if body > BODY_MOST {
        out.truncate(start);
        // Checks cut their evidence short, so this is a mistake of ours; it must not block the others.
        error!(bytes = body, "a sample is too large to be sent and is left out: please report it");
        return sequence;
    }
    let head = frame(&out[start + HEAD..]);
    out[start..start + HEAD].copy_from_slice(&head);
    records.push(Record { offset: start as u64, body, samples: count, sound: true });
    sequence + 1
}

/// Whether the JSON of a report, as [`encode`] writes it, carries this number.
fn is_numbered(json: &[u8], sequence: i64) -> bool {
    let behind_probe = json.iter().position(|byte| *byte == b',').map_or(&json[..0], |at| &json[at..]);
    let number = behind_probe.strip_prefix(b",\"sequence\":").unwrap_or_default();
    number.strip_prefix(sequence.to_string().as_bytes()).is_some_and(|rest| rest.starts_with(b","))
}

/// The name of the file that begins with a sequence.
fn name(first: i64) -> String {
    format!("{first:020}.seg")
}

/// The first sequences of the files in a folder, in order. Files with any other name are not ours and stay as they
/// are, also where the name is a number.
pub fn list(folder: &Path) -> Result<Vec<i64>, SpoolError> {
    let number = |found: &OsStr| -> Option<i64> {
        let found = found.to_str()?;
        let first: i64 = found.strip_suffix(".seg")?.parse().ok()?;
        ((0..=FIRST_MOST).contains(&first) && name(first) == found).then_some(first)
    };
    let read = || {
        let mut firsts = Vec::new();
        for entry in fs::read_dir(folder)? {
            firsts.extend(number(&entry?.file_name()));
        }
        Ok(firsts)
    };
    let mut firsts: Vec<i64> = read().map_err(SpoolError::io("list the spool", folder))?;
    firsts.sort_unstable();
    Ok(firsts)
}

/// Length and checksum of a body.
pub fn frame(body: &[u8]) -> [u8; HEAD] {
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes();
    let mut crc = crc32fast::Hasher::new();
    crc.update(&length);
    crc.update(body);
    let mut head = [0; HEAD];
    head[..4].copy_from_slice(&length);
    head[4..].copy_from_slice(&crc.finalize().to_le_bytes());
    head
}

/// Splits off a record whose length is possible.
fn next_record(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let (head, rest) = rest.split_at_checked(HEAD)?;
    let length = usize::try_from(u32::from_le_bytes(*head.first_chunk()?)).ok()?;
    let body = rest.get(..length).filter(|_| (COUNT..=BODY_MOST).contains(&length))?;
    Some((head, body))
}
