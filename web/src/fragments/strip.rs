//! The strip of beats: one bar for each bucket of time. Its colour tells the worst that happened, its height how much of it.

use crate::format;
use wire::view::Beat;

/// How many buckets a strip shows.
pub const SLOTS: usize = 60;

/// The height of a bar of runs that were all well, of 24.
const OK: u32 = 9;

/// One bucket's bar in a strip of `4 × SLOTS` by 24 units.
pub struct Bar {
    pub x: usize,
    pub y: u32,
    pub height: u32,
    pub class: &'static str,
    /// What happened, for bars that are not all good.
    pub title: String,
}

/// A strip with its summary in words.
pub struct Strip {
    pub bars: Vec<Bar>,
    /// The path of the slots that have no bucket yet: the strip is as wide in its first minute as later.
    pub empty: String,
    pub summary: String,
}

impl Strip {
    /// The newest bar is at the right; a short history leaves the left empty.
    pub fn new(beats: &[Beat]) -> Self {
        let beats = &beats[beats.len().saturating_sub(SLOTS)..];
        let free = SLOTS - beats.len();
        let bars = beats.iter().enumerate().map(|(i, beat)| bar((free + i) * 4, beat)).collect();
        let empty = (0..free).map(|slot| format!("M{} 22h3v2h-3z", slot * 4)).collect();
        Self { bars, empty, summary: summary(beats) }
    }
}

fn bar(x: usize, beat: &Beat) -> Bar {
    let runs = u64::from(beat.ok) + u64::from(beat.slow) + u64::from(beat.failed);
    // What happened once is a little higher than what is well, so that it is not overlooked.
    let share = |part: u32, of: u32| {
        2 + u32::try_from((u64::from(part) * u64::from(of - 2)).div_ceil(runs.max(1))).unwrap_or(of)
    };
    let (class, height) = match (beat.ok, beat.slow, beat.failed) {
        (0, 0, 0) => ("none", 2),
        (_, _, failed) if failed > 0 => ("failed", OK + share(failed, 24 - OK)),
        (_, slow, _) if slow > 0 => ("slow", OK + share(slow, 16 - OK)),
        _ => ("ok", OK),
    };
    let title = if class == "ok" || class == "none" {
        String::new()
    } else {
        let at = format::clock_seconds(beat.at);
        format!("{at}: {} ok, {} slow, {} failed", beat.ok, beat.slow, beat.failed)
    };
    Bar { x, y: 24 - height, height, class, title }
}

fn summary(beats: &[Beat]) -> String {
    let (ok, slow, failed) = beats.iter().fold((0u64, 0u64, 0u64), |(ok, slow, failed), b| {
        (ok + u64::from(b.ok), slow + u64::from(b.slow), failed + u64::from(b.failed))
    });
    if ok + slow + failed == 0 {
        "no runs yet".to_owned()
    } else {
        format!("{ok} ok, {slow} slow, {failed} failed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::Micros;

    #[test]
    fn the_newest_bucket_is_at_the_right_and_the_worst_run_decides() {
        let beat = |ok, slow, failed| Beat { at: Micros(0), ok, slow, failed };
        let strip = Strip::new(&[beat(0, 0, 0), beat(3, 0, 0), beat(2, 1, 0), beat(2, 1, 1)]);
        let classes: Vec<_> = strip.bars.iter().map(|b| b.class).collect();
        assert_eq!(classes, ["none", "ok", "slow", "failed"]);
        assert_eq!(strip.bars[3].x, (SLOTS - 1) * 4);
        let height = |ok, slow, failed| bar(0, &beat(ok, slow, failed)).height;
        assert_eq!([height(9, 0, 0), height(0, 9, 0), height(0, 0, 9)], [9, 16, 24]);
        assert_eq!(
            [height(990, 0, 10), height(990, 10, 0), height(5, 0, 5)],
            [12, 12, 18],
            "as much as failed"
        );
        assert_eq!(strip.empty.matches('M').count(), SLOTS - 4);
        assert_eq!(strip.summary, "7 ok, 2 slow, 1 failed");
        assert_eq!(strip.bars[3].title, "00:00:00: 2 ok, 1 slow, 1 failed");
        assert_eq!(Strip::new(&vec![beat(1, 0, 0); 90]).bars.len(), SLOTS);
        assert_eq!(Strip::new(&[]).summary, "no runs yet");
    }
}
