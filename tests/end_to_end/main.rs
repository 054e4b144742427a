//! End to end: the real binary as real processes, real sockets, a real browser.
//!
//! `harness` starts and stops things and waits for facts; every other module is one kind of story.

mod backup;
mod bad_input;
mod browser;
mod check_run;
mod chrome;
mod crash;
mod harness;
mod journeys;
mod load;
mod mesh;
mod outage;
mod telemetry;
