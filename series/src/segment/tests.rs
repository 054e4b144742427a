//! What goes in comes out, whatever it is; what was changed is noticed; and what it takes.

use super::*;
use crate::{
    DAY_US,
    bytes::{put_varint, zigzag},
    synthetic::{Noise, Series},
    testing::any_rows,
};
use proptest::prelude::*;

const FROM: i64 = 20_777 * DAY_US;
const SECOND: i64 = 1_000_000;

fn decode_all(bytes: &[u8]) -> Result<Vec<(i64, Vec<Row>)>, Corrupt> {
    let segment = decode(bytes)?;
    segment.entries().iter().map(|entry| Ok((entry.series, segment.rows(entry.series)?))).collect()
}

/// With the sum of what it now holds.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let body = bytes.len() - 4;
    let sum = crc32fast::hash(&bytes[..body]).to_le_bytes();
    bytes[body..].copy_from_slice(&sum);
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_row_comes_back(all in proptest::collection::vec((any::<i64>(), any_rows(400)), 0..4)) {
        let mut all: Vec<(i64, Vec<Row>)> = all.into_iter().filter(|(_, rows)| !rows.is_empty()).collect();
        all.dedup_by_key(|(id, _)| *id);
        let given: Vec<(i64, &[Row])> = all.iter().map(|(id, rows)| (*id, rows.as_slice())).collect();
        let bytes = encode(&given).expect("few");
        prop_assert_eq!(decode_all(&bytes).expect("just written"), all.clone());
        let segment = decode(&bytes).expect("just written");
        for (entry, (_, rows)) in segment.entries().iter().zip(&all) {
            prop_assert_eq!(entry.rows, rows.len());
            prop_assert_eq!(Some(entry.min_at), rows.iter().map(|row| row.at).min());
            prop_assert_eq!(Some(entry.max_at), rows.iter().map(|row| row.at).max());
        }
    }

    #[test]
    fn a_flipped_bit_is_noticed(seed: u64, at: prop::sample::Index, bit in 0_u32..8) {
        let rows: Vec<Row> = Series::http(seed, FROM, SECOND, Noise::Usual).take(150).collect();
        let mut bytes = encode(&[(7, &rows)]).expect("few");
        let at = at.index(bytes.len());
        bytes[at] ^= 1_u8 << bit;
        prop_assert!(decode(&bytes).is_err());
    }

    #[test]
    fn a_cut_is_noticed(seed: u64, left: prop::sample::Index) {
        let rows: Vec<Row> = Series::http(seed, FROM, SECOND, Noise::Usual).take(50).collect();
        let bytes = encode(&[(7, &rows)]).expect("few");
        prop_assert!(decode(&bytes[..left.index(bytes.len())]).is_err());
    }

    /// The sum is made right again, so that the parsers inside are reached.
    #[test]
    fn forged_bytes_never_panic(
        seed: u64,
        rows in 1_usize..300,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let rows: Vec<Row> = Series::http(seed, FROM, SECOND, Noise::Usual).take(rows).collect();
        let mut bytes = encode(&[(7, &rows), (8, &rows[..1])]).expect("few");
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Ok(all) = decode_all(&sealed(bytes)) {
            prop_assert!(all.iter().all(|(_, rows)| rows.len() <= ROWS_MOST));
        }
    }
}

#[test]
fn nothing_is_little() {
    let bytes = encode(&[(1, &[])]).expect("few");
    assert_eq!(bytes.len(), 3 + 1 + 1 + 4);
    let segment = decode(&bytes).expect("just written");
    assert!(segment.entries().is_empty());
    assert_eq!(segment.rows(1).expect("sound"), []);
}

#[test]
fn a_series_given_twice_has_all_its_rows() {
    let rows: Vec<Row> = Series::single(1, FROM, SECOND, Noise::Usual).take(10).collect();
    let bytes = encode(&[(3, &rows[..4]), (3, &rows[4..])]).expect("few");
    assert_eq!(decode(&bytes).expect("just written").rows(3).expect("sound"), rows);
}

#[test]
fn too_much_is_refused() {
    let row = Series::single(1, FROM, SECOND, Noise::Usual).next().expect("endless");
    let rows = vec![row; ROWS_MOST + 1];
    assert_eq!(encode(&[(1, &rows)]), Err(TooMany::Rows(ROWS_MOST + 1)));
    let rows = &rows[..ROWS_MOST];
    let all: Vec<(i64, &[Row])> = (0..5).map(|id| (id, rows)).collect();
    assert_eq!(encode(&all), Err(TooMany::RowsInAll(5 * ROWS_MOST)));
    let all: Vec<(i64, &[Row])> = (0..=SERIES_MOST as i64).map(|id| (id, &rows[..1])).collect();
    assert_eq!(encode(&all), Err(TooMany::Series(SERIES_MOST + 1)));
}

