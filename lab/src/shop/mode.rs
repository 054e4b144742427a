//! The ways a shop can misbehave.

use crate::link::Fault;
use std::{fmt, time::Duration};

/// How a shop treats its users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Normal,
    /// Every request, health included, is answered by status 500.
    Errors,
    /// Every answer takes this much longer.
    Slow(Duration),
    /// Nothing listens: connections are refused, existing ones reset. The port is kept.
    Stopped,
    /// Connections are accepted and never answered.
    Hang,
}

impl Mode {
    /// What the link in front of the shop must do.
    pub(super) fn fault(self) -> Fault {
        match self {
            Mode::Normal | Mode::Errors | Mode::Slow(_) => Fault::None,
            Mode::Stopped => Fault::Refuse,
            Mode::Hang => Fault::Blackhole,
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mode::Normal => f.write_str("normal"),
            Mode::Errors => f.write_str("errors"),
            Mode::Slow(by) => write!(f, "slow {}ms", by.as_millis()),
            Mode::Stopped => f.write_str("stopped"),
            Mode::Hang => f.write_str("hang"),
        }
    }
}
