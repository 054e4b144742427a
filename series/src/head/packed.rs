//! A row and its position in 64 bytes: what can be absent costs a bit instead of four bytes.

use crate::{
    Flags, Row,
    code::{outcome_code, outcome_of, phases_array, phases_of},
};
use wire::sample::Trigger;

/// A row and the position of its log entry.
#[derive(Debug, Clone, Copy)]
pub struct Packed {
    position: i64,
    at: i64,
    delay_us: u32,
    total_us: u32,
    phases: [u32; 6],
    bytes: u32,
    status: u16,
    attempt: u16,
    /// Bits 0 to 5: the phases that happened; 6: there is a status; 7: there is a number of bytes.
    present: u8,
    /// By [`outcome_code`]; bit 7: slow.
    outcome: u8,
    flags: Flags,
    trigger: Trigger,
}

const STATUS: u8 = 1 << 6;
const BYTES: u8 = 1 << 7;
const SLOW: u8 = 1 << 7;

impl Packed {
    pub fn new(position: i64, row: &Row) -> Packed {
        let mut present = 0;
        let phases = phases_array(&row.phases);
        for (bit, phase) in phases.iter().enumerate() {
            present |= u8::from(phase.is_some()) << bit;
        }
        present |= if row.status.is_some() { STATUS } else { 0 };
        present |= if row.bytes.is_some() { BYTES } else { 0 };
        Packed {
            position,
            at: row.at,
            delay_us: row.delay_us,
            total_us: row.total_us,
            phases: phases.map(Option::unwrap_or_default),
            bytes: row.bytes.unwrap_or_default(),
            status: row.status.unwrap_or_default(),
            attempt: row.attempt,
            present,
            outcome: outcome_code(row.outcome) | if row.slow { SLOW } else { 0 },
            flags: row.flags,
            trigger: row.trigger,
        }
    }

    pub fn position(&self) -> i64 {
        self.position
    }

    pub fn at(&self) -> i64 {
        self.at
    }

    pub fn row(&self) -> Row {
        let phase = |n: usize| (self.present >> n & 1 == 1).then_some(self.phases[n]);
        Row {
            at: self.at,
            delay_us: self.delay_us,
            outcome: outcome_of(self.outcome & !SLOW).expect("packed from an outcome"),
            slow: self.outcome & SLOW != 0,
            total_us: self.total_us,
            phases: phases_of(std::array::from_fn(phase)),
            status: (self.present & STATUS != 0).then_some(self.status),
            bytes: (self.present & BYTES != 0).then_some(self.bytes),
            flags: self.flags,
            trigger: self.trigger,
            attempt: self.attempt,
        }
    }
}
