//! How durations and counts are written in reasons.

use std::fmt::Display;

/// `0.85 s`, `6.4 s`, `2 min 5 s`, `3 h 12 min`; negative counts as 0.
pub fn span(us: i64) -> String {
    let us = us.max(0);
    let seconds = us / 1_000_000;
    match seconds {
        0 => format!("{:.2} s", us as f64 / 1e6),
        1..60 => format!("{:.1} s", us as f64 / 1e6),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// `a, b and c`.
pub fn list<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    let mut items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    match items.pop() {
        None => "none".into(),
        Some(last) if items.is_empty() => last,
        Some(last) => format!("{} and {last}", items.join(", ")),
    }
}

/// A share as whole percent.
pub fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_well() {
        assert_eq!(span(852_000), "0.85 s");
        assert_eq!(span(6_440_000), "6.4 s");
        assert_eq!(span(125_000_000), "2 min 5 s");
        assert_eq!(span(-5), "0.00 s");
        assert_eq!(list(["a", "b", "c"]), "a, b and c");
        assert_eq!(list(["a"]), "a");
        assert_eq!(list(Vec::<String>::new()), "none");
    }
}
