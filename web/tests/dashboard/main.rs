//! The dashboard through its router, as a browser meets it.

mod demo;
mod fixture;
mod pages;
mod stage;
mod stream;
