//! The stored form.

use super::{Entry, ROWS_ALL_MOST, ROWS_MOST, SERIES_MOST, Segment, TooMany};
use crate::{
    Corrupt, Flags, Row,
    bytes::{Reader, put_varint, unzigzag, zigzag},
    code::{outcome_code, outcome_of, phases_array, phases_of, trigger_code, trigger_of},
};

const MAGIC: [u8; 3] = *b"sxg";
const VERSION: u8 = 1;

pub fn encode(series: &[(i64, &[Row])]) -> Result<Vec<u8>, TooMany> {
    let series: Vec<_> = series.iter().filter(|(_, rows)| !rows.is_empty()).collect();
    if series.len() > SERIES_MOST {
        return Err(TooMany::Series(series.len()));
    }
    let all = series.iter().map(|(_, rows)| rows.len()).sum();
    if all > ROWS_ALL_MOST {
        return Err(TooMany::RowsInAll(all));
    }
    let mut out = MAGIC.to_vec();
    out.push(VERSION);
    put_varint(&mut out, series.len() as u64);
    for (id, rows) in series {
        if rows.len() > ROWS_MOST {
            return Err(TooMany::Rows(rows.len()));
        }
        let mut columns = Vec::new();
        rows.iter().for_each(|row| put_row(&mut columns, row));
        put_varint(&mut out, zigzag(*id));
        put_varint(&mut out, rows.len() as u64);
        put_varint(&mut out, zigzag(rows.iter().map(|row| row.at).min().unwrap_or_default()));
        put_varint(&mut out, zigzag(rows.iter().map(|row| row.at).max().unwrap_or_default()));
        put_varint(&mut out, columns.len() as u64);
        out.extend(columns);
    }
    out.extend(crc32fast::hash(&out).to_le_bytes());
    Ok(out)
}

pub fn decode(bytes: &[u8]) -> Result<Segment<'_>, Corrupt> {
    let (body, sum) = bytes.split_last_chunk::<4>().ok_or(damaged("cut"))?;
    if crc32fast::hash(body) != u32::from_le_bytes(*sum) {
        return Err(damaged("its sum is wrong"));
    }
    let mut reader = Reader(body);
    if reader.take(MAGIC.len()) != Some(&MAGIC) {
        return Err(damaged("it does not begin like one"));
    }
    match reader.byte() {
        Some(VERSION) => {}
        Some(version) if version > VERSION => return Err(Corrupt::Newer { what: "segment", version }),
        _ => return Err(damaged("no version")),
    }
    directory(reader).ok_or(damaged("its directory is wrong"))
}

fn directory(mut reader: Reader<'_>) -> Option<Segment<'_>> {
    let count = reader.varint().filter(|&count| count <= SERIES_MOST as u64)?;
    let (mut entries, mut all) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let series = unzigzag(reader.varint()?);
        let rows = usize::try_from(reader.varint()?).ok().filter(|rows| (1..=ROWS_MOST).contains(rows))?;
        let (min_at, max_at) = (unzigzag(reader.varint()?), unzigzag(reader.varint()?));
        entries.push(Entry { series, rows, min_at, max_at });
        let length = usize::try_from(reader.varint()?).ok()?;
        all.push(reader.take(length)?);
    }
    reader.0.is_empty().then_some(Segment { entries, columns: all })
}

pub fn rows(entry: &Entry, columns: &[u8], out: &mut Vec<Row>) -> Result<(), Corrupt> {
    let mut reader = Reader(columns);
    for _ in 0..entry.rows {
        out.push(row(&mut reader).ok_or(damaged("its columns are wrong"))?);
    }
    if !reader.0.is_empty() {
        return Err(damaged("its columns are too long"));
    }
    Ok(())
}

fn put_row(out: &mut Vec<u8>, row: &Row) {
    put_varint(out, zigzag(row.at));
    put_varint(out, row.delay_us.into());
    out.push(outcome_code(row.outcome));
    out.push(row.slow.into());
    put_varint(out, row.total_us.into());
    let options = phases_array(&row.phases).into_iter().chain([row.status.map(u32::from), row.bytes]);
    options.for_each(|value| put_varint(out, value.map_or(0, |value| u64::from(value) + 1)));
    out.push(row.flags.bits());
    out.push(trigger_code(row.trigger));
    put_varint(out, row.attempt.into());
}

fn row(reader: &mut Reader<'_>) -> Option<Row> {
    let at = unzigzag(reader.varint()?);
    let delay_us = u32::try_from(reader.varint()?).ok()?;
    let outcome = outcome_of(reader.byte()?)?;
    let slow = reader.byte()? == 1;
    let total_us = u32::try_from(reader.varint()?).ok()?;
    let mut option = || match reader.varint()? {
        0 => Some(None),
        more => Some(Some(u32::try_from(more - 1).ok()?)),
    };
    let phases = [option()?, option()?, option()?, option()?, option()?, option()?];
    let status = option()?.map(u16::try_from).transpose().ok()?;
    let bytes = option()?;
    let flags = Flags::from_bits(reader.byte()?)?;
    let trigger = trigger_of(reader.byte()?)?;
    let attempt = u16::try_from(reader.varint()?).ok()?;
    Some(Row {
        at,
        delay_us,
        outcome,
        slow,
        total_us,
        phases: phases_of(phases),
        status,
        bytes,
        flags,
        trigger,
        attempt,
    })
}

fn damaged(why: &'static str) -> Corrupt {
    Corrupt::Damaged { what: "segment", why }
}
