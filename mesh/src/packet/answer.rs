//! What a reflector answers.

use super::{
    AUTHENTICATED_LEN, BASE_LEN, ErrorEstimate, Key, LONGEST, Malformed, SHORTEST_ANSWER, Stamp, at,
    auth::CODE_LEN, put,
};

/// A Session-Reflector packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The reflector's own count of its answers in the session, or the sender's number when it does not count.
    pub sequence: u32,
    /// T3.
    pub returned: Stamp,
    pub error: ErrorEstimate,
    pub ssid: u16,
    /// T2, in the same format as T3.
    pub reached: Stamp,
    pub sender_sequence: u32,
    /// T1 as the request said.
    pub sender_sent: Stamp,
    pub sender_error: ErrorEstimate,
    /// The request's TTL or hop limit when it arrived; absent (0 on the wire) when the reflector does not know it.
    pub sender_ttl: Option<u8>,
    /// What follows the base packet, as it is on the wire.
    pub extensions: Vec<u8>,
}

/// Where the fields are.
struct Layout {
    stamp: usize,
    error: usize,
    reached: usize,
    sender_sequence: usize,
    sender_sent: usize,
    sender_error: usize,
    ttl: usize,
    len: usize,
}

const OPEN: Layout = Layout {
    stamp: 4,
    error: 12,
    reached: 16,
    sender_sequence: 24,
    sender_sent: 28,
    sender_error: 36,
    ttl: 40,
    len: BASE_LEN,
};
const AUTHENTICATED: Layout = Layout {
    stamp: 16,
    error: 24,
    reached: 32,
    sender_sequence: 48,
    sender_sent: 64,
    sender_error: 72,
    ttl: 80,
    len: AUTHENTICATED_LEN,
};

impl Answer {
    /// Reads an answer. With a key it must be an authentic one.
    ///
    /// # Errors
    /// When it is too short or too long for its mode, or its code is wrong.
    pub fn decode(bytes: &[u8], key: Option<&Key>) -> Result<Self, Malformed> {
        if bytes.len() > LONGEST {
            return Err(Malformed::TooLong);
        }
        match key {
            None if bytes.len() < SHORTEST_ANSWER => Err(Malformed::TooShort),
            None => Ok(Self::fields(bytes, &OPEN)),
            Some(_) if bytes.len() < AUTHENTICATED_LEN => Err(Malformed::TooShort),
            Some(key) if !key.verifies(&[&bytes[..96]], &bytes[96..AUTHENTICATED_LEN]) => {
                Err(Malformed::NotAuthentic)
            }
            Some(_) => Ok(Self::fields(bytes, &AUTHENTICATED)),
        }
    }

    fn fields(bytes: &[u8], layout: &Layout) -> Self {
        let error = ErrorEstimate::decode(at(bytes, layout.error));
        let sender_error = ErrorEstimate::decode(at(bytes, layout.sender_error));
        let [ttl] = at(bytes, layout.ttl);
        Self {
            sequence: u32::from_be_bytes(at(bytes, 0)),
            returned: Stamp::decode(at(bytes, layout.stamp), error.format),
            error,
            ssid: u16::from_be_bytes(at(bytes, layout.error + 2)),
            reached: Stamp::decode(at(bytes, layout.reached), error.format),
            sender_sequence: u32::from_be_bytes(at(bytes, layout.sender_sequence)),
            sender_sent: Stamp::decode(at(bytes, layout.sender_sent), sender_error.format),
            sender_error,
            sender_ttl: (ttl > 0).then_some(ttl),
            extensions: bytes.get(layout.len..).unwrap_or_default().to_vec(),
        }
    }

    /// Writes an answer; with a key an authenticated one. The code over the extensions is for
    /// [`tlv::sign`](super::tlv::sign).
    pub fn encode(&self, key: Option<&Key>) -> Vec<u8> {
        let layout = if key.is_some() { &AUTHENTICATED } else { &OPEN };
        let mut bytes = vec![0; layout.len];
        put(&mut bytes, 0, self.sequence.to_be_bytes());
        put(&mut bytes, layout.stamp, self.returned.encode(self.error.format));
        put(&mut bytes, layout.error, self.error.encode());
        put(&mut bytes, layout.error + 2, self.ssid.to_be_bytes());
        put(&mut bytes, layout.reached, self.reached.encode(self.error.format));
        put(&mut bytes, layout.sender_sequence, self.sender_sequence.to_be_bytes());
        put(&mut bytes, layout.sender_sent, self.sender_sent.encode(self.sender_error.format));
        put(&mut bytes, layout.sender_error, self.sender_error.encode());
        put(&mut bytes, layout.ttl, [self.sender_ttl.unwrap_or(0)]);
        if let Some(key) = key {
            let code: [u8; CODE_LEN] = key.code(&[&bytes[..96]]);
            put(&mut bytes, 96, code);
        }
        bytes.extend_from_slice(&self.extensions);
        bytes
    }
}
