//! What a sender sends.

use super::{
    AUTHENTICATED_LEN, BASE_LEN, ErrorEstimate, Key, LONGEST, Malformed, Mode, SHORTEST_REQUEST, Stamp, at,
    auth::CODE_LEN, put,
};

/// A Session-Sender packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub sequence: u32,
    /// T1.
    pub sent: Stamp,
    pub error: ErrorEstimate,
    /// 0 when the sender knows nothing of RFC 8972.
    pub ssid: u16,
    /// What follows the base packet, as it is on the wire.
    pub extensions: Vec<u8>,
}

impl Request {
    /// Reads a request. With a key it must be an authentic one.
    ///
    /// # Errors
    /// When it is too short or too long for its mode, or its code is wrong.
    pub fn decode(bytes: &[u8], key: Option<&Key>) -> Result<Self, Malformed> {
        if bytes.len() > LONGEST {
            return Err(Malformed::TooLong);
        }
        match key {
            None if bytes.len() < SHORTEST_REQUEST => Err(Malformed::TooShort),
            None => Ok(Self::fields(bytes, 4, 12, BASE_LEN)),
            Some(_) if bytes.len() < AUTHENTICATED_LEN => Err(Malformed::TooShort),
            Some(key) if !key.verifies(&[&bytes[..96]], &bytes[96..AUTHENTICATED_LEN]) => {
                Err(Malformed::NotAuthentic)
            }
            Some(_) => Ok(Self::fields(bytes, 16, 24, AUTHENTICATED_LEN)),
        }
    }

    /// The session number of a request that is not authenticated yet, to find the key by.
    pub fn peek_ssid(bytes: &[u8], mode: Mode) -> u16 {
        u16::from_be_bytes(at(bytes, if mode == Mode::Open { 14 } else { 26 }))
    }

    fn fields(bytes: &[u8], stamp: usize, error: usize, end: usize) -> Self {
        let estimate = ErrorEstimate::decode(at(bytes, error));
        Self {
            sequence: u32::from_be_bytes(at(bytes, 0)),
            sent: Stamp::decode(at(bytes, stamp), estimate.format),
            error: estimate,
            // Requests of TWAMP are shorter than the field is far; it then reads as 0.
            ssid: u16::from_be_bytes(at(bytes, error + 2)),
            extensions: bytes.get(end..).unwrap_or_default().to_vec(),
        }
    }

    /// Writes a request; with a key an authenticated one. The code over the extensions is for
    /// [`tlv::sign`](super::tlv::sign).
    pub fn encode(&self, key: Option<&Key>) -> Vec<u8> {
        let (stamp, error, len) = if key.is_some() { (16, 24, AUTHENTICATED_LEN) } else { (4, 12, BASE_LEN) };
        let mut bytes = vec![0; len];
        put(&mut bytes, 0, self.sequence.to_be_bytes());
        put(&mut bytes, stamp, self.sent.encode(self.error.format));
        put(&mut bytes, error, self.error.encode());
        put(&mut bytes, error + 2, self.ssid.to_be_bytes());
        if let Some(key) = key {
            let code: [u8; CODE_LEN] = key.code(&[&bytes[..96]]);
            put(&mut bytes, 96, code);
        }
        bytes.extend_from_slice(&self.extensions);
        bytes
    }
}
