//! Rows wait unchanged, and leave once.

use super::*;
use crate::testing::any_row;
use proptest::{collection::vec, prelude::*};

proptest! {
    #[test]
    fn rows_wait_unchanged(rows in vec((0_i64..20, any_row()), 0..60), from: i64, to: i64) {
        let mut head = Head::new();
        rows.iter().for_each(|&(position, row)| head.push(position, row));
        let all: Vec<_> = head.rows(i64::MIN, i64::MAX).collect();
        // The range is half open: the very last instant is never in it.
        let known: Vec<_> = rows.iter().copied().filter(|(_, row)| row.at < i64::MAX).collect();
        prop_assert_eq!(all, known);
        let some: Vec<_> = head.rows(from, to).collect();
        let expected: Vec<_> = rows.iter().copied().filter(|(_, row)| (from..to).contains(&row.at)).collect();
        prop_assert_eq!(some, expected);
    }

    /// Every row is in exactly one flush, whatever comes in between.
    #[test]
    fn each_row_leaves_once(rows in vec((0_i64..20, any_row()), 0..60), flushes in vec(0_i64..20, 0..5)) {
        let mut head = Head::new();
        let mut left = Vec::new();
        for (n, &(position, row)) in rows.iter().enumerate() {
            head.push(position, row);
            if let Some(&until) = flushes.get(n / 10).filter(|_| n % 10 == 9) {
                let flushed = head.rows_until(until);
                prop_assert!(flushed.is_sorted_by_key(|row| row.at));
                prop_assert_eq!(head.drop_until(until), flushed.len());
                prop_assert!(head.rows_until(until).is_empty());
                left.extend(flushed);
            }
        }
        left.extend(head.rows_until(i64::MAX));
        head.drop_until(i64::MAX);
        prop_assert_eq!((head.len(), head.memory()), (0, 0));
        prop_assert_eq!(left.len(), rows.len());
        for (_, row) in rows {
            let n = left.iter().position(|other| *other == row);
            prop_assert!(n.is_some(), "a row is missing");
            left.swap_remove(n.unwrap_or_default());
        }
    }
}

#[test]
fn a_million_rows_in_twenty_thousand_heads_take_less_than_80_mb() {
    let row =
        crate::synthetic::Series::http(1, 0, 1, crate::synthetic::Noise::Usual).next().expect("endless");
    let mut heads = vec![Head::new(); 200];
    for position in 0..10_000 {
        heads[position % 200].push(position as i64, row);
    }
    let memory: usize = heads.iter().map(|head| head.memory() + size_of::<Head>()).sum();
    assert!(memory * 100 < 80_000_000, "{memory} bytes for a hundredth of it");
    // When most of it left, the memory does too.
    let dropped: usize = heads.iter_mut().map(|head| head.drop_until(8_999)).sum();
    assert_eq!(dropped, 9_000);
    let memory: usize = heads.iter().map(Head::memory).sum();
    assert!(memory < 200 * 16 * 64, "{memory} bytes for a thousand rows");
}
