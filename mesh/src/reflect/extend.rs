//! What a reflector writes into the extensions of a packet (RFC 8972, section 4). Their length never changes.

use crate::packet::{
    ErrorEstimate, TimeFormat,
    tlv::{self, FollowUp, TimestampInfo},
};

/// What the reflector can say.
pub(super) struct Said {
    pub(super) clock: ErrorEstimate,
    /// Whether the kernel took T2. T3 is always read by the program, just before the packet is made.
    pub(super) by_kernel: bool,
    pub(super) follow_up: Option<FollowUp>,
}

/// Turns the request's extensions into the answer's. When their code is wrong they are sent back with the flag that
/// says so, and none is processed.
pub(super) fn answer(mut extensions: Vec<u8>, intact: bool, said: &Said) -> Vec<u8> {
    let found: Vec<_> =
        tlv::walk(&extensions).map(|tlv| tlv.map(|tlv| (tlv.offset, tlv.kind, tlv.value.len()))).collect();
    for tlv in found {
        match tlv {
            Err(offset) => extensions[offset] |= tlv::MALFORMED,
            Ok((offset, ..)) if !intact => extensions[offset] |= tlv::INTEGRITY,
            Ok((offset, kind, len)) => {
                let value = offset + tlv::HEADER_LEN;
                extensions[offset] = fill(kind, &mut extensions[value..value + len], said);
            }
        }
    }
    extensions
}

/// Writes a value and gives the extension's flags.
fn fill(kind: u8, value: &mut [u8], said: &Said) -> u8 {
    let written: Option<Vec<u8>> = match kind {
        tlv::PADDING | tlv::HMAC => return 0,
        tlv::TIMESTAMP_INFO => Some(stamping(said).encode().into()),
        tlv::FOLLOW_UP => {
            Some(said.follow_up.map_or(vec![0; FollowUp::LEN], |last| last.encode(TimeFormat::Ntp).into()))
        }
        _ => None,
    };
    match written {
        None => tlv::UNRECOGNISED,
        Some(written) if written.len() == value.len() => {
            value.copy_from_slice(&written);
            0
        }
        Some(_) => tlv::MALFORMED,
    }
}

fn stamping(said: &Said) -> TimestampInfo {
    let source = if said.clock.synchronised { tlv::SYNCHRONISED_BY_NTP } else { tlv::FREE_RUNNING };
    let method_in = if said.by_kernel { tlv::BY_SOFTWARE } else { tlv::BY_CONTROL_PLANE };
    TimestampInfo { source_in: source, method_in, source_out: source, method_out: tlv::BY_CONTROL_PLANE }
}
