//! Roll-ups of several series in few bytes: what is kept of a check and a day beside the rows that people query, so that
//! a question reads one thing where it would read hundreds of rows.
//!
//! ```text
//! "sxb"  version = 1
//! { series - previous: zigzag  slots: bit set, varint  { length: varint  roll-up } }
//! CRC-32 of all before, little endian
//! roll-up   which: byte  failure classes: byte, if any  { count: varint, as `which` and the classes say }  sketch
//! ```
//! A slot is an hour of the day, or 0 for the whole of it. Series ascend. A roll-up that is not asked for is skipped
//! without being read, and one that nothing was added to is copied as it is.

use crate::{
    Corrupt,
    bytes::{Reader, put_varint, unzigzag, zigzag},
    envelope::Envelope,
    rollup::Rollup,
};
use std::collections::BTreeMap;

/// Slots of a series are below this.
pub const SLOTS: u8 = 24;

const ENVELOPE: Envelope = Envelope { what: "bundle of roll-ups", magic: *b"sxb", oldest: 1, version: 1 };
/// The bit of a roll-up's first byte that says that a failure was counted.
const FAILED: u8 = 1 << 7;
/// The stored form of a sketch without any value, which is left out.
const EMPTY_SKETCH: [u8; 2] = [1, 0];

/// Roll-ups by their series and slot.
pub type Rollups = BTreeMap<(i64, u8), Rollup>;

/// A roll-up as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    pub series: i64,
    /// Below [`SLOTS`].
    pub slot: u8,
    bytes: &'a [u8],
}

impl<'a> Entry<'a> {
    /// The roll-up with an empty sketch, and the sketch in its stored form.
    ///
    /// # Errors
    /// When the bytes are not what [`encode`] writes.
    pub fn read(&self) -> Result<(Rollup, &'a [u8]), Corrupt> {
        let mut reader = Reader(self.bytes);
        let counts = counts(&mut reader).ok_or(damaged("a roll-up is wrong"))?;
        Ok((counts, if reader.0.is_empty() { &EMPTY_SKETCH } else { reader.0 }))
    }

    /// The roll-up with its sketch.
    ///
    /// # Errors
    /// As [`Entry::read`], and when the sketch is damaged.
    pub fn rollup(&self) -> Result<Rollup, Corrupt> {
        let (mut rollup, sketch) = self.read()?;
        rollup.sketch.merge_encoded(sketch)?;
        Ok(rollup)
    }
}

/// Encodes roll-ups. Slots from [`SLOTS`] on are left out: there are none.
pub fn encode(rollups: &Rollups) -> Vec<u8> {
    let encoded: BTreeMap<(i64, u8), Vec<u8>> =
        rollups.iter().map(|(of, rollup)| (*of, encode_one(rollup))).collect();
    frame(&encoded.iter().map(|(of, bytes)| (*of, bytes.as_slice())).collect())
}

/// Adds roll-ups to stored ones: gives the bytes of all, and what those became that were added to.
///
/// # Errors
/// When the stored ones are damaged.
pub fn merge(stored: &[u8], new: &Rollups) -> Result<(Vec<u8>, Rollups), Corrupt> {
    let mut parts: BTreeMap<(i64, u8), &[u8]> = BTreeMap::new();
    let mut merged = new.clone();
    for entry in decode(stored)? {
        let entry = entry?;
        match merged.get_mut(&(entry.series, entry.slot)) {
            Some(rollup) => rollup.merge(&entry.rollup()?),
            None => {
                parts.insert((entry.series, entry.slot), entry.bytes);
            }
        }
    }
    let encoded: Vec<_> = merged.iter().map(|(of, rollup)| (*of, encode_one(rollup))).collect();
    parts.extend(encoded.iter().map(|(of, bytes)| (*of, bytes.as_slice())));
    Ok((frame(&parts), merged))
}

/// Checks the sum of stored roll-ups, and goes through them. An error is the last thing that comes.
///
/// # Errors
/// When the bytes changed, or a newer version wrote them.
pub fn decode(bytes: &[u8]) -> Result<Entries<'_>, Corrupt> {
    Ok(Entries { reader: ENVELOPE.open(bytes)?, series: None, slots: 0 })
}

/// Stored roll-ups, by their series and slot.
#[derive(Debug, Clone)]
pub struct Entries<'a> {
    reader: Reader<'a>,
    series: Option<i64>,
    /// The slots of the series that are still to come.
    slots: u32,
}

