//! Where packets were lost: by the reflector's own count of its answers.
//!
//! A number that the reflector used and that never came back is an answer that was lost on the way back; whatever else
//! is missing was lost on the way there. Packets after the last answer tell nothing until a later answer comes.
//!
//! Numbers do not say which of the packets between two answers was lost where. That matters only when such a gap spans
//! the end of a window: its losses on the way back are then counted for the earlier window as far as they can be. Each
//! direction's sum over both windows is right.

use std::collections::BTreeSet;
use wire::mesh::Loss;

/// Numbers that fall behind by more than this are those of a reflector that started again; fewer were overtaken.
const OVERTAKEN_AT_MOST: i64 = 64;

/// The reflector's numbers as they came back.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    received: BTreeSet<i64>,
    highest: Option<i64>,
    /// Every number up to this one is accounted for; absent when the count began before this session.
    accounted: Option<i64>,
    /// How often the reflector started to count again.
    pub(super) epoch: u32,
}

/// Where a window's packets were lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Where {
    pub(super) forward: u32,
    pub(super) reverse: u32,
    pub(super) somewhere: u32,
}

/// A packet as the loss is concerned: the reflector's number and epoch when it was answered in time.
pub(super) type Fate = Option<(u32, i64)>;

impl Ledger {
    /// Takes the number of an answer to packet `sequence`. `newest` says that no later packet has been answered yet.
    pub(super) fn take(&mut self, number: u32, sequence: u32, newest: bool) -> i64 {
        let Some(highest) = self.highest else {
            let number = i64::from(number);
            // A count that is ahead of ours was begun by others, or by an earlier run of this sender.
            self.accounted = (self.epoch == 0 && number <= i64::from(sequence)).then_some(-1);
            return self.insert(number);
        };
        let unwrapped = highest + i64::from(number.wrapping_sub(highest as u32) as i32);
        let known = self.received.contains(&unwrapped) || self.accounted.is_some_and(|all| unwrapped <= all);
        if newest && unwrapped <= highest && (known || unwrapped + OVERTAKEN_AT_MOST < highest) {
            let epoch = self.epoch + 1;
            *self = Ledger { epoch, ..Ledger::default() };
            return self.insert(i64::from(number));
        }
        self.insert(unwrapped)
    }

    fn insert(&mut self, number: i64) -> i64 {
        self.received.insert(number);
        self.highest = self.highest.max(Some(number));
        number
    }

    /// Says where the packets of a window were lost: `window` are their fates in the order of sending, `later` those
    /// of all later packets.
    pub(super) fn settle(&mut self, window: &[Fate], later: impl Iterator<Item = Fate>) -> Where {
        let unanswered = window.iter().filter(|fate| fate.is_none()).count() as u32;
        let same_epoch = window.iter().flatten().all(|(epoch, _)| *epoch == self.epoch);
        let last = window
            .iter()
            .flatten()
            .filter(|(epoch, _)| *epoch == self.epoch)
            .map(|(_, number)| *number)
            .max();
        let Some(accounted) = self.accounted.filter(|_| same_epoch) else {
            self.account_to(last);
            return Where { somewhere: unanswered, ..Where::default() };
        };
        let last = last.map_or(accounted, |last| last.max(accounted));
        let after = later.flatten().map(|(_, number)| number).min();
        let tail = window.iter().rev().take_while(|fate| fate.is_none()).count() as u32;
        let between = after.map_or(0, |after| self.missing(last, after - 1)).min(tail);
        let somewhere = if after.is_some() { 0 } else { tail };
        let reverse = (self.missing(accounted, last) + between).min(unanswered - somewhere);
        self.account_to(Some(last + i64::from(between)));
        Where { forward: unanswered - somewhere - reverse, reverse, somewhere }
    }

    /// How many numbers above `low` and up to `high` never came back.
    fn missing(&self, low: i64, high: i64) -> u32 {
        if high <= low {
            return 0;
        }
        let came = self.received.range(low + 1..=high).count() as i64;
        u32::try_from(high - low - came).unwrap_or(u32::MAX)
    }

    fn account_to(&mut self, number: Option<i64>) {
        if let Some(number) = number {
            self.received = self.received.split_off(&(number + 1));
            self.accounted = Some(number);
        }
    }
}

/// The share of lost packets with the 95 % interval of Wilson (E. B. Wilson, JASA 22, 1927). `maybe` packets of which
/// nobody knows whether they belong to the lost ones widen it upwards.
pub(super) fn wilson(lost: u32, of: u32, maybe: u32) -> Loss {
    let low = interval(lost, of).0;
    let high = interval(lost.saturating_add(maybe).min(of), of).1;
    Loss { lost, of, low, high }
}

