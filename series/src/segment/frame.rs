//! The outside of a segment: what it is, which series it holds, and the sum over everything.
//!
//! ```text
//! "sxg"  version = 2
//! count  { series - previous: zigzag  rows  min_at - previous: zigzag  max_at - min_at  length of columns }
//! { columns }
//! CRC-32 of all before, little endian
//! ```
//! Numbers are variable-length integers; `series` and `min_at` are relative to the entry before. Version 1 is the same
//! without columns in steps (`numbers`), and is read too.

use super::{Entry, ROWS_ALL_MOST, ROWS_MOST, SERIES_MOST, Segment, TooMany, columns};
use crate::{
    Corrupt, Row,
    bytes::{Reader, put_varint, unzigzag, zigzag},
    envelope::Envelope,
};

const ENVELOPE: Envelope = Envelope { what: "segment", magic: *b"sxg", oldest: 1, version: 2 };

pub fn encode(series: &[(i64, &[Row])]) -> Result<Vec<u8>, TooMany> {
    let series: Vec<_> = series.iter().filter(|(_, rows)| !rows.is_empty()).collect();
    check(&series)?;
    let mut out = ENVELOPE.begin();
    put_varint(&mut out, series.len() as u64);
    let mut all_columns = Vec::new();
    let mut last = (0_i64, 0_i64);
    for (id, rows) in series {
        let begin = all_columns.len();
        columns::encode(&mut all_columns, rows);
        let (min_at, max_at) =
            rows.iter().fold((i64::MAX, i64::MIN), |(min, max), row| (min.min(row.at), max.max(row.at)));
        put_varint(&mut out, zigzag(id.wrapping_sub(last.0)));
        put_varint(&mut out, rows.len() as u64);
        put_varint(&mut out, zigzag(min_at.wrapping_sub(last.1)));
        put_varint(&mut out, max_at.wrapping_sub(min_at) as u64);
        put_varint(&mut out, (all_columns.len() - begin) as u64);
        last = (*id, min_at);
    }
    out.extend(all_columns);
    Ok(Envelope::end(out))
}

fn check(series: &[&(i64, &[Row])]) -> Result<(), TooMany> {
    if series.len() > SERIES_MOST {
        return Err(TooMany::Series(series.len()));
    }
    if let Some((_, rows)) = series.iter().find(|(_, rows)| rows.len() > ROWS_MOST) {
        return Err(TooMany::Rows(rows.len()));
    }
    let all = series.iter().map(|(_, rows)| rows.len()).sum();
    if all > ROWS_ALL_MOST { Err(TooMany::RowsInAll(all)) } else { Ok(()) }
}

pub fn decode(bytes: &[u8]) -> Result<Segment<'_>, Corrupt> {
    directory(ENVELOPE.open(bytes)?).ok_or(damaged("its directory is wrong"))
}

fn directory(mut reader: Reader<'_>) -> Option<Segment<'_>> {
    let count = reader.varint().filter(|&count| count <= SERIES_MOST as u64)?;
    let (mut entries, mut lengths) = (Vec::new(), Vec::new());
    let (mut last, mut all) = ((0_i64, 0_i64), 0);
    for _ in 0..count {
        let series = last.0.wrapping_add(unzigzag(reader.varint()?));
        let rows = usize::try_from(reader.varint()?).ok().filter(|rows| (1..=ROWS_MOST).contains(rows))?;
        let min_at = last.1.wrapping_add(unzigzag(reader.varint()?));
        let max_at = min_at.checked_add_unsigned(reader.varint()?)?;
        lengths.push(usize::try_from(reader.varint()?).ok()?);
        entries.push(Entry { series, rows, min_at, max_at });
        last = (series, min_at);
        all += rows;
    }
    if all > ROWS_ALL_MOST {
        return None;
    }
    let columns = lengths.into_iter().map(|length| reader.take(length)).collect::<Option<Vec<_>>>()?;
    reader.0.is_empty().then_some(Segment { entries, columns })
}

pub fn damaged(why: &'static str) -> Corrupt {
    ENVELOPE.damaged(why)
}
