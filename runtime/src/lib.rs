//! What every long-lived Sextant process needs, once: a clock and randomness that tests can replace, supervised
//! tasks that drain on SIGTERM, telemetry, retry delays, and TLS set up the same way everywhere.
//!
//! A process starts like this: [`tls::install`] first, then [`telemetry::init`], then it builds its parts (binding
//! sockets early, so that a port in use is an error at the start), then [`tasks::Tasks::run_until`] with
//! [`signal::stop_requested`].

pub mod backoff;
pub mod clock;
pub mod exit;
pub mod lock;
pub mod random;
pub mod signal;
pub mod tasks;
pub mod telemetry;
pub mod tls;
pub mod trace;