fn interval(lost: u32, of: u32) -> (f64, f64) {
    /// The 97.5th percentile of the normal distribution.
    const Z: f64 = 1.959_963_984_540_054;
    if of == 0 {
        return (0.0, 1.0);
    }
    let n = f64::from(of);
    let share = f64::from(lost) / n;
    let middle = (share + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
    let half = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt() / (1.0 + Z * Z / n);
    // At the ends the interval touches them exactly; rounding must not say otherwise.
    let low = if lost == 0 { 0.0 } else { (middle - half).max(0.0) };
    let high = if lost >= of { 1.0 } else { (middle + half).min(1.0) };
    (low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays packets through a path: for each packet what happens to it.
    #[derive(Clone, Copy, PartialEq)]
    enum Path {
        Through,
        LostThere,
        LostBack,
    }
    use Path::{LostBack, LostThere, Through};

    fn play(ledger: &mut Ledger, first: u32, count: &mut u32, path: &[Path]) -> Vec<Fate> {
        path.iter()
            .zip(first..)
            .map(|(path, sequence)| {
                let number = *count;
                *count += u32::from(*path != LostThere);
                (*path == Through).then(|| {
                    let number = ledger.take(number, sequence, true);
                    (ledger.epoch, number)
                })
            })
            .collect()
    }

    #[test]
    fn losses_are_told_apart_also_at_the_edges_of_windows() {
        let (mut ledger, mut count) = (Ledger::default(), 0);
        let first = play(&mut ledger, 0, &mut count, &[LostThere, LostBack, Through, LostThere, LostBack]);
        let second = play(&mut ledger, 5, &mut count, &[LostThere, Through, LostBack, LostBack]);
        assert_eq!(
            ledger.settle(&first, second.iter().copied()),
            Where { forward: 2, reverse: 2, somewhere: 0 }
        );
        assert_eq!(
            ledger.settle(&second, std::iter::empty()),
            Where { forward: 1, reverse: 0, somewhere: 2 },
            "of the last two nothing is known"
        );
    }

    #[test]
    fn a_silent_window_is_settled_by_a_later_answer() {
        let (mut ledger, mut count) = (Ledger::default(), 0);
        let first = play(&mut ledger, 0, &mut count, &[Through]);
        ledger.settle(&first, std::iter::empty());
        let silent = play(&mut ledger, 1, &mut count, &[LostThere, LostThere, LostBack]);
        let later = play(&mut ledger, 4, &mut count, &[Through]);
        assert_eq!(
            ledger.settle(&silent, later.iter().copied()),
            Where { forward: 2, reverse: 1, somewhere: 0 }
        );
    }

    #[test]
    fn a_reflector_that_starts_again_is_noticed() {
        let (mut ledger, mut count) = (Ledger::default(), 0);
        let first = play(&mut ledger, 0, &mut count, &[Through; 10]);
        ledger.settle(&first, std::iter::empty());
        let mut again = 0;
        let second = play(&mut ledger, 10, &mut again, &[Through, LostThere, Through]);
        assert_eq!(ledger.epoch, 1);
        assert_eq!(
            ledger.settle(&second, std::iter::empty()),
            Where { forward: 0, reverse: 0, somewhere: 1 }
        );
        let third = play(&mut ledger, 13, &mut again, &[LostBack, LostThere, Through]);
        assert_eq!(ledger.settle(&third, std::iter::empty()), Where { forward: 1, reverse: 1, somewhere: 0 });
    }

    #[test]
    fn numbers_may_wrap_and_packets_overtake() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.take(u32::MAX - 1, u32::MAX - 1, true), i64::from(u32::MAX) - 1);
        assert_eq!(ledger.take(0, 2, true), i64::from(u32::MAX) + 1);
        assert_eq!(ledger.take(u32::MAX, 1, false), i64::from(u32::MAX), "overtaken");
        assert_eq!(ledger.epoch, 0);
    }

    #[test]
    fn wilson_is_the_known_interval() {
        let loss = wilson(6, 600, 0);
        assert!((loss.low - 0.0046).abs() < 1e-4 && (loss.high - 0.0217).abs() < 1e-4, "{loss:?}");
        let nothing = wilson(0, 0, 0);
        assert_eq!((nothing.low, nothing.high), (0.0, 1.0));
        let none = wilson(0, 600, 0);
        assert!(none.low == 0.0 && none.high > 0.005 && none.high < 0.007);
        assert_eq!(wilson(5, 5, 0).high, 1.0);
        assert!(wilson(1, 100, 50).high > 0.5, "half of them may have been lost");
    }
}
