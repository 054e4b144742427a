//! One icon and one word for each state, the same everywhere.

use crate::html::Icon;
use wire::{
    plan::Cause,
    view::{Automation, DeliveryState, ProbeState, ProofState, TimelineKind, VerdictState, Vote},
};

/// The icon of a state. Shapes differ, so colour is never the only sign.
pub trait Shape {
    fn icon(self) -> Icon;
}

impl Shape for VerdictState {
    fn icon(self) -> Icon {
        Icon(match self {
            VerdictState::Healthy => "healthy",
            VerdictState::Unknown => "unknown",
            VerdictState::Degraded => "degraded",
            VerdictState::Down => "down",
        })
    }
}

impl Shape for Vote {
    fn icon(self) -> Icon {
        Icon(match self {
            Vote::Up => "healthy",
            Vote::Suspect => "suspect",
            Vote::Degraded => "degraded",
            Vote::Down => "down",
            Vote::Unknown => "unknown",
            Vote::Excluded => "excluded",
        })
    }
}

impl Shape for ProbeState {
    fn icon(self) -> Icon {
        Icon(match self {
            ProbeState::Eligible => "healthy",
            ProbeState::Excluded => "excluded",
            ProbeState::Silent => "unknown",
        })
    }
}

impl Shape for DeliveryState {
    fn icon(self) -> Icon {
        Icon(match self {
            DeliveryState::Pending => "waiting",
            DeliveryState::Acknowledged => "healthy",
            DeliveryState::Superseded => "excluded",
            DeliveryState::Refused => "down",
        })
    }
}

impl Shape for ProofState {
    fn icon(self) -> Icon {
        Icon(match self {
            ProofState::Waiting | ProofState::Measuring => "waiting",
            ProofState::Verified => "healthy",
            ProofState::Unverified => "degraded",
        })
    }
}

impl Shape for Automation {
    fn icon(self) -> Icon {
        Icon(match self {
            Automation::On => "plan",
            Automation::Observe => "suspicion",
            Automation::Off => "held",
        })
    }
}

impl Shape for TimelineKind {
    fn icon(self) -> Icon {
        Icon(match self {
            TimelineKind::Configuration => "configuration",
            TimelineKind::Suspicion => "suspicion",
            TimelineKind::Verdict => "verdict",
            TimelineKind::Plan => "plan",
            TimelineKind::Held => "held",
            TimelineKind::Delivery => "delivery",
            TimelineKind::Proof => "proof",
            TimelineKind::Recovery => "recovery",
            TimelineKind::Probe => "probe",
        })
    }
}

/// Why a plan was made, in a few words.
pub fn cause(cause: &Cause) -> String {
    match cause {
        Cause::Configured => "as configured".to_owned(),
        Cause::Evacuate(region) => format!("evacuate {region}"),
        Cause::Failback { region, percent } => format!("fail back {region} to {percent} %"),
    }
}
