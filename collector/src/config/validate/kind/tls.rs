//! `tls`: a handshake, and how long the certificate lasts.

use crate::config::{read::At, validate::host};
use std::time::Duration;
use wire::assignment::Tls;

/// From an hour to five years.
const SHORTEST: Duration = Duration::from_secs(3600);
const LONGEST: Duration = Duration::from_secs(5 * 365 * 86_400);

/// Reads the mapping of a `tls` check.
pub fn read(at: &At<'_>) -> Option<Tls> {
    let fields = at.settings(&["server_name", "valid_for"])?;
    let server_name = fields.maybe("server_name", host::name_or_address);
    let valid_for = fields.maybe("valid_for", |at| at.duration(SHORTEST..=LONGEST));
    Some(Tls { server_name: server_name?, valid_for_s: valid_for?.map(|valid_for| valid_for.as_secs()) })
}
