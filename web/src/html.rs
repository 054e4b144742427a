//! The small pieces of markup that many fragments share. They print numbers and fixed names only, never a text
//! from outside, which is why they may skip escaping.

use crate::format;
use askama::filters::HtmlSafe;
use std::fmt;
use wire::Micros;

/// A symbol of the page's sprite. Decoration: a word always stands beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Icon(pub &'static str);

impl HtmlSafe for Icon {}

impl fmt::Display for Icon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, r##"<svg class="i i-{0}" aria-hidden="true"><use href="#i-{0}"/></svg>"##, self.0)
    }
}

/// How an instant is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// How long ago.
    Age,
    /// The time of day to the millisecond.
    Clock,
}

/// An instant as a `<time>` element with the exact time in its title. The script keeps ages ticking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    at: Micros,
    /// Microseconds since then; `None` leaves the age to the script.
    age_us: Option<i64>,
    shown: Shown,
}

impl Stamp {
    /// An age, written out when `age_us` is given.
    pub fn age(at: Micros, age_us: Option<i64>) -> Self {
        Self { at, age_us, shown: Shown::Age }
    }

    /// A time of day.
    pub fn clock(at: Micros) -> Self {
        Self { at, age_us: None, shown: Shown::Clock }
    }
}

impl HtmlSafe for Stamp {}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at;
        match self.shown {
            Shown::Clock => write!(f, r#"<time datetime="{at}" title="{at}">{}</time>"#, format::clock(at)),
            Shown::Age => {
                write!(f, r#"<time class="age" datetime="{at}" title="{at}">"#)?;
                if let Some(age) = self.age_us {
                    f.write_str(&format::age(age))?;
                }
                f.write_str("</time>")
            }
        }
    }
}

/// A share of 0 to 1 as a bar. The number stands beside it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bar {
    pub share: f64,
    /// Style class.
    pub class: &'static str,
}

impl HtmlSafe for Bar {}

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = if self.share.is_nan() { 0.0 } else { self.share.clamp(0.0, 1.0) * 100.0 };
        write!(
            f,
            r#"<svg class="bar {}" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect class="track" width="100" height="8"/><rect class="fill" width="{width:.1}" height="8"/></svg>"#,
            self.class
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_left_to_the_script_when_not_given() {
        let at = Micros(1_795_000_000_000_000);
        assert!(Stamp::age(at, None).to_string().contains("\"></time>"));
        assert!(Stamp::age(at, Some(5_000_000)).to_string().contains(">5 s</time>"));
        assert!(Stamp::clock(at).to_string().contains(">11:06:40.000</time>"));
    }

    #[test]
    fn bars_stay_inside_their_track() {
        for (share, width) in [(-1.0, "0.0"), (0.333, "33.3"), (9.0, "100.0"), (f64::NAN, "0.0")] {
            let bar = Bar { share, class: "x" }.to_string();
            assert!(bar.contains(&format!(r#"class="fill" width="{width}""#)), "{bar}");
        }
    }
}
