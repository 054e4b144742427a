//! Checks Standard Webhooks 1.0.0 signatures: HMAC-SHA256 over `id.timestamp.body`.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use sha2::Sha256;
use std::{ops::RangeInclusive, str::FromStr};
use subtle::ConstantTimeEq;
use wire::event::{HEADER_ID, HEADER_SIGNATURE, HEADER_TIMESTAMP, TOLERANCE_SECONDS};

/// Key lengths that the specification allows, bytes.
const KEY: RangeInclusive<usize> = 24..=64;
/// Signatures looked at in one header; a sender that rotates its key sends two.
const MAX_SIGNATURES: usize = 8;

/// The key of a webhook. It has no `Debug` and is never printed.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

/// Why a text is not a secret. The text itself is not repeated.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the webhook secret must be whsec_ followed by the base64 of 24 to 64 random bytes")]
pub struct BadSecret;

/// Why a webhook is not believed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSignature {
    #[error(
        "the header {0} is missing or not readable: send webhook-id, webhook-timestamp and webhook-signature"
    )]
    Header(&'static str),
    #[error(
        "the timestamp is more than {TOLERANCE_SECONDS} s from the receiver's clock: set the clocks, sign again"
    )]
    Time,
    #[error("no signature matches: sign `id.timestamp.body` with the receiver's secret")]
    Mismatch,
}

impl FromStr for Secret {
    type Err = BadSecret;

    fn from_str(text: &str) -> Result<Secret, BadSecret> {
        let key = text.strip_prefix("whsec_").and_then(|text| STANDARD.decode(text).ok());
        key.filter(|key| KEY.contains(&key.len())).map(Secret).ok_or(BadSecret)
    }
}

impl Secret {
    /// Checks the headers and the body of a webhook that arrived at `now` (Unix seconds).
    ///
    /// # Errors
    /// When a header is missing, the timestamp is too far off, or no signature matches.
    pub fn verify(&self, headers: &HeaderMap, body: &[u8], now: i64) -> Result<(), BadSignature> {
        let id = text(headers, HEADER_ID)?;
        let timestamp = text(headers, HEADER_TIMESTAMP)?;
        let signatures = text(headers, HEADER_SIGNATURE)?;
        let seconds: i64 = timestamp.parse().map_err(|_| BadSignature::Header(HEADER_TIMESTAMP))?;
        if now.saturating_sub(seconds).saturating_abs() > TOLERANCE_SECONDS {
            return Err(BadSignature::Time);
        }
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).map_err(|_| BadSignature::Mismatch)?;
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            mac.update(part);
        }
        let expected = mac.finalize().into_bytes();
        let matches = signatures
            .split(' ')
            .take(MAX_SIGNATURES)
            .filter_map(|signature| STANDARD.decode(signature.strip_prefix("v1,")?).ok())
            .any(|signature| signature.as_slice().ct_eq(expected.as_slice()).into());
        if matches { Ok(()) } else { Err(BadSignature::Mismatch) }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<&'a str, BadSignature> {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.filter(|value| !value.is_empty()).ok_or(BadSignature::Header(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use standardwebhooks::Webhook;

    const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    const OTHER: &str = "whsec_YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODk=";
    const NOW: i64 = 1_795_000_000;

    /// Headers signed by the independent crate with each of the secrets.
    fn signed(secrets: &[&str], body: &[u8], at: i64) -> HeaderMap {
        let sign = |secret: &&str| {
            Webhook::new(secret).and_then(|hook| hook.sign("msg_1", at, body)).expect("it signs")
        };
        let signatures: Vec<_> = secrets.iter().map(sign).collect();
        let mut headers = HeaderMap::new();
        headers.insert(HEADER_ID, "msg_1".parse().expect("a header"));
        headers.insert(HEADER_TIMESTAMP, at.to_string().parse().expect("a header"));
        headers.insert(HEADER_SIGNATURE, signatures.join(" ").parse().expect("a header"));
        headers
    }

    fn secret() -> Secret {
        SECRET.parse().expect("a secret")
    }

    #[test]
    fn believes_the_reference_library_and_nobody_else() {
        let body = b"{\"a\":1}";
        assert_eq!(secret().verify(&signed(&[SECRET], body, NOW), body, NOW), Ok(()));
        assert_eq!(secret().verify(&signed(&[OTHER, SECRET], body, NOW), body, NOW), Ok(()));
        let mismatch = Err(BadSignature::Mismatch);
        assert_eq!(secret().verify(&signed(&[OTHER], body, NOW), body, NOW), mismatch);
        assert_eq!(secret().verify(&signed(&[SECRET], body, NOW), b"{\"a\":2}", NOW), mismatch);
        for rubbish in ["v1,", "v1", "v2,AAAA", "v1,not base64", " "] {
            let mut headers = signed(&[SECRET], body, NOW);
            headers.insert(HEADER_SIGNATURE, rubbish.parse().expect("a header"));
            assert_eq!(secret().verify(&headers, body, NOW), mismatch, "{rubbish}");
        }
    }

    #[test]
    fn old_and_future_messages_are_refused() {
        for (late, good) in [(-301, false), (-300, true), (300, true), (301, false), (i64::MAX - NOW, false)]
        {
            let seen = secret().verify(&signed(&[SECRET], b"x", NOW), b"x", NOW + late);
            assert_eq!(seen.is_ok(), good, "{late}");
        }
    }

    #[test]
    fn every_header_is_needed() {
        for name in [HEADER_ID, HEADER_TIMESTAMP, HEADER_SIGNATURE] {
            let mut headers = signed(&[SECRET], b"x", NOW);
            headers.remove(name);
            assert_eq!(secret().verify(&headers, b"x", NOW), Err(BadSignature::Header(name)));
        }
    }

    #[test]
    fn short_or_shapeless_secrets_are_refused() {
        for bad in
            ["", "whsec_", "whsec_c2hvcnQ=", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "whsec_!!"]
        {
            assert!(bad.parse::<Secret>().is_err(), "{bad}");
        }
    }
}