impl<'a> Entries<'a> {
    fn entry(&mut self) -> Option<Entry<'a>> {
        if self.slots == 0 {
            let step = unzigzag(self.reader.varint()?);
            self.series = match self.series {
                Some(last) => Some(last.checked_add(step).filter(|_| step > 0)?),
                None => Some(step),
            };
            let slots = self.reader.varint()?;
            self.slots = u32::try_from(slots).ok().filter(|slots| (1..1 << SLOTS).contains(slots))?;
        }
        let slot = self.slots.trailing_zeros() as u8;
        self.slots &= self.slots - 1;
        let length = usize::try_from(self.reader.varint()?).ok()?;
        Some(Entry { series: self.series?, slot, bytes: self.reader.take(length)? })
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Entry<'a>, Corrupt>;

    fn next(&mut self) -> Option<Result<Entry<'a>, Corrupt>> {
        if self.reader.0.is_empty() && self.slots == 0 {
            return None;
        }
        let entry = self.entry().ok_or(damaged("its series are wrong"));
        if entry.is_err() {
            (self.reader, self.slots) = (Reader(&[]), 0);
        }
        Some(entry)
    }
}

fn frame(parts: &BTreeMap<(i64, u8), &[u8]>) -> Vec<u8> {
    let mut out = ENVELOPE.begin();
    let all: Vec<_> = parts.iter().filter(|((_, slot), _)| *slot < SLOTS).collect();
    let mut last = 0_i64;
    for of_series in all.chunk_by(|((a, _), _), ((b, _), _)| a == b) {
        let series = of_series[0].0.0;
        let slots = of_series.iter().fold(0_u64, |set, ((_, slot), _)| set | 1 << slot);
        put_varint(&mut out, zigzag(series.wrapping_sub(last)));
        put_varint(&mut out, slots);
        for (_, bytes) in of_series {
            put_varint(&mut out, bytes.len() as u64);
            out.extend(**bytes);
        }
        last = series;
    }
    Envelope::end(out)
}

/// Counts that are 0 or absent are left out, so that an hour without any trouble takes few bytes.
fn encode_one(rollup: &Rollup) -> Vec<u8> {
    // What may be 0 and yet be there is told apart from what is absent.
    let present = |us: Option<u32>| us.map_or(0, |us| u64::from(us) + 1);
    let values = [
        rollup.ok,
        rollup.slow,
        rollup.missed,
        rollup.unsupported,
        rollup.sum_us,
        present(rollup.min_us),
        present(rollup.max_us),
    ];
    let set = |values: &[u64]| values.iter().rev().fold(0_u8, |set, value| set << 1 | u8::from(*value > 0));
    let failed = set(&rollup.failures);
    let mut out = vec![set(&values)];
    if failed > 0 {
        out[0] |= FAILED;
        out.push(failed);
    }
    for value in values.into_iter().chain(rollup.failures).filter(|value| *value > 0) {
        put_varint(&mut out, value);
    }
    if !rollup.sketch.is_empty() {
        out.extend(rollup.sketch.encode());
    }
    out
}

fn counts(reader: &mut Reader<'_>) -> Option<Rollup> {
    let which = reader.byte()?;
    let classes = if which & FAILED == 0 { 0 } else { reader.byte().filter(|classes| *classes > 0)? };
    let mut value = |set: u8, bit: usize| match set >> bit & 1 {
        0 => Some(0),
        _ => reader.varint().filter(|value| *value > 0),
    };
    let mut values = [0; 7];
    for (bit, counted) in values.iter_mut().enumerate() {
        *counted = value(which, bit)?;
    }
    let mut failures = [0; 8];
    for (bit, counted) in failures.iter_mut().enumerate() {
        *counted = value(classes, bit)?;
    }
    let [ok, slow, missed, unsupported, sum_us, min, max] = values;
    let time = |value: u64| match value.checked_sub(1) {
        None => Some(None),
        Some(us) => u32::try_from(us).ok().map(Some),
    };
    let (min_us, max_us) = (time(min)?, time(max)?);
    Some(Rollup { ok, failures, slow, missed, unsupported, sum_us, min_us, max_us, ..Rollup::default() })
}

fn damaged(why: &'static str) -> Corrupt {
    ENVELOPE.damaged(why)
}

#[cfg(test)]
mod tests;
