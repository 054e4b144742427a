//! One packet of a session, and what came back.

use super::{Heard, bounds::Sample, loss::Fate};
use crate::{
    clock::Moment,
    packet::{Stamp, tlv},
};

/// A packet that was sent.
#[derive(Debug)]
pub(super) struct Probe {
    pub(super) sequence: u32,
    pub(super) window: u64,
    pub(super) at: Moment,
    /// T1 as the packet says.
    pub(super) said: Stamp,
    /// T1, the kernel's when it told.
    pub(super) left: Stamp,
    pub(super) left_by_kernel: bool,
    pub(super) got: Option<Got>,
}

/// The first answer to it.
#[derive(Debug)]
pub(super) struct Got {
    /// The reflector's epoch and number.
    pub(super) number: (u32, i64),
    /// How many answers came before.
    pub(super) arrival: i64,
    pub(super) use_of: Use,
    /// From sending to having it, monotonic, nanoseconds.
    away_ns: i64,
    /// T2.
    reached: Stamp,
    /// T3, corrected when the reflector told when the answer really left.
    pub(super) returned: Stamp,
    /// T4.
    received: Stamp,
    /// Absent when the reflector does not say.
    pub(super) reached_by_kernel: Option<bool>,
    pub(super) returned_by_kernel: bool,
    pub(super) received_by_kernel: bool,
    remote_error_ns: Option<u64>,
}

/// Whether the times of an answer are of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Good,
    /// The wall clock was stepped in between.
    Stepped,
    /// The reflector says that its stamps are invalid, or they cannot be right.
    Invalid,
}

impl Probe {
    pub(super) fn new(sequence: u32, window: u64, at: Moment, said: Stamp) -> Self {
        Self { sequence, window, at, said, left: said, left_by_kernel: false, got: None }
    }

    pub(super) fn fate(&self) -> Fate {
        self.got.as_ref().map(|got| got.number)
    }

    /// The times, if they are of use.
    pub(super) fn sample(&self) -> Option<Sample> {
        let got = self.got.as_ref().filter(|got| got.use_of == Use::Good)?;
        Some(Sample {
            at_ns: self.at.monotonic_ns,
            away_ns: got.away_ns,
            forward_ns: got.reached.since(self.left),
            reverse_ns: got.received.since(got.returned),
            remote_error_ns: got.remote_error_ns,
        })
    }
}

impl Got {
    pub(super) fn new(heard: &Heard, sent: Moment, number: (u32, i64), arrival: i64, step_ns: u64) -> Self {
        let answer = &heard.answer;
        // The reflector cannot have held the packet for longer than it was away, nor for less than nothing.
        let away_ns = heard.at.monotonic_ns - sent.monotonic_ns;
        let held_ns = answer.returned.since(answer.reached);
        let possible = (0..=away_ns.max(0)).contains(&held_ns);
        let use_of = match answer.error.error_ns() {
            _ if heard.at.stepped_since(sent) > step_ns => Use::Stepped,
            Some(_) if possible => Use::Good,
            _ => Use::Invalid,
        };
        Self {
            number,
            arrival,
            use_of,
            away_ns,
            reached: answer.reached,
            returned: answer.returned,
            received: heard.received,
            reached_by_kernel: heard.told.stamping.map(|info| info.method_in != tlv::BY_CONTROL_PLANE),
            returned_by_kernel: false,
            received_by_kernel: heard.by_kernel,
            remote_error_ns: answer.error.error_ns().filter(|_| answer.error.synchronised),
        }
    }
}
