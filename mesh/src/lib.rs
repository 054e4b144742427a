//! Latency between probes by STAMP (RFC 8762, extended by RFC 8972).
//!
//! From the wire up: [`packet`] (bytes).

pub mod packet;
