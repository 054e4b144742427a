//! When the runs should have started: an exact interval for hours, with a gap or a new interval now and then.
//!
//! ```text
//! 0  first: zigzag  { step: zigzag  how many steps in a row }    until all rows are told
//! 1  numbers, when there are many different steps (a clock that is corrected all the time)
//! ```

use super::numbers;
use crate::bytes::{Reader, put_varint, unzigzag, zigzag};

const STEPS: u8 = 0;
const NUMBERS: u8 = 1;
/// Up to one change of the step in so many rows it is told as steps: a change takes some four bytes.
const ROWS_A_CHANGE: usize = 8;

/// Encodes at least one instant.
pub fn encode(out: &mut Vec<u8>, slots: &[i64]) {
    let mut runs: Vec<(i64, u64)> = Vec::new();
    for pair in slots.windows(2) {
        let step = pair[1].wrapping_sub(pair[0]);
        match runs.last_mut() {
            Some((last, run)) if *last == step => *run += 1,
            _ => runs.push((step, 1)),
        }
    }
    if runs.len() > 1 + slots.len() / ROWS_A_CHANGE {
        out.push(NUMBERS);
        numbers::encode_steps(out, slots);
        return;
    }
    out.push(STEPS);
    put_varint(out, zigzag(slots.first().copied().unwrap_or_default()));
    for (step, run) in runs {
        put_varint(out, zigzag(step));
        put_varint(out, run);
    }
}

/// Reads `count` instants, which is at least 1.
pub fn decode(reader: &mut Reader<'_>, count: usize) -> Option<Vec<i64>> {
    match reader.byte()? {
        STEPS => steps(reader, count),
        NUMBERS => numbers::decode(reader, count),
        _ => None,
    }
}

fn steps(reader: &mut Reader<'_>, count: usize) -> Option<Vec<i64>> {
    let mut slot = unzigzag(reader.varint()?);
    let mut slots = Vec::with_capacity(count);
    slots.push(slot);
    while slots.len() < count {
        let step = unzigzag(reader.varint()?);
        let run = reader.varint().filter(|&run| run > 0 && run <= (count - slots.len()) as u64)?;
        for _ in 0..run {
            slot = slot.wrapping_add(step);
            slots.push(slot);
        }
    }
    Some(slots)
}