/// Equal rows are as many as they may be, in a handful of bytes, and come back.
#[test]
fn the_most_rows_fit() {
    let row = Series::http(1, FROM, SECOND, Noise::Usual).next().expect("endless");
    let bytes = encode(&[(1, &vec![row; ROWS_MOST])]).expect("as many as it takes");
    assert!(bytes.len() < 100, "{} bytes", bytes.len());
    let rows = decode(&bytes).expect("just written").rows(1).expect("sound");
    assert_eq!((rows.len(), rows[0], rows[ROWS_MOST - 1]), (ROWS_MOST, row, row));
}

#[test]
fn a_newer_version_is_told_apart_from_damage() {
    let mut bytes = encode(&[]).expect("nothing");
    bytes[3] = 3;
    assert_eq!(decode(&sealed(bytes)).err(), Some(Corrupt::Newer { what: "segment", version: 3 }));
    assert!(matches!(decode(b"sxg"), Err(Corrupt::Damaged { .. })));
}

/// What collectors of before wrote is read: nothing but the version is different where no column has a step.
#[test]
fn the_version_before_is_read() {
    let rows: Vec<Row> = Series::http(5, FROM, SECOND, Noise::Usual).take(300).collect();
    let mut bytes = encode(&[(1, &rows)]).expect("few");
    bytes[3] = 1;
    assert_eq!(decode(&sealed(bytes)).expect("known").rows(1), Ok(rows));
    assert!(matches!(decode(&sealed(b"sxg\0\0....".to_vec())), Err(Corrupt::Damaged { .. })));
}

/// A directory that claims more than it holds needs no memory for that.
#[test]
fn claims_are_limited() {
    let forged = |numbers: &[u64]| {
        let mut bytes = b"sxg\x01".to_vec();
        numbers.iter().for_each(|&number| put_varint(&mut bytes, number));
        bytes.extend([0; 4]);
        sealed(bytes)
    };
    let rows = ROWS_MOST as u64;
    for numbers in [
        vec![u64::MAX],
        vec![1, 0, rows + 1, 0, 0, 0],
        vec![1, 0, 0, 0, 0, 0],
        vec![1, 0, 1, 0, 0, u64::MAX],
        vec![1, 0, 1, zigzag(i64::MAX), 1, 0],
        [vec![5], [0, rows, 0, 0, 0].repeat(5)].concat(),
    ] {
        assert!(matches!(decode(&forged(&numbers)), Err(Corrupt::Damaged { .. })), "{numbers:?}");
    }
    assert!(decode(&forged(&[1, 0, rows, 0, 0, 0])).expect("a directory").rows(0).is_err());
}

/// Bytes a sample of a day's segment of 15 series, one run in `interval_s` seconds.
fn bytes_a_sample(series: impl Fn(u64) -> Series, interval_s: i64) -> f64 {
    let count = (DAY_US / SECOND / interval_s) as usize;
    let rows: Vec<Vec<Row>> = (0..15).map(|seed| series(seed).map(Row::kept).take(count).collect()).collect();
    let named: Vec<(i64, &[Row])> = (1..).zip(&rows).map(|(id, rows)| (id, rows.as_slice())).collect();
    let bytes = encode(&named).expect("few");
    assert!(
        decode_all(&bytes).expect("just written").iter().zip(&rows).all(|((_, read), rows)| read == rows)
    );
    bytes.len() as f64 / (15 * count) as f64
}

/// What is promised of the size, with durations exact to the microsecond. Nearly all of it is noise: the start takes 4
/// bits, six phases take the rest. `examples/bytes.rs` prints all of it.
#[test]
fn a_day_takes_little() {
    for (noise, http_most, single_most) in [(Noise::Calm, 6.8, 1.5), (Noise::Usual, 7.6, 1.7)] {
        let http = bytes_a_sample(|seed| Series::http(seed, FROM, 30 * SECOND, noise), 30);
        assert!((5.5..http_most).contains(&http), "{noise:?}: {http} bytes a sample");
        let single = bytes_a_sample(|seed| Series::single(seed, FROM, 30 * SECOND, noise), 30);
        assert!((1.0..single_most).contains(&single), "{noise:?}: {single} bytes a sample");
    }
}
