//! Wake-ups between collectors.

/// A payload must be shorter than this, bytes: <https://www.postgresql.org/docs/15/sql-notify.html>.
pub const MAX_PAYLOAD: usize = 8000;
