//! The random decisions of one direction of a link. The same seed and the same sequence of packets give the same
//! decisions, whatever the clock says.

use super::Shape;
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::time::Duration;
use tokio::time::Instant;

/// The smallest retransmission timeout of TCP on Linux.
const MIN_RTO: Duration = Duration::from_millis(200);
/// After so many losses in a row a segment gets through, so that a delay stays bounded (63 timeouts).
const MAX_RETRANSMISSIONS: u32 = 6;
/// Payload of one packet on an Ethernet path.
const SEGMENT: usize = 1460;

pub(super) struct Dice {
    rng: StdRng,
    /// When the previous packet is due: order is kept.
    last: Option<Instant>,
}

/// When the copies of a datagram are due: none when it is lost, two when it is duplicated.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Fate {
    pub first: Option<Instant>,
    pub second: Option<Instant>,
}

impl Dice {
    /// `stream` tells the streams of one seed apart.
    pub fn new(seed: u64, stream: u64) -> Dice {
        // Multiplying by an odd constant keeps different streams different.
        let mixed = seed ^ stream.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        Dice { rng: StdRng::seed_from_u64(mixed), last: None }
    }

    /// Never panics: a probability that is not a number never happens, one above 1 always does.
    fn chance(&mut self, probability: f64) -> bool {
        self.rng.random::<f64>() < probability
    }

    fn jitter(&mut self, shape: &Shape) -> Duration {
        let most = u64::try_from(shape.jitter.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(self.rng.random_range(0..=most))
    }

    fn in_order(&mut self, due: Instant) -> Instant {
        let due = self.last.map_or(due, |last| last.max(due));
        self.last = Some(due);
        due
    }

    /// When a chunk of a stream that arrived `now` is due, and how often a part of it was retransmitted.
    pub fn chunk(&mut self, now: Instant, shape: &Shape, rtt: Duration, bytes: usize) -> (Instant, u32) {
        let mut due = now + shape.delay + self.jitter(shape);
        let packets = i32::try_from(bytes.div_ceil(SEGMENT).max(1)).unwrap_or(i32::MAX);
        // The chunk is late as soon as one of its packets is; of the retransmitted ones that one only counts.
        let mut probability = 1.0 - (1.0 - shape.loss).powi(packets);
        let mut tries = 0;
        while tries < MAX_RETRANSMISSIONS && self.chance(probability) {
            due += MIN_RTO.max(rtt) * (1 << tries);
            tries += 1;
            probability = shape.loss;
        }
        (self.in_order(due), tries)
    }

    /// What becomes of a datagram that arrived `now`. Draws the same number of times for each, so that one
    /// decision does not shift the next.
    pub fn datagram(&mut self, now: Instant, shape: &Shape) -> Fate {
        let jitter = self.jitter(shape);
        let (lost, twice, held) =
            (self.chance(shape.loss), self.chance(shape.duplicate), self.chance(shape.reorder));
        let due = now + shape.delay + jitter;
        if lost {
            return Fate::default();
        }
        let first = if held {
            due + shape.jitter + (shape.delay / 2).max(Duration::from_millis(5))
        } else {
            self.in_order(due)
        };
        Fate { first: Some(first), second: twice.then_some(first) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fates(seed: u64, shape: &Shape) -> Vec<Fate> {
        let (start, mut dice) = (Instant::now(), Dice::new(seed, 0));
        (0..2000).map(|_| dice.datagram(start, shape)).collect()
    }

    #[test]
    fn the_seed_decides_which_datagrams_are_lost() {
        let shape = Shape { loss: 0.2, duplicate: 0.1, reorder: 0.1, ..Shape::default() };
        let pattern = |seed| {
            fates(seed, &shape).iter().map(|f| (f.first.is_some(), f.second.is_some())).collect::<Vec<_>>()
        };
        assert_eq!(pattern(7), pattern(7));
        assert_ne!(pattern(7), pattern(8));
        let lost = pattern(7).iter().filter(|(first, _)| !first).count();
        assert!((300..500).contains(&lost), "{lost} of 2000 lost at 20 %");
    }

    #[test]
    fn a_lossy_stream_is_late_but_in_order() {
        let shape = Shape { loss: 0.3, jitter: Duration::from_millis(3), ..Shape::default() };
        let (start, mut dice) = (Instant::now(), Dice::new(1, 2));
        let mut last = start;
        let mut retransmitted = 0;
        for _ in 0..200 {
            let (due, tries) = dice.chunk(start, &shape, Duration::ZERO, 100);
            assert!(due >= last);
            assert!(tries == 0 || due >= start + MIN_RTO);
            retransmitted += u32::from(tries > 0);
            last = due;
        }
        assert!(retransmitted > 30, "{retransmitted}");
    }

    #[test]
    fn nonsense_probabilities_do_not_panic() {
        let mut dice = Dice::new(0, 0);
        let now = Instant::now();
        for loss in [f64::NAN, -1.0, 7.0, f64::INFINITY] {
            let shape = Shape { loss, jitter: Duration::MAX / 4, ..Shape::default() };
            let _ = dice.chance(shape.loss);
            let _ = dice.chunk(now, &Shape { loss, ..Shape::default() }, Duration::ZERO, usize::MAX);
        }
    }
}
