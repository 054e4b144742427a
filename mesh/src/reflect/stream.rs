//! The reflector's own sequence numbers: one count for each socket that sends in a session.

use crate::packet::tlv::FollowUp;
use std::{collections::HashMap, net::SocketAddr};

/// So many sockets of one session are remembered: a sender that restarts gets a new port, an attacker gets no memory.
const MOST_OF_A_SESSION: usize = 8;

/// A sender's socket in a session.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct StreamKey {
    pub(super) ssid: u16,
    pub(super) from: SocketAddr,
}

#[derive(Debug, Default)]
struct Stream {
    next: u32,
    used_ns: i64,
    follow_up: Option<FollowUp>,
}

/// What the next answer says.
pub(super) struct Turn {
    pub(super) sequence: u32,
    /// About an earlier answer.
    pub(super) follow_up: Option<FollowUp>,
}

#[derive(Debug, Default)]
pub(super) struct Streams(HashMap<StreamKey, Stream>);

impl Streams {
    /// Counts one answer.
    pub(super) fn next(&mut self, key: &StreamKey, now_ns: i64) -> Turn {
        if !self.0.contains_key(key) {
            self.make_room(key.ssid);
        }
        let stream = self.0.entry(key.clone()).or_default();
        let sequence = stream.next;
        stream.next = stream.next.wrapping_add(1);
        stream.used_ns = now_ns;
        Turn { sequence, follow_up: stream.follow_up }
    }

    /// Remembers when an answer left, unless that of a later one is known already.
    pub(super) fn followed_up(&mut self, key: &StreamKey, follow_up: FollowUp) {
        if let Some(stream) = self.0.get_mut(key) {
            let newer = |known: FollowUp| follow_up.sequence.wrapping_sub(known.sequence) as i32 > 0;
            if stream.follow_up.is_none_or(newer) {
                stream.follow_up = Some(follow_up);
            }
        }
    }

    /// Forgets the streams of other sessions.
    pub(super) fn keep(&mut self, stays: impl Fn(u16) -> bool) {
        self.0.retain(|key, _| stays(key.ssid));
    }

    fn make_room(&mut self, ssid: u16) {
        let of_session = || self.0.iter().filter(|(key, _)| key.ssid == ssid);
        if of_session().count() >= MOST_OF_A_SESSION {
            let quietest = of_session().min_by_key(|(_, stream)| stream.used_ns).map(|(key, _)| key.clone());
            quietest.map(|key| self.0.remove(&key));
        }
    }
}
