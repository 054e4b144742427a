//! `tcp`: a connection, and what is said on it.

use super::message;
use crate::config::read::At;
use wire::assignment::Tcp;

/// Reads the mapping of a `tcp` check.
pub fn read(at: &At<'_>) -> Option<Tcp> {
    let fields = at.settings(&["send", "expect"])?;
    let send = fields.maybe("send", message);
    let expect = fields.maybe("expect", message);
    Some(Tcp { send: send?, expect: expect? })
}
