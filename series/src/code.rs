//! Numbers that stand for the variants of `wire`. They are stored, so none of them ever changes its meaning.

use wire::sample::{FailClass, Outcome, Phases, Trigger};

/// Every class of failure, in the order of the columns of a roll-up.
pub const FAIL_CLASSES: [FailClass; 8] = [
    FailClass::Dns,
    FailClass::Connect,
    FailClass::Tls,
    FailClass::Timeout,
    FailClass::Protocol,
    FailClass::Status,
    FailClass::Assertion,
    FailClass::Request,
];

/// The place of a class in [`FAIL_CLASSES`]; stored, so it never changes.
pub fn class_index(class: FailClass) -> usize {
    match class {
        FailClass::Dns => 0,
        FailClass::Connect => 1,
        FailClass::Tls => 2,
        FailClass::Timeout => 3,
        FailClass::Protocol => 4,
        FailClass::Status => 5,
        FailClass::Assertion => 6,
        FailClass::Request => 7,
    }
}

/// 0 to 10.
pub fn outcome_code(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Ok => 0,
        Outcome::Missed => 1,
        Outcome::Unsupported => 2,
        Outcome::Fail(class) => 3 + class_index(class) as u8,
    }
}

/// The inverse of [`outcome_code`].
pub fn outcome_of(code: u8) -> Option<Outcome> {
    match code {
        0 => Some(Outcome::Ok),
        1 => Some(Outcome::Missed),
        2 => Some(Outcome::Unsupported),
        code => FAIL_CLASSES.get(usize::from(code - 3)).map(|&class| Outcome::Fail(class)),
    }
}

/// 0 to 2.
pub fn trigger_code(trigger: Trigger) -> u8 {
    match trigger {
        Trigger::Schedule => 0,
        Trigger::Confirm => 1,
        Trigger::Proof => 2,
    }
}

/// The inverse of [`trigger_code`].
pub fn trigger_of(code: u8) -> Option<Trigger> {
    [Trigger::Schedule, Trigger::Confirm, Trigger::Proof].get(usize::from(code)).copied()
}

/// The phases in the order in which they happen.
pub fn phases_array(phases: &Phases) -> [Option<u32>; 6] {
    [phases.dns, phases.connect, phases.tls, phases.send, phases.wait, phases.transfer]
}

/// The inverse of [`phases_array`].
pub fn phases_of([dns, connect, tls, send, wait, transfer]: [Option<u32>; 6]) -> Phases {
    Phases { dns, connect, tls, send, wait, transfer }
}
