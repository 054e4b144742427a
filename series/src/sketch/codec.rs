//! The stored form of a sketch, version 1:
//!
//! ```text
//! version  zero: varint  first bucket: varint  { step }
//! step     0GGGCCCC            GGG empty buckets, then one with CCCC + 1 values
//!          10000000 gap count  varints, where the short form is too small
//! ```
//! There is exactly one encoding of a sketch; `first bucket` is left out with the steps when only zeros were counted.

use super::{Sketch, index::BUCKETS};
use crate::{
    Corrupt,
    bytes::{Reader, put_varint},
};

const VERSION: u8 = 1;
const LONG: u8 = 0x80;
const GAP_SHORT: u64 = 7;
const COUNT_SHORT: u64 = 16;

pub fn encode(sketch: &Sketch) -> Vec<u8> {
    let mut out = vec![VERSION];
    put_varint(&mut out, sketch.zero);
    let mut next = None;
    for (bucket, count) in sketch.filled() {
        let gap = match next {
            Some(next) => (bucket - next) as u64,
            None => {
                put_varint(&mut out, bucket as u64);
                0
            }
        };
        if gap <= GAP_SHORT && count <= COUNT_SHORT {
            out.push((gap << 4 | (count - 1)) as u8);
        } else {
            out.push(LONG);
            put_varint(&mut out, gap);
            put_varint(&mut out, count);
        }
        next = Some(bucket + 1);
    }
    out
}

/// Reads twice: first to check everything and to learn the range, then to add.
pub fn merge(sketch: &mut Sketch, bytes: &[u8]) -> Result<(), Corrupt> {
    let mut reader = Reader(bytes);
    match reader.byte() {
        Some(VERSION) => {}
        Some(version) if version > VERSION => return Err(Corrupt::Newer { what: "sketch", version }),
        _ => return Err(damaged("no version")),
    }
    let zero = reader.varint().ok_or(damaged("cut"))?;
    if !reader.0.is_empty() {
        let first = reader
            .varint()
            .filter(|&first| first < BUCKETS as u64)
            .ok_or(damaged("a bucket out of range"))?;
        let first = first as usize;
        let end = check(reader, first)?;
        add(sketch.window(first..end), reader);
    }
    sketch.zero = sketch.zero.saturating_add(zero);
    Ok(())
}

/// The end of the buckets, when all steps are sound.
fn check(mut reader: Reader<'_>, first: usize) -> Result<usize, Corrupt> {
    let mut end = first;
    loop {
        let (gap, count) = step(&mut reader).ok_or(damaged("not a step"))?;
        if count == 0 || (end == first && gap != 0) {
            return Err(damaged("not the shortest form"));
        }
        end = usize::try_from(gap)
            .ok()
            .and_then(|gap| end.checked_add(gap)?.checked_add(1))
            .unwrap_or(usize::MAX);
        if end > BUCKETS {
            return Err(damaged("a bucket out of range"));
        }
        if reader.0.is_empty() {
            return Ok(end);
        }
    }
}

fn add(window: &mut [u64], mut reader: Reader<'_>) {
    let mut next = 0;
    while let Some((gap, count)) = step(&mut reader) {
        let bucket = next + gap as usize;
        window[bucket] = window[bucket].saturating_add(count);
        next = bucket + 1;
    }
}

/// Empty buckets, and the count of the one that follows. Absent at the end, and for what is no step.
fn step(reader: &mut Reader<'_>) -> Option<(u64, u64)> {
    match reader.byte()? {
        short @ 0..LONG => Some((u64::from(short >> 4), u64::from(short & 15) + 1)),
        LONG => {
            let (gap, count) = (reader.varint()?, reader.varint()?);
            (gap > GAP_SHORT || count > COUNT_SHORT).then_some((gap, count))
        }
        _ => None,
    }
}

fn damaged(why: &'static str) -> Corrupt {
    Corrupt::Damaged { what: "sketch", why }
}
