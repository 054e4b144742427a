//! The core against stories: a small world is played second by second and the effects are looked at.

mod properties;
mod silence;
mod stories;
mod world;
