//! The mesh on real sockets of this machine.

mod fallback;
mod faults;
mod foreign;
mod golden;
mod harness;
mod loopback;
mod relay;
mod stamp_suite;
