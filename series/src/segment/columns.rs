//! The rows of a series as columns, each in the encoding that suits it:
//!
//! | column | of which rows | what it usually costs |
//! |---|---|---|
//! | [`shape`](super::shape): all that is not a duration | all | a byte; some for each change |
//! | when it should have started, `at - delay_us` ([`slots`](super::slots)) | all | a dozen bytes |
//! | `delay_us` | all | its noise |
//! | the six phases, each for itself | those that have it | its noise |
//! | `total_us` less the sum of the phases | all | two bytes where phases add up, else its noise |
//! | body bytes | those that have it | two bytes where they are constant |

use super::{
    frame::damaged,
    numbers,
    shape::{self, Shape},
    slots,
};
use crate::{
    Corrupt, Row,
    bytes::Reader,
    code::{phases_array, phases_of},
};

pub fn encode(out: &mut Vec<u8>, rows: &[Row]) {
    shape::encode(out, rows);
    let mut values: Vec<i64> = rows.iter().map(|row| row.at.wrapping_sub(row.delay_us.into())).collect();
    slots::encode(out, &values);
    let mut column = |of: &dyn Fn(&Row) -> Option<i64>| {
        values.clear();
        values.extend(rows.iter().filter_map(of));
        numbers::encode(out, &values);
    };
    column(&|row| Some(row.delay_us.into()));
    for phase in 0..6 {
        column(&|row| phases_array(&row.phases)[phase].map(i64::from));
    }
    column(&|row| Some(i64::from(row.total_us) - phases_sum(&phases_array(&row.phases))));
    column(&|row| row.bytes.map(i64::from));
}

/// Appends the `count` rows.
pub fn decode(columns: &[u8], count: usize, out: &mut Vec<Row>) -> Result<(), Corrupt> {
    let mut reader = Reader(columns);
    let rows = read(&mut reader, count, out).ok_or(damaged("its columns are wrong"));
    if rows.is_ok() && !reader.0.is_empty() {
        return Err(damaged("its columns are too long"));
    }
    rows
}

fn read(reader: &mut Reader<'_>, count: usize, out: &mut Vec<Row>) -> Option<()> {
    let shapes = shape::decode(reader, count)?;
    let slots = slots::decode(reader, count)?;
    let delays = numbers::decode(reader, count)?;
    let mut phases: [Present; 6] = Default::default();
    for (n, phase) in phases.iter_mut().enumerate() {
        *phase = Present::read(reader, &shapes, |shape| shape.phases >> n & 1 == 1)?;
    }
    let rests = numbers::decode(reader, count)?;
    let mut bytes = Present::read(reader, &shapes, |shape| shape.bytes)?;
    out.reserve(count);
    let mut next = 0;
    for (shape, run) in shapes.runs() {
        for _ in 0..run {
            let delay_us = u32::try_from(delays[next]).ok()?;
            let mut of_row = [None; 6];
            for (n, (value, phase)) in of_row.iter_mut().zip(&mut phases).enumerate() {
                if shape.phases >> n & 1 == 1 {
                    *value = Some(phase.next()?);
                }
            }
            let total_us = u32::try_from(rests[next].checked_add(phases_sum(&of_row))?).ok()?;
            out.push(Row {
                at: slots[next].wrapping_add(delay_us.into()),
                delay_us,
                outcome: shape.outcome,
                slow: shape.slow,
                total_us,
                phases: phases_of(of_row),
                status: shape.status,
                bytes: if shape.bytes { Some(bytes.next()?) } else { None },
                flags: shape.flags,
                trigger: shape.trigger,
                attempt: shape.attempt,
            });
            next += 1;
        }
    }
    Some(())
}

/// Not saturating, unlike [`wire::sample::Phases::sum`]: what was subtracted has to come back.
fn phases_sum(phases: &[Option<u32>; 6]) -> i64 {
    phases.iter().flatten().map(|&us| i64::from(us)).sum()
}

/// A column that only some rows have.
#[derive(Default)]
struct Present(std::vec::IntoIter<i64>);

impl Present {
    fn read(
        reader: &mut Reader<'_>,
        shapes: &shape::Shapes,
        has: impl Fn(&Shape) -> bool,
    ) -> Option<Present> {
        let count = shapes.runs().filter(|(shape, _)| has(shape)).map(|(_, run)| run).sum();
        numbers::decode(reader, count).map(|values| Present(values.into_iter()))
    }

    fn next(&mut self) -> Option<u32> {
        self.0.next().and_then(|value| u32::try_from(value).ok())
    }
}
