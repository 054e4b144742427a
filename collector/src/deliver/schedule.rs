//! When to try again. Steering cannot wait for days as ordinary webhooks do: the first tries follow each other within
//! seconds, and they go on until a newer plan takes over.

use std::time::Duration;

/// Seconds before each further attempt; the last one repeats.
const WAITS: [u64; 8] = [0, 1, 2, 4, 8, 15, 30, 60];
/// A receiver may ask for more patience than that, up to this.
const MOST_ASKED: Duration = Duration::from_secs(30);

/// The wait after a failed attempt; `before` attempts were made earlier, `unit` is a random number in 0..1 that
/// spreads it by ±20 %.
pub fn wait(before: i64, retry_after: Option<Duration>, unit: f64) -> Duration {
    let index = usize::try_from(before).unwrap_or(0).min(WAITS.len() - 1);
    let own = Duration::from_secs(WAITS[index]).mul_f64(0.8 + 0.4 * unit.clamp(0.0, 1.0));
    own.max(retry_after.unwrap_or_default().min(MOST_ASKED)).max(Duration::from_millis(100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_schedule_and_honours_the_receiver() {
        let seconds: Vec<f64> = (0..9).map(|n| wait(n, None, 0.5).as_secs_f64()).collect();
        assert_eq!(seconds, [0.1, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 60.0]);
        assert_eq!(wait(0, Some(Duration::from_secs(7)), 0.5), Duration::from_secs(7));
        assert_eq!(wait(0, Some(Duration::from_secs(900)), 0.5), MOST_ASKED);
        assert_eq!(wait(i64::MAX, None, 2.0), Duration::from_secs(72));
    }
}
