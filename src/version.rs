//! Which version this is.

/// The version of the whole workspace.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
