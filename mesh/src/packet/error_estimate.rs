//! How far off a clock may be, in 16 bits (RFC 4656, section 4.1.2, with the Z bit of RFC 8186).

use super::TimeFormat;

/// Nanoseconds that 2^-32 s are.
const UNIT_NS: f64 = 1e9 / 4_294_967_296.0;
const SYNCHRONISED: u16 = 1 << 15;
const PTP: u16 = 1 << 14;

/// What a packet says of the clock that stamped it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorEstimate {
    /// S: the clock is synchronised with UTC by an external source.
    pub synchronised: bool,
    /// Z: the format of this packet's own time stamps.
    pub format: TimeFormat,
    /// 0 to 63.
    scale: u8,
    /// 0 says that the stamps are invalid.
    multiplier: u8,
}

impl ErrorEstimate {
    /// A clock that may be off by so many nanoseconds, rounded up to what the field can say.
    pub fn new(synchronised: bool, error_ns: u64) -> Self {
        let units = error_ns as f64 / UNIT_NS;
        let fits = |scale: &u8| (units / 2f64.powi(i32::from(*scale))).ceil() <= 255.0;
        // The largest u64 of nanoseconds needs scale 58.
        let scale = (0..64).find(fits).unwrap_or(63);
        let multiplier = (units / 2f64.powi(i32::from(scale))).ceil().clamp(1.0, 255.0) as u8;
        Self { synchronised, format: TimeFormat::Ntp, scale, multiplier }
    }

    /// Reads the field. Every value is one.
    pub fn decode(field: [u8; 2]) -> Self {
        let raw = u16::from_be_bytes(field);
        Self {
            synchronised: raw & SYNCHRONISED != 0,
            format: if raw & PTP != 0 { TimeFormat::Ptp } else { TimeFormat::Ntp },
            scale: ((raw >> 8) as u8) & 0x3f,
            multiplier: raw as u8,
        }
    }

    /// Writes the field.
    pub fn encode(self) -> [u8; 2] {
        let mut raw = (u16::from(self.scale & 0x3f) << 8) | u16::from(self.multiplier);
        if self.synchronised {
            raw |= SYNCHRONISED;
        }
        if self.format == TimeFormat::Ptp {
            raw |= PTP;
        }
        raw.to_be_bytes()
    }

    /// The same clock, its stamps in another format.
    pub fn with_format(self, format: TimeFormat) -> Self {
        Self { format, ..self }
    }

    /// How far off the clock may be, nanoseconds, rounded up; absent when the packet says that its stamps are invalid.
    pub fn error_ns(self) -> Option<u64> {
        let error = f64::from(self.multiplier) * UNIT_NS * 2f64.powi(i32::from(self.scale));
        (self.multiplier > 0).then_some(error.ceil() as u64)
    }
}
