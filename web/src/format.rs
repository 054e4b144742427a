//! Numbers for people. Pure: everything depends on the arguments alone.

use std::ops::Range;
use wire::Micros;

/// A duration with three significant digits: `0.42 ms`, `43.1 ms`, `431 ms`, `1.23 s`, `75.0 s`.
pub fn duration(us: i64) -> String {
    let sign = if us < 0 { "−" } else { "" };
    let magnitude = us.unsigned_abs() as f64;
    // Below this, rounding to a whole millisecond still gives less than a second.
    if magnitude < 999_500.0 {
        format!("{sign}{} ms", digits(magnitude / 1e3))
    } else {
        format!("{sign}{} s", digits(magnitude / 1e6))
    }
}

/// A duration with its sign: `+431 ms`, `−2.00 s`.
pub fn signed(us: i64) -> String {
    if us < 0 { duration(us) } else { format!("+{}", duration(us)) }
}

fn digits(value: f64) -> String {
    match value {
        v if v < 9.995 => format!("{v:.2}"),
        v if v < 99.95 => format!("{v:.1}"),
        v => format!("{v:.0}"),
    }
}

/// How long ago, in the largest whole unit: `0 s`, `59 s`, `3 min`, `2 h`, `5 d`. The script says the same.
pub fn age(us: i64) -> String {
    let seconds = us.max(0) / 1_000_000;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// A share of 0 to 1 in percent, cut and not rounded, so that 99.99 % never reads as everything.
pub fn percent(share: f64) -> String {
    let percent = share.clamp(0.0, 1.0) * 100.0;
    if percent >= 100.0 {
        "100 %".to_owned()
    } else if percent <= 0.0 || share.is_nan() {
        "0 %".to_owned()
    } else {
        // The small term keeps 0.3 from becoming 29.9 % for want of a bit.
        format!("{:.1} %", (percent * 10.0 + 1e-9).floor() / 10.0)
    }
}

/// The UTC time of day to the millisecond: `23:43:42.000`.
pub fn clock(at: Micros) -> String {
    part(at, 11..23).unwrap_or_else(|| "--:--:--.---".to_owned())
}

/// The UTC time of day to the second: `23:43:42`.
pub fn clock_seconds(at: Micros) -> String {
    part(at, 11..19).unwrap_or_else(|| "--:--:--".to_owned())
}

/// A part of the RFC 3339 text; none for an instant that has no such text.
fn part(at: Micros, range: Range<usize>) -> Option<String> {
    let text = at.to_string();
    if text.ends_with('Z') { text.get(range).map(str::to_owned) } else { None }
}

/// A count with thin groups: `12 345`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_three_digits_and_the_right_unit() {
        for (us, text) in [
            (0, "0.00 ms"),
            (420, "0.42 ms"),
            (9_994, "9.99 ms"),
            (9_996, "10.0 ms"),
            (43_100, "43.1 ms"),
            (99_960, "100 ms"),
            (431_000, "431 ms"),
            (999_499, "999 ms"),
            (999_500, "1.00 s"),
            (2_000_000, "2.00 s"),
            (75_000_000, "75.0 s"),
            (-340_000, "−340 ms"),
        ] {
            assert_eq!(duration(us), text, "{us}");
        }
        assert_eq!(signed(431_000), "+431 ms");
        assert_eq!(signed(-431_000), "−431 ms");
        assert!(duration(i64::MIN).starts_with('−'));
    }

    #[test]
    fn ages_use_the_largest_whole_unit() {
        for (seconds, text) in [
            (-5, "0 s"),
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3_599, "59 min"),
            (3_600, "1 h"),
            (86_399, "23 h"),
            (86_400, "1 d"),
        ] {
            assert_eq!(age(seconds * 1_000_000), text);
        }
    }

    #[test]
    fn percent_never_claims_more_than_there_is() {
        for (share, text) in [
            (0.0, "0 %"),
            (0.3, "30.0 %"),
            (1.0 / 3.0, "33.3 %"),
            (0.9999, "99.9 %"),
            (1.0, "100 %"),
            (1.7, "100 %"),
            (-1.0, "0 %"),
            (f64::NAN, "0 %"),
        ] {
            assert_eq!(percent(share), text, "{share}");
        }
    }

    #[test]
    fn clocks_are_utc_and_survive_nonsense() {
        assert_eq!(clock(Micros(1_795_000_000_000_123)), "11:06:40.000");
        assert_eq!(clock_seconds(Micros(1_795_000_000_000_123)), "11:06:40");
        assert_eq!(clock(Micros(i64::MAX)), "--:--:--.---");
    }

    #[test]
    fn counts_are_grouped() {
        assert_eq!(count(7), "7");
        assert_eq!(count(1_234), "1\u{202f}234");
        assert_eq!(count(1_234_567), "1\u{202f}234\u{202f}567");
    }
}
