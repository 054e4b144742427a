//! How many samples of the log lie between two of its positions: an entry has one or five hundred, so positions do not
//! tell how long reading takes.

/// Samples between two milestones.
const EACH: u64 = 10_000;
/// Milestones that are kept. When there are more, every other one is dropped: the newest stay dense.
const MOST: usize = 4_096;

/// Counts samples as the log is read.
#[derive(Debug)]
pub struct Milestones {
    /// The newest position.
    position: i64,
    /// Samples up to there.
    total: u64,
    /// Some positions, and the samples up to each of them.
    marks: Vec<(i64, u64)>,
}

impl Milestones {
    /// Begins to count after a position.
    pub fn new(position: i64) -> Milestones {
        Milestones { position, total: 0, marks: Vec::new() }
    }

    /// Counts an entry. What is not new counts nothing.
    pub fn note(&mut self, position: i64, samples: usize) {
        if position <= self.position {
            return;
        }
        self.position = position;
        self.total += samples as u64;
        if self.total - self.marks.last().map_or(0, |(_, total)| *total) >= EACH {
            self.marks.push((position, self.total));
        }
        if self.marks.len() > MOST {
            let mut odd = false;
            self.marks.retain(|_| {
                odd = !odd;
                !odd
            });
        }
    }

    /// How many samples came after a position: never too few, and too many by the way to the next milestone at most.
    pub fn since(&self, position: i64) -> u64 {
        if position >= self.position {
            return 0;
        }
        let before = self.marks.partition_point(|(mark, _)| *mark <= position).checked_sub(1);
        self.total - before.map_or(0, |mark| self.marks[mark].1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn memory_is_bounded_and_the_newest_are_told_best() {
        let mut milestones = Milestones::new(0);
        for position in 1..=3 * MOST as i64 {
            milestones.note(position, EACH as usize);
        }
        assert!(milestones.marks.len() <= MOST);
        let newest = 3 * MOST as i64;
        for back in 0..1_000 {
            assert_eq!(milestones.since(newest - back), back as u64 * EACH);
        }
        assert!(milestones.since(1) >= (3 * MOST as u64 - 1) * EACH);
    }

    proptest! {
        #[test]
        fn the_distance_is_never_too_small(
            start in 0_i64..100,
            entries in prop::collection::vec((1_i64..4, 1_usize..6_000), 1..200),
        ) {
            let mut milestones = Milestones::new(start);
            let mut position = start;
            let mut log = Vec::new();
            for (step, samples) in entries {
                position += step;
                milestones.note(position, samples);
                milestones.note(position, samples);
                log.push((position, samples as u64));
            }
            for asked in start - 1..=position + 1 {
                let exact: u64 = log.iter().filter(|(at, _)| *at > asked).map(|(_, samples)| samples).sum();
                let told = milestones.since(asked);
                prop_assert!(told >= exact && told < exact + EACH + 6_000, "{asked}: {told}, not {exact}");
                prop_assert_eq!(told == 0, exact == 0);
            }
        }
    }
}
