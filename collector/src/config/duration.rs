//! Durations as people write them: `250ms`, `2s`, `5m`, `1h30m`, `7d`.

use std::time::Duration;

/// The units, longest first, with their length in milliseconds.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Reads whole numbers with units, longest unit first, each unit at most once.
///
/// The error completes "expected …".
pub fn parse(text: &str) -> Result<Duration, &'static str> {
    const SHAPE: &str = "a duration such as 250ms, 2s, 5m or 1h30m";
    let mut rest = text.trim();
    let mut total: u64 = 0;
    let mut units = UNITS.as_slice();
    if rest.is_empty() {
        return Err(SHAPE);
    }
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, tail) = rest.split_at(digits);
        let letters = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        if unit.is_empty() && tail.starts_with('.') {
            return Err("a duration in whole numbers: 1500ms or 1m30s rather than a fraction");
        }
        if unit.is_empty() && total == 0 && tail.is_empty() {
            return Err("a duration with a unit: ms, s, m, h or d");
        }
        let place = units.iter().position(|(name, _)| *name == unit).ok_or(SHAPE)?;
        let number: u64 = number.parse().map_err(|_| SHAPE)?;
        let part = number.checked_mul(units[place].1).ok_or("a shorter duration")?;
        total = total.checked_add(part).ok_or("a shorter duration")?;
        units = &units[place + 1..];
        rest = tail;
    }
    Ok(Duration::from_millis(total))
}

/// Writes a duration the way [`parse`] reads it, to the millisecond.
pub fn format(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (name, length) in UNITS {
        if rest >= length {
            text += &format!("{}{name}", rest / length);
            rest %= length;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_people_write() {
        for (text, millis) in
            [("250ms", 250), ("2s", 2_000), ("5m", 300_000), ("1h30m", 5_400_000), ("0s", 0)]
        {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for bad in
            ["", "s", "2", "2 s", "1.5s", "-2s", "2s1h", "1s1s", "2S", "2sec", "99999999999999999999s", "1s5"]
        {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn survives_writing_and_reading(millis in 0..u64::MAX / 2) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse(&format(duration)), Ok(duration));
        }
    }
}
