//! Time stamps on the wire: NTP (RFC 5905, 32 bits of seconds and 32 of their fractions) or PTP (IEEE 1588, seconds
//! and nanoseconds). In memory all of them are NTP's, because differences of those wrap around correctly.

/// Seconds from 1900 (NTP) to 1970 (Unix), RFC 5905, section 6.
const EPOCHS_APART_S: u32 = 2_208_988_800;
const NS: u64 = 1_000_000_000;

/// An instant without an era: 32 bits of seconds since 1900, 32 bits of fractions (0.23 ns). It wraps every 136 years,
/// the next time on 2036-02-07; differences are right across that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Stamp(pub u64);

/// Which of the two formats a field has (the Z bit of the error estimate beside it).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TimeFormat {
    #[default]
    Ntp,
    /// Truncated PTPv2. Its seconds are taken as Unix seconds, as the open implementations send them, not as TAI.
    Ptp,
}

impl Stamp {
    /// From nanoseconds since the Unix epoch; of other eras only the place in the era is kept.
    pub fn from_unix_ns(ns: i64) -> Self {
        let seconds = ns.div_euclid(NS as i64) as u32;
        Self::from_parts(seconds.wrapping_add(EPOCHS_APART_S), ns.rem_euclid(NS as i64) as u64)
    }

    /// Nanoseconds from `earlier` to `self`, negative when `earlier` is later. Right for instants less than 68 years
    /// apart.
    pub fn since(self, earlier: Stamp) -> i64 {
        let apart = i128::from(self.0.wrapping_sub(earlier.0) as i64);
        // To the nearest: a difference of stamps made from nanoseconds is then exact.
        ((apart * i128::from(NS) + (1 << 31)) >> 32) as i64
    }

    /// This instant moved by nanoseconds.
    pub fn plus_ns(self, ns: i64) -> Self {
        let moved = ((i128::from(ns) << 32) + i128::from(NS / 2)).div_euclid(i128::from(NS));
        Self(self.0.wrapping_add(moved as u64))
    }

    /// Reads a field.
    pub fn decode(field: [u8; 8], format: TimeFormat) -> Self {
        let raw = u64::from_be_bytes(field);
        match format {
            TimeFormat::Ntp => Self(raw),
            TimeFormat::Ptp => {
                // More than 999 999 999 ns is no fraction; the last one stands for it.
                let ns = (raw & 0xffff_ffff).min(NS - 1);
                Self::from_parts(((raw >> 32) as u32).wrapping_add(EPOCHS_APART_S), ns)
            }
        }
    }

    /// Writes a field. In PTP's format the instant is rounded to nanoseconds.
    pub fn encode(self, format: TimeFormat) -> [u8; 8] {
        match format {
            TimeFormat::Ntp => self.0.to_be_bytes(),
            TimeFormat::Ptp => {
                let ns = ((self.0 & 0xffff_ffff) * NS + (1 << 31)) >> 32;
                let carry = (ns / NS) as u32;
                let seconds = ((self.0 >> 32) as u32).wrapping_sub(EPOCHS_APART_S).wrapping_add(carry);
                ((u64::from(seconds) << 32) | (ns % NS)).to_be_bytes()
            }
        }
    }

    fn from_parts(seconds_1900: u32, ns: u64) -> Self {
        // Less than 10^9 nanoseconds give less than 2^32 - 2 fractions, so rounding never carries.
        Self((u64::from(seconds_1900) << 32) | (((ns << 32) + NS / 2) / NS))
    }
}
