//! Instants as microseconds since the Unix epoch, the one representation in memory, on the wire and in SQL.

use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// Microseconds since 1970-01-01T00:00:00Z, leap seconds ignored (POSIX time).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Micros(pub i64);

impl Micros {
    /// Microseconds from `earlier` to `self`; negative when `earlier` is the later one. Saturates.
    pub fn since(self, earlier: Micros) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// This instant moved by a signed number of microseconds. Saturates.
    pub fn plus_us(self, us: i64) -> Micros {
        Micros(self.0.saturating_add(us))
    }

    /// This instant moved into the future. Saturates.
    pub fn plus(self, duration: Duration) -> Micros {
        self.plus_us(us(duration))
    }

    /// This instant moved into the past. Saturates.
    pub fn minus(self, duration: Duration) -> Micros {
        self.plus_us(us(duration).saturating_neg())
    }
}

/// A duration as signed microseconds; saturates at `i64::MAX` (292 000 years).
pub fn us(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// RFC 3339 in UTC with microseconds, for example `2026-11-20T23:43:42.000123Z`.
impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(t) => write!(f, "{t:.6}"),
            Err(_) => write!(f, "(instant {} out of range)", self.0),
        }
    }
}

/// Serialises an instant as RFC 3339 text, the form of the REST API (`#[serde(with = "wire::instant::rfc3339")]`).
pub mod rfc3339 {
    use super::Micros;
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    /// Writes the instant as text. One beyond the calendar (years −9999 to 9999) becomes its first or last instant, so
    /// that whatever was written can be read again.
    pub fn serialize<S: Serializer>(at: &Micros, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(&within_calendar(*at))
    }

    fn within_calendar(at: Micros) -> Micros {
        let (first, last) =
            (jiff::Timestamp::MIN.as_second() * 1_000_000, jiff::Timestamp::MAX.as_second() * 1_000_000);
        Micros(at.0.clamp(first, last))
    }

    /// Reads an instant written by [`serialize`], or any other RFC 3339 text.
    ///
    /// # Errors
    /// When the text is not an instant.
    pub fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Micros, D::Error> {
        parse(&String::deserialize(input)?).map_err(D::Error::custom)
    }

    /// Reads RFC 3339 text.
    ///
    /// # Errors
    /// When the text is not an instant.
    pub fn parse(text: &str) -> Result<Micros, jiff::Error> {
        let at: jiff::Timestamp = text.parse()?;
        // The last second of the calendar has fractions that can be read and not written.
        Ok(within_calendar(Micros(at.as_microsecond())))
    }

    /// The same for an instant that may be absent.
    pub mod option {
        use super::{Deserialize, Deserializer, Micros, Serializer};

        /// Writes the instant as text, or null.
        pub fn serialize<S: Serializer>(at: &Option<Micros>, out: S) -> Result<S::Ok, S::Error> {
            match at {
                Some(at) => super::serialize(at, out),
                None => out.serialize_none(),
            }
        }

        /// Reads RFC 3339 text or null.
        ///
        /// # Errors
        /// When the text is not an instant.
        pub fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Micros>, D::Error> {
            #[derive(Deserialize)]
            struct Wrapped(#[serde(with = "super")] Micros);
            Ok(Option::<Wrapped>::deserialize(input)?.map(|w| w.0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_rfc3339_in_utc() {
        assert_eq!(Micros(1_795_000_000_000_123).to_string(), "2026-11-18T11:06:40.000123Z");
        assert!(Micros(i64::MAX).to_string().contains("out of range"));
    }

    #[test]
    fn every_instant_survives_rfc3339() {
        #[derive(Serialize, Deserialize)]
        struct Holder(#[serde(with = "rfc3339")] Micros);
        for at in [i64::MIN, -1, 0, 1_795_000_000_000_123, i64::MAX] {
            let text = serde_json::to_string(&Holder(Micros(at))).expect("it serialises");
            let back: Holder = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
            if (0..1_795_000_000_000_124).contains(&at) {
                assert_eq!(back.0, Micros(at));
            }
        }
        let last: Holder = serde_json::from_str(r#""9999-12-30T22:00:00.5Z""#).expect("within the calendar");
        let text = serde_json::to_string(&last).expect("it serialises");
        assert_eq!(serde_json::from_str::<Holder>(&text).expect("it is read again").0, last.0);
    }

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(Micros(i64::MAX).plus(Duration::from_secs(1)), Micros(i64::MAX));
        assert_eq!(Micros(i64::MIN).since(Micros(1)), i64::MIN);
        assert_eq!(Micros(5).since(Micros(9)), -4);
    }
}
