//! All clocks of a mesh together: what pairs say of each other, tightened through third parties.
//!
//! Each pair bounds the difference of its two clocks. Differences add up along every path, so a chain of good pairs
//! can bound a bad one better than it bounds itself. The shortest paths of these difference constraints (R. Bellman,
//! Q. Appl. Math. 16, 1958; by Floyd and Warshall for all pairs) are the tightest bounds that follow. A negative cycle
//! is a contradiction: some clock or some coordinates are wrong.

use wire::mesh::Span;

/// What one pair says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PairBound {
    /// Clocks by their place, below the number of clocks.
    pub from: usize,
    pub to: usize,
    /// Clock `to` minus clock `from`, nanoseconds.
    pub offset: Span,
}

/// The tightest bounds of all pairs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offsets {
    clocks: usize,
    /// Row `a`, column `b`: clock `b` minus clock `a` is at most this.
    at_most: Vec<Option<i64>>,
}

/// No set of offsets fits all bounds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the bounds of the clocks contradict each other; without any one of the clocks {suspects:?} they would not"
)]
pub struct Contradiction {
    /// Clocks without any one of which the others agree; empty when more than one must be wrong.
    pub suspects: Vec<usize>,
}

impl Offsets {
    /// Clock `to` minus clock `from`; absent when nothing connects them or a clock does not exist.
    pub fn between(&self, from: usize, to: usize) -> Option<Span> {
        Some(Span { lower_ns: -self.at_most(to, from)?, upper_ns: self.at_most(from, to)? })
    }

    fn at_most(&self, from: usize, to: usize) -> Option<i64> {
        (from < self.clocks && to < self.clocks).then(|| self.at_most[from * self.clocks + to]).flatten()
    }
}

/// Tightens the bounds of so many clocks. Bounds of clocks that do not exist are ignored. Takes the cube of the number
/// of clocks, and its fourth power after a contradiction: meant for up to a hundred.
///
/// # Errors
/// When the bounds contradict each other.
pub fn tighten(clocks: usize, bounds: &[PairBound]) -> Result<Offsets, Contradiction> {
    without(clocks, bounds, None).ok_or_else(|| Contradiction {
        suspects: (0..clocks).filter(|suspect| without(clocks, bounds, Some(*suspect)).is_some()).collect(),
    })
}

/// The bounds without those of one clock; absent when they contradict each other.
fn without(clocks: usize, bounds: &[PairBound], left_out: Option<usize>) -> Option<Offsets> {
    let mut at_most: Vec<Option<i64>> = vec![None; clocks * clocks];
    let mut tighten = |from: usize, to: usize, ns: i64| {
        let cell = &mut at_most[from * clocks + to];
        *cell = Some(cell.map_or(ns, |known| known.min(ns)));
    };
    (0..clocks).for_each(|clock| tighten(clock, clock, 0));
    for PairBound { from, to, offset } in bounds.iter().copied() {
        if from < clocks && to < clocks && left_out != Some(from) && left_out != Some(to) {
            tighten(from, to, offset.upper_ns);
            tighten(to, from, offset.lower_ns.saturating_neg());
        }
    }
    for via in 0..clocks {
        for from in 0..clocks {
            let Some(first) = at_most[from * clocks + via] else { continue };
            for to in 0..clocks {
                let Some(second) = at_most[via * clocks + to] else { continue };
                let through = first.saturating_add(second);
                let cell = &mut at_most[from * clocks + to];
                *cell = Some(cell.map_or(through, |known| known.min(through)));
            }
            if at_most[from * clocks + from].is_some_and(|own| own < 0) {
                return None;
            }
        }
    }
    Some(Offsets { clocks, at_most })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bound(from: usize, to: usize, lower_ns: i64, upper_ns: i64) -> PairBound {
        PairBound { from, to, offset: Span { lower_ns, upper_ns } }
    }

    #[test]
    fn a_third_clock_tightens_two() {
        let offsets =
            tighten(3, &[bound(0, 1, -1, 1), bound(1, 2, 4, 6), bound(0, 2, -100, 100)]).expect("consistent");
        assert_eq!(offsets.between(0, 2), Some(Span { lower_ns: 3, upper_ns: 7 }));
        assert_eq!(offsets.between(2, 0), Some(Span { lower_ns: -7, upper_ns: -3 }));
        assert_eq!(offsets.between(0, 3), None);
        let apart = tighten(3, &[bound(0, 1, -1, 1), bound(9, 1, 0, 0)]).expect("consistent");
        assert_eq!(apart.between(0, 2), None, "nothing connects them");
    }

    #[test]
    fn a_contradiction_names_who_may_be_wrong() {
        // Clocks 0, 1 and 3 agree; clock 2 shows each of the others something else.
        let mut bounds = vec![bound(0, 1, -1, 1), bound(0, 3, -1, 1), bound(1, 3, -1, 1)];
        bounds.extend([bound(0, 2, 10, 11), bound(1, 2, 50, 51), bound(3, 2, 90, 91)]);
        assert_eq!(tighten(4, &bounds), Err(Contradiction { suspects: vec![2] }));
        let empty = tighten(2, &[bound(0, 1, 5, 4)]);
        assert_eq!(empty, Err(Contradiction { suspects: vec![0, 1] }), "with two clocks either may be wrong");
    }

    proptest! {
        #[test]
        fn the_truth_stays_inside_and_nothing_gets_wider(
            truth in proptest::collection::vec(-1_000_000i64..1_000_000, 2..8),
            pairs in proptest::collection::vec((0usize..8, 0usize..8, 0i64..50_000, 0i64..50_000), 1..30),
        ) {
            let clocks = truth.len();
            let bounds: Vec<PairBound> = pairs
                .into_iter()
                .map(|(from, to, below, above)| (from % clocks, to % clocks, below, above))
                .map(|(from, to, below, above)| {
                    let offset = truth[to] - truth[from];
                    bound(from, to, offset - below, offset + above)
                })
                .collect();
            let offsets = tighten(clocks, &bounds).expect("the truth fits all of them");
            for from in 0..clocks {
                for to in 0..clocks {
                    let Some(span) = offsets.between(from, to) else { continue };
                    let offset = truth[to] - truth[from];
                    prop_assert!(span.lower_ns <= offset && offset <= span.upper_ns);
                }
            }
            for given in &bounds {
                let span = offsets.between(given.from, given.to).expect("they are connected");
                prop_assert!(span.lower_ns >= given.offset.lower_ns && span.upper_ns <= given.offset.upper_ns);
            }
        }
    }
}
