//! Extensions: flags, type, length, value (RFC 8972, section 4), after the base packet.

use super::{Key, Stamp, TimeFormat, at, auth::CODE_LEN};

/// The receiver does not know the type. Senders set it, reflectors clear it where they know better.
pub const UNRECOGNISED: u8 = 0x80;
/// The length cannot be right.
pub const MALFORMED: u8 = 0x40;
/// The code over the extensions is wrong.
pub const INTEGRITY: u8 = 0x20;

/// Extra padding: makes packets longer.
pub const PADDING: u8 = 1;
/// How the reflector takes its stamps.
pub const TIMESTAMP_INFO: u8 = 3;
/// When the reflector's previous answer really left.
pub const FOLLOW_UP: u8 = 7;
/// The code over sequence number and preceding extensions.
pub const HMAC: u8 = 8;

/// The length of an extension without its value, bytes.
pub const HEADER_LEN: usize = 4;

/// Methods of stamping (RFC 8972, section 4.3): by hardware, by software near the wire (the kernel), by a program.
pub const BY_HARDWARE: u8 = 1;
pub const BY_SOFTWARE: u8 = 2;
pub const BY_CONTROL_PLANE: u8 = 3;
/// Sources of synchronisation: NTP, and none (a clock that runs freely).
pub const SYNCHRONISED_BY_NTP: u8 = 1;
pub const FREE_RUNNING: u8 = 5;

/// One extension and where it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tlv<'a> {
    pub offset: usize,
    pub flags: u8,
    pub kind: u8,
    pub value: &'a [u8],
}

/// The extensions in order, until the end or the first that is longer than what is left; the offset of that one is
/// an error, and the last item.
pub fn walk(extensions: &[u8]) -> impl Iterator<Item = Result<Tlv<'_>, usize>> {
    let mut next = Some(0);
    std::iter::from_fn(move || {
        let offset = next.filter(|offset| *offset < extensions.len())?;
        let value = extensions.get(offset..offset + HEADER_LEN).and_then(|header| {
            let len = usize::from(u16::from_be_bytes([header[2], header[3]]));
            extensions.get(offset + HEADER_LEN..offset + HEADER_LEN + len)
        });
        let Some(value) = value else {
            next = None;
            return Some(Err(offset));
        };
        next = Some(offset + HEADER_LEN + value.len());
        Some(Ok(Tlv { offset, flags: extensions[offset], kind: extensions[offset + 1], value }))
    })
}

/// Appends an extension as a sender does. A value longer than 65 535 bytes is cut.
pub fn push(extensions: &mut Vec<u8>, kind: u8, value: &[u8]) {
    let len = u16::try_from(value.len()).unwrap_or(u16::MAX);
    extensions.extend([UNRECOGNISED, kind]);
    extensions.extend(len.to_be_bytes());
    extensions.extend(&value[..usize::from(len)]);
}

/// How the reflector synchronises its clock and takes its stamps (RFC 8972, section 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimestampInfo {
    pub source_in: u8,
    pub method_in: u8,
    pub source_out: u8,
    pub method_out: u8,
}

impl TimestampInfo {
    pub const LEN: usize = 4;

    pub fn decode(value: &[u8]) -> Option<Self> {
        let [source_in, method_in, source_out, method_out] = value.try_into().ok()?;
        Some(Self { source_in, method_in, source_out, method_out })
    }

    pub fn encode(self) -> [u8; Self::LEN] {
        [self.source_in, self.method_in, self.source_out, self.method_out]
    }
}

/// When an earlier answer really left (RFC 8972, section 4.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FollowUp {
    /// The reflector's sequence number of that answer.
    pub sequence: u32,
    pub returned: Stamp,
    /// How the stamp was taken.
    pub method: u8,
}

impl FollowUp {
    pub const LEN: usize = 16;

    /// Absent too when the reflector had nothing to say (all zeros).
    pub fn decode(value: &[u8], format: TimeFormat) -> Option<Self> {
        if value.len() != Self::LEN || at::<8>(value, 4) == [0; 8] {
            return None;
        }
        Some(Self {
            sequence: u32::from_be_bytes(at(value, 0)),
            returned: Stamp::decode(at(value, 4), format),
            method: value[12],
        })
    }

    pub fn encode(self, format: TimeFormat) -> [u8; Self::LEN] {
        let mut value = [0; Self::LEN];
        value[..4].copy_from_slice(&self.sequence.to_be_bytes());
        value[4..12].copy_from_slice(&self.returned.encode(format));
        value[12] = self.method;
        value
    }
}

/// What a sender understands of an answer's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Told {
    pub follow_up: Option<FollowUp>,
    pub stamping: Option<TimestampInfo>,
}

impl Told {
    /// Reads what the reflector vouches for: an extension that it flagged says nothing.
    pub fn read(extensions: &[u8], format: TimeFormat) -> Self {
        let mut told = Self::default();
        for tlv in walk(extensions).map_while(Result::ok) {
            if tlv.flags & (UNRECOGNISED | MALFORMED | INTEGRITY) != 0 {
                continue;
            }
            match tlv.kind {
                FOLLOW_UP => told.follow_up = FollowUp::decode(tlv.value, format),
                TIMESTAMP_INFO => told.stamping = TimestampInfo::decode(tlv.value),
                _ => {}
            }
        }
        told
    }
}

/// Fills in the code of a packet's extensions, if they have a place for it. To be called when nothing else changes.
pub fn sign(packet: &mut [u8], base_len: usize, key: &Key) {
    let Some(place) = code_place(packet.get(base_len..).unwrap_or_default()) else { return };
    let place = base_len + place;
    let code = key.code(&[&packet[..4], &packet[base_len..place]]);
    packet[place + HEADER_LEN..place + HEADER_LEN + CODE_LEN].copy_from_slice(&code);
}

/// Whether a packet has no extensions, or extensions with the right code over them.
pub fn authentic(packet: &[u8], base_len: usize, key: &Key) -> bool {
    let extensions = packet.get(base_len..).unwrap_or_default();
    if extensions.is_empty() {
        return true;
    }
    let Some(place) = code_place(extensions) else { return false };
    let code = &extensions[place + HEADER_LEN..place + HEADER_LEN + CODE_LEN];
    key.verifies(&[&packet[..4], &extensions[..place]], code)
}

/// Where the extension with the code begins. Nothing but padding may follow it.
fn code_place(extensions: &[u8]) -> Option<usize> {
    let mut place = None;
    for tlv in walk(extensions) {
        match tlv.ok()? {
            Tlv { kind: HMAC, offset, value, .. } if value.len() == CODE_LEN && place.is_none() => {
                place = Some(offset)
            }
            Tlv { kind: PADDING, .. } => {}
            _ if place.is_some() => return None,
            _ => {}
        }
    }
    place
}
