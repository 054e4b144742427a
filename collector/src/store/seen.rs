//! Which numbers of a source were accepted: a set of ranges, so that a resend is known however late it comes, and a
//! number that was left out can still be taken.

/// Ranges that are kept of a source. An honest one has few: its numbers grow by one, and jump when it lost its disk.
const MOST: usize = 2_000;

/// The numbers that were accepted, as disjoint inclusive ranges in ascending order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen(Vec<(i64, i64)>);

impl Seen {
    /// Reads the stored form.
    ///
    /// # Errors
    /// When it is not one.
    pub fn read(text: &str) -> Result<Seen, serde_json::Error> {
        Ok(Seen(serde_json::from_str(text)?))
    }

    /// The stored form.
    pub fn text(&self) -> String {
        serde_json::to_string(&self.0).expect("pairs of numbers serialise")
    }

    /// Adds a number; says whether it is new.
    pub fn insert(&mut self, number: i64) -> bool {
        // The first range that begins after the number.
        let next = self.0.partition_point(|(first, _)| *first <= number);
        let joins_next = self.0.get(next).is_some_and(|(first, _)| number.checked_add(1) == Some(*first));
        match next.checked_sub(1).and_then(|before| self.0.get_mut(before)) {
            Some((_, last)) if number <= *last => return false,
            Some((_, last)) if last.checked_add(1) == Some(number) => {
                *last = number;
                if joins_next {
                    let (_, end) = self.0.remove(next);
                    self.0[next - 1].1 = end;
                }
            }
            _ if joins_next => self.0[next].0 = number,
            _ => self.0.insert(next, (number, number)),
        }
        if self.0.len() > MOST {
            // Close the oldest gap: what was left out there for so long counts as seen.
            let (first, _) = self.0.remove(0);
            self.0[0].0 = first;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_source_that_leaves_out_every_other_number_stays_small() {
        let mut seen = Seen::default();
        for number in 0..10_000 {
            assert!(seen.insert(2 * number));
        }
        assert!(seen.0.len() <= MOST && !seen.insert(0) && !seen.insert(1));
        assert!(seen.insert(19_997), "a late gap is still open");
        assert!(seen.insert(i64::MAX) && seen.insert(i64::MIN) && !seen.insert(i64::MAX));
    }

    proptest! {
        #[test]
        fn is_a_set(numbers in prop::collection::vec(-30_i64..30, 0..120)) {
            let (mut seen, mut model) = (Seen::default(), BTreeSet::new());
            for number in numbers {
                prop_assert_eq!(seen.insert(number), model.insert(number));
                prop_assert!(seen.0.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0));
                let again = Seen::read(&seen.text()).expect("its own text");
                prop_assert_eq!(&again, &seen);
            }
        }
    }
}
