//! Latency between probes by STAMP (RFC 8762, extended by RFC 8972), with the kernel's time stamps.
//!
//! A sender stamps a packet (T1), a reflector stamps its arrival (T2) and its answer (T3), the sender stamps that (T4).
//! The round trip is (T4 − T1) − (T3 − T2): only durations, each by one clock. What is said of each direction alone
//! needs no synchronised clocks either (loss, variation), or is an interval that contains the truth (delays, clocks).
//!
//! From the wire up:
//!
//! * [`packet`]: bytes. Pure; any input is refused or read.
//! * [`reflect`]: who is answered, and with what. Pure.
//! * [`session`]: the sender's side, from packets to the windows of [`wire::mesh`]. Pure.
//! * [`clock`]: what time it is, and how far off the kernel believes its clock to be.
//! * [`socket`]: UDP with stamps of the kernel.
//! * [`run`]: [`run::Mesh`] does what a [`wire::mesh::MeshPlan`] says and gives windows.
//! * [`closure`]: the clocks of all probes together, for whoever has the windows of all.
//!
//! `docs/mesh.md` says what the figures mean; `examples/accuracy.rs` measures how exact they are.

pub mod clock;
pub mod closure;
pub mod packet;
pub mod reflect;
pub mod run;
pub mod session;
pub mod socket;
