//! End to end: the real binary as real processes, real sockets, a real browser.
//!
//! `harness` starts and stops things and waits for facts; every other module is one kind of story.

mod backup;
mod bad_input;
mod browser;
mod check_run;
mod chrome;
mod collectors;
mod crash;
mod faults;
mod harness;
mod journeys;
mod kills;
mod mesh;
mod outage;
mod telemetry;
mod upgrade;
