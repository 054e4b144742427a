//! What crosses the network between Sextant's parts.
//!
//! Types only, serde only: no sockets, no clock, no randomness. A probe and a collector of neighbouring
//! versions exchange these, so unknown fields are tolerated here (the configuration document, written by
//! people, refuses them).
//!
//! Read in the order of the data: [`assignment`] with [`request`] and [`journey`] (what a probe shall measure),
//! [`sample`] (what it saw), [`report`] (how samples travel), [`plan`] (where users shall go), [`event`] (how
//! receivers are told), [`view`] and [`history`] (what people and the REST API read) and [`problem`] (how a refusal looks).
//! Beside them stands [`mesh`] (latency between probes).

pub mod assignment;
pub mod event;
pub mod history;
pub mod id;
pub mod instant;
pub mod journey;
pub mod mesh;
pub mod network;
pub mod plan;
pub mod problem;
pub mod report;
pub mod request;
pub mod sample;
pub mod view;

pub use id::{CheckId, ProbeId, ReceiverId, RegionId, ServiceId};
pub use instant::Micros;
pub use network::Network;
