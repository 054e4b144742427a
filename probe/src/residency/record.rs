//! One piece of evidence as it is in a file: `length u32 | crc32 u32 | body`, little endian; the checksum covers the
//! length and the body, which is JSON. A file begins with a header of [`HEADER`] bytes (magic, format version).

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use wire::{
    CheckId, Micros, ProbeId,
    assignment::Target,
    residency::Content,
    sample::{Outcome, Sample},
};

const MAGIC: &[u8; 8] = b"SXTEVIDE";
const VERSION: u32 = 1;
/// What a file begins with, bytes.
pub(super) const HEADER: usize = 12;
/// Length and checksum.
const HEAD: usize = 8;
/// The largest body, bytes. Evidence is cut short by the checks; this is many times of that.
pub(super) const BODY_MOST: usize = 256 << 10;

/// Evidence that stayed here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// What the collector knows it by: 64 hexadecimal digits.
    pub hash: String,
    /// 64 hexadecimal digits; never sent.
    salt: String,
    pub probe: ProbeId,
    pub check: CheckId,
    pub target: Target,
    /// When the run started.
    pub started: Micros,
    pub outcome: Outcome,
    /// The failing step of a journey.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// A [`Content`] as JSON, to the byte as it was hashed.
    content: String,
}

impl Record {
    /// The record of what was taken out of a sample.
    pub fn new(probe: ProbeId, sample: &Sample, content: &Content, salt: [u8; 32]) -> Record {
        let content = serde_json::to_string(content).expect("texts are always JSON");
        Record {
            hash: hash(&hex(&salt), &content),
            salt: hex(&salt),
            probe,
            check: sample.check.clone(),
            target: sample.target.clone(),
            started: sample.started,
            outcome: sample.outcome,
            step: sample.evidence.as_ref().and_then(|evidence| evidence.step.clone()),
            content,
        }
    }

    /// What was seen; absent when it is not what the hash was made of.
    pub fn content(&self) -> Option<Content> {
        if hash(&self.salt, &self.content) != self.hash {
            return None;
        }
        serde_json::from_str(&self.content).ok()
    }

    /// The bytes that go into a file; absent for one that is too large to be read again.
    pub(super) fn encode(&self) -> Option<Vec<u8>> {
        let body = serde_json::to_vec(self).expect("ids, numbers and texts are always JSON");
        let length = u32::try_from(body.len()).ok().filter(|_| body.len() <= BODY_MOST)?;
        let mut bytes = Vec::with_capacity(HEAD + body.len());
        bytes.extend(length.to_le_bytes());
        bytes.extend(checksum(length, &body).to_le_bytes());
        bytes.extend(body);
        Some(bytes)
    }
}

/// What a file begins with.
pub(super) fn header() -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..8].copy_from_slice(MAGIC);
    header[8..].copy_from_slice(&VERSION.to_le_bytes());
    header
}

/// What could be read of a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Scan {
    pub records: Vec<Record>,
    /// Whether all of it could be; the end of a write that was cut off is the usual reason if not.
    pub whole: bool,
}

/// Reads what can be read of a file's bytes, whatever they are: a record that is damaged is passed over, and so is
/// what follows a length that cannot be.
pub(super) fn scan(bytes: &[u8]) -> Scan {
    let mut scan = Scan { records: Vec::new(), whole: true };
    let Some(mut rest) = bytes.strip_prefix(&header()) else { return Scan::default() };
    while !rest.is_empty() {
        let Some((length, sum, body)) = next(rest) else {
            scan.whole = false;
            break;
        };
        rest = &rest[HEAD + body.len()..];
        let record = if checksum(length, body) == sum { serde_json::from_slice(body).ok() } else { None };
        scan.whole &= record.is_some();
        scan.records.extend(record);
    }
    scan
}

/// Splits off a record whose length is possible.
fn next(rest: &[u8]) -> Option<(u32, u32, &[u8])> {
    let (length, rest) = rest.split_first_chunk()?;
    let (sum, rest) = rest.split_first_chunk()?;
    let length = u32::from_le_bytes(*length);
    let body = rest.get(..usize::try_from(length).ok()?).filter(|body| body.len() <= BODY_MOST)?;
    Some((length, u32::from_le_bytes(*sum), body))
}

fn checksum(length: u32, body: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&length.to_le_bytes());
    crc.update(body);
    crc.finalize()
}

/// SHA-256 over the salt (its 32 bytes) and the content, as hexadecimal digits.
fn hash(salt: &str, content: &str) -> String {
    let digit = |c: char| c.to_digit(16).and_then(|d| u8::try_from(d).ok()).unwrap_or_default();
    let digits: Vec<u8> = salt.chars().map(digit).collect();
    let salt: Vec<u8> =
        digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect();
    let mut digest = Sha256::new();
    digest.update(salt);
    digest.update(content.as_bytes());
    hex(&digest.finalize())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
