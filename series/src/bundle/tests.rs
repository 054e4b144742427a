//! What is read is what was written, whatever it is, and nothing else is read.

use super::*;
use crate::testing::any_rows;
use proptest::prelude::*;

fn any_rollup() -> impl Strategy<Value = Rollup> {
    let of = |rows: Vec<crate::Row>| {
        let mut rollup = Rollup::default();
        rows.iter().for_each(|row| rollup.add(row));
        rollup
    };
    // Also such as no rows make.
    prop_oneof![
        6 => any_rows(20).prop_map(of),
        1 => (any::<[u64; 8]>(), any::<[u64; 5]>(), any::<[Option<u32>; 2]>()).prop_map(
            |(failures, [ok, slow, missed, unsupported, sum_us], [min_us, max_us])| Rollup {
                ok, failures, slow, missed, unsupported, sum_us, min_us, max_us, ..Rollup::default()
            }
        ),
    ]
}

fn any_rollups() -> impl Strategy<Value = Rollups> {
    let series = prop_oneof![8 => 0..5_i64, 1 => any::<i64>().prop_map(|id| id / 2)];
    prop::collection::btree_map((series, 0..SLOTS), any_rollup(), 0..30)
}

fn all(bytes: &[u8]) -> Result<Rollups, Corrupt> {
    decode(bytes)?.map(|entry| entry.and_then(|e| Ok(((e.series, e.slot), e.rollup()?)))).collect()
}

/// With a sum that is right.
fn summed(mut body: Vec<u8>) -> Vec<u8> {
    body.extend(crc32fast::hash(&body).to_le_bytes());
    body
}

proptest! {
    #[test]
    fn what_is_read_is_what_was_written(rollups in any_rollups()) {
        prop_assert_eq!(all(&encode(&rollups)).expect("just written"), rollups);
    }

    #[test]
    fn merging_adds_to_what_is_there_and_leaves_the_rest(stored in any_rollups(), new in any_rollups()) {
        let (bytes, touched) = merge(&encode(&stored), &new).expect("just written");
        let mut expected = stored;
        for (of, rollup) in &new {
            expected.entry(*of).or_default().merge(rollup);
        }
        prop_assert!(touched.keys().eq(new.keys()));
        prop_assert!(touched.iter().all(|(of, rollup)| expected[of] == *rollup));
        prop_assert_eq!(&bytes, &encode(&expected), "as if written at once");
        prop_assert_eq!(all(&bytes).expect("just written"), expected);
    }

    #[test]
    fn a_changed_bit_is_found(rollups in any_rollups(), at: prop::sample::Index, bit in 0..8_u32) {
        let mut bytes = encode(&rollups);
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert!(decode(&bytes).is_err());
    }

    #[test]
    fn hostile_bytes_are_refused_and_never_panic(rollups in any_rollups(), cut: prop::sample::Index, noise: Vec<u8>) {
        let mut bytes = encode(&rollups);
        bytes.truncate(4 + cut.index(bytes.len() - 7));
        bytes.extend(noise);
        // Whatever comes of it, it ends: each entry takes at least a byte.
        let entries = decode(&summed(bytes.clone())).map(Iterator::count).unwrap_or(0);
        prop_assert!(entries <= bytes.len());
        let _ = all(&summed(bytes));
    }
}

#[test]
fn other_versions_and_wrong_orders_are_told() {
    let head = |version: u8, rest: &[u8]| summed([b"sxb", &[version][..], rest].concat());
    assert_eq!(all(&head(1, &[])), Ok(Rollups::new()));
    assert!(matches!(all(&head(2, &[])), Err(Corrupt::Newer { version: 2, .. })));
    assert!(matches!(all(&head(0, &[])), Err(Corrupt::Damaged { .. })));
    // Series 1, slot 0, a roll-up of one byte that counts nothing.
    assert_eq!(all(&head(1, &[2, 1, 1, 0])).expect("right").len(), 1);
    for wrong in [
        &[2, 1, 1, 0, 0, 1, 1, 0][..], // the same series again
        &[2, 0, 1, 0],                 // no slot
        &[2, 0x80, 0x80, 0x80, 8],     // the slot after the last
        &[2, 1, 2, 0],                 // cut
        &[2, 1, 1],                    // without the roll-up
        &[2, 1, 0],                    // a roll-up of no bytes
        &[2, 1, 2, FAILED, 0],         // failures of no class
        &[2, 1, 2, 1, 0],              // a count of 0 that is said to be there
    ] {
        assert!(matches!(all(&head(1, wrong)), Err(Corrupt::Damaged { .. })), "{wrong:?}");
    }
}
