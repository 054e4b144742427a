//! Configuration as code: one YAML document, validated as a whole.
//!
//! [`parse`] turns a text into a [`Config`] in which every id that is referred to exists and every number is in
//! range, or into [`Problems`]: everything that is wrong with it at once, each with line, column, path and what to
//! do. `docs/configuration.md` describes the document for those who write it.
//!
//! # How it works
//!
//! 1. `node` reads YAML into a tree whose nodes know where they stand, under strict limits.
//! 2. `validate` walks the tree with the typed readers of `read`, one file for each section of the document.
//!    A reader that meets something wrong notes it in the `problem::Sink` and returns nothing; its caller goes on.
//!    A section keeps the ids of entries that are wrong, so that what refers to them is not reported as well.
//! 3. When nothing was noted, the parts make up the [`Config`].
//!
//! # How to add a field
//!
//! Say, a service gets a `tier`, a whole number from 1 to 4, by default 2:
//!
//! 1. `model.rs`: add `pub tier: u8` to [`Service`], with its meaning, unit and range in the documentation.
//! 2. `validate/services.rs`: add `"tier"` to the list of keys given to `fields`, read it with
//!    `let tier = fields.or("tier", 2, |at| at.whole(1..=4));` and use `tier?` where the service is built.
//!    Read before the first `?` of the function: an early return would hide the problems after it.
//! 3. What concerns several sections goes where the later one is validated; what is legal but unwise goes into
//!    `warnings.rs`.
//! 4. `assign.rs`, when probes need it.
//! 5. `docs/configuration.md`: its line in the table. `tests/broken.rs`: a wrong value and its message.
//!
//! A new kind of check is a file in `validate/kind/`, its key in `KINDS` there, and its tests in `tests/kinds.rs`.

mod assign;
mod duration;
mod load;
mod model;
mod near;
mod nearest;
mod node;
mod problem;
mod read;
mod validate;
mod voting;
mod warnings;

#[cfg(test)]
mod tests;

pub use assign::assignment;
pub use load::{LoadError, load, parse, parse_in};
pub use model::*;
pub use problem::{Problem, Problems};
pub use voting::Voting;
pub use warnings::warnings;
