//! Everything of a row that is no duration, as one symbol: a series knows few such shapes, and mostly has one for hours.
//!
//! ```text
//! count  { shape }  { number of the shape  rows in a row }    until all rows are told
//! shape  = outcome | slow << 4 | trigger << 5    phases | status << 6 | bytes << 7    flags    attempt    [status]
//! ```

use crate::{
    Flags, Row,
    bytes::{Reader, put_varint},
    code::{outcome_code, outcome_of, phases_array, trigger_code, trigger_of},
};
use std::collections::HashMap;
use wire::sample::{Outcome, Trigger};

/// What a row is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    pub outcome: Outcome,
    pub slow: bool,
    pub trigger: Trigger,
    /// The phases that happened, as bits.
    pub phases: u8,
    /// Whether body bytes were counted.
    pub bytes: bool,
    pub flags: Flags,
    pub attempt: u16,
    pub status: Option<u16>,
}

/// The shapes of the rows, in order.
pub struct Shapes {
    shapes: Vec<Shape>,
    /// The number of a shape, and how many rows in a row have it.
    runs: Vec<(usize, usize)>,
}

impl Shapes {
    pub fn runs(&self) -> impl Iterator<Item = (&Shape, usize)> {
        self.runs.iter().map(|&(shape, run)| (&self.shapes[shape], run))
    }
}

pub fn encode(out: &mut Vec<u8>, rows: &[Row]) {
    let mut numbers: HashMap<[u8; 7], usize> = HashMap::new();
    let mut shapes: Vec<[u8; 7]> = Vec::new();
    let mut runs: Vec<(usize, usize)> = Vec::new();
    let mut last = None;
    for row in rows {
        let key = key(row);
        match runs.last_mut() {
            Some((_, run)) if last == Some(key) => *run += 1,
            _ => {
                let number = *numbers.entry(key).or_insert_with(|| {
                    shapes.push(key);
                    shapes.len() - 1
                });
                runs.push((number, 1));
                last = Some(key);
            }
        }
    }
    put_varint(out, shapes.len() as u64);
    for [first, present, flags, rest @ ..] in shapes {
        out.extend([first, present, flags]);
        put_varint(out, u16::from_le_bytes([rest[0], rest[1]]).into());
        if present & STATUS != 0 {
            put_varint(out, u16::from_le_bytes([rest[2], rest[3]]).into());
        }
    }
    for (number, run) in runs {
        put_varint(out, number as u64);
        put_varint(out, run as u64);
    }
}

const STATUS: u8 = 1 << 6;
const BYTES: u8 = 1 << 7;

fn key(row: &Row) -> [u8; 7] {
    let first = outcome_code(row.outcome) | u8::from(row.slow) << 4 | trigger_code(row.trigger) << 5;
    let mut present = if row.status.is_some() { STATUS } else { 0 };
    present |= if row.bytes.is_some() { BYTES } else { 0 };
    for (n, phase) in phases_array(&row.phases).iter().enumerate() {
        present |= u8::from(phase.is_some()) << n;
    }
    let ([a, b], [c, d]) = (row.attempt.to_le_bytes(), row.status.unwrap_or_default().to_le_bytes());
    [first, present, row.flags.bits(), a, b, c, d]
}

/// Reads the shapes of `count` rows.
pub fn decode(reader: &mut Reader<'_>, count: usize) -> Option<Shapes> {
    let different = usize::try_from(reader.varint()?).ok().filter(|&different| different <= count)?;
    let shapes = (0..different).map(|_| shape(reader)).collect::<Option<Vec<_>>>()?;
    let (mut runs, mut told) = (Vec::new(), 0);
    while told < count {
        let number = usize::try_from(reader.varint()?).ok().filter(|&number| number < shapes.len())?;
        let run = usize::try_from(reader.varint()?).ok().filter(|&run| run > 0 && run <= count - told)?;
        runs.push((number, run));
        told += run;
    }
    Some(Shapes { shapes, runs })
}

fn shape(reader: &mut Reader<'_>) -> Option<Shape> {
    let (first, present, flags) = (reader.byte()?, reader.byte()?, reader.byte()?);
    let attempt = u16::try_from(reader.varint()?).ok()?;
    let status = match present & STATUS {
        0 => None,
        _ => Some(u16::try_from(reader.varint()?).ok()?),
    };
    Some(Shape {
        outcome: outcome_of(first & 15)?,
        slow: first & 16 != 0,
        trigger: trigger_of(first >> 5)?,
        phases: present & !(STATUS | BYTES),
        bytes: present & BYTES != 0,
        flags: Flags::from_bits(flags)?,
        attempt,
        status,
    })
}
