//! How durations, ids and foreign text are written for people.

/// A duration in microseconds with three significant digits or so: `12 µs`, `3.2 ms`, `800 ms`, `1.50 s`.
pub(super) fn span(us: u32) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..10_000 => format!("{:.1} ms", f64::from(us) / 1e3),
        10_000..1_000_000 => format!("{} ms", us / 1_000),
        _ => format!("{:.2} s", f64::from(us) / 1e6),
    }
}

/// Seconds between two certificate dates, roughly, in the largest unit that fits.
pub(super) fn age(seconds: u64) -> String {
    match seconds {
        0..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// The sentence for a run that was good and slow; `most` is what took the longest.
pub(super) fn slow(total_us: u32, budget_us: u32, most: Option<(String, u32)>) -> String {
    let most = most.map_or_else(String::new, |(name, us)| format!(" ({name} {})", span(us)));
    format!("took {}, budget {}{most}", span(total_us), span(budget_us))
}

/// Foreign text on one line: control characters become spaces, and what exceeds `max` characters is cut.
pub(super) fn line(text: &str, max: usize) -> String {
    let mut out: String = text.chars().take(max).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(max).is_some() {
        out.pop();
        out.push('…');
    }
    out
}

/// Foreign text, short and in quotation marks, as part of a sentence.
pub(super) fn quote(text: &str) -> String {
    format!("\"{}\"", line(text, 60))
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_keep_the_digits_that_matter() {
        for (us, text) in
            [(0, "0 µs"), (999, "999 µs"), (3_210, "3.2 ms"), (800_000, "800 ms"), (1_520_000, "1.52 s")]
        {
            assert_eq!(span(us), text);
        }
        assert_eq!(age(90), "1 min");
        assert_eq!(age(3 * 86_400), "3 days");
    }

    #[test]
    fn foreign_text_stays_on_one_line() {
        assert_eq!(line("a\r\nb\u{1b}[1m", 80), "a  b [1m");
        assert_eq!(line("äöüß", 4), "äöüß");
        assert_eq!(line("äöüßx", 4), "äöü…");
        assert_eq!(hex(&[0, 0xab]), "00ab");
    }
}
