//! Files for a spool folder, made from the fuzzer's bytes.
//!
//! The bytes are entries of `kind, place, length (2 bytes), content`. Checksums are made here where a kind says so:
//! nobody guesses them.

use crate::parts;
use probe::{fuzzing::frame, spool::Spooled};
use std::{fs, io::Write as _, path::Path};

const MAGIC: &[u8] = b"SXTSPOOL\x01\0\0\0";
/// Length and checksum, before each record (see `probe/src/spool/segment.rs`).
const HEAD: usize = 8;
/// The number of samples, before the JSON.
const COUNT: usize = 4;
/// First numbers of segment files: some that follow each other, some that are far off.
const FIRSTS: [i64; 16] = [
    0,
    1,
    2,
    3,
    10,
    1_000,
    1_794_999_999_999_999,
    1_795_000_000_000_000,
    1_795_000_000_000_001,
    1_795_000_000_000_008,
    1_795_000_001_048_576,
    i64::MAX,
    i64::MAX - 1,
    i64::MAX - (1 << 20),
    -1,
    i64::MIN,
];
/// Names that are no segment's, or nearly one's.
const OTHERS: [&str; 12] = [
    "cursor",
    "cursor.new",
    "lock",
    "1.seg",
    "-1.seg",
    "+00000000000000000001.seg",
    "00000000000000000001.SEG",
    "00000000000000000001",
    ".seg",
    "99999999999999999999.seg",
    "000000000000000000001.seg",
    "note.txt",
];
/// So that one run stays quick.
const ENTRIES_MOST: usize = 24;

/// Every sound record that was ever written to the folder, as its whole body.
pub struct Sound(Vec<Vec<u8>>);

impl Sound {
    /// Whether this report was in a sound record.
    pub fn holds(&self, report: &Spooled) -> bool {
        self.0.iter().any(|body| body.get(COUNT..).is_some_and(|json| json == report.json))
    }
}

/// Writes the files, and says which sound records are in them.
pub fn write(folder: &Path, mut data: &[u8]) -> Sound {
    for _ in 0..ENTRIES_MOST {
        if data.is_empty() {
            break;
        }
        let ([kind, place, high, low], rest) = parts::bytes::<4>(data);
        let length = usize::from(u16::from_be_bytes([high, low])).min(rest.len());
        let (content, rest) = rest.split_at(length);
        data = rest;
        entry(folder, kind % 8, usize::from(place), content);
    }
    sound(folder)
}

fn entry(folder: &Path, kind: u8, place: usize, content: &[u8]) {
    let first = FIRSTS[place % FIRSTS.len()];
    let segment = folder.join(format!("{first:020}.seg"));
    let put = |path: &Path, content: &[u8]| fs::write(path, content).expect("written");
    match kind {
        // A segment of arbitrary bytes, with or without a header.
        0 => put(&segment, content),
        1 => put(&segment, &[MAGIC, content].concat()),
        // A file of any other name.
        2 => put(&folder.join(OTHERS[place % OTHERS.len()]), content),
        // A cursor in the right form.
        3 => {
            let (next, rest) = parts::bytes::<8>(content);
            let (lost, rest) = parts::bytes::<8>(rest);
            let (next, lost) = (i64::from_be_bytes(next), u64::from_be_bytes(lost));
            let next = if rest.is_empty() { first.saturating_add(next & 0xff) } else { next };
            let text = format!(r#"{{"version":1,"next":{next},"lost":{lost}}}"#);
            put(&folder.join("cursor"), text.as_bytes());
        }
        // Records of arbitrary bodies whose checksums are right: each begins with its length.
        4 => append(&segment, &framed(content)),
        // Good reports, then arbitrary bytes.
        5 => {
            let (count, tail) = parts::byte(content);
            let good = (0..i64::from(count % 8)).map(|n| report(first.saturating_add(n)));
            append(&segment, &[good.flatten().collect(), tail.to_vec()].concat());
        }
        // One byte of a segment changes.
        6 => {
            let ([high, low, mask], _) = parts::bytes::<3>(content);
            let at = usize::from(u16::from_be_bytes([high, low]));
            if let Ok(mut bytes) = fs::read(&segment)
                && let Some(byte) = bytes.get_mut(at)
            {
                *byte ^= mask;
                put(&segment, &bytes);
            }
        }
        // A segment is cut short.
        _ => {
            let (at, _) = parts::bytes::<2>(content);
            if let Ok(bytes) = fs::read(&segment) {
                put(&segment, &bytes[..bytes.len().min(u16::from_be_bytes(at).into())]);
            }
        }
    }
}

/// Adds to a segment, which begins with its header when it is new.
fn append(segment: &Path, bytes: &[u8]) {
    let fresh = !segment.exists();
    let mut file = fs::File::options().create(true).append(true).open(segment).expect("opened");
    if fresh {
        file.write_all(MAGIC).expect("written");
    }
    file.write_all(bytes).expect("written");
}

fn framed(mut content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while !content.is_empty() {
        let (length, rest) = parts::byte(content);
        let (body, rest) = rest.split_at(rest.len().min(length.into()));
        out.extend(frame(body));
        out.extend(body);
        content = rest;
    }
    out
}

/// A sound record with a report of no samples.
fn report(sequence: i64) -> Vec<u8> {
    let json = format!(r#"{{"probe":"north-1","sequence":{sequence},"samples":[]}}"#);
    let body = [&[0; COUNT], json.as_bytes()].concat();
    [&frame(&body)[..], &body].concat()
}

/// Looks for records at every offset of every file, whatever it is called.
fn sound(folder: &Path) -> Sound {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("readable") {
        let bytes = fs::read(entry.expect("readable").path()).expect("readable");
        for at in 0..bytes.len().saturating_sub(HEAD) {
            let (head, rest) = bytes[at..].split_at(HEAD);
            let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
            let body = usize::try_from(length).ok().and_then(|length| rest.get(..length));
            if let Some(body) = body.filter(|body| head == frame(body)) {
                found.push(body.to_vec());
            }
        }
    }
    Sound(found)
}
