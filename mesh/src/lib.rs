//! Latency between probes by STAMP (RFC 8762, extended by RFC 8972).
//!
//! From the wire up: [`packet`] (bytes), [`reflect`] (who is answered, and with what).

pub mod clock;
pub mod closure;
pub mod packet;
pub mod reflect;
pub mod run;
pub mod session;
pub mod socket;
