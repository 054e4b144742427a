//! What was measured, over time.

pub mod query;
