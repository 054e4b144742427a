//! Wrong input, from everybody who can give one: the command ends with a code and says what to do, or the process
//! goes on. Never a panic, never a secret on the screen.

mod api;
mod configuration;
mod demo;
mod hostile;
mod place;
mod probe;
pub mod program;
mod receiver;
mod start;
