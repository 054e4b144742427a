//! The demo's world, in one process: a wide area network between regions, a small shop deployed in several of
//! them, the public entrance that its users take, and users.
//!
//! Nothing here decides anything: the entrance spreads requests by the weights it was last told and does no
//! health checks, so whatever saves the users in a demo was done by the system under test. Everything random
//! comes from a seed.
//!
//! Read in this order: [`link`] (one impaired connection), [`wan`] (all of them), [`shop`], [`entrance`],
//! [`users`] and [`world`], which puts them together and breaks them on demand. Beside them stands [`samples`]: what a
//! probe would report, for load and benchmarks.

pub mod entrance;
mod http;
pub mod link;
pub mod samples;
pub mod shop;
pub mod users;
pub mod wan;
pub mod world;
